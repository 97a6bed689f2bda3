//! The storage machine: gathers what all groups want durable into one batch with one sync. A plain struct; [`super::thread`] wraps it.

use super::{
    engine::EngineError,
    log_error::{LogError, Misuse},
    prefix::Local,
    record::RecordError,
    rounds::Rounds,
    stats::StorageStats,
    submission::{Completion, Submission},
    witness::{LAG_ROUNDS_MAX, Witness, WitnessError},
};
use std::sync::Arc;

/// What ends a store. Every one of them is final: nothing may be written, voted or acknowledged any more; the process ends with exit code 1 and recovers
/// from the disk at its next start. A failed sync is never tried again, since the pages that it did not write may be gone.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The log database failed.
    #[error("{0}; the node ends and recovers from disk at its next start; if this comes back, check the disk")]
    Engine(#[from] EngineError),
    /// A log that had to be rewritten does not verify.
    #[error("{0}; the node ends; run `roadstead check` on its data folder")]
    Log(#[from] LogError),
    /// The witness failed.
    #[error("{0}")]
    Witness(#[from] WitnessError),
    /// A record does not encode.
    #[error("a record of the store does not encode: {0}")]
    Record(#[from] RecordError),
    /// The event loop submitted what a log does not allow.
    #[error("group number {local}, ticket {ticket}: {why}; this is a mistake of the program: please report it")]
    Misuse {
        /// Whose submission.
        local: Local,
        /// Which one.
        ticket: u64,
        /// What is wrong with it.
        why: Misuse,
    },
}

/// The storage machine of a node.
#[derive(Debug)]
pub struct Storage {
    pub(crate) rounds: Rounds,
    pub(crate) witness: Witness,
}

impl Storage {
    /// One round: makes all submissions durable with one batch and one sync, and returns their completions in order. The submissions of a group whose
    /// life has ended are dropped without a completion. The witness is written here, not beside, when the round carries a term or a
    /// vote or [`LAG_ROUNDS_MAX`] is reached. An empty list does nothing.
    ///
    /// # Errors
    /// Any error is final, see [`StorageError`].
    pub fn turn(&mut self, submissions: &mut Vec<Submission>) -> Result<Vec<Completion>, StorageError> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.rounds.commit(submissions)?;
        if committed.urgent || committed.mark.batch - self.witness.newest().batch >= LAG_ROUNDS_MAX {
            self.witness.write(committed.mark)?;
            StorageStats::add(&self.rounds.stats().witness_syncs, 1);
        }
        Ok(committed.completions)
    }

    /// Counters, shared with whoever shows them.
    pub fn stats(&self) -> Arc<StorageStats> {
        self.rounds.stats().clone()
    }
}
