//! The services that come with Roadstead.

pub mod kv;
