//! Where two logs part: computed from runs, never entry by entry.

use super::{
    log::{LogShape, Run, Slice, TermAt},
    message::{BEHIND_RUNS_DENSE, Behind},
};
use crate::{EntryId, Index, Term};

/// The first entry of the slice that the log lacks. The slice's `prev` matches the log, or lies below its base.
pub(super) fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
    let base = log.base();
    if slice.prev.index < base.index && base.index <= slice.last && slice.term_of(base.index) != Some(base.term) {
        return Some(base.index);
    }
    let ends = slice.runs.iter().skip(1).map(|run| run.first.prev()).chain([slice.last]);
    for (run, end) in slice.runs.iter().zip(ends) {
        let first = run.first.max(base.index.next());
        if first > end {
            continue;
        }
        if log.term_at(first) != TermAt::Known(run.term) {
            return Some(first);
        }
        let held = log.last_with_term_at_most(run.term);
        if held < end {
            return Some(held.next());
        }
    }
    None
}

/// What a follower tells a leader whose `prev` it lacks.
pub(super) fn behind(log: &LogShape, prev: EntryId) -> Behind {
    let mut behind = Behind { last: log.last().min(prev.index), ..Behind::default() };
    if behind.last > log.base().index {
        let newest = log.run_number(behind.last);
        let mut distance = 0;
        while let Some(run) = newest.and_then(|newest| log.runs().get(newest.checked_sub(distance)?)) {
            if behind.runs.try_push(*run).is_err() {
                return behind;
            }
            distance += if behind.runs.len() < BEHIND_RUNS_DENSE { 1 } else { distance / 2 };
        }
    }
    let base = Run { term: log.base().term, first: log.base().index };
    if base.first > Index(0) && base.first <= behind.last && behind.runs.last().is_none_or(|run| run.term > base.term) {
        // The snapshot's last entry is the oldest one that can be named. No room: there are nearer ones.
        let _ = behind.runs.try_push(base);
    }
    behind
}

/// The highest index at which the leader's log may match a follower's that sent this report; always below the refused `prev`.
///
/// The report names runs newest first, so everything between a run's first entry and the newer run's is of terms between theirs. The
/// newest run that the leader has too bounds the parting point from below; from above it is bounded by the next newer run, and by the
/// leader's own terms. Among the dense runs that is exact. Among the sparse ones the leader asks at the upper bound, which shrinks the
/// interval to a third at least, until what it would send twice at worst fits one slice.
pub(super) fn retry_at(log: &LogShape, slice_entries_max: u32, behind: &Behind) -> Index {
    let mut upper = behind.last.min(log.last());
    let mut newer = None;
    for (number, run) in behind.runs.iter().enumerate() {
        let is_dense = number < BEHIND_RUNS_DENSE;
        let highest = match newer {
            Some(Term(newer)) if !is_dense => Term(newer.saturating_sub(1)),
            _ => run.term,
        };
        let candidate = upper.min(log.last_with_term_at_most(highest));
        if candidate >= run.first {
            if log.term_at(candidate) == TermAt::Known(run.term) {
                return candidate;
            }
            let shared = EntryId { term: run.term, index: run.first };
            if !is_dense && log.holds(shared) {
                let twice_at_worst = candidate.0 - run.first.0;
                return if twice_at_worst <= u64::from(slice_entries_max) { run.first } else { candidate };
            }
        }
        upper = run.first.prev();
        newer = Some(run.term);
    }
    match newer {
        Some(Term(newer)) => upper.min(log.last_with_term_at_most(Term(newer.saturating_sub(1)))),
        None => upper,
    }
}
