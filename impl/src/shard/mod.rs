//! The event loop's state: it owns groups, steps the core, and is the only interpreter of its effects.
//!
//! A shard is a plain struct. [`Shard::turn`] takes what arrived and returns what is to be done; threads, sockets and timers are the caller's.
//! One turn drains everything that is there: per group one proposal, for all groups together one batch for the disk and one buffer per peer.
//!
//! **Architecture Invariant:** a shard reads no clock, no socket and no database, and blocks on nothing. With the same inputs, moments and
//! seed it gives the same outputs.

mod context;
mod frames;
mod io;
mod legacy;
mod note;
mod pending;
mod replica;
mod requests;
mod response;
mod send;
mod slot;
mod space;
mod status;
mod tail;
mod timers;
mod transfer;

pub use context::{Counters, ShardOptions};
pub use io::{Answers, Input, LegacyFrames, Lifecycle, LogRead, Operation, Outputs, ReadFor, ReplyTo, Request};
pub use response::{Rejection, Response};
pub use slot::OpenGroup;
pub use timers::Millis;

use crate::{
    applier::{Done, GroupKey, Job, JobName, Outcome, QueryId, Work},
    store::{entry::Entry, prefix::Local, space::Room, submission::Completion},
    trace::Dump,
};
use context::Context;
use rand::{SeedableRng, rngs::StdRng};
use roadstead_spec::{
    EntryId, GroupId, Incarnation, NodeId,
    dispatch::{NotRegistered, Registry},
    outbox::Ticket,
    trace::Dispatched,
};
use slot::{Phase, Slot};

/// An event loop's groups.
pub struct Shard {
    ctx: Context,
    /// Which group a frame belongs to; the mailbox is the place in `slots`.
    registry: Registry<Local>,
    /// By local number. Local numbers are never reused, so a completion of a removed group finds an empty place.
    slots: Vec<Option<Box<Slot>>>,
    /// Groups with requests that arrived in this turn.
    dirty: Vec<Local>,
    next_tick: Millis,
    checkpoint: Checkpoint,
    /// No request is taken in any more.
    ending: bool,
}

/// When the state database is synced.
#[derive(Debug, Default)]
struct Checkpoint {
    running: bool,
    /// Some group's log is long enough, or somebody asked.
    wanted: bool,
    /// Entries were applied since the last one began.
    applied: bool,
    last: Millis,
    /// Groups whose log is to be compacted whatever its length: at the next one, and at the one that runs.
    asked: Vec<Local>,
    forced: Vec<Local>,
}

impl Shard {
    /// A shard without groups. `seed` decides all its random choices.
    pub fn new(options: ShardOptions, seed: u64) -> Self {
        Self {
            ctx: Context::new(options, StdRng::seed_from_u64(seed)),
            registry: Registry::new(),
            slots: Vec::new(),
            dirty: Vec::new(),
            next_tick: Millis(0),
            checkpoint: Checkpoint::default(),
            ending: false,
        }
    }

