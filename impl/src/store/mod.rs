//! Everything durable.

pub mod engine;
pub mod entry;
pub mod prefix;
mod record;
pub mod registry;
pub mod submission;
