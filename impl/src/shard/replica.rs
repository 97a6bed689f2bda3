//! One running group: the core's state, its outbox, and the bytes and waiters that belong to its entries. This is the only interpreter of effects.

use super::{
    context::Context,
    io::{LogRead, Operation, ReadFor, Request},
    note,
    pending::{PendingReads, PendingWrite, PendingWrites},
    response::{Rejection, Response},
    send::Sends,
    tail::Tail,
    timers::Millis,
    transfer::Transfers,
};
use crate::{
    applier::{GroupKey, StateEpoch, Work},
    store::{
        entry::{Entry, EntryKind},
        prefix::Local,
        submission::{self, Submission},
    },
};
use bytes::Bytes;
use roadstead_spec::{
    EntryId, GroupId, Index, NodeId, Term,
    outbox::{Action, Outbox, Ticket, Write},
    raft::{self, Append, Event, Origin, Params, Refused, State, TermAt},
    trace::Fact,
    wire::body::PayloadSpan,
};

use std::collections::{BTreeSet, VecDeque};

/// Entries that one job of the applier carries at most, so that groups take turns.
const APPLY_ENTRIES_MAX: u64 = 4096;
/// Bytes that one read of the log for the applier returns at most.
const APPLY_READ_BYTES_MAX: usize = 4 << 20;

/// Where the bytes of appended entries come from, see [`Origin`].
pub(crate) enum Payloads<'a> {
    /// The event appends nothing but perhaps a no-op.
    None,
    /// Clients' writes.
    Proposed(&'a mut Vec<Request>),
    /// Payloads of an AppendEntries whose first entry has index `first`.
    Received { first: Index, spans: &'a [PayloadSpan], body: &'a Bytes },
}

/// How far the state machine is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The core said: apply through here.
    pub(crate) released: Index,
    /// Given to the applier.
    pub(crate) given: Index,
    /// Done by the applier.
    pub(crate) applied: EntryId,
    /// Whether entries for the applier are being read from the log.
    pub(crate) reading: bool,
    /// Last index and bytes of each job that the applier has not finished.
    pub(crate) under_way: VecDeque<(Index, usize)>,
}

/// A running group.
pub(crate) struct Replica {
    pub(crate) group: GroupId,
    pub(crate) local: Local,
    pub(crate) key: GroupKey,
    pub(crate) params: Params,
    pub(crate) state: State,
    pub(crate) outbox: Outbox,
    pub(crate) tail: Tail,
    pub(crate) apply: Progress,
    pub(crate) writes: PendingWrites,
    pub(crate) write_bytes: usize,
    pub(crate) reads: PendingReads,
    /// Writes that arrived in this turn.
    pub(crate) arrived: Vec<Request>,
    pub(crate) sends: Sends,
    pub(crate) transfers: Transfers,
    pub(crate) epoch: StateEpoch,
    /// Last entry whose state is durable.
    pub(crate) durable_state: EntryId,
    /// Last entry that the core was told so of: its log may be compacted behind it.
    pub(crate) snapshot: EntryId,
    pub(crate) minimum_deadline: Millis,
    pub(crate) election_deadline: Millis,
    /// Since when the disk owes an answer.
    pub(crate) waits_for_disk: Option<Millis>,
    /// Why the group must stop.
    pub(crate) broken: Option<String>,
    /// When the last records got the state last.
    pub(crate) state_kept: u64,
    /// Members that said they do not have this group.
    pub(crate) absent_at: BTreeSet<NodeId>,
}

impl Replica {
    /// Steps the core and carries out what it says.
    pub(crate) fn step(&mut self, ctx: &mut Context, event: Event, payloads: Payloads<'_>) {
        let (term, leads) = (self.state.hard.term, self.leads());
        let mut effects = std::mem::take(&mut ctx.effects);
        self.keep_event(ctx, &event);
        let recorded = ctx.records.is_whole().then(|| event.clone());
        raft::step(&self.params, &mut self.state, event, &mut effects);
        if let Some(event) = recorded {
            effects = self.note_step(ctx, event, effects);
        }
        let mut actions = std::mem::take(&mut ctx.actions);
        self.outbox.accept(effects.drain(..), &mut actions);
        ctx.effects = effects;
        self.follow_role(ctx, term, leads);
        self.execute(ctx, actions, payloads);
    }

