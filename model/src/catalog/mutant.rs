//! Mistakes put back from outside, and how they are hunted.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    World,
    engine::{Search, breadth::Limits, erase, walk::Plan},
};

/// A mistake that a real system made, in a world that is configured with it.
pub struct Mutant {
    /// The id of its row in the list of bugs, for example `B-C01`.
    pub id: &'static str,
    /// The name of its world.
    pub world: &'static str,
    /// What it does wrong, in one line.
    pub mechanism: &'static str,
    /// Who made the mistake.
    pub source: &'static str,
    /// The laws that may convict it; any other that breaks first shows that the mutant, or a law, is not what its author thinks.
    pub laws: &'static [&'static str],
    /// Sights that it must make impossible: it is convicted as well when a hunt sees what it could and these are not among it.
    pub blinds: &'static [&'static str],
    /// It is no mistake, and must not be convicted.
    pub negative_control: bool,
    /// Ways to hunt it, tried in this order until one convicts it; a negative control must survive all of them.
    pub hunts: Vec<Hunt>,
}

/// One way to hunt a mutant.
pub struct Hunt {
    /// The bounds of the world, or the name of the script, in words.
    pub bounds: &'static str,
    /// How.
    pub way: Way,
    /// The world with the mistake.
    pub system: Arc<dyn Search>,
}

/// How a mutant is hunted.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// Breadth-first search, up to limits.
    Breadth(Limits),
    /// Random walks.
    Walks(Plan),
    /// These actions, as JSON.
    Script(Value),
}

impl Mutant {
    pub(super) const fn new(
        id: &'static str,
        world: &'static str,
        mechanism: &'static str,
        source: &'static str,
        laws: &'static [&'static str],
    ) -> Self {
        Self { id, world, mechanism, source, laws, blinds: &[], negative_control: false, hunts: Vec::new() }
    }

    /// Hunts by breadth-first search: the shortest counterexample.
    pub fn breadth<W: World>(&mut self, bounds: &'static str, world: W, limits: Limits) -> &mut Self {
        self.hunt(bounds, Way::Breadth(limits), world)
    }

    /// Hunts by random walks.
    pub fn walks<W: World>(&mut self, bounds: &'static str, world: W, plan: Plan) -> &mut Self {
        self.hunt(bounds, Way::Walks(plan), world)
    }

    /// Hunts by a script, for what search does not find.
    pub fn script<W: World>(&mut self, name: &'static str, world: W, actions: &[W::Action]) -> &mut Self {
        let actions = serde_json::to_value(actions).expect("actions are plain names and numbers");
        self.hunt(name, Way::Script(actions), world)
    }

    /// Says which sights the mistake makes impossible: how a mistake that stops progress is convicted.
    pub fn blinds(&mut self, sights: &'static [&'static str]) -> &mut Self {
        self.blinds = sights;
        self
    }

    fn hunt<W: World>(&mut self, bounds: &'static str, way: Way, world: W) -> &mut Self {
        self.hunts.push(Hunt { bounds, way, system: erase(world) });
        self
    }
}
