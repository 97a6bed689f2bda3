//! Requests of clients: taken in, bounded, forwarded to the leader, and given up when nobody waits any more.

use super::{
    context::{Context, Forwarded, encoded},
    io::{Operation, ReplyTo, Request},
    pending::PendingQuery,
    replica::{Payloads, Replica},
    response::{Rejection, Response},
};
use crate::applier::{QueryId, Work};
use roadstead_spec::{
    GroupId, Index, NodeId,
    raft::Event,
    wire::body::{Consistency, Forward, Route},
};

impl Replica {
    /// Takes a request in, or answers it at once.
    pub(crate) fn request(&mut self, ctx: &mut Context, request: Request) {
        let is_stale = matches!(request.operation, Operation::Query { consistency: Consistency::Stale, .. });
        if !is_stale && let Some(rejection) = self.cut_off(ctx) {
            return ctx.reply(self.group, request.reply, Response::Rejected(rejection));
        }
        let rejection = match &request.operation {
            Operation::Write(payload) if payload.len() > ctx.options.limits.max_entry_bytes => {
                Some(Rejection::TooLarge { limit: ctx.options.limits.max_entry_bytes.try_into().unwrap_or(u32::MAX) })
            }
            Operation::Write(_) if !self.leads() => return self.forward(ctx, request),
            Operation::Write(payload) => self.lacks_space(ctx).or_else(|| self.overloaded(ctx, payload.len())),
            Operation::Query { consistency: Consistency::Linearizable, .. } if self.stays_behind(ctx) => {
                Some(Rejection::NotLeader { leader: self.state.leader() })
            }
            Operation::Query { .. } => {
                (self.reads.len() >= ctx.options.limits.group_reads).then_some(Rejection::Busy("too many reads wait"))
            }
        };
        if let Some(rejection) = rejection {
            ctx.counters.busy += u64::from(matches!(rejection, Rejection::Busy(_)));
            ctx.counters.no_space += u64::from(matches!(rejection, Rejection::NoSpace { .. }));
            return ctx.reply(self.group, request.reply, Response::Rejected(rejection));
        }
        match request {
            Request { operation: Operation::Write(_), .. } => self.arrived.push(request),
            Request { operation: Operation::Query { bytes, consistency }, deadline, reply } => {
                let query = PendingQuery { bytes, reply, deadline };
                match consistency {
                    Consistency::Linearizable => self.reads.arrive(query),
                    Consistency::Stale => self.run_query(ctx, query, Index(0)),
                }
            }
        }
    }

    /// A group without a leader whose quorum is out of reach because its members speak the legacy header, which has no room for it.
    pub(crate) fn cut_off(&self, ctx: &Context) -> Option<Rejection> {
        if self.state.leader().is_some() || (self.group == GroupId::DEFAULT && !ctx.legacy.later_life) {
            return None;
        }
        let legacy: Vec<NodeId> = self.params.voters().iter().filter(|voter| ctx.legacy.speaks_legacy(*voter)).collect();
        let reachable = self.params.voters().iter().filter(|voter| ctx.links.contains(voter)).count() + 1;
        let is_lost = reachable < self.params.voters().len() / 2 + 1;
        (is_lost && !legacy.is_empty()).then(|| Rejection::peer_is_legacy(&legacy))
    }

    /// Why a write cannot be taken in now. Everything that waits is bounded here; what is in the log already is never refused.
    fn overloaded(&self, ctx: &Context, bytes: usize) -> Option<Rejection> {
        let limits = &ctx.options.limits;
        let waiting = self.arrived.len() + self.writes.len();
        let why = if waiting >= limits.group_writes || self.write_bytes + bytes > limits.group_write_bytes {
            "too many writes of this group wait"
        } else if !ctx.storage_has_room || self.outbox.is_congested() {
            "the disk is behind"
        } else if ctx.applying_bytes > limits.apply_queue_bytes {
            "the state machines are behind"
        } else {
            return None;
        };
        Some(Rejection::Busy(why))
    }

    /// Steps what arrived in this turn: one proposal and one read for all of it.
    pub(crate) fn flush_arrived(&mut self, ctx: &mut Context) {
        if !self.arrived.is_empty() {
            let mut arrived = std::mem::take(&mut self.arrived);
            let count = arrived.len() as u32;
            self.step(ctx, Event::Propose { count }, Payloads::Proposed(&mut arrived));
            for request in arrived.drain(..) {
                // Neither appended nor refused: the outbox is halted.
                ctx.reply(self.group, request.reply, Response::Rejected(Rejection::NotLeader { leader: None }));
            }
            self.arrived = arrived;
        }
        if self.reads.has_arrived() {
            let id = ctx.read_id();
            self.reads.ask(id);
            self.step(ctx, Event::Read { id }, Payloads::None);
        }
    }