    /// The disk has everything through `ticket`.
    pub(crate) fn durable(&mut self, ctx: &mut Context, ticket: Ticket) {
        self.note(ctx, &Fact::Durable { through: ticket });
        let mut actions = std::mem::take(&mut ctx.actions);
        self.outbox.durable(ticket, &mut actions);
        self.waits_for_disk = (self.outbox.pending() > 0).then_some(ctx.now);
        self.execute(ctx, actions, Payloads::None);
    }

    /// Gives back what the group holds of the shard's bounded memory; it stops.
    pub(crate) fn release(&mut self, ctx: &mut Context) {
        ctx.tail_bytes = ctx.tail_bytes.saturating_sub(self.tail.bytes());
        let under_way: usize = self.apply.under_way.drain(..).map(|(_, bytes)| bytes).sum();
        ctx.applying_bytes = ctx.applying_bytes.saturating_sub(under_way);
    }

    /// Whether somebody waits for an outcome.
    pub(crate) fn is_busy(&self) -> bool {
        !self.arrived.is_empty() || !self.writes.is_empty() || !self.reads.is_empty() || self.outbox.pending() > 0
    }

    pub(crate) fn leads(&self) -> bool {
        self.state.as_leader().is_some()
    }

    fn execute(&mut self, ctx: &mut Context, mut actions: Vec<Action>, mut payloads: Payloads<'_>) {
        let mut persisted = None;
        for action in actions.drain(..) {
            match action {
                Action::Write { ticket, write } => self.write(ctx, ticket, write, &mut payloads),
                Action::Send(released) => self.send(ctx, released),
                Action::Persisted { mark } => persisted = Some(mark),
                Action::Installed { at } => self.installed(ctx, at),
                Action::Apply { through } => {
                    self.apply.released = through;
                    self.pump_apply(ctx);
                }
                Action::Compact { through } => self.submit(ctx, Ticket::NONE, submission::Write::Compact { through }),
                Action::ReadReady { id, index } => {
                    self.reads.confirm(id, index);
                    self.run_reads(ctx);
                }
                Action::Refuse { what, leader } => self.refused(ctx, what, leader, &mut payloads),
                Action::SendSnapshot { to, at } => self.begin_transfer(ctx, to, at),
                Action::ResetElectionTimer => self.reset_election_timer(ctx),
                Action::Overflow { to } => {
                    ctx.counters.dropped += 1;
                    if self.group == GroupId::DEFAULT {
                        ctx.legacy.dropped(&mut ctx.out, to);
                    }
                }
                Action::Halt { law } => self.halt(format!("the law {law:?} is broken; keep the data folder and report this")),
            }
        }
        ctx.actions = actions;
        if let Some(mark) = persisted {
            self.step(ctx, Event::Persisted { mark }, Payloads::None);
        }
    }

    fn write(&mut self, ctx: &mut Context, ticket: Ticket, write: Write, payloads: &mut Payloads<'_>) {
        let write = match write {
            Write::Persist { hard, truncate_from, append } => {
                if let Some(from) = truncate_from {
                    self.truncate(ctx, from);
                }
                let append = append.map(|append| self.append(ctx, &append, payloads));
                submission::Write::Persist { hard, truncate_from, append }
            }
            Write::InstallSnapshot { hard, at, keep_suffix } => {
                let Some(state_epoch) = self.transfers.install(at) else {
                    // The core asks for it only in the step that reported the staged snapshot.
                    return self.halt("a snapshot was to be installed that is not staged; this is a defect of Roadstead".into());
                };
                self.epoch = state_epoch;
                self.forget_behind_snapshot(ctx, at, keep_suffix);
                submission::Write::Install { hard, at, keep_suffix, state_epoch: state_epoch.0 }
            }
        };
        self.waits_for_disk.get_or_insert(ctx.now);
        self.submit(ctx, ticket, write);
    }

