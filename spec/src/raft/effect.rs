//! Everything to be done leaves here.

use super::{
    log::{Run, SLICE_RUNS_MAX},
    message::{Message, ReadId},
};
use crate::{EntryId, Index, NodeId, Term};
use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// Term and vote: what must survive a crash besides the log. Raft paper fig. 2, "persistent state on all servers".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HardState {
    /// Latest term that this node has seen.
    pub term: Term,
    /// Whom it voted for in `term`.
    pub vote: Option<NodeId>,
}

/// What a completed persist reports: the term in which it was issued and the last index of the log then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The node's term when the persist was issued.
    pub term: Term,
    /// Last index of the log when the persist was issued.
    pub index: Index,
}

/// Where the bytes of appended entries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// The empty entry at the start of a leader's term (Raft paper §8).
    Noop,
    /// The clients' writes of the [`super::Event::Propose`] just stepped, in order.
    Proposed,
    /// The payloads that came with the AppendEntries just stepped; the entry at index i is number `i - slice.prev.index - 1` of them.
    Received,
}

/// Consecutive entries to write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Append {
    /// Their terms; `runs[0].first` is the first entry. Never empty.
    pub runs: ArrayVec<Run, SLICE_RUNS_MAX>,
    /// Index of the last entry.
    pub last: Index,
    /// Where their bytes come from.
    pub origin: Origin,
}

/// When a send may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gate {
    /// At once.
    Now,
    /// Not before everything that this group persisted before is durable.
    AfterPersist,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refused {
    /// The entries of this [`super::Event::Propose`]: none was appended.
    Propose,
    /// This read.
    Read(ReadId),
}

/// A broken law, by its id in `invariants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// Entries at or below the commit index were about to change (Leader Completeness, State Machine Safety).
    CommittedEntryChanged,
    /// Two leaders were seen in one term (Election Safety).
    TwoLeadersInOneTerm,
    /// An answer claims an entry that was never sent.
    MatchedBeyondLog,
    /// The disk reports entries of this term that were never written.
    DurableBeyondLog,
}

/// An output of the transition function. A list of effects is ordered, and the order is part of the meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Make durable, in one atomic step: truncate first, then append, then hard state.
    Persist {
        /// New term and vote, if they changed.
        hard: Option<HardState>,
        /// Delete entries from this index on.
        truncate_from: Option<Index>,
        /// Write these entries.
        append: Option<Append>,
        /// Report this when done.
        mark: Mark,
    },
    /// Also a persist: one atomic durable step of hard state, log reset (or kept suffix), service data and applied index.
    InstallSnapshot {
        /// Term and vote.
        hard: HardState,
        /// Last entry that the snapshot covers.
        at: EntryId,
        /// Whether the log keeps its entries behind `at` (they match the snapshot), or is emptied.
        keep_suffix: bool,
        /// Report this when done.
        mark: Mark,
    },
    /// Send to another member; a send to oneself never happens.
    Send {
        /// The receiver.
        to: NodeId,
        /// The message.
        message: Message,
        /// When it may leave.
        gate: Gate,
    },
    /// Entries through this index are committed: apply them, in order, once they are durable in the local log.
    Apply {
        /// Last committed index.
        through: Index,
    },
    /// The read may be served as soon as everything through `index` is applied.
    ReadReady {
        /// Which read (of this node).
        id: ReadId,
        /// Apply at least this far.
        index: Index,
    },
    /// A request of this node's clients was refused; nothing happened.
    Refuse {
        /// Which request.
        what: Refused,
        /// Who leads, as far as known.
        leader: Option<NodeId>,
    },
    /// Stream the newest local snapshot (at least through `at`) to this peer. Said again whenever the peer still turns out to be behind, since it may
    /// have lost what it got: while a transfer to this peer runs, or waits to be answered, it goes on and this changes nothing.
    SendSnapshot {
        /// The receiver.
        to: NodeId,
        /// The log begins behind this entry.
        at: EntryId,
    },
    /// Entries through this index may be deleted from the local log.
    Compact {
        /// Last index to delete.
        through: Index,
    },
    /// Start the randomized election timer (and the minimum timer) anew.
    ResetElectionTimer,
    /// A law is broken: the group stops and says so.
    Halt {
        /// Which law.
        law: Law,
    },
}
