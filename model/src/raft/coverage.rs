//! Which rule with which outcome in which role was reached by which configuration: rules that count, and otherwise are the papers'.
//!
//! A member's role is that in which it was when the step began. What is counted is a bit in static memory, so that production's functions keep their
//! signatures; runs that count are therefore taken one after the other.

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
use std::{
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

const ROLES: [&str; 4] = ["follower", "pre-candidate", "candidate", "leader"];

static REACHED: [AtomicBool; POINTS.len() * ROLES.len()] = [const { AtomicBool::new(false) }; POINTS.len() * ROLES.len()];
static COUNTING: Mutex<()> = Mutex::new(());

thread_local! {
    static ROLE: Cell<usize> = const { Cell::new(0) };
}

fn reach(point: Point) {
    let cell = &REACHED[point as usize * ROLES.len() + ROLE.get()];
    if !cell.load(Ordering::Relaxed) {
        cell.store(true, Ordering::Relaxed);
    }
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

/// Rules, outcomes and roles, and who reached them.
pub fn coverage() -> Vec<CoverageRow> {
    let _alone = COUNTING.lock();
    let mut reached: Vec<Vec<&'static str>> = vec![Vec::new(); REACHED.len()];
    for (name, scope, steps) in RUNS {
        REACHED.iter().for_each(|cell| cell.store(false, Ordering::Relaxed));
        walk_counting(scope.bounds, *steps);
        for (cell, names) in REACHED.iter().zip(&mut reached) {
            if cell.load(Ordering::Relaxed) {
                names.push(name);
            }
        }
    }
    let mut rows = Vec::new();
    for (number, (rule, outcome, excluded)) in POINTS.iter().enumerate() {
        for (place, role) in ROLES.iter().enumerate() {
            let letter = role.chars().next().unwrap_or_default();
            let excuse = excluded.iter().find(|(roles, _)| roles.contains(&letter)).map(|(_, reason)| *reason);
            let reached_by = std::mem::take(&mut reached[number * ROLES.len() + place]);
            rows.push(CoverageRow { rule: (*rule).into(), outcome: (*outcome).into(), role: (*role).into(), reached_by, excuse });
        }
    }
    rows
}

fn walk_counting(bounds: Bounds, steps: u64) {
    let build = Build { step: counting_step, ..Build::of::<Paper, CountingOutbox>() };
    let world = RaftWorld::of(bounds, build);
    walk::walk(&world, &walk::Plan::steps(5, steps), 2, &Unwatched);
}