    fn submit(&self, ctx: &mut Context, ticket: Ticket, write: submission::Write) {
        if ctx.records.is_whole()
            && let Some(fact) = note::issued(ticket, &write)
        {
            self.note(ctx, &fact);
        }
        ctx.out.submissions.push(Submission { local: self.local, incarnation: self.key.incarnation, ticket: ticket.0, write });
    }

    /// Gives the appended entries their bytes.
    fn append(&mut self, ctx: &mut Context, append: &Append, payloads: &mut Payloads<'_>) -> submission::Append {
        let first = append.runs.first().map_or(append.last, |run| run.first);
        let mut entries = Vec::with_capacity((append.last.0 + 1).saturating_sub(first.0) as usize);
        match (append.origin, payloads) {
            (Origin::Proposed, Payloads::Proposed(requests)) => {
                let term = self.state.hard.term;
                let mut index = first;
                for request in requests.drain(..) {
                    let Request { operation: Operation::Write(payload), deadline, reply } = request else { continue };
                    self.write_bytes += payload.len();
                    self.writes.push(PendingWrite { index, reply, deadline, bytes: payload.len() });
                    entries.push(Entry { term, kind: EntryKind::Command, payload });
                    index = index.next();
                }
            }
            (Origin::Received, Payloads::Received { first: first_received, spans, body }) => {
                // The first ones may be in the log already.
                let known = first.0.saturating_sub(first_received.0) as usize;
                entries.extend(spans.iter().skip(known).map(|span| Entry {
                    term: span.term,
                    kind: span.kind,
                    payload: body.slice(span.range.clone()),
                }));
            }
            _ => entries.push(Entry { term: self.state.hard.term, kind: EntryKind::Noop, payload: Bytes::new() }),
        }
        let before = self.tail.bytes();
        for (entry, index) in entries.iter().zip(first.0..) {
            self.tail.push(Index(index), entry.clone());
        }
        ctx.tail_bytes = ctx.tail_bytes.saturating_sub(before) + self.tail.bytes();
        submission::Append { first, entries }
    }

    fn truncate(&mut self, ctx: &mut Context, from: Index) {
        let before = self.tail.bytes();
        self.tail.truncate_from(from);
        ctx.tail_bytes = ctx.tail_bytes.saturating_sub(before) + self.tail.bytes();
        let lost = self.writes.take_from(from);
        self.settle_unknown(ctx, lost, "another leader replaced the entry here; another member may still hold it");
    }

    fn forget_behind_snapshot(&mut self, ctx: &mut Context, at: EntryId, keep_suffix: bool) {
        let lost = if keep_suffix { self.writes.take_through(at.index) } else { self.writes.take_all() };
        self.settle_unknown(ctx, lost, "a snapshot replaced the log here; the entry may be part of it");
        if !keep_suffix {
            let before = self.tail.bytes();
            self.tail = Tail::behind(at.index);
            ctx.tail_bytes = ctx.tail_bytes.saturating_sub(before);
        }
    }

    /// Answers writes whose outcome cannot be known here any more.
    pub(crate) fn settle_unknown(&mut self, ctx: &mut Context, writes: Vec<PendingWrite>, why: &str) {
        for write in writes {
            self.write_bytes = self.write_bytes.saturating_sub(write.bytes);
            ctx.reply(self.group, write.reply, Response::Unknown { why: why.into() });
        }
    }

    fn installed(&mut self, ctx: &mut Context, at: EntryId) {
        ctx.out.job(self.key, Work::Install { epoch: self.epoch });
        self.apply.released = self.apply.released.max(at.index);
        self.apply.given = at.index;
        self.apply.reading = false;
        (self.snapshot, self.durable_state) = (at, at);
        self.pump_apply(ctx);
    }

