//! A disk that makes writes durable in order and loses an unsynced suffix in a crash, and the log that lies on it.

use roadstead_spec::outbox::{Ticket, Write};
use roadstead_spec::raft::{HardState, LogShape, Run};
use roadstead_spec::{EntryId, Index, Term};
use std::collections::{BTreeMap, VecDeque};

/// An entry with its bytes; each proposal has a number of its own as payload, a no-op 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub term: Term,
    pub payload: u64,
}

/// A log with bytes, in memory or on disk.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub base: EntryId,
    entries: BTreeMap<Index, Entry>,
}

impl Log {
    /// A log from the beginning, from the terms of its entries.
    pub fn of_terms(terms: &[u64]) -> Self {
        let entry = |(number, term): (usize, &u64)| {
            let index = Index(number as u64 + 1);
            // The same entry must have the same bytes on every member that a script sets up.
            (index, Entry { term: Term(*term), payload: 1_000_000 * term + index.0 })
        };
        Self { base: EntryId::default(), entries: terms.iter().enumerate().map(entry).collect() }
    }

    /// A log of this shape, with bytes that nobody looks at.
    pub fn of_shape(shape: &LogShape) -> Self {
        let ends = shape.runs().iter().skip(1).map(|run| run.first.prev()).chain([shape.last()]);
        let runs = shape.runs().iter().zip(ends);
        let entries = runs.flat_map(|(run, end)| (run.first.0..=end.0).map(|index| (Index(index), Entry { term: run.term, payload: 0 })));
        Self { base: shape.base(), entries: entries.collect() }
    }

    pub fn last(&self) -> Index {
        self.entries.last_key_value().map_or(self.base.index, |(index, _)| *index)
    }

    pub fn get(&self, index: Index) -> Option<Entry> {
        self.entries.get(&index).copied()
    }

    /// The entry's id, also where the snapshot ends.
    pub fn id_at(&self, index: Index) -> Option<EntryId> {
        if index == self.base.index {
            return Some(self.base);
        }
        self.get(index).map(|entry| EntryId { term: entry.term, index })
    }

    /// Carries a write out, `entries` being the bytes of what it appends.
    pub fn write(&mut self, write: &Write, entries: &[Entry]) {
        match write {
            Write::Persist { truncate_from, append, .. } => {
                if let Some(from) = truncate_from {
                    self.entries.split_off(from);
                }
                if let Some(first) = append.as_ref().and_then(|append| append.runs.first()).map(|run| run.first) {
                    self.entries.extend(entries.iter().enumerate().map(|(offset, entry)| (first.plus(offset as u64), *entry)));
                }
            }
            Write::InstallSnapshot { at, keep_suffix, .. } => {
                let suffix = self.entries.split_off(&at.index.next());
                self.entries = if *keep_suffix { suffix } else { BTreeMap::new() };
                self.base = *at;
            }
        }
    }

    pub fn compact(&mut self, through: Index) {
        if let Some(base) = self.id_at(through) {
            self.entries = self.entries.split_off(&through.next());
            self.base = base;
        }
    }

    pub fn shape(&self) -> LogShape {
        let mut runs: Vec<Run> = Vec::new();
        for (index, entry) in &self.entries {
            if runs.last().is_none_or(|run| run.term != entry.term) {
                runs.push(Run { term: entry.term, first: *index });
            }
        }
        LogShape::from_runs(self.base, runs, self.last()).expect("a disk holds what the core wrote")
    }

    /// `base | 1×3 2×1`: terms with their number of entries.
    pub fn describe(&self) -> String {
        let mut runs: Vec<(Term, u64)> = Vec::new();
        for entry in self.entries.values() {
            match runs.last_mut() {
                Some((term, count)) if *term == entry.term => *count += 1,
                _ => runs.push((entry.term, 1)),
            }
        }
        let base = if self.base.index == Index(0) { String::new() } else { format!("{} |", self.base) };
        let shown = runs.iter().take(12).map(|(term, count)| format!("{term}x{count}"));
        let more = (runs.len() > 12).then(|| format!("... {} runs", runs.len()));
        let all: Vec<_> = (!base.is_empty()).then_some(base).into_iter().chain(shown).chain(more).collect();
        if all.is_empty() { "empty".into() } else { all.join(" ") }
    }
}

/// A write that is not synced yet.
#[derive(Clone, Debug)]
pub struct Job {
    pub ticket: Ticket,
    pub write: Write,
    pub entries: Vec<Entry>,
}

/// What survives a crash, and what waits for a sync.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub hard: HardState,
    pub log: Log,
    /// Through where the state machine's data is durable.
    pub applied: Index,
    pub pending: VecDeque<Job>,
}

impl Disk {
    /// Makes the oldest `count` writes durable; returns the newest ticket.
    pub fn sync(&mut self, count: usize) -> Option<Ticket> {
        let count = count.min(self.pending.len());
        let mut newest = None;
        for job in self.pending.drain(..count) {
            newest = Some(job.ticket);
            self.log.write(&job.write, &job.entries);
            match job.write {
                Write::Persist { hard, .. } => self.hard = hard.unwrap_or(self.hard),
                Write::InstallSnapshot { hard, at, .. } => {
                    self.hard = hard;
                    self.applied = at.index;
                }
            }
        }
        newest
    }

    /// The first `kept` unsynced writes reached the platter by chance, the others are gone.
    pub fn crash(&mut self, kept: usize) {
        self.sync(kept);
        self.pending.clear();
    }
}
