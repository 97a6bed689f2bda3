//! What is around a node's machines: in production its event loop and its threads.

use super::{
    bug::Bug,
    disk::Loss,
    life::{Life, REGISTRY_TICKETS},
    network::{Packet, Side},
    plan::{MILLI, Micros},
    world::{Event, World},
};
use rand::RngExt;
use roadstead::{
    applier::Done,
    shard::{Input, Lifecycle, Millis, Outputs},
    store::Completion,
};
use roadstead_spec::{GroupId, NodeId};
use std::time::Duration;

/// Longest time between an input and the turn that sees it.
const WAKE_MAX: Micros = MILLI / 5;

impl World {
    /// A node has something to look at.
    pub(super) fn wake(&mut self, id: NodeId, life: u64) {
        let moment = self.now + self.rng.random_range(1..=WAKE_MAX);
        self.wake_at(id, life, moment);
    }

    fn wake_at(&mut self, id: NodeId, life: u64, moment: Micros) {
        let Some(current) = self.life(id, life) else { return };
        if current.wake.is_none_or(|earlier| moment < earlier) {
            current.wake = Some(moment);
            self.at(moment, Event::Turn { node: id, life });
        }
    }

    pub(super) fn turn_due(&mut self, id: NodeId, life: u64) {
        let (now, no_room) = (self.now, self.plan.bug == Some(Bug::NoRoom));
        let Some(current) = self.life(id, life) else { return };
        // A turn that was moved forward leaves its old place on the calendar.
        if current.wake.is_none_or(|moment| moment > now) || self.postponed(id, || Event::Turn { node: id, life }) {
            return;
        }
        let Some(current) = self.life(id, life) else { return };
        current.wake = None;
        let (clock, has_room) = (current.clock(now), current.has_room() && !no_room);
        let outputs = current.shard.turn(clock, has_room, &mut current.inbox);
        self.carry_out(id, life, outputs);
        let Some(current) = self.life(id, life) else { return };
        let deadline = current.shard.next_deadline();
        if deadline != Millis::NEVER
            && let Some(moment) = current.moment(deadline)
        {
            self.wake_at(id, life, moment.max(now + 1));
        }
    }

    /// In the order of production: the record, the disk, the frames, the jobs.
    fn carry_out(&mut self, id: NodeId, life: u64, outputs: Outputs) {
        self.record(id, &outputs.trace);
        let Some(current) = self.life(id, life) else { return };
        current.waiting.extend(outputs.submissions);
        current.jobs.extend(outputs.jobs);
        current.reads.extend(outputs.log_reads);
        let reads = current.reads.len();
        self.start_disk(id, life);
        for (peer, frames) in outputs.peers {
            self.send_to_peer(id, life, peer, frames);
        }
        for frames in outputs.legacy_requests {
            self.send_bytes(frames.conn.0, Side::Dialer, frames.frames);
        }
        for frames in outputs.legacy_answers {
            self.send_bytes(frames.conn.0, Side::Acceptor, frames.frames);
        }
        for (conn, _) in outputs.closes {
            self.close_here(id, life, conn.0);
        }
        self.start_applier(id, life);
        for _ in 0..reads {
            let moment = self.disk_moment(id);
            self.at(moment, Event::Read { node: id, life });
        }
        let mut replies = outputs.local;
        self.spoiler.replies(&mut replies);
        for (token, response) in replies {
            self.answer(token, &response);
        }
        for lifecycle in outputs.lifecycle {
            self.lifecycle(id, life, lifecycle);
        }
    }

    fn lifecycle(&mut self, id: NodeId, life: u64, lifecycle: Lifecycle) {
        match lifecycle {
            Lifecycle::Opened(group) => self.opened(id, life, group),
            Lifecycle::Failed(group, _) if self.node(id).damaged.is_some() => self.opened(id, life, group),
            Lifecycle::Failed(group, reason) => self.violated(Some(id), format!("group {group} has stopped on node {id}: {reason}")),
            Lifecycle::SnapshotTaken(..) | Lifecycle::Destroyed(_) => {}
        }
    }

