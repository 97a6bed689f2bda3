//! The Raft core: one pure transition function over a small state.
//!
//! [`step()`] takes the state of one member of one group and an [`Event`], changes the state and appends [`Effect`]s in order. It
//! knows no clock, no disk, no network, no group id and no payload. Every decision of the papers is a method of [`Rules`].
//!
//! Sources: Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version, 2014): "the paper", by section
//! and figure; Ongaro, "Consensus: Bridging Theory and Practice" (2014): "dissertation".

mod catch_up;
mod effect;
mod election;
mod event;
mod follower;
mod log;
#[cfg(test)]
mod log_tests;
mod message;
mod params;
mod read;
mod recover;
mod replication;
mod rules;
mod snapshot;
mod state;
mod step;

pub use effect::{Append, Effect, Gate, HardState, Law, Mark, Origin, Refused};
pub use event::Event;
pub use log::{BadShape, INDEX_MAX, LogShape, Run, SLICE_RUNS_MAX, Slice, TermAt};
pub use message::{BEHIND_RUNS_DENSE, BEHIND_RUNS_MAX, Behind, Message, ReadId, Round};
pub use params::{BadParams, Limits, NodeSet, Params, VOTERS_MAX};
pub use recover::{Unrecoverable, recover};
pub use rules::{Paper, Rules};
pub use state::{Flow, Leader, Peers, PendingRead, Progress, Role, State};
pub use step::{step, step_with};
