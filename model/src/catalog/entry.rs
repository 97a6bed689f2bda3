//! A world with the bounds under which it is searched.

use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;

use super::Mutant;
use crate::{
    World,
    engine::{Search, breadth::Limits, erase, stateright::PROPERTIES_MAX, walk::Plan},
};

/// In which run something takes part. A larger run contains the smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Seconds: in `cargo test`.
    Quick,
    /// Minutes: for every change.
    Ci,
    /// An hour: every night.
    Nightly,
}

/// What an exhaustive search must count. A change of a transition function changes it, and the diff of the golden value shows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Golden {
    /// Canonical states.
    pub states: u64,
    /// Steps to the last one that is new.
    pub depth: u32,
}

/// A world under bounds that an exhaustive search can visit completely.
pub struct Configuration {
    /// Its name, unique in the catalog.
    pub name: &'static str,
    /// The name of its world.
    pub world: &'static str,
    /// In which runs it takes part.
    pub tier: Tier,
    /// Its bounds in words.
    pub bounds: &'static str,
    /// What it must count, once it is known.
    pub golden: Option<Golden>,
    /// When to give up; giving up is a failure where a golden value is given.
    pub limits: Limits,
    /// The world.
    pub system: Arc<dyn Search>,
}

impl Configuration {
    /// Says what the search must count.
    pub fn golden(&mut self, states: u64, depth: u32) -> &mut Self {
        self.golden = Some(Golden { states, depth });
        self
    }

    /// Says when to give up.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }
}

/// A world under bounds that random walks explore.
pub struct Swarm {
    /// Its name, unique in the catalog.
    pub name: &'static str,
    /// The name of its world.
    pub world: &'static str,
    /// In which runs it takes part.
    pub tier: Tier,
    /// Its bounds in words.
    pub bounds: &'static str,
    /// Seed, number of steps and length of the walks.
    pub plan: Plan,
    /// The world.
    pub system: Arc<dyn Search>,
}

/// One row of a counting run: a rule of the transition functions, its outcome, the role of the member that asked, and who reached that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoverageRow {
    /// The rule.
    pub rule: String,
    /// What it decided.
    pub outcome: String,
    /// In which role.
    pub role: String,
    /// The configurations that reached it.
    pub reached_by: Vec<&'static str>,
    /// Why nobody needs to reach it.
    pub excuse: Option<&'static str>,
}

/// A world and everything that is done with it.
pub struct WorldEntry {
    /// Its name.
    pub name: &'static str,
    /// What it models, in one line.
    pub summary: &'static str,
    /// Its exhaustive configurations.
    pub configurations: Vec<Configuration>,
    /// Its random ones.
    pub swarms: Vec<Swarm>,
    /// Its mutants.
    pub mutants: Vec<Mutant>,
    /// Its counting run.
    pub coverage: Option<fn() -> Vec<CoverageRow>>,
}

impl WorldEntry {
    pub(super) const fn new(name: &'static str, summary: &'static str) -> Self {
        Self { name, summary, configurations: Vec::new(), swarms: Vec::new(), mutants: Vec::new(), coverage: None }
    }

    /// Adds bounds that can be exhausted.
    pub fn search<W: World>(&mut self, name: &'static str, tier: Tier, bounds: &'static str, world: W) -> &mut Configuration {
        assert!(world.laws().len() <= PROPERTIES_MAX, "{name}: {PROPERTIES_MAX} laws at most");
        assert!(world.sights().len() <= PROPERTIES_MAX, "{name}: {PROPERTIES_MAX} sights at most");
        let limits = Limits::DEFAULT;
        self.configurations.push(Configuration { name, world: self.name, tier, bounds, golden: None, limits, system: erase(world) });
        self.configurations.last_mut().expect("it was just added")
    }

    /// Adds bounds that walks explore.
    pub fn walks<W: World>(&mut self, name: &'static str, tier: Tier, bounds: &'static str, world: W, plan: Plan) -> &mut Self {
        self.swarms.push(Swarm { name, world: self.name, tier, bounds, plan, system: erase(world) });
        self
    }

    /// Adds a mistake, by the id of its row in the list of bugs, and the laws of which one must convict it.
    pub fn mutant(
        &mut self,
        id: &'static str,
        mechanism: &'static str,
        source: &'static str,
        laws: &'static [&'static str],
    ) -> &mut Mutant {
        self.mutants.push(Mutant::new(id, self.name, mechanism, source, laws));
        self.mutants.last_mut().expect("it was just added")
    }

    /// Adds a change that is no mistake: no law may convict it, however it is hunted.
    pub fn control(&mut self, id: &'static str, mechanism: &'static str, source: &'static str) -> &mut Mutant {
        let control = self.mutant(id, mechanism, source, &[]);
        control.negative_control = true;
        control
    }

    /// Says how rules are counted.
    pub fn coverage(&mut self, count: fn() -> Vec<CoverageRow>) -> &mut Self {
        self.coverage = Some(count);
        self
    }
}