    /// Gives the applier what is committed and durable, as far as its queue allows.
    pub(crate) fn pump_apply(&mut self, ctx: &mut Context) {
        while self.apply.given < self.apply.released && !self.apply.reading {
            if ctx.applying_bytes > ctx.options.limits.apply_queue_bytes {
                return; // goes on when the applier reports
            }
            let first = self.apply.given.next();
            let last = self.apply.released.min(self.apply.given.plus(APPLY_ENTRIES_MAX));
            let Some(entries) = self.tail.range(first, last) else {
                self.apply.reading = true;
                ctx.out.log_reads.push(LogRead {
                    key: self.key,
                    purpose: ReadFor::Apply,
                    from: first,
                    entries_max: APPLY_ENTRIES_MAX.min(last.0 + 1 - first.0) as usize,
                    bytes_max: APPLY_READ_BYTES_MAX,
                });
                return;
            };
            let entries: Vec<Entry> = entries.cloned().collect();
            self.give(ctx, first, entries);
        }
    }

    /// Entries for the applier came from the log.
    pub(crate) fn apply_read(&mut self, ctx: &mut Context, from: Index, entries: Vec<Entry>) {
        if !self.apply.reading || from != self.apply.given.next() {
            return; // a snapshot was installed meanwhile
        }
        self.apply.reading = false;
        let terms_match = (from.0..).zip(&entries).all(|(index, entry)| self.term_at(Index(index)) == Some(entry.term));
        if entries.is_empty() || !terms_match {
            tracing::warn!(group = %self.group, from = %from, "committed entries could not be read from the log; reading again");
        } else {
            let durable = (self.apply.released.0 + 1).saturating_sub(from.0) as usize;
            self.give(ctx, from, entries.into_iter().take(durable).collect());
        }
        self.pump_apply(ctx);
    }

    fn give(&mut self, ctx: &mut Context, first: Index, entries: Vec<Entry>) {
        let count = entries.len() as u64;
        let bytes = entries.iter().map(weight).sum::<usize>();
        ctx.applying_bytes += bytes;
        self.apply.given = first.prev().plus(count);
        self.apply.under_way.push_back((self.apply.given, bytes));
        let answers_from = self.writes.first().filter(|index| *index <= self.apply.given);
        ctx.out.job(self.key, Work::Apply { first, entries, answers_from });
        self.run_reads(ctx);
    }

    /// The state machine goes on from a snapshot.
    pub(crate) fn snapshot_installed(&mut self, ctx: &mut Context, at: EntryId) {
        self.note(ctx, &Fact::Installed { at });
        self.applied(ctx, at, Vec::new());
    }

    /// The state machine has applied through an entry and answers the commands that somebody waits for.
    pub(crate) fn applied(&mut self, ctx: &mut Context, through: EntryId, answers: Vec<(Index, Bytes)>) {
        self.apply.applied = self.apply.applied.max(through);
        while let Some((_, bytes)) = self.apply.under_way.pop_front_if(|(last, _)| *last <= through.index) {
            ctx.applying_bytes = ctx.applying_bytes.saturating_sub(bytes);
        }
        for (index, answer) in answers {
            let Some(write) = self.writes.take_at(index) else { continue };
            self.write_bytes = self.write_bytes.saturating_sub(write.bytes);
            ctx.counters.writes += 1;
            let term = self.term_at(index).unwrap_or(self.state.hard.term);
            ctx.reply(self.group, write.reply, Response::Committed { index, term, answer });
        }
        self.step(ctx, Event::Applied { through: through.index }, Payloads::None);
        self.evict(ctx);
    }

    /// Lets go of entries that are applied and that no follower which keeps up needs.
    pub(crate) fn evict(&mut self, ctx: &mut Context) {
        let applied = self.apply.applied.index;
        let needed = self
            .state
            .as_leader()
            .map_or(applied, |leader| leader.peers.iter().map(|(_, progress)| progress.matched).min().unwrap_or(applied));
        let before = self.tail.bytes();
        let others = ctx.tail_bytes.saturating_sub(before);
        let room = ctx.options.limits.log_cache_bytes.saturating_sub(others);
        self.tail.evict(applied.min(needed), applied, room);
        ctx.tail_bytes = others + self.tail.bytes();
    }

    pub(crate) fn term_at(&self, index: Index) -> Option<Term> {
        match self.state.log.term_at(index) {
            TermAt::Known(term) => Some(term),
            TermAt::Compacted | TermAt::Beyond => None,
        }
    }

