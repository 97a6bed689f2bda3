//! What survives a crash: term and vote, the log's shape, and how far the state machine is.
//!
//! Entries are named, not stored: the same id means the same bytes (Log Matching). The state machine is the index that it has applied; its durable
//! form is also the snapshot that a node streams to others.

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    outbox::Write,
    raft::{HardState, LogShape, Run, TermAt},
};
use std::collections::VecDeque;

/// The durable part of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Disk {
    /// Term and vote.
    pub hard: HardState,
    /// The log.
    pub log: LogShape,
    /// The state machine as of its newest checkpoint: the last entry that it says to have applied.
    pub snapshot: EntryId,
    /// How far its data really reaches. The same index, as long as both are written in one step (DUTY-5).
    pub data: Index,
}

/// One change of the disk, as it was handed out. Honest ones are what the outbox said; the parts exist for environments that fail their duty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A write of the outbox, whole.
    Whole(Write),
    /// Entries through this index go.
    Compact {
        /// The last one that goes.
        through: Index,
    },
    /// Only the term, of a write that was taken apart.
    Term(Term),
    /// Only the vote.
    Vote(Option<NodeId>),
    /// Only the log's reset by a snapshot, without its data.
    Reset {
        /// The snapshot's last entry.
        at: EntryId,
        /// Whether entries behind it stay.
        keep_suffix: bool,
        /// Whether the snapshot counts as complete already.
        named: bool,
    },
    /// Nothing at all: a write that failed and was not noticed.
    Nothing,
}

/// A change on its way to the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Whether the outbox hears of it: its oldest pending ticket is then durable. Not the ticket itself, so that two states that will behave alike are equal.
    pub reports: bool,
    /// What changes.
    pub change: Change,
}

/// Changes on their way, oldest first. A crash loses a suffix of them.
pub type Jobs = VecDeque<Job>;

impl Disk {
    /// A member that was never started, in a group whose terms begin behind `term`.
    pub fn new(term: Term) -> Self {
        Self { hard: HardState { term, vote: None }, ..Self::default() }
    }

    /// Whether this disk holds the entry, or a snapshot that covers it.
    pub fn holds(&self, entry: EntryId) -> bool {
        match self.log.term_at(entry.index) {
            TermAt::Known(term) => term == entry.term,
            TermAt::Compacted => true,
            TermAt::Beyond => false,
        }
    }

    /// Carries out a change. True if entries may have gone that were here.
    pub fn change(&mut self, change: &Change) -> bool {
        match change {
            Change::Whole(Write::Persist { hard, truncate_from, append }) => {
                self.hard = hard.unwrap_or(self.hard);
                let runs = append.as_ref().map_or(&[][..], |append| &append.runs[..]);
                let first = runs.first().map(|run| run.first);
                let cut = match (truncate_from, first) {
                    (Some(from), Some(first)) => Some((*from).min(first)),
                    (from, first) => from.or(first),
                };
                if let Some(cut) = cut {
                    let end = append.as_ref().map_or(cut.prev(), |append| append.last);
                    self.log = rewritten(&self.log, cut, runs, end);
                }
                truncate_from.is_some()
            }
            Change::Whole(Write::InstallSnapshot { hard, at, keep_suffix }) => {
                self.hard = *hard;
                self.reset(*at, *keep_suffix);
                self.snapshot = *at;
                self.data = at.index;
                true
            }
            Change::Compact { through } => {
                self.log = compacted(&self.log, *through);
                false
            }
            Change::Term(term) => {
                self.hard.term = *term;
                false
            }
            Change::Vote(vote) => {
                self.hard.vote = *vote;
                false
            }
            Change::Reset { at, keep_suffix, named } => {
                self.reset(*at, *keep_suffix);
                if *named {
                    self.snapshot = *at;
                }
                true
            }
            Change::Nothing => false,
        }
    }

    /// Makes the state machine durable as it is.
    pub fn checkpoint(&mut self, at: EntryId, data: Index) {
        self.snapshot = at;
        self.data = data;
    }

    fn reset(&mut self, at: EntryId, keep_suffix: bool) {
        self.log = if keep_suffix && at.index <= self.log.last() { compacted(&self.log, at.index) } else { LogShape::new(at) };
    }
}

/// A log whose entries from `cut` on are replaced by these runs, ending with `end`. What would be no log is left as it was, as a broken store would: the laws
/// about disks see it.
fn rewritten(log: &LogShape, cut: Index, new: &[Run], end: Index) -> LogShape {
    let mut runs: Vec<Run> = log.runs().iter().copied().filter(|run| run.first < cut).collect();
    for run in new {
        if runs.last().is_none_or(|newest| newest.term < run.term) {
            runs.push(*run);
        }
    }
    LogShape::from_runs(log.base(), runs, end.max(log.base().index)).unwrap_or_else(|_| log.clone())
}

/// A log whose base is moved up to one of its entries.
fn compacted(log: &LogShape, through: Index) -> LogShape {
    let TermAt::Known(term) = log.term_at(through) else { return log.clone() };
    let first = through.next();
    let covering = log.runs().iter().rposition(|run| run.first <= first).unwrap_or(0);
    let mut runs: Vec<Run> = log.runs().iter().skip(covering).copied().collect();
    match runs.first_mut() {
        Some(run) if through < log.last() => run.first = run.first.max(first),
        _ => runs.clear(),
    }
    LogShape::from_runs(EntryId { term, index: through }, runs, log.last()).unwrap_or_else(|_| log.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: u64, terms: &[u64]) -> LogShape {
        let mut runs: Vec<Run> = Vec::new();
        for (number, &term) in terms.iter().enumerate() {
            if runs.last().is_none_or(|run| run.term != Term(term)) {
                runs.push(Run { term: Term(term), first: Index(base + number as u64 + 1) });
            }
        }
        LogShape::from_runs(EntryId { term: Term(base.min(1)), index: Index(base) }, runs, Index(base + terms.len() as u64)).expect("a log")
    }

    #[test]
    fn a_rewrite_replaces_the_rest() {
        let new = [Run { term: Term(3), first: Index(2) }];
        assert_eq!(rewritten(&log(0, &[1, 1, 2]), Index(2), &new, Index(3)), log(0, &[1, 3, 3]));
        assert_eq!(rewritten(&log(0, &[1, 1, 2]), Index(2), &[], Index(1)), log(0, &[1]));
    }

    #[test]
    fn compaction_keeps_the_rest() {
        assert_eq!(compacted(&log(0, &[1, 1, 2]), Index(1)), log(1, &[1, 2]));
        assert_eq!(compacted(&log(0, &[1, 1]), Index(2)).last(), Index(2));
        assert_eq!(compacted(&log(0, &[1]), Index(3)), log(0, &[1]));
    }
}
