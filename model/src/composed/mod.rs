//! The composed world: two groups on three nodes behind one port, with production's core, gates and registry.
//!
//! Each node has one connection to each other node, which carries the frames of both groups, several in one write; a sync of a node's disk is one for
//! both. A connection speaks version 0 or version 1, as a negotiation would have left it. Groups elect, replicate and stop.
//!
//! The law is refinement: whatever happens to a node, each of its groups makes exactly the steps that it would make alone, of exactly the messages that
//! were sent in it, or none. So everything that is known of one group over a network that loses, repeats and reorders holds for every group of a node.

mod bounds;
mod check;
mod decisions;
pub mod mutants;
mod port;
mod sight;
mod state;

pub use bounds::{bounds_of, register};
pub use decisions::Decisions;
pub use state::{Budget, Conn, Frame, GROUPS, Input, Member, NODES, Node, State};

use crate::world::{Law, Moved, Seen, Sight, World};
use check::Inputs;
use decisions::group_id;
use roadstead_spec::{
    NodeId,
    dispatch::Registry,
    invariants::Broken,
    raft::{Event, Limits, Message, Params},
    wire::Version,
};
use serde::{Deserialize, Serialize};
use state::{incarnation, node_id};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Writes on their way on one connection.
const WRITES_MAX: usize = 2;

/// The world and its bounds.
#[derive(Clone, Debug)]
pub struct Composed {
    /// How many groups there are: 1 or 2.
    pub groups: u8,
    /// Which nodes' election timers may fire, bit by bit, for each group.
    pub electors: [u8; GROUPS],
    /// Nodes that can be reached, bit by bit; what is sent to the others is lost.
    pub reachable: u8,
    /// Connections that begin with version 0: bit `from * NODES + to`.
    pub legacy: u16,
    /// What may happen how often.
    pub budget: Budget,
    /// Parameters of each group.
    pub params: Params,
    /// Production's decisions, or with a mistake.
    pub decisions: Decisions,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// An election timer fires.
    Timeout {
        /// On which node.
        node: u8,
        /// Of which group.
        group: u8,
    },
    /// A client's write arrives at a leader.
    Propose {
        /// On which node.
        node: u8,
        /// Of which group.
        group: u8,
    },
    /// A leader's heartbeat is due.
    Heartbeat {
        /// On which node.
        node: u8,
        /// Of which group.
        group: u8,
    },
    /// A node's disk is synced, for all of its groups.
    Sync(u8),
    /// What waits for a peer is written, in one go.
    Flush {
        /// From which node.
        from: u8,
        /// To which.
        to: u8,
    },
    /// The oldest write arrives.
    Deliver {
        /// From which node.
        from: u8,
        /// At which.
        to: u8,
    },
    /// A connection breaks, and is negotiated again.
    Break {
        /// From which node.
        from: u8,
        /// To which.
        to: u8,
        /// Whether the new one speaks version 0.
        legacy: bool,
    },
    /// A member stops.
    Stop {
        /// On which node.
        node: u8,
        /// Of which group.
        group: u8,
    },
}

impl World for Composed {
    type State = State;
    type Action = Action;

