//! Random walks, in place: no state is cloned on the way.
//!
//! Each walk draws for itself which kinds of actions it takes and how often (swarm testing: Groce and others, ISSTA 2012): a walk that never crashes
//! a member goes deep, one that prefers elections goes wide, and together they reach what no fixed mixture does. A walk is named by the run's seed and its
//! number, and is the same on every machine.

mod ledger;
mod shrink;
mod swarm;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use self::{
    ledger::{Batch, Ledger},
    swarm::Swarm,
};
use super::{Cost, FirstSeen, Found, Stopwatch, Watch, caught, random::Random};
use crate::{Seen, World};

/// Walks between two looks at the common book.
const BATCH: u64 = 64;

/// Which walks to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the walks are drawn from.
    pub seed: u64,
    /// Steps after which it is enough.
    pub steps: u64,
    /// Steps of one walk at most. A walk also ends where nothing is possible that it would take.
    pub length: u32,
    /// Time on the wall after which it is enough.
    pub time: Duration,
}

impl Plan {
    /// So many steps in walks of 200 steps at most.
    pub const fn steps(seed: u64, steps: u64) -> Self {
        Self { seed, steps, length: 200, time: Duration::from_secs(3_600) }
    }

    /// As many steps as the time allows.
    pub const fn time(seed: u64, time: Duration) -> Self {
        Self { seed, steps: u64::MAX, length: 200, time }
    }

    /// The same with walks of another length.
    #[must_use]
    pub const fn length(self, length: u32) -> Self {
        Self { length, ..self }
    }
}

/// What walks came across.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked<F> {
    /// Steps, up to the walk that broke a law.
    pub steps: u64,
    /// Walks, with that one.
    pub walks: u64,
    /// What was seen, and after how many steps of a walk at least.
    pub sights: FirstSeen,
    /// Time that it took.
    pub cost: Cost,
    /// The broken law, with a way there that has nothing to spare.
    pub found: Option<F>,
    /// The steps that the walk took before they were reduced to `found`.
    pub found_after: Option<u32>,
}

impl<F> Walked<F> {
    /// Changes what is found.
    pub fn map<G>(self, change: impl FnOnce(F) -> G) -> Walked<G> {
        let Self { steps, walks, sights, cost, found, found_after } = self;
        Walked { steps, walks, sights, cost, found: found.map(change), found_after }
    }
}

/// Walks until a law is broken or the plan is fulfilled.
pub fn walk<W: World>(world: &W, plan: &Plan, threads: usize, watch: &dyn Watch) -> Walked<Found<W::Action>> {
    let stopwatch = Stopwatch::start();
    let ledger = Ledger::new(plan.steps);
    let next = AtomicU64::new(0);
    let work = || {
        let mut walker = Walker::new(world, plan);
        while !ledger.full() && stopwatch.started().elapsed() < plan.time {
            let number = next.fetch_add(1, Ordering::Relaxed);
            ledger.enter(number, walker.batch(number * BATCH), watch);
        }
    };
    if threads <= 1 {
        work();
    } else {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    let total = ledger.total();
    let found_after = total.found.as_ref().map(|found| u32::try_from(found.actions.len()).unwrap_or(u32::MAX));
    let found = total.found.map(|found| shrink::shrink(world, found));
    Walked { steps: total.steps, walks: total.walks, sights: total.sights, cost: stopwatch.cost(), found, found_after }
}

/// The memory of one thread, used again by each of its walks.
struct Walker<'w, W: World> {
    world: &'w W,
    plan: &'w Plan,
    initial: W::State,
    state: W::State,
    possible: Vec<W::Action>,
    path: Vec<W::Action>,
    swarm: Swarm,
}

impl<'w, W: World> Walker<'w, W> {
    fn new(world: &'w W, plan: &'w Plan) -> Self {
        let initial = world.initial();
        let state = initial.clone();
        Self { world, plan, initial, state, possible: Vec::new(), path: Vec::new(), swarm: Swarm::of(W::KINDS.len()) }
    }

    fn batch(&mut self, first: u64) -> Batch<W::Action> {
        let mut batch = Batch::default();
        for number in first..first + BATCH {
            self.one(number, &mut batch);
            if batch.found.is_some() {
                break;
            }
        }
        batch
    }

    fn one(&mut self, number: u64, batch: &mut Batch<W::Action>) {
        let mut random = Random::of(self.plan.seed, number);
        self.swarm.draw(&mut random);
        self.state.clone_from(&self.initial);
        self.path.clear();
        let mut seen = Seen::default();
        for depth in 1..=self.plan.length {
            self.possible.clear();
            self.world.actions(&self.state, &mut self.possible);
            let kind = |action: &W::Action| self.world.kind(*action);
            let Some(place) = self.swarm.pick(&mut random, self.possible.iter().map(kind)) else { break };
            let action = self.possible[place];
            self.path.push(action);
            let before = seen;
            let stepped = caught::step(self.world, &mut self.state, action, &mut seen);
            if seen != before {
                batch.sights.note(Seen(seen.0 & !before.0), depth);
            }
            if let Err(broken) = stepped {
                batch.found = Some(Found { broken, actions: self.path.clone() });
                break;
            }
        }
        batch.steps += self.path.len() as u64;
        batch.walks += 1;
    }
}
