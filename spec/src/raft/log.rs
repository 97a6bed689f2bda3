//! The log's shape: which terms lie where, never a payload.
//!
//! ```text
//! 0 < … base.index | base.index + 1 = runs[0].first … runs[1].first … last
//!      (snapshot)  |  runs[0].term                <   runs[1].term
//! ```

use crate::{EntryId, Index, Term};
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Entries from `first` on carry `term`, up to the next run or the end.
///
/// A term has one leader, and it appends one after the other: so a term's run begins at the same index in every log that holds the
/// run's beginning (Log Matching, Raft paper §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// Term of the entries.
    pub term: Term,
    /// First index of the run.
    pub first: Index,
}

/// Most runs that one slice carries: it ends early rather than carry a fifth term.
pub const SLICE_RUNS_MAX: usize = 4;

/// No log gets here: a million entries a second take 290,000 years. What claims to is a lie, and refusing it keeps arithmetic exact.
pub const INDEX_MAX: Index = Index(u64::MAX >> 1);

/// Header of consecutive entries: all that AppendEntries needs except the bytes.
///
/// Law: `runs` is empty iff `last == prev.index` (a heartbeat or probe); otherwise `runs[0].first == prev.index + 1`,
/// firsts and terms strictly increase, `runs.last().first <= last <= INDEX_MAX` and `prev.term <= runs[0].term`. What comes from the network
/// may break it: the codec refuses a slice for which [`Slice::is_valid`] is false.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The entry right before the slice (`prevLogTerm`, `prevLogIndex` of the paper).
    pub prev: EntryId,
    /// Terms of the entries.
    pub runs: ArrayVec<Run, SLICE_RUNS_MAX>,
    /// Index of the last entry; `prev.index` if there is none.
    pub last: Index,
}

impl Slice {
    /// No entries: a heartbeat, or a probe whether `prev` matches.
    pub fn empty(prev: EntryId) -> Self {
        Self { prev, runs: ArrayVec::new(), last: prev.index }
    }

    /// Whether the law of the type holds.
    pub fn is_valid(&self) -> bool {
        if self.last > INDEX_MAX {
            return false;
        }
        let Some(first) = self.runs.first() else {
            return self.last == self.prev.index;
        };
        let follows = first.first == self.prev.index.next();
        let increases = self.runs.windows(2).all(|pair| matches!(pair, [a, b] if a.term < b.term && a.first < b.first));
        let ends = self.runs.last().is_some_and(|run| run.first <= self.last);
        follows && increases && ends && first.term >= Term(1) && self.prev.term <= first.term
    }

    /// Number of entries.
    pub fn entries(&self) -> u64 {
        self.last.0.saturating_sub(self.prev.index.0)
    }

    /// Whether it carries no entry.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Term at an index of `prev.index..=last`; `None` outside.
    pub fn term_of(&self, index: Index) -> Option<Term> {
        if index == self.prev.index {
            return Some(self.prev.term);
        }
        if index > self.last {
            return None;
        }
        self.runs.iter().rev().find(|run| run.first <= index).map(|run| run.term)
    }

    /// The last entry, or `prev` if there is none.
    pub fn last_id(&self) -> EntryId {
        EntryId { term: self.runs.last().map_or(self.prev.term, |run| run.term), index: self.last }
    }

    /// Two slices, the first of which ends with `through`: both valid, to be sent in this order. `None` unless both would carry entries.
    pub fn split(&self, through: Index) -> Option<(Self, Self)> {
        if through <= self.prev.index || through >= self.last {
            return None;
        }
        let prev = EntryId { term: self.term_of(through)?, index: through };
        let front = self.runs.iter().copied().take_while(|run| run.first <= through).collect();
        Some((Self { prev: self.prev, runs: front, last: through }, Self { prev, runs: runs_after(&self.runs, through), last: self.last }))
    }

    /// The runs of the entries behind `after`, which lies within the slice.
    pub(crate) fn runs_after(&self, after: Index) -> ArrayVec<Run, SLICE_RUNS_MAX> {
        if after >= self.last { ArrayVec::new() } else { runs_after(&self.runs, after) }
    }
}

