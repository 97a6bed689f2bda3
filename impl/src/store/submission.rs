//! What the event loop hands to the storage machine, and what comes back.

use super::{entry::Entry, prefix::Local, registry::Change};
use roadstead_spec::{EntryId, Incarnation, Index, raft::HardState};

/// One durable step of one group. Steps of a group are applied in the order in which they were submitted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose step it is; [`Local::NODE`] for a [`Write::Registry`] change that belongs to no group.
    pub local: Local,
    /// The life of the group that asked; comes back with the completion, so that a re-created group never takes its predecessor's.
    pub incarnation: Incarnation,
    /// The caller's number; comes back with the completion.
    pub ticket: u64,
    /// What to make durable.
    pub write: Write,
}

/// What a [`Submission`] makes durable: all of it or nothing.
#[derive(Clone, Debug)]
pub enum Write {
    /// `Effect::Persist`: truncate first, then append, then hard state.
    Persist {
        /// New term and vote, if they changed.
        hard: Option<HardState>,
        /// Delete entries from this index on.
        truncate_from: Option<Index>,
        /// Write these entries behind the last one.
        append: Option<Append>,
    },
    /// `Effect::InstallSnapshot`: the commit point of an installation. The service data must be staged and synced under `state_epoch` before.
    Install {
        /// Term and vote.
        hard: HardState,
        /// Last entry that the snapshot covers: the log begins behind it.
        at: EntryId,
        /// Whether entries behind `at` stay.
        keep_suffix: bool,
        /// Epoch of the state database under which the group's data lies from now on; larger than before.
        state_epoch: u64,
    },
    /// `Effect::Compact`: entries through this index may go.
    Compact {
        /// Last index to delete.
        through: Index,
    },
    /// A change of the group registry, planned by [`super::registry::Registry`].
    Registry(Change),
}

/// Consecutive entries with their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Index of the first entry: the index behind the last one of the log.
    pub first: Index,
    /// The entries; never empty.
    pub entries: Vec<Entry>,
}

/// A submission is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Completion {
    /// As submitted.
    pub local: Local,
    /// As submitted.
    pub incarnation: Incarnation,
    /// As submitted.
    pub ticket: u64,
}

impl Submission {
    /// What it will answer with.
    pub fn completion(&self) -> Completion {
        Completion { local: self.local, incarnation: self.incarnation, ticket: self.ticket }
    }

    /// Bytes that it keeps in memory while it waits: its payloads and a fixed sum per entry.
    pub fn weight(&self) -> usize {
        let Write::Persist { append: Some(append), .. } = &self.write else {
            return size_of::<Self>();
        };
        size_of::<Self>() + append.entries.iter().map(|entry| size_of::<Entry>() + entry.payload.len()).sum::<usize>()
    }

    /// Whether it carries a term or a vote, so that its completion waits for the witness.
    pub fn carries_hard_state(&self) -> bool {
        matches!(self.write, Write::Persist { hard: Some(_), .. } | Write::Install { .. })
    }
}
