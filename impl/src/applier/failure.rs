//! Why one group stopped. The text is shown in the group's status; the host and the other groups go on.

use roadstead_spec::{EntryId, Index};

use super::job::StateEpoch;
use crate::state_machine::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Why a group cannot go on. `Clone`: every job that comes later is answered with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No machine was opened for this local number and incarnation.
    #[error("the group is not open on this node; add it, or wait until it has started")]
    NotOpen,
    /// An entry is missing between what is applied and what came.
    #[error("entry {expected} is missing: {got} came instead; restart the node so that the log is applied again, and report this as a bug")]
    Gap {
        /// The entry behind the last applied.
        expected: Index,
        /// The one that came.
        got: Index,
    },
    /// An entry came again.
    #[error(
        "entry {got} came a second time: {expected} is next; restart the node so that the log is applied again, and report this as a bug"
    )]
    Repeat {
        /// The entry behind the last applied.
        expected: Index,
        /// The one that came.
        got: Index,
    },
    /// The data has applied less than the log can repeat.
    #[error(
        "the state database has applied {applied} only, but the log begins behind {log_base}: data is missing; \
         remove this member's data of the group and let it receive a snapshot"
    )]
    StateLost {
        /// What the data says.
        applied: EntryId,
        /// Where the log begins.
        log_base: Index,
    },
    /// The state machine returned an error.
    #[error(
        "the state machine stopped while it had to {doing} behind entry {applied}: {text}; correct the machine or its data, then restart the node"
    )]
    Machine {
        /// What it was called for.
        doing: &'static str,
        /// Last applied entry.
        applied: EntryId,
        /// What it said.
        text: String,
    },
    /// The state machine panicked.
    #[error(
        "the state machine panicked while it had to {doing} behind entry {applied}: {text}; correct the machine, then restart the node"
    )]
    Panicked {
        /// What it was called for.
        doing: &'static str,
        /// Last applied entry.
        applied: EntryId,
        /// What it said.
        text: String,
    },
    /// Answers and commands must match one to one.
    #[error(
        "the state machine gave {answers} answers to {commands} commands behind entry {applied}; correct the machine, then restart the node"
    )]
    AnswerCount {
        /// Commands given.
        commands: usize,
        /// Answers returned.
        answers: usize,
        /// Last applied entry.
        applied: EntryId,
    },
    /// A write that no store holds.
    #[error(
        "the state machine wrote a key of {key_bytes} bytes with a value of {value_bytes} bytes behind entry {applied}, at most {KEY_BYTES_MAX} and \
         {VALUE_BYTES_MAX} are possible; correct the machine, then restart the node"
    )]
    ItemTooLarge {
        /// Length of the key.
        key_bytes: usize,
        /// Length of the value.
        value_bytes: usize,
        /// Last applied entry.
        applied: EntryId,
    },
    /// The record of the applied entry cannot be read.
    #[error(
        "the record of the applied entry (epoch {epoch}) is damaged: {what}; \
         remove this member's data of the group and let it receive a snapshot"
    )]
    AppliedRecord {
        /// Which epoch.
        epoch: StateEpoch,
        /// What is wrong.
        what: String,
    },
    /// The state database could not be read.
    #[error("the state database cannot be read: {0}; check the disk, then restart the node")]
    Unreadable(String),
    /// The log database names an epoch that is not staged here.
    #[error("epoch {0} should be installed but is not staged; restart the node, it then opens the epoch that the log database names")]
    NotStaged(StateEpoch),
}
