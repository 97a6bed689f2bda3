//! What can happen. Small: names of members and places in the network, no contents.

use serde::{Deserialize, Serialize};

/// One thing that happens. A member is named by its place, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The packet at this place of the network arrives.
    Deliver(u8),
    /// It arrives, and stays in flight.
    Duplicate(u8),
    /// It is lost.
    Drop(u8),
    /// A member's randomized election timer runs out.
    ElectionTimeout(u8),
    /// A member has not heard a leader for the minimum election timeout.
    MinimumTimeout(u8),
    /// A member's election timer runs out, these (a bit each) have not heard a leader either, and all that they say to each other about a pre-vote is heard
    /// at once: an `ElectionTimeout`, some `MinimumTimeout`s and `Deliver`s in one.
    Campaign {
        /// Who campaigns.
        member: u8,
        /// Whom it reaches.
        with: u8,
    },
    /// A leader's heartbeat timer runs out.
    Heartbeat(u8),
    /// A client writes at a leader.
    Propose(u8),
    /// A client reads at a member.
    Read(u8),
    /// The oldest change on its way to a member's disk becomes durable.
    Sync(u8),
    /// A member's state machine finishes the oldest applying that was begun.
    Apply(u8),
    /// A member crashes and loses its newest `lost` changes on their way to the disk; the older ones had arrived.
    Crash {
        /// Who.
        member: u8,
        /// How many changes are lost.
        lost: u8,
    },
    /// A member starts from its disk.
    Restart(u8),
    /// A member's state machine becomes durable, and the log may be cut.
    Checkpoint(u8),
    /// A leader hears that a snapshot did not arrive.
    SnapshotFailed {
        /// The leader.
        member: u8,
        /// Who did not get it.
        to: u8,
    },
    /// A connection broke.
    Unreachable {
        /// Who notices.
        member: u8,
        /// The other end.
        peer: u8,
    },
    /// A leader's disk does not answer.
    DiskStalled(u8),
    /// A message of a stranger arrives.
    Stranger {
        /// Who gets it.
        to: u8,
        /// Under whose id: a member's (it comes from another incarnation of the group), or [`OUTSIDER`].
        from: u8,
        /// Which message.
        says: Strange,
    },
    /// Faults stop, except that `without` (if it names a member) is not heard of, or its disk stays silent: the others must elect, commit and apply.
    Calm {
        /// Who stays away; [`NOBODY`].
        without: u8,
        /// It does not stay away, but its disk does not answer.
        stalled: bool,
    },
}

/// Names no member.
pub const NOBODY: u8 = u8::MAX;

/// The place of a node that is no member.
pub const OUTSIDER: u8 = 8;

/// What a stranger says. It knows the term that its message arrives in, which is the worst that it could know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strange {
    /// "You have my vote."
    Votes,
    /// "Vote for me in the next term; my log is long."
    Asks,
    /// "I hold everything that you have."
    Holds,
}

/// Names of the kinds of actions.
pub const KINDS: &[&str] = &[
    "deliver",
    "duplicate",
    "drop",
    "election timeout",
    "minimum timeout",
    "campaign",
    "heartbeat",
    "propose",
    "read",
    "sync",
    "apply",
    "crash",
    "restart",
    "checkpoint",
    "snapshot failed",
    "unreachable",
    "disk stalled",
    "stranger",
    "calm",
];

impl Action {
    /// The kind, as a place in [`KINDS`].
    pub const fn kind(self) -> usize {
        match self {
            Self::Deliver(_) => 0,
            Self::Duplicate(_) => 1,
            Self::Drop(_) => 2,
            Self::ElectionTimeout(_) => 3,
            Self::MinimumTimeout(_) => 4,
            Self::Campaign { .. } => 5,
            Self::Heartbeat(_) => 6,
            Self::Propose(_) => 7,
            Self::Read(_) => 8,
            Self::Sync(_) => 9,
            Self::Apply(_) => 10,
            Self::Crash { .. } => 11,
            Self::Restart(_) => 12,
            Self::Checkpoint(_) => 13,
            Self::SnapshotFailed { .. } => 14,
            Self::Unreachable { .. } => 15,
            Self::DiskStalled(_) => 16,
            Self::Stranger { .. } => 17,
            Self::Calm { .. } => 18,
        }
    }
}
