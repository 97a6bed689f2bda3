//! An abstract disk: a log database that is synced once per round, a state database that is synced now and then, and a witness with two slots.
//!
//! What the real one promises is written in `impl/src/store/engine.rs` (batches are atomic and become durable in order), `impl/src/store/log.rs` (what a
//! write does to a log), `impl/src/store/witness.rs` (slots in turn, after the sync) and `impl/src/applier/data.rs` (applied entry and data in one batch).

use roadstead_spec::{
    EntryId, Index, Term,
    outbox::Write,
    raft::{HardState, Run},
};
use std::collections::{BTreeMap, BTreeSet};

/// What the log database holds of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Image {
    /// Term and vote.
    pub hard: HardState,
    /// The entry before the first one.
    pub base: EntryId,
    /// Terms of the entries behind `base`.
    pub terms: Vec<u8>,
    /// Under which epoch the state database holds the group's data.
    pub epoch: u8,
    /// Its items do not make a log: opening it says so.
    pub damaged: bool,
}

impl Image {
    /// Index of the last entry.
    pub fn last(&self) -> u8 {
        self.base.index.0 as u8 + self.terms.len() as u8
    }

    /// The last entry.
    pub fn last_id(&self) -> EntryId {
        self.entry(self.last()).unwrap_or(self.base)
    }

    /// The entry at an index, if it is there.
    pub fn entry(&self, index: u8) -> Option<EntryId> {
        let base = self.base.index.0 as u8;
        if index == base {
            return Some(self.base);
        }
        let term = self.terms.get(usize::from(index.checked_sub(base + 1)?))?;
        Some(id(*term, index))
    }

    /// Whether this entry is there, or behind the beginning.
    pub fn covers(&self, entry: EntryId) -> bool {
        entry.index <= self.base.index || self.entry(entry.index.0 as u8) == Some(entry)
    }

    /// Terms as production keeps them.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (index, term) in (self.base.index.0 + 1..).zip(&self.terms) {
            let term = Term((*term).into());
            if runs.last().is_none_or(|run| run.term != term) {
                runs.push(Run { term, first: Index(index) });
            }
        }
        runs
    }

    /// Takes a change; what does not fit shows when the log is opened.
    pub fn take(&mut self, change: &Change) {
        let base = self.base.index.0 as u8;
        match change {
            Change::Hard(hard) => self.hard = *hard,
            Change::Truncate(from) => self.terms.truncate(usize::from(from.saturating_sub(base + 1))),
            Change::Append { first, terms } => {
                if *first == self.last() + 1 {
                    self.terms.extend(terms);
                } else {
                    self.damaged = true;
                }
            }
            Change::Drop(through) => {
                if *through > base {
                    self.damaged = true; // until the base says so, too
                }
            }
            Change::Base { at, keep } => {
                let gone = usize::from((at.index.0 as u8).saturating_sub(base));
                if *keep && gone <= self.terms.len() {
                    self.terms.drain(..gone);
                    self.damaged = false;
                } else if *keep {
                    self.damaged = true;
                } else {
                    self.terms.clear();
                }
                self.base = *at;
            }
            Change::Epoch(epoch) => self.epoch = *epoch,
        }
    }
}

/// One change of one group's part of the log database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Term and vote.
    Hard(HardState),
    /// Entries from here on go.
    Truncate(u8),
    /// Entries come.
    Append {
        /// Index of the first.
        first: u8,
        /// Their terms.
        terms: Vec<u8>,
    },
    /// Entries through here are deleted. (Production deletes behind the base, so that this changes nothing.)
    Drop(u8),
    /// The log begins behind this entry.
    Base {
        /// The entry.
        at: EntryId,
        /// Whether the entries behind it stay.
        keep: bool,
    },
    /// The group's data lies under this epoch.
    Epoch(u8),
}

