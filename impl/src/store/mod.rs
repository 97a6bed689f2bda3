//! Everything durable.

pub mod engine;
pub mod entry;
pub mod fjall_engine;
pub mod memory;
pub mod prefix;
mod record;
pub mod fjall_engine;
pub mod memory;
pub mod prefix;
pub(crate) mod record;
pub mod registry;
pub mod submission;
