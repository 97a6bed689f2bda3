//! The shape against a plain list of terms: every operation must say and do the same.

use super::{BadShape, LogShape, Run, SLICE_RUNS_MAX, Slice, TermAt, catch_up};
use crate::{EntryId, Index, Term};
use alloc::{string::ToString, vec::Vec};
use proptest::prelude::*;

/// A log as a list: the term of every entry behind the base.
#[derive(Clone, Debug)]
struct List {
    base: EntryId,
    terms: Vec<u64>,
}

impl List {
    fn last(&self) -> u64 {
        self.base.index.0 + self.terms.len() as u64
    }

    fn term_at(&self, index: u64) -> TermAt {
        match index.checked_sub(self.base.index.0) {
            None => TermAt::Compacted,
            Some(0) => TermAt::Known(self.base.term),
            Some(position) => self.terms.get(position as usize - 1).map_or(TermAt::Beyond, |term| TermAt::Known(Term(*term))),
        }
    }

    fn newest(&self) -> u64 {
        self.terms.last().copied().unwrap_or(self.base.term.0)
    }
}

#[derive(Clone, Debug)]
enum Change {
    Append { raise: u64, count: u64 },
    Truncate { at: usize },
    Compact { at: usize },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0u64..3, 0u64..5).prop_map(|(raise, count)| Change::Append { raise, count }),
        2 => any::<usize>().prop_map(|at| Change::Truncate { at }),
        1 => any::<usize>().prop_map(|at| Change::Compact { at }),
    ]
}

fn build(changes: &[Change]) -> (LogShape, List) {
    let (mut log, mut list) = (LogShape::default(), List { base: EntryId::default(), terms: Vec::new() });
    for change in changes {
        match *change {
            Change::Append { raise, count } => {
                let term = (list.newest() + raise).max(1);
                log.append(Term(term), count);
                list.terms.extend((0..count).map(|_| term));
            }
            Change::Truncate { at } => {
                let keep = at % (list.terms.len() + 1);
                log.truncate_from(list.base.index.plus(keep as u64 + 1));
                list.terms.truncate(keep);
            }
            Change::Compact { at } => {
                let gone = at % (list.terms.len() + 1);
                let index = list.base.index.plus(gone as u64);
                log.compact_to(index);
                if let Some(term) = list.terms.drain(..gone).next_back() {
                    list.base = EntryId { term: Term(term), index };
                }
            }
        }
    }
    (log, list)
}

fn terms_of(slice: &Slice) -> Vec<u64> {
    (slice.prev.index.0 + 1..=slice.last.0).filter_map(|index| slice.term_of(Index(index))).map(|term| term.0).collect()
}

