//! Roadstead: many Raft groups behind one TCP port.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod api;
pub mod cli;
pub mod config;
pub mod state_machine;
pub mod store;
