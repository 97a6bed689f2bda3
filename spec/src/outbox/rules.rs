//! The outbox's decisions, by name, so that a checker can put a mistake back from outside and show that it is caught.

use super::{Ticket, Write};
use crate::Index;
use crate::raft::Gate;

/// Where the group's writes stand when an effect is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tickets {
    /// Newest write that gates wait for when the step began.
    pub before_step: Ticket,
    /// Newest write that gates wait for now.
    pub awaited: Ticket,
    /// Newest durable write.
    pub durable: Ticket,
}

/// Decisions of the outbox. [`Paper`] overrides none.
pub trait OutboxRules {
    /// The write that a send waits for: the last one that the group had issued when the send was emitted, whichever step issued it.
    /// Raft paper fig. 2, "updated on stable storage before responding to RPCs".
    fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
        match gate {
            Gate::Now => Ticket::NONE,
            Gate::AfterPersist => tickets.awaited,
        }
    }

    /// Whether later gates wait for this write: always. An installed snapshot counts as well; otherwise an entry appended behind it
    /// could be acknowledged while the snapshot itself is lost.
    fn gates_wait_for(_write: &Write) -> bool {
        true
    }

    /// How far to apply: what is committed, but nothing that the local log could still lose. Otherwise a node that crashes has applied an
    /// entry that its log does not hold, and the data of the state machine, synced at another time than the log, could outlive it.
    fn apply_through(committed: Index, settled: Index) -> Index {
        committed.min(settled)
    }

    /// The write that a compaction waits for: the last one issued. Deleted entries are then never the only ones that the disk holds of a
    /// log whose later part is still on its way.
    fn compact_after(tickets: Tickets) -> Ticket {
        tickets.awaited
    }
}

/// The rules of the papers.
#[derive(Clone, Copy, Debug)]
pub enum Paper {}

impl OutboxRules for Paper {}
