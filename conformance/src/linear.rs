//! Whether the history of one key is linearizable: is there an order of its operations, each between its call and its answer, in which every answer is
//! right? Wing & Gong 1993, with the memory of states of Lowe 2017.
//!
//! Every operation tells the value that it found, so there is rarely more than one way on, and an operation without an answer is tried only if it
//! can help: if somebody found what it wrote, or if a value is to go or to come of which nobody found more than that.

use serde::Serialize;
use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

/// What is stored under a key: each write has a value of its own; `None`: the key does not exist.
pub type Value = Option<u64>;

/// What an operation does to the value that it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// Nothing.
    Read,
    /// Nothing; its answer tells whether there is a value, and not which.
    Count,
    /// Puts this, or deletes the key.
    Write(Value),
    /// Puts `put` if it finds `expect`.
    Swap {
        /// Expected.
        expect: Value,
        /// New.
        put: u64,
    },
}

/// An operation of a client on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// When it was called. Moments of calls and answers are all different.
    pub call: u64,
    /// When its answer came, and the value that it found; `None`: nobody knows whether it happened, or when.
    pub answer: Option<(u64, Value)>,
    /// What it does.
    pub change: Change,
}

impl Operation {
    /// The value behind the operation, if it can stand there.
    fn apply(&self, value: Value) -> Option<Value> {
        let fits = |found: Value| if self.change == Change::Count { found.is_some() == value.is_some() } else { found == value };
        if self.answer.is_some_and(|(_, found)| !fits(found)) {
            return None;
        }
        Some(match self.change {
            Change::Read | Change::Count => value,
            Change::Write(written) => written,
            Change::Swap { expect, put } => {
                if value == expect {
                    Some(put)
                } else {
                    value
                }
            }
        })
    }

    const fn written(&self) -> Option<Value> {
        match self.change {
            Change::Read | Change::Count => None,
            Change::Write(value) => Some(value),
            Change::Swap { put, .. } => Some(Some(put)),
        }
    }
}

/// Operations that a violation tells.
const TOLD_MAX: usize = 4;

/// No order explains the answers; as far as one got, these come next and cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotLinearizable {
    /// Operations that could be put into an order.
    pub placed: usize,
    /// The value there.
    pub value: Value,
    /// What had to come next: one of these.
    pub stuck: Vec<Operation>,
}

impl fmt::Display for NotLinearizable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} operations the value is {:?}, and what must come next is one of", self.placed, self.value)?;
        self.stuck.iter().take(TOLD_MAX).try_for_each(|operation| write!(f, "\n  {operation:?}"))
    }
}

/// Checks the operations of one key, which does not exist at first.
///
/// # Errors
/// Where the longest explanation ends.
pub fn check(operations: &[Operation]) -> Result<(), NotLinearizable> {
    let answers = |count: bool| {
        let of = operations.iter().filter(move |operation| (operation.change == Change::Count) == count);
        of.filter_map(|operation| operation.answer.map(|(_, found)| found))
    };
    // What a swap expects has been found by it, if it did anything.
    let expected =
        operations.iter().filter_map(|operation| if let Change::Swap { expect, .. } = operation.change { Some(expect) } else { None });
    let found: BTreeSet<Value> = answers(false).chain(expected).collect();
    let is_counted = answers(true).any(|found| found.is_some());
    let role = |operation: &Operation| match operation.change {
        _ if operation.answer.is_some() => Some(Role::Answered),
        Change::Write(None) => Some(Role::Deletes),
        _ if operation.written().is_some_and(|value| found.contains(&value)) => Some(Role::Found),
        Change::Write(Some(_)) | Change::Swap { expect: None, .. } if is_counted => Some(Role::Adds),
        _ => None,
    };
    let mut relevant: Vec<_> = operations.iter().filter_map(|operation| Some((*operation, role(operation)?))).collect();
    relevant.sort_by_key(|(operation, _)| operation.call);
    Search { operations: relevant, known: HashSet::new() }.run()
}

/// What an operation can be to an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It must be in it.
    Answered,
    /// Without an answer, and somebody found what it wrote, or a swap may have.
    Found,
    /// A deletion without an answer. It can help only where there is a value, and then any of them does.
    Deletes,
    /// A write without an answer that nobody found, though somebody may have counted it. It can help only where there is none, and then any of them does.
    Adds,
}

/// Which operations are in the order so far, one bit each.
type Placed = Vec<u64>;

