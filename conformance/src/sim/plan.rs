//! What a seed draws before a run begins: the cluster, its clients, and every fault with its moment. A fault can be left out without a change of the
//! others, which is how a failing run is made small.

use super::bug::Bug;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use roadstead_spec::{GroupId, NodeId};
use std::fmt;

/// A moment of a simulation, in microseconds since its beginning.
pub type Micros = u64;

/// One millisecond.
pub(super) const MILLI: Micros = 1_000;
/// One second.
pub(super) const SECOND: Micros = 1_000_000;

/// Least number of kinds of fault in a run.
pub const KINDS_MIN: usize = 6;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `kill -9`: everything that the system was given survives.
    Kill,
    /// The power fails after so many operations of the disk more: unsynced writes may be lost or torn.
    PowerCut {
        /// Operations.
        after: u64,
    },
    /// The node is stopped in order and started again.
    Restart,
    /// The node stands still, as by SIGSTOP.
    Pause,
    /// The node and one other do not hear each other.
    Partition {
        /// The other.
        other: NodeId,
    },
    /// Nobody reaches the node, and it reaches nobody.
    Isolated,
    /// What the node sends does not arrive; it hears the others.
    Mute,
    /// All connections of the node break, with what is under way.
    Reset,
    /// Everything that the node sends and hears takes so much longer.
    SlowNetwork {
        /// Milliseconds more, at most.
        by_ms: u64,
    },
    /// Each round of the node's disk takes so much longer.
    SlowDisk {
        /// Milliseconds more, at most.
        by_ms: u64,
    },
    /// The disk runs full, then there is room again.
    DiskFull,
    /// The node's clock jumps ahead.
    ClockJump {
        /// Milliseconds.
        by_ms: u64,
    },
    /// The node is killed, and a bit of its log database is another one when it starts again. It must not take part with what it cannot trust.
    BitFlip,
    /// The node is killed and comes back as a release that speaks the legacy header only; at the end of the fault it is upgraded.
    OldRelease,
}

/// A fault with its place and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins.
    pub at: Micros,
    /// How long it lasts; a node that is killed is started again behind it.
    pub lasts: Micros,
    /// Whose.
    pub node: NodeId,
    /// What.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.3} s: node {} {:?} for {} ms", self.at as f64 / 1e6, self.node, self.kind, self.lasts / MILLI)
    }
}

/// Everything that a run draws in advance.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Nodes 1 to this.
    pub nodes: u32,
    /// Each on all nodes. Group 0 is among them: the legacy header carries no other.
    pub groups: Vec<GroupId>,
    /// Clients, each with one request at a time.
    pub clients: usize,
    /// Keys of each group.
    pub keys: u64,
    /// Longest pause of a client between two requests.
    pub think: Micros,
    /// When the faults are over.
    pub faults_until: Micros,
    /// In the order of their moments.
    pub faults: Vec<Fault>,
    /// A planted mistake.
    pub bug: Option<Bug>,
    /// Limits of the nodes.
    pub tuning: Tuning,
}

/// Small limits, so that a short run meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// See `limits.snapshot_entries`.
    pub snapshot_entries: u64,
    /// See `limits.snapshot_keep_entries`.
    pub keep_entries: u64,
    /// See `limits.entries_per_message`.
    pub entries_per_message: usize,
    /// See `limits.inflight_messages`.
    pub inflight_messages: usize,
    /// See `limits.log_cache_bytes`.
    pub cache_bytes: usize,
    /// Longest way of bytes between two nodes, without a fault.
    pub network_max: Micros,
    /// Longest round of a disk, without a fault.
    pub disk_max: Micros,
}