    /// Runs the reads whose index is given to the applier: it runs a query behind the applies that came before it.
    pub(crate) fn run_reads(&mut self, ctx: &mut Context) {
        for query in self.reads.take_ready(self.apply.given) {
            self.run_query(ctx, query, Index(0));
        }
    }

    fn run_query(&self, ctx: &mut Context, query: PendingQuery, min_applied: Index) {
        let id = QueryId(ctx.number());
        ctx.queries.insert(id, query.reply);
        ctx.out.job(self.key, Work::Query { id, min_applied, query: query.bytes });
    }

    /// Sends a write of one of our clients to the leader. What was forwarded once is not forwarded again: two members that each take the
    /// other for the leader would play ball with it.
    fn forward(&self, ctx: &mut Context, request: Request) {
        let leader = self.state.leader();
        let reachable = leader.filter(|leader| ctx.reaches(self.group, *leader));
        let (Some(leader_id), false) = (reachable, matches!(request.reply, ReplyTo::Peer { .. } | ReplyTo::Legacy { .. })) else {
            return ctx.reply(self.group, request.reply, Response::Rejected(Rejection::NotLeader { leader }));
        };
        if ctx.forwarded.len() >= ctx.options.limits.group_writes {
            ctx.counters.busy += 1;
            return ctx.reply(self.group, request.reply, Response::Rejected(Rejection::Busy("too many forwarded writes wait")));
        }
        let Operation::Write(command) = &request.operation else { return };
        let number = ctx.number();
        if ctx.legacy.carries(self.group, leader_id) {
            if !ctx.legacy.ask_write(ctx.now, (ctx.options.node, leader_id), number, command) {
                ctx.counters.busy += 1;
                let why = "too many requests wait on the connection to the leader, which speaks the legacy header";
                return ctx.reply(self.group, request.reply, Response::Rejected(Rejection::Busy(why)));
            }
        } else {
            let route = Route { from: ctx.options.node, to: leader_id, group: self.group, incarnation: self.key.incarnation };
            let timeout_ms = request.deadline.since(ctx.now).try_into().unwrap_or(u32::MAX);
            let forward = Forward { origin_boot: ctx.options.boot, request: number, timeout_ms, command };
            encoded(forward.encode(&route, ctx.out.peer(leader_id)));
        }
        let forwarded = Forwarded { to: leader_id, reply: request.reply, group: self.group, deadline: request.deadline };
        ctx.forwarded.insert(number, forwarded);
    }

    /// Answers what nobody waits for any more, and asks again for reads whose confirmation may have got lost.
    pub(crate) fn expire(&mut self, ctx: &mut Context) {
        if !self.writes.is_empty() {
            let expired = self.writes.take_expired(ctx.now);
            self.settle_unknown(ctx, expired, "no outcome before the deadline; the write may still be committed");
        }
        if self.reads.is_empty() {
            return;
        }
        for query in self.reads.take_expired(ctx.now) {
            ctx.reply(self.group, query.reply, Response::Rejected(Rejection::DeadlineExceeded));
        }
        if !self.leads() {
            self.reads.ask_again();
        }
        self.flush_arrived(ctx);
    }

    /// Answers everybody who waits: the group stops.
    pub(crate) fn dismiss(&mut self, ctx: &mut Context, rejection: &Rejection) {
        let writes = self.writes.take_all();
        self.settle_unknown(ctx, writes, "the group stopped on this node");
        let arrived = self.arrived.drain(..).map(|request| request.reply);
        let replies: Vec<_> = arrived.chain(self.reads.take_all().into_iter().map(|query| query.reply)).collect();
        for reply in replies {
            ctx.reply(self.group, reply, Response::Rejected(rejection.clone()));
        }
    }

    /// The connection to `peer` broke.
    pub(crate) fn unreachable(&mut self, ctx: &mut Context, peer: NodeId) {
        self.forget_appends(ctx, peer);
        if self.leads() {
            self.step(ctx, Event::Unreachable { peer }, Payloads::None);
        }
    }
}
