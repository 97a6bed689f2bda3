//! DUTY-2 across a crash: what a group's disk may hold when the next boot looks at it.
//!
//! A disk of its own, of ids without bytes, written from the papers' words and not from the core's code: the core's log shape is what it is compared with.

use roadstead_spec::{
    EntryId, Index, Term,
    outbox::Ticket,
    raft::{HardState, LogShape, Run, State},
    trace::{Content, Written},
};
use std::collections::VecDeque;

/// A group's part of a disk, as far as it is known to be durable, and what is on its way there.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    held: Held,
    pending: VecDeque<Pending>,
    /// Where the log may begin instead of where it begins for sure: compactions need not be durable.
    given_up: Vec<Index>,
}

/// Term, vote and log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    hard: HardState,
    base: EntryId,
    runs: Vec<Run>,
    last: Index,
}

/// A write that may be lost yet.
#[derive(Clone, Debug)]
struct Pending {
    ticket: Ticket,
    write: Written,
    first: Index,
    /// Terms of the entries that it appends.
    runs: Vec<Run>,
    last: Index,
}

impl Disk {
    /// The disk that a boot found.
    pub(super) fn found(state: &State) -> Self {
        let (hard, log) = (state.hard, &state.log);
        let held = Held { hard, base: log.base(), runs: log.runs().to_vec(), last: log.last() };
        Self { held, pending: VecDeque::new(), given_up: Vec::new() }
    }

    pub(super) fn issue(&mut self, ticket: Ticket, write: Written, content: &Content) {
        let mut runs: Vec<Run> = Vec::new();
        for (index, (term, _)) in (content.first.0..).map(Index).zip(&content.entries) {
            if runs.last().is_none_or(|run| run.term != *term) {
                runs.push(Run { term: *term, first: index });
            }
        }
        let last = Index((content.first.0 + content.entries.len() as u64).saturating_sub(1));
        self.pending.push_back(Pending { ticket, write, first: content.first, runs, last });
    }

    /// True if entries may have gone that were here.
    pub(super) fn durable(&mut self, through: Ticket) -> bool {
        let mut may_lose = false;
        while let Some(write) = self.pending.pop_front_if(|write| write.ticket <= through) {
            may_lose |= write.may_lose();
            self.held.write(&write);
        }
        let base = self.held.base.index;
        self.given_up.retain(|index| *index > base);
        may_lose
    }

    /// Whether the entry, or a snapshot that covers it, is durable.
    pub(super) fn holds(&self, entry: EntryId) -> bool {
        entry.index < self.held.base.index || self.held.term_at(entry.index) == Some(entry.term)
    }

    /// The durable term.
    pub(super) const fn term(&self) -> Term {
        self.held.hard.term
    }

    pub(super) fn give_up(&mut self, through: Index) {
        self.given_up.push(through);
    }

    /// Whether a boot may find this state: all that was durable, and any number of the writes behind it, in their order.
    pub(super) fn may_leave(&self, state: &State) -> bool {
        let mut held = self.held.clone();
        if held.is(&self.given_up, state) {
            return true;
        }
        self.pending.iter().any(|write| {
            held.write(write);
            held.is(&self.given_up, state)
        })
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let Held { hard, base, last, runs } = &self.held;
        let newest = runs.last().map_or(base.term, |run| run.term);
        let vote = hard.vote.map_or("nobody".to_owned(), |vote| vote.to_string());
        format!(
            "term {} with a vote for {vote}, entries {base} to {last}@{newest}, and {} writes on their way",
            hard.term,
            self.pending.len()
        )
    }
}

impl Pending {
    const fn may_lose(&self) -> bool {
        match self.write {
            Written::Persist { truncate_from, .. } => truncate_from.is_some(),
            Written::Install { .. } => true,
        }
    }
}

impl Held {
    /// Truncate, append, hard state; or the snapshot in place of what lies before it.
    fn write(&mut self, pending: &Pending) {
        match &pending.write {
            Written::Persist { hard, truncate_from } => {
                if let Some(from) = truncate_from {
                    self.cut_from(*from);
                }
                if !pending.runs.is_empty() {
                    self.cut_from(pending.first);
                    for run in &pending.runs {
                        if self.runs.last().is_none_or(|newest| newest.term != run.term) {
                            self.runs.push(*run);
                        }
                    }
                    self.last = pending.last;
                }
                self.hard = hard.unwrap_or(self.hard);
            }
            Written::Install { hard, at, keep_suffix } => {
                self.hard = *hard;
                if *keep_suffix {
                    self.begin_behind(*at);
                } else {
                    (self.base, self.last) = (*at, at.index);
                    self.runs.clear();
                }
            }
        }
    }

    fn cut_from(&mut self, from: Index) {
        self.runs.retain(|run| run.first < from);
        self.last = self.last.min(from.prev());
    }

    fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        let held = index > self.base.index && index <= self.last;
        self.runs.iter().rev().find(|run| held && run.first <= index).map(|run| run.term)
    }

    /// Deletes the entries through `at`.
    fn begin_behind(&mut self, at: EntryId) {
        let first = at.index.next();
        let covering = self.runs.iter().rposition(|run| run.first <= first).unwrap_or(0);
        self.runs.drain(..covering);
        if let Some(run) = self.runs.first_mut() {
            run.first = run.first.max(first);
        }
        if self.last <= at.index {
            self.runs.clear();
            self.last = at.index;
        }
        self.base = at;
    }

    fn is(&self, given_up: &[Index], state: &State) -> bool {
        if self.hard != state.hard || self.last != state.log.last() {
            return false;
        }
        let base = state.log.base();
        let begins = base == self.base || given_up.contains(&base.index) && self.term_at(base.index) == Some(base.term);
        let mut found = self.clone();
        if begins && base.index > self.base.index {
            found.begin_behind(base);
        }
        begins && LogShape::from_runs(found.base, found.runs, found.last).as_ref() == Ok(&state.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::{NodeId, raft, trace::Digest};

    fn state(term: u64, base: (u64, u64), runs: &[(u64, u64)], last: u64) -> State {
        let runs = runs.iter().map(|(term, first)| Run { term: Term(*term), first: Index(*first) }).collect();
        let base = EntryId { term: Term(base.0), index: Index(base.1) };
        let log = LogShape::from_runs(base, runs, Index(last)).unwrap();
        raft::recover(NodeId(1), HardState { term: Term(term), vote: None }, log, base.index).unwrap()
    }

    fn persist(disk: &mut Disk, ticket: u64, truncate_from: Option<u64>, first: u64, terms: &[u64]) {
        let write = Written::Persist { hard: None, truncate_from: truncate_from.map(Index) };
        disk.issue(Ticket(ticket), write, &Content::new(Index(first), terms.iter().map(|term| (Term(*term), Digest(0)))));
    }

    #[test]
    fn a_crash_leaves_what_is_durable_and_the_beginning_of_the_rest() {
        let mut disk = Disk::found(&state(3, (0, 0), &[(1, 1)], 4));
        persist(&mut disk, 1, Some(3), 3, &[2, 2]);
        persist(&mut disk, 2, None, 5, &[3]);
        persist(&mut disk, 3, None, 6, &[3]);
        disk.durable(Ticket(1));
        let may = |runs: &[(u64, u64)], last| disk.may_leave(&state(3, (0, 0), runs, last));
        assert!(may(&[(1, 1), (2, 3)], 4) && may(&[(1, 1), (2, 3), (3, 5)], 5) && may(&[(1, 1), (2, 3), (3, 5)], 6));
        assert!(!may(&[(1, 1)], 4), "write 1 was durable");
        assert!(!may(&[(1, 1), (2, 3)], 3) && !may(&[(1, 1), (2, 3), (3, 5)], 7) && !may(&[(1, 1), (3, 3)], 4));
        assert!(!disk.may_leave(&state(4, (0, 0), &[(1, 1), (2, 3)], 4)), "another term");
    }

    #[test]
    fn the_log_begins_where_it_may() {
        let mut disk = Disk::found(&state(3, (0, 0), &[(1, 1), (2, 5)], 9));
        disk.give_up(Index(6));
        assert!(disk.may_leave(&state(3, (0, 0), &[(1, 1), (2, 5)], 9)), "a compaction need not be durable");
        assert!(disk.may_leave(&state(3, (2, 6), &[(2, 7)], 9)));
        assert!(!disk.may_leave(&state(3, (2, 7), &[(2, 8)], 9)) && !disk.may_leave(&state(3, (1, 6), &[(2, 7)], 9)));
        disk.give_up(Index(9));
        assert!(disk.may_leave(&state(3, (2, 9), &[], 9)));
    }

    #[test]
    fn a_snapshot_takes_the_place_of_what_it_covers() {
        let at = EntryId { term: Term(2), index: Index(7) };
        let hard = HardState { term: Term(3), vote: None };
        for (keep_suffix, left) in [(true, state(3, (2, 7), &[(2, 8)], 9)), (false, state(3, (2, 7), &[], 7))] {
            let mut disk = Disk::found(&state(3, (0, 0), &[(1, 1), (2, 5)], 9));
            disk.issue(Ticket(1), Written::Install { hard, at, keep_suffix }, &Content::none());
            assert!(disk.may_leave(&left) && disk.may_leave(&state(3, (0, 0), &[(1, 1), (2, 5)], 9)));
            disk.durable(Ticket(1));
            assert!(disk.may_leave(&left) && !disk.may_leave(&state(3, (0, 0), &[(1, 1), (2, 5)], 9)));
        }
    }
}