/// Runs cut at the front so that they begin with `after + 1`.
fn runs_after(runs: &[Run], after: Index) -> ArrayVec<Run, SLICE_RUNS_MAX> {
    let first = after.next();
    let covering = runs.iter().rposition(|run| run.first <= first).unwrap_or(0);
    let tail = runs.get(covering..).unwrap_or_default();
    tail.iter().take(SLICE_RUNS_MAX).map(|run| Run { term: run.term, first: run.first.max(first) }).collect()
}

/// What a log knows of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermAt {
    /// The term of the entry there; at `base.index` that of the snapshot's last entry.
    Known(Term),
    /// Covered by the snapshot: committed, its term forgotten.
    Compacted,
    /// Behind the last entry.
    Beyond,
}

/// Shape of a log: terms, never payloads. Memory: 16 bytes per leader change since the snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogShape {
    base: EntryId,
    runs: Vec<Run>,
    last: Index,
}

impl LogShape {
    /// An empty log behind a snapshot; `EntryId::default()` is the log of a new group.
    pub fn new(base: EntryId) -> Self {
        Self { base, runs: Vec::new(), last: base.index }
    }

    /// A log as the disk holds it.
    ///
    /// # Errors
    /// When runs and ends do not make a log: see [`BadShape`].
    pub fn from_runs(base: EntryId, runs: Vec<Run>, last: Index) -> Result<Self, BadShape> {
        if last < base.index {
            return Err(BadShape::EndsBeforeBase { base, last });
        }
        if last > INDEX_MAX {
            return Err(BadShape::Endless { last });
        }
        let Some(first) = runs.first() else {
            return if last == base.index { Ok(Self::new(base)) } else { Err(BadShape::Gap { after: base.index, first: last }) };
        };
        if first.first != base.index.next() {
            return Err(BadShape::Gap { after: base.index, first: first.first });
        }
        let mut before = Run { term: base.term.max(Term(1)), first: first.first };
        for (number, run) in runs.iter().enumerate() {
            if run.term < before.term || (number > 0 && (run.term == before.term || run.first <= before.first)) {
                return Err(BadShape::Disorder { run: *run, before });
            }
            before = *run;
        }
        if before.first > last {
            return Err(BadShape::EndsBeforeRun { run: before, last });
        }
        Ok(Self { base, runs, last })
    }

    /// Last entry that the snapshot covers; `(0, 0)` for a log from the beginning.
    pub fn base(&self) -> EntryId {
        self.base
    }

    /// Runs behind `base`: firsts and terms strictly increase.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Last index; `base.index` if there are no entries.
    pub fn last(&self) -> Index {
        self.last
    }

    /// Last entry, or `base`: what elections compare (Raft paper §5.4.1).
    pub fn last_id(&self) -> EntryId {
        EntryId { term: self.runs.last().map_or(self.base.term, |run| run.term), index: self.last }
    }

    /// The term at an index: never 0 for "missing".
    pub fn term_at(&self, index: Index) -> TermAt {
        if index > self.last {
            TermAt::Beyond
        } else if index < self.base.index {
            TermAt::Compacted
        } else if index == self.base.index {
            TermAt::Known(self.base.term)
        } else {
            let run = self.run_number(index).and_then(|number| self.runs.get(number));
            run.map_or(TermAt::Beyond, |run| TermAt::Known(run.term))
        }
    }

    /// Whether the log holds this very entry (or its snapshot ends with it).
    pub fn holds(&self, entry: EntryId) -> bool {
        self.term_at(entry.index) == TermAt::Known(entry.term)
    }

    /// Up to `max` entries behind `after`, fewer where a fifth term would begin. `None` if the term at `after` is unknown here:
    /// compacted, or beyond the end.
    pub fn slice(&self, after: Index, max: u32) -> Option<Slice> {
        let TermAt::Known(term) = self.term_at(after) else {
            return None;
        };
        let prev = EntryId { term, index: after };
        let mut last = self.last.min(after.plus(u64::from(max)));
        if last == after {
            return Some(Slice::empty(prev));
        }
        let first = after.next();
        let mut runs = ArrayVec::new();
        for run in self.runs.get(self.run_number(first)?..)?.iter().take_while(|run| run.first <= last) {
            if runs.try_push(Run { term: run.term, first: run.first.max(first) }).is_err() {
                last = run.first.prev();
                break;
            }
        }
        Some(Slice { prev, runs, last })
    }