struct Search {
    /// By their calls.
    operations: Vec<(Operation, Role)>,
    /// Where the search has been: what was placed and the value behind it.
    known: HashSet<(Placed, Value)>,
}

impl Search {
    fn run(mut self) -> Result<(), NotLinearizable> {
        let mut stack = vec![(vec![0; self.operations.len().div_ceil(64)], None)];
        let mut best = NotLinearizable { placed: 0, value: None, stuck: Vec::new() };
        while let Some((placed, value)) = stack.pop() {
            let next = self.next(&placed);
            let count = placed.iter().map(|word| word.count_ones() as usize).sum();
            if !next.iter().any(|number| self.operations[*number].1 == Role::Answered) {
                return Ok(());
            }
            if count >= best.placed {
                let stuck = next.iter().map(|number| self.operations[*number].0).collect();
                best = NotLinearizable { placed: count, value, stuck };
            }
            for number in self.in_turn(&next, value) {
                let Some(value) = self.operations[number].0.apply(value) else { continue };
                let mut placed = placed.clone();
                placed[number / 64] |= 1 << (number % 64);
                if self.known.insert((placed.clone(), value)) {
                    stack.push((placed, value));
                }
            }
        }
        Err(best)
    }

    /// Those that can help, the last one to be tried first: answers bind, so they are the better guess.
    fn in_turn(&self, next: &[usize], value: Value) -> Vec<usize> {
        let of = |wanted: Role| next.iter().copied().filter(move |number| self.operations[*number].1 == wanted);
        let help = if value.is_some() { Role::Deletes } else { Role::Adds };
        let mut answered: Vec<usize> = of(Role::Answered).collect();
        answered.reverse();
        of(help).take(1).chain(of(Role::Found)).chain(answered).collect()
    }

