//! Opens a node: data folder, threads, groups. Everything is validated and opened before the port accepts anything.

use super::{
    event_loop::{EventLoop, Internal, Parts},
    handle::{COMMANDS_MAX, Handle},
    options::{Data, GroupError, GroupOptions, NodeOptions, StartError},
    workers::{Applying, Durability},
};
use crate::{
    applier::{Applier, StateEpoch},
    config::{HeaderPolicy, Protocol},
    port::{HttpHandler, PeerOptions, Port, PortLimits, PortOptions, PortTimers},
    shard::{Millis, OpenGroup, Shard, ShardOptions},
    state_machine::StateMachine,
    store::{
        self, Change, Expected, GroupRecord, NewGroup, OpenedGroup, Recovered, Registry, Store,
        space::{Disk, Reserve, SpaceWatch},
    },
    trace::{self, Dumps, TraceFile},
};
use rand::{TryRng, rngs::SysRng};
use roadstead_spec::{
    GroupId, NodeId,
    wire::{
        self, ClusterId, StoreId,
        negotiation::{Local, Policy},
    },
};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use tokio::{sync::mpsc, time::Instant};

/// Reads of sockets that wait for the event loop; a full queue makes the readers wait, so TCP pushes back.
const PORT_EVENTS_MAX: usize = 1024;

/// Opens the node. Must run inside the `LocalSet` of the runtime that will run the loop.
pub(crate) async fn open(mut options: NodeOptions) -> Result<(EventLoop, Handle), StartError> {
    let room = measure(&options)?;
    let mut store = open_store(&options)?;
    let header = trace::Header::new(options.node, store.identity.store, store.boot);
    let dumps = dumps(&options, &header);
    let trace = begin_trace(&options, &header)?;
    let planned = plan_groups(&options, &mut store.registry)?;
    sweep_removed(&options, &store)?;
    let (internal_sender, mut internal) = mpsc::unbounded_channel();
    let (port_events, port_inbox) = mpsc::channel(PORT_EVENTS_MAX);
    let (commands_sender, commands) = mpsc::channel(COMMANDS_MAX);
    let handle = Handle::new(commands_sender);

    let applier = Applier::new(Arc::clone(&store.state));
    let applier = if trace.is_some() { applier.traced() } else { applier };
    let (durability, applying) = match options.data {
        Data::Folder(_) => (
            Durability::on_disk(store.storage, internal_sender.clone())
                .map_err(|source| StartError::System { what: "the storage thread", source })?,
            Applying::on_threads(applier, &internal_sender).map_err(|source| StartError::System { what: "the applier thread", source })?,
        ),
        Data::Memory => (Durability::in_memory(store.storage), Applying::inline(applier)),
    };

    let watch = room.map(|(folder, reserve, disk)| {
        let changed = internal_sender.clone();
        SpaceWatch::spawn(folder, reserve, disk, move |room| drop(changed.send(Internal::Room(room))))
    });
    let space = watch.transpose().map_err(|source| StartError::System { what: "the thread that watches the disk", source })?;

    let seed = seed();
    let port = Port::bind(
        port_options(&options, &store.registry, store.identity.store, store.boot, seed),
        port_events,
        http(&handle, &mut options),
    )?;
    let shard = Shard::new(shard_options(&options, store.boot), seed);
    let mut node = EventLoop::new(Parts {
        started: Instant::now(),
        shard,
        registry: store.registry,
        durability,
        applying,
        reader: store.reader,
        port,
        options,
        internal: internal_sender,
        lock: store.lock,
        space,
        trace,
        dumps,
    });
    node.submit_changes(planned.changes);
    for group in store.groups {
        node.open_recovered(group);
    }
    for record in planned.new {
        node.open_new(record);
    }
    node.wait_until_open(&mut internal).await?;
    node.start(internal, port_inbox, commands);
    Ok((node, handle))
}

/// What answers HTTP on the shared port.
#[cfg(feature = "http")]
#[expect(clippy::unnecessary_wraps, reason = "a build without HTTP has none")]
fn http(handle: &Handle, options: &mut NodeOptions) -> Option<HttpHandler> {
    Some(crate::api::serve(handle, options))
}

#[cfg(not(feature = "http"))]
fn http(_: &Handle, _: &mut NodeOptions) -> Option<HttpHandler> {
    None
}

/// A database that meets a full disk while it is opened is worse off than one that was not opened.
fn measure(options: &NodeOptions) -> Result<Option<(PathBuf, Reserve, Disk)>, StartError> {
    let Data::Folder(folder) = &options.data else { return Ok(None) };
    let disk = Disk::of(folder).map_err(|source| StartError::System { what: "to measure the disk of the data folder", source })?;
    let short = |source| StartError::Space { folder: options.data.to_string(), source };
    let reserve = Reserve::choose(options.reserve_bytes, disk).map_err(short)?;
    reserve.check_start(disk).map_err(short)?;
    Ok(Some((folder.clone(), reserve, disk)))
}

