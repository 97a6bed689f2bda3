//! The stored form: one item per change, under its revision. So a group's writes go to the end of its key space one after the other, which is cheap
//! for a log-structured store, and changes can be read in the order in which they happened.
//!
//! ```text
//! key               0x01, main u64 big endian, sub u32 big endian                     13 bytes
//! value, put        head {0, create, version, lease, key length} in postcard, key, value
//! value, tombstone  head {1} in postcard, key
//! ```
//! The idea is etcd's (`server/storage/mvcc/revision.go`).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::response::KeyValue;
use crate::state_machine::StateMachineError;

/// First byte of the keys of all items; meta data lies below.
const ITEMS: u8 = 1;

/// Length of an item's key.
const KEY_LEN: usize = 1 + 8 + 4;

/// Most bytes of a head in postcard: variant, three i64 and a u32 as varints.
const HEAD_LEN_MAX: usize = 1 + 3 * 10 + 5;

/// Where the space of items begins.
pub(super) const ITEMS_START: &[u8] = &[ITEMS];

/// Where the space of items ends.
pub(super) const ITEMS_END: &[u8] = &[ITEMS + 1];

/// A change's place in the history: all changes of a command have its main revision, and are numbered within it.
///
/// Shape: `main >= 2` (1 is the empty store), `sub` counts from 0. Source: etcd's mvcc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Revision {
    pub(super) main: i64,
    pub(super) sub: u32,
}

impl Revision {
    /// The key of this revision's item.
    pub(super) fn key(self) -> [u8; KEY_LEN] {
        let mut key = [ITEMS; KEY_LEN];
        key[1..9].copy_from_slice(&self.main.to_be_bytes());
        key[9..].copy_from_slice(&self.sub.to_be_bytes());
        key
    }

    /// The revision of an item's key.
    pub(super) fn of_key(key: &[u8]) -> Result<Self, StateMachineError> {
        let parse = || {
            let (&tag, rest) = key.split_first()?;
            let (main, sub) = rest.split_first_chunk()?;
            let revision = Self { main: i64::from_be_bytes(*main), sub: u32::from_be_bytes(sub.try_into().ok()?) };
            (tag == ITEMS && revision.main > 1).then_some(revision)
        };
        parse().ok_or_else(|| corrupt(format_args!("the key {key:02x?} is no revision")))
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) key: &'a [u8],
    pub(super) change: Change<'a>,
}

/// The change itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Put { create: i64, version: i64, lease: i64, value: &'a [u8] },
    Tombstone,
}

/// What comes before the byte strings of an item. The order of the variants is part of the stored format: append only.
#[derive(Serialize, Deserialize)]
enum Head {
    Put { create: i64, version: i64, lease: i64, key_len: u32 },
    Tombstone,
}

impl<'a> Item<'a> {
    /// The stored value: one allocation of the exact size.
    pub(super) fn encode(&self) -> Result<Bytes, StateMachineError> {
        let (head, value) = match self.change {
            Change::Put { create, version, lease, value } => {
                let key_len = u32::try_from(self.key.len()).map_err(|_| corrupt(format_args!("a key is longer than 4 GiB")))?;
                (Head::Put { create, version, lease, key_len }, value)
            }
            Change::Tombstone => (Head::Tombstone, &[][..]),
        };
        let mut buffer = [0; HEAD_LEN_MAX];
        let head = postcard::to_slice(&head, &mut buffer).map_err(|error| corrupt(format_args!("an item cannot be encoded: {error}")))?;
        Ok([head, self.key, value].concat().into())
    }

    /// The item of a stored value.
    pub(super) fn decode(stored: &'a [u8]) -> Result<Self, StateMachineError> {
        let parse = || {
            let (head, rest) = postcard::take_from_bytes(stored).ok()?;
            let Head::Put { create, version, lease, key_len } = head else {
                return Some(Self { key: rest, change: Change::Tombstone });
            };
            let (key, value) = rest.split_at_checked(usize::try_from(key_len).ok()?)?;
            Some(Self { key, change: Change::Put { create, version, lease, value } })
        };
        parse().ok_or_else(|| corrupt(format_args!("an item of {} bytes cannot be decoded", stored.len())))
    }
}

/// The key and value of a stored put, as slices of it; `None` for a tombstone.
pub(super) fn key_value(revision: Revision, stored: &Bytes) -> Result<Option<KeyValue>, StateMachineError> {
    let item = Item::decode(stored)?;
    let Change::Put { create, version, lease, value } = item.change else { return Ok(None) };
    Ok(Some(KeyValue {
        key: stored.slice_ref(item.key),
        create_revision: create,
        mod_revision: revision.main,
        version,
        value: stored.slice_ref(value),
        lease,
    }))
}

/// The store's content contradicts itself.
pub(super) fn corrupt(what: std::fmt::Arguments<'_>) -> StateMachineError {
    StateMachineError::Corrupt(format!(
        "the group's key-value data is damaged: {what}; remove this group's data on this node and let it come back by a snapshot from the leader"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is encoded is decoded, and keys sort as revisions do.
    #[test]
    fn items_and_revisions_survive_the_store() {
        let put = |key, value, number| Item { key, change: Change::Put { create: number, version: number, lease: number, value } };
        for item in [
            put(b"k", b"v", 1),
            put(b"", b"", i64::MAX),
            put(&[7; 300], &[9; 5000], i64::MIN),
            Item { key: b"k", change: Change::Tombstone },
        ] {
            assert_eq!(Item::decode(&item.encode().unwrap()).unwrap(), item);
        }
        let revisions =
            [(2, 0), (2, 1), (2, 256), (3, 0), (255, 9), (256, 0), (i64::MAX, u32::MAX)].map(|(main, sub)| Revision { main, sub });
        assert!(revisions.iter().map(|revision| revision.key()).is_sorted());
        for revision in revisions {
            assert_eq!(Revision::of_key(&revision.key()).unwrap(), revision);
        }
    }

    /// Damaged bytes are an error, never a panic.
    #[test]
    fn damage_is_refused() {
        let whole = Item { key: b"key", change: Change::Put { create: 300, version: 2, lease: 0, value: b"" } }.encode().unwrap();
        for end in 0..whole.len() {
            assert!(Item::decode(&whole[..end]).is_err(), "{end}");
        }
        assert!(Item::decode(&[2, 0, 0]).is_err());
        for key in [&[][..], &[1], &[1; 12], &[1; 14], &[2; 13], &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]] {
            assert!(Revision::of_key(key).is_err(), "{key:?}");
        }
    }
}
