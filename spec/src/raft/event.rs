//! Everything nondeterministic arrives here.

use super::{effect::Mark, message::Message, message::ReadId};
use crate::{EntryId, Index, NodeId, Term};
use serde::{Deserialize, Serialize};

/// An input of the transition function. The driver owns clock, randomness, disk and network, and says here what they did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A message of a member of this group and incarnation.
    Receive {
        /// The member that sent it.
        from: NodeId,
        /// What it said.
        message: Message,
    },
    /// Clients want `count` entries appended.
    Propose {
        /// How many; 0 changes nothing.
        count: u32,
    },
    /// A linearizable read arrived on this node. Answered by [`super::Effect::ReadReady`] or [`super::Effect::Refuse`]; when it is forwarded to a leader
    /// that never answers, by neither: the driver gives up after a time of its own.
    Read {
        /// Never used before; `id.node` is this node.
        id: ReadId,
    },
    /// The randomized election timeout passed since the last [`super::Effect::ResetElectionTimer`]; on a leader: a whole election timeout
    /// passed, so it checks that it still hears a quorum.
    ElectionTimeout,
    /// The *minimum* election timeout passed without a word of the leader: pre-votes may be granted (dissertation §4.2.3, §9.6).
    MinimumTimeout,
    /// Time for a leader to send heartbeats.
    HeartbeatTimeout,
    /// A persist that carried this mark is durable. Moves only a leader's `durable`, only in its own term.
    Persisted {
        /// The mark of the effect.
        mark: Mark,
    },
    /// The state machine has applied every entry through this index.
    Applied {
        /// Last applied index.
        through: Index,
    },
    /// A local snapshot through `at` is durable: the log may be compacted.
    SnapshotTaken {
        /// Last entry that the snapshot covers.
        at: EntryId,
    },
    /// Every chunk of a leader's snapshot is verified and staged durably.
    SnapshotReceived {
        /// The leader that sent it.
        from: NodeId,
        /// The leader's term.
        term: Term,
        /// Last entry that the snapshot covers.
        at: EntryId,
    },
    /// Sending a snapshot to this peer failed, or was not answered for too long after its end.
    SnapshotFailed {
        /// The peer.
        to: NodeId,
    },
    /// The connection to this peer broke: what was in flight may be lost.
    Unreachable {
        /// The peer.
        peer: NodeId,
    },
    /// The disk has not answered for too long: a leader steps down.
    DiskStalled,
}