fn open_store(options: &NodeOptions) -> Result<Store, StartError> {
    let expected = Expected { cluster: options.cluster, node: options.node };
    let opened = match &options.data {
        Data::Folder(folder) => Store::open_through(folder, expected, &options.engines),
        Data::Memory => Store::in_memory(expected),
    };
    opened.map_err(|source| StartError::Store { folder: options.data.to_string(), source })
}

/// Where the last records go when something is wrong.
fn dumps(options: &NodeOptions, header: &trace::Header) -> Option<Dumps> {
    let folder = match (&options.dumps, &options.data) {
        (Some(folder), _) => folder.clone(),
        (None, Data::Folder(folder)) => folder.join("dumps"),
        (None, Data::Memory) => return None,
    };
    Some(Dumps::new(folder, header.clone()))
}

fn begin_trace(options: &NodeOptions, header: &trace::Header) -> Result<Option<TraceFile>, StartError> {
    let Some(folder) = &options.trace else { return Ok(None) };
    let begun = TraceFile::create(folder, header);
    begun.map(Some).map_err(|source| StartError::Trace { folder: folder.display().to_string(), source })
}

/// Deletes state of groups whose removal was durable when the process ended, but whose data was not gone yet.
fn sweep_removed(options: &NodeOptions, store: &Store) -> Result<(), StartError> {
    let live = store.groups.iter().map(|group| (group.record.local, group.state_epoch)).collect();
    let swept = store::sweep::sweep(&*store.state, &live, &BTreeSet::new())
        .map_err(|error| StartError::Store { folder: options.data.to_string(), source: error.into() })?;
    if swept > 0 {
        tracing::info!(keys = swept, "deleted what removed groups had left behind");
    }
    Ok(())
}

/// What the options change in the data folder.
struct Planned {
    changes: Vec<Change>,
    new: Vec<GroupRecord>,
}

/// Compares the options with what the data folder records; a difference is an error, never a silent choice.
fn plan_groups(options: &NodeOptions, registry: &mut Registry) -> Result<Planned, StartError> {
    let mut planned = Planned { changes: Vec::new(), new: Vec::new() };
    for group in &options.groups {
        if let Some(record) = registry.group(group.group) {
            compare(group, record)?;
            continue;
        }
        let (record, change) = plan_group(options, registry, group)?;
        planned.changes.push(change);
        planned.new.push(record);
    }
    Ok(planned)
}

/// Plans a group that is not here yet.
pub(crate) fn plan_group(
    options: &NodeOptions,
    registry: &mut Registry,
    group: &GroupOptions,
) -> Result<(GroupRecord, Change), GroupError> {
    check_members(options, group)?;
    if may_meet_an_older_life(group) && options.header == HeaderPolicy::Legacy {
        return Err(GroupError::PeerIsLegacy { group: group.group, who: "set `header = \"auto\"` on this node".into() });
    }
    let limit = options.limits.max_groups;
    if registry.groups().count() >= limit {
        return Err(GroupError::TooMany { group: group.group, limit });
    }
    let new = NewGroup {
        group: group.group,
        generation: group.generation,
        incarnation: group.incarnation(options.cluster),
        service: group.service.clone(),
        protocol: match group.protocol {
            Protocol::Raft => store::Protocol::Raft,
        },
        members: sorted(&group.members),
        timers: Vec::new(),
    };
    registry.plan_create(new).map_err(|reason| GroupError::Registry { group: group.group, reason })
}

/// Whether a peer that speaks version 0, which carries no incarnation, could take this group for one of its earlier lives.
pub(crate) fn may_meet_an_older_life(group: &GroupOptions) -> bool {
    group.group == GroupId::DEFAULT && group.generation > 1
}

fn sorted(members: &[NodeId]) -> Vec<NodeId> {
    let mut members = members.to_vec();
    members.sort_unstable();
    members
}

fn check_members(options: &NodeOptions, group: &GroupOptions) -> Result<(), GroupError> {
    let refuse = |reason: String| Err(GroupError::Members { group: group.group, reason });
    if let Err(bad) = roadstead_spec::raft::Params::new(&group.members, roadstead_spec::raft::Limits::default()) {
        return refuse(bad.to_string());
    }
    if !group.members.contains(&options.node) {
        return refuse(format!("this node ({}) is not among the members; leave the group out here, or add the node", options.node));
    }
    match group.members.iter().find(|member| **member != options.node && !options.peers.contains_key(member)) {
        Some(member) => refuse(format!("member {member} has no address; add a [[peer]] with id = {member}")),
        None => Ok(()),
    }
}

