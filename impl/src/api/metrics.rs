//! Metrics in the OpenMetrics text format, made when they are asked for: the values live where they arise, so nothing is counted twice.
//!
//! Names carry their unit. A counter's name ends in `_total`, which the encoder adds.

use crate::{
    api::types::{AlarmKind, GroupState, GroupStatus, PeerState, Role},
    node::Observation,
    store::stats::{SYNC_BUCKETS_US, StorageStats},
};
use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The exposition of one moment.
pub(super) fn encode(observation: &Observation) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("roadstead");
    node(&mut registry, observation);
    peers(&mut registry, observation);
    storage(&mut registry, &observation.storage);
    groups(&mut registry, &observation.groups);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// Values of one name, each with its labels.
#[derive(Debug)]
struct Values {
    kind: Kind,
    values: Vec<(Vec<(&'static str, String)>, f64)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Counter,
    Gauge,
}

impl Kind {
    fn encode(self, encoder: &mut MetricEncoder<'_>, value: &f64) -> Result<(), fmt::Error> {
        match self {
            Self::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
            Self::Gauge => encoder.encode_gauge(value),
        }
    }
}

impl EncodeMetric for Values {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, value) in &self.values {
            if labels.is_empty() {
                self.kind.encode(&mut encoder, value)?;
            } else {
                self.kind.encode(&mut encoder.encode_family(labels)?, value)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        }
    }
}

fn one(registry: &mut Registry, kind: Kind, name: &str, help: &str, value: f64) {
    registry.register(name, help, Values { kind, values: vec![(Vec::new(), value)] });
}

fn many<'a, T: 'a>(
    registry: &mut Registry,
    kind: Kind,
    (name, help): (&str, &str),
    items: impl IntoIterator<Item = &'a T>,
    of: impl Fn(&T) -> (Vec<(&'static str, String)>, f64),
) {
    registry.register(name, help, Values { kind, values: items.into_iter().map(of).collect() });
}

fn node(registry: &mut Registry, observation: &Observation) {
    let counters = &observation.counters;
    one(registry, Kind::Gauge, "uptime_seconds", "Time since the node started", observation.status.uptime_seconds);
    let counts = [
        ("writes", "Writes acknowledged", counters.writes),
        ("queries", "Queries answered", counters.queries),
        ("busy", "Requests answered busy, since a queue was full", counters.busy),
        ("no_space", "Writes refused for lack of disk space", counters.no_space),
        ("elections", "Elections begun by groups of this node", counters.elections),
        ("frames_received", "Frames of peers given to a group", counters.frames_received),
        ("messages_sent", "Messages of groups sent to peers", counters.messages_sent),
        ("messages_dropped", "Messages of groups dropped, since a queue was full", counters.dropped),
        ("frames_no_such_group", "Frames for groups that are not here", counters.no_such_group),
        ("frames_wrong_incarnation", "Frames for another life of a group", counters.wrong_incarnation),
        ("frames_malformed", "Frames whose body made no sense", counters.malformed),
    ];
    for (name, help, value) in counts {
        one(registry, Kind::Counter, name, help, value as f64);
    }
    let disk = &observation.status.storage;
    let sizes = [
        ("disk_bytes", "Size of the data folder's disk", disk.disk_bytes),
        ("disk_free_bytes", "Free bytes of the data folder's disk", disk.disk_free_bytes),
        ("disk_reserve_bytes", "With fewer free bytes writes are refused", disk.reserve_bytes),
    ];
    for (name, help, value) in sizes {
        one(registry, Kind::Gauge, name, help, value as f64);
    }
    let alarms = AlarmKind::ALL.map(|kind| (kind, observation.status.alarms.iter().any(|alarm| alarm.kind == kind)));
    many(registry, Kind::Gauge, ("alarm", "1 while the alarm lasts"), &alarms, |(kind, lasts)| {
        (vec![("alarm", kind.name().to_owned())], f64::from(u8::from(*lasts)))
    });
    let connections = &observation.port.connections;
    let kinds =
        [("client", connections.clients), ("http", connections.http), ("peer", connections.peers), ("unknown", connections.strangers)];
    many(registry, Kind::Gauge, ("connections", "Connections of the port, by what they carry"), &kinds, |(kind, count)| {
        (vec![("kind", (*kind).to_owned())], *count as f64)
    });
    let closed: Vec<_> = observation.port.closed.iter().collect();
    many(registry, Kind::Counter, ("connections_closed", "Connections that the port closed, by reason"), &closed, |(reason, count)| {
        (vec![("reason", (**reason).to_owned())], **count as f64)
    });
}

fn peers(registry: &mut Registry, observation: &Observation) {
    let label = |id: u32| vec![("peer", id.to_string())];
    many(registry, Kind::Gauge, ("peer_connected", "1 while the connection to the peer stands"), &observation.status.peers, |peer| {
        (label(peer.id), f64::from(u8::from(peer.state == PeerState::Connected)))
    });
    let peers = &observation.port.peers;
    many(registry, Kind::Counter, ("peer_sent_bytes", "Bytes given to the connection"), peers, |peer| {
        (label(peer.node.0), peer.traffic.bytes_out as f64)
    });
    many(registry, Kind::Counter, ("peer_received_bytes", "Bytes read from the peer"), peers, |peer| {
        (label(peer.node.0), peer.traffic.bytes_in as f64)
    });
    many(registry, Kind::Counter, ("peer_dropped_bytes", "Bytes dropped, since the peer's queue was full"), peers, |peer| {
        (label(peer.node.0), peer.traffic.bytes_dropped as f64)
    });
    many(registry, Kind::Gauge, ("peer_queued_bytes", "Bytes that wait for the peer"), peers, |peer| {
        (label(peer.node.0), peer.queued_bytes as f64)
    });
}

fn storage(registry: &mut Registry, stats: &StorageStats) {
    let read = |counter: &AtomicU64| counter.load(Relaxed) as f64;
    let counts = [
        ("storage_rounds", "Batches committed to the log database, one sync each", read(&stats.rounds)),
        ("storage_witness_syncs", "Syncs of the witness", read(&stats.witness_syncs)),
        ("storage_submissions", "Writes of groups made durable", read(&stats.submissions)),
        ("storage_entries", "Log entries made durable", read(&stats.entries)),
        ("storage_items", "Log items written; each carries the entries of one group and round", read(&stats.items)),
        ("storage_bytes", "Bytes of log items written", read(&stats.bytes)),
        ("storage_sync_seconds_sum", "Time spent in commits with their sync", read(&stats.sync_nanos) / 1e9),
    ];
    for (name, help, value) in counts {
        one(registry, Kind::Counter, name, help, value);
    }
    let mut below = 0.0;
    let bounds = SYNC_BUCKETS_US.iter().map(|us| format!("{}", *us as f64 / 1e6)).chain(["+Inf".to_owned()]);
    let buckets: Vec<_> = bounds
        .zip(&stats.sync_histogram)
        .map(|(bound, count)| {
            below += read(count);
            (bound, below)
        })
        .collect();
    many(registry, Kind::Counter, ("storage_sync_seconds_bucket", "Syncs that took at most `le` seconds"), &buckets, |(bound, count)| {
        (vec![("le", bound.clone())], *count)
    });
}

/// Name, meaning and value of a gauge that every group has.
type GroupGauge = (&'static str, &'static str, fn(&GroupStatus) -> f64);

fn groups(registry: &mut Registry, groups: &[GroupStatus]) {
    let gauges: [GroupGauge; 14] = [
        ("group_leader", "1 while this node leads the group", |group| f64::from(u8::from(group.role == Role::Leader))),
        ("group_leader_node", "The leader that this node knows; 0: none", |group| f64::from(group.leader.unwrap_or(0))),
        ("group_failed", "1 once the group has stopped on this node", |group| {
            f64::from(u8::from(matches!(group.state, GroupState::Failed { .. })))
        }),
        ("group_epoch", "Raft's term", |group| group.epoch as f64),
        ("group_first_index", "First index in the log", |group| group.first as f64),
        ("group_last_index", "Last index in the log", |group| group.last as f64),
        ("group_commit_index", "Last index known to be on a quorum", |group| group.commit as f64),
        ("group_applied_index", "Last index that the state machine has", |group| group.applied as f64),
        ("group_snapshot_index", "Last index of the newest snapshot", |group| group.snapshot as f64),
        ("group_waiting_writes", "Writes without an outcome", |group| group.queues.writes as f64),
        ("group_waiting_write_bytes", "Bytes of those writes", |group| group.queues.write_bytes as f64),
        ("group_waiting_reads", "Reads that wait for their confirmation", |group| group.queues.reads as f64),
        ("group_waiting_persists", "Writes of the log that are not durable yet", |group| group.queues.persist as f64),
        ("group_idle_seconds", "Time since something of the group last happened here", |group| group.idle_seconds),
    ];
    for (name, help, of) in gauges {
        many(registry, Kind::Gauge, (name, help), groups, |group| (vec![("group", group.id.to_string())], of(group)));
    }
}
