//! What a state machine sees: its own keys only, as of now, with the writes of the running batch on top.
//!
//! Costs per written key: one copy into the arena (a full key, prefix included), one B-tree insert, one move into the engine's batch. Values
//! are moved, never copied.

use bytes::{Bytes, BytesMut};
use std::{
    cell::Cell,
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    ops::{Bound, ControlFlow, Range},
};

use crate::{
    state_machine::{KEY_BYTES_MAX, StateMachineError, StateRead, StateWrite, VALUE_BYTES_MAX, VisitState},
    store::{
        engine::{Change, EngineError, Read, Space},
        prefix::Prefix,
    },
};

/// Keys are cut out of pieces of this size: one allocation per some two hundred keys. Small, because one living key keeps its piece alive.
const ARENA_BYTES: usize = 8 << 10;

/// A group's data of one epoch: the bounds that no key leaves.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: Prefix,
    end: Bytes,
}

impl Keys {
    pub(super) fn new(prefix: Prefix) -> Self {
        Self { prefix, end: prefix.end() }
    }

    pub(super) fn prefix(&self) -> &[u8] {
        self.prefix.as_slice()
    }

    pub(super) fn end(&self) -> &[u8] {
        &self.end
    }

    /// The full bounds of a range of relative keys; an empty end means to the last key. `None` if nothing can lie within.
    fn bounds(&self, range: &Range<&[u8]>) -> Option<(Bytes, Bytes)> {
        let end = if range.end.is_empty() { self.end.clone() } else { self.bound(range.end) };
        (range.end.is_empty() || range.start < range.end).then(|| (self.bound(range.start), end))
    }

    /// The full key of a bound. The store panics on keys above 64 KiB, also in bounds, which may come from clients; among keys of at most
    /// [`KEY_BYTES_MAX`] a longer bound separates the same ones as its head with a zero behind it.
    fn bound(&self, key: &[u8]) -> Bytes {
        match key.get(..KEY_BYTES_MAX) {
            Some(head) if key.len() > KEY_BYTES_MAX => self.prefix.key(&[head, &[0]].concat()),
            _ => self.prefix.key(key),
        }
    }
}

/// What the stores can hold and a snapshot can carry.
pub(super) fn fits(key: &[u8], value: &[u8]) -> bool {
    key.len() <= KEY_BYTES_MAX && value.len() <= VALUE_BYTES_MAX
}

/// Full keys and their new values (`None`: removed), not yet given to the engine.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    changes: BTreeMap<Bytes, Option<Bytes>>,
    arena: BytesMut,
}

impl Overlay {
    pub(super) fn put(&mut self, prefix: &[u8], key: &[u8], value: Option<Bytes>) {
        let key = self.full_key(prefix, key);
        self.changes.insert(key, value);
    }

    /// Moves everything into a batch.
    pub(super) fn drain_into(&mut self, changes: &mut Vec<Change>) {
        let drained = std::mem::take(&mut self.changes);
        changes.extend(drained.into_iter().map(|(key, value)| match value {
            Some(value) => Change::Put(Space::State, key, value),
            None => Change::Delete(Space::State, key),
        }));
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
    }

    fn full_key(&mut self, prefix: &[u8], key: &[u8]) -> Bytes {
        let length = prefix.len() + key.len();
        if self.arena.capacity() < length {
            self.arena = BytesMut::with_capacity(ARENA_BYTES.max(length));
        }
        self.arena.extend_from_slice(prefix);
        self.arena.extend_from_slice(key);
        self.arena.split().freeze()
    }

    fn range(&self, start: &Bytes, end: &Bytes) -> Overlaid<'_> {
        self.changes.range::<Bytes, _>((Bound::Included(start), Bound::Excluded(end))).peekable()
    }
}

type Overlaid<'a> = Peekable<btree_map::Range<'a, Bytes, Option<Bytes>>>;

/// Reads of one group's data.
pub(super) struct View<'a> {
    read: &'a dyn Read,
    keys: &'a Keys,
    /// Full keys of point reads are built here, so that a read allocates nothing.
    scratch: Cell<Vec<u8>>,
}

impl<'a> View<'a> {
    pub(super) fn new(read: &'a dyn Read, keys: &'a Keys) -> Self {
        Self { read, keys, scratch: Cell::new(Vec::new()) }
    }

    /// Calls `f` with the full key.
    fn with_full_key<T>(&self, key: &[u8], f: impl FnOnce(&[u8]) -> T) -> T {
        let mut full = self.scratch.take();
        full.clear();
        full.extend_from_slice(self.keys.prefix());
        full.extend_from_slice(key);
        let result = f(&full);
        self.scratch.set(full);
        result
    }
}

impl StateRead for View<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateMachineError> {
        if !fits(key, &[]) {
            return Ok(None);
        }
        Ok(self.with_full_key(key, |full| self.read.get(Space::State, full))?)
    }

    fn scan(&self, range: Range<&[u8]>, visit: VisitState<'_>) -> Result<(), StateMachineError> {
        let Some((start, end)) = self.keys.bounds(&range) else { return Ok(()) };
        let prefix_bytes = self.keys.prefix().len();
        let mut outcome = Ok(());
        self.read.scan(Space::State, &start..&end, &mut |key, value| visit_relative(prefix_bytes, key, value, visit, &mut outcome))?;
        outcome
    }
}

