//! What a nemesis does to a cluster, drawn from a seed.

use clap::ValueEnum;
use rand::{RngExt, rngs::StdRng};
use std::{collections::BTreeSet, fmt, time::Duration};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Kind {
    /// SIGKILL, and a start some time later.
    Kill,
    /// SIGSTOP, and SIGCONT some time later.
    Pause,
    /// Some nodes and the others do not hear each other.
    Partition,
    /// One node is not heard by some others, but hears them.
    OneWay,
    /// Each node hears its two neighbours only: a majority, and no two the same one. Needs five nodes.
    Ring,
    /// Everything between nodes comes later.
    Delay,
    /// All connections between nodes break, with what is under way on them.
    Reset,
    /// Each sync of a disk takes longer.
    SlowDisk,
    /// A disk has no room any more.
    FullDisk,
    /// A wall clock is wrong.
    Clock,
    /// A group beside those of the clients is removed and added anew, node after node.
    Regroup,
}

/// A fault and whom it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// See [`Kind::Kill`].
    Kill(u32),
    /// See [`Kind::Pause`].
    Pause(u32),
    /// See [`Kind::Partition`]: the nodes on the smaller side.
    Partition(BTreeSet<u32>),
    /// See [`Kind::OneWay`].
    OneWay {
        /// Who is not heard.
        from: u32,
        /// By whom.
        to: BTreeSet<u32>,
    },
    /// See [`Kind::Ring`].
    Ring,
    /// See [`Kind::Delay`].
    Delay(Duration),
    /// See [`Kind::Reset`].
    Reset,
    /// See [`Kind::SlowDisk`].
    SlowDisk(u32, Duration),
    /// See [`Kind::FullDisk`].
    FullDisk {
        /// Whose.
        node: u32,
        /// Nothing at all is left; otherwise a part of the reserve is.
        entirely: bool,
    },
    /// See [`Kind::Clock`]: seconds that it is ahead.
    Clock(u32, i64),
    /// See [`Kind::Regroup`].
    Regroup,
}

/// A way: who speaks, and who does not hear it.
pub(super) type Way = (u32, u32);

impl Fault {
    /// A fault of a kind, and how long it lasts. `leader` is somebody whom faults hit more often than others.
    pub(super) fn draw(rng: &mut StdRng, kind: Kind, nodes: u32, leader: Option<u32>) -> (Self, Duration) {
        let node = leader.filter(|_| rng.random_bool(0.4)).unwrap_or_else(|| rng.random_range(1..=nodes));
        let ms = |rng: &mut StdRng, from, to| Duration::from_millis(rng.random_range(from..=to));
        let fault = match kind {
            Kind::Kill => Self::Kill(node),
            Kind::Pause => Self::Pause(node),
            Kind::Partition => Self::Partition(others(rng, node, nodes, nodes / 2 - 1).chain([node]).collect()),
            Kind::OneWay => Self::OneWay { from: node, to: others(rng, node, nodes, nodes - 1).collect() },
            Kind::Ring => Self::Ring,
            Kind::Delay => Self::Delay(ms(rng, 5, 200)),
            Kind::Reset => Self::Reset,
            Kind::SlowDisk => Self::SlowDisk(node, ms(rng, 20, 800)),
            Kind::FullDisk => Self::FullDisk { node, entirely: rng.random_bool(0.5) },
            Kind::Clock => Self::Clock(node, rng.random_range(-400_000_000..400_000_000)),
            Kind::Regroup => Self::Regroup,
        };
        let lasts = match kind {
            Kind::Reset => Duration::ZERO,
            Kind::Kill | Kind::Pause => ms(rng, 200, 5_000),
            _ => ms(rng, 1_000, 8_000),
        };
        (fault, lasts)
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Kill(_) => Kind::Kill,
            Self::Pause(_) => Kind::Pause,
            Self::Partition(_) => Kind::Partition,
            Self::OneWay { .. } => Kind::OneWay,
            Self::Ring => Kind::Ring,
            Self::Delay(_) => Kind::Delay,
            Self::Reset => Kind::Reset,
            Self::SlowDisk(..) => Kind::SlowDisk,
            Self::FullDisk { .. } => Kind::FullDisk,
            Self::Clock(..) => Kind::Clock,
            Self::Regroup => Kind::Regroup,
        }
    }

    /// The node whose process, disk or clock it is.
    const fn node(&self) -> Option<u32> {
        match self {
            Self::Kill(node) | Self::Pause(node) | Self::SlowDisk(node, _) | Self::FullDisk { node, .. } | Self::Clock(node, _) => {
                Some(*node)
            }
            Self::Partition(_) | Self::OneWay { .. } | Self::Ring | Self::Delay(_) | Self::Reset | Self::Regroup => None,
        }
    }

    /// Whether both may be there at the same time: not two of a kind, and not two on one node, of which one would undo the other.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        self.kind() != other.kind() && (self.node().is_none() || self.node() != other.node())
    }

    /// The ways between `nodes` nodes that it cuts.
    pub(super) fn cuts(&self, nodes: u32) -> BTreeSet<Way> {
        let cut = |from: u32, to: u32| match self {
            Self::Partition(island) => island.contains(&from) != island.contains(&to),
            Self::OneWay { from: silent, to: deaf } => *silent == from && deaf.contains(&to),
            Self::Ring => !matches!(from.abs_diff(to), 0 | 1) && from.abs_diff(to) != nodes - 1,
            _ => false,
        };
        (1..=nodes).flat_map(|from| (1..=nodes).map(move |to| (from, to))).filter(|(from, to)| from != to && cut(*from, *to)).collect()
    }
}

