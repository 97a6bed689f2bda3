//! Breadth-first search over canonical states, level by level.
//!
//! A state is visited once for all states that differ from it in names only: its fingerprint is that of the whole class. What waits in the frontier is a
//! concrete state of the class, reached by real actions, so the path to it replays from the initial state as it is; and since levels are complete before
//! the next one begins, the first broken law is one that no shorter path breaks, under symmetry too.

mod expand;
mod round;
mod visited;

use std::time::Duration;

use roadstead_spec::invariants::Broken;
use serde::Serialize;

use self::{
    expand::{BLOCK, Link},
    round::{ROUND, expand_all, keep_new},
    visited::{Visited, spread},
};
use super::{Cost, FirstSeen, Found, Progress, Stopwatch, Watch, caught, resident_bytes};
use crate::{Seen, World};

/// States are numbered by 32 bits; a round may go a little beyond.
const STATES_MAX: u64 = 4_000_000_000;

/// When to give up. A search that gives up says nothing about what it did not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Canonical states.
    pub states: u64,
    /// Time on the wall.
    pub time: Duration,
    /// Memory of the process in bytes.
    pub memory: u64,
}

impl Limits {
    /// Ten minutes and 7 GiB, which fit a laptop and a machine of CI.
    pub const DEFAULT: Self = Self { states: STATES_MAX, time: Duration::from_secs(600), memory: 7 << 30 };

    /// The default, but at most that many states.
    pub const fn states(states: u64) -> Self {
        Self { states, ..Self::DEFAULT }
    }

    /// The same, for another time.
    #[must_use]
    pub const fn within(self, time: Duration) -> Self {
        Self { time, ..self }
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Everything that can be reached was visited.
    Exhausted,
    /// A law is broken.
    Broken,
    /// The limit of states.
    States,
    /// The limit of time.
    Time,
    /// The limit of memory.
    Memory,
}

/// What a search visited and found.
#[derive(Clone, Debug, PartialEq)]
pub struct Breadth<F> {
    /// Why it ended.
    pub ended: Ended,
    /// Canonical states.
    pub states: u64,
    /// Actions that led from a visited state to another one.
    pub transitions: u64,
    /// Steps to the last state that is new.
    pub depth: u32,
    /// What was seen, and after how many steps at least.
    pub sights: FirstSeen,
    /// Time that it took.
    pub cost: Cost,
    /// By how much the process grew, at most.
    pub memory: u64,
    /// The law that is broken, with a shortest way there.
    pub found: Option<F>,
}

impl<F> Breadth<F> {
    /// Changes what is found.
    pub fn map<G>(self, change: impl FnOnce(F) -> G) -> Breadth<G> {
        let Self { ended, states, transitions, depth, sights, cost, memory, found } = self;
        Breadth { ended, states, transitions, depth, sights, cost, memory, found: found.map(change) }
    }

    /// Whether everything within the bounds was visited.
    pub fn exhausted(&self) -> bool {
        self.ended == Ended::Exhausted
    }

    /// The chance that two different states had the same fingerprint of 64 bits, so that one of them was not looked at.
    pub fn collision_probability(&self) -> f64 {
        collision_probability(self.states)
    }
}

/// n²/2^65: the birthday bound.
pub fn collision_probability(states: u64) -> f64 {
    (states as f64).powi(2) / 2f64.powi(65)
}

/// Visits what can be reached, until a law is broken or a limit is met.
pub fn search<W: World>(world: &W, limits: &Limits, threads: usize, watch: &dyn Watch) -> Breadth<Found<W::Action>> {
    let mut search = Searcher::new(world, limits, threads.max(1));
    let ended = search.levels(watch);
    let found = search.broken.take().map(|(link, broken)| Found { broken, actions: search.path(link) });
    Breadth {
        ended,
        states: search.links.len() as u64,
        transitions: search.transitions,
        depth: search.depth,
        sights: search.sights,
        cost: search.watch.cost(),
        memory: search.memory_max.saturating_sub(search.memory_before),
        found,
    }
}

struct Searcher<'w, W: World> {
    world: &'w W,
    limits: &'w Limits,
    threads: usize,
    visited: Visited,
    links: Links,
    /// The states of one level, in blocks: none of them moves when the level grows, and a round's are freed when it is over.
    frontier: Vec<Vec<W::State>>,
    next: Vec<Vec<W::State>>,
    depth: u32,
    transitions: u64,
    sights: FirstSeen,
    broken: Option<(Link, Broken)>,
    watch: Stopwatch,
    memory_before: u64,
    memory_max: u64,
}

