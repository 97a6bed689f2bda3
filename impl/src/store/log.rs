//! Where one group's log stands, on disk and in the round that is being gathered.
//!
//! The storage machine is the only writer. It keeps per item 16 bytes in memory, so that truncating and compacting search nothing. A round's
//! changes are applied here at once and gathered; [`GroupLog::flush`] turns what they come to into the changes of one batch: one item for all entries
//! of the round, at most one item rewritten, whole items deleted.

use super::{
    engine::{Batch, Engine, Space},
    entry::Entry,
    item::{self, Item, ItemError},
    log_error::{LogError, Misuse},
    prefix::Local,
};
use bytes::Bytes;
use roadstead_spec::{EntryId, Index, Term, raft::Run};
use std::collections::VecDeque;

/// Most compacted items that one round deletes per group; the rest goes in the rounds after it. A batch stays small even when a million entries go.
const DELETES_MAX: usize = 1024;

/// Where an item lies: 16 bytes, since there may be a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    first: u64,
    entries: u32,
    bytes: u32,
}

impl Place {
    pub(crate) fn new(first: Index, entries: usize, bytes: usize) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { first: first.0, entries: narrow(entries), bytes: narrow(bytes) }
    }

    /// Index of the last entry.
    fn last(self) -> u64 {
        self.first + u64::from(self.entries) - 1
    }
}

/// The log of one group.
#[derive(Debug)]
pub(crate) struct GroupLog {
    local: Local,
    base: EntryId,
    last: Index,
    runs: Vec<Run>,
    items: VecDeque<Place>,
    /// Entries of this round; the last one is the log's last.
    tail: Vec<Entry>,
    /// Entries on disk from here on go.
    cut: Option<u64>,
    /// All items on disk go.
    reset: bool,
}