/// The changes of a write of the outbox. A snapshot's data lies under `epoch`.
pub(super) fn changes(write: &Write, epoch: u8) -> Vec<Change> {
    match write {
        Write::Persist { hard, truncate_from, append } => {
            let truncate = truncate_from.map(|from| Change::Truncate(from.0 as u8));
            let append = append.as_ref().and_then(|append| {
                let first = append.runs.first()?.first.0 as u8;
                let terms = append.runs.first().map(|run| run.term.0 as u8);
                let count = append.last.0 as u8 + 1 - first;
                Some(Change::Append { first, terms: vec![terms.unwrap_or(0); usize::from(count)] })
            });
            truncate.into_iter().chain(append).chain(hard.map(Change::Hard)).collect()
        }
        Write::InstallSnapshot { hard, at, keep_suffix } => {
            vec![Change::Base { at: *at, keep: *keep_suffix }, Change::Epoch(epoch), Change::Hard(*hard)]
        }
    }
}

/// A change of the log database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Of one group.
    Group {
        /// The group's number in this store.
        local: u8,
        /// What changes.
        change: Change,
    },
    /// A group begins.
    Create {
        /// Its number, never used before.
        local: u8,
        /// The group.
        group: u8,
        /// Which life of it.
        life: u8,
    },
    /// A group ends for good.
    Remove {
        /// Its number.
        local: u8,
        /// Whether a tombstone stays.
        tombstone: bool,
    },
}

/// The log database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    /// Groups by number: which group, which life, what it holds.
    pub groups: BTreeMap<u8, (u8, u8, Image)>,
    /// Lives that were removed for good.
    pub tombstones: BTreeSet<(u8, u8)>,
    /// The next number.
    pub next: u8,
    /// Number of the last round.
    pub round: u8,
}

impl Log {
    /// Takes changes.
    pub fn take(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Group { local, change } => {
                    if let Some((_, _, image)) = self.groups.get_mut(local) {
                        image.take(change);
                    }
                }
                Item::Create { local, group, life } => {
                    self.groups.insert(*local, (*group, *life, Image::default()));
                    self.next = self.next.max(local + 1);
                }
                Item::Remove { local, tombstone } => {
                    if let Some((group, life, _)) = self.groups.remove(local)
                        && *tombstone
                    {
                        self.tombstones.insert((group, life));
                    }
                }
            }
        }
    }
}

/// What the state database holds of one group under one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Data {
    /// The record of the applied entry.
    pub applied: EntryId,
    /// The last entry whose effect the data shows.
    pub shows: EntryId,
}

/// A change of the state database; data is named by group number and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateItem {
    /// Data that shows an entry.
    Data((u8, u8), EntryId),
    /// The record of the applied entry.
    Applied((u8, u8), EntryId),
    /// Everything under one epoch goes.
    Sweep((u8, u8)),
    /// Everything of a group goes.
    Destroy(u8),
}

/// The state database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct States(pub BTreeMap<(u8, u8), Data>);

impl States {
    /// Takes changes; `destroys` says which group's data lie under the keys that one group's end deletes.
    pub fn take(&mut self, items: &[StateItem], destroys: fn(gone: u8, other: u8) -> bool) {
        for item in items {
            match *item {
                StateItem::Data(key, shows) => self.0.entry(key).or_default().shows = shows,
                StateItem::Applied(key, applied) => self.0.entry(key).or_default().applied = applied,
                StateItem::Sweep(key) => drop(self.0.remove(&key)),
                StateItem::Destroy(gone) => self.0.retain(|(local, _), _| !destroys(gone, *local)),
            }
        }
    }
}

/// The witness file: the round that each slot remembers; `None` is blank or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Witness {
    /// Both slots.
    pub slots: [Option<u8>; 2],
    /// What is being written: the slot, the round.
    pub writing: Option<(usize, u8)>,
}

impl Witness {
    /// The round that it remembers.
    pub fn newest(&self) -> Option<u8> {
        self.slots.iter().copied().flatten().max()
    }
}

/// Everything that a crash leaves something of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Disk {
    /// The log database as far as it is synced.
    pub log: Log,
    /// Batches that are written and not synced.
    pub written: Vec<Vec<Item>>,
    /// What it held some rounds ago, for a journal that loses its tail in silence.
    pub earlier: Vec<Log>,
    /// The state database as far as it is synced.
    pub states: States,
    /// Batches of it that are not.
    pub states_written: Vec<Vec<StateItem>>,
    /// The witness.
    pub witness: Witness,
}

/// An entry.
pub(super) const fn id(term: u8, index: u8) -> EntryId {
    EntryId { term: Term(term as u64), index: Index(index as u64) }
}
