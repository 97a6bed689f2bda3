//! What a group has committed, over all nodes and boots, and the laws that concern it: I-R4, I-R5, I-R6, I-R12, I-N1.
//!
//! Records are heard in an order in which causes come before what they cause; a leader's commit is caused by the writes of a quorum, and elections by votes. So these
//! laws hold in every such order, and no clock is needed. Of entries there are ids, and of ids only where the term changes: memory is that of the elections.

use super::disk::Disk;
use crate::verdict::{Broken, Rule, ensure};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{LogShape, State, TermAt},
};

/// Entries of one term that members whose own term was the same were the first to take for committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: EntryId,
    last: Index,
    /// The term of who noticed.
    by: Term,
}

impl Run {
    fn end(&self) -> EntryId {
        EntryId { index: self.last, ..self.first }
    }
}

/// All that was ever committed.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// Ascending, without gaps but where the records begin with a snapshot.
    runs: Vec<Run>,
    /// A message came in the legacy header's bodies.
    translated: bool,
}

/// The disks of a group's voters; `None` for one that left no records.
pub(super) type Disks<'a> = Vec<Option<&'a Disk>>;

impl Committed {
    /// A message came in the legacy header's bodies, so that nobody knows when it was sent: from now on a disk may be heard of later than what rests on it, and
    /// nothing is said about disks.
    pub(super) const fn translated(&mut self) {
        self.translated = true;
    }

    /// Whether causes come before what they cause.
    pub(super) const fn is_ordered(&self) -> bool {
        !self.translated
    }

    /// A member takes more for committed than before. Whoever committed it first counted a quorum of disks: I-R6 (Raft paper §5.3). What was committed before is
    /// the same: I-R5 (fig. 3). True if it is news.
    pub(super) fn grows(&mut self, before: Index, state: &State, disks: &Disks<'_>) -> Result<bool, Broken> {
        let mut news = false;
        for piece in pieces(&state.log, before, state.commit) {
            self.is_unique(piece, state.id)?;
            let newest = self.runs.last().map_or(Index(0), |run| run.last);
            if piece.last <= newest {
                continue;
            }
            let first = EntryId { index: piece.first.index.max(newest.next()), ..piece.first };
            self.push(Run { first, last: piece.last, by: state.hard.term });
            is_on_a_quorum(piece.end(), disks)?;
            news = true;
        }
        Ok(news)
    }

    /// I-R4, Leader Completeness (Raft paper fig. 3): a leader has what was committed in earlier terms.
    pub(super) fn leads(&self, leader: &State) -> Result<(), Broken> {
        let earlier = self.runs.iter().filter(|run| run.by < leader.hard.term);
        let missing = earlier.flat_map(|run| [(run.first, run.by), (run.end(), run.by)]).find(|(entry, _)| !has(&leader.log, *entry));
        missing.map_or(Ok(()), |(entry, by)| {
            broken(format!(
                "I-R4 is broken: node {} leads term {} without entry {entry}, which was committed in term {by}",
                leader.id, leader.hard.term
            ))
        })
    }

    /// A disk may have lost entries: what was committed is still on a quorum.
    pub(super) fn survives(&self, disks: &Disks<'_>) -> Result<(), Broken> {
        self.runs.iter().try_for_each(|run| is_on_a_quorum(run.end(), disks))
    }

    /// I-N1 (Raft paper §7): a snapshot is a prefix of what was committed.
    pub(super) fn covers(&self, at: EntryId, from: NodeId) -> Result<(), Broken> {
        let known = self.term_at(at.index);
        ensure(Rule::Law, known.is_none_or(|term| term == at.term), || {
            format!("I-N1 is broken: node {from} sends a snapshot through {at}; committed there is an entry of another term")
        })
    }

