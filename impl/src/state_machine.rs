//! What an embedding engineer implements: one small trait.
//!
//! A state machine keeps its durable data in an ordered store of its own (keys are private to the group) and may keep whatever it likes in
//! memory, as long as [`StateMachine::open`] can rebuild that from the store. Because all durable data lies in the store, the host can take, send and
//! install snapshots without asking the machine.
//!
//! What to mind:
//!
//! * *Deterministic*: no clock, no randomness, no iteration over unordered maps in [`StateMachine::apply`]. A command carries what it needs.
//! * *In small steps*: all members apply the same commands at about the same time, so a structure that stops to grow (a large hash map that doubles)
//!   stops all of them at once. Ordered maps and the store itself grow evenly.
//! * *Quick*: the machines of all groups share one thread.
//!
//! [`crate::applier::testing::StateMachineHarness`] runs a machine in a unit test.

use bytes::Bytes;
use roadstead_spec::EntryId;
use std::{ops::ControlFlow, ops::Range};

use crate::store::engine::EngineError;

/// A committed command.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its place in the log; strictly increasing from call to call.
    pub id: EntryId,
    /// What the client proposed.
    pub payload: Bytes,
}

/// Why a state machine cannot go on. Final for the group (not for the host): it stops and shows this text in its status.
#[derive(Debug, thiserror::Error)]
pub enum StateMachineError {
    /// The store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The machine's own data makes no sense.
    #[error("{0}")]
    Corrupt(String),
}

/// Called per item in key order; `Break` ends the scan, an error ends it and is returned.
pub type VisitState<'a> = &'a mut dyn FnMut(&[u8], Bytes) -> Result<ControlFlow<()>, StateMachineError>;

/// Reads a group's data. Keys are relative to the group.
pub trait StateRead {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateMachineError>;
    /// Visits the items of a half-open range in ascending key order until `Break`. An empty end means "to the last key".
    fn scan(&self, range: Range<&[u8]>, visit: VisitState<'_>) -> Result<(), StateMachineError>;
}

/// Longest key, in bytes. The stores below take 64 KiB, and the host puts a prefix before it.
pub const KEY_BYTES_MAX: usize = 32 << 10;
/// Longest value, in bytes. One item must fit a frame of a snapshot.
pub const VALUE_BYTES_MAX: usize = 8 << 20;

/// Changes a group's data; commits together with the applied index. Reads see the transaction's own writes.
pub trait StateWrite: StateRead {
    /// Inserts or overwrites. A key above [`KEY_BYTES_MAX`] or a value above [`VALUE_BYTES_MAX`] stops the group when `apply` returns: answer
    /// commands that would need one with an error of your own.
    fn put(&mut self, key: Bytes, value: Bytes);
    /// Removes; a missing key is no error.
    fn delete(&mut self, key: Bytes);
}

/// A deterministic state machine: the same commands in the same order give the same data and the same answers on every member.
pub trait StateMachine: Send + 'static {
    /// Rebuilds what the machine keeps in memory; called once at start and again after a snapshot has replaced the data.
    fn open(&mut self, state: &dyn StateRead) -> Result<(), StateMachineError> {
        let _ = state;
        Ok(())
    }

    /// Applies committed commands in order and pushes one answer per command. A command that makes no sense gets an answer that says so:
    /// an `Err` stops the group on every member alike.
    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError>;

    /// Answers a read; it changes nothing. Bytes that make no sense get an answer that says so.
    fn query(&self, query: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError>;
}
