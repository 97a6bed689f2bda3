//! Paths of a world that Stateright finds, one behind the other: each is a shortest one, from where the last ended to the next thing that is to be seen.

use super::{Event, Leg};
use roadstead_model::{Moved, Seen, World};
use stateright::{Checker, Model, Property};
use std::{
    fmt::Debug,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// Most steps that are looked at for one leg.
const STEPS_MAX: usize = 1_000_000;

/// Tells steps of a world as events, and remembers what it needs for that.
pub(crate) trait Teller<W: World>: Clone + Debug + PartialEq + Hash + Send + Sync + 'static {
    /// What an action was. `None`: the trace specification has no words for it, and no path takes it.
    fn tell(&mut self, before: &W::State, action: W::Action, after: &W::State, moved: Moved) -> Option<Vec<Event>>;
}

/// A state of the world, who tells the way to it, and the last step of that.
#[derive(Clone, Debug)]
struct Node<S, T> {
    state: S,
    teller: T,
    events: Vec<Event>,
    is_seen: bool,
}

impl<S: PartialEq, T: PartialEq> PartialEq for Node<S, T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.state, &self.teller, self.is_seen) == (&other.state, &other.teller, other.is_seen)
    }
}

impl<S: Hash, T: Hash> Hash for Node<S, T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.state, &self.teller, self.is_seen).hash(hasher);
    }
}

/// The world from some state on, and what is to be seen of it.
struct Search<W: World, T> {
    world: Arc<W>,
    begin: (W::State, T),
    goal: Goal,
}

/// Where a leg ends: what its last step shows, or is.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Sight(usize),
    Kind(usize),
}

impl<W: World, T: Teller<W>> Model for Search<W, T> {
    type State = Node<W::State, T>;
    type Action = W::Action;

    fn init_states(&self) -> Vec<Self::State> {
        let (state, teller) = self.begin.clone();
        vec![Node { state, teller, events: Vec::new(), is_seen: false }]
    }

    fn actions(&self, node: &Self::State, actions: &mut Vec<Self::Action>) {
        self.world.actions(&node.state, actions);
    }

    fn next_state(&self, last: &Self::State, action: Self::Action) -> Option<Self::State> {
        let (mut state, mut teller, mut seen) = (last.state.clone(), last.teller.clone(), Seen::default());
        let moved = self.world.step(&mut state, action, &mut seen).unwrap_or_else(|broken| panic!("{broken}"));
        let events = teller.tell(&last.state, action, &state, moved)?;
        let is_seen = match self.goal {
            Goal::Sight(sight) => seen.has(sight),
            Goal::Kind(kind) => self.world.kind(action) == kind,
        };
        Some(Node { state, teller, events, is_seen })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::sometimes("it is seen", |_, node: &Self::State| node.is_seen)]
    }
}

/// A way through a world.
#[derive(Debug)]
pub(crate) struct Way<W: World, T> {
    pub(crate) teller: T,
    pub(crate) legs: Vec<Leg>,
    /// What was done on each leg.
    pub(crate) actions: Vec<Vec<W::Action>>,
}

/// Finds a way past these sights and kinds of actions, in this order. Of two ways it is always the same one: one thread searches, breadth first.
///
/// # Panics
/// If something cannot be seen from where the last leg ended.
pub(crate) fn past<W: World, T: Teller<W>>(world: W, teller: T, goals: &[&'static str]) -> Way<W, T> {
    let world = Arc::new(world);
    let (mut state, mut way) = (world.initial(), Way { teller, legs: Vec::new(), actions: Vec::new() });
    for &shows in goals {
        let sight = world.sights().iter().position(|sight| sight.name == shows).map(Goal::Sight);
        let goal = sight.or_else(|| W::KINDS.iter().position(|kind| *kind == shows).map(Goal::Kind));
        let goal = goal.unwrap_or_else(|| panic!("the world has neither a sight nor an action \"{shows}\""));
        let search = Search { world: Arc::clone(&world), begin: (state, way.teller), goal };
        let checker = search.checker().threads(1).target_state_count(STEPS_MAX).spawn_bfs().join();
        println!("{shows}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
        let path = checker.discovery("it is seen").unwrap_or_else(|| panic!("from where the last leg ended, never: {shows}"));
        Node { state, teller: way.teller, .. } = path.last_state().clone();
        let steps = path.into_vec();
        way.legs.push(Leg { shows, events: steps.iter().flat_map(|(node, _)| node.events.clone()).collect() });
        way.actions.push(steps.into_iter().filter_map(|(_, action)| action).collect());
    }
    way
}