    const KINDS: &'static [&'static str] = &["timeout", "propose", "heartbeat", "sync", "flush", "deliver", "break", "stop"];

    fn initial(&self) -> State {
        let groups = usize::from(self.groups);
        let nodes = (0..NODES).map(|node| {
            let mut registry = Registry::new();
            for group in 0..self.groups {
                let registered = registry.register(group_id(group), incarnation(group), group, 0);
                debug_assert!(registered.is_ok(), "an empty registry takes every group");
            }
            Node { registry, members: (0..groups).map(|_| Member::new(node)).collect() }
        });
        let conns = (0..NODES * NODES).map(|at| Conn {
            version: if self.legacy >> at & 1 == 1 { Version::Legacy } else { Version::Extended },
            waits: Vec::new(),
            writes: Vec::new(),
        });
        let runs = (0..NODES * GROUPS).filter(|at| at % GROUPS < groups).fold(0, |bits, at| bits | 1 << at);
        State { nodes: nodes.collect(), conns: conns.collect(), runs, budget: self.budget }
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        for node in 0..NODES {
            for group in 0..self.groups {
                self.of_member(state, node, group, out);
            }
            if state.wrote(node).contains(&true) {
                out.push(Action::Sync(node as u8));
            }
        }
        for at in 0..NODES * NODES {
            let (from, to) = ((at / NODES) as u8, (at % NODES) as u8);
            let conn = &state.conns[at];
            if !conn.waits.is_empty() && conn.writes.len() < WRITES_MAX {
                out.push(Action::Flush { from, to });
            }
            if !conn.writes.is_empty() {
                out.push(Action::Deliver { from, to });
            }
            if state.budget.breaks > 0 && from != to && !(conn.writes.is_empty() && conn.waits.is_empty()) {
                out.extend([false, true].map(|legacy| Action::Break { from, to, legacy }));
            }
        }
    }

    fn kind(&self, action: Action) -> usize {
        match action {
            Action::Timeout { .. } => 0,
            Action::Propose { .. } => 1,
            Action::Heartbeat { .. } => 2,
            Action::Sync(_) => 3,
            Action::Flush { .. } => 4,
            Action::Deliver { .. } => 5,
            Action::Break { .. } => 6,
            Action::Stop { .. } => 7,
        }
    }

    fn step(&self, state: &mut State, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        let inputs = Inputs::of(self, state, action);
        let before = state.nodes.clone();
        match action {
            Action::Timeout { node, group } => {
                state.budget.timeouts[usize::from(group)] -= 1;
                self.input(state, node, group, Input::Event(Event::ElectionTimeout));
            }
            Action::Propose { node, group } => {
                state.budget.proposals[usize::from(group)] -= 1;
                self.input(state, node, group, Input::Event(Event::Propose { count: 1 }));
            }
            Action::Heartbeat { node, group } => {
                state.budget.heartbeats[usize::from(group)] -= 1;
                self.input(state, node, group, Input::Event(Event::HeartbeatTimeout));
            }
            Action::Sync(node) => self.sync(state, node, seen),
            Action::Flush { from, to } => self.flush(state, usize::from(from) * NODES + usize::from(to), seen),
            Action::Deliver { from, to } => self.deliver(state, usize::from(from), usize::from(to), seen),
            Action::Break { from, to, legacy } => self.cut(state, usize::from(from), usize::from(to), legacy, seen),
            Action::Stop { node, group } => self.stop(state, usize::from(node), group),
        }
        inputs.judge(self, before, state)?;
        check::stands(self, state, seen)?;
        Ok(Moved::Yes)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        hasher.finish()
    }

    fn laws(&self) -> &'static [Law] {
        check::LAWS
    }

    fn sights(&self) -> &'static [Sight] {
        sight::SIGHTS
    }

    fn tell(&self, before: &State, action: Action, after: &State) -> String {
        check::tell(before, action, after)
    }
}

impl Composed {
    /// Three voters, small limits.
    ///
    /// # Panics
    /// Never: these parameters are valid.
    pub fn params() -> Params {
        let voters: Vec<NodeId> = (0..NODES).map(node_id).collect();
        let limits = Limits { inflight_messages_max: 1, slice_entries_max: 1, ..Limits::default() };
        Params::new(&voters, limits).expect("three voters and limits above zero")
    }

    fn of_member(&self, state: &State, node: usize, group: u8, out: &mut Vec<Action>) {
        let (place, at) = (node as u8, usize::from(group));
        if !state.runs(node, at) {
            return;
        }
        let leads = state.nodes[node].members[at].raft.as_leader().is_some();
        let budget = &state.budget;
        if budget.timeouts[at] > 0 && self.electors[at] >> node & 1 == 1 && !leads {
            out.push(Action::Timeout { node: place, group });
        }
        if budget.proposals[at] > 0 && leads {
            out.push(Action::Propose { node: place, group });
        }
        if budget.heartbeats[at] > 0 && leads {
            out.push(Action::Heartbeat { node: place, group });
        }
        if budget.stops > 0 {
            out.push(Action::Stop { node: place, group });
        }
    }

    /// Whether a message may come to nothing: its member does not run.
    fn is_for(state: &State, to: usize, frame: &Frame) -> bool {
        state.runs(to, usize::from(frame.group))
    }

    /// Frames of the oldest write, as they were sent.
    fn oldest(state: &State, from: usize, to: usize) -> Vec<(u8, Message)> {
        let frames = state.conns[from * NODES + to].writes.first();
        frames
            .into_iter()
            .flatten()
            .filter(|frame| Self::is_for(state, to, frame))
            .map(|frame| (frame.group, frame.message.clone()))
            .collect()
    }
}
