//! Which revisions each key has: what a read needs to find its items, in memory, rebuilt from the items at start.
//!
//! An ordered map, because ranges are half of the interface, and a B-tree, because it grows node by node: all members of a group hold the same keys,
//! so a structure that rehashes or moves as a whole would stop all of them in the same moment. One key's history is contiguous, so that
//! moves when it grows, at 16 bytes per superseded revision of that key alone.
//!
//! Memory per key: a slot of 64 bytes in nodes that are between half and fully used, and an allocation for keys of more than 22 bytes. Measured with a
//! million 16-byte keys in no order: 107 bytes per key. Each superseded revision that is not yet swept: 16 bytes.

use std::{collections::BTreeMap, collections::VecDeque, ops::Bound};

use super::{item::Revision, key::Key};

/// What a removal costs, in keys looked at: it goes to the store and frees memory that no cache holds.
pub(super) const REMOVAL_COST: usize = 16;

/// One change of a key, as far as reads must know it before they fetch the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) revision: Revision,
    pub(super) tombstone: bool,
}

/// What a put continues: where the key was created and how often it was put since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) create: i64,
    pub(super) version: i64,
}

/// The changes of one key.
#[derive(Clone, Debug)]
pub(super) struct History {
    last: Stamp,
    /// Of `last`; zeroes if that is a tombstone.
    life: Life,
    /// Those before `last`, ascending. Most keys have none, so it costs them a pointer only.
    older: Option<Box<Older>>,
}

/// Superseded changes: pushed at the back by writes, removed at the front by sweeps.
#[derive(Clone, Debug, Default)]
struct Older(VecDeque<Stamp>);

impl History {
    fn new(revision: Revision, life: Option<Life>) -> Self {
        Self { last: Stamp { revision, tombstone: life.is_none() }, life: life.unwrap_or(Life { create: 0, version: 0 }), older: None }
    }

    /// Adds a change; `None` for a tombstone.
    fn push(&mut self, revision: Revision, life: Option<Life>) {
        let next = Self::new(revision, life);
        self.older.get_or_insert_default().0.push_back(self.last);
        (self.last, self.life) = (next.last, next.life);
    }

    /// The newest put, unless the key is deleted.
    pub(super) fn live(&self) -> Option<(Revision, Life)> {
        (!self.last.tombstone).then_some((self.last.revision, self.life))
    }

    /// The last change at or before a main revision.
    fn last_at(&self, main: i64) -> Option<Stamp> {
        if self.last.revision.main <= main {
            return Some(self.last);
        }
        let older = &self.older.as_ref()?.0;
        let after = older.partition_point(|stamp| stamp.revision.main <= main);
        older.get(after.checked_sub(1)?).copied()
    }

    /// The put that a read at a main revision sees.
    fn put_at(&self, main: i64) -> Option<Revision> {
        self.last_at(main).filter(|stamp| !stamp.tombstone).map(|stamp| stamp.revision)
    }

    /// The one change at or before a compaction that stays: the key's state at that revision. A tombstone has nothing to tell any more, except
    /// to those that watch from the compact revision itself (as etcd since 3.5.19).
    fn survivor(&self, compacted: i64) -> Option<Revision> {
        let last = self.last_at(compacted)?;
        (!last.tombstone || last.revision.main == compacted).then_some(last.revision)
    }

    /// Removes the oldest change that a compaction makes superfluous.
    fn pop_superseded(&mut self, compacted: i64) -> Option<Popped> {
        let survivor = self.survivor(compacted);
        let superseded = |stamp: &Stamp| stamp.revision.main <= compacted && Some(stamp.revision) != survivor;
        let Some(older) = &mut self.older else {
            return superseded(&self.last).then_some(Popped::Last(self.last.revision));
        };
        let popped = older.0.front().copied().filter(superseded).and_then(|_| older.0.pop_front())?;
        if older.0.is_empty() {
            self.older = None;
        } else if older.0.len() < older.0.capacity() / 4 {
            older.0.shrink_to(older.0.len() * 2);
        }
        Some(Popped::Older(popped.revision))
    }
}

/// A change that a sweep takes out of a history.
enum Popped {
    /// One of several.
    Older(Revision),
    /// The only one: the key goes with it.
    Last(Revision),
}

/// A set of keys: one, or a half-open range. Built from a request's `key` and `range_end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    start: &'a [u8],
    range_end: &'a [u8],
}

/// Bounds of an ordered map's range.
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