    fn is_unique(&self, piece: Run, who: NodeId) -> Result<(), Broken> {
        let overlapping =
            self.runs.iter().rev().take_while(|run| run.last >= piece.first.index).filter(|run| run.first.index <= piece.last);
        match overlapping.filter(|run| run.first.term != piece.first.term).last() {
            None => Ok(()),
            Some(run) => {
                let index = run.first.index.max(piece.first.index);
                let (term, first) = (piece.first.term, run.first.term);
                broken(format!("I-R5 is broken: node {who} takes {index}@{term} for committed, and {index}@{first} was"))
            }
        }
    }

    fn term_at(&self, index: Index) -> Option<Term> {
        self.runs.iter().rev().find(|run| run.first.index <= index && index <= run.last).map(|run| run.first.term)
    }

    fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(newest) if (newest.first.term, newest.by, newest.last.next()) == (run.first.term, run.by, run.first.index) => {
                newest.last = run.last;
            }
            _ => self.runs.push(run),
        }
    }
}

/// I-R12 against the disk (Raft paper §5.3): what a leader believes that a peer holds is on the peer's disk, unless the peer is in a later term.
pub(super) fn match_is_on_disk(leader: &State, peer: NodeId, matched: Index, disk: &Disk) -> Result<(), Broken> {
    let held = match leader.log.term_at(matched) {
        TermAt::Known(term) => disk.holds(EntryId { term, index: matched }),
        TermAt::Compacted => true,
        TermAt::Beyond => false,
    };
    ensure(Rule::Law, held || disk.term() > leader.hard.term, || {
        format!(
            "I-R12 is broken: node {} believes that node {peer} holds its log through {matched}, whose disk has {}",
            leader.id,
            disk.describe()
        )
    })
}

/// The entries behind `before` through `commit`, by term; what the log does not name any more is left out.
fn pieces(log: &LogShape, before: Index, commit: Index) -> impl Iterator<Item = Run> + '_ {
    let first = before.max(log.base().index).next();
    let starts = log.runs().iter().map(move |run| run.first.max(first));
    let ends = log.runs().iter().skip(1).map(|run| run.first.prev()).chain([log.last()]);
    let pieces = log.runs().iter().zip(starts.zip(ends)).map(move |(run, (first, last))| {
        let (first, last) = (EntryId { term: run.term, index: first }, last.min(commit));
        Run { first, last, by: Term(0) }
    });
    pieces.filter(|piece| piece.first.index <= piece.last)
}

/// Nothing can be said where a voter left no records.
fn is_on_a_quorum(entry: EntryId, disks: &Disks<'_>) -> Result<(), Broken> {
    let Some(all) = disks.iter().copied().collect::<Option<Vec<&Disk>>>() else { return Ok(()) };
    let copies = all.iter().filter(|disk| disk.holds(entry)).count();
    ensure(Rule::Law, 2 * copies > all.len(), || format!("I-R6 is broken: {entry} is committed, and on {copies} of {} disks", all.len()))
}

fn has(log: &LogShape, entry: EntryId) -> bool {
    match log.term_at(entry.index) {
        TermAt::Known(term) => term == entry.term,
        TermAt::Compacted => true,
        TermAt::Beyond => false,
    }
}

