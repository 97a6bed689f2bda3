//! Compaction: logically at once, physically in steps.
//!
//! A `Compact` command only notes the compact revision: reads below it are refused from then on. What it made superfluous is removed by the commands
//! that follow, a few keys at a time, so that no compaction stops the group. Progress is part of the stored data: members agree on every
//! byte, whenever each of them was restarted.

use bytes::Bytes;
use roadstead_spec::Index as EntryIndex;
use serde::{Deserialize, Serialize};

use super::{
    index::{Index, REMOVAL_COST},
    item::corrupt,
};
use crate::state_machine::{StateMachineError, StateRead, StateWrite};

/// Key of the meta item; it sorts before all items.
const META_KEY: &[u8] = b"\0compaction";

/// Every so many entries of the log, a command makes a step. The place in the log decides, because that is the same on all members; a step at
/// every command would double the writes while a sweep is under way.
const STEP_EVERY: u64 = 16;

/// What a step may spend: 64 removals, or 1,024 keys looked at. That is some hundred microseconds, so that compaction costs the writes that come with
/// it a few microseconds each; and it is more than [`STEP_EVERY`] removals, so that a sweep overtakes them.
const STEP: usize = 64 * REMOVAL_COST;

/// Most removals by one [`super::Request::Sweep`]: some ten milliseconds.
pub const SWEEP_COMMAND_MAX: usize = 10_000;

/// How far compaction is. The encoding in postcard is part of the stored format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Compaction {
    /// Format of this item.
    format: u8,
    /// Oldest readable revision; -1 before the first compaction, which lets etcd accept one at revision 0.
    revision: i64,
    /// Rounds over all keys that are yet to be finished. A compaction during a round lets that round go on (with the newer revision) and adds one
    /// more, so that frequent compactions never starve the keys at the end.
    rounds: u8,
    /// Where the round goes on.
    cursor: Box<[u8]>,
}

impl Default for Compaction {
    fn default() -> Self {
        Self { format: 1, revision: -1, rounds: 0, cursor: Box::default() }
    }
}

impl Compaction {
    /// What the store says.
    pub(super) fn load(state: &dyn StateRead) -> Result<Self, StateMachineError> {
        let Some(stored) = state.get(META_KEY)? else { return Ok(Self::default()) };
        match postcard::from_bytes::<Self>(&stored) {
            Ok(compaction) if compaction.format == 1 => Ok(compaction),
            Ok(compaction) => Err(corrupt(format_args!("its compaction state has format {}, known is 1", compaction.format))),
            Err(error) => Err(corrupt(format_args!("its compaction state: {error}"))),
        }
    }

    fn store(&self, state: &mut dyn StateWrite) -> Result<(), StateMachineError> {
        let bytes =
            postcard::to_allocvec(self).map_err(|error| corrupt(format_args!("its compaction state cannot be encoded: {error}")))?;
        state.put(Bytes::from_static(META_KEY), bytes.into());
        Ok(())
    }

    /// Oldest readable revision.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// Whether there is something left to remove.
    pub(super) fn is_pending(&self) -> bool {
        self.rounds > 0
    }

    /// Makes everything before a revision unreadable; the caller has checked that it is neither past nor future.
    pub(super) fn begin(&mut self, revision: i64, state: &mut dyn StateWrite) -> Result<(), StateMachineError> {
        self.revision = revision;
        self.rounds = if self.is_pending() { 2 } else { 1 };
        self.store(state)
    }

    /// What the command at a place in the log adds to the work.
    pub(super) fn step(&mut self, at: EntryIndex, index: &mut Index, state: &mut dyn StateWrite) -> Result<(), StateMachineError> {
        if at.0.is_multiple_of(STEP_EVERY) { self.sweep(index, state, STEP) } else { Ok(()) }
    }

    /// The large step of [`super::Request::Sweep`].
    pub(super) fn sweep_command(&mut self, index: &mut Index, state: &mut dyn StateWrite) -> Result<(), StateMachineError> {
        self.sweep(index, state, SWEEP_COMMAND_MAX * REMOVAL_COST)
    }

    fn sweep(&mut self, index: &mut Index, state: &mut dyn StateWrite, budget: usize) -> Result<(), StateMachineError> {
        if !self.is_pending() {
            return Ok(());
        }
        let next = index.sweep(&self.cursor, self.revision, budget, |revision| state.delete(Bytes::copy_from_slice(&revision.key())));
        if next.is_none() {
            self.rounds -= 1;
        }
        self.cursor = next.unwrap_or_default();
        self.store(state)
    }
}