    /// Opens a group; what became of it is told by [`Lifecycle`].
    ///
    /// # Errors
    /// When the group is here already, or this incarnation was removed.
    pub fn open(&mut self, now: Millis, open: OpenGroup) -> Result<(), NotRegistered> {
        self.ctx.now = now;
        let (group, incarnation, local) = (open.record.group, open.record.incarnation, open.record.local);
        let registered = self.registry.register(group, incarnation, local, now.0);
        self.ctx.records.dispatched(|| Dispatched::Register { group, incarnation, refused: registered.err() });
        registered?;
        if open.record.group == GroupId::DEFAULT {
            self.ctx.legacy.later_life = open.record.generation > 1;
        }
        let place = local.0 as usize;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || None);
        }
        let slot = Slot::open(&mut self.ctx, open);
        if let Some(empty) = self.slots.get_mut(place) {
            *empty = Some(Box::new(slot));
        }
        Ok(())
    }

    /// Takes a group out for ever: whoever waits is answered, and no message reaches it once this has returned. Its data stays until
    /// [`Shard::destroy`], which the caller asks for when the tombstone is durable.
    pub fn remove(&mut self, now: Millis, group: GroupId) {
        self.ctx.now = now;
        let Ok((incarnation, local)) = self.registry.deregister(group) else { return };
        self.registry.bury(group, incarnation);
        self.ctx.records.dispatched(|| Dispatched::Remove { group, incarnation });
        if group == GroupId::DEFAULT {
            self.ctx.legacy.view = None;
        }
        if let Some(slot) = self.slots.get_mut(local.0 as usize).and_then(Option::as_mut) {
            slot.remove(&mut self.ctx);
        }
    }

    /// Deletes the data of a removed group; [`Lifecycle::Destroyed`] tells when the last of it is gone.
    pub fn destroy(&mut self, key: GroupKey) {
        self.ctx.out.job(key, Work::Destroy);
    }

    /// Steps everything in `inbox`, then what the clock made due.
    pub fn turn(&mut self, now: Millis, storage_has_room: bool, inbox: &mut Vec<Input>) -> Outputs {
        self.ctx.now = now;
        self.ctx.storage_has_room = storage_has_room;
        for input in inbox.drain(..) {
            self.input(input);
        }
        self.flush_dirty();
        while let Some(local) = self.ctx.timers.pop_due(now) {
            self.with(Local(local), |replica, ctx| replica.on_timer(ctx));
        }
        if now >= self.next_tick {
            self.tick();
        }
        self.maybe_checkpoint();
        self.legacy_flush();
        self.ctx.out.trace = self.ctx.records.take();
        std::mem::take(&mut self.ctx.out)
    }

    /// The last records of the process, which ends in order.
    pub fn end_trace(&mut self) -> Vec<u8> {
        self.ctx.records.end();
        self.ctx.records.take()
    }

    /// What the shard still knows after a panic, in whose middle it may be: records for the trace file, or the last ones of a node that has none.
    pub fn last_records(&mut self, reason: String) -> (Vec<u8>, Option<Dump>) {
        (self.ctx.records.take(), self.ctx.records.dump(reason))
    }

    /// When [`Shard::turn`] must be called at the latest, even if nothing arrives.
    pub fn next_deadline(&self) -> Millis {
        self.ctx.timers.next().min(self.next_tick)
    }

    /// The disk has so much room from now on.
    pub fn set_room(&mut self, now: Millis, room: Room) {
        self.ctx.space.set(now, room);
    }

    /// Refuses requests from now on; what has begun goes on.
    pub fn end(&mut self) {
        self.ending = true;
    }

    /// Whether nobody waits for anything: a good moment to end.
    pub fn is_quiet(&self) -> bool {
        let busy = |slot: &Slot| matches!(&slot.phase, Phase::Running(replica) if replica.is_busy());
        self.ctx.queries.is_empty() && self.ctx.forwarded.is_empty() && !self.slots.iter().flatten().any(|slot| busy(slot))
    }

    /// Counters since the start.
    pub fn counters(&self) -> Counters {
        self.ctx.counters
    }

    /// Makes the next checkpoint compact this group's log whatever its length.
    pub fn take_snapshot(&mut self, group: GroupId) -> bool {
        let Ok(&local) = self.registry.route_any(group, self.ctx.now.0) else { return false };
        self.checkpoint.asked.push(local);
        self.checkpoint.wanted = true;
        true
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::PeerFrames { peer, frames } => frames.into_iter().for_each(|frame| self.peer_frame(peer, frame)),
            Input::ClientFrames { conn, frames } => frames.into_iter().for_each(|frame| self.client_frame(conn, frame)),
            Input::Local { group, request } => self.request(group, request),
            Input::Linked(linked) => self.ctx.records.linked(linked),
            Input::PeerUp(peer) => {
                self.ctx.links.insert(peer);
            }
            Input::PeerDown(peer) => {
                self.ctx.links.remove(&peer);
                self.peer_down(peer);
            }
            Input::LegacyUp { peer, conn } => self.ctx.legacy.up(self.ctx.now, self.ctx.options.node, peer, conn),
            Input::LegacyDown { peer, conn } => {
                if self.ctx.legacy.down(peer, conn) {
                    self.peer_down(peer);
                }
            }
            Input::LegacyRequests { peer, conn, frames } => {
                frames.iter().for_each(|frame| self.legacy_request(conn, Some(peer), frame));
            }
            Input::LegacyAnswers { peer, conn, frames } => self.legacy_answers(peer, conn, &frames),
            Input::Gone(conn) => self.ctx.legacy.gone(conn),
            Input::Durable(completions) => completions.into_iter().for_each(|completion| self.durable(completion)),
            Input::Done(done) => done.into_iter().for_each(|done| self.done(done)),
            Input::LogRead { read, entries } => self.log_read(&read, entries),
        }
    }

    /// Runs `act` on a running group, and stops the group if a law broke meanwhile.
    fn with(&mut self, local: Local, act: impl FnOnce(&mut replica::Replica, &mut Context)) {
        let Some(slot) = self.slots.get_mut(local.0 as usize).and_then(Option::as_mut) else { return };
        let Some(replica) = slot.replica() else {
            if slot.record.group == GroupId::DEFAULT {
                self.ctx.legacy.view = None;
            }
            return;
        };
        act(replica, &mut self.ctx);
        let broken = replica.broken.take();
        if replica.group == GroupId::DEFAULT {
            self.ctx.legacy.view = broken.is_none().then(|| replica.view());
        }
        if let Some(reason) = broken {
            slot.fail(&mut self.ctx, reason);
        }
    }

    fn for_each(&mut self, mut act: impl FnMut(&mut replica::Replica, &mut Context)) {
        for number in 0..self.slots.len() {
            self.with(Local(number as u32), &mut act);
        }
    }

    /// A request of a client. Those of one turn are stepped together.
    fn request(&mut self, group: GroupId, request: Request) {
        let Ok(&local) = self.registry.route_any(group, self.ctx.now.0) else {
            return self.ctx.reply(group, request.reply, Response::Rejected(Rejection::NoSuchGroup));
        };
        self.request_at(group, local, request);
    }

    fn request_at(&mut self, group: GroupId, local: Local, request: Request) {
        if self.ending {
            return self.ctx.reply(group, request.reply, Response::Rejected(Rejection::ShuttingDown));
        }
        let Some(slot) = self.slots.get_mut(local.0 as usize).and_then(Option::as_mut) else { return };
        match slot.replica() {
            Some(replica) => {
                replica.request(&mut self.ctx, request);
                self.dirty.push(local);
            }
            None => self.ctx.reply(group, request.reply, Response::Rejected(slot.rejection())),
        }
    }

    fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        for local in dirty.drain(..) {
            self.with(local, |replica, ctx| replica.flush_arrived(ctx));
        }
        self.dirty = dirty;
    }

    /// What was sent to `peer` may be lost.
    fn peer_down(&mut self, peer: NodeId) {
        self.for_each(|replica, ctx| replica.unreachable(ctx, peer));
        let lost: Vec<u64> = self.ctx.forwarded.iter().filter(|(_, forwarded)| forwarded.to == peer).map(|(number, _)| *number).collect();
        self.settle_forwarded(&lost, "the connection to the leader broke");
    }

    fn settle_forwarded(&mut self, numbers: &[u64], why: &str) {
        for number in numbers {
            if let Some(forwarded) = self.ctx.forwarded.remove(number) {
                self.ctx.reply(forwarded.group, forwarded.reply, Response::Unknown { why: why.into() });
            }
        }
    }

    fn durable(&mut self, completion: Completion) {
        if completion.ticket != Ticket::NONE.0 && self.lives(completion.local, completion.incarnation) {
            self.with(completion.local, |replica, ctx| replica.durable(ctx, Ticket(completion.ticket)));
        }
    }

    /// Completions carry the incarnation, as frames do.
    fn lives(&self, local: Local, incarnation: Incarnation) -> bool {
        let slot = self.slots.get(local.0 as usize).and_then(Option::as_ref);
        slot.is_some_and(|slot| slot.key.incarnation == incarnation)
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Checkpoint { durable } => self.checkpointed(durable),
            Done::Group(key, Outcome::Answered { id, answer, applied }) => {
                self.answered(key, id, Response::Answered { applied: applied.index, term: applied.term, answer })
            }
            Done::Group(key, Outcome::Behind { id, .. }) => self.answered(key, id, Response::Rejected(Rejection::DeadlineExceeded)),
            Done::Group(key, Outcome::Failed { reason, of: JobName::Query(id) }) => {
                self.answered(key, id, Response::Rejected(Rejection::GroupFailed(reason.to_string())));
            }
            Done::Group(key, Outcome::Destroyed) => self.destroyed(key),
            Done::Group(key, outcome) => {
                if let Outcome::Applied { .. } = &outcome {
                    self.checkpoint.applied = true;
                }
                self.group_done(key, outcome);
            }
        }
    }

    fn group_done(&mut self, key: GroupKey, outcome: Outcome) {
        if !self.lives(key.local, key.incarnation) {
            return;
        }
        let was_full = self.ctx.applying_bytes > self.ctx.options.limits.apply_queue_bytes;
        if let Some(slot) = self.slots.get_mut(key.local.0 as usize).and_then(Option::as_mut) {
            slot.done(&mut self.ctx, outcome);
        }
        if was_full && self.ctx.applying_bytes <= self.ctx.options.limits.apply_queue_bytes {
            self.for_each(|replica, ctx| replica.pump_apply(ctx));
        }
        self.with(key.local, |_, _| {});
    }

    fn destroyed(&mut self, key: GroupKey) {
        if let Some(place) = self.slots.get_mut(key.local.0 as usize)
            && place.as_ref().is_some_and(|slot| matches!(slot.phase, Phase::Removing))
        {
            *place = None;
        }
        self.ctx.out.lifecycle.push(Lifecycle::Destroyed(key));
    }

    fn log_read(&mut self, read: &LogRead, entries: Result<Vec<Entry>, String>) {
        if !self.lives(read.key.local, read.key.incarnation) {
            return;
        }
        let local = read.key.local;
        match entries {
            Ok(entries) => self.with(local, |replica, ctx| match read.purpose {
                ReadFor::Apply => replica.apply_read(ctx, read.from, entries),
                ReadFor::Send(to) => replica.send_read(ctx, to, read.from, &entries),
            }),
            Err(error) => {
                if let Some(slot) = self.slots.get_mut(local.0 as usize).and_then(Option::as_mut) {
                    slot.fail(&mut self.ctx, error);
                }
            }
        }
    }

    fn tick(&mut self) {
        let heartbeat = self.ctx.options.timers.heartbeat.as_millis() as u64;
        self.next_tick = self.ctx.now.plus(heartbeat);
        let limit = self.ctx.options.limits.snapshot_entries;
        let mut long_log = false;
        self.for_each(|replica, ctx| {
            replica.on_tick(ctx);
            long_log |= replica.apply.applied.index.0.saturating_sub(replica.snapshot.index.0) >= limit;
        });
        self.checkpoint.wanted |= long_log;
        let now = self.ctx.now;
        let late: Vec<u64> =
            self.ctx.forwarded.iter().filter(|(_, forwarded)| forwarded.deadline <= now).map(|(number, _)| *number).collect();
        self.settle_forwarded(&late, "the leader did not answer before the deadline");
        self.legacy_tick();
    }

    fn maybe_checkpoint(&mut self) {
        let interval = self.ctx.options.timers.state_sync.as_millis() as u64;
        let due = self.checkpoint.applied && self.ctx.now.since(self.checkpoint.last) >= interval;
        if !self.checkpoint.running && (self.checkpoint.wanted || due) {
            self.checkpoint = Checkpoint {
                running: true,
                last: self.ctx.now,
                forced: std::mem::take(&mut self.checkpoint.asked),
                ..Checkpoint::default()
            };
            self.ctx.out.jobs.push(Job::Checkpoint);
        }
    }

    fn checkpointed(&mut self, durable: Vec<(GroupKey, EntryId)>) {
        self.checkpoint.running = false;
        let limit = self.ctx.options.limits.snapshot_entries;
        for (key, at) in durable {
            if self.lives(key.local, key.incarnation) {
                self.with(key.local, |replica, ctx| {
                    replica.durable_state = at.max(replica.durable_state);
                    if at.index.0.saturating_sub(replica.snapshot.index.0) >= limit {
                        replica.take_snapshot(ctx);
                    }
                });
            }
        }
        // The applier tells of groups that moved; of the others everything was durable before.
        for local in std::mem::take(&mut self.checkpoint.forced) {
            self.with(local, |replica, ctx| {
                replica.take_snapshot(ctx);
                ctx.out.lifecycle.push(Lifecycle::SnapshotTaken(replica.group, replica.snapshot.index));
            });
        }
    }

    fn answered(&mut self, key: GroupKey, id: QueryId, response: Response) {
        let Some(reply) = self.ctx.queries.remove(&id) else { return };
        let slot = self.slots.get(key.local.0 as usize).and_then(Option::as_ref);
        let group = slot.map_or(GroupId::DEFAULT, |slot| slot.record.group);
        self.ctx.counters.queries += 1;
        self.ctx.reply(group, reply, response);
    }
}
