//! Who owns which keys. Every key of both databases begins with a prefix of this file: purpose, local number of the group, and for state data the
//! state epoch. All groups share a few keyspaces, so a prefix that lies inside another one would let one group read, or sweep away, what is another's.
//! So purposes have distinct first bytes, and all prefixes of one purpose have one length; [`super::ledger`] watches over it.

use super::engine::Space;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of one group's incarnation on this node, part of all its keys. Handed out once and never reused, so that nothing of a removed group can
/// turn up in a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Local(pub u32);

impl Local {
    /// The node itself: keys that belong to no group.
    pub const NODE: Self = Self(0);
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What keys are for. The number is stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Identity of the store, boot counter, number of the last batch, next local number.
    Node = 0x01,
    /// Group registry: one record per group.
    Registry = 0x02,
    /// Removed incarnations.
    Tombstones = 0x03,
    /// Term and vote of a group.
    HardState = 0x04,
    /// Where a group's log begins and under which state epoch its data lies.
    SnapshotMeta = 0x05,
    /// Store ids of peers.
    Peers = 0x06,
    /// Packed log items of a group.
    Log = 0x10,
    /// Data of a group's state machine, by state epoch.
    StateData = 0x20,
    /// Applied index of a group, by state epoch.
    StateApplied = 0x21,
    /// Progress of a transfer that fills a state epoch.
    Staging = 0x22,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Node,
        Self::Registry,
        Self::Tombstones,
        Self::HardState,
        Self::SnapshotMeta,
        Self::Peers,
        Self::Log,
        Self::StateData,
        Self::StateApplied,
        Self::Staging,
    ];

    /// Keyspace in which it lies.
    pub const fn space(self) -> Space {
        match self {
            Self::Log => Space::Log,
            Self::StateData | Self::StateApplied | Self::Staging => Space::State,
            _ => Space::Meta,
        }
    }

    /// Length of its prefixes in bytes: purpose; then the group's local number; then the state epoch.
    const fn length(self) -> usize {
        match self {
            Self::Node | Self::Registry | Self::Tombstones | Self::Peers => 1,
            Self::HardState | Self::SnapshotMeta | Self::Log => 5,
            Self::StateData | Self::StateApplied | Self::Staging => LENGTH_MAX,
        }
    }
}

/// Longest prefix in bytes.
pub const LENGTH_MAX: usize = 13;

/// First bytes of keys that belong to one purpose of one group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    purpose: Purpose,
    bytes: [u8; LENGTH_MAX],
}

impl Prefix {
    /// Of a purpose that belongs to the node.
    const fn node(purpose: Purpose) -> Self {
        let mut bytes = [0; LENGTH_MAX];
        bytes[0] = purpose as u8;
        Self { purpose, bytes }
    }

    /// Of a purpose that belongs to a group, and there to a state epoch.
    const fn group(purpose: Purpose, local: Local, epoch: u64) -> Self {
        let l = local.0.to_be_bytes();
        let e = epoch.to_be_bytes();
        let bytes = [purpose as u8, l[0], l[1], l[2], l[3], e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]];
        Self { purpose, bytes }
    }

    /// Keyspace in which the keys lie.
    pub const fn space(&self) -> Space {
        self.purpose.space()
    }

    /// What the keys are for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The group that owns the keys, [`Local::NODE`] for the node's own.
    pub const fn local(&self) -> Local {
        let [_, a, b, c, d, ..] = self.bytes;
        if self.purpose.length() < 5 { Local::NODE } else { Local(u32::from_be_bytes([a, b, c, d])) }
    }

    /// The state epoch, for purposes that have one.
    pub const fn epoch(&self) -> Option<u64> {
        let [_, _, _, _, _, a, b, c, d, e, f, g, h] = self.bytes;
        if self.purpose.length() < LENGTH_MAX { None } else { Some(u64::from_be_bytes([a, b, c, d, e, f, g, h])) }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.purpose.length()).unwrap_or(&self.bytes)
    }

    /// The key `prefix ++ suffix`.
    pub fn key(&self, suffix: &[u8]) -> Bytes {
        let mut key = BytesMut::with_capacity(self.as_slice().len() + suffix.len());
        key.put_slice(self.as_slice());
        key.put_slice(suffix);
        key.freeze()
    }

    /// All keys with this prefix, as a half-open range.
    pub fn range(&self) -> (Bytes, Bytes) {
        (Bytes::copy_from_slice(self.as_slice()), self.end())
    }

    /// The first key behind all keys with this prefix.
    pub fn end(&self) -> Bytes {
        let mut end = self.as_slice().to_vec();
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                break;
            }
            end.pop();
        }
        // The first byte is a purpose, far below 255: `end` is never empty here.
        Bytes::from(end)
    }

    /// What follows the prefix in this key, or `None` if the key is another's.
    pub fn strip<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        key.strip_prefix(self.as_slice())
    }

    /// The prefix to which a key belongs, or `None` if no purpose has such keys.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let purpose = Purpose::ALL.into_iter().find(|purpose| key.first() == Some(&(*purpose as u8)))?;
        let mut bytes = [0; LENGTH_MAX];
        let head = key.get(..purpose.length())?;
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = *from;
        }
        Some(Self { purpose, bytes })
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.purpose, self.local())?;
        self.epoch().map_or(Ok(()), |epoch| write!(f, "/{epoch}"))
    }
}

