//! A node between two starts: the machines of production (`Shard`, `Storage`, `Applier`, `LogReader`) over a simulated disk. What threads and the event
//! loop do around them in production, the world does ([`super::world`]).

use super::{
    bug::Bug,
    disk::Disk,
    network::ConnNumber,
    plan::{MILLI, Micros, Plan},
};
use roadstead::{
    applier::{Applier, Job, StateEpoch, SyncTicket},
    config::{Limits, Timers},
    port::{ConnId, session::SessionLimits},
    service,
    shard::{Input, LogRead, Millis, OpenGroup, Shard, ShardOptions},
    store::{
        Expected, GroupRecord, LogReader, NewGroup, OpenError, OpenedGroup, Protocol, Recovered, Registry, RegistryError, Storage, Store,
        Submission, Write, registry::Change,
    },
};
use roadstead_spec::{
    GroupId, Incarnation, NodeId,
    wire::{
        self, ClusterId, StoreId,
        negotiation::{Known, Local, Policy},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

const CLUSTER: u128 = 0x0051_0000;
const SERVICE: &str = "kv";

/// Registry changes are numbered apart from the tickets of groups' outboxes.
pub(super) const REGISTRY_TICKETS: u64 = 1 << 63;

/// Where the state of a new group lies.
const FIRST_EPOCH: u64 = 1;

/// Submissions that may wait for the disk, before clients and peers are told that there is no room.
const WAITING_MAX: usize = 64;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoStart {
    /// The store refuses its disk.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The registry refuses a group.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A running process.
pub(super) struct Life {
    /// Counts the lives of all nodes.
    pub(super) number: u64,
    started: Micros,
    /// What its clock has jumped ahead, in milliseconds.
    pub(super) jumped: u64,
    /// How many times as fast as it should its clock goes.
    pace: u64,
    pub(super) boot: u64,
    local: Local,
    pub(super) shard: Shard,
    pub(super) registry: Registry,
    pub(super) inbox: Vec<Input>,
    pub(super) reader: LogReader,
    pub(super) reads: VecDeque<LogRead>,
    pub(super) storage: Storage,
    /// What waits for the disk, and the round that it does.
    pub(super) waiting: Vec<Submission>,
    pub(super) round: Vec<Submission>,
    pub(super) applier: Applier,
    pub(super) jobs: Vec<Job>,
    /// The next turn of the applier that is on the calendar.
    pub(super) apply_at: Option<Micros>,
    pub(super) sync: Option<SyncTicket>,
    /// Groups that are not open yet: the port accepts nobody before.
    pub(super) opening: BTreeSet<GroupId>,
    /// The connection that we dialled to each peer.
    pub(super) dialled: BTreeMap<NodeId, ConnNumber>,
    /// The one that each peer dialled.
    pub(super) accepted: BTreeMap<NodeId, ConnNumber>,
    /// Peers whose store id is not durable yet, with the ticket.
    pub(super) unsettled: BTreeMap<NodeId, u64>,
    /// Those of them that can be sent to.
    pub(super) held_up: BTreeSet<NodeId>,
    next_ticket: u64,
    /// The next turn that is on the calendar.
    pub(super) wake: Option<Micros>,
}

/// What a life begins with.
pub(super) struct Birth {
    pub(super) node: NodeId,
    pub(super) number: u64,
    pub(super) now: Micros,
    pub(super) seed: u64,
    pub(super) policy: Policy,
}

impl Life {
    /// Opens everything on a disk, as `roadstead node` does. Groups of the plan that are not there yet are made.
    pub(super) fn begin(disk: &Disk, plan: &Plan, birth: &Birth) -> Result<Self, NoStart> {
        let fresh_store = u128::from(plan.seed) << 32 | u128::from(birth.node.0);
        let store = Store::open_with(disk.seams(fresh_store), Expected { cluster: CLUSTER, node: birth.node })?;
        let options = options(plan, birth.node, store.boot);
        let mut life = Self {
            number: birth.number,
            started: birth.now,
            jumped: 0,
            pace: pace(plan),
            boot: store.boot,
            local: Local {
                node: birth.node,
                cluster: ClusterId(CLUSTER),
                store: StoreId(store.identity.store),
                boot: store.boot,
                features: 0,
                policy: birth.policy,
            },
            shard: Shard::new(options, birth.seed),
            registry: store.registry,
            inbox: Vec::new(),
            reader: store.reader,
            reads: VecDeque::new(),
            storage: store.storage,
            waiting: Vec::new(),
            round: Vec::new(),
            applier: Applier::new(store.state).traced(),
            jobs: Vec::new(),
            apply_at: None,
            sync: None,
            opening: BTreeSet::new(),
            dialled: BTreeMap::new(),
            accepted: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            held_up: BTreeSet::new(),
            next_ticket: 0,
            wake: None,
        };
        life.open_groups(store.groups, plan)?;
        Ok(life)
    }

    fn open_groups(&mut self, recovered: Vec<OpenedGroup>, plan: &Plan) -> Result<(), NoStart> {
        let mut groups = recovered;
        for group in &plan.groups {
            if self.registry.group(*group).is_none() {
                let (record, change) = self.registry.plan_create(new_group(*group, plan.members()))?;
                self.submit_change(change);
                groups.push(fresh(record));
            }
        }
        for OpenedGroup { record, state_epoch, log } in groups {
            let group = record.group;
            let machine = service::create(SERVICE).ok_or_else(|| format!("there is no service {SERVICE}"));
            let recovered = log.map_err(|damage| damage.to_string());
            self.opening.insert(group);
            // The registry of the store and that of the shard hold the same groups.
            let _ = self.shard.open(Millis(0), OpenGroup { record, recovered, epoch: StateEpoch(state_epoch), machine });
        }
        Ok(())
    }

    /// Gives a change to the disk and returns its ticket.
    pub(super) fn submit_change(&mut self, change: Change) -> u64 {
        self.next_ticket += 1;
        let ticket = REGISTRY_TICKETS | self.next_ticket;
        self.waiting.push(Submission {
            local: change.local(),
            incarnation: Incarnation::default(),
            ticket,
            write: Write::Registry(change),
        });
        ticket
    }

    /// The node's clock: milliseconds since its start, and what it jumped ahead.
    pub(super) const fn clock(&self, now: Micros) -> Millis {
        Millis(now.saturating_sub(self.started) * self.pace / MILLI + self.jumped)
    }

    /// The moment at which the clock shows this, if it does not jump; none if it stands still.
    pub(super) fn moment(&self, millis: Millis) -> Option<Micros> {
        let wait = millis.0.saturating_sub(self.jumped).saturating_mul(MILLI);
        wait.checked_div(self.pace).map(|wait| self.started.saturating_add(wait))
    }

    /// The clock of its connections.
    pub(super) fn since_start(&self, now: Micros) -> Duration {
        Duration::from_micros(now.saturating_sub(self.started))
    }

    /// When the clock of its connections shows this.
    pub(super) fn moment_of(&self, since_start: Duration) -> Micros {
        self.started + since_start.as_micros() as u64
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Who this node says that it is.
    pub(super) const fn local(&self) -> Local {
        self.local
    }

    /// What it knows of a node that introduces itself.
    pub(super) fn known(&self, node: NodeId, nodes: u32) -> Known {
        if node.0 == 0 || node.0 > nodes || node == self.local.node {
            return Known::Stranger;
        }
        Known::Peer { store: self.registry.peer(node).map(StoreId) }
    }
}

fn pace(plan: &Plan) -> u64 {
    match plan.bug {
        Some(Bug::ClockStands) => 0,
        Some(Bug::ClockRaces) => 50,
        _ => 1,
    }
}

/// Bounds of a connection.
pub(super) fn session_limits() -> SessionLimits {
    let timers = Timers::fast();
    SessionLimits { frames: wire::Limits::default(), handshake: timers.handshake_timeout, read: timers.read_timeout }
}

/// The name of a connection within a node.
pub(super) const fn conn_id(number: ConnNumber) -> ConnId {
    ConnId(number)
}

fn options(plan: &Plan, node: NodeId, boot: u64) -> ShardOptions {
    let tuning = plan.tuning;
    let limits = Limits {
        snapshot_entries: tuning.snapshot_entries,
        snapshot_keep_entries: tuning.keep_entries,
        snapshot_chunk_bytes: 1024,
        entries_per_message: tuning.entries_per_message,
        inflight_messages: tuning.inflight_messages,
        log_cache_bytes: tuning.cache_bytes,
        ..Limits::default()
    };
    ShardOptions {
        node,
        boot,
        timers: Timers::fast(),
        limits,
        wire: wire::Limits::default(),
        addresses: plan.members().into_iter().map(|member| (member, format!("node-{member}"))).collect(),
        traced: true,
    }
}

fn new_group(group: GroupId, members: Vec<NodeId>) -> NewGroup {
    NewGroup {
        group,
        generation: 1,
        incarnation: Incarnation::of(CLUSTER, group, 1, &members),
        service: SERVICE.to_owned(),
        protocol: Protocol::Raft,
        members,
        timers: Vec::new(),
    }
}

fn fresh(record: GroupRecord) -> OpenedGroup {
    let log = Recovered { hard: Default::default(), base: Default::default(), runs: Vec::new(), last: Default::default() };
    OpenedGroup { record, state_epoch: FIRST_EPOCH, log: Ok(log) }
}
