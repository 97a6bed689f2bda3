//! The one loop of a node: gather, turn, carry out.

use super::{
    control::Waiting,
    handle::Command,
    open::{self, millis},
    options::{NodeOptions, StartError},
    workers::{Applying, Durability, Ended},
};
use crate::{
    applier::{Done, Job},
    launcher::Fatal,
    port::{Port, PortEvent, Via},
    shard::{Input, LegacyFrames, Lifecycle, LogRead, Millis, Outputs, Response, Shard},
    state_machine::StateMachine,
    store::{
        Change, Completion, Entry, GroupRecord, LogReader, OpenedGroup, Registry, Submission, Write,
        format::FolderLock,
        space::{Room, SpaceWatch},
    },
    trace::{Dumps, TraceFile},
};
use bytes::Bytes;
use roadstead_spec::{GroupId, Incarnation, NodeId, trace::Linked, wire::Version};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

/// What the node's own threads say. The channel is unbounded, but what is in it is not: each message answers something that was counted when
/// it was asked (submissions, jobs, log reads), or comes at most some times a second.
#[derive(Debug)]
pub(crate) enum Internal {
    Durable(Result<Vec<Completion>, String>),
    Done(Vec<Done>),
    LogRead { read: LogRead, entries: Result<Vec<Entry>, String> },
    Room(Room),
    Fatal(String),
}

/// Inputs that one turn takes from one channel at most, so that no source starves the others.
const BATCH_MAX: usize = 256;

/// Registry changes are numbered apart from the tickets of groups' outboxes.
pub(super) const REGISTRY_TICKETS: u64 = 1 << 63;

/// Everything that a loop is made of.
pub(crate) struct Parts {
    pub(crate) started: Instant,
    pub(crate) shard: Shard,
    pub(crate) registry: Registry,
    pub(crate) durability: Durability,
    pub(crate) applying: Applying,
    pub(crate) reader: LogReader,
    pub(crate) port: Port,
    pub(crate) options: NodeOptions,
    pub(crate) internal: mpsc::UnboundedSender<Internal>,
    pub(crate) lock: Option<FolderLock>,
    /// `None` in memory.
    pub(crate) space: Option<SpaceWatch>,
    /// Where the run is recorded.
    pub(crate) trace: Option<TraceFile>,
    /// Where the last records go when something is wrong; `None`: nowhere.
    pub(crate) dumps: Option<Dumps>,
}

/// Where the loop gets its inputs, once it is started.
struct Inboxes {
    internal: mpsc::UnboundedReceiver<Internal>,
    port: mpsc::Receiver<PortEvent>,
    commands: mpsc::Receiver<Command>,
}

/// A node.
pub(crate) struct EventLoop {
    pub(super) parts: Parts,
    inboxes: Option<Inboxes>,
    pub(super) inbox: Vec<Input>,
    /// What was done at once, without another thread; it belongs to the same turn.
    at_once: Vec<Internal>,
    /// Jobs for the applier. What it has no room for stays, and goes before any other.
    jobs: Vec<Job>,
    pub(super) waiting: Waiting,
    /// Peers whose store id is not durable yet: nothing of theirs counts.
    pub(super) unsettled: BTreeSet<NodeId>,
    /// Peers that wait in `unsettled` with a connection that can be sent to.
    held_up: BTreeSet<NodeId>,
    /// Groups of the data folder whose service this node does not know: `add_group` brings their state machine.
    pub(super) unclaimed: BTreeMap<GroupId, OpenedGroup>,
    /// Requests of callers in this process.
    pub(super) local: BTreeMap<u64, oneshot::Sender<Response>>,
    pub(super) next_number: u64,
    pub(super) ending: Option<Ending>,
    pub(super) fatal: Option<String>,
    /// Since when the disk runs full.
    pub(super) short_since: Option<Instant>,
}

/// The node ends.
pub(super) struct Ending {
    pub(super) deadline: Millis,
    pub(super) replies: Vec<oneshot::Sender<()>>,
}

