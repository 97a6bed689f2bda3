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
        let end = if range.end.is_empty() { self.end.clone() } else { self.prefix.key(range.end) };
        (range.end.is_empty() || range.start < range.end).then(|| (self.prefix.key(range.start), end))
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
