//! A log item: consecutive entries of one group, written together, under the key `log prefix ++ first index (u64, big endian)`.
//!
//! ```text
//! 0   crc32     over the key and everything behind this field       u32, little endian like all that follow
//! 4   version   1                                                   u8
//! 5   runs      how many terms                                      u16
//! 7   entries   how many                                            u32
//! 11  (term, entries of that term)                                  (u64, u32) each
//! ..  (kind, length of the payload)                                 (u8, u32) each
//! ..  payloads, one behind the other
//! ```
//!
//! Runs stand in front, so that recovery rebuilds the log's shape without looking at entries. The checksum covers the key: an item
//! under another group's or another index's key is damage.

use super::{
    entry::{Entry, EntryKind},
    prefix::{self, Local},
    record::checksum,
};
use bytes::Bytes;
use roadstead_spec::{Index, Term};

/// Payload bytes at which an item is closed. A larger entry gets an item of its own. Bounds what truncating inside an item and reading one entry cost.
pub const ITEM_PAYLOAD_MAX: usize = 1 << 20;
/// Most entries of an item.
pub const ITEM_ENTRIES_MAX: usize = 16_384;

const VERSION: u8 = 1;
const FIXED: usize = 11;
const PER_RUN: usize = 12;
const PER_ENTRY: usize = 5;

/// Why an item cannot be what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Checksum and content disagree, or it is too short to have one.
    #[error("its checksum is wrong")]
    Checksum,
    /// Written by another version of the program.
    #[error("it has format version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// The checksum is right, but lengths or kinds make no sense.
    #[error("its content does not decode")]
    Content,
}

/// Key of the item that begins at `first`.
pub(crate) fn key(local: Local, first: Index) -> Bytes {
    prefix::log(local).key(&first.0.to_be_bytes())
}

/// First index of the item with this key.
pub(crate) fn first_index(local: Local, key: &[u8]) -> Option<Index> {
    let rest = prefix::log(local).strip(key)?;
    rest.try_into().ok().map(|bytes| Index(u64::from_be_bytes(bytes)))
}

/// How many of the entries, at least one, the next item takes.
pub(crate) fn fit(entries: &[Entry]) -> usize {
    let mut payload = 0;
    let fitting = entries.iter().take(ITEM_ENTRIES_MAX).take_while(|entry| {
        payload += entry.payload.len();
        payload <= ITEM_PAYLOAD_MAX
    });
    fitting.count().max(1)
}

/// The value that stores these entries under `key`. The one copy of a payload between socket and disk is made here.
/// At most [`ITEM_ENTRIES_MAX`] entries; payloads are far below 4 GiB (frames are bounded).
pub(crate) fn encode(key: &[u8], entries: &[Entry]) -> Bytes {
    let same_term = |a: &Entry, b: &Entry| a.term == b.term;
    let runs = entries.chunk_by(same_term).count();
    let payload: usize = entries.iter().map(|entry| entry.payload.len()).sum();
    let mut value = Vec::with_capacity(FIXED + runs * PER_RUN + entries.len() * PER_ENTRY + payload);
    value.extend([0, 0, 0, 0, VERSION]);
    value.extend((runs as u16).to_le_bytes());
    value.extend((entries.len() as u32).to_le_bytes());
    for run in entries.chunk_by(same_term) {
        value.extend(run.first().map_or(0, |entry| entry.term.0).to_le_bytes());
        value.extend((run.len() as u32).to_le_bytes());
    }
    for entry in entries {
        value.push(entry.kind as u8);
        value.extend((entry.payload.len() as u32).to_le_bytes());
    }
    for entry in entries {
        value.extend_from_slice(&entry.payload);
    }
    let crc = checksum(key, value.get(4..).unwrap_or_default());
    value.iter_mut().zip(crc.to_le_bytes()).for_each(|(to, from)| *to = from);
    Bytes::from(value)
}

/// A verified item.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    value: Bytes,
    runs: usize,
    entries: usize,
}

impl Item {
    /// Verifies what was stored under `key`.
    pub(crate) fn parse(key: &[u8], value: Bytes) -> Result<Self, ItemError> {
        let (crc, rest) = value.split_first_chunk::<4>().ok_or(ItemError::Checksum)?;
        if u32::from_le_bytes(*crc) != checksum(key, rest) {
            return Err(ItemError::Checksum);
        }
        let (version, rest) = rest.split_first().ok_or(ItemError::Content)?;
        if *version != VERSION {
            return Err(ItemError::Version(*version));
        }
        let (runs, rest) = rest.split_first_chunk::<2>().ok_or(ItemError::Content)?;
        let (entries, rest) = rest.split_first_chunk::<4>().ok_or(ItemError::Content)?;
        let runs = usize::from(u16::from_le_bytes(*runs));
        let entries = u32::from_le_bytes(*entries) as usize;
        if entries == 0 || rest.len() < runs.saturating_mul(PER_RUN).saturating_add(entries.saturating_mul(PER_ENTRY)) {
            return Err(ItemError::Content);
        }
        let item = Self { value, runs, entries };
        let counted: usize = item.runs().map(|(_, count)| count).sum();
        if counted == entries { Ok(item) } else { Err(ItemError::Content) }
    }