/// Identity, boot counter, last batch, next local number.
pub const NODE: Prefix = Prefix::node(Purpose::Node);
/// Group records, by local number.
pub const REGISTRY: Prefix = Prefix::node(Purpose::Registry);
/// Removed incarnations, by group and incarnation.
pub const TOMBSTONES: Prefix = Prefix::node(Purpose::Tombstones);
/// Store ids of peers, by node id.
pub const PEERS: Prefix = Prefix::node(Purpose::Peers);

/// Term and vote of a group: one key, the prefix itself.
pub const fn hard_state(local: Local) -> Prefix {
    Prefix::group(Purpose::HardState, local, 0)
}

/// Where a group's log begins and its state epoch: one key, the prefix itself.
pub const fn snapshot_meta(local: Local) -> Prefix {
    Prefix::group(Purpose::SnapshotMeta, local, 0)
}

/// Log items of a group, by first index (u64, big endian).
pub const fn log(local: Local) -> Prefix {
    Prefix::group(Purpose::Log, local, 0)
}

/// Data of a group's state machine under a state epoch.
pub const fn state_data(local: Local, epoch: u64) -> Prefix {
    Prefix::group(Purpose::StateData, local, epoch)
}

/// Applied index that belongs to [`state_data`] of the same epoch: one key, the prefix itself.
pub const fn state_applied(local: Local, epoch: u64) -> Prefix {
    Prefix::group(Purpose::StateApplied, local, epoch)
}

/// Progress of the transfer that fills this epoch.
pub const fn staging(local: Local, epoch: u64) -> Prefix {
    Prefix::group(Purpose::Staging, local, epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn purposes_have_distinct_first_bytes() {
        for (at, purpose) in Purpose::ALL.iter().enumerate() {
            assert!(Purpose::ALL.iter().skip(at + 1).all(|other| *other as u8 != *purpose as u8));
        }
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        (0..Purpose::ALL.len(), any::<u32>(), any::<u64>()).prop_map(|(purpose, local, epoch)| {
            let key = Prefix::group(Purpose::ALL[purpose], Local(local), epoch);
            Prefix::of_key(key.as_slice()).unwrap()
        })
    }

    proptest! {
        /// No prefix of the layout lies within another, and every key leads back to its owner.
        #[test]
        fn layout_is_prefix_free(a in any_prefix(), b in any_prefix(), suffix in proptest::collection::vec(any::<u8>(), 0..20)) {
            prop_assert!(a == b || !a.as_slice().starts_with(b.as_slice()));
            let key = a.key(&suffix);
            prop_assert_eq!(Prefix::of_key(&key), Some(a));
            prop_assert_eq!(a.strip(&key), Some(&suffix[..]));
            let (first, end) = a.range();
            prop_assert!(first <= key && key < end);
            prop_assert!(a == b || !(first..end).contains(&b.key(&suffix)));
        }
    }
}
