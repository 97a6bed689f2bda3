//! What survives a crash.

use super::Wrong;
use roadstead_spec::{
    EntryId, Index, Term,
    raft::{HardState, LogShape, Mark, Run},
};
use std::collections::BTreeMap;

/// An entry with its content; 0 is the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub term: Term,
    pub value: u64,
}

/// A state machine: a digest of everything applied, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    pub at: EntryId,
    pub digest: u64,
}

impl Machine {
    pub fn apply(&mut self, index: Index, entry: Entry) {
        self.at = EntryId { term: entry.term, index };
        for number in [index.0, entry.term.0, entry.value] {
            self.digest = (self.digest ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        }
    }
}

/// One atomic step of the disk.
#[derive(Clone, Debug)]
pub enum Write {
    Persist { hard: Option<HardState>, truncate_from: Option<Index>, entries: Vec<(u64, Entry)>, mark: Mark },
    Install { hard: HardState, machine: Machine, keep_suffix: bool, mark: Mark },
    Compact { base: EntryId },
}

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub hard: HardState,
    pub base: EntryId,
    pub entries: BTreeMap<u64, Entry>,
    /// The state machine as of its last checkpoint.
    pub machine: Machine,
    /// A received snapshot, durable beside everything else.
    pub staged: Option<Machine>,
}

impl Disk {
    /// Carries out a write; what `Persisted` reports, if it is one that reports.
    pub fn write(&mut self, write: Write) -> Option<Mark> {
        match write {
            Write::Persist { hard, truncate_from, entries, mark } => {
                self.hard = hard.unwrap_or(self.hard);
                if let Some(from) = truncate_from {
                    self.entries.split_off(&from.0);
                }
                self.entries.extend(entries);
                Some(mark)
            }
            Write::Install { hard, machine, keep_suffix, mark } => {
                self.hard = hard;
                self.base = machine.at;
                self.entries = if keep_suffix { self.entries.split_off(&(machine.at.index.0 + 1)) } else { BTreeMap::new() };
                self.machine = machine;
                Some(mark)
            }
            Write::Compact { base } => {
                self.entries = self.entries.split_off(&(base.index.0 + 1));
                self.base = base;
                None
            }
        }
    }

    /// Whether the entry is stored here, or covered by the snapshot.
    pub fn holds(&self, index: Index, entry: Entry) -> bool {
        index <= self.base.index || self.entries.get(&index.0) == Some(&entry)
    }

    /// The log's shape, as a store would rebuild it.
    pub fn shape(&self) -> Result<LogShape, Wrong> {
        let mut runs: Vec<Run> = Vec::new();
        let mut last = self.base.index.0;
        for (&index, entry) in &self.entries {
            if index != last + 1 {
                return Err(format!("the disk lacks entries between {last} and {index}"));
            }
            if runs.last().is_none_or(|run| run.term != entry.term) {
                runs.push(Run { term: entry.term, first: Index(index) });
            }
            last = index;
        }
        LogShape::from_runs(self.base, runs, Index(last)).map_err(|error| error.to_string())
    }
}