    fn refused(&mut self, ctx: &mut Context, what: Refused, leader: Option<NodeId>, payloads: &mut Payloads<'_>) {
        match what {
            Refused::Propose => {
                if let Payloads::Proposed(requests) = payloads {
                    for request in requests.drain(..) {
                        ctx.reply(self.group, request.reply, Response::Rejected(Rejection::NotLeader { leader }));
                    }
                }
            }
            Refused::Read(id) => {
                for query in self.reads.take(id).into_iter().flatten() {
                    ctx.reply(self.group, query.reply, Response::Rejected(Rejection::NotLeader { leader }));
                }
            }
        }
    }

    pub(crate) fn reset_election_timer(&mut self, ctx: &mut Context) {
        (self.minimum_deadline, self.election_deadline) = ctx.election_deadlines(self.leads());
        ctx.timers.arm(self.local.0, self.minimum_deadline.min(self.election_deadline));
    }

    /// Steps the timers that are due and arms the next one.
    pub(crate) fn on_timer(&mut self, ctx: &mut Context) {
        if self.minimum_deadline <= ctx.now {
            self.minimum_deadline = Millis::NEVER;
            self.step(ctx, Event::MinimumTimeout, Payloads::None);
        }
        if self.election_deadline <= ctx.now {
            (_, self.election_deadline) = ctx.election_deadlines(self.leads());
            self.step(ctx, Event::ElectionTimeout, Payloads::None);
        }
        ctx.timers.arm(self.local.0, self.minimum_deadline.min(self.election_deadline));
    }

    /// Once per heartbeat interval, for every group of the node.
    pub(crate) fn on_tick(&mut self, ctx: &mut Context) {
        if self.leads() {
            self.step(ctx, Event::HeartbeatTimeout, Payloads::None);
        }
        if let Some(since) = self.waits_for_disk
            && ctx.now.since(since) >= ctx.options.timers.disk_stall.as_millis() as u64
        {
            self.waits_for_disk = Some(ctx.now);
            self.step(ctx, Event::DiskStalled, Payloads::None);
        }
        self.pass_lead_on(ctx);
        self.expire(ctx);
        self.tick_transfers(ctx);
        if !self.is_busy() {
            self.evict(ctx);
            self.outbox.rest();
            self.writes.rest();
            self.tail.rest();
        }
    }

    /// A member says that it does not have this group.
    pub(crate) fn absent_at(&mut self, peer: NodeId) {
        if self.absent_at.insert(peer) {
            tracing::warn!(group = %self.group, %peer, "the member does not have this group; add it there, with the same generation and members");
        }
    }

    /// A member speaks as one.
    pub(crate) fn present_at(&mut self, peer: NodeId) {
        if !self.absent_at.is_empty() {
            self.absent_at.remove(&peer);
        }
    }

    /// Stops the group; the shard sees it when the step is over.
    fn halt(&mut self, reason: String) {
        self.broken.get_or_insert(reason);
    }

    fn follow_role(&mut self, ctx: &mut Context, term_before: Term, led_before: bool) {
        match (led_before, self.leads()) {
            // They were passed on to the leader before, and the core keeps no account of them; the next tick asks again.
            (false, true) => self.reads.ask_again(),
            (true, false) => self.end_transfers(ctx),
            _ => {}
        }
        if self.state.hard.term != term_before || self.leads() != led_before {
            if matches!(self.state.role, raft::Role::Candidate { .. }) {
                ctx.counters.elections += 1;
            }
            tracing::info!(group = %self.group, term = %self.state.hard.term, role = role_name(&self.state.role), "role or term changed");
        }
    }
}

/// Memory that an entry takes on its way to the state machine.
pub(crate) fn weight(entry: &Entry) -> usize {
    entry.payload.len() + size_of::<Entry>()
}

/// The role's name in status, logs and metrics.
pub(crate) fn role_name(role: &raft::Role) -> &'static str {
    match role {
        raft::Role::Follower { .. } => "follower",
        raft::Role::PreCandidate { .. } => "pre_candidate",
        raft::Role::Candidate { .. } => "candidate",
        raft::Role::Leader(_) => "leader",
    }
}