proptest! {
    #[test]
    fn a_shape_is_a_list_of_terms(changes in prop::collection::vec(change(), 0..40)) {
        let (log, list) = build(&changes);
        prop_assert_eq!(log.base(), list.base);
        prop_assert_eq!(log.last_id(), EntryId { term: Term(list.newest()), index: Index(list.last()) });
        for index in 0..list.last() + 3 {
            prop_assert_eq!(log.term_at(Index(index)), list.term_at(index), "index {}", index);
        }
        let rebuilt = LogShape::from_runs(log.base(), log.runs().to_vec(), log.last());
        prop_assert_eq!(rebuilt.as_ref(), Ok(&log));
        for term in 0..list.newest() + 2 {
            let newer = list.terms.iter().position(|other| *other > term).unwrap_or(list.terms.len());
            prop_assert_eq!(log.last_with_term_at_most(Term(term)), list.base.index.plus(newer as u64));
        }
    }

    #[test]
    fn a_slice_is_a_part_of_it(changes in prop::collection::vec(change(), 0..40), after in 0u64..60, max in 0u32..20) {
        let (log, list) = build(&changes);
        let slice = log.slice(Index(after), max);
        prop_assert_eq!(slice.is_some(), matches!(list.term_at(after), TermAt::Known(_)));
        let Some(slice) = slice else { return Ok(()) };
        prop_assert!(slice.is_valid());
        let terms: Vec<u64> = list.terms.iter().copied().skip((after - list.base.index.0) as usize).take(max as usize).collect();
        let sent = terms_of(&slice);
        prop_assert_eq!(slice.entries(), sent.len() as u64);
        prop_assert_eq!(&terms[..sent.len()], &sent[..]);
        let mut runs = terms.clone();
        runs.dedup();
        prop_assert!(sent.len() == terms.len() || (slice.runs.len() == SLICE_RUNS_MAX && runs.len() > SLICE_RUNS_MAX));
        prop_assert_eq!(catch_up::first_missing(&log, &slice), None);
        for through in after.saturating_sub(1)..after + 22 {
            let split = slice.split(Index(through));
            prop_assert_eq!(split.is_some(), through > after && through < slice.last.0);
            if let Some((front, back)) = split {
                prop_assert!(front.is_valid() && back.is_valid() && front.last_id() == back.prev);
                prop_assert_eq!([terms_of(&front), terms_of(&back)].concat(), sent.clone());
            }
        }
    }

    /// Paper fig. 2, AppendEntries 3 and 4: after the missing part is written, the log holds what the slice says, and what came before.
    #[test]
    fn what_is_missing_is_found(
        shared in prop::collection::vec(change(), 0..20),
        mine in prop::collection::vec((0u64..2, 1u64..4), 0..4),
        theirs in prop::collection::vec((0u64..2, 1u64..4), 0..4),
        back in 0u64..12,
    ) {
        let (log, list) = build(&shared);
        let (mut own, mut leaders) = (log.clone(), log);
        let mut term = list.newest().max(1);
        // A term has one leader: an even step belongs to one history, an odd one to the other.
        for (number, (raise, count)) in mine.iter().enumerate() {
            own.append(Term(term + 2 * (number as u64 + raise) + 2), *count);
        }
        for (number, (raise, count)) in theirs.iter().enumerate() {
            leaders.append(Term(term + 2 * (number as u64 + raise) + 1), *count);
        }
        term = list.last();
        let Some(slice) = leaders.slice(Index(term.saturating_sub(back)), 100) else { return Ok(()) };
        let missing = catch_up::first_missing(&own, &slice);
        let naive = (slice.prev.index.0 + 1..=slice.last.0).find(|&index| own.term_at(Index(index)) != leaders.term_at(Index(index)));
        prop_assert_eq!(missing, naive.map(Index));
        if let Some(first) = missing {
            own.truncate_from(first);
            own.append_runs(&slice.runs_after(first.prev()), slice.last);
            for index in own.base().index.0..=slice.last.0 {
                prop_assert_eq!(own.term_at(Index(index)), leaders.term_at(Index(index)));
            }
            prop_assert_eq!(own.last(), slice.last);
            prop_assert!(LogShape::from_runs(own.base(), own.runs().to_vec(), own.last()).is_ok());
        }
    }

    /// Whatever a peer reports, true or not, the next probe is one that the leader can make, or it says that a snapshot is needed.
    #[test]
    fn any_report_is_survived(changes in prop::collection::vec(change(), 0..40), last in any::<u64>(), runs in prop::collection::vec((0u64..40, any::<u64>()), 0..32)) {
        let (log, _) = build(&changes);
        let runs = runs.iter().map(|&(term, first)| Run { term: Term(term), first: Index(first % 64) }).collect();
        let prev = catch_up::retry_at(&log, 3, &super::Behind { last: Index(last % 64), runs });
        prop_assert!(prev <= log.last());
    }
}

/// Goal: whoever reads that a log is damaged knows where, and what tells more.
#[test]
fn damage_is_told_with_its_place() {
    let run = |term, first| Run { term: Term(term), first: Index(first) };
    let base = EntryId { term: Term(2), index: Index(8) };
    let texts = [
        (BadShape::EndsBeforeBase { base, last: Index(7) }, "entry 7, before its snapshot's 8"),
        (BadShape::Endless { last: Index(u64::MAX) }, "where no log ends"),
        (BadShape::Gap { after: Index(8), first: Index(10) }, "between 8 and 10 are missing"),
        (BadShape::Disorder { run: run(1, 12), before: run(2, 9) }, "term 1 from entry 12 on follows term 2"),
        (BadShape::EndsBeforeRun { run: run(3, 20), last: Index(19) }, "entry 19, but term 3 begins with 20"),
    ];
    for (damage, words) in texts {
        let text = damage.to_string();
        assert!(text.contains(words) && text.ends_with("`roadstead check DATA` says more"), "{text}");
    }
}

#[test]
fn a_slice_without_entries_is_empty() {
    let mut slice = Slice::empty(EntryId { term: Term(1), index: Index(4) });
    assert!(slice.is_empty() && slice.entries() == 0);
    slice.runs.push(Run { term: Term(1), first: Index(5) });
    slice.last = Index(6);
    assert!(!slice.is_empty() && slice.entries() == 2);
}