/// What a flush wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    pub(crate) items: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl GroupLog {
    /// An empty log behind `base`.
    pub(crate) fn new(local: Local, base: EntryId) -> Self {
        let (runs, items, tail) = Default::default();
        Self { local, base, last: base.index, runs, items, tail, cut: None, reset: false }
    }

    /// Takes an item whose group is gone, so that it is deleted.
    pub(crate) fn adopt(removed: &mut Vec<Self>, local: Local, first: Index) {
        let place = Place::new(first, 1, 0);
        match removed.last_mut() {
            Some(log) if log.local == local => log.items.push_back(place),
            _ => {
                let mut log = Self::new(local, EntryId::default());
                log.items.push_back(place);
                removed.push(log);
            }
        }
    }

    /// Takes the next item of the disk at recovery.
    pub(crate) fn recover_item(&mut self, first: Index, item: &Item, bytes: usize) -> Result<(), LogError> {
        // Compaction deletes whole items, and not all at once: the first item may begin, and even end, before the base.
        let expected = if self.items.is_empty() { self.base.index.next().min(first) } else { self.last.next() };
        if first != expected {
            return Err(LogError::Gap { local: self.local, expected, found: first });
        }
        let begin = self.base.index.next();
        let mut at = first;
        for (term, count) in item.runs() {
            let end = at.plus(count as u64);
            if end > begin {
                self.push_run(term, at.max(begin))?;
            }
            at = end;
        }
        let place = Place::new(first, item.len(), bytes);
        self.items.push_back(place);
        self.last = Index(place.last());
        Ok(())
    }

    /// Checks at the end of recovery that the items reach the base.
    pub(crate) fn recover_end(&self) -> Result<(), LogError> {
        if self.last < self.base.index {
            return Err(LogError::Gap { local: self.local, expected: self.last.next(), found: self.base.index.next() });
        }
        Ok(())
    }

    fn push_run(&mut self, term: Term, first: Index) -> Result<(), LogError> {
        let before = self.runs.last().map_or(self.base.term, |run| run.term);
        if term < before {
            return Err(LogError::Terms { local: self.local, index: first, before, found: term });
        }
        if term > before || self.runs.is_empty() {
            self.runs.push(Run { term, first });
        }
        Ok(())
    }

    /// The entry before the first one.
    pub(crate) fn base(&self) -> EntryId {
        self.base
    }

    /// Index of the last entry, or of the base.
    pub(crate) fn last(&self) -> Index {
        self.last
    }

    /// Terms of the entries behind the base.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many items lie on disk.
    pub(crate) fn items(&self) -> usize {
        self.items.len()
    }

    /// Bytes of the items on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.items.iter().map(|place| u64::from(place.bytes)).sum()
    }

    /// Term of an entry, or of the base; `None` before and behind.
    pub(crate) fn term_of(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        if index < self.base.index || index > self.last {
            return None;
        }
        let behind = self.runs.partition_point(|run| run.first <= index);
        self.runs.get(behind.checked_sub(1)?).map(|run| run.term)
    }

    /// Deletes entries from `from` on.
    pub(crate) fn truncate(&mut self, from: Index) -> Result<(), Misuse> {
        if from <= self.base.index {
            return Err(self.outside(from));
        }
        if from > self.last {
            return Ok(());
        }
        let tail_first = self.tail_first();
        let on_disk = from.0.min(tail_first);
        self.tail.truncate(usize::try_from(from.0.saturating_sub(tail_first)).unwrap_or(usize::MAX));
        if on_disk < tail_first {
            self.cut = Some(self.cut.map_or(on_disk, |cut| cut.min(on_disk)));
        }
        self.last = from.prev();
        self.runs.truncate(self.runs.partition_point(|run| run.first < from));
        Ok(())
    }

    /// Adds entries behind the last one.
    pub(crate) fn append(&mut self, first: Index, entries: Vec<Entry>) -> Result<(), Misuse> {
        if first != self.last.next() {
            return Err(Misuse::Gap { first, last: self.last });
        }
        let Some(last_entry) = entries.last() else { return Err(Misuse::Entries { first }) };
        let last_term = last_entry.term;
        if self.runs.last().map(|run| run.term) != Some(last_term) {
            let mut at = first;
            for run in entries.chunk_by(|a, b| a.term == b.term) {
                let term = run.first().map_or(last_term, |entry| entry.term);
                self.push_run(term, at).map_err(|_| Misuse::Entries { first })?;
                at = at.plus(run.len() as u64);
            }
        } else if entries.iter().any(|entry| entry.term != last_term) {
            return Err(Misuse::Entries { first });
        }
        self.last = self.last.plus(entries.len() as u64);
        if self.tail.is_empty() {
            self.tail = entries
        } else {
            self.tail.extend(entries)
        }
        Ok(())
    }

    /// Moves the base to `through`: what lies before may go.
    pub(crate) fn compact(&mut self, through: Index) -> Result<(), Misuse> {
        if through <= self.base.index {
            return Ok(());
        }
        let term = self.term_of(through).ok_or_else(|| self.outside(through))?;
        self.base = EntryId { term, index: through };
        let begin = through.next();
        let covering = self.runs.partition_point(|run| run.first <= begin).saturating_sub(1);
        self.runs.drain(..covering);
        if self.last == through {
            self.runs.clear();
        } else if let Some(run) = self.runs.first_mut() {
            run.first = run.first.max(begin);
        }
        Ok(())
    }

    /// Begins the log anew behind `at`; with `keep_suffix` the entries behind it stay.
    pub(crate) fn install(&mut self, at: EntryId, keep_suffix: bool) -> Result<(), Misuse> {
        if keep_suffix && self.term_of(at.index) == Some(at.term) {
            return self.compact(at.index);
        }
        if at.index < self.base.index || keep_suffix {
            return Err(self.outside(at.index));
        }
        *self = Self { items: std::mem::take(&mut self.items), reset: true, ..Self::new(self.local, at) };
        Ok(())
    }

    /// Index of the round's first entry, or the one behind the last if there is none.
    fn tail_first(&self) -> u64 {
        self.last.0 + 1 - self.tail.len() as u64
    }

    fn outside(&self, index: Index) -> Misuse {
        Misuse::Outside { index, base: self.base.index, last: self.last }
    }

    /// Whether compacted items still wait to be deleted.
    pub(crate) fn has_leftovers(&self) -> bool {
        self.items.front().is_some_and(|place| place.last() <= self.base.index.0)
    }

    /// Puts what the round came to into the batch. Of two changes of one key the later one counts.
    pub(crate) fn flush(&mut self, engine: &dyn Engine, batch: &mut Batch) -> Result<Flushed, LogError> {
        self.delete_truncated(engine, batch)?;
        self.delete_compacted(batch);
        let mut flushed = Flushed::default();
        let mut first = self.tail_first();
        let tail = std::mem::take(&mut self.tail);
        let mut rest = &tail[..];
        while !rest.is_empty() {
            let (entries, behind) = rest.split_at(item::fit(rest).min(rest.len()));
            let count = entries.len() as u64;
            self.write(Index(first), entries, batch, &mut flushed);
            first += count;
            rest = behind;
        }
        Ok(flushed)
    }

    /// Deletes items behind the cut and rewrites the one that straddles it.
    fn delete_truncated(&mut self, engine: &dyn Engine, batch: &mut Batch) -> Result<(), LogError> {
        let cut = self.cut.take();
        if std::mem::take(&mut self.reset) {
            // A reset happens on a follower that installs a snapshot: its log is short, or it would not need one.
            for place in self.items.drain(..) {
                batch.delete(Space::Log, item::key(self.local, Index(place.first)));
            }
            return Ok(());
        }
        let Some(cut) = cut else { return Ok(()) };
        while let Some(place) = self.items.pop_back_if(|place| place.last() >= cut) {
            let key = item::key(self.local, Index(place.first));
            if place.first >= cut {
                batch.delete(Space::Log, key);
                continue;
            }
            let kept = usize::try_from(cut - place.first).unwrap_or(usize::MAX);
            let entries = read_item(engine, self.local, Index(place.first))?.entries(0).take(kept).collect::<Result<Vec<_>, _>>();
            let entries = entries.map_err(|source| LogError::Damaged { local: self.local, first: Index(place.first), source })?;
            self.write(Index(place.first), &entries, batch, &mut Flushed::default());
            break;
        }
        Ok(())
    }

    /// Deletes items that the base has passed, some per round.
    fn delete_compacted(&mut self, batch: &mut Batch) {
        let base = self.base.index.0;
        for _ in 0..DELETES_MAX {
            let Some(place) = self.items.pop_front_if(|place| place.last() <= base) else { return };
            batch.delete(Space::Log, item::key(self.local, Index(place.first)));
        }
    }

    fn write(&mut self, first: Index, entries: &[Entry], batch: &mut Batch, flushed: &mut Flushed) {
        let key = item::key(self.local, first);
        let value = item::encode(&key, entries);
        self.items.push_back(Place::new(first, entries.len(), value.len()));
        flushed.items += 1;
        flushed.entries += entries.len() as u64;
        flushed.bytes += value.len() as u64;
        batch.put(Space::Log, key, value);
    }

    /// Deletes every item, some per call; true when none is left.
    pub(crate) fn delete_some(&mut self, batch: &mut Batch) -> bool {
        for place in self.items.drain(..self.items.len().min(DELETES_MAX)) {
            batch.delete(Space::Log, item::key(self.local, Index(place.first)));
        }
        self.items.is_empty()
    }
}

/// Reads and verifies the item that begins at `first`.
fn read_item(engine: &dyn Engine, local: Local, first: Index) -> Result<Item, LogError> {
    let key = item::key(local, first);
    let value: Bytes = engine.get(Space::Log, &key)?.ok_or(LogError::Damaged { local, first, source: ItemError::Content })?;
    Item::parse(&key, value).map_err(|source| LogError::Damaged { local, first, source })
}
