//! What the protocols of Roadstead *are*: pure functions over plain data.
//!
//! This crate decides; it never does. It has no clock, no socket, no file, no thread, no randomness and no logger:
//! everything nondeterministic arrives as an [`raft::Event`], everything to be done leaves as an [`raft::Effect`].
//! So the same functions run in production and in a model checker, and every run can be replayed bit for bit.
//!
//! - [`raft`]: the consensus core, Ongaro & Ousterhout 2014 (extended version) and Ongaro's dissertation 2014.
//! - [`outbox`]: the one interpreter of durability gates.
//! - [`wire`]: frames of both header versions, message bodies, header negotiation.
//! - [`dispatch`]: which group a frame belongs to.
//! - [`invariants`]: every local law as a named function.
//! - [`trace`]: the records of a run.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod dispatch;
pub mod id;
pub mod invariants;
pub mod outbox;
pub mod raft;
pub mod trace;

pub use id::{EntryId, GroupId, Incarnation, Index, NodeId, Term};
