//! The Raft world: members that run `spec::raft::step` behind `spec::outbox`, disks whose unsynced writes a crash loses, a network that loses, repeats and
//! reorders, clients that write and read, snapshots and compaction.
//!
//! - [`RaftWorld`] is a [`World`] under [`Bounds`], built of a [`Build`]: production's functions, or a mistake put back from outside.
//! - [`Group`] is its state: members, network, an observer's memory, budgets.
//! - [`properties`] are the laws of whole histories; those of one state, step or pair are `spec::invariants`.
//! - [`fingerprint`](mod@fingerprint) forgets how members are named.

pub mod action;
pub mod bounds;
pub mod build;
mod calm;
mod catalog;
pub mod clients;
pub mod coverage;
pub mod disk;
pub mod environment;
pub mod fingerprint;
pub mod group;
pub mod history;
pub mod laws;
pub mod mutants;
pub mod names;
pub mod network;
mod node;
mod possible;
pub mod properties;
pub mod scopes;
pub mod script;
pub mod sights;
mod tell;
mod turn;

pub use action::{Action, NOBODY, OUTSIDER, Strange};
pub use bounds::{Bounds, Pace, PreVotes, TIGHT};
pub use build::Build;
pub use catalog::register;
pub use disk::{Change, Disk, Job, Jobs};
pub use environment::{Answers, Checkpoint, Environment};
pub use group::{Budget, Group};
pub use network::{Body, Network, Packet};

use crate::{Law, Moved, Seen, Sight, World};
use group::{Live, Member, id_at};
use history::History;
use roadstead_spec::{
    invariants::Broken,
    raft::{Params, recover},
};

/// Members of one group on their disks, and everything around them.
#[derive(Clone, Debug)]
pub struct RaftWorld {
    params: Params,
    bounds: Bounds,
    build: Build,
    judge: Judge,
}

/// Which laws judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// All.
    Everything,
    /// Only those of whole histories: to see whether a mistake that a law of single steps would catch at once can do harm.
    History,
    /// As [`Judge::History`], and reads only by what clients were told (I-L1), not by what was committed when they were asked.
    Clients,
}

impl RaftWorld {
    /// What production runs, within these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self::of(bounds, Build::PAPER)
    }

    /// A build within these bounds.
    pub fn of(bounds: Bounds, build: Build) -> Self {
        Self { params: bounds.params(), bounds, build, judge: Judge::Everything }
    }

    /// Judged by these laws.
    pub fn judged_by(self, judge: Judge) -> Self {
        Self { judge, ..self }
    }

    /// What the configuration allows.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The group's parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }
}

impl World for RaftWorld {
    type State = Group;
    type Action = Action;

    const KINDS: &'static [&'static str] = action::KINDS;

    fn initial(&self) -> Group {
        let members = (0..usize::from(self.bounds.voters)).map(|at| {
            let disk = Disk::new(self.bounds.first_term);
            let state = recover(id_at(at), disk.hard, disk.log.clone(), disk.snapshot.index).expect("an empty disk is fine");
            Member { live: Some(Box::new(Live::new(state, disk.data))), disk, boot: 1 }
        });
        let clients = self.bounds.histories.then(Box::default);
        let history = History { clients, ..History::default() };
        Group { members: members.collect(), network: Network::default(), history, budget: self.bounds.budget }
    }

    fn actions(&self, state: &Group, out: &mut Vec<Action>) {
        possible::actions(&self.bounds, state, out);
    }

    fn kind(&self, action: Action) -> usize {
        action.kind()
    }

    fn step(&self, state: &mut Group, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        possible::take(self, state, action, seen)
    }

    fn fingerprint(&self, state: &Group) -> u64 {
        fingerprint::fingerprint(state)
    }

    fn laws(&self) -> &'static [Law] {
        laws::LAWS
    }

    fn sights(&self) -> &'static [Sight] {
        sights::SIGHTS
    }

    fn tell(&self, before: &Group, action: Action, after: &Group) -> String {
        tell::tell(before, action, after)
    }
}
