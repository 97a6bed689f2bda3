//! What the composed world consists of.

use roadstead_spec::{
    Incarnation, Index, NodeId,
    dispatch::Registry,
    outbox::{Action, Outbox},
    raft::{Event, HardState, LogShape, Message, Params, Role, State as Raft, recover, step},
    wire::Version,
};

/// Nodes.
pub const NODES: usize = 3;
/// Groups at most.
pub const GROUPS: usize = 2;

/// One member of one group: the production core and its gates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// The core's state.
    pub raft: Raft,
    /// The gates.
    pub outbox: Outbox,
}

/// What a member is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// An event of the core.
    Event(Event),
    /// Everything that it wrote is durable.
    Durable,
}

impl Member {
    pub(super) fn new(node: usize) -> Self {
        let id = node_id(node);
        let raft = recover(id, HardState::default(), LogShape::default(), Index(0)).unwrap_or_else(|_| Raft {
            id,
            hard: HardState::default(),
            log: LogShape::default(),
            commit: Index(0),
            applied: Index(0),
            role: Role::Follower { leader: None, heard: false },
        });
        Self { raft, outbox: Outbox::new(Index(0)) }
    }

    /// What a member makes of an input, alone in the world: the core, its gates, and what leaves. Whatever else a node holds has no part in it.
    pub(super) fn take(&mut self, params: &Params, input: Input, sends: &mut Vec<(NodeId, Message)>) {
        let mut out = Vec::new();
        match input {
            Input::Event(event) => self.event(params, event, &mut out),
            Input::Durable => self.outbox.durable(self.outbox.issued(), &mut out),
        }
        let mut at = 0;
        while at < out.len() {
            let follows = match &out[at] {
                Action::Persisted { mark } => Some(Event::Persisted { mark: *mark }),
                Action::Apply { through } => Some(Event::Applied { through: *through }),
                _ => None,
            };
            if let Some(event) = follows {
                self.event(params, event, &mut out);
            }
            at += 1;
        }
        for action in out {
            if let Action::Send(released) = action {
                sends.push(released.into_parts());
            }
        }
    }

    fn event(&mut self, params: &Params, event: Event, out: &mut Vec<Action>) {
        let mut effects = Vec::new();
        step(params, &mut self.raft, event, &mut effects);
        self.outbox.accept(effects, out);
    }
}

/// The id of a node.
pub(super) const fn node_id(node: usize) -> NodeId {
    NodeId(node as u32 + 1)
}

/// The place of a node.
pub(super) const fn place(node: NodeId) -> usize {
    (node.0 as usize).saturating_sub(1)
}

/// The one life of a group in this world.
pub(super) const fn incarnation(group: u8) -> Incarnation {
    Incarnation(100 + group as u64)
}

/// A frame of a group between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The group that the header names.
    pub names: u8,
    /// The incarnation in the body; `None` over version 0.
    pub life: Option<Incarnation>,
    /// The group that it was sent in, as an observer knows.
    pub group: u8,
    /// What it says.
    pub message: Message,
}

/// The connection that one node dialled to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conn {
    /// What its negotiation came to.
    pub version: Version,
    /// What waits to be written: frames of all groups.
    pub waits: Vec<(u8, Message)>,
    /// Writes on their way, each with the frames of one turn.
    pub writes: Vec<Vec<Frame>>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The production registry; a mailbox is a place in `members`.
    pub registry: Registry<u8>,
    /// Its member of each group; a stopped one keeps its state.
    pub members: Vec<Member>,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Election timeouts of each group.
    pub timeouts: [u8; GROUPS],
    /// Writes of clients of each group.
    pub proposals: [u8; GROUPS],
    /// Heartbeats of each group.
    pub heartbeats: [u8; GROUPS],
    /// Connections that break and are negotiated again.
    pub breaks: u8,
    /// Members that stop.
    pub stops: u8,
}

/// Three nodes and the connections between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The connection from each node to each other one: `from * NODES + to`.
    pub conns: Vec<Conn>,
    /// Which members run, as an observer knows: bit `node * GROUPS + group`.
    pub runs: u8,
    /// What may still happen.
    pub budget: Budget,
}

impl State {
    /// Whether a member runs.
    pub const fn runs(&self, node: usize, group: usize) -> bool {
        self.runs >> (node * GROUPS + group) & 1 == 1
    }

    /// Which groups that run on a node have written something that is not durable.
    pub fn wrote(&self, node: usize) -> [bool; GROUPS] {
        let members = &self.nodes[node].members;
        std::array::from_fn(|group| self.runs(node, group) && members.get(group).is_some_and(|member| member.outbox.pending() > 0))
    }
}
