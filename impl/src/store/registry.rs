//! The groups of this node: who they are, which ones were removed for ever, and which store each peer has.
//!
//! [`Registry`] is pure: the event loop plans a change, which takes effect in memory at once and comes back as a [`Change`] to submit. Submissions
//! keep their order, so a group's first write is durable only together with, or after, its record.

use super::{
    ledger::{Clash, Prefixes},
    prefix::Local,
};
use roadstead_spec::{GroupId, Incarnation, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most groups that one node ever holds, removed ones included in the count of local numbers: `1..=LOCAL_MAX`.
pub const LOCAL_MAX: u32 = u32::MAX - 1;

/// Which protocol replicates a group. The number is stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Crash faults.
    Raft,
    /// Byzantine faults.
    Pbft,
}

impl Protocol {
    /// The word in configuration, status and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raft => "raft",
            Self::Pbft => "pbft",
        }
    }
}

/// What somebody who adds a group says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    /// Number on the wire.
    pub group: GroupId,
    /// Raised on all members to make a new group under an old number.
    pub generation: u64,
    /// Hash of (cluster, group, generation, founding members).
    pub incarnation: Incarnation,
    /// Which service its state machine is, such as `kv`.
    pub service: String,
    /// Which protocol replicates it.
    pub protocol: Protocol,
    /// The members, this node among them.
    pub members: Vec<NodeId>,
    /// Timers, in the encoding of whoever sets them.
    pub timers: Vec<u8>,
}

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Part of all its keys.
    pub local: Local,
    /// Number on the wire.
    pub group: GroupId,
    /// See [`NewGroup::generation`].
    pub generation: u64,
    /// See [`NewGroup::incarnation`].
    pub incarnation: Incarnation,
    /// See [`NewGroup::service`].
    pub service: String,
    /// See [`NewGroup::protocol`].
    pub protocol: Protocol,
    /// See [`NewGroup::members`].
    pub members: Vec<NodeId>,
    /// See [`NewGroup::timers`].
    pub timers: Vec<u8>,
}

/// A planned change of the registry. Made by [`Registry`] only; the storage machine carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new group, with state epoch 1, an empty log and no term.
    Create(GroupRecord),
    /// Other timers.
    Update(GroupRecord),
    /// The group goes, with its term, vote and log; its incarnation never comes back. Its state data is swept afterwards.
    Remove {
        /// Whose keys go.
        local: Local,
        /// Its number on the wire.
        group: GroupId,
        /// The life that ends.
        incarnation: Incarnation,
    },
    /// A peer's store id, to be refused if it ever changes.
    Peer {
        /// The peer.
        node: NodeId,
        /// Its store id.
        store: u128,
    },
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The number is in use.
    #[error("group {0} exists already; remove it first, or choose another id")]
    Exists(GroupId),
    /// This life of the group has ended on this node.
    #[error(
        "group {group} with this generation and these members was removed from this node and may not vote again; to make a new group under \
         this id raise `generation` on all members"
    )]
    Removed {
        /// The group.
        group: GroupId,
        /// The life that ended.
        incarnation: Incarnation,
    },
    /// Nothing of that number.
    #[error("group {0} does not exist on this node; `roadstead group list` shows those that do")]
    Unknown(GroupId),
    /// Every local number was used.
    #[error("this data folder has held {LOCAL_MAX} groups, the most it can number; start a new data folder")]
    Exhausted,
    /// A peer came with another data folder than before.
    #[error(
        "node {node} comes with store {found:032x}, but had store {known:032x} before: its data folder was wiped or exchanged, so it may have \
         forgotten votes; bring back its old folder, or give the new one a new node id"
    )]
    PeerStore {
        /// The peer.
        node: NodeId,
        /// What is remembered.
        known: u128,
        /// What it said now.
        found: u128,
    },
    /// The program planned keys that overlap.
    #[error(transparent)]
    Clash(#[from] Clash),
}

/// All groups of this node, in memory.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    groups: BTreeMap<GroupId, GroupRecord>,
    tombstones: BTreeSet<(GroupId, Incarnation)>,
    peers: BTreeMap<NodeId, u128>,
    last_local: u32,
    prefixes: Prefixes,
}