impl<'w, W: World> Searcher<'w, W> {
    fn new(world: &'w W, limits: &'w Limits, threads: usize) -> Self {
        let memory_before = resident_bytes();
        let watch = Stopwatch::start();
        let initial = world.initial();
        let mut visited = Visited::new();
        for mut share in visited.share(1) {
            share.insert(spread(world.fingerprint(&initial)));
        }
        let mut links = Links::default();
        links.push(Link { parent: 0, choice: 0 });
        Self {
            world,
            limits,
            threads,
            visited,
            links,
            frontier: vec![vec![initial]],
            next: Vec::new(),
            depth: 0,
            transitions: 0,
            sights: FirstSeen::default(),
            broken: None,
            watch,
            memory_before,
            memory_max: memory_before,
        }
    }

    fn levels(&mut self, watch: &dyn Watch) -> Ended {
        let mut first = 0;
        for depth in 1.. {
            let after = self.links.len();
            let mut rounds = std::mem::take(&mut self.frontier);
            let mut rest = rounds.as_mut_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at_mut(ROUND.min(rest.len()));
                self.round(now, first, depth);
                first += now.iter_mut().map(|block| std::mem::take(block).len() as u32).sum::<u32>();
                rest = later;
                watch.progress(Progress {
                    done: self.links.len() as u64,
                    depth: depth.into(),
                    waiting: (self.links.len() - first as usize) as u64,
                });
                if let Some(ended) = self.ended() {
                    return ended;
                }
            }
            if self.links.len() == after {
                return Ended::Exhausted;
            }
            self.frontier = std::mem::take(&mut self.next);
        }
        unreachable!("levels end before their numbers do");
    }

    fn round(&mut self, blocks: &[Vec<W::State>], first: u32, depth: u32) {
        let mut expansions = expand_all(self.world, blocks, first, &self.visited, self.threads);
        let kept = keep_new(&mut self.visited, &expansions, self.threads);
        for (expansion, kept) in expansions.iter_mut().zip(kept) {
            self.transitions += expansion.transitions;
            self.sights.note(expansion.seen, depth);
            self.broken = self.broken.take().or(expansion.broken.take());
            let mut kept = kept.into_iter().peekable();
            for (place, successor) in (0..).zip(expansion.successors.drain(..)) {
                if kept.next_if_eq(&place).is_some() {
                    self.depth = depth;
                    self.links.push(successor.link);
                    push(&mut self.next, successor.state);
                }
            }
        }
    }

    fn ended(&mut self) -> Option<Ended> {
        let memory = resident_bytes();
        self.memory_max = self.memory_max.max(memory);
        if self.broken.is_some() {
            Some(Ended::Broken)
        } else if self.links.len() as u64 >= self.limits.states.min(STATES_MAX) {
            Some(Ended::States)
        } else if self.watch.started().elapsed() >= self.limits.time {
            Some(Ended::Time)
        } else if memory >= self.limits.memory {
            Some(Ended::Memory)
        } else {
            None
        }
    }

    /// The actions to a state's successor: back by links, then forward through the world, where places among actions become actions.
    fn path(&self, last: Link) -> Vec<W::Action> {
        let mut choices = vec![last.choice];
        let mut state = last.parent;
        while state != 0 {
            let link = self.links.get(state);
            choices.push(link.choice);
            state = link.parent;
        }
        let mut state = self.world.initial();
        let mut possible = Vec::new();
        let mut path = Vec::with_capacity(choices.len());
        for choice in choices.into_iter().rev() {
            possible.clear();
            self.world.actions(&state, &mut possible);
            let action = possible[usize::from(choice)];
            path.push(action);
            // Only the last one breaks a law.
            let _ = caught::step(self.world, &mut state, action, &mut Seen::default());
        }
        path
    }
}

/// Adds a state to a level.
fn push<S>(level: &mut Vec<Vec<S>>, state: S) {
    match level.last_mut() {
        Some(block) if block.len() < BLOCK => block.push(state),
        _ => {
            let mut block = Vec::with_capacity(BLOCK);
            block.push(state);
            level.push(block);
        }
    }
}

/// How each state was first reached, by number: 6 bytes for each.
#[derive(Default)]
struct Links {
    parents: Vec<u32>,
    choices: Vec<u16>,
}

impl Links {
    fn push(&mut self, link: Link) {
        self.parents.push(link.parent);
        self.choices.push(link.choice);
    }

    fn get(&self, state: u32) -> Link {
        Link { parent: self.parents[state as usize], choice: self.choices[state as usize] }
    }

    fn len(&self) -> usize {
        self.parents.len()
    }
}
