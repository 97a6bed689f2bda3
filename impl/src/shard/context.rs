//! What all groups of a shard share during a turn.

use super::{
    io::{Outputs, ReplyTo},
    legacy::Links,
    response::Response,
    space::Space,
    timers::{Millis, Timers},
};
use crate::{applier::QueryId, config, trace::Keeper};
use rand::{RngExt, rngs::StdRng};
use roadstead_spec::{
    GroupId, NodeId,
    outbox::Action,
    raft::{Effect, ReadId},
    wire::{
        self, WireError,
        body::{ForwardResponse, Route},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What a shard is told at its start.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// This node.
    pub node: NodeId,
    /// Boot nonce: makes read ids unique for ever.
    pub boot: u64,
    /// When things happen.
    pub timers: config::Timers,
    /// How much there may be.
    pub limits: config::Limits,
    /// How large frames may be.
    pub wire: wire::Limits,
    /// Where clients reach the nodes, to tell them where a leader lives.
    pub addresses: BTreeMap<NodeId, String>,
    /// Whether to record all that happens, for [`super::Outputs::trace`], and not only to keep the last of it.
    pub traced: bool,
}

/// Counters since the node started, for metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Frames of peers that were given to a group.
    pub frames_received: u64,
    /// Messages sent to peers.
    pub messages_sent: u64,
    /// Frames for groups that are not here.
    pub no_such_group: u64,
    /// Frames of another incarnation of a group.
    pub wrong_incarnation: u64,
    /// Frames whose body made no sense.
    pub malformed: u64,
    /// Messages dropped because a group's queue was full.
    pub dropped: u64,
    /// Requests answered "busy".
    pub busy: u64,
    /// Writes refused for lack of disk space.
    pub no_space: u64,
    /// Writes acknowledged.
    pub writes: u64,
    /// Queries answered.
    pub queries: u64,
    /// Elections begun (real ones, not pre-votes).
    pub elections: u64,
}

/// Where a forwarded request's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forwarded {
    pub(crate) to: NodeId,
    pub(crate) reply: ReplyTo,
    pub(crate) group: GroupId,
    pub(crate) deadline: Millis,
}

/// Shared by the groups of a shard; lent to the group that is being stepped.
pub(crate) struct Context {
    pub(crate) options: ShardOptions,
    pub(crate) now: Millis,
    pub(crate) out: Outputs,
    pub(crate) timers: Timers,
    pub(crate) counters: Counters,
    /// Peers with a connection that speaks version 1.
    pub(crate) links: BTreeSet<NodeId>,
    /// Connections that speak version 0.
    pub(crate) legacy: Links,
    /// Requests that wait for another member's answer.
    pub(crate) forwarded: BTreeMap<u64, Forwarded>,
    /// Queries that the applier runs.
    pub(crate) queries: BTreeMap<QueryId, ReplyTo>,
    /// Bytes of entries that the applier has not finished.
    pub(crate) applying_bytes: usize,
    /// Bytes of recent entries that groups hold.
    pub(crate) tail_bytes: usize,
    /// Whether the storage thread takes more work.
    pub(crate) storage_has_room: bool,
    /// Room on the disks.
    pub(crate) space: Space,
    /// Reused between steps, so that a step allocates nothing.
    pub(crate) effects: Vec<Effect>,
    pub(crate) actions: Vec<Action>,
    /// Records what happens.
    pub(crate) records: Keeper,
    rng: StdRng,
    numbers: u64,
}

impl Context {
    pub(crate) fn new(options: ShardOptions, rng: StdRng) -> Self {
        Self {
            records: Keeper::new(options.traced),
            options,
            now: Millis(0),
            out: Outputs::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            links: BTreeSet::new(),
            legacy: Links::default(),
            forwarded: BTreeMap::new(),
            queries: BTreeMap::new(),
            applying_bytes: 0,
            tail_bytes: 0,
            storage_has_room: true,
            space: Space::default(),
            effects: Vec::new(),
            actions: Vec::new(),
            rng,
            numbers: 0,
        }
    }

    /// A number that was not used before in this boot.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Something is wrong: the last records are to be kept for good. Of several in one turn the first counts.
    pub(crate) fn dump(&mut self, reason: impl FnOnce() -> String) {
        if self.out.dump.is_none() {
            self.out.dump = self.records.dump(reason());
        }
    }

    /// Whether a message of this group gets to `peer`: group 0 by either header, another one by version 1 alone.
    pub(crate) fn reaches(&self, group: GroupId, peer: NodeId) -> bool {
        self.links.contains(&peer) || self.legacy.carries(group, peer)
    }

    /// A read id that was never used before.
    pub(crate) fn read_id(&mut self) -> ReadId {
        ReadId { node: self.options.node, boot: self.options.boot, number: self.number() }
    }

    /// When a follower that hears nothing may grant pre-votes, and when it stands itself: drawn from one to two election timeouts (Raft paper §5.2). One
    /// whose disk runs full lets the others go first, since it would take no writes in.
    pub(crate) fn election_deadlines(&mut self, leads: bool) -> (Millis, Millis) {
        let shortest = self.options.timers.election_timeout.as_millis() as u64;
        let late = if self.space.is_short() && !leads { 2 * shortest } else { 0 };
        let drawn = late + self.rng.random_range(shortest..=2 * shortest);
        (self.now.plus(shortest), self.now.plus(drawn))
    }

    /// Answers a request.
    pub(crate) fn reply(&mut self, group: GroupId, reply: ReplyTo, response: Response) {
        let from = self.options.node;
        match reply {
            ReplyTo::Local(token) => self.out.local.push((token, response)),
            ReplyTo::Legacy { conn, number } => self.legacy.reply(conn, number, &response),
            ReplyTo::Client { conn, request } => {
                let response = response.as_wire(&self.options.addresses);
                encoded(response.encode(from, group, request, self.out.client(conn)));
            }
            ReplyTo::Peer { node, boot, request, incarnation } => {
                let route = Route { from, to: node, group, incarnation };
                let outcome = response.as_wire(&self.options.addresses);
                encoded(ForwardResponse { origin_boot: boot, request, outcome }.encode(&route, self.out.peer(node)));
            }
        }
    }
}

/// What we encode ourselves can only fail by being too large, and sizes are checked where bytes come in. The frame is left out then, as
/// a network may lose it, and the log tells.
pub(crate) fn encoded(result: Result<(), WireError>) {
    if let Err(error) = result {
        tracing::error!(%error, "a frame could not be encoded; this is a defect of Roadstead, please report it");
    }
}
