//! The newest entries of a group's log, with their bytes, in memory.
//!
//! What is sent and applied in normal operation comes from here, so that the event loop never reads the database. Entries that are not
//! yet applied are never evicted: their number is bounded where writes are accepted (`Limits::unapplied_entries_max`).

use crate::store::entry::Entry;
use roadstead_spec::Index;
use std::collections::VecDeque;

/// Consecutive entries `first ..= last`, or none (then `first` is the next index to push).
#[derive(Debug)]
pub(crate) struct Tail {
    first: Index,
    entries: VecDeque<Entry>,
    bytes: usize,
}

/// Memory that an entry takes besides its payload; a round figure.
const ENTRY_OVERHEAD_BYTES: usize = 64;

impl Tail {
    /// An empty tail behind `last`, the last entry of the log.
    pub(crate) fn behind(last: Index) -> Self {
        Self { first: last.next(), entries: VecDeque::new(), bytes: 0 }
    }

    /// Adds the entry at `index`, dropping whatever is held from there on (a conflict overwrote it). An index behind a gap starts the tail anew.
    pub(crate) fn push(&mut self, index: Index, entry: Entry) {
        if index < self.first || index > self.end() {
            *self = Self::behind(index.prev());
        } else {
            self.truncate_from(index);
        }
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
    }

    /// Drops the entries from `index` on.
    pub(crate) fn truncate_from(&mut self, index: Index) {
        if index <= self.first {
            *self = Self::behind(index.prev());
        }
        while self.end() > index {
            self.entries.pop_back().iter().for_each(|entry| self.bytes -= cost(entry));
        }
    }

    /// The entries `first ..= last` if all of them are held.
    pub(crate) fn range(&self, first: Index, last: Index) -> Option<impl Iterator<Item = &Entry> + Clone> {
        if first < self.first || last >= self.end() {
            return None;
        }
        let from = (first.0 - self.first.0) as usize;
        let to = (last.0 + 1).saturating_sub(self.first.0) as usize;
        Some(self.entries.range(from.min(to)..to))
    }

    /// Drops entries at or below `safe` (applied, and needed by no peer that keeps up), and, while more than `bytes_max` are held, at or below `forced` (applied).
    pub(crate) fn evict(&mut self, safe: Index, forced: Index, bytes_max: usize) {
        while self.first <= safe || (self.bytes > bytes_max && self.first <= forced) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes -= cost(&entry);
            self.first = self.first.next();
        }
    }

    /// Gives memory back as far as nothing is held.
    pub(crate) fn rest(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn end(&self) -> Index {
        self.first.plus(self.entries.len() as u64)
    }
}

fn cost(entry: &Entry) -> usize {
    entry.payload.len() + ENTRY_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entry::EntryKind;
    use bytes::Bytes;
    use roadstead_spec::Term;

    fn entry(term: u64) -> Entry {
        Entry { term: Term(term), kind: EntryKind::Command, payload: Bytes::from_static(b"abcd") }
    }

    fn terms(tail: &Tail, first: u64, last: u64) -> Option<Vec<u64>> {
        tail.range(Index(first), Index(last)).map(|entries| entries.map(|entry| entry.term.0).collect())
    }

    #[test]
    fn holds_what_was_pushed_and_overwrites_conflicts() {
        let mut tail = Tail::behind(Index(4));
        for index in 5..=8 {
            tail.push(Index(index), entry(1));
        }
        assert_eq!(terms(&tail, 5, 8), Some(vec![1, 1, 1, 1]));
        assert_eq!(terms(&tail, 6, 7), Some(vec![1, 1]));
        assert_eq!(terms(&tail, 4, 7), None, "not held");
        assert_eq!(terms(&tail, 7, 9), None, "beyond the end");
        tail.push(Index(7), entry(2));
        assert_eq!(terms(&tail, 5, 7), Some(vec![1, 1, 2]));
        assert_eq!(terms(&tail, 5, 8), None, "the conflict dropped what stood behind it");
    }

    #[test]
    fn a_gap_or_an_older_index_starts_anew() {
        let mut tail = Tail::behind(Index(0));
        tail.push(Index(1), entry(1));
        tail.push(Index(5), entry(2));
        assert_eq!(terms(&tail, 5, 5), Some(vec![2]));
        assert_eq!(terms(&tail, 1, 1), None);
        tail.push(Index(3), entry(3));
        assert_eq!(terms(&tail, 3, 3), Some(vec![3]));
        assert_eq!(tail.bytes(), 4 + ENTRY_OVERHEAD_BYTES);
    }

    #[test]
    fn evicts_what_is_safe_and_under_pressure_what_is_applied() {
        let mut tail = Tail::behind(Index(0));
        for index in 1..=10 {
            tail.push(Index(index), entry(1));
        }
        tail.evict(Index(3), Index(6), usize::MAX);
        assert_eq!(terms(&tail, 4, 10).map(|t| t.len()), Some(7));
        tail.evict(Index(3), Index(6), 0);
        assert_eq!(terms(&tail, 7, 10).map(|t| t.len()), Some(4), "unapplied entries stay whatever the limit");
        tail.truncate_from(Index(2));
        assert_eq!(tail.bytes(), 0);
        tail.push(Index(2), entry(4));
        assert_eq!(terms(&tail, 2, 2), Some(vec![4]));
    }

    #[test]
    fn an_empty_range_right_behind_the_end_is_held() {
        let tail = Tail::behind(Index(7));
        assert_eq!(terms(&tail, 8, 7), Some(vec![]));
    }
}
