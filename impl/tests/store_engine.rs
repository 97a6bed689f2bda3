//! What every engine promises, checked on each of them: the same data cases on memory and on fjall.

use bytes::Bytes;
use proptest::prelude::*;
use roadstead::store::{
    engine::{Batch, Durability, Engine, Read, Space},
    fjall_engine::{FjallEngine, Kind},
    memory::{MemoryEngine, Survivors},
};
use std::{collections::BTreeMap, ops::ControlFlow};

fn everything(read: &dyn Read, space: Space) -> Vec<(Vec<u8>, Bytes)> {
    let mut items = Vec::new();
    let mut visit = |key: &[u8], value: Bytes| {
        items.push((key.to_vec(), value));
        ControlFlow::Continue(())
    };
    read.scan(space, &[]..&[0xff], &mut visit).unwrap();
    items
}

fn check_engine(engine: &dyn Engine) {
    let mut batch = Batch::default();
    for key in [b"a", b"b", b"c", b"d"] {
        batch.put(Space::Log, &key[..], &key[..]);
    }
    batch.put(Space::Meta, &b"m"[..], &b"1"[..]);
    engine.commit(batch, Durability::Synced).unwrap();
    let before = engine.snapshot();

    // Later changes of a key win, in both orders; both keyspaces move together.
    let mut batch = Batch::default();
    batch.delete(Space::Log, &b"a"[..]);
    batch.put(Space::Log, &b"a"[..], &b"A"[..]);
    batch.put(Space::Log, &b"b"[..], &b"B"[..]);
    batch.delete(Space::Log, &b"b"[..]);
    batch.delete(Space::Log, &b"never there"[..]);
    batch.put(Space::Meta, &b"m"[..], &b"2"[..]);
    batch.put(Space::Meta, &b"m"[..], &b"3"[..]);
    engine.commit(batch, Durability::Buffered).unwrap();

    assert_eq!(engine.get(Space::Log, b"a").unwrap().unwrap(), "A");
    assert_eq!(engine.get(Space::Log, b"b").unwrap(), None);
    assert_eq!(engine.get(Space::Meta, b"m").unwrap().unwrap(), "3");
    assert_eq!(before.get(Space::Log, b"a").unwrap().unwrap(), "a");
    assert_eq!(before.get(Space::Meta, b"m").unwrap().unwrap(), "1");
    assert_eq!(everything(&*before, Space::Log).len(), 4);

    // Half-open ranges, both directions, ended by the visitor; an inverted range is empty.
    let mut seen = Vec::new();
    let mut two = |key: &[u8], _: Bytes| {
        seen.push(key.to_vec());
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    before.scan(Space::Log, b"b"..b"z", &mut two).unwrap();
    assert_eq!(seen, [b"b", b"c"]);
    seen.clear();
    let mut all = |key: &[u8], _: Bytes| {
        seen.push(key.to_vec());
        ControlFlow::Continue(())
    };
    before.scan_back(Space::Log, b"a"..b"d", &mut all).unwrap();
    before.scan_back(Space::Log, b"d"..b"a", &mut all).unwrap();
    before.scan(Space::Log, b"d"..b"a", &mut all).unwrap();
    assert_eq!(seen, [b"c", b"b", b"a"]);
    engine.sync().unwrap();
}

#[test]
fn memory_keeps_the_promises() {
    check_engine(&MemoryEngine::new());
}

#[test]
fn fjall_keeps_the_promises_and_its_data() {
    let dir = tempfile::tempdir().unwrap();
    check_engine(&FjallEngine::open(dir.path(), Kind::Log).unwrap());
    // Also after a restart: the journal is replayed in the order of the changes.
    let engine = FjallEngine::open(dir.path(), Kind::Log).unwrap();
    let expected = [("a", "A"), ("c", "c"), ("d", "d")].map(|(key, value)| (key.as_bytes().to_vec(), Bytes::from(value)));
    assert_eq!(everything(&engine, Space::Log), expected);
    assert!(engine.get(Space::State, b"x").is_err(), "the log database has no state");
    let locked = FjallEngine::open(dir.path(), Kind::Log).unwrap_err();
    assert!(locked.to_string().contains("Locked"), "{locked}");
}

#[test]
fn a_crash_in_memory_keeps_a_prefix_of_what_was_not_synced() {
    let engine = MemoryEngine::new();
    for (number, durability) in [(0, Durability::Synced), (1, Durability::Buffered), (2, Durability::Buffered), (3, Durability::Buffered)] {
        let mut batch = Batch::default();
        batch.put(Space::Meta, &b"last"[..], vec![number]);
        batch.put(Space::Log, vec![number], &b""[..]);
        batch.delete(Space::Log, vec![number.wrapping_sub(1)]);
        engine.commit(batch, durability).unwrap();
    }
    assert_eq!(engine.unsynced(), 3);
    for (survivors, last) in [(Survivors::First(0), 0), (Survivors::First(1), 1), (Survivors::First(9), 3), (Survivors::All, 3)] {
        let next = engine.crash(survivors);
        assert_eq!(next.get(Space::Meta, b"last").unwrap().unwrap(), vec![last]);
        assert_eq!(everything(&next, Space::Log), [(vec![last], Bytes::new())]);
    }
    engine.fail();
    assert!(engine.commit(Batch::default(), Durability::Synced).is_err());
    assert!(engine.sync().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Random batches: memory, fjall and a plain map agree.
    #[test]
    fn engines_agree(batches in proptest::collection::vec(proptest::collection::vec((0u8..20, proptest::option::of(any::<u8>())), 0..12), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let fjall = FjallEngine::open(dir.path(), Kind::State).unwrap();
        let memory = MemoryEngine::new();
        let mut map = BTreeMap::new();
        for changes in batches {
            let mut batch = Batch::default();
            for (key, value) in changes {
                match value {
                    Some(value) => batch.put(Space::State, vec![key], vec![value]),
                    None => batch.delete(Space::State, vec![key]),
                }
                map.insert(vec![key], value);
            }
            fjall.commit(batch.clone(), Durability::Buffered).unwrap();
            memory.commit(batch, Durability::Buffered).unwrap();
        }
        let expected: Vec<_> = map.into_iter().filter_map(|(key, value)| Some((key, Bytes::from(vec![value?])))).collect();
        prop_assert_eq!(&everything(&fjall, Space::State), &expected);
        prop_assert_eq!(&everything(&memory, Space::State), &expected);
    }
}
