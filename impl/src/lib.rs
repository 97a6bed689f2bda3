//! Roadstead: many Raft groups behind one TCP port.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod api;
pub mod applier;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod config;
pub mod launcher;
pub mod node;
pub mod port;
pub mod service;
pub mod shard;
pub mod state_machine;
pub mod store;
mod sync;
pub mod trace;

pub use roadstead_spec::{GroupId, NodeId};

/// The programs in the documents compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/embed.md")]
mod documents {}