    /// How many entries, at least one.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// Terms and how many entries each has, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Term, usize)> {
        let end = FIXED + self.runs * PER_RUN;
        let table = self.value.get(FIXED..end).unwrap_or_default();
        table.chunks_exact(PER_RUN).filter_map(|run| {
            let (term, count) = run.split_first_chunk::<8>()?;
            let count = u32::from_le_bytes(count.try_into().ok()?);
            Some((Term(u64::from_le_bytes(*term)), count as usize))
        })
    }

    /// The entries behind the first `skip` ones. Payloads are slices of the stored value, not copies.
    pub(crate) fn entries(&self, skip: usize) -> impl Iterator<Item = Result<Entry, ItemError>> {
        let table_at = FIXED + self.runs * PER_RUN;
        let payloads_at = table_at + self.entries * PER_ENTRY;
        let table = self.value.get(table_at..payloads_at).unwrap_or_default();
        let terms = self.runs().flat_map(|(term, count)| std::iter::repeat_n(term, count));
        let mut at = payloads_at;
        let all = table.chunks_exact(PER_ENTRY).zip(terms).map(move |(head, term)| {
            let (kind, length) = head.split_first().ok_or(ItemError::Content)?;
            let length = u32::from_le_bytes(length.try_into().map_err(|_| ItemError::Content)?) as usize;
            let range = at..at.saturating_add(length);
            at = range.end;
            Ok((term, *kind, range))
        });
        // Lengths in front must be added up even for entries that nobody wants; their payloads are not touched.
        all.skip(skip).map(|head| {
            let (term, kind, range) = head?;
            let kind = EntryKind::from_u8(kind).ok_or(ItemError::Content)?;
            if range.end > self.value.len() {
                return Err(ItemError::Content);
            }
            Ok(Entry { term, kind, payload: self.value.slice(range) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (0u64..3, proptest::collection::vec(any::<u8>(), 0..40), any::<bool>());
        proptest::collection::vec(entry, 1..40).prop_map(|steps| {
            let mut term = 1;
            let entries = steps.into_iter().map(|(step, payload, noop)| {
                term += step;
                let kind = if noop { EntryKind::Noop } else { EntryKind::Command };
                Entry { term: Term(term), kind, payload: Bytes::from(payload) }
            });
            entries.collect()
        })
    }

    proptest! {
        #[test]
        fn an_item_comes_back_as_it_was(entries in any_entries(), first in 1u64..1_000_000, skip in 0usize..40) {
            let key = key(Local(3), Index(first));
            prop_assert_eq!(first_index(Local(3), &key), Some(Index(first)));
            prop_assert_eq!(first_index(Local(4), &key), None);
            let item = Item::parse(&key, encode(&key, &entries)).unwrap();
            prop_assert_eq!(item.len(), entries.len());
            let read: Vec<_> = item.entries(skip).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read[..], &entries[skip.min(entries.len())..]);
            prop_assert!(item.runs().zip(item.runs().skip(1)).all(|(a, b)| a.0 < b.0));
        }

        /// One wrong bit, a cut, or the key of another item: always noticed, never a panic.
        #[test]
        fn damage_is_noticed(entries in any_entries(), bit in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
            let key_1 = key(Local(3), Index(1));
            let value = encode(&key_1, &entries);
            let mut flipped = value.to_vec();
            let bit = bit.index(flipped.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Item::parse(&key_1, Bytes::from(flipped)).err(), Some(ItemError::Checksum));
            prop_assert_eq!(Item::parse(&key_1, value.slice(..cut.index(value.len()))).err(), Some(ItemError::Checksum));
            prop_assert_eq!(Item::parse(&key(Local(3), Index(2)), value.clone()).err(), Some(ItemError::Checksum));
            prop_assert_eq!(Item::parse(&key(Local(4), Index(1)), value).err(), Some(ItemError::Checksum));
        }

        /// Bytes of a hostile disk with a right checksum do not panic either.
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..80), small in any::<bool>()) {
            let key = key(Local(3), Index(1));
            let mut value = vec![0; 4];
            value.extend(if small { [&[VERSION, 1, 0, 1, 0, 0, 0][..], &body].concat() } else { body });
            let crc = checksum(&key, &value[4..]);
            value[..4].copy_from_slice(&crc.to_le_bytes());
            if let Ok(item) = Item::parse(&key, Bytes::from(value)) {
                prop_assert!(item.entries(0).count() <= item.len());
            }
        }
    }

    #[test]
    fn large_entries_get_items_of_their_own() {
        let entry = |size| Entry { term: Term(1), kind: EntryKind::Command, payload: Bytes::from(vec![0; size]) };
        assert_eq!(fit(&[entry(ITEM_PAYLOAD_MAX + 1), entry(1)]), 1);
        assert_eq!(fit(&[entry(ITEM_PAYLOAD_MAX - 1), entry(1), entry(1)]), 2);
        assert_eq!(fit(&vec![entry(0); ITEM_ENTRIES_MAX + 1]), ITEM_ENTRIES_MAX);
    }
}