/// Up to `most` of the other nodes, at least one if `most` is not 0.
fn others(rng: &mut StdRng, node: u32, nodes: u32, most: u32) -> impl Iterator<Item = u32> {
    let count = rng.random_range(most.min(1)..=most);
    let mut left: Vec<u32> = (1..=nodes).filter(|other| *other != node).collect();
    (0..count).map(|_| left.swap_remove(rng.random_range(0..left.len()))).collect::<Vec<_>>().into_iter()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(node) => write!(f, "node {node} is killed"),
            Self::Pause(node) => write!(f, "node {node} stands still"),
            Self::Partition(island) => write!(f, "{island:?} and the others do not hear each other"),
            Self::OneWay { from, to } => write!(f, "node {from} is not heard by {to:?}"),
            Self::Ring => write!(f, "each node hears its neighbours only"),
            Self::Delay(delay) => write!(f, "everything between nodes comes {delay:?} later"),
            Self::Reset => write!(f, "all connections between nodes break"),
            Self::SlowDisk(node, longer) => write!(f, "each sync of node {node} takes {longer:?} longer"),
            Self::FullDisk { node, entirely: true } => write!(f, "node {node} has no room on its disk"),
            Self::FullDisk { node, entirely: false } => write!(f, "node {node} has little room on its disk"),
            Self::Clock(node, ahead) => write!(f, "the clock of node {node} is {ahead} s ahead"),
            Self::Regroup => write!(f, "a group is removed and added anew, node after node"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_ring_leaves_each_node_a_majority_and_no_two_the_same() {
        let cuts = Fault::Ring.cuts(5);
        let hears = |node| (1..=5).filter(|other| *other == node || !cuts.contains(&(*other, node))).collect::<BTreeSet<u32>>();
        let rings = [1, 2, 3, 4, 5].map(hears);
        assert!(rings.iter().all(|ring| ring.len() == 3), "{rings:?}");
        assert_eq!(BTreeSet::from(rings.clone()).len(), 5, "{rings:?}");
    }

    /// Goal: a partition has two sides and cuts both ways; one way is one way.
    #[test]
    fn what_is_drawn_cuts_what_it_says() {
        let mut rng = StdRng::seed_from_u64(1);
        for nodes in [3, 5] {
            for _ in 0..200 {
                let (partition, _) = Fault::draw(&mut rng, Kind::Partition, nodes, Some(1));
                let cuts = partition.cuts(nodes);
                assert!(!cuts.is_empty() && cuts.iter().all(|(from, to)| cuts.contains(&(*to, *from))), "{partition}");
                let (one_way, _) = Fault::draw(&mut rng, Kind::OneWay, nodes, None);
                let cuts = one_way.cuts(nodes);
                assert!(!cuts.is_empty() && cuts.iter().all(|(from, to)| !cuts.contains(&(*to, *from))), "{one_way}");
            }
        }
    }
}
