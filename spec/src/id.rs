//! Numbers with a meaning, each in a type of its own.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Raft's logical clock: at most one leader each. 0 before the first election. Source: Raft paper §5.1.
    Term(u64)
}

number! {
    /// Position in a log; the first entry is 1, 0 stands before it. Source: Raft paper §5.3.
    Index(u64)
}

number! {
    /// A process, and a member of its groups under the same id. Valid ids are `1..=i32::MAX` (the wire's `src` and `dst`
    /// are i32, and 0 there means a client); [`NodeId::is_valid`] says so where ids enter the system.
    NodeId(u32)
}

number! {
    /// One life of a group: hash of (cluster, group, generation, founding members), the same on every member and
    /// different as soon as two members were told different things. A re-created group never hears its predecessor.
    Incarnation(u64)
}

impl NodeId {
    /// Whether this id may name a node: `1..=i32::MAX`.
    pub const fn is_valid(self) -> bool {
        self.0 >= 1 && self.0 <= i32::MAX as u32
    }
}

impl Incarnation {
    /// The name of a group's life: FNV-1a over the little-endian bytes of cluster, group, generation and the sorted members, finished by the
    /// mixer of SplitMix64 so that near inputs give far results. It guards against mistakes, not against an adversary.
    pub fn of(cluster: u128, group: GroupId, generation: u64, members: &[NodeId]) -> Self {
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        let bytes = cluster.to_le_bytes().into_iter().chain(group.get().to_le_bytes()).chain(generation.to_le_bytes());
        let bytes = bytes.chain(members.iter().flat_map(|member| member.0.to_le_bytes()));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(hash ^ (hash >> 31))
    }
}

impl Term {
    /// The term after this one; the last one stays.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Index {
    /// The index after this one; the last one stays.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The index before this one; 0 stays 0.
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The index `count` positions later, or the last one.
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// A group's number on the wire: 0 is the default group (the one that legacy frames mean), `1..=i32::MAX` are ordinary.
/// Negative numbers cannot be made: they are invalid everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct GroupId(i32);

impl GroupId {
    /// The group that version 0 frames belong to.
    pub const DEFAULT: Self = Self(0);

    /// The group of this number, or `None` for a negative one.
    pub const fn new(id: i32) -> Option<Self> {
        if id < 0 { None } else { Some(Self(id)) }
    }

    /// The number, `0..=i32::MAX`.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for GroupId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = i32::deserialize(deserializer)?;
        Self::new(id).ok_or_else(|| serde::de::Error::custom("a group id is 0 to 2147483647"))
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the content of an entry: the same id means the same bytes (Log Matching, Raft paper §5.3).
/// Ordered by term first: exactly the "more up-to-date" order of §5.4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// Term of the leader that made the entry.
    pub term: Term,
    /// Position in the log.
    pub index: Index,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_depends_on_all_that_members_are_told_and_on_nothing_else() {
        let members = [NodeId(1), NodeId(2), NodeId(3)];
        let of = |cluster, group, generation, members: &[NodeId]| {
            Incarnation::of(cluster, GroupId::new(group).unwrap_or_default(), generation, members)
        };
        let reference = of(7, 4, 1, &members);
        assert_eq!(reference, of(7, 4, 1, &[NodeId(3), NodeId(1), NodeId(2)]), "order does not matter");
        let others = [of(8, 4, 1, &members), of(7, 5, 1, &members), of(7, 4, 2, &members), of(7, 4, 1, &members[..2])];
        assert!(others.iter().all(|other| *other != reference));
        let stored = of(1, 17, 1, &members);
        assert_eq!(stored, Incarnation(0x7f08_441c_3beb_066c), "stored and sent: never changes");
    }
}