fn broken<T>(why: String) -> Result<T, Broken> {
    Err(Broken { rule: Rule::Law, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::raft::{self, HardState, Run as LogRun};

    fn entry(term: u64, index: u64) -> EntryId {
        EntryId { term: Term(term), index: Index(index) }
    }

    /// A member in this term whose log has these runs, a term and its first index each, and which takes entries through `commit` for committed.
    fn member(term: u64, runs: &[(u64, u64)], last: u64, commit: u64) -> State {
        let runs = runs.iter().map(|(term, first)| LogRun { term: Term(*term), first: Index(*first) }).collect();
        let log = LogShape::from_runs(EntryId::default(), runs, Index(last)).unwrap();
        let state = raft::recover(NodeId(1), HardState { term: Term(term), vote: None }, log, Index(0)).unwrap();
        State { commit: Index(commit), ..state }
    }

    fn why<T: std::fmt::Debug>(result: Result<T, Broken>) -> String {
        result.unwrap_err().why
    }

    #[test]
    fn what_is_committed_is_on_a_quorum_and_stays_there() {
        let (long, short) = (Disk::found(&member(1, &[(1, 1)], 4, 0)), Disk::found(&member(1, &[(1, 1)], 2, 0)));
        let leader = member(1, &[(1, 1)], 4, 4);
        assert_eq!(Committed::default().grows(Index(0), &leader, &vec![Some(&long), Some(&long), Some(&short)]), Ok(true));
        let one_copy = vec![Some(&long), Some(&short), Some(&short)];
        assert!(why(Committed::default().grows(Index(0), &leader, &one_copy)).starts_with("I-R6"));
        assert_eq!(Committed::default().grows(Index(0), &leader, &vec![Some(&long), Some(&short), None]), Ok(true), "nobody knows");
        let mut committed = Committed::default();
        committed.grows(Index(0), &leader, &vec![Some(&long), Some(&long), Some(&short)]).unwrap();
        assert!(why(committed.survives(&one_copy)).starts_with("I-R6"));
    }

    #[test]
    fn what_is_committed_is_the_same_for_all_and_led_by_nobody_who_lacks_it() {
        let disks = || vec![None, None, None];
        let mut committed = Committed::default();
        assert_eq!(committed.grows(Index(0), &member(2, &[(1, 1), (2, 3)], 5, 4), &disks()), Ok(true));
        assert_eq!(committed.grows(Index(1), &member(3, &[(1, 1), (2, 3)], 4, 3), &disks()), Ok(false), "it was known");
        assert!(why(committed.grows(Index(0), &member(3, &[(1, 1), (3, 4)], 4, 4), &disks())).starts_with("I-R5"));
        assert_eq!(committed.leads(&member(3, &[(1, 1), (2, 3)], 4, 0)), Ok(()));
        assert_eq!(committed.leads(&member(2, &[(1, 1)], 2, 0)), Ok(()), "a leader of that very term may commit it later");
        for lacking in [member(3, &[(1, 1), (2, 3)], 3, 0), member(3, &[(1, 1)], 9, 0), member(3, &[(2, 1)], 9, 0)] {
            assert!(why(committed.leads(&lacking)).starts_with("I-R4"), "{lacking:?}");
        }
    }

    #[test]
    fn a_snapshot_ends_with_what_was_committed() {
        let mut committed = Committed::default();
        committed.grows(Index(0), &member(2, &[(1, 1), (2, 3)], 5, 4), &vec![None]).unwrap();
        assert_eq!((committed.covers(entry(1, 2), NodeId(2)), committed.covers(entry(9, 5), NodeId(2))), (Ok(()), Ok(())));
        assert!(why(committed.covers(entry(1, 3), NodeId(2))).starts_with("I-N1"));
    }

    #[test]
    fn a_leader_believes_what_is_on_the_disk() {
        let leader = member(2, &[(1, 1), (2, 3)], 5, 0);
        let believes = |matched, disk: State| match_is_on_disk(&leader, NodeId(2), Index(matched), &Disk::found(&disk));
        assert_eq!(believes(4, member(2, &[(1, 1), (2, 3)], 4, 0)), Ok(()));
        assert_eq!(believes(4, member(3, &[(1, 1)], 2, 0)), Ok(()), "it followed another leader since");
        assert!(why(believes(4, member(2, &[(1, 1), (2, 3)], 3, 0))).starts_with("I-R12"));
        assert!(why(believes(4, member(2, &[(1, 1)], 9, 0))).starts_with("I-R12"));
        assert!(why(believes(6, member(2, &[(1, 1), (2, 3)], 9, 0))).starts_with("I-R12"), "more than it has itself");
    }
}