    /// When all groups are open the port is, too.
    fn opened(&mut self, id: NodeId, life: u64, group: GroupId) {
        let Some(current) = self.life(id, life) else { return };
        if current.opening.remove(&group) && current.opening.is_empty() {
            for peer in self.plan.members().into_iter().filter(|peer| *peer != id) {
                self.at(self.now, Event::Dial { node: id, life, peer });
            }
        }
    }

    fn send_to_peer(&mut self, id: NodeId, life: u64, peer: NodeId, frames: Vec<u8>) {
        if let Some(conn) = self.life(id, life).and_then(|current| current.dialled.get(&peer).copied()) {
            self.send_bytes(conn, Side::Dialer, frames);
        }
    }

    /// Sends from one end of a connection to the other.
    pub(super) fn send_bytes(&mut self, conn: u64, from: Side, bytes: Vec<u8>) {
        if bytes.is_empty() || self.network.conns.get_mut(&conn).is_none_or(|conn| conn.end(from).closed) {
            return;
        }
        self.send(conn, from.other(), Packet::Bytes(bytes));
    }

    pub(super) fn send(&mut self, conn: u64, to: Side, packet: Packet) {
        for moment in self.network.send(self.now, conn, to, packet) {
            self.at(moment, Event::Arrive { conn, to });
        }
    }

    fn disk_moment(&mut self, id: NodeId) -> Micros {
        let slow = self.node(id).disk_slow;
        let longest = self.plan.tuning.disk_max + slow;
        self.now + self.rng.random_range(MILLI / 20..=longest)
    }

    /// The disk takes the next round, if it has none.
    pub(super) fn start_disk(&mut self, id: NodeId, life: u64) {
        let Some(current) = self.life(id, life) else { return };
        if !current.round.is_empty() || current.waiting.is_empty() {
            return;
        }
        current.round = std::mem::take(&mut current.waiting);
        if self.plan.bug == Some(Bug::EarlyDurable)
            && let Some(current) = self.life(id, life)
        {
            let early = current.round.iter().map(roadstead::store::Submission::completion).collect();
            self.durable(id, life, early);
        }
        let moment = self.disk_moment(id);
        self.at(moment, Event::Disk { node: id, life });
    }

    pub(super) fn disk_done(&mut self, id: NodeId, life: u64) {
        if self.postponed(id, || Event::Disk { node: id, life }) {
            return;
        }
        let due = Bug::is_due(self.events());
        let Some(current) = self.life(id, life) else { return };
        let mut round = std::mem::take(&mut current.round);
        let omitted = self.spoiler.round(due, &mut round);
        let Some(current) = self.life(id, life) else { return };
        match current.storage.turn(&mut round) {
            Ok(written) => {
                let mut completions = [omitted, written].concat();
                self.spoiler.completions(&mut completions);
                self.durable(id, life, completions);
                self.start_disk(id, life);
            }
            Err(error) => self.disk_failed(id, &error.to_string()),
        }
    }

    fn durable(&mut self, id: NodeId, life: u64, completions: Vec<Completion>) {
        let (registry, groups): (Vec<_>, Vec<_>) = completions.into_iter().partition(|done| done.ticket & REGISTRY_TICKETS != 0);
        for done in registry {
            self.peer_settled(id, life, done.ticket);
        }
        if let Some(current) = self.life(id, life) {
            current.inbox.push(Input::Durable(groups));
            self.wake(id, life);
        }
    }

    /// The only reason for a disk to fail here is that its power did.
    fn disk_failed(&mut self, id: NodeId, error: &str) {
        if self.node(id).disk.power.is_out() {
            self.crash(id, Loss::Power);
            self.start_soon(id);
        } else {
            self.violated(Some(id), format!("the disk of node {id} fails: {error}"));
        }
    }

    fn start_applier(&mut self, id: NodeId, life: u64) {
        let moment = self.now + self.rng.random_range(1..=2 * MILLI);
        if self.life(id, life).is_some_and(|current| !current.jobs.is_empty()) {
            self.apply_at(id, life, moment);
        }
    }

