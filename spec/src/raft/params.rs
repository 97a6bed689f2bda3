//! What a group is told from outside and never changes by itself: its voters and its limits.

use crate::NodeId;
use arrayvec::ArrayVec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Most voters of a group. Seven survive three failures; more only slow every commit down.
pub const VOTERS_MAX: usize = 7;

/// A small sorted set of nodes without an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeSet(ArrayVec<NodeId, VOTERS_MAX>);

impl NodeSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of one node.
    pub fn of(id: NodeId) -> Self {
        let mut set = Self::default();
        set.insert(id);
        set
    }

    /// Adds a node. False when it was there already, or when the set is full ([`VOTERS_MAX`]) and stays as it is.
    pub fn insert(&mut self, id: NodeId) -> bool {
        match self.0.binary_search(&id) {
            Ok(_) => false,
            Err(at) => self.0.try_insert(at, id).is_ok(),
        }
    }

    /// Whether the node is in the set.
    pub fn contains(&self, id: NodeId) -> bool {
        self.0.contains(&id)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.0.iter().copied()
    }
}

/// Bounds of what a group keeps in flight and in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Most unacknowledged AppendEntries with entries per peer; at the bound the leader waits for an answer. At least 1.
    pub inflight_messages_max: u16,
    /// Most unacknowledged entries per peer; at the bound the leader waits for an answer. At least 1.
    pub inflight_entries_max: u32,
    /// Most entries of one AppendEntries. At least 1. (Bytes are the driver's: it may split a slice.)
    pub slice_entries_max: u32,
    /// Entries that compaction leaves behind a local snapshot, so that a follower that was away for a moment needs no snapshot.
    pub keep_entries: u64,
    /// Entries that compaction leaves behind a local snapshot while a peer is being sent one, so that it finds the log where its snapshot
    /// ends instead of needing the next snapshot. At least `keep_entries`.
    pub keep_entries_transfer: u64,
    /// Most linearizable reads that wait for a confirmation round; at the bound reads are refused. At least 1.
    pub reads_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inflight_messages_max: 64,
            inflight_entries_max: 65_536,
            slice_entries_max: 4_096,
            keep_entries: 10_000,
            keep_entries_transfer: 1_000_000,
            reads_max: 16_384,
        }
    }
}

/// What [`super::step()`] is told besides the event. Validated once, by [`Params::new`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Params {
    voters: NodeSet,
    limits: Limits,
}

impl Params {
    /// A group of these voters, in any order.
    ///
    /// # Errors
    /// When there are none or more than [`VOTERS_MAX`], when an id is invalid or named twice, or when a limit is zero.
    pub fn new(voters: &[NodeId], limits: Limits) -> Result<Self, BadParams> {
        if voters.is_empty() || voters.len() > VOTERS_MAX {
            return Err(BadParams::Voters { count: voters.len() });
        }
        let mut set = NodeSet::new();
        for &id in voters {
            if !id.is_valid() {
                return Err(BadParams::InvalidId { id });
            }
            if !set.insert(id) {
                return Err(BadParams::TwiceNamed { id });
            }
        }
        let at_least_one = [
            ("inflight_messages_max", u64::from(limits.inflight_messages_max)),
            ("inflight_entries_max", u64::from(limits.inflight_entries_max)),
            ("slice_entries_max", u64::from(limits.slice_entries_max)),
            ("reads_max", u64::from(limits.reads_max)),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(BadParams::ZeroLimit { name });
        }
        if limits.keep_entries_transfer < limits.keep_entries {
            return Err(BadParams::KeepsLessInTransfer { keep: limits.keep_entries, transfer: limits.keep_entries_transfer });
        }
        Ok(Self { voters: set, limits })
    }

    /// The nodes whose votes and copies count.
    pub fn voters(&self) -> &NodeSet {
        &self.voters
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Why [`Params::new`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadParams {
    /// No voters, or too many.
    Voters {
        /// How many were named.
        count: usize,
    },
    /// Not a node id.
    InvalidId {
        /// The id.
        id: NodeId,
    },
    /// One node, two votes.
    TwiceNamed {
        /// The id.
        id: NodeId,
    },
    /// A limit under which nothing could ever be sent.
    ZeroLimit {
        /// Its name.
        name: &'static str,
    },
    /// A transfer would keep less than no transfer.
    KeepsLessInTransfer {
        /// `keep_entries`.
        keep: u64,
        /// `keep_entries_transfer`.
        transfer: u64,
    },
}

impl fmt::Display for BadParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voters { count } => write!(f, "a group has 1 to {VOTERS_MAX} voters, not {count}; change its members"),
            Self::InvalidId { id } => write!(f, "node id {id} is outside of 1 to {}; change the member's id", i32::MAX),
            Self::TwiceNamed { id } => write!(f, "node {id} is named twice among the members; name it once"),
            Self::ZeroLimit { name } => write!(f, "limit {name} is 0, under which nothing could be sent; set it to 1 or more"),
            Self::KeepsLessInTransfer { keep, transfer } => {
                write!(f, "keep_entries_transfer ({transfer}) is below keep_entries ({keep}); raise it to {keep} or more")
            }
        }
    }
}

impl core::error::Error for BadParams {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn check(voters: &[u32], limits: Limits, expected: Result<usize, BadParams>) {
        let voters: ArrayVec<NodeId, 16> = voters.iter().map(|&id| NodeId(id)).collect();
        assert_eq!(Params::new(&voters, limits).map(|params| params.voters().len()), expected);
    }

    #[test]
    fn params_are_validated_once() {
        let limits = Limits::default();
        check(&[3, 1, 2], limits, Ok(3));
        check(&[1, 2, 3, 4, 5, 6, 7], limits, Ok(7));
        check(&[], limits, Err(BadParams::Voters { count: 0 }));
        check(&[1, 2, 3, 4, 5, 6, 7, 8], limits, Err(BadParams::Voters { count: 8 }));
        check(&[1, 0], limits, Err(BadParams::InvalidId { id: NodeId(0) }));
        check(&[1, 2, 1], limits, Err(BadParams::TwiceNamed { id: NodeId(1) }));
        check(&[1], Limits { slice_entries_max: 0, ..limits }, Err(BadParams::ZeroLimit { name: "slice_entries_max" }));
        let narrow = Limits { keep_entries: 5, keep_entries_transfer: 4, ..limits };
        check(&[1], narrow, Err(BadParams::KeepsLessInTransfer { keep: 5, transfer: 4 }));
    }

    /// Goal: whoever reads an error knows what is wrong and what to change.
    #[test]
    fn errors_say_what_to_change() {
        let texts = [
            (BadParams::Voters { count: 8 }, "8; change its members"),
            (BadParams::InvalidId { id: NodeId(0) }, "change the member's id"),
            (BadParams::TwiceNamed { id: NodeId(4) }, "node 4 is named twice"),
            (BadParams::ZeroLimit { name: "slice_entries_max" }, "slice_entries_max is 0"),
            (BadParams::KeepsLessInTransfer { keep: 5, transfer: 4 }, "raise it to 5"),
        ];
        for (error, words) in texts {
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_node_set_is_sorted_and_bounded() {
        assert!(NodeSet::new().is_empty() && !NodeSet::of(NodeId(5)).is_empty());
        let mut set = NodeSet::of(NodeId(5));
        assert!(set.insert(NodeId(2)) && !set.insert(NodeId(5)));
        for id in 10..15 {
            assert!(set.insert(NodeId(id)));
        }
        assert!(!set.insert(NodeId(99)), "the eighth is refused");
        assert!(set.iter().is_sorted() && set.len() == VOTERS_MAX);
    }
}
