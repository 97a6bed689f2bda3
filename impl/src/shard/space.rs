//! Groups on a disk that runs full: who takes writes in, who appends, who leads. Only what may be lost anyway is held back (messages, as a network
//! may) or put off (an election timer), so nothing here can harm safety.

use super::{
    context::{Context, encoded},
    replica::{Payloads, Replica},
    response::Rejection,
    timers::Millis,
};
use crate::store::space::Room;
use roadstead_spec::{
    NodeId,
    raft::{Event, Message},
    wire::body::{self, EntryKind, PayloadSpan},
};
use std::collections::BTreeMap;

/// A member that complained counts as short of room for so many heartbeats; it complains at each.
const COMPLAINT_HEARTBEATS: u64 = 5;
/// A leader without room passes the lead on after this long: by then it knows who else has none. Longer than the longest time between two looks at the disk.
const PASS_ON_AFTER_MS: u64 = 2_000;

/// Room on the disks of this node and, as far as they say, of its peers.
#[derive(Debug, Default)]
pub(crate) struct Space {
    room: Room,
    since: Millis,
    /// At most one per peer.
    complaints: BTreeMap<NodeId, Complaint>,
}

#[derive(Clone, Copy, Debug)]
struct Complaint {
    until: Millis,
    appends: bool,
}

impl Space {
    pub(crate) fn set(&mut self, now: Millis, room: Room) {
        (self.room, self.since) = (room, now);
    }

    /// Whether this node's disk runs full.
    pub(crate) fn is_short(&self) -> bool {
        self.room < Room::Enough
    }

    fn complaint(&self, peer: NodeId, now: Millis) -> Option<Complaint> {
        self.complaints.get(&peer).copied().filter(|complaint| complaint.until > now)
    }

    fn appends_nothing(&self, peer: NodeId, now: Millis) -> bool {
        self.complaint(peer, now).is_some_and(|complaint| !complaint.appends)
    }
}

impl Context {
    /// A peer says that its disk runs full.
    pub(crate) fn complained(&mut self, peer: NodeId, complaint: body::NoSpace) {
        let until = self.now.plus(COMPLAINT_HEARTBEATS * self.options.timers.heartbeat.as_millis() as u64);
        self.space.complaints.insert(peer, Complaint { until, appends: complaint.appends });
    }
}

impl Replica {
    /// Why the leader takes no writes in: its own disk runs full, or those of so many that what it appends would not be committed.
    pub(crate) fn lacks_space(&self, ctx: &Context) -> Option<Rejection> {
        if ctx.space.is_short() {
            return Some(Rejection::NoSpace { node: ctx.options.node });
        }
        if ctx.space.complaints.is_empty() {
            return None;
        }
        let voters = self.params.voters();
        let mut full = voters.iter().filter(|voter| ctx.space.appends_nothing(*voter, ctx.now));
        let node = full.next()?;
        (voters.len() - 1 - full.count() < quorum(voters.len())).then_some(Rejection::NoSpace { node })
    }

    /// Whether a follower without room leaves a message unread, as if the network had lost it: one that brings commands. What a new leader appends to
    /// begin its term is taken: it is small, and reads wait for it.
    pub(crate) fn leaves_out(&self, ctx: &Context, message: &Message, spans: &[PayloadSpan]) -> bool {
        let brings_commands = || spans.iter().any(|span| span.kind == EntryKind::Command);
        ctx.space.room == Room::Full && matches!(message, Message::AppendEntries { .. }) && brings_commands()
    }

    /// Whether a follower cannot answer linearizable reads, since it appends nothing: the leader answers them.
    pub(crate) fn stays_behind(&self, ctx: &Context) -> bool {
        ctx.space.room == Room::Full && !self.leads()
    }

    /// Tells the leader, with each of its heartbeats.
    pub(crate) fn complain(&self, ctx: &mut Context, leader: NodeId) {
        if ctx.space.is_short() && ctx.links.contains(&leader) {
            let complaint = body::NoSpace { appends: ctx.space.room > Room::Full };
            encoded(complaint.encode(&self.route(ctx, leader), ctx.out.peer(leader)));
        }
    }

    /// Whether the leader spares the network an append that the member would leave out.
    pub(crate) fn spares(&self, ctx: &Context, to: NodeId, append: &roadstead_spec::raft::Slice) -> bool {
        let carries_nothing = || {
            let mut entries = self.tail.range(append.prev.index.next(), append.last).into_iter().flatten().peekable();
            entries.peek().is_some() && entries.all(|entry| entry.kind == EntryKind::Noop)
        };
        ctx.space.appends_nothing(to, ctx.now) && !carries_nothing()
    }

    /// A leader whose disk runs full lets another member lead while a quorum of others has room, so that the group takes writes again.
    pub(crate) fn pass_lead_on(&mut self, ctx: &mut Context) {
        if !self.leads() || !ctx.space.is_short() || ctx.now.since(ctx.space.since) < PASS_ON_AFTER_MS {
            return;
        }
        let others = self.params.voters().iter().filter(|voter| *voter != ctx.options.node);
        let with_room = others.filter(|peer| ctx.links.contains(peer) && ctx.space.complaint(*peer, ctx.now).is_none());
        if with_room.count() >= quorum(self.params.voters().len()) {
            tracing::info!(group = %self.group, "the disk runs full, and a quorum of other members has room: one of them may lead");
            self.step(ctx, Event::DiskStalled, Payloads::None);
        }
    }
}

const fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}
