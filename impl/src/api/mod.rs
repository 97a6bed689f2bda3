//! The admin API: HTTP and JSON on the node's one port.

pub mod types;
