//! An engine in memory, for nodes without a disk, tests and simulation. It forgets what was not synced when told to crash, and fails when told to.

use super::engine::{Batch, Change, Durability, Engine, EngineError, Read, Space, Visit};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a crash leaves of the batches that were never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// The first so many of them: a journal keeps a prefix.
    First(usize),
    /// All: the process died, the machine did not.
    All,
}

/// An ordered store in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryEngine {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    /// Behind an `Arc`, so that a snapshot is one reference; a commit copies the maps only while a snapshot lives.
    items: Arc<Items>,
    /// Per batch since the last sync, what its changes replaced, in order. Not kept by a store that never crashes.
    unsynced: Vec<Vec<(Space, Bytes, Option<Bytes>)>>,
    crashes: bool,
    syncs: u64,
    failing: bool,
}

#[derive(Clone, Debug, Default)]
struct Items {
    meta: BTreeMap<Bytes, Bytes>,
    log: BTreeMap<Bytes, Bytes>,
    state: BTreeMap<Bytes, Bytes>,
}

impl MemoryEngine {
    /// An empty store that remembers what a crash takes.
    pub fn new() -> Self {
        Self::holding(Items::default(), true)
    }

    /// An empty store that ends with the process: [`MemoryEngine::crash`] loses nothing.
    pub fn without_crashes() -> Self {
        Self::holding(Items::default(), false)
    }

    fn holding(items: Items, crashes: bool) -> Self {
        let inner = Inner { items: Arc::new(items), unsynced: Vec::new(), crashes, syncs: 0, failing: false };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// What the next life of the store finds: everything synced, and the survivors among the rest. This one is left as it is.
    pub fn crash(&self, survivors: Survivors) -> Self {
        let inner = self.lock();
        let keep = match survivors {
            Survivors::First(count) => count.min(inner.unsynced.len()),
            Survivors::All => inner.unsynced.len(),
        };
        let mut items = Items::clone(&inner.items);
        for (space, key, old) in inner.unsynced.iter().skip(keep).rev().flat_map(|undo| undo.iter().rev()) {
            items.set(*space, key.clone(), old.clone());
        }
        Self::holding(items, inner.crashes)
    }

    /// From now on every commit and sync fails.
    pub fn fail(&self) {
        self.lock().failing = true;
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// How many batches a crash could lose.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> Arc<Items> {
        self.lock().items.clone()
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn check(&self, what: &'static str) -> Result<(), EngineError> {
        if self.failing {
            let source = std::io::Error::other("told to fail").into();
            return Err(EngineError { what, place: "memory".to_owned(), source });
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.syncs += 1;
        self.unsynced.clear();
    }
}

impl Items {
    fn space(&self, space: Space) -> &BTreeMap<Bytes, Bytes> {
        match space {
            Space::Meta => &self.meta,
            Space::Log => &self.log,
            Space::State => &self.state,
        }
    }

    /// Sets or removes, and returns what was there.
    fn set(&mut self, space: Space, key: Bytes, value: Option<Bytes>) -> Option<Bytes> {
        let map = match space {
            Space::Meta => &mut self.meta,
            Space::Log => &mut self.log,
            Space::State => &mut self.state,
        };
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        }
    }
}

impl Engine for MemoryEngine {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        let mut inner = self.lock();
        inner.check("commit")?;
        let durability = if inner.crashes { durability } else { Durability::Synced };
        let items = Arc::make_mut(&mut inner.items);
        let mut undo = Vec::with_capacity(if durability == Durability::Synced { 0 } else { batch.changes.len() });
        for change in batch.changes {
            let (space, key, value) = match change {
                Change::Put(space, key, value) => (space, key, Some(value)),
                Change::Delete(space, key) => (space, key, None),
            };
            match durability {
                Durability::Synced => drop(items.set(space, key, value)),
                Durability::Buffered => {
                    let old = items.set(space, key.clone(), value);
                    undo.push((space, key, old));
                }
            }
        }
        match durability {
            Durability::Synced => inner.sync(),
            Durability::Buffered => inner.unsynced.push(undo),
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        let mut inner = self.lock();
        inner.check("sync")?;
        inner.sync();
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn Read + Send + Sync> {
        Box::new(View(self.view()))
    }
}

impl Read for MemoryEngine {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.lock().items.space(space).get(key).cloned())
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        View(self.view()).scan(space, range, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        View(self.view()).scan_back(space, range, visit)
    }
}

#[derive(Debug)]
struct View(Arc<Items>);

impl View {
    fn range(&self, space: Space, range: Range<&[u8]>) -> impl DoubleEndedIterator<Item = (&Bytes, &Bytes)> {
        // A map panics on a range that ends before it begins; here it is merely empty.
        let end = range.end.max(range.start);
        self.0.space(space).range::<[u8], _>((Bound::Included(range.start), Bound::Excluded(end)))
    }
}

impl Read for View {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.0.space(space).get(key).cloned())
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        for (key, value) in self.range(space, range) {
            if visit(key, value.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        for (key, value) in self.range(space, range).rev() {
            if visit(key, value.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }
}
