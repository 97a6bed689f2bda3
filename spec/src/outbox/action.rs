//! What the outbox lets out.

use crate::raft::{Append, HardState, Law, Mark, Message, ReadId, Refused};
use crate::{EntryId, Index, NodeId};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Number of a write of one group within one boot, counted from 1. Writes become durable in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Before the first write: what waits for this waits for nothing.
    pub const NONE: Self = Self(0);

    /// The ticket after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many tickets after `earlier`; 0 if it is not after it.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One atomic, durable change of a group's log database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// Truncate first, then append, then hard state.
    Persist {
        /// New term and vote, if they changed.
        hard: Option<HardState>,
        /// Delete entries from this index on.
        truncate_from: Option<Index>,
        /// Write these entries.
        append: Option<Append>,
    },
    /// Hard state, log reset (or kept suffix), service data and applied index in one step.
    InstallSnapshot {
        /// Term and vote.
        hard: HardState,
        /// Last entry that the snapshot covers.
        at: EntryId,
        /// Whether the log keeps its entries behind `at`, or is emptied.
        keep_suffix: bool,
    },
}

/// A message that may leave now. Only the outbox makes one, it cannot be copied, and message and permission never part: a frame that
/// is built from this was released, exactly once.
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    pub(super) to: NodeId,
    pub(super) message: Message,
    pub(super) after: Ticket,
}

impl Released {
    /// The receiver.
    pub const fn to(&self) -> NodeId {
        self.to
    }

    /// The message.
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The write that it had to wait for, for the record of the run; [`Ticket::NONE`] if it had to wait for none.
    pub const fn after(&self) -> Ticket {
        self.after
    }

    /// Receiver and message, to be sent.
    pub fn into_parts(self) -> (NodeId, Message) {
        (self.to, self.message)
    }
}

/// What the driver does, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin to make this durable; say [`super::Outbox::durable`] when it is. Writes of one group are issued to the disk in ticket order.
    Write {
        /// Its number.
        ticket: Ticket,
        /// What to write.
        write: Write,
    },
    /// Put this on the wire.
    Send(Released),
    /// Step [`crate::raft::Event::Persisted`] with this mark.
    Persisted {
        /// The newest mark that is durable; stands for the earlier ones.
        mark: Mark,
    },
    /// The snapshot through `at` is durably in place: the state machine goes on from it. Later [`Action::Apply`]s belong behind it.
    Installed {
        /// Last entry that the snapshot covers.
        at: EntryId,
    },
    /// Apply entries through this index, in order. They are committed, and durable in the local log.
    Apply {
        /// Last index; greater than that of every earlier `Apply` and `Installed`.
        through: Index,
    },
    /// Entries through this index may be deleted from the local log. Need not be durable: a deletion that a crash undoes is repeated later.
    Compact {
        /// Last index to delete.
        through: Index,
    },
    /// Serve this read as soon as everything through `index` is applied.
    ReadReady {
        /// Which read (of this node).
        id: ReadId,
        /// Apply at least this far.
        index: Index,
    },
    /// Tell the clients that their request was refused.
    Refuse {
        /// Which request.
        what: Refused,
        /// Who leads, as far as known.
        leader: Option<NodeId>,
    },
    /// Stream the newest local snapshot (at least through `at`) to this peer; while a transfer to it runs, that goes on and this changes nothing.
    SendSnapshot {
        /// The receiver.
        to: NodeId,
        /// The log begins behind this entry.
        at: EntryId,
    },
    /// Start the randomized election timer (and the minimum timer) anew.
    ResetElectionTimer,
    /// A gated send was dropped, since [`super::HELD_MAX`] of them wait already. Count it; the protocol repeats itself.
    Overflow {
        /// The receiver.
        to: NodeId,
    },
    /// A law is broken: stop the group and say so. Nothing leaves this outbox any more.
    Halt {
        /// Which law.
        law: Law,
    },
}
