//! An exhaustive search with its verdict.

use std::time::Duration;

use serde::Serialize;

use super::{SightSeen, sights, text::count};
use crate::{
    catalog::{Configuration, Golden, Tier},
    engine::{
        Cost, Counterexample, Watch,
        breadth::{Ended, collision_probability},
    },
};

/// Up to this many states the second engine counts again without being asked.
pub const CROSS_CHECK_STATES_MAX: u64 = 300_000;

/// When the second engine counts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossCheck {
    /// Where it takes seconds.
    Small,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// One configuration, searched.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The configuration.
    pub name: &'static str,
    /// Its world.
    pub world: &'static str,
    /// Its tier.
    pub tier: Tier,
    /// Its bounds in words.
    pub bounds: &'static str,
    /// Why the search ended.
    pub ended: Ended,
    /// Canonical states.
    pub states: u64,
    /// Actions that led to another state.
    pub transitions: u64,
    /// Steps to the last state that is new.
    pub depth: u32,
    /// What it must count.
    pub golden: Option<Golden>,
    /// The count of the second engine.
    pub cross_checked: Option<u64>,
    /// Time of the first engine.
    pub cost: Cost,
    /// Canonical states per CPU-second.
    pub states_per_cpu_second: f64,
    /// Growth of the process for each state; none where it is too small to be measured.
    pub bytes_per_state: Option<f64>,
    /// The chance that a state was taken for another one.
    pub collision_probability: f64,
    /// What was seen.
    pub sights: Vec<SightSeen>,
    /// The broken law.
    pub counterexample: Option<Counterexample>,
    /// What is not as it must be, as sentences; empty if all is.
    pub failures: Vec<String>,
}

impl Checked {
    /// Whether all is as it must be.
    pub fn green(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Growth below this is noise of the allocator.
const MEMORY_MIN: u64 = 8 << 20;

/// Searches a configuration.
pub fn check(configuration: &Configuration, cross: CrossCheck, threads: usize, watch: &dyn Watch) -> Checked {
    let found = configuration.system.breadth(&configuration.limits, threads, watch);
    let mut checked = Checked {
        name: configuration.name,
        world: configuration.world,
        tier: configuration.tier,
        bounds: configuration.bounds,
        ended: found.ended,
        states: found.states,
        transitions: found.transitions,
        depth: found.depth,
        golden: configuration.golden,
        cross_checked: None,
        cost: found.cost,
        states_per_cpu_second: found.cost.rate(found.states),
        bytes_per_state: (found.memory >= MEMORY_MIN).then(|| found.memory as f64 / found.states as f64),
        collision_probability: collision_probability(found.states),
        sights: sights(&*configuration.system, &found.sights),
        failures: failures(configuration, found.ended, Golden { states: found.states, depth: found.depth }, found.found.as_ref()),
        counterexample: found.found,
    };
    if found.ended == Ended::Exhausted && wants(cross, found.states) {
        cross_check(configuration, &mut checked, threads);
    }
    checked
}

fn failures(configuration: &Configuration, ended: Ended, counted: Golden, found: Option<&Counterexample>) -> Vec<String> {
    let Configuration { name, golden, .. } = configuration;
    if let Some(found) = found {
        return vec![format!("{name}: {} is broken after {} steps: {}", found.law, found.story.len(), found.values)];
    }
    let limit = match ended {
        Ended::Exhausted | Ended::Broken => None,
        Ended::States => Some("states"),
        Ended::Time => Some("time"),
        Ended::Memory => Some("memory"),
    };
    match (limit, golden) {
        (None, Some(golden)) if *golden != counted => vec![format!(
            "{name}: {} states to depth {} were counted, {} to depth {} are golden; if the change is meant, write .golden({}, {}) where {name} is registered",
            count(counted.states),
            counted.depth,
            count(golden.states),
            golden.depth,
            grouped_literal(counted.states),
            counted.depth,
        )],
        (Some(limit), Some(_)) => {
            vec![format!("{name}: the limit of {limit} ended the search after {} states to depth {}", count(counted.states), counted.depth)]
        }
        (None | Some(_), None) | (None, Some(_)) => Vec::new(),
    }
}

/// A number as Rust writes it.
fn grouped_literal(number: u64) -> String {
    count(number).replace(',', "_")
}

fn wants(cross: CrossCheck, states: u64) -> bool {
    match cross {
        CrossCheck::Small => states <= CROSS_CHECK_STATES_MAX,
        CrossCheck::Always => true,
        CrossCheck::Never => false,
    }
}

fn cross_check(configuration: &Configuration, checked: &mut Checked, threads: usize) {
    let Configuration { name, limits, .. } = configuration;
    let second = configuration.system.depth_first(limits.time.max(Duration::from_secs(60)), threads);
    checked.cross_checked = Some(second.states);
    if !second.exhausted {
        let why = second.found.map_or("time is up".to_owned(), |found| format!("{} is broken: {}", found.law, found.values));
        checked.failures.push(format!("{name}: Stateright's depth-first search did not exhaust what breadth-first search did: {why}"));
    } else if second.states != checked.states {
        checked.failures.push(format!(
            "{name}: breadth-first search counts {} states and Stateright's depth-first search {}: states with one fingerprint behave differently",
            count(checked.states),
            count(second.states),
        ));
    }
}
