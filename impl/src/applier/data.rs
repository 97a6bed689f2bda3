//! What lies in the state database for one group: data and the record of the applied entry, both under a state epoch.

use bytes::{BufMut, Bytes, BytesMut};
use roadstead_spec::{EntryId, Index, Term};
use std::ops::ControlFlow;

use super::{failure::Failure, job::StateEpoch};
use crate::store::{
    engine::{Batch, EngineError, Read, Space},
    prefix::{self, Local, Prefix},
};

/// Term u64, index u64, CRC-32 of both u32; big-endian.
const APPLIED_BYTES: usize = 20;

/// Writes the record of the applied entry.
pub(super) fn put_applied(batch: &mut Batch, local: Local, epoch: StateEpoch, applied: EntryId) {
    let mut record = BytesMut::with_capacity(APPLIED_BYTES);
    record.put_u64(applied.term.0);
    record.put_u64(applied.index.0);
    record.put_u32(crc32fast::hash(&record));
    batch.put(Space::State, prefix::state_applied(local, epoch.0).key(&[]), record);
}

/// The applied entry that the data of this epoch includes; the default (0) if none was ever applied.
pub(super) fn applied(read: &dyn Read, local: Local, epoch: StateEpoch) -> Result<EntryId, Failure> {
    let key = prefix::state_applied(local, epoch.0);
    let record = read.get(Space::State, key.as_slice()).map_err(|error| Failure::Unreadable(error.to_string()))?;
    record.map_or(Ok(EntryId::default()), |record| decode_applied(&record).map_err(|what| Failure::AppliedRecord { epoch, what }))
}

fn decode_applied(record: &Bytes) -> Result<EntryId, String> {
    let Ok(record) = <[u8; APPLIED_BYTES]>::try_from(&record[..]) else {
        return Err(format!("{} bytes instead of {APPLIED_BYTES}", record.len()));
    };
    let ([term, index], crc) = split(record);
    if crc32fast::hash(&record[..16]) != crc {
        return Err("the checksum does not fit".to_owned());
    }
    Ok(EntryId { term: Term(term), index: Index(index) })
}

fn split(record: [u8; APPLIED_BYTES]) -> ([u64; 2], u32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = record;
    let term = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let index = u64::from_be_bytes([i, j, k, l, m, n, o, p]);
    ([term, index], u32::from_be_bytes([q, r, s, t]))
}

/// A half-open range of keys.
pub(super) type KeyRange = (Bytes, Bytes);

/// All keys of a group under these epochs (`first..=last`): data, then applied records.
pub(super) fn epochs(local: Local, first: u64, last: u64) -> [KeyRange; 2] {
    let range = |of: fn(Local, u64) -> Prefix| (of(local, first).key(&[]), of(local, last).end());
    [range(prefix::state_data), range(prefix::state_applied)]
}

/// The lowest and the highest epoch under which the group has any key.
pub(super) fn epochs_in_use(read: &dyn Read, local: Local) -> Result<Option<(u64, u64)>, EngineError> {
    let mut found: Option<(u64, u64)> = None;
    for (start, end) in epochs(local, 0, u64::MAX) {
        let mut note = |key: &[u8], _| {
            if let Some(epoch) = Prefix::of_key(key).and_then(|prefix| prefix.epoch()) {
                let (lowest, highest) = found.unwrap_or((epoch, epoch));
                found = Some((lowest.min(epoch), highest.max(epoch)));
            }
            ControlFlow::Break(())
        };
        read.scan(Space::State, &start..&end, &mut note)?;
        read.scan_back(Space::State, &start..&end, &mut note)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_or_a_cut_in_the_applied_record_is_an_error() {
        let applied = EntryId { term: Term(3), index: Index(700) };
        let mut batch = Batch::default();
        put_applied(&mut batch, Local(5), StateEpoch(1), applied);
        let [crate::store::engine::Change::Put(_, _, record)] = &batch.changes[..] else { panic!("one put, not {batch:?}") };
        assert_eq!(decode_applied(record), Ok(applied));
        for at in 0..record.len() {
            let mut damaged = record.to_vec();
            damaged[at] ^= 1;
            assert!(decode_applied(&damaged.into()).is_err(), "byte {at}");
            assert!(decode_applied(&record.slice(..at)).is_err(), "cut at {at}");
        }
    }
}