impl Plan {
    /// What this seed draws.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let nodes = if rng.random_bool(0.2) { 5 } else { 3 };
        let groups = (0..rng.random_range(1..=3)).filter_map(GroupId::new).collect();
        let faults_until = rng.random_range(8 * SECOND..=14 * SECOND);
        let tuning = Tuning {
            snapshot_entries: rng.random_range(20..=200),
            keep_entries: rng.random_range(0..=30),
            entries_per_message: rng.random_range(1..=32),
            inflight_messages: rng.random_range(1..=16),
            cache_bytes: if rng.random_bool(0.5) { 0 } else { 1 << 20 },
            network_max: rng.random_range(MILLI / 2..=20 * MILLI),
            disk_max: rng.random_range(MILLI / 2..=20 * MILLI),
        };
        let faults = faults(&mut rng, nodes, faults_until);
        Self {
            seed,
            nodes,
            groups,
            clients: rng.random_range(2..=6),
            keys: rng.random_range(1..=3),
            think: rng.random_range(10 * MILLI..=100 * MILLI),
            faults_until,
            faults,
            bug: None,
            tuning,
        }
    }

    /// Only these of the faults, by number; the rest of the run is drawn as before.
    #[must_use]
    pub fn with_only(mut self, numbers: &[usize]) -> Self {
        let mut number = 0;
        self.faults.retain(|_| {
            number += 1;
            numbers.contains(&(number - 1))
        });
        self
    }

    /// The node ids.
    pub fn members(&self) -> Vec<NodeId> {
        (1..=self.nodes).map(NodeId).collect()
    }
}

fn faults(rng: &mut StdRng, nodes: u32, until: Micros) -> Vec<Fault> {
    let any = |rng: &mut StdRng| NodeId(rng.random_range(1..=nodes));
    let mut kinds = vec![
        FaultKind::Kill,
        FaultKind::PowerCut { after: 0 },
        FaultKind::Restart,
        FaultKind::Pause,
        FaultKind::Partition { other: NodeId(1) },
        FaultKind::Isolated,
        FaultKind::Mute,
        FaultKind::Reset,
        FaultKind::SlowNetwork { by_ms: 0 },
        FaultKind::SlowDisk { by_ms: 0 },
        FaultKind::DiskFull,
        FaultKind::ClockJump { by_ms: 0 },
        FaultKind::BitFlip,
        FaultKind::OldRelease,
    ];
    kinds.shuffle(rng);
    kinds.truncate(rng.random_range(KINDS_MIN..=KINDS_MIN + 4));
    let count = rng.random_range(kinds.len()..=kinds.len() + 6);
    let mut faults: Vec<Fault> = (0..count)
        .map(|number| {
            // Each kind at least once.
            let kind = kinds[number % kinds.len()];
            let node = any(rng);
            let kind = match kind {
                FaultKind::PowerCut { .. } => FaultKind::PowerCut { after: rng.random_range(0..12) },
                FaultKind::Partition { .. } => FaultKind::Partition { other: other_than(node, any(rng), nodes) },
                FaultKind::SlowNetwork { .. } => FaultKind::SlowNetwork { by_ms: rng.random_range(10..500) },
                FaultKind::SlowDisk { .. } => FaultKind::SlowDisk { by_ms: rng.random_range(10..3_000) },
                FaultKind::ClockJump { .. } => FaultKind::ClockJump { by_ms: rng.random_range(10..5_000) },
                kind => kind,
            };
            let lasts = rng.random_range(20 * MILLI..=2 * SECOND);
            Fault { at: rng.random_range(SECOND..until - 2 * SECOND), lasts, node, kind }
        })
        .collect();
    // A node that lost its disk stays away for good: a second one could cost the quorum, which is no mistake of anybody.
    let mut flips = 0;
    faults.retain(|fault| {
        flips += usize::from(fault.kind == FaultKind::BitFlip);
        fault.kind != FaultKind::BitFlip || flips == 1
    });
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn other_than(node: NodeId, drawn: NodeId, nodes: u32) -> NodeId {
    if drawn == node { NodeId(drawn.0 % nodes + 1) } else { drawn }
}
