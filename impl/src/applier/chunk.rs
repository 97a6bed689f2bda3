//! The pieces in which a snapshot travels.

use bytes::{Buf, Bytes};

use super::job::TransferId;

/// Consecutive items of a snapshot.
///
/// `items`: per item key length u32, value length u32 (big-endian), key, value; keys are relative to the group and ascend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Place in the transfer; the first is 0.
    pub sequence: u64,
    /// The items; empty only in the last chunk of an empty snapshot.
    pub items: Bytes,
    /// Whether this is the last one.
    pub done: bool,
    /// CRC-32 over transfer, sequence, `done` and `items`: a chunk that was damaged or took the place of another is noticed.
    pub crc: u32,
}

impl Chunk {
    /// A chunk with its checksum.
    pub fn new(transfer: TransferId, sequence: u64, items: Bytes, done: bool) -> Self {
        let crc = checksum(transfer, sequence, &items, done);
        Self { sequence, items, done, crc }
    }

    /// Whether the checksum fits.
    pub fn is_intact(&self, transfer: TransferId) -> bool {
        self.crc == checksum(transfer, self.sequence, &self.items, self.done)
    }

    /// The items, or `None` behind the first one that does not decode. No copy: they are slices of the chunk.
    pub fn decode(&self) -> impl Iterator<Item = Option<(Bytes, Bytes)>> + use<> {
        let mut rest = self.items.clone();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let item = split_item(&mut rest);
            if item.is_none() {
                rest.clear();
            }
            Some(item)
        })
    }
}

/// Bytes that an item takes beside its key and value.
pub(super) const ITEM_HEADER_BYTES: usize = 8;

/// Appends one item.
pub(super) fn encode_item(key: &[u8], value: &[u8], into: &mut Vec<u8>) {
    // Keys and values are below 4 GiB: the engine refuses larger ones, and so does the entry limit.
    into.extend_from_slice(&(key.len() as u32).to_be_bytes());
    into.extend_from_slice(&(value.len() as u32).to_be_bytes());
    into.extend_from_slice(key);
    into.extend_from_slice(value);
}

fn split_item(rest: &mut Bytes) -> Option<(Bytes, Bytes)> {
    let key_bytes = rest.try_get_u32().ok()? as usize;
    let value_bytes = rest.try_get_u32().ok()? as usize;
    if rest.len() < key_bytes.checked_add(value_bytes)? {
        return None;
    }
    let key = rest.split_to(key_bytes);
    let value = rest.split_to(value_bytes);
    Some((key, value))
}

fn checksum(transfer: TransferId, sequence: u64, items: &[u8], done: bool) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&transfer.sender.0.to_be_bytes());
    hasher.update(&transfer.number.to_be_bytes());
    hasher.update(&sequence.to_be_bytes());
    hasher.update(&[u8::from(done)]);
    hasher.update(items);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::NodeId;

    fn transfer(number: u64) -> TransferId {
        TransferId { sender: NodeId(1), number }
    }

    fn chunk(items: &[(&[u8], &[u8])]) -> Chunk {
        let mut bytes = Vec::new();
        for (key, value) in items {
            encode_item(key, value, &mut bytes);
        }
        Chunk::new(transfer(1), 0, bytes.into(), true)
    }

    #[test]
    fn items_come_back_as_they_went_in() {
        let items: [(&[u8], &[u8]); 3] = [(b"a", b""), (b"", b"value"), (b"\xff\x00", b"x")];
        let decoded: Vec<_> = chunk(&items).decode().map(Option::unwrap).collect();
        assert_eq!(decoded.len(), items.len());
        for ((key, value), (decoded_key, decoded_value)) in items.iter().zip(decoded) {
            assert_eq!((*key, *value), (&decoded_key[..], &decoded_value[..]));
        }
    }

    #[test]
    fn every_cut_in_an_item_ends_the_items_with_none() {
        let whole = chunk(&[(b"key", b"value")]);
        for cut in 1..whole.items.len() {
            let torn = Chunk { items: whole.items.slice(..cut), ..whole.clone() };
            assert_eq!(torn.decode().collect::<Vec<_>>(), vec![None], "cut at {cut}");
        }
    }

    #[test]
    fn checksum_covers_transfer_sequence_done_and_items() {
        let whole = chunk(&[(b"key", b"value")]);
        assert!(whole.is_intact(transfer(1)));
        assert!(!whole.is_intact(transfer(2)));
        assert!(!Chunk { sequence: 1, ..whole.clone() }.is_intact(transfer(1)));
        assert!(!Chunk { done: false, ..whole.clone() }.is_intact(transfer(1)));
        assert!(!Chunk { items: whole.items.slice(1..), ..whole }.is_intact(transfer(1)));
    }
}