impl EventLoop {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            inboxes: None,
            inbox: Vec::new(),
            at_once: Vec::new(),
            jobs: Vec::new(),
            waiting: Waiting::default(),
            unsettled: BTreeSet::new(),
            held_up: BTreeSet::new(),
            unclaimed: BTreeMap::new(),
            local: BTreeMap::new(),
            next_number: 0,
            ending: None,
            fatal: None,
            short_since: None,
        }
    }

    pub(super) fn now(&self) -> Millis {
        millis(self.parts.started)
    }

    /// Opens a group that the data folder holds.
    pub(crate) fn open_recovered(&mut self, group: OpenedGroup) {
        if self.parts.options.services.has(&group.record.service) {
            self.open_group(group, None);
        } else {
            let (id, service) = (group.record.group, &group.record.service);
            tracing::info!(group = %id, %service, "the group waits for its state machine; add_group brings it");
            self.unclaimed.insert(id, group);
        }
    }

    /// Opens a group that was just created.
    pub(crate) fn open_new(&mut self, record: GroupRecord) {
        self.open_group(open::fresh(record), None);
    }

    pub(super) fn open_group(&mut self, group: OpenedGroup, machine: Option<Box<dyn StateMachine>>) {
        let id = group.record.group;
        let opening = open::opening(&self.parts.options, group, machine);
        self.waiting.opening.insert(id);
        let now = self.now();
        if let Err(error) = self.parts.shard.open(now, opening) {
            // The registry of the store and that of the shard hold the same groups.
            tracing::error!(group = %id, %error, "the group could not be registered; this is a defect of Roadstead, please report it");
            self.waiting.opening.remove(&id);
        }
    }

    /// Gives changes of the registry to the storage thread.
    pub(crate) fn submit_changes(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.submit_change(change);
        }
    }

    /// Gives one change to the storage thread; the number comes back when it is durable.
    pub(super) fn submit_change(&mut self, change: Change) -> u64 {
        self.next_number += 1;
        let ticket = REGISTRY_TICKETS | self.next_number;
        let mut submissions =
            vec![Submission { local: change.local(), incarnation: Incarnation::default(), ticket, write: Write::Registry(change) }];
        self.make_durable(&mut submissions);
        ticket
    }

    fn make_durable(&mut self, submissions: &mut Vec<Submission>) {
        match self.parts.durability.submit(submissions) {
            Ok(completions) if completions.is_empty() => {}
            Ok(completions) => self.at_once.push(Internal::Durable(Ok(completions))),
            Err(Ended(reason)) => drop(self.fatal.get_or_insert(reason)),
        }
    }

    /// Runs until every group is open or has failed. The port does not accept yet.
    pub(crate) async fn wait_until_open(&mut self, internal: &mut mpsc::UnboundedReceiver<Internal>) -> Result<(), StartError> {
        self.guarded(Self::turn);
        while !self.waiting.opening.is_empty() && self.fatal.is_none() {
            let Some(message) = internal.recv().await else { break };
            self.guarded(|node| {
                node.take_internal(message);
                node.turn();
            });
        }
        match self.fatal.take() {
            Some(reason) => Err(StartError::Stopped(reason)),
            None => Ok(()),
        }
    }

    /// The port accepts from now on.
    pub(crate) fn start(
        &mut self,
        internal: mpsc::UnboundedReceiver<Internal>,
        port: mpsc::Receiver<PortEvent>,
        commands: mpsc::Receiver<Command>,
    ) {
        self.inboxes = Some(Inboxes { internal, port, commands });
        self.parts.port.start();
    }

    /// Where the port listens.
    pub(crate) fn local_addr(&self) -> std::net::SocketAddr {
        self.parts.port.local_addr()
    }

    /// Runs until it is told to end, or must.
    ///
    /// # Errors
    /// When storage or state machines failed.
    pub(crate) async fn run(mut self) -> Result<(), Fatal> {
        let Some(mut inboxes) = self.inboxes.take() else { return Ok(()) };
        let (mut internal, mut port) = (Vec::with_capacity(BATCH_MAX), Vec::with_capacity(BATCH_MAX));
        while !self.is_over() {
            let wake = self.parts.started + Duration::from_millis(self.next_deadline().0.min(FAR_AHEAD_MS));
            let wake = self.parts.applying.due().map_or(wake, |due| due.min(wake));
            let mut command = None;
            tokio::select! {
                _ = inboxes.internal.recv_many(&mut internal, BATCH_MAX) => {}
                _ = inboxes.port.recv_many(&mut port, BATCH_MAX), if self.parts.durability.has_room() => {}
                Some(asked) = inboxes.commands.recv() => command = Some(asked),
                () = sleep_until(wake) => {}
            }
            self.guarded(|node| node.react(&mut inboxes, command, &mut internal, &mut port));
        }
        self.end().await
    }

    /// Takes what arrived, and whatever else is there into the same turn: one batch for the disk, one buffer per peer.
    fn react(&mut self, inboxes: &mut Inboxes, command: Option<Command>, internal: &mut Vec<Internal>, port: &mut Vec<PortEvent>) {
        gather(internal, || inboxes.internal.try_recv().ok());
        if self.parts.durability.has_room() {
            gather(port, || inboxes.port.try_recv().ok());
        }
        command.into_iter().for_each(|command| self.command(command));
        while let Ok(command) = inboxes.commands.try_recv() {
            self.command(command);
        }
        internal.drain(..).for_each(|message| self.take_internal(message));
        port.drain(..).for_each(|event| self.take_port(event));
        self.turn();
    }

    fn next_deadline(&self) -> Millis {
        let ending = self.ending.as_ref().map_or(Millis::NEVER, |ending| ending.deadline);
        self.parts.shard.next_deadline().min(ending)
    }

    fn is_over(&self) -> bool {
        let drained = || self.parts.shard.is_quiet();
        self.fatal.is_some() || self.ending.as_ref().is_some_and(|ending| ending.deadline <= self.now() || drained())
    }

    fn take_internal(&mut self, message: Internal) {
        match message {
            Internal::Durable(Ok(completions)) => {
                let (registry, groups): (Vec<_>, Vec<_>) =
                    completions.into_iter().partition(|completion| completion.ticket & REGISTRY_TICKETS != 0);
                registry.into_iter().for_each(|completion| self.change_durable(completion.ticket));
                self.inbox.push(Input::Durable(groups));
            }
            Internal::Done(done) => {
                // Taken with this very turn: their frames are made, and go or wait within the bound of their connection.
                self.parts.applying.taken(done.iter().map(Done::answer_bytes).sum());
                self.inbox.push(Input::Done(done));
            }
            Internal::Room(room) => self.room_changed(room),
            Internal::LogRead { read, entries } => self.inbox.push(Input::LogRead { read, entries }),
            Internal::Durable(Err(reason)) | Internal::Fatal(reason) => {
                self.fatal.get_or_insert(reason);
            }
        }
    }

    fn take_port(&mut self, event: PortEvent) {
        match event {
            PortEvent::PeerUp { peer, via, conn, identity, version } => {
                let dialled = via == Via::Dialled;
                self.inbox.push(Input::Linked(Linked { peer, boot: identity.map(|identity| identity.boot), dialled, version }));
                if let Some(identity) = identity {
                    self.remember_store(peer, identity.store);
                }
                if via == Via::Dialled && version == Version::Extended {
                    self.held_up.insert(peer);
                    if !self.unsettled.contains(&peer) {
                        self.peer_known(peer);
                    }
                } else if via == Via::Dialled {
                    tracing::warn!(%peer, "the peer speaks the legacy header only; groups other than 0 cannot reach it");
                    self.inbox.push(Input::LegacyUp { peer, conn });
                }
            }
            PortEvent::PeerDown { peer, via: Via::Dialled, conn, version, reason } => {
                tracing::info!(%peer, %reason, "connection to the peer lost");
                self.held_up.remove(&peer);
                self.inbox.push(match version {
                    Version::Extended => Input::PeerDown(peer),
                    Version::Legacy => Input::LegacyDown { peer, conn },
                });
            }
            PortEvent::PeerDown { via: Via::Accepted(conn), .. } | PortEvent::ClientGone { conn } => self.inbox.push(Input::Gone(conn)),
            // Version 0 knows no store ids, and what it asks must be answered.
            PortEvent::PeerFrames { peer, via, conn, version: Version::Legacy, frames } => self.inbox.push(match via {
                Via::Dialled => Input::LegacyAnswers { peer, conn, frames },
                Via::Accepted(_) => Input::LegacyRequests { peer, conn, frames },
            }),
            // As if the network had lost them; they are repeated.
            PortEvent::PeerFrames { peer, .. } if self.unsettled.contains(&peer) => {}
            PortEvent::PeerFrames { peer, frames, .. } => self.inbox.push(Input::PeerFrames { peer, frames }),
            PortEvent::ClientFrames { conn, frames } => self.inbox.push(Input::ClientFrames { conn, frames }),
        }
    }

    /// The peer's store id is durable.
    pub(super) fn peer_known(&mut self, peer: NodeId) {
        self.unsettled.remove(&peer);
        if self.held_up.remove(&peer) {
            self.inbox.push(Input::PeerUp(peer));
        }
    }

    fn turn(&mut self) {
        loop {
            let (now, has_room) = (self.now(), self.parts.durability.has_room());
            let outputs = self.parts.shard.turn(now, has_room, &mut self.inbox);
            self.carry_out(outputs);
            if self.at_once.is_empty() || self.fatal.is_some() {
                return;
            }
            std::mem::take(&mut self.at_once).into_iter().for_each(|message| self.take_internal(message));
        }
    }

    /// The disk first: nothing is applied before it is durable here, and on a disk that members share the first to ask is the first to be served.
    /// Before all of it the record of it: a process that is killed has done nothing that its trace does not tell.
    fn carry_out(&mut self, mut outputs: Outputs) {
        if !self.write_trace(&outputs.trace) {
            return;
        }
        if !outputs.submissions.is_empty() {
            self.make_durable(&mut outputs.submissions);
        }
        for (peer, frames) in outputs.peers {
            // A frame that is not sent is a frame that the network lost.
            let _ = self.parts.port.send_peer(peer, Bytes::from(frames));
        }
        for (conn, answers) in outputs.clients {
            let _ = self.parts.port.send_client(conn, Bytes::from(answers.frames), answers.count);
        }
        self.carry_out_legacy(outputs.legacy_requests, outputs.legacy_answers);
        for (conn, reason) in outputs.closes {
            self.parts.port.close(conn, reason);
        }
        self.send_jobs(outputs.jobs);
        for read in outputs.log_reads {
            self.read_log(read);
        }
        for (token, response) in outputs.local {
            if let Some(reply) = self.local.remove(&token) {
                let _ = reply.send(response);
            }
        }
        for lifecycle in outputs.lifecycle {
            self.lifecycle(lifecycle);
        }
        outputs.dump.into_iter().for_each(|dump| self.keep(dump));
    }

    /// A trace with a gap would be worse than none, so a trace that cannot be written ends the node; false then.
    pub(super) fn write_trace(&mut self, records: &[u8]) -> bool {
        if records.is_empty() {
            return true;
        }
        let written = self.parts.trace.as_mut().map_or(Ok(()), |trace| trace.append(records));
        if let Err(error) = &written {
            self.fatal.get_or_insert(format!("the trace cannot be written: {error}"));
        }
        written.is_ok()
    }

    /// Frames that do not fit end their connection: the port sees to that.
    fn carry_out_legacy(&self, requests: Vec<LegacyFrames>, answers: Vec<LegacyFrames>) {
        for LegacyFrames { peer, conn, frames } in requests {
            let _ = self.parts.port.ask_legacy(peer, conn, Bytes::from(frames));
        }
        for LegacyFrames { peer, conn, frames } in answers {
            let _ = self.parts.port.answer_legacy(peer, conn, Bytes::from(frames));
        }
    }

    fn send_jobs(&mut self, jobs: Vec<Job>) {
        if self.jobs.is_empty() {
            self.jobs = jobs;
        } else {
            self.jobs.extend(jobs);
        }
        // What stays is sent again with the next turn, which the applier's next answer brings; it is bounded by `apply_queue_bytes`.
        match self.parts.applying.take(&mut self.jobs) {
            Ok(done) if done.is_empty() => {}
            Ok(done) => self.at_once.push(Internal::Done(done)),
            Err(Ended(reason)) => drop(self.fatal.get_or_insert(reason)),
        }
    }

    /// Reads of the log may wait for a disk, so they run on the runtime's blocking threads.
    fn read_log(&self, read: LogRead) {
        let (reader, done) = (self.parts.reader.clone(), self.parts.internal.clone());
        tokio::task::spawn_blocking(move || {
            let entries = reader.read(read.key.local, read.from, read.entries_max, read.bytes_max);
            let _ = done.send(Internal::LogRead { read, entries: entries.map_err(|error| error.to_string()) });
        });
    }

    fn lifecycle(&mut self, lifecycle: Lifecycle) {
        match lifecycle {
            Lifecycle::Opened(group) => self.opened(group, None),
            Lifecycle::Failed(group, reason) => self.opened(group, Some(reason)),
            Lifecycle::SnapshotTaken(group, through) => self.snapshot_taken(group, through),
            Lifecycle::Destroyed(key) => tracing::info!(local = %key.local, "the data of a removed group is deleted"),
        }
    }

    /// Stops the threads: storage finishes what it has, and the state database is synced so that the next start is short.
    async fn end(mut self) -> Result<(), Fatal> {
        if let Some(ending) = &self.ending {
            let left = Duration::from_millis(ending.deadline.since(self.now()));
            self.parts.port.shutdown(left.max(MIN_CLOSING)).await;
        }
        if self.fatal.is_none() {
            let last = self.parts.shard.end_trace();
            self.write_trace(&last);
        }
        let ended = self.fatal.take().map_or(Ok(()), |reason| Err(Fatal::new(reason)));
        let Parts { durability, applying, lock, .. } = self.parts;
        if ended.is_ok() {
            applying.stop();
            durability.stop();
        }
        for reply in self.ending.into_iter().flat_map(|ending| ending.replies) {
            let _ = reply.send(());
        }
        drop(lock);
        ended
    }
}

/// The runtime's clock cannot be asked for moments that lie too far ahead.
const FAR_AHEAD_MS: u64 = 1 << 40;
/// Queued answers get at least this long to leave.
const MIN_CLOSING: Duration = Duration::from_millis(100);

fn gather<T>(into: &mut Vec<T>, mut next: impl FnMut() -> Option<T>) {
    while into.len() < BATCH_MAX {
        let Some(one) = next() else { return };
        into.push(one);
    }
}
