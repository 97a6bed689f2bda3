//! A world that has forgotten its types, so that a catalog can hold many of them and every engine is compiled once for each.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    Alike, Counterexample, Impossible, Scripted, Unlike, Watch, alike,
    breadth::{self, Breadth, Limits},
    script,
    stateright::{self, DepthFirst},
    walk::{self, Plan, Walked},
};
use crate::{Law, Sight, World};

/// Every engine over one world.
pub trait Search: Send + Sync {
    /// What must hold.
    fn laws(&self) -> &'static [Law];

    /// What must be reached.
    fn sights(&self) -> &'static [Sight];

    /// [`breadth::search`].
    fn breadth(&self, limits: &Limits, threads: usize, watch: &dyn Watch) -> Breadth<Counterexample>;

    /// [`walk::walk`].
    fn walk(&self, plan: &Plan, threads: usize, watch: &dyn Watch) -> Walked<Counterexample>;

    /// [`script::script`], with actions as JSON.
    ///
    /// # Errors
    /// They are not actions of this world, or one of them is not possible.
    fn script(&self, actions: &Value) -> Result<Scripted<Counterexample>, Unreadable>;

    /// [`script::story`], with actions as JSON.
    ///
    /// # Errors
    /// They are not actions of this world, or one of them is not possible.
    fn story(&self, actions: &Value) -> Result<Vec<String>, Unreadable>;

    /// The place of each action among those that were possible: the path in Stateright's Explorer.
    ///
    /// # Errors
    /// They are not actions of this world, or one of them is not possible.
    fn choices(&self, actions: &Value) -> Result<Vec<usize>, Unreadable>;

    /// [`stateright::depth_first`].
    fn depth_first(&self, time: Duration, threads: usize) -> DepthFirst<Counterexample>;

    /// [`alike()`].
    ///
    /// # Errors
    /// Two states with one fingerprint behave differently.
    fn alike(&self, states: usize) -> Result<Alike, Box<Unlike>>;

    /// [`stateright::explore`].
    ///
    /// # Errors
    /// Nobody can listen at the address.
    fn explore(&self, address: SocketAddr) -> io::Result<()>;
}

/// Forgets a world's types.
pub fn erase<W: World>(world: W) -> Arc<dyn Search> {
    Arc::new(Erased(Arc::new(world)))
}

struct Erased<W>(Arc<W>);

impl<W: World> Search for Erased<W> {
    fn laws(&self) -> &'static [Law] {
        self.0.laws()
    }

    fn sights(&self) -> &'static [Sight] {
        self.0.sights()
    }

    fn breadth(&self, limits: &Limits, threads: usize, watch: &dyn Watch) -> Breadth<Counterexample> {
        let world = self.0.as_ref();
        breadth::search(world, limits, threads, watch).map(|found| script::counterexample(world, found))
    }

    fn walk(&self, plan: &Plan, threads: usize, watch: &dyn Watch) -> Walked<Counterexample> {
        let world = self.0.as_ref();
        walk::walk(world, plan, threads, watch).map(|found| script::counterexample(world, found))
    }

    fn script(&self, actions: &Value) -> Result<Scripted<Counterexample>, Unreadable> {
        let world = self.0.as_ref();
        Ok(script::script(world, &self.read(actions)?)?.map(|found| script::counterexample(world, found)))
    }

    fn story(&self, actions: &Value) -> Result<Vec<String>, Unreadable> {
        Ok(script::story(self.0.as_ref(), &self.read(actions)?)?)
    }

    fn choices(&self, actions: &Value) -> Result<Vec<usize>, Unreadable> {
        Ok(script::choices(self.0.as_ref(), &self.read(actions)?)?)
    }

    fn depth_first(&self, time: Duration, threads: usize) -> DepthFirst<Counterexample> {
        stateright::depth_first(&self.0, time, threads).map(|found| script::counterexample(self.0.as_ref(), found))
    }

    fn alike(&self, states: usize) -> Result<Alike, Box<Unlike>> {
        alike(self.0.as_ref(), states)
    }

    fn explore(&self, address: SocketAddr) -> io::Result<()> {
        stateright::explore(&self.0, address)
    }
}

impl<W: World> Erased<W> {
    fn read(&self, actions: &Value) -> Result<Vec<W::Action>, Unreadable> {
        serde::Deserialize::deserialize(actions).map_err(Unreadable::Foreign)
    }
}

/// Why a list of actions cannot be taken.
#[derive(Debug)]
pub enum Unreadable {
    /// They are not this world's.
    Foreign(serde_json::Error),
    /// One is not possible where it stands.
    Impossible(Impossible),
}

impl From<Impossible> for Unreadable {
    fn from(impossible: Impossible) -> Self {
        Self::Impossible(impossible)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(error) => write!(f, "these are not actions of this world: {error}"),
            Self::Impossible(impossible) => impossible.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Foreign(error) => Some(error),
            Self::Impossible(impossible) => Some(impossible),
        }
    }
}