/// Calls the machine's visitor with the key's part that it knows, and keeps its error, since the engine's visitor cannot return one.
fn visit_relative(
    prefix_bytes: usize,
    key: &[u8],
    value: Bytes,
    visit: VisitState<'_>,
    outcome: &mut Result<(), StateMachineError>,
) -> ControlFlow<()> {
    match visit(key.get(prefix_bytes..).unwrap_or_default(), value) {
        Ok(flow) => flow,
        Err(error) => {
            *outcome = Err(error);
            ControlFlow::Break(())
        }
    }
}

/// Reads and writes of one group's data: what the engine holds, covered by an overlay.
pub(super) struct Transaction<'a> {
    view: View<'a>,
    overlay: &'a mut Overlay,
    /// Lengths of the first item that the store cannot hold. `put` has no result, so it is told when `apply` has returned.
    too_large: Option<(usize, usize)>,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(read: &'a dyn Read, keys: &'a Keys, overlay: &'a mut Overlay) -> Self {
        Self { view: View::new(read, keys), overlay, too_large: None }
    }

    /// Lengths of key and value of the first write that was left out because it is too large.
    pub(super) fn too_large(&self) -> Option<(usize, usize)> {
        self.too_large
    }
}

impl StateRead for Transaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateMachineError> {
        if !fits(key, &[]) {
            return Ok(None);
        }
        let read = |full: &[u8]| -> Result<Option<Bytes>, EngineError> {
            match self.overlay.changes.get(full) {
                Some(change) => Ok(change.clone()),
                None => self.view.read.get(Space::State, full),
            }
        };
        Ok(self.view.with_full_key(key, read)?)
    }

    fn scan(&self, range: Range<&[u8]>, visit: VisitState<'_>) -> Result<(), StateMachineError> {
        if self.overlay.changes.is_empty() {
            return self.view.scan(range, visit);
        }
        let Some((start, end)) = self.view.keys.bounds(&range) else { return Ok(()) };
        let prefix_bytes = self.view.keys.prefix().len();
        let mut outcome = Ok(());
        let mut stopped = false;
        let mut over = self.overlay.range(&start, &end);
        let mut emit = |key: &[u8], value: Bytes| visit_relative(prefix_bytes, key, value, visit, &mut outcome);
        self.view.read.scan(Space::State, &start..&end, &mut |key, value| {
            let flow = emit_merged(&mut over, key, value, &mut emit);
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            // What the overlay has behind the engine's last key.
            for (key, value) in over {
                if let Some(value) = value
                    && emit(key, value.clone()).is_break()
                {
                    break;
                }
            }
        }
        outcome
    }
}

/// Visits the overlay's items before the engine's next one, then that one unless the overlay covers it.
fn emit_merged(
    over: &mut Overlaid<'_>,
    key: &[u8],
    value: Bytes,
    emit: &mut dyn FnMut(&[u8], Bytes) -> ControlFlow<()>,
) -> ControlFlow<()> {
    while let Some((over_key, over_value)) = over.next_if(|(over_key, _)| over_key[..] <= *key) {
        if let Some(over_value) = over_value {
            emit(over_key, over_value.clone())?;
        }
        if over_key[..] == *key {
            return ControlFlow::Continue(());
        }
    }
    emit(key, value)
}