pub(crate) fn compare(group: &GroupOptions, record: &GroupRecord) -> Result<(), GroupError> {
    let members = |members: &[NodeId]| format!("{:?}", members.iter().map(|member| member.0).collect::<Vec<_>>());
    let pairs = [
        ("generation", group.generation.to_string(), record.generation.to_string()),
        ("service", format!("{:?}", group.service), format!("{:?}", record.service)),
        ("consensus_protocol", format!("{:?}", group.protocol.name()), format!("{:?}", record.protocol.name())),
        ("members", members(&sorted(&group.members)), members(&record.members)),
    ];
    match pairs.into_iter().find(|(_, found, recorded)| found != recorded) {
        Some((key, found, recorded)) => Err(GroupError::Differs { group: group.group, key, found, recorded }),
        None => Ok(()),
    }
}

/// What a group is opened with; a group without a state machine starts as failed and says so.
pub(crate) fn opening(options: &NodeOptions, group: OpenedGroup, machine: Option<Box<dyn StateMachine>>) -> OpenGroup {
    let OpenedGroup { record, state_epoch, log } = group;
    let machine = machine.or_else(|| options.services.make(&record.service)).ok_or_else(|| {
        let error = GroupError::Service { group: record.group, service: record.service.clone(), known: options.services.names() };
        error.to_string()
    });
    OpenGroup { record, recovered: log.map_err(|damage| damage.to_string()), epoch: StateEpoch(state_epoch), machine }
}

/// Where the state of a new group lies.
const FIRST_EPOCH: u64 = 1;

/// What a group that was just created is opened with.
pub(crate) fn fresh(record: GroupRecord) -> OpenedGroup {
    let log = Recovered { hard: Default::default(), base: Default::default(), runs: Vec::new(), last: Default::default() };
    OpenedGroup { record, state_epoch: FIRST_EPOCH, log: Ok(log) }
}

fn wire_limits(options: &NodeOptions) -> wire::Limits {
    let bytes = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    wire::Limits {
        frame_bytes_max: bytes(options.limits.max_frame_bytes),
        entry_bytes_max: bytes(options.limits.max_entry_bytes),
        ..wire::Limits::default()
    }
}

fn shard_options(options: &NodeOptions, boot: u64) -> ShardOptions {
    let mut addresses = options.peers.clone();
    addresses.insert(options.node, options.listen.to_string());
    ShardOptions {
        node: options.node,
        boot,
        timers: options.timers,
        limits: options.limits,
        wire: wire_limits(options),
        addresses,
        traced: options.trace.is_some(),
    }
}

fn port_options(options: &NodeOptions, registry: &Registry, store: u128, boot: u64, seed: u64) -> PortOptions {
    let peer =
        |(id, address): (&NodeId, &String)| PeerOptions { node: *id, address: address.clone(), store: registry.peer(*id).map(StoreId) };
    let policy = match options.header {
        HeaderPolicy::Auto => Policy::Auto,
        HeaderPolicy::Legacy => Policy::Legacy,
        HeaderPolicy::Extended => Policy::Extended,
    };
    let (timers, limits) = (&options.timers, &options.limits);
    PortOptions {
        listen: options.listen,
        local: Local { node: options.node, cluster: ClusterId(options.cluster), store: StoreId(store), boot, features: 0, policy },
        peers: options.peers.iter().map(peer).collect(),
        timers: PortTimers {
            connect: timers.connect_timeout,
            handshake: timers.handshake_timeout,
            read: timers.read_timeout,
            write: timers.read_timeout,
            reconnect_min: timers.reconnect_min,
            reconnect_max: timers.reconnect_max,
        },
        limits: PortLimits {
            frames: wire_limits(options),
            peer_queue_bytes: limits.peer_queue_bytes,
            connections_max: limits.max_connections,
            requests_per_client_max: limits.connection_requests,
            ..PortLimits::default()
        },
        seed: seed ^ 1,
    }
}

/// A seed for jitter and nonces. Where the system has no randomness, the clock serves: a seed need not be secret.
#[expect(clippy::disallowed_methods, reason = "a seed decides nothing about time")]
fn seed() -> u64 {
    SysRng.try_next_u64().unwrap_or_else(|_| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        since.as_nanos() as u64 ^ u64::from(std::process::id())
    })
}

/// The moment as the shard counts it.
pub(crate) fn millis(started: Instant) -> Millis {
    Millis(started.elapsed().as_millis() as u64)
}