    fn apply_at(&mut self, id: NodeId, life: u64, moment: Micros) {
        let Some(current) = self.life(id, life) else { return };
        if current.apply_at.is_none_or(|earlier| moment < earlier) {
            current.apply_at = Some(moment);
            self.at(moment, Event::Apply { node: id, life });
        }
    }

    pub(super) fn apply(&mut self, id: NodeId, life: u64) {
        let (now, due) = (self.now, Bug::is_due(self.events()));
        let Some(current) = self.life(id, life) else { return };
        // A turn that was moved forward leaves its old place on the calendar.
        if current.apply_at.is_none_or(|moment| moment > now) || self.postponed(id, || Event::Apply { node: id, life }) {
            return;
        }
        let Some(current) = self.life(id, life) else { return };
        current.apply_at = None;
        let clock = current.since_start(now);
        let mut jobs = std::mem::take(&mut current.jobs);
        let mut answers = self.spoiler.jobs((id, life), due, &mut jobs);
        let Some(current) = self.life(id, life) else { return };
        match current.applier.turn(clock, &mut jobs) {
            Ok(done) => {
                answers.extend(done);
                self.done(id, life, answers);
            }
            Err(error) => return self.disk_failed(id, &error.to_string()),
        }
        self.want_sync(id, life);
        let Some(current) = self.life(id, life) else { return };
        if let Some(due) = current.applier.background_due() {
            let moment = current.moment_of(due.max(clock + Duration::from_micros(1)));
            self.apply_at(id, life, moment);
        }
    }

    fn want_sync(&mut self, id: NodeId, life: u64) {
        let Some(current) = self.life(id, life) else { return };
        if let Some(ticket) = current.applier.sync_wanted() {
            current.sync = Some(ticket);
            let moment = self.disk_moment(id);
            self.at(moment, Event::Synced { node: id, life });
        }
    }

    pub(super) fn state_synced(&mut self, id: NodeId, life: u64) {
        if self.postponed(id, || Event::Synced { node: id, life }) {
            return;
        }
        let Some(ticket) = self.life(id, life).and_then(|current| current.sync.take()) else { return };
        match ticket.sync() {
            Ok(synced) => {
                let Some(current) = self.life(id, life) else { return };
                let done = current.applier.synced(&synced);
                self.done(id, life, done);
                self.want_sync(id, life);
            }
            Err(error) => self.disk_failed(id, &error.to_string()),
        }
    }

    fn done(&mut self, id: NodeId, life: u64, mut done: Vec<Done>) {
        let due = Bug::is_due(self.events());
        self.spoiler.done(id, due, &mut done);
        if !done.is_empty()
            && let Some(current) = self.life(id, life)
        {
            current.inbox.push(Input::Done(done));
            self.wake(id, life);
        }
    }

    pub(super) fn log_read(&mut self, id: NodeId, life: u64) {
        if self.postponed(id, || Event::Read { node: id, life }) {
            return;
        }
        let spoiler = &self.spoiler;
        let Some(current) = self.nodes[id.0 as usize - 1].life.as_mut().filter(|current| current.number == life) else { return };
        let Some(read) = current.reads.pop_front() else { return };
        let from = spoiler.read_from(read.from);
        let mut entries = current.reader.read(read.key.local, from, read.entries_max, read.bytes_max);
        if spoiler.read(entries.as_deref_mut().unwrap_or_default()) {
            current.inbox.push(Input::LogRead { read, entries: entries.map_err(|error| error.to_string()) });
            self.wake(id, life);
        }
    }

    /// Ends a node in order: no request is taken in any more, the disk does what waits for it, and the last record says so.
    pub(super) fn stop(&mut self, id: NodeId) {
        let Some(life) = self.node(id).life.as_mut() else { return };
        life.shard.end();
        let last = life.shard.end_trace();
        self.record(id, &last);
        let Some(Life { storage, round, waiting, .. }) = self.node(id).life.as_mut() else { return };
        round.append(waiting);
        match storage.turn(round) {
            Ok(_) => self.crash(id, Loss::Process),
            Err(error) => self.disk_failed(id, &error.to_string()),
        }
    }
}