impl StateWrite for Transaction<'_> {
    fn put(&mut self, key: Bytes, value: Bytes) {
        if fits(&key, &value) {
            self.overlay.put(self.view.keys.prefix(), &key, Some(value));
        } else {
            self.too_large.get_or_insert((key.len(), value.len()));
        }
    }

    fn delete(&mut self, key: Bytes) {
        if !fits(&key, &[]) {
            // No such key can exist.
            return;
        }
        self.overlay.put(self.view.keys.prefix(), &key, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        engine::{Batch, Durability, Engine},
        memory::MemoryEngine,
        prefix::{self, Local},
    };
    use proptest::prelude::*;

    type Items = BTreeMap<Vec<u8>, Vec<u8>>;

    fn keys_of(local: u32, epoch: u64) -> Keys {
        Keys::new(prefix::state_data(Local(local), epoch))
    }

    fn scan(state: &dyn StateRead, start: &[u8], end: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut items = Vec::new();
        let mut visit = |key: &[u8], value: Bytes| {
            items.push((key.to_vec(), value.to_vec()));
            Ok(if items.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        state.scan(start..end, &mut visit).unwrap();
        items
    }

    fn expected(model: &Items, start: &[u8], end: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let within = |key: &[u8]| key >= start && (end.is_empty() || key < end);
        model.iter().filter(|(key, _)| within(key)).take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn commit(engine: &MemoryEngine, overlay: &mut Overlay) {
        let mut batch = Batch::default();
        overlay.drain_into(&mut batch.changes);
        engine.commit(batch, Durability::Buffered).unwrap();
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, b'a', 0xff]), 0..3)
    }

    proptest! {
        /// Reads of a transaction equal those of a map to which the same writes were made; some are committed, some only in the overlay, and
        /// the neighbours of the group (other locals, other epochs) hold every possible key.
        #[test]
        fn reads_equal_a_map_and_stay_within_the_group(
            committed in prop::collection::vec((key(), prop::option::of(any::<u8>())), 0..12),
            pending in prop::collection::vec((key(), prop::option::of(any::<u8>())), 0..12),
            ranges in prop::collection::vec((key(), key(), 1..20usize), 1..8),
        ) {
            let engine = MemoryEngine::new();
            let mut overlay = Overlay::default();
            for neighbour in [keys_of(1, 2), keys_of(2, 1), keys_of(2, 3), keys_of(3, 2)] {
                for first in [0, 1, b'a', 0xff] {
                    overlay.put(neighbour.prefix(), &[first], Some(Bytes::from_static(b"foreign")));
                }
                overlay.put(neighbour.prefix(), &[], Some(Bytes::from_static(b"foreign")));
            }
            let keys = keys_of(2, 2);
            let mut model = Items::new();
            for (place, (key, value)) in committed.iter().chain(&pending).enumerate() {
                if place == committed.len() {
                    commit(&engine, &mut overlay);
                }
                let mut transaction = Transaction::new(&engine, &keys, &mut overlay);
                match value {
                    Some(value) => {
                        transaction.put(key.clone().into(), vec![*value].into());
                        model.insert(key.clone(), vec![*value]);
                    }
                    None => {
                        transaction.delete(key.clone().into());
                        model.remove(key);
                    }
                }
            }
            if pending.is_empty() {
                commit(&engine, &mut overlay);
            }
            let transaction = Transaction::new(&engine, &keys, &mut overlay);
            for (start, end, limit) in &ranges {
                prop_assert_eq!(scan(&transaction, start, end, *limit), expected(&model, start, end, *limit));
                prop_assert_eq!(transaction.get(start).unwrap().map(|value| value.to_vec()), model.get(start).cloned());
            }
            commit(&engine, &mut overlay);
            let view = View::new(&engine, &keys);
            for (start, end, limit) in &ranges {
                prop_assert_eq!(scan(&view, start, end, *limit), expected(&model, start, end, *limit));
                prop_assert_eq!(view.get(start).unwrap().map(|value| value.to_vec()), model.get(start).cloned());
            }
        }
    }

    #[test]
    fn an_error_of_the_visitor_ends_the_scan_and_comes_back() {
        let engine = MemoryEngine::new();
        let keys = keys_of(1, 1);
        for committed in [true, false] {
            let mut overlay = Overlay::default();
            overlay.put(keys.prefix(), b"a", Some(Bytes::new()));
            overlay.put(keys.prefix(), b"b", Some(Bytes::new()));
            if committed {
                commit(&engine, &mut overlay);
                overlay.put(keys.prefix(), b"c", Some(Bytes::new()));
            }
            let transaction = Transaction::new(&engine, &keys, &mut overlay);
            let mut visits = 0;
            let result = transaction.scan(b""..b"", &mut |_, _| {
                visits += 1;
                Err(StateMachineError::Corrupt("stop".to_owned()))
            });
            assert_eq!((visits, result.unwrap_err().to_string()), (1, "stop".to_owned()));
        }
    }

    /// fjall panics on keys above 64 KiB, in reads as well; the bounds of a range query come from clients.
    #[test]
    fn keys_beyond_the_limit_are_absent_and_bounds_beyond_it_still_separate() {
        let folder = tempfile::tempdir().unwrap();
        let engine = crate::store::fjall_engine::FjallEngine::open(folder.path(), crate::store::fjall_engine::Kind::State).unwrap();
        let keys = keys_of(1, 1);
        let mut overlay = Overlay::default();
        let longest = vec![b'k'; KEY_BYTES_MAX];
        let beyond = vec![b'k'; 70_000];
        let mut transaction = Transaction::new(&engine, &keys, &mut overlay);
        transaction.put(longest.clone().into(), Bytes::new());
        transaction.put(Bytes::from_static(b"z"), Bytes::new());
        assert_eq!(transaction.too_large(), None);
        transaction.put(beyond.clone().into(), Bytes::new());
        transaction.delete(beyond.clone().into());
        assert_eq!(transaction.too_large(), Some((70_000, 0)));
        assert_eq!(transaction.get(&beyond).unwrap(), None);
        let mut batch = Batch::default();
        overlay.drain_into(&mut batch.changes);
        engine.commit(batch, Durability::Buffered).unwrap();
        let view = View::new(&engine, &keys);
        assert_eq!(view.get(&beyond).unwrap(), None);
        assert_eq!(view.get(&longest).unwrap(), Some(Bytes::new()));
        assert_eq!(scan(&view, b"", &beyond, 9).len(), 1, "the longest key lies before the bound");
        assert_eq!(scan(&view, &beyond, b"", 9), vec![(b"z".to_vec(), vec![])]);
    }
}