impl<'a> Span<'a> {
    pub(super) fn new(key: &'a [u8], range_end: &'a [u8]) -> Self {
        Self { start: key, range_end }
    }

    /// As bounds of a map; `None` if the range is empty.
    fn bounds(self) -> Option<Bounds<'a>> {
        let end = match self.range_end {
            [] => Bound::Included(self.start),
            [0] => Bound::Unbounded,
            end if self.start < end => Bound::Excluded(end),
            _ => return None,
        };
        Some((Bound::Included(self.start), end))
    }
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keys: BTreeMap<Key, History>,
}

impl Index {
    /// Adds a put and says what it continues: a new life if the key did not exist.
    pub(super) fn put(&mut self, key: &[u8], revision: Revision) -> Life {
        let first = Life { create: revision.main, version: 1 };
        if let Some(history) = self.keys.get_mut(key) {
            let life = history.live().map_or(first, |(_, life)| Life { create: life.create, version: life.version + 1 });
            history.push(revision, Some(life));
            return life;
        }
        self.keys.insert(key.into(), History::new(revision, Some(first)));
        first
    }

    /// Adds a tombstone for every key of a span that exists, at the revisions that `next` hands out.
    pub(super) fn delete<E>(&mut self, span: Span<'_>, mut next: impl FnMut(&[u8]) -> Result<Revision, E>) -> Result<(), E> {
        let Some(bounds) = span.bounds() else { return Ok(()) };
        for (key, history) in self.keys.range_mut::<[u8], _>(bounds) {
            if history.live().is_some() {
                history.push(next(key.as_bytes())?, None);
            }
        }
        Ok(())
    }

    /// Adds a change that is in the store already; `None` for a tombstone. Changes come in ascending order.
    pub(super) fn load(&mut self, key: &[u8], revision: Revision, life: Option<Life>) {
        match self.keys.get_mut(key) {
            Some(history) => history.push(revision, life),
            None => drop(self.keys.insert(key.into(), History::new(revision, life))),
        }
    }

    /// The newest put of a key.
    pub(super) fn live(&self, key: &[u8]) -> Option<(Revision, Life)> {
        self.keys.get(key)?.live()
    }

    /// The newest puts of all keys of a span that exist, in key order.
    pub(super) fn live_in(&self, span: Span<'_>) -> impl Iterator<Item = (Revision, Life)> {
        self.histories(span).filter_map(History::live)
    }

    /// The puts of a span that a read at a main revision sees, in key order.
    pub(super) fn puts_at(&self, span: Span<'_>, main: i64) -> impl Iterator<Item = Revision> {
        self.histories(span).filter_map(move |history| history.put_at(main))
    }

    fn histories(&self, span: Span<'_>) -> impl Iterator<Item = &History> {
        span.bounds().into_iter().flat_map(|bounds| self.keys.range::<[u8], _>(bounds)).map(|(_, history)| history)
    }

    /// Whether a change is still part of the data after a compaction, whether or not it was swept yet.
    pub(super) fn is_visible(&self, key: &[u8], revision: Revision, compacted: i64) -> bool {
        revision.main > compacted || self.keys.get(key).and_then(|history| history.survivor(compacted)) == Some(revision)
    }

    /// Looks at the keys from `start` on and removes what a compaction made superfluous, handing it to `removed`. Ends when it has
    /// spent `budget`: 1 for each key and [`REMOVAL_COST`] for each removal; returns the key to go on with, or `None` after the last one.
    pub(super) fn sweep(&mut self, start: &[u8], compacted: i64, budget: usize, mut removed: impl FnMut(Revision)) -> Option<Box<[u8]>> {
        let mut spent = 0;
        let mut emptied = Vec::new();
        let mut go_on = None;
        'keys: for (key, history) in self.keys.range_mut::<[u8], _>((Bound::Included(start), Bound::Unbounded)) {
            spent += 1;
            loop {
                if spent >= budget {
                    go_on = Some(key.as_bytes().into());
                    break 'keys;
                }
                let Some(popped) = history.pop_superseded(compacted) else { break };
                spent += REMOVAL_COST;
                match popped {
                    Popped::Older(revision) => removed(revision),
                    Popped::Last(revision) => {
                        removed(revision);
                        emptied.push(key.clone());
                        break;
                    }
                }
            }
        }
        for key in emptied {
            self.keys.remove(key.as_bytes());
        }
        go_on
    }
}
