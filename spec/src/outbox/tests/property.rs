//! The outbox against a naive model that keeps everything that ever happened and looks through all of it each time.

use super::*;
use alloc::vec;
use proptest::prelude::*;

/// What a driver may do to an outbox.
#[derive(Clone, Debug)]
enum Move {
    /// Step: append this many entries, after cutting off this many uncommitted ones.
    Write {
        cut: u64,
        count: u64,
    },
    Vote,
    Install {
        ahead: u64,
    },
    Send {
        gated: bool,
    },
    /// Step: the commit index rises by this much, at most to the end of the log.
    Commit {
        by: u64,
    },
    /// The disk completes this many writes.
    Durable {
        count: u64,
    },
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..4u64, 0..4u64).prop_map(|(cut, count)| Move::Write { cut, count }),
        1 => Just(Move::Vote),
        1 => (1..4u64).prop_map(|ahead| Move::Install { ahead }),
        4 => any::<bool>().prop_map(|gated| Move::Send { gated }),
        3 => (1..5u64).prop_map(|by| Move::Commit { by }),
        4 => (0..4u64).prop_map(|count| Move::Durable { count }),
    ]
}

/// The model.
#[derive(Debug, Default)]
struct Naive {
    /// Ticket that wrote each entry of the log in memory, from `base + 1` on.
    writers: Vec<u64>,
    base: u64,
    committed: u64,
    applied: u64,
    issued: u64,
    durable: u64,
    installs: Vec<(u64, u64)>,
    /// Number, writes before it, whether it left.
    gated: Vec<(u64, u64, bool)>,
}

impl Naive {
    fn last(&self) -> u64 {
        self.base + self.writers.len() as u64
    }

    fn installing(&self) -> bool {
        self.installs.iter().any(|(ticket, _)| *ticket > self.durable)
    }

    /// The effect of a move, and what must leave at once.
    fn effect(&mut self, made: &Move, number: u64) -> (Effect, Vec<Seen>) {
        match *made {
            Move::Write { cut, count } => {
                let first = self.last().saturating_sub(cut).max(self.committed) + 1;
                let last = first + count;
                self.issued += 1;
                self.writers.truncate((first - 1 - self.base) as usize);
                self.writers.resize((last - self.base) as usize, self.issued);
                (write(first, last), vec![Seen::Write(self.issued)])
            }
            Move::Vote => {
                self.issued += 1;
                (vote(mark(self.last())), vec![Seen::Write(self.issued)])
            }
            Move::Install { ahead } => {
                self.issued += 1;
                self.base = self.committed + ahead;
                self.committed = self.base;
                self.writers.clear();
                self.installs.push((self.issued, self.base));
                (install(self.base), vec![Seen::Write(self.issued)])
            }
            Move::Send { gated: false } => (send(number, Gate::Now), vec![Seen::Send { number, after: 0 }]),
            Move::Send { gated: true } => {
                self.gated.push((number, self.issued, false));
                (send(number, Gate::AfterPersist), self.leaving())
            }
            Move::Commit { by } => {
                self.committed = (self.committed + by).min(self.last());
                (apply(self.committed), self.applying())
            }
            Move::Durable { .. } => unreachable!("the disk's move is no step"),
        }
    }

    fn durable(&mut self, count: u64) -> Vec<Seen> {
        let before = self.durable;
        self.durable = self.issued.min(before + count);
        let installed: Vec<_> = self.installs.iter().filter(|(t, _)| *t > before && *t <= self.durable).map(|(_, at)| *at).collect();
        self.applied = installed.iter().copied().fold(self.applied, u64::max);
        let mut expected: Vec<_> = installed.into_iter().map(Seen::Installed).collect();
        expected.extend(self.leaving());
        expected.extend(self.applying());
        expected
    }

    fn leaving(&mut self) -> Vec<Seen> {
        let durable = self.durable;
        let ready = self.gated.iter_mut().filter(|(_, after, left)| *after <= durable && !*left);
        ready
            .map(|(number, after, left)| {
                *left = true;
                Seen::Send { number: *number, after: *after }
            })
            .collect()
    }

    fn applying(&mut self) -> Vec<Seen> {
        let is_durable = |index: &u64| self.writers[(index - self.base - 1) as usize] <= self.durable;
        let from = self.applied.max(self.base);
        let through = if self.installing() { 0 } else { (from + 1..=self.committed).take_while(is_durable).last().unwrap_or(0) };
        if through <= self.applied {
            return Vec::new();
        }
        self.applied = through;
        vec![Seen::Apply(through)]
    }
}

proptest! {
    #[test]
    fn behaves_like_the_naive_model(moves in proptest::collection::vec(moves(), 1..120)) {
        let (mut outbox, mut naive) = (Outbox::new(Index(0)), Naive::default());
        for (number, made) in moves.iter().enumerate() {
            let (actions, expected) = if let Move::Durable { count } = made {
                let expected = naive.durable(*count);
                let mut actions = durable(&mut outbox, naive.durable);
                actions.retain(|action| !matches!(action, Seen::Persisted(_)));
                (actions, expected)
            } else {
                let (effect, expected) = naive.effect(made, number as u64);
                (accept(&mut outbox, &[effect]), expected)
            };
            prop_assert_eq!(actions, expected, "after move {}: {:?}", number, made);
            prop_assert_eq!(outbox.pending() as u64, naive.issued - naive.durable);
        }
    }
}
