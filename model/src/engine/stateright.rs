//! Any world as a `stateright::Model`: the second opinion, and Stateright's Explorer.
//!
//! **Symmetry.** Stateright decides by a state's `Hash` whether it was visited. The hash of a [`Node`] is the canonical fingerprint alone, so Stateright visits one
//! state of each class, with every checker of it; its own `symmetry` (which `spawn_bfs` and `spawn_on_demand` ignore) is not used. This is sound: the node that
//! goes on the stack is the concrete one that was reached, its path is a list of places among its actions and replays through concrete states, and a state that is not
//! visited differs in names only from one that is, as do all of its successors. So the number of visited states must be that of [`breadth`](super::breadth),
//! though the two programs share nothing but the world.
//!
//! **Laws and sights** belong to steps, Stateright's properties to states: a node remembers what the step to it broke or saw. A node that breaks a law has no
//! successors. A step to a known node may see something new, which no node remembers: the bridge itself collects the sights of every step.

use std::{
    fmt,
    hash::{Hash, Hasher},
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::stateright::{Checker, HasDiscoveries, Model, Property};
use roadstead_spec::invariants::Broken;

use super::{Cost, Found, NO_PANIC, Stopwatch, caught, random::mix};
use crate::{Moved, Seen, World};

/// A world's state with what the step to it did.
#[derive(Clone)]
pub struct Node<S> {
    /// The world's state.
    pub state: S,
    /// The law that the step broke.
    pub broken: Option<Broken>,
    /// What the step saw.
    pub seen: Seen,
    fingerprint: u64,
}

/// What the Explorer shows: the world's state, and what is wrong with it.
impl<S: fmt::Debug> fmt::Debug for Node<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)?;
        self.broken.as_ref().map_or(Ok(()), |broken| write!(f, "\n{broken}"))
    }
}

/// Two nodes with equal states have equal fingerprints, so what `Eq` tells apart at least is hashed, and no more.
impl<S: PartialEq> PartialEq for Node<S> {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.broken == other.broken && self.state == other.state
    }
}

impl<S> Hash for Node<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint);
    }
}

/// A world as a model.
pub struct Bridge<W> {
    world: Arc<W>,
    seen: AtomicU64,
    single: bool,
}

/// Laws, and sights, that can be properties: as many as a [`Seen`] has bits.
pub const PROPERTIES_MAX: usize = 64;

type Condition<W> = fn(&Bridge<W>, &Node<<W as World>::State>) -> bool;

/// A table of functions by number. A property's condition is a plain function and captures nothing, so the number of its law is part of its type.
macro_rules! numbered {
    ($function:ident: $($number:literal)*) => { [$(Self::$function::<$number>),*] };
}