    /// What may come next: whatever was called before any of the rest was answered.
    fn next(&self, placed: &Placed) -> Vec<usize> {
        let rest = || (0..self.operations.len()).filter(|number| placed[number / 64] & (1 << (number % 64)) == 0);
        let horizon = rest().filter_map(|number| self.operations[number].0.answer).map(|(at, _)| at).min().unwrap_or(u64::MAX);
        rest().take_while(|number| self.operations[*number].0.call < horizon).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn op(call: u64, answer: Option<(u64, Value)>, change: Change) -> Operation {
        Operation { call, answer, change }
    }

    fn put(call: u64, answer: u64, found: Value, value: u64) -> Operation {
        op(call, Some((answer, found)), Change::Write(Some(value)))
    }

    fn read(call: u64, answer: u64, found: Value) -> Operation {
        op(call, Some((answer, found)), Change::Read)
    }

    fn lost(call: u64, change: Change) -> Operation {
        op(call, None, change)
    }

    #[test]
    fn overlapping_operations_may_stand_in_any_order() {
        let history = [put(1, 6, Some(2), 1), put(2, 5, None, 2), read(3, 4, Some(2)), read(7, 8, Some(1))];
        assert_eq!(check(&history), Ok(()));
    }

    #[test]
    fn a_count_tells_whether_there_is_something() {
        let count = |call, answer, found| op(call, Some((answer, found)), Change::Count);
        let delete = op(4, Some((5, Some(9))), Change::Write(None));
        let history = [put(1, 2, None, 9), count(3, 3, Some(0)), delete, count(6, 7, None)];
        assert_eq!(check(&history), Ok(()));
        let unanswered = [lost(1, Change::Write(Some(9))), count(2, 3, Some(0)), lost(4, Change::Write(None)), read(5, 6, None)];
        assert_eq!(check(&unanswered), Ok(()), "what only a count has seen");
        assert!(check(&[put(1, 2, None, 9), count(3, 4, None)]).is_err(), "a write that is not counted");
        assert!(check(&[put(1, 2, None, 9), delete, count(6, 7, Some(0))]).is_err(), "a deletion that is");
    }

    #[test]
    fn what_nobody_knows_may_happen_late_or_never() {
        let unknown = lost(1, Change::Write(Some(9)));
        assert_eq!(check(&[unknown, read(2, 3, None), read(4, 5, Some(9))]), Ok(()), "late");
        assert_eq!(check(&[unknown, read(2, 3, None), read(4, 5, None)]), Ok(()), "never");
        let chain = [lost(1, Change::Write(Some(2))), lost(3, Change::Swap { expect: Some(2), put: 3 }), read(5, 6, Some(3))];
        assert_eq!(check(&chain), Ok(()), "what only another one of which nobody knows has found");
        let swap = lost(1, Change::Swap { expect: Some(4), put: 5 });
        assert_eq!(check(&[swap, put(2, 3, None, 4), read(6, 7, Some(5))]), Ok(()));
    }

    /// Goal: each way of being wrong is seen.
    #[test]
    fn planted_violations_are_rejected() {
        let stale = [put(1, 2, None, 1), put(3, 4, Some(1), 2), read(5, 6, Some(1))];
        let lost_write = [put(1, 2, None, 1), read(3, 4, None)];
        let invented = [put(1, 2, None, 1), read(3, 4, Some(7))];
        let early = [read(1, 2, Some(1)), put(3, 4, None, 1)];
        let back_and_forth = [put(1, 2, None, 1), lost(3, Change::Write(Some(2))), read(4, 5, Some(2)), read(6, 7, Some(1))];
        let twice = [put(1, 2, None, 1), put(3, 4, Some(1), 2), read(5, 6, Some(2)), put(7, 8, Some(1), 3)];
        let won_twice = [
            put(1, 2, None, 1),
            op(3, Some((5, Some(1))), Change::Swap { expect: Some(1), put: 2 }),
            op(4, Some((6, Some(1))), Change::Swap { expect: Some(1), put: 3 }),
        ];
        for history in [&stale[..], &lost_write, &invented, &early, &back_and_forth, &twice, &won_twice] {
            let broken = check(history).unwrap_err();
            assert!(!broken.stuck.is_empty(), "{history:?}");
        }
    }

    /// A history as `seed` draws it: of a key that behaves, but for one answer in some.
    fn drawn(seed: u64) -> Vec<Operation> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut moments: Vec<u64> = (0..16).collect();
        let (mut value, mut history) = (None, Vec::new());
        for number in 0..rng.random_range(2..=7) {
            let change = match rng.random_range(0..5) {
                0 => Change::Read,
                1 => Change::Count,
                2 => Change::Write(None),
                3 => Change::Swap { expect: value.filter(|_| rng.random_bool(0.7)), put: number },
                _ => Change::Write(Some(number)),
            };
            let happens = rng.random_bool(0.9);
            let operation = op(0, happens.then_some((0, value)), change);
            // The order of the loop is one that explains the answers; calls may be earlier, answers later.
            let call = moments.remove(rng.random_range(0..2.min(moments.len())));
            let answer = moments.remove(rng.random_range(0..3.min(moments.len()))).max(call + 1);
            if happens || rng.random_bool(0.5) {
                value = operation.apply(value).expect("it finds what is there");
            }
            let told = happens && rng.random_bool(0.8);
            let found = operation.answer.and_then(|(_, found)| found);
            history.push(op(call * 2, told.then_some((answer * 2 + 1, found)), change));
        }
        if rng.random_bool(0.3) {
            let place = rng.random_range(0..history.len());
            if let Some((_, found)) = &mut history[place].answer {
                *found = rng.random_bool(0.5).then(|| rng.random_range(0..7));
            }
        }
        history
    }

    /// Goal: leaving out what cannot help changes no verdict. Method: against a search that leaves out nothing.
    #[test]
    fn nothing_that_matters_is_left_out() {
        let mut verdicts = [0; 2];
        for seed in 0..20_000 {
            let history = drawn(seed);
            let role = |operation: &Operation| if operation.answer.is_some() { Role::Answered } else { Role::Found };
            let mut all: Vec<_> = history.iter().map(|operation| (*operation, role(operation))).collect();
            all.sort_by_key(|(operation, _)| operation.call);
            let whole = Search { operations: all, known: HashSet::new() }.run().is_ok();
            assert_eq!(check(&history).is_ok(), whole, "seed {seed}: {history:?}");
            verdicts[usize::from(whole)] += 1;
        }
        assert!(verdicts.iter().all(|count| *count > 2_000), "{verdicts:?}");
    }

    /// Goal: a long history with many that nobody knows of does not take for ever.
    #[test]
    fn long_histories_are_quick() {
        let mut history = Vec::new();
        let mut value = None;
        for number in 0..2_000 {
            let at = number * 10;
            history.push(lost(at, Change::Write(None)));
            history.push(op(at + 6, Some((at + 7, Some(0))), Change::Count));
            history.push(lost(at, Change::Write(Some(1_000_000 + number))));
            history.push(put(at + 1, at + 4, value, number));
            history.push(read(at + 5, at + 8, Some(number)));
            value = Some(number);
        }
        assert_eq!(check(&history), Ok(()));
    }
}