    /// Where the run that holds `index` (behind base, at or before last) lies in `runs`.
    pub(crate) fn run_number(&self, index: Index) -> Option<usize> {
        // Nearly every question is about the newest run.
        if self.runs.last().is_some_and(|run| run.first <= index) {
            return self.runs.len().checked_sub(1);
        }
        self.runs.partition_point(|run| run.first <= index).checked_sub(1)
    }

    /// The last index whose term is at most `term`; 0 stands before everything. Meaningless below `base`.
    pub(crate) fn last_with_term_at_most(&self, term: Term) -> Index {
        let newer = self.runs.partition_point(|run| run.term <= term);
        self.runs.get(newer).map_or(self.last, |run| run.first.prev())
    }

    /// Appends entries of one term. Terms below the last one are the caller's mistake and change nothing.
    pub(crate) fn append(&mut self, term: Term, count: u64) {
        if count == 0 || term < self.last_id().term {
            return;
        }
        if self.runs.last().is_none_or(|run| run.term != term) {
            self.runs.push(Run { term, first: self.last.next() });
        }
        self.last = self.last.plus(count);
    }

    /// Appends runs that follow the last entry, ending with `last`.
    pub(crate) fn append_runs(&mut self, runs: &[Run], last: Index) {
        for run in runs {
            if self.runs.last().is_none_or(|newest| newest.term < run.term) {
                self.runs.push(*run);
            }
        }
        self.last = self.last.max(last);
    }

    /// Deletes the entries from `index` on; what the snapshot covers stays.
    pub(crate) fn truncate_from(&mut self, index: Index) {
        let keep = self.runs.partition_point(|run| run.first < index);
        self.runs.truncate(keep);
        self.last = self.last.min(index.prev()).max(self.base.index);
    }

    /// Moves the base up to an entry of the log.
    pub(crate) fn compact_to(&mut self, through: Index) {
        let TermAt::Known(term) = self.term_at(through) else {
            return;
        };
        let first = through.next();
        let gone = self.runs.partition_point(|run| run.first <= first).saturating_sub(1);
        if through == self.last {
            self.runs.clear();
        } else {
            self.runs.drain(..gone);
            if let Some(run) = self.runs.first_mut() {
                run.first = run.first.max(first);
            }
        }
        self.base = EntryId { term, index: through };
    }
}

/// Why runs are no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadShape {
    /// The last index lies before the snapshot's.
    EndsBeforeBase {
        /// The snapshot's last entry.
        base: EntryId,
        /// The log's last index.
        last: Index,
    },
    /// The last index is beyond [`INDEX_MAX`].
    Endless {
        /// The log's last index.
        last: Index,
    },
    /// Entries are missing.
    Gap {
        /// The last index before the gap.
        after: Index,
        /// The first index behind it.
        first: Index,
    },
    /// Terms or indices do not increase, or a term is 0.
    Disorder {
        /// The run out of order.
        run: Run,
        /// What stands before it.
        before: Run,
    },
    /// The last run begins behind the last index.
    EndsBeforeRun {
        /// The run.
        run: Run,
        /// The log's last index.
        last: Index,
    },
}

impl fmt::Display for BadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsBeforeBase { base, last } => write!(f, "the log ends with entry {last}, before its snapshot's {}", base.index),
            Self::Endless { last } => write!(f, "the log ends with entry {last}, where no log ends"),
            Self::Gap { after, first } => write!(f, "the log's entries between {after} and {first} are missing"),
            Self::Disorder { run, before } => {
                write!(f, "term {} from entry {} on follows term {} from entry {}", run.term, run.first, before.term, before.first)
            }
            Self::EndsBeforeRun { run, last } => {
                write!(f, "the log ends with entry {last}, but term {} begins with {}", run.term, run.first)
            }
        }?;
        f.write_str(": the log is damaged; `roadstead check DATA` says more")
    }
}

impl core::error::Error for BadShape {}