impl Registry {
    /// From what the store holds; `epochs` are the groups' state epochs.
    pub(crate) fn recovered(stored: Stored) -> Result<Self, Clash> {
        let mut prefixes = Prefixes::new();
        for (record, epoch) in &stored.groups {
            prefixes.claim_group(record.local, *epoch)?;
        }
        let groups = stored.groups.into_iter().map(|(record, _)| (record.group, record)).collect();
        Ok(Self { groups, tombstones: stored.tombstones, peers: stored.peers, last_local: stored.last_local, prefixes })
    }

    /// The groups in order of their numbers.
    pub fn groups(&self) -> impl Iterator<Item = &GroupRecord> {
        self.groups.values()
    }

    /// One group.
    pub fn group(&self, group: GroupId) -> Option<&GroupRecord> {
        self.groups.get(&group)
    }

    /// Whether this life of the group has ended on this node.
    pub fn is_removed(&self, group: GroupId, incarnation: Incarnation) -> bool {
        self.tombstones.contains(&(group, incarnation))
    }

    /// Adds a group.
    pub fn plan_create(&mut self, new: NewGroup) -> Result<(GroupRecord, Change), RegistryError> {
        if self.groups.contains_key(&new.group) {
            return Err(RegistryError::Exists(new.group));
        }
        if self.is_removed(new.group, new.incarnation) {
            return Err(RegistryError::Removed { group: new.group, incarnation: new.incarnation });
        }
        if self.last_local >= LOCAL_MAX {
            return Err(RegistryError::Exhausted);
        }
        let local = Local(self.last_local + 1);
        self.prefixes.claim_group(local, FIRST_EPOCH)?;
        self.last_local = local.0;
        let NewGroup { group, generation, incarnation, service, protocol, members, timers } = new;
        let record = GroupRecord { local, group, generation, incarnation, service, protocol, members, timers };
        self.groups.insert(group, record.clone());
        Ok((record.clone(), Change::Create(record)))
    }

    /// Removes a group for ever.
    pub fn plan_remove(&mut self, group: GroupId) -> Result<(GroupRecord, Change), RegistryError> {
        let record = self.groups.remove(&group).ok_or(RegistryError::Unknown(group))?;
        self.tombstones.insert((group, record.incarnation));
        self.prefixes.release_group(record.local);
        let change = Change::Remove { local: record.local, group, incarnation: record.incarnation };
        Ok((record, change))
    }

    /// Sets a group's timers.
    pub fn plan_update(&mut self, group: GroupId, timers: Vec<u8>) -> Result<Change, RegistryError> {
        let record = self.groups.get_mut(&group).ok_or(RegistryError::Unknown(group))?;
        record.timers = timers;
        Ok(Change::Update(record.clone()))
    }

    /// Compares a peer's store id with the remembered one; `Some` change if it is the first.
    pub fn plan_peer(&mut self, node: NodeId, store: u128) -> Result<Option<Change>, RegistryError> {
        match self.peers.get(&node) {
            Some(known) if *known == store => Ok(None),
            Some(known) => Err(RegistryError::PeerStore { node, known: *known, found: store }),
            None => {
                self.peers.insert(node, store);
                Ok(Some(Change::Peer { node, store }))
            }
        }
    }

    /// The remembered store id of a peer.
    pub fn peer(&self, node: NodeId) -> Option<u128> {
        self.peers.get(&node).copied()
    }
}

/// State epoch of a new group.
pub const FIRST_EPOCH: u64 = 1;

/// What the store holds about groups and peers.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) groups: Vec<(GroupRecord, u64)>,
    pub(crate) tombstones: BTreeSet<(GroupId, Incarnation)>,
    pub(crate) peers: BTreeMap<NodeId, u128>,
    pub(crate) last_local: u32,
}

impl Change {
    /// The group that it concerns, [`Local::NODE`] for a peer.
    pub fn local(&self) -> Local {
        match self {
            Self::Create(record) | Self::Update(record) => record.local,
            Self::Remove { local, .. } => *local,
            Self::Peer { .. } => Local::NODE,
        }
    }
}
