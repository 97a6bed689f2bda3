//! Which rule with which outcome in which role was reached by which configuration: rules that count, and otherwise are the papers'.
//!
//! A member's role is that in which it was when the step began. Counts lie in static memory, so that production's functions keep their signatures; runs that
//! count are therefore taken one after the other: [`Tally`].

mod counting;
mod points;

use self::{
    counting::{Counting, CountingOutbox},
    points::{POINTS, Point},
};
use super::{Bounds, Build, RaftWorld, scopes::*};
use crate::{
    catalog::CoverageRow,
    engine::{Unwatched, walk},
};
use roadstead_spec::raft::{Effect, Event, Paper, Params, Role, State, step_with};
use serde::Serialize;
use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const ROLES: [&str; 4] = ["follower", "pre-candidate", "candidate", "leader"];

static COUNTS: [AtomicU64; POINTS.len() * ROLES.len()] = [const { AtomicU64::new(0) }; POINTS.len() * ROLES.len()];
static COUNTING: Mutex<()> = Mutex::new(());

thread_local! {
    static ROLE: Cell<usize> = const { Cell::new(0) };
}

fn reach(point: Point) {
    COUNTS[point as usize * ROLES.len() + ROLE.get()].fetch_add(1, Ordering::Relaxed);
}

fn either<T>(fact: bool, yes: Point, no: Point, value: T) -> T {
    reach(if fact { yes } else { no });
    value
}

fn counting_step(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    ROLE.set(match state.role {
        Role::Follower { .. } => 0,
        Role::PreCandidate { .. } => 1,
        Role::Candidate { .. } => 2,
        Role::Leader(_) => 3,
    });
    step_with::<Counting>(params, state, event, out);
}

/// Walks that count: what each reaches. The same walks as the configurations of these names, but shorter.
const RUNS: &[(&str, Scope, u64)] = &[
    ("raft-walk-3", WIDE_3, 4_000_000),
    ("raft-walk-3-steps", STEPS_3, 2_000_000),
    ("raft-walk-5-steps", STEPS_5, 500_000),
    ("raft-walk-2", WIDE_2, 40_000),
    ("raft-walk-1", WIDE_1, 30_000),
];

/// An outcome of a rule in a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The rule, by the name that it has in `spec`.
    pub rule: &'static str,
    /// What it decided.
    pub outcome: &'static str,
    /// The role of the member that asked.
    pub role: &'static str,
    /// Why no walk of the model reaches it.
    pub excuse: Option<&'static str>,
}

/// The one that counts, as long as it is there.
#[derive(Debug)]
pub struct Tally(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Tally {
    /// Waits until nobody else counts, and begins with nothing.
    pub fn begin() -> Self {
        let alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = Self(alone);
        tally.clear();
        tally
    }

    /// Production's functions, which count and decide the same.
    pub const fn build(&self) -> Build {
        Build { step: counting_step, ..Build::of::<Paper, CountingOutbox>() }
    }

    /// Begins again with nothing.
    pub fn clear(&self) {
        COUNTS.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Every outcome of every rule in every role, and how often it was met.
    pub fn outcomes(&self) -> Vec<(Outcome, u64)> {
        let cells = POINTS.iter().flat_map(|point| ROLES.iter().map(move |role| (point, role)));
        let counted = cells.zip(&COUNTS).map(|(((rule, outcome, excluded), role), count)| {
            let letter = role.chars().next().unwrap_or_default();
            let excuse = excluded.iter().find(|(roles, _)| roles.contains(&letter)).map(|(_, reason)| *reason);
            (Outcome { rule, outcome, role, excuse }, count.load(Ordering::Relaxed))
        });
        counted.collect()
    }
}

/// Rules, outcomes and roles, and which walks reached them.
pub fn coverage() -> Vec<CoverageRow> {
    let tally = Tally::begin();
    let mut rows: Vec<CoverageRow> = Vec::new();
    for (name, scope, steps) in RUNS {
        tally.clear();
        walk_counting(&tally, scope.bounds, *steps);
        let outcomes = tally.outcomes();
        if rows.is_empty() {
            let row = |(Outcome { rule, outcome, role, excuse }, _): &(Outcome, u64)| CoverageRow {
                rule: (*rule).into(),
                outcome: (*outcome).into(),
                role: (*role).into(),
                reached_by: Vec::new(),
                excuse: *excuse,
            };
            rows = outcomes.iter().map(row).collect();
        }
        for (row, (_, count)) in rows.iter_mut().zip(outcomes) {
            if count > 0 {
                row.reached_by.push(name);
            }
        }
    }
    rows
}

fn walk_counting(tally: &Tally, bounds: Bounds, steps: u64) {
    let world = RaftWorld::of(bounds, tally.build());
    walk::walk(&world, &walk::Plan::steps(5, steps), 2, &Unwatched);
}
