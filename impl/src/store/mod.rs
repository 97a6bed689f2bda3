//! Everything durable.

pub mod engine;
pub mod entry;
