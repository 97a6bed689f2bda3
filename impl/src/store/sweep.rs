//! Deletes state data that nobody owns: of removed groups, of epochs that a newer snapshot replaced, and of transfers that broke off.
//!
//! Local numbers and epochs are never reused, so nothing that is swept can be asked for again. It may run beside the state machines.

use super::{
    engine::{Batch, Durability, Engine, EngineError, Space},
    prefix::{Local, Prefix, Purpose},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

/// Most keys that one batch deletes.
const BATCH_KEYS_MAX: usize = 1024;

/// Deletes what belongs to no group of `live`, or to another epoch of one than its own; epochs in `staging` are being filled and stay. Returns how
/// many keys went. Prefixes that stay are stepped over, not read.
pub fn sweep(state: &dyn Engine, live: &BTreeMap<Local, u64>, staging: &BTreeSet<(Local, u64)>) -> Result<u64, EngineError> {
    let mut swept = 0;
    let mut from = Bytes::from_static(&[Purpose::StateData as u8]);
    while let Some(prefix) = next_prefix(state, &from)? {
        from = prefix.end();
        let (local, epoch) = (prefix.local(), prefix.epoch().unwrap_or_default());
        let current = live.get(&local) == Some(&epoch);
        // The progress of a transfer is of no use once its epoch is current.
        let stays = if current { prefix.purpose() != Purpose::Staging } else { staging.contains(&(local, epoch)) };
        if !stays {
            swept += delete_all(state, prefix)?;
        }
    }
    Ok(swept)
}

/// The prefix of the first key at or behind `from`.
fn next_prefix(state: &dyn Engine, from: &[u8]) -> Result<Option<Prefix>, EngineError> {
    let mut found = None;
    state.scan(Space::State, from..&[Purpose::Staging as u8 + 1], &mut |key, _| {
        found = Prefix::of_key(key);
        // A key of no purpose is stepped over: nobody here wrote it.
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

/// Deletes all keys of a prefix in bounded batches.
pub fn delete_all(state: &dyn Engine, prefix: Prefix) -> Result<u64, EngineError> {
    let (mut begin, end) = prefix.range();
    let mut deleted = 0;
    loop {
        let mut batch = Batch::default();
        let mut last = None;
        state.scan(prefix.space(), &begin..&end, &mut |key, _| {
            let key = Bytes::copy_from_slice(key);
            last = Some(key.clone());
            batch.delete(prefix.space(), key);
            if batch.changes.len() < BATCH_KEYS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let Some(last) = last else { return Ok(deleted) };
        deleted += batch.changes.len() as u64;
        state.commit(batch, Durability::Buffered)?;
        // Behind the tombstones just written, so that the next scan does not step over them again.
        begin = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{memory::MemoryEngine, prefix};

    /// Three groups with several epochs each, a transfer under way and a broken one: what is owned stays, byte for byte.
    #[test]
    fn what_is_owned_stays() {
        let state = MemoryEngine::new();
        let mut batch = Batch::default();
        for (local, epoch, keys) in [(1, 1, 3000), (1, 2, 5), (2, 1, 7), (2, 9, 2), (3, 1, 2500), (4, 1, 1)] {
            let local = Local(local);
            for key in 0u32..keys {
                batch.put(Space::State, prefix::state_data(local, epoch).key(&key.to_be_bytes()), Bytes::new());
            }
            batch.put(Space::State, prefix::state_applied(local, epoch).key(&[]), Bytes::new());
            batch.put(Space::State, prefix::staging(local, epoch).key(&[]), Bytes::new());
        }
        state.commit(batch, Durability::Buffered).unwrap();
        let live = BTreeMap::from([(Local(1), 2), (Local(2), 1), (Local(4), 1)]);
        let staging = BTreeSet::from([(Local(2), 9)]);
        let swept = sweep(&state, &live, &staging).unwrap();
        assert_eq!(swept, 3000 + 2 + 2500 + 2 + 3);
        let mut left = BTreeMap::<(Local, u64, Purpose), u32>::new();
        let mut count = |key: &[u8], _: Bytes| {
            let prefix = Prefix::of_key(key).unwrap();
            *left.entry((prefix.local(), prefix.epoch().unwrap(), prefix.purpose())).or_default() += 1;
            ControlFlow::Continue(())
        };
        crate::store::engine::Read::scan(&state, Space::State, &[]..&[0xff], &mut count).unwrap();
        let data: Vec<_> = left.into_iter().map(|((local, epoch, purpose), keys)| (local.0, epoch, purpose, keys)).collect();
        use Purpose::{Staging, StateApplied, StateData};
        let expected = [
            (1, 2, StateData, 5),
            (1, 2, StateApplied, 1),
            (2, 1, StateData, 7),
            (2, 1, StateApplied, 1),
            (2, 9, StateData, 2),
            (2, 9, StateApplied, 1),
            (2, 9, Staging, 1),
            (4, 1, StateData, 1),
            (4, 1, StateApplied, 1),
        ];
        assert_eq!(data, expected);
        assert_eq!(sweep(&state, &live, &staging).unwrap(), 0, "a second sweep finds nothing");
    }
}
