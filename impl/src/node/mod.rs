//! A running node: port, shard, storage and applier, wired together by one event loop.
//!
//! The loop owns no decision: it carries what arrives into [`crate::shard::Shard::turn`], and carries out what the turn wants. One thread runs
//! it, together with the port and the HTTP API, on a current-thread runtime; it never calls a database on disk and never waits for one.

mod control;
mod dumps;
mod event_loop;
mod handle;
mod open;
mod options;
mod workers;

pub use handle::{Handle, Observation};
pub(crate) use open::open;
pub use options::{Data, Factory, GroupError, GroupOptions, NodeOptions, Services, StartError};
