//! Commands of the launcher, the API and the command line, as the event loop carries them out.

use super::{
    event_loop::{Ending, EventLoop},
    handle::{Command, Observation},
    open,
    options::{GroupError, GroupOptions},
};
use crate::{
    api::types::{
        Alarm, AlarmKind, EntryKind, LOG_ENTRIES_MAX, LOG_PREVIEW_BYTES, LogEntry, LogPage, NodeStatus, PeerState, PeerStatus,
        StorageStatus,
    },
    applier::GroupKey,
    config::HeaderPolicy,
    port::LinkState,
    shard::{Input, Operation, ReplyTo, Request, Response},
    state_machine::StateMachine,
    store::{
        self, GroupRecord, OpenedGroup,
        space::{Room, SpaceWatch},
    },
};
use roadstead_spec::{
    GroupId, Incarnation, Index, NodeId,
    wire::{StoreId, Version},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

type Added = oneshot::Sender<Result<Incarnation, GroupError>>;

/// Who waits for what besides requests.
#[derive(Default)]
pub(super) struct Waiting {
    /// Groups that are being opened.
    pub(super) opening: BTreeSet<GroupId>,
    /// Registry changes on their way to the disk.
    changes: BTreeMap<u64, Change>,
    /// Groups that are added: told when they are open.
    added: BTreeMap<GroupId, (Incarnation, Added)>,
    /// Snapshots that somebody asked for: told when the log is compacted behind them.
    snapshots: Vec<(GroupId, oneshot::Sender<Result<Index, GroupError>>)>,
}

enum Change {
    /// A peer's store id: its frames count from now on.
    Peer(NodeId),
    Add {
        record: GroupRecord,
        machine: Option<Box<dyn StateMachine>>,
    },
    Remove {
        key: GroupKey,
        reply: Added,
    },
}

impl EventLoop {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Request { group, operation, timeout, reply } => self.request(group, operation, timeout, reply),
            Command::Add { options, machine, reply } => self.add(options, machine, reply),
            Command::Remove { group, reply } => self.remove(group, reply),
            Command::Group { group, reply } => drop(reply.send(self.parts.shard.status(group))),
            Command::Groups { reply } => drop(reply.send(self.parts.shard.statuses())),
            Command::Status { reply } => drop(reply.send(self.status())),
            Command::Log { group, from, to, reply } => self.log(group, from, to, reply),
            Command::Snapshot { group, reply } => self.snapshot(group, reply),
            Command::Observe { reply } => drop(reply.send(self.observe())),
            Command::Shutdown { deadline, reply } => self.shutdown(deadline, reply),
        }
    }

    fn request(&mut self, group: GroupId, operation: Operation, timeout: Duration, reply: oneshot::Sender<Response>) {
        self.next_number += 1;
        let token = self.next_number;
        self.local.insert(token, reply);
        let deadline = self.now().plus(timeout.as_millis().try_into().unwrap_or(u64::MAX));
        self.inbox.push(Input::Local { group, request: Request { operation, deadline, reply: ReplyTo::Local(token) } });
    }

    fn add(&mut self, options: GroupOptions, machine: Option<Box<dyn StateMachine>>, reply: Added) {
        if machine.is_none() && !self.parts.options.services.has(&options.service) {
            let known = self.parts.options.services.names();
            let _ = reply.send(Err(GroupError::Service { group: options.group, service: options.service, known }));
            return;
        }
        if let Some(unclaimed) = self.unclaimed.remove(&options.group) {
            return self.claim(unclaimed, &options, machine, reply);
        }
        if let Some(who) = self.legacy_member(&options) {
            return drop(reply.send(Err(GroupError::PeerIsLegacy { group: options.group, who: format!("switch node {who}") })));
        }
        match open::plan_group(&self.parts.options, &mut self.parts.registry, &options) {
            Err(error) => drop(reply.send(Err(error))),
            Ok((record, change)) => {
                self.waiting.added.insert(record.group, (record.incarnation, reply));
                let ticket = self.submit_change(change);
                self.waiting.changes.insert(ticket, Change::Add { record, machine });
            }
        }
    }

    /// A member with the legacy header that could take the new group for an older one.
    fn legacy_member(&self, options: &GroupOptions) -> Option<NodeId> {
        // A node that is itself set to it is told so by `plan_group`.
        let is_theirs = self.parts.options.header != HeaderPolicy::Legacy;
        let speaks_legacy = |member: &NodeId| is_theirs && self.parts.port.peer_version(*member) == Some(Version::Legacy);
        open::may_meet_an_older_life(options).then(|| options.members.iter().copied().find(speaks_legacy)).flatten()
    }

    /// A group that the data folder holds gets its state machine.
    fn claim(&mut self, group: OpenedGroup, options: &GroupOptions, machine: Option<Box<dyn StateMachine>>, reply: Added) {
        let incarnation = group.record.incarnation;
        if let Err(error) = open::compare(options, &group.record) {
            self.unclaimed.insert(group.record.group, group);
            return drop(reply.send(Err(error)));
        }
        self.waiting.added.insert(group.record.group, (incarnation, reply));
        self.open_group(group, machine);
    }

    pub(super) fn change_durable(&mut self, ticket: u64) {
        match self.waiting.changes.remove(&ticket) {
            Some(Change::Peer(peer)) => self.peer_known(peer),
            Some(Change::Add { record, machine }) => self.open_group(open::fresh(record), machine),
            Some(Change::Remove { key, reply }) => {
                self.parts.shard.destroy(key);
                let _ = reply.send(Ok(key.incarnation));
            }
            None => {}
        }
    }

    pub(super) fn opened(&mut self, group: GroupId, failed: Option<String>) {
        self.waiting.opening.remove(&group);
        if let Some((incarnation, reply)) = self.waiting.added.remove(&group) {
            let _ = reply.send(match failed {
                None => Ok(incarnation),
                Some(reason) => Err(GroupError::Failed { group, reason }),
            });
        }
    }

    /// The shard lets go of the group before the tombstone is on its way, so that nothing is written behind it.
    fn remove(&mut self, group: GroupId, reply: Added) {
        if self.waiting.opening.contains(&group) || self.waiting.added.contains_key(&group) {
            let reason = "it is being opened; try again".to_owned();
            return drop(reply.send(Err(GroupError::Failed { group, reason })));
        }
        match self.parts.registry.plan_remove(group) {
            Err(_) => drop(reply.send(Err(GroupError::NoSuchGroup(group)))),
            Ok((record, change)) => {
                let now = self.now();
                self.parts.shard.remove(now, group);
                let ticket = self.submit_change(change);
                let key = GroupKey { local: record.local, incarnation: record.incarnation };
                self.waiting.changes.insert(ticket, Change::Remove { key, reply });
            }
        }
    }

    /// A peer's store id is remembered before any of its frames counts: with a forgotten id a wiped disk under the same node id could vote again.
    pub(super) fn remember_store(&mut self, peer: NodeId, store: StoreId) {
        match self.parts.registry.plan_peer(peer, store.0) {
            Ok(None) => {}
            Ok(Some(change)) => {
                self.unsettled.insert(peer);
                let ticket = self.submit_change(change);
                self.waiting.changes.insert(ticket, Change::Peer(peer));
                self.parts.port.remember_store(peer, store);
            }
            // The port refuses such a peer; this one slipped in between two connections.
            Err(error) => tracing::error!(%peer, %error, "the peer comes with another data folder"),
        }
    }

    fn status(&self) -> NodeStatus {
        let port = self.parts.port.status();
        let stats = self.parts.durability.stats();
        let disk = self.parts.space.as_ref().map(SpaceWatch::disk);
        NodeStatus {
            node: self.parts.options.node.0,
            cluster: format!("0x{:032x}", self.parts.options.cluster),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.parts.started.elapsed().as_secs_f64(),
            listen: port.local_addr.to_string(),
            peers: port.peers.iter().map(peer_status).collect(),
            storage: StorageStatus {
                sync_seconds_p50: stats.sync_seconds(0.5),
                sync_seconds_p99: stats.sync_seconds(0.99),
                rounds: stats.rounds.load(std::sync::atomic::Ordering::Relaxed),
                disk_bytes: disk.map_or(0, |disk| disk.total),
                disk_free_bytes: disk.map_or(0, |disk| disk.free),
                reserve_bytes: self.parts.space.as_ref().map_or(0, |watch| watch.reserve().bytes()),
            },
            groups: self.parts.shard.counts(),
            alarms: self.alarms(),
        }
    }

    /// The log tells once; status and metrics tell as long as it lasts.
    pub(super) fn room_changed(&mut self, room: Room) {
        let now = self.now();
        self.parts.shard.set_room(now, room);
        if room == Room::Enough {
            self.short_since = None;
            return tracing::info!("there is room on the disk again; writes are taken in");
        }
        if self.short_since.is_none() {
            self.short_since = Some(Instant::now());
            tracing::error!("alarm {}: {}", AlarmKind::NoSpace, self.explain_space());
        }
    }

    fn explain_space(&self) -> String {
        self.parts.space.as_ref().map(SpaceWatch::explain).unwrap_or_default()
    }

    fn alarms(&self) -> Vec<Alarm> {
        let no_space =
            |since: Instant| Alarm { kind: AlarmKind::NoSpace, seconds: since.elapsed().as_secs_f64(), reason: self.explain_space() };
        self.short_since.map(no_space).into_iter().collect()
    }

    fn observe(&self) -> Observation {
        Observation {
            status: self.status(),
            groups: self.parts.shard.statuses(),
            counters: self.parts.shard.counters(),
            port: self.parts.port.status(),
            storage: Arc::clone(self.parts.durability.stats()),
        }
    }

    fn log(&self, group: GroupId, from: Index, to: Index, reply: oneshot::Sender<Result<LogPage, GroupError>>) {
        let Some((key, shape, commit)) = self.parts.shard.log_shape(group) else {
            return drop(reply.send(Err(GroupError::NoSuchGroup(group))));
        };
        let (first, last) = (shape.base().index.next(), shape.last());
        let from = from.max(first);
        let count = (to.min(last).0 + 1).saturating_sub(from.0).min(LOG_ENTRIES_MAX);
        let reader = self.parts.reader.clone();
        tokio::task::spawn_blocking(move || {
            let entries = if count == 0 { Ok(Vec::new()) } else { reader.read(key.local, from, count as usize, LOG_PAGE_BYTES_MAX) };
            let page = entries.map(|entries| LogPage {
                id: group.get(),
                first: first.0,
                last: last.0,
                commit: commit.0,
                entries: entries.iter().zip(from.0..).map(|(entry, index)| log_entry(entry, index)).collect(),
            });
            let _ = reply.send(page.map_err(|error| GroupError::Failed { group, reason: error.to_string() }));
        });
    }

    fn snapshot(&mut self, group: GroupId, reply: oneshot::Sender<Result<Index, GroupError>>) {
        if self.parts.shard.take_snapshot(group) {
            self.waiting.snapshots.push((group, reply));
        } else {
            let _ = reply.send(Err(GroupError::NoSuchGroup(group)));
        }
    }

    pub(super) fn snapshot_taken(&mut self, group: GroupId, through: Index) {
        let (taken, waiting) = std::mem::take(&mut self.waiting.snapshots).into_iter().partition(|(other, _)| *other == group);
        self.waiting.snapshots = waiting;
        let taken: Vec<(GroupId, oneshot::Sender<_>)> = taken;
        for (_, reply) in taken {
            let _ = reply.send(Ok(through));
        }
    }

    fn shutdown(&mut self, deadline: Duration, reply: oneshot::Sender<()>) {
        let at = self.now().plus(deadline.as_millis().try_into().unwrap_or(u64::MAX));
        self.parts.shard.end();
        let ending = self.ending.get_or_insert(Ending { deadline: at, replies: Vec::new() });
        ending.deadline = ending.deadline.min(at);
        ending.replies.push(reply);
    }
}

/// Payload bytes that one page of the log is read from.
const LOG_PAGE_BYTES_MAX: usize = 16 << 20;

fn log_entry(entry: &store::Entry, index: u64) -> LogEntry {
    let shown = entry.payload.get(..LOG_PREVIEW_BYTES).unwrap_or(&entry.payload);
    let preview = shown.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    LogEntry {
        index,
        epoch: entry.term.0,
        kind: match entry.kind {
            store::EntryKind::Noop => EntryKind::Noop,
            store::EntryKind::Command => EntryKind::Command,
        },
        size: entry.payload.len() as u64,
        preview,
        command: None,
    }
}

fn peer_status(peer: &crate::port::PeerStatus) -> PeerStatus {
    let (state, header_version) = match peer.state {
        LinkState::Connected { version: Version::Extended } => (PeerState::Connected, Some(1)),
        LinkState::Connected { version: Version::Legacy } => (PeerState::Connected, Some(0)),
        LinkState::Connecting | LinkState::Waiting => (PeerState::Connecting, None),
        LinkState::Refused => (PeerState::Refused, None),
    };
    PeerStatus { id: peer.node.0, addr: peer.address.clone(), state, header_version, reason: peer.last_error.clone() }
}
