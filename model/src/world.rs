//! What can be searched.

use roadstead_spec::invariants::{self, ALL, Broken};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, hash::Hash};

/// A closed system under fixed bounds.
///
/// Bounds live in the state, as budgets that actions use up: a depth limit is no sound bound, since a state that is first met deep would hide what lies
/// behind it from a shorter way.
pub trait World: Send + Sync + 'static {
    /// Everything that decides what can happen. `Hash` and `Eq` see all of it.
    type State: Clone + Eq + Hash + Debug + Send + Sync;
    /// One thing that happens; small, so that a walk copies it and a path is a list of them. Names of members and places in queues, no contents.
    type Action: Copy + Eq + Debug + Send + Sync + Serialize + DeserializeOwned;

    /// Names of the kinds of actions. A walk draws a weight for each of them (swarm testing).
    const KINDS: &'static [&'static str];

    /// Where it begins.
    fn initial(&self) -> Self::State;

    /// Appends every action that is possible, always in the same order.
    fn actions(&self, state: &Self::State, out: &mut Vec<Self::Action>);

    /// The kind of an action, as a place in [`World::KINDS`].
    fn kind(&self, action: Self::Action) -> usize;

    /// Takes an action, in place. Whatever notable was reached is noted in `seen`.
    ///
    /// # Errors
    /// A law that this step, or the state that it leads to, breaks. The state is then good for [`World::tell`] and nothing else.
    fn step(&self, state: &mut Self::State, action: Self::Action, seen: &mut Seen) -> Result<Moved, Broken>;

    /// A fingerprint that is the same for two states exactly when they differ only in how members (and groups) are named: the canonical state's. Exact but for
    /// collisions of 64 bits.
    fn fingerprint(&self, state: &Self::State) -> u64;

    /// What must hold.
    fn laws(&self) -> &'static [Law];

    /// What must be reached for the laws to mean something; bit `n` of [`Seen`] is the `n`-th.
    fn sights(&self) -> &'static [Sight];

    /// What an action did, for a reader: who, what happened, what changed. Without a line break at the end.
    fn tell(&self, before: &Self::State, action: Self::Action, after: &Self::State) -> String;
}

/// Whether an action changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The state is another one.
    Yes,
    /// The state is what it was; the action leads nowhere.
    No,
}

/// A safety property of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// Its id, the same in documents, reports and [`Broken`].
    pub id: &'static str,
    /// What holds.
    pub statement: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

impl Law {
    /// A local law of `spec`, in its own words.
    pub const fn of(law: &invariants::Law) -> Self {
        Self { id: law.id, statement: law.statement, source: law.source }
    }

    /// The local law of `spec` with this id.
    ///
    /// # Panics
    /// If there is none; in a constant, that ends the build.
    pub const fn local(id: &str) -> Self {
        let mut at = 0;
        while at < ALL.len() {
            if is_same(ALL[at].id.as_bytes(), id.as_bytes()) {
                return Self::of(&ALL[at]);
            }
            at += 1;
        }
        panic!("spec has no law of this id")
    }
}

/// `==`, which constants cannot use yet.
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Something that a search must come across: the `sometimes` twin of a law, without which the law might hold for want of anything to break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What was seen, as a fact.
    pub name: &'static str,
    /// The laws that mean nothing without it.
    pub twin_of: &'static [&'static str],
}

/// Which sights were seen: bit `n` is the `n`-th of [`World::sights`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(pub u64);

impl Seen {
    /// Notes a sight.
    pub fn note(&mut self, sight: usize) {
        self.0 |= 1 << sight;
    }

    /// Notes a sight if it is there.
    pub fn note_if(&mut self, sight: usize, fact: bool) {
        self.0 |= u64::from(fact) << sight;
    }

    /// Adds what another part of the search saw.
    pub fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether a sight was seen.
    pub const fn has(self, sight: usize) -> bool {
        self.0 >> sight & 1 == 1
    }
}
