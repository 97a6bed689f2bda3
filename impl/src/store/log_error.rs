//! What can be wrong with a log: with its data on disk, or with what somebody asks of it.

use super::{engine::EngineError, item::ItemError, prefix::Local};
use roadstead_spec::{Index, Term};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An item is not what was written.
    #[error("log of group number {local}: the item at index {first}: {source}")]
    Damaged {
        /// Whose log.
        local: Local,
        /// First index of the item.
        first: Index,
        /// What is wrong with it.
        #[source]
        source: ItemError,
    },
    /// Entries are missing, or there twice.
    #[error("log of group number {local}: entry {expected} should follow, the next item begins at {found}")]
    Gap {
        /// Whose log.
        local: Local,
        /// The index that should come.
        expected: Index,
        /// The index that came.
        found: Index,
    },
    /// Terms never decrease in a log.
    #[error("log of group number {local}: term {found} at index {index} follows term {before}")]
    Terms {
        /// Whose log.
        local: Local,
        /// Where.
        index: Index,
        /// Term of the entry before.
        before: Term,
        /// Term of the entry.
        found: Term,
    },
    /// A record of the group is missing or damaged.
    #[error("{what} of group number {local}: {why}")]
    Record {
        /// Whose.
        local: Local,
        /// Which record.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// What the driver did that a log does not allow: a mistake of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// Entries must follow the last one.
    #[error("append at {first} to a log that ends at {last}")]
    Gap {
        /// Where the entries were to begin.
        first: Index,
        /// Where the log ends.
        last: Index,
    },
    /// An append of nothing, or with decreasing terms.
    #[error("append of no entries, or of decreasing terms, at {first}")]
    Entries {
        /// Where the entries were to begin.
        first: Index,
    },
    /// A snapshot's data must lie under an epoch of its own.
    #[error("snapshot under state epoch {epoch}, the group is at {current} already")]
    Epoch {
        /// What was named.
        epoch: u64,
        /// The group's.
        current: u64,
    },
    /// Compacted entries cannot be deleted one by one, nor can entries behind the end be compacted.
    #[error("index {index} is not in the log, which holds the entries behind {base} through {last}")]
    Outside {
        /// What was named.
        index: Index,
        /// The log begins behind it.
        base: Index,
        /// Where the log ends.
        last: Index,
    },
}
