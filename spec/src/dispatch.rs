//! The dispatcher's registry: which mailbox a frame's (group, incarnation) belongs to.
//!
//! Pure: it holds no lock, no thread and no clock, so a checker explores it as it is and the runtime puts it behind whatever it likes. What it
//! guarantees is *no cross-group delivery, ever*: a mailbox is found under exactly the group and the incarnation that it was registered
//! with, and after [`Registry::deregister`] has returned it is found no more.
//!
//! Group 0 is the default group: a frame of header version 0 names none and means it ([`Registry::route_any`]).

#[cfg(test)]
mod tests;

use crate::{GroupId, Incarnation};
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Registered groups with their mailboxes (`M` is a handle: a queue's sender, a shard's number) and the incarnations that are gone for good.
///
/// Bound: one item per registered group, and 16 bytes per incarnation that was ever removed from this node; the store keeps the same list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry<M> {
    groups: BTreeMap<GroupId, Registered<M>>,
    tombstones: BTreeSet<(GroupId, Incarnation)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Registered<M> {
    incarnation: Incarnation,
    mailbox: M,
    last_activity_ms: u64,
}

/// Why a group was not registered. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotRegistered {
    /// The number is taken.
    AlreadyRegistered {
        /// The group.
        group: GroupId,
        /// The incarnation that has it; may be the one that was to be registered.
        incarnation: Incarnation,
    },
    /// This very group was removed from this node before. Started again empty it could vote twice.
    Removed {
        /// The group.
        group: GroupId,
        /// The removed incarnation.
        incarnation: Incarnation,
    },
}

/// The group is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchGroup(
    /// The number that was asked for.
    pub GroupId,
);

/// Why a frame has no mailbox here. It is answered `no-such-group` and the connection lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unroutable {
    /// The group is not registered.
    NoSuchGroup(GroupId),
    /// The group lives here, but the frame is for another life of it.
    WrongIncarnation {
        /// The group.
        group: GroupId,
        /// The incarnation that is registered.
        registered: Incarnation,
    },
}

impl<M> Registry<M> {
    /// A registry without groups.
    pub const fn new() -> Self {
        Self { groups: BTreeMap::new(), tombstones: BTreeSet::new() }
    }

    /// Adds a group; from now on its frames are routed to `mailbox`. Counts as activity.
    pub fn register(&mut self, group: GroupId, incarnation: Incarnation, mailbox: M, now_ms: u64) -> Result<(), NotRegistered> {
        if self.tombstones.contains(&(group, incarnation)) {
            return Err(NotRegistered::Removed { group, incarnation });
        }
        if let Some(present) = self.groups.get(&group) {
            return Err(NotRegistered::AlreadyRegistered { group, incarnation: present.incarnation });
        }
        self.groups.insert(group, Registered { incarnation, mailbox, last_activity_ms: now_ms });
        Ok(())
    }

    /// Takes a group out and hands back what it was registered with. No frame reaches it any more. It may be registered again,
    /// unless it is [buried](Self::bury) too.
    pub fn deregister(&mut self, group: GroupId) -> Result<(Incarnation, M), NoSuchGroup> {
        let gone = self.groups.remove(&group).ok_or(NoSuchGroup(group))?;
        Ok((gone.incarnation, gone.mailbox))
    }

    /// Remembers that this incarnation was removed: it is never registered again. Call it once the store holds the tombstone durably, and at
    /// start for each tombstone that the store holds. An incarnation that is still registered goes on until it is deregistered.
    pub fn bury(&mut self, group: GroupId, incarnation: Incarnation) {
        self.tombstones.insert((group, incarnation));
    }

    /// Whether this incarnation was removed.
    pub fn is_buried(&self, group: GroupId, incarnation: Incarnation) -> bool {
        self.tombstones.contains(&(group, incarnation))
    }

    /// The mailbox of a frame that names group and incarnation. Counts as activity of the group.
    pub fn route(&mut self, group: GroupId, incarnation: Incarnation, now_ms: u64) -> Result<&M, Unroutable> {
        let found = self.groups.get_mut(&group).ok_or(Unroutable::NoSuchGroup(group))?;
        if found.incarnation != incarnation {
            return Err(Unroutable::WrongIncarnation { group, registered: found.incarnation });
        }
        Ok(found.touch(now_ms))
    }

    /// The mailbox of a frame that names no incarnation: a client's, which means whichever lives now, or one of header version 0, which
    /// means [`GroupId::DEFAULT`]. Never for a version 1 frame of another node. Counts as activity of the group.
    pub fn route_any(&mut self, group: GroupId, now_ms: u64) -> Result<&M, Unroutable> {
        let found = self.groups.get_mut(&group).ok_or(Unroutable::NoSuchGroup(group))?;
        Ok(found.touch(now_ms))
    }

    /// Registered groups in ascending order, with their incarnations and mailboxes.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (GroupId, Incarnation, &M)> {
        self.groups.iter().map(|(group, registered)| (*group, registered.incarnation, &registered.mailbox))
    }

    /// Number of registered groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether no group is registered.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether the group is registered, in whichever incarnation.
    pub fn contains(&self, group: GroupId) -> bool {
        self.groups.contains_key(&group)
    }

    /// The incarnation that is registered.
    pub fn incarnation(&self, group: GroupId) -> Option<Incarnation> {
        self.groups.get(&group).map(|registered| registered.incarnation)
    }

    /// When a frame was last routed to the group (or it was registered), in milliseconds of the caller's clock.
    pub fn last_activity(&self, group: GroupId) -> Option<u64> {
        self.groups.get(&group).map(|registered| registered.last_activity_ms)
    }
}

impl<M> Default for Registry<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Registered<M> {
    /// Time only moves forward, even if two callers read their clocks in another order than they got here.
    fn touch(&mut self, now_ms: u64) -> &M {
        self.last_activity_ms = self.last_activity_ms.max(now_ms);
        &self.mailbox
    }
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered { group, incarnation } => write!(
                f,
                "group {group} is registered already (incarnation {:016x}); remove it first or choose another number",
                incarnation.0
            ),
            Self::Removed { group, incarnation } => write!(
                f,
                "group {group} (incarnation {:016x}) was removed from this node and must not start again empty; \
                 give it a higher `generation` on all members to make a new group",
                incarnation.0
            ),
        }
    }
}

impl fmt::Display for NoSuchGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {} is not on this node; the list of groups says which are", self.0)
    }
}

impl fmt::Display for Unroutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchGroup(group) => NoSuchGroup(*group).fmt(f),
            Self::WrongIncarnation { group, registered } => write!(
                f,
                "group {group} on this node is incarnation {:016x}, not the one that the frame is for; \
                 check that all members have the same cluster id, `generation` and members for it",
                registered.0
            ),
        }
    }
}

impl core::error::Error for NotRegistered {}
impl core::error::Error for NoSuchGroup {}
impl core::error::Error for Unroutable {}