impl<W: World> Bridge<W> {
    const HOLDS: [Condition<W>; PROPERTIES_MAX] = numbered!(holds:
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    const SEES: [Condition<W>; PROPERTIES_MAX] = numbered!(sees:
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);

    /// With every law and sight as a property of its own, for the Explorer.
    pub fn new(world: Arc<W>) -> Self {
        Self { world, seen: AtomicU64::new(0), single: false }
    }

    /// With all laws as one property: it is asked at every state, and which law was broken is seen afterwards.
    fn with_one_property(world: Arc<W>) -> Self {
        Self { single: true, ..Self::new(world) }
    }

    fn holds<const LAW: usize>(&self, node: &Node<W::State>) -> bool {
        node.broken.as_ref().is_none_or(|broken| broken.law != self.world.laws()[LAW].id)
    }

    fn sees<const SIGHT: usize>(&self, node: &Node<W::State>) -> bool {
        node.seen.has(SIGHT)
    }

    fn node(&self, state: W::State) -> Node<W::State> {
        let fingerprint = self.world.fingerprint(&state);
        Node { state, broken: None, seen: Seen::default(), fingerprint }
    }
}

impl<W: World> Model for Bridge<W> {
    type State = Node<W::State>;
    type Action = W::Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.node(self.world.initial())]
    }

    fn actions(&self, node: &Self::State, actions: &mut Vec<Self::Action>) {
        if node.broken.is_none() {
            self.world.actions(&node.state, actions);
        }
    }

    fn next_state(&self, last: &Self::State, action: Self::Action) -> Option<Self::State> {
        let mut state = last.state.clone();
        let mut seen = Seen::default();
        let stepped = caught::step(&*self.world, &mut state, action, &mut seen);
        // Mostly nothing new, and reading does not take the cache line from other threads.
        if seen.0 & !self.seen.load(Ordering::Relaxed) != 0 {
            self.seen.fetch_or(seen.0, Ordering::Relaxed);
        }
        match stepped {
            Ok(Moved::No) => None,
            Ok(Moved::Yes) => Some(Node { seen, ..self.node(state) }),
            // A state that breaks a law may have no fingerprint; it differs from all that do not.
            Err(broken) => {
                let fingerprint = broken.law.bytes().fold(!last.fingerprint, |print, byte| mix(print ^ u64::from(byte)));
                Some(Node { state, broken: Some(broken), seen, fingerprint })
            }
        }
    }

    fn format_step(&self, last: &Self::State, action: Self::Action) -> Option<String> {
        let next = self.next_state(last, action)?;
        let told = caught::tell(&*self.world, &last.state, action, &next.state);
        Some(match next.broken {
            Some(broken) => format!("{told}\n\n{broken}"),
            None => told,
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        if self.single {
            return vec![Property::always("laws", |_, node: &Node<W::State>| node.broken.is_none())];
        }
        let laws = self.world.laws().iter().zip(Self::HOLDS).map(|(law, holds)| Property::always(law.id, holds));
        let sights = self.world.sights().iter().zip(Self::SEES).map(|(sight, sees)| Property::sometimes(sight.name, sees));
        let no_panic: Condition<W> = |_, node| node.broken.as_ref().is_none_or(|broken| broken.law != NO_PANIC);
        laws.chain([Property::always(NO_PANIC, no_panic)]).chain(sights).collect()
    }
}

/// What Stateright's depth-first search visited and found.
#[derive(Clone, Debug)]
pub struct DepthFirst<F> {
    /// Canonical states; those that break a law count.
    pub states: u64,
    /// Steps to the deepest state on the way that was taken, which is seldom the shortest.
    pub depth: u32,
    /// Whether everything was visited.
    pub exhausted: bool,
    /// What was seen.
    pub seen: Seen,
    /// Time that it took.
    pub cost: Cost,
    /// A broken law, with a way there that may be long.
    pub found: Option<F>,
}

impl<F> DepthFirst<F> {
    /// Changes what is found.
    pub fn map<G>(self, change: impl FnOnce(F) -> G) -> DepthFirst<G> {
        let Self { states, depth, exhausted, seen, cost, found } = self;
        DepthFirst { states, depth, exhausted, seen, cost, found: found.map(change) }
    }
}

/// Searches depth-first.
pub fn depth_first<W: World>(world: &Arc<W>, time: Duration, threads: usize) -> DepthFirst<Found<W::Action>> {
    let stopwatch = Stopwatch::start();
    let bridge = Bridge::with_one_property(Arc::clone(world));
    let checker = bridge.checker().threads(threads.max(1)).timeout(time).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let cost = stopwatch.cost();
    let found = checker.discovery("laws").and_then(|path| {
        let broken = path.last_state().broken.clone()?;
        Some(Found { broken, actions: path.into_actions() })
    });
    DepthFirst {
        states: checker.unique_state_count() as u64,
        // Stateright counts states, not steps.
        depth: u32::try_from(checker.max_depth().saturating_sub(1)).unwrap_or(u32::MAX),
        exhausted: found.is_none() && stopwatch.started().elapsed() < time,
        seen: Seen(checker.model().seen.load(Ordering::Relaxed)),
        cost,
        found,
    }
}

/// Serves Stateright's Explorer until the process ends.
///
/// # Errors
/// Nobody can listen at the address.
pub fn explore<W: World>(world: &Arc<W>, address: SocketAddr) -> io::Result<()> {
    // Stateright panics where the address is taken; a reader is owed a sentence.
    drop(TcpListener::bind(address)?);
    Bridge::new(Arc::clone(world)).checker().serve(address);
    Ok(())
}
