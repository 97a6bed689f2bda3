//! Whole nodes by seed: the shards, stores, appliers, key-value services and port sessions of production, on a simulated network, clock and disk.
//!
//! A seed draws a cluster, its clients and at least six kinds of fault ([`plan`]). The run is a calendar of events on one thread, so the same seed
//! gives the same run, record by record, in every process and on every machine. What is watched all the time: every record is judged as `replay` judges
//! it (steps executed again, laws, DUTY-1 to DUTY-6, recovery from exactly what was durable); a group that stops, a node that does not start or a panic is a
//! violation. When the faults are over: everybody catches up within a bound, all members hold the same data, and the history of every key is linearizable
//! ([`crate::linear`]), whose reads and writes tell what they found, so that a write that was lost, doubled or refused and done all the same is seen.
//!
//! A failing run is made small by leaving out faults ([`shrink`]), and told as one command.

pub mod bug;
mod clients;
mod disk;
mod engine;
mod evidence;
mod faults;
mod finish;
pub mod hunt;
mod life;
mod links;
mod network;
pub mod plan;
pub mod planted;
mod spoil;
mod turns;
mod world;

pub use evidence::Violation;
use plan::{Micros, Plan};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};
use world::World;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What broke, if anything did.
    pub violation: Option<Violation>,
    /// Names everything that all nodes recorded: equal for equal plans.
    pub digest: u64,
    /// Records that were judged.
    pub records: u64,
    /// Events on the calendar.
    pub events: u64,
    /// Simulated time.
    pub lasted: Micros,
    /// Requests that were answered, and those of which nobody knows.
    pub answered: u64,
    /// See `answered`.
    pub unknown: u64,
    /// Recoveries that were compared with what the life before left.
    pub recoveries: u64,
    /// Nodes that refused to take part with a damaged disk.
    pub refused: usize,
}

/// Executes a plan. With a folder every node's records are also written there, for `replay`.
pub fn run(plan: &Plan, folder: Option<PathBuf>) -> Report {
    let mut world = World::new(plan.clone(), folder);
    let panicked = catch_unwind(AssertUnwindSafe(|| finish::run(&mut world))).err();
    if let Some(panic) = panicked {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        world.violated(None, format!("panic: {}", text.unwrap_or("without words")));
    }
    Report {
        violation: world.evidence.broken.clone(),
        digest: world.evidence.digest(),
        records: world.evidence.records,
        events: world.events(),
        lasted: world.now,
        answered: world.clients.answered,
        unknown: world.clients.unknown,
        recoveries: world.evidence.judge.recoveries,
        refused: world.nodes.iter().filter(|node| node.refused.is_some()).count(),
    }
}

/// The numbers of the fewest faults found with which a failing plan still fails: each is left out if the run fails without it, too.
pub fn shrink(plan: &Plan) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..plan.faults.len()).collect();
    for number in 0..plan.faults.len() {
        let without: Vec<usize> = kept.iter().copied().filter(|other| *other != number).collect();
        if run(&plan.clone().with_only(&without), None).violation.is_some() {
            kept = without;
        }
    }
    kept
}
