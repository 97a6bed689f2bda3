//! Random walks with their verdict.

use serde::Serialize;

use super::{SightSeen, sights};
use crate::{
    catalog::{Swarm, Tier},
    engine::{Cost, Counterexample, Watch, walk::Plan},
};

/// One swarm, walked.
#[derive(Clone, Debug, Serialize)]
pub struct Strolled {
    /// The swarm.
    pub name: &'static str,
    /// Its world.
    pub world: &'static str,
    /// Its tier.
    pub tier: Tier,
    /// Its bounds in words.
    pub bounds: &'static str,
    /// What the walks were drawn from.
    pub seed: u64,
    /// Steps.
    pub steps: u64,
    /// Walks.
    pub walks: u64,
    /// Time.
    pub cost: Cost,
    /// Steps per CPU-second.
    pub steps_per_cpu_second: f64,
    /// What was seen.
    pub sights: Vec<SightSeen>,
    /// The broken law.
    pub counterexample: Option<Counterexample>,
    /// How long the walk was that broke it, before what did not matter was left out.
    pub found_after: Option<u32>,
}

impl Strolled {
    /// Whether no law was broken.
    pub const fn green(&self) -> bool {
        self.counterexample.is_none()
    }
}

/// Walks a swarm by a plan, its own or another one.
pub fn stroll(swarm: &Swarm, plan: &Plan, threads: usize, watch: &dyn Watch) -> Strolled {
    let walked = swarm.system.walk(plan, threads, watch);
    Strolled {
        name: swarm.name,
        world: swarm.world,
        tier: swarm.tier,
        bounds: swarm.bounds,
        seed: plan.seed,
        steps: walked.steps,
        walks: walked.walks,
        cost: walked.cost,
        steps_per_cpu_second: walked.cost.rate(walked.steps),
        sights: sights(&*swarm.system, &walked.sights),
        counterexample: walked.found,
        found_after: walked.found_after,
    }
}
