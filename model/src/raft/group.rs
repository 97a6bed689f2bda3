//! The state of the world: members with their disks, the network, what an observer remembers, and what may still happen.

use super::{clients::Client, disk::Disk, disk::Jobs, history::History, network::Network};
use roadstead_spec::{
    EntryId, Index, NodeId,
    outbox::Outbox,
    raft::{ReadId, State},
};
use std::collections::VecDeque;

/// A group of members and everything around them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Member `id` at place `id - 1`.
    pub members: Vec<Member>,
    /// What is on its way.
    pub network: Network,
    /// What an outside observer remembers.
    pub history: History,
    /// What may still happen.
    pub budget: Budget,
}

impl Group {
    /// The member of an id that names one.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.get((id.0 as usize).wrapping_sub(1))
    }

    /// The live part of a member, if it runs.
    pub fn live(&self, at: usize) -> Option<&Live> {
        self.members.get(at).and_then(|member| member.live.as_deref())
    }
}

/// The id of the member at a place.
pub const fn id_at(at: usize) -> NodeId {
    NodeId(at as u32 + 1)
}

/// The place of a member.
pub const fn place_of(id: NodeId) -> usize {
    id.0 as usize - 1
}

/// A node's part in the group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// What survives.
    pub disk: Disk,
    /// What does not; `None` while it is down.
    pub live: Option<Box<Live>>,
    /// Which life this is: the boot nonce of its reads.
    pub boot: u64,
}

/// What a crash ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Live {
    /// The core.
    pub state: State,
    /// Its outbox.
    pub outbox: Outbox,
    /// Changes on their way to the disk, oldest first.
    pub jobs: Jobs,
    /// Applying that was begun and not finished, oldest first: through which index each. Empty where applying takes no time.
    pub applying: VecDeque<Index>,
    /// What the state machine says to have applied.
    pub machine: Index,
    /// What it really has applied.
    pub data: Index,
    /// Writes that clients wait for here, oldest first.
    pub writes: Vec<EntryId>,
    /// Reads that were asked here and are not answered.
    pub asked: Vec<Asked>,
    /// Reads that were answered and wait for the state machine.
    pub ready: Vec<Ready>,
    /// How many reads were asked in this life.
    pub reads: u64,
}

impl Live {
    /// A life that begins with this state.
    pub fn new(state: State, data: Index) -> Self {
        let machine = state.applied;
        Self {
            outbox: Outbox::new(machine),
            state,
            jobs: Jobs::new(),
            applying: VecDeque::new(),
            machine,
            data,
            writes: Vec::new(),
            asked: Vec::new(),
            ready: Vec::new(),
            reads: 0,
        }
    }
}

/// A read that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Its number, in its member's boot.
    pub id: ReadId,
    /// What was committed when it was asked.
    pub began: Index,
    /// Who asks, where histories of clients are kept.
    pub client: Client,
}

/// A read that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ready {
    /// Its number.
    pub id: ReadId,
    /// Serve it when this is applied.
    pub index: Index,
    /// What was committed when it was asked.
    pub began: Index,
    /// Who asks, where histories of clients are kept.
    pub client: Client,
}

/// How often each thing may still happen. Bounds of the world that live in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Election timers that run out.
    pub timeouts: u8,
    /// Heartbeat timers that run out on a leader.
    pub heartbeats: u8,
    /// Writes of clients.
    pub proposals: u8,
    /// Reads of clients.
    pub reads: u8,
    /// Crashes.
    pub crashes: u8,
    /// Packets that are lost.
    pub drops: u8,
    /// Packets that arrive twice.
    pub duplicates: u8,
    /// Checkpoints with compaction.
    pub checkpoints: u8,
    /// Disks that stall, connections that break.
    pub troubles: u8,
    /// Packets of strangers: of nodes outside of the group, or of another incarnation of it.
    pub strangers: u8,
    /// Ends of all faults, after which the group must recover.
    pub calms: u8,
}
