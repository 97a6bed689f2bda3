//! All nodes of a run and the wires between them; faults are put on and taken off here.

use super::{
    Failed, Options,
    fault::{Fault, Way},
    ground::Ground,
    process::{self, Common, Node},
    regroup::Regroup,
    relay::Relay,
};
use rustix::process::Signal;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    ground: Ground,
    relay: Relay,
    cut: BTreeSet<Way>,
    regroup: Regroup,
    /// Nodes whose disk ran full since they were started last: such a node may end, for its operator to make room.
    ran_full: BTreeSet<u32>,
}

impl Cluster {
    /// Makes the ground, and starts the nodes on it.
    pub(super) async fn start(options: &Options) -> Result<Self, Failed> {
        let ids = 1..=options.nodes;
        let common = Common {
            program: &options.program,
            folder: &options.folder,
            ground: options.ground,
            nodes: options.nodes,
            groups: &options.groups,
            // Its look at a file for every reading of the clock costs time, so only those have it who need it.
            fake_time: options.faults.contains(&super::Kind::Clock).then(process::fake_time).flatten(),
        };
        let mut nodes = ids.clone().map(|id| Node::new(id, &common)).collect::<Result<Vec<Node>, Failed>>()?;
        let data: Vec<_> = nodes.iter().map(|node| (node.id, node.data())).collect();
        options.ground.build(&data.iter().map(|(id, path)| (*id, path.as_path())).collect())?;
        let pairs = ids.clone().flat_map(|from| ids.clone().map(move |to| (from, to))).filter(|(from, to)| from != to);
        let faces = pairs.map(|way| (way, options.ground.face(way))).collect();
        let addresses = ids.map(|id| (id, options.ground.node(id))).collect::<BTreeMap<_, _>>();
        let relay = Relay::start(&faces, &addresses).await.map_err(Failed::io("the relay between the nodes"))?;
        nodes.iter_mut().try_for_each(Node::start)?;
        Ok(Self { nodes, ground: options.ground, relay, cut: BTreeSet::new(), regroup: Regroup::default(), ran_full: BTreeSet::new() })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| self.ground.node(node.id)).collect()
    }

    /// What happens when a fault begins.
    pub(super) fn apply(&mut self, fault: &Fault) -> Result<(), Failed> {
        match fault {
            Fault::Kill(id) => self.node(*id).kill(),
            Fault::Pause(id) => self.node(*id).signal(Signal::STOP),
            Fault::SlowDisk(id, longer) => self.node(*id).slow_disk(*longer)?,
            Fault::FullDisk { node, entirely } => {
                self.ran_full.insert(*node);
                self.node(*node).fill_disk(*entirely)?;
            }
            Fault::Clock(id, ahead) => self.node(*id).set_clock(*ahead)?,
            Fault::Reset => self.relay.reset(),
            Fault::Regroup => self.regroup.begin(self.addresses()),
            Fault::Partition(_) | Fault::OneWay { .. } | Fault::Ring | Fault::Delay(_) => {}
        }
        Ok(())
    }

    /// What happens when it ends.
    pub(super) fn undo(&mut self, fault: &Fault) -> Result<(), Failed> {
        match fault {
            Fault::Kill(id) => self.node(*id).start()?,
            Fault::Pause(id) => self.node(*id).signal(Signal::CONT),
            Fault::SlowDisk(id, _) => self.node(*id).slow_disk(Duration::ZERO)?,
            Fault::FullDisk { node, .. } => self.node(*node).make_room(),
            Fault::Clock(id, _) => self.node(*id).set_clock(0)?,
            Fault::Regroup => self.regroup.end(),
            Fault::Reset | Fault::Partition(_) | Fault::OneWay { .. } | Fault::Ring | Fault::Delay(_) => {}
        }
        Ok(())
    }

    /// The network does what these faults say, and nothing else.
    pub(super) async fn set<'a>(&mut self, faults: impl Iterator<Item = &'a Fault> + Clone) -> Result<(), Failed> {
        let nodes = self.nodes.len() as u32;
        let cut: BTreeSet<Way> = faults.clone().flat_map(|fault| fault.cuts(nodes)).collect();
        let delays = faults.map(|fault| if let Fault::Delay(delay) = fault { *delay } else { Duration::ZERO });
        self.relay.delay(delays.max().unwrap_or_default());
        self.ground.cut(&self.cut, &cut)?;
        if self.ground == Ground::Loopback {
            self.relay.hold(cut.clone());
        }
        self.cut = cut;
        Ok(())
    }

    /// Starts nodes again that ended by themselves because their disk was full, as soon as there is room. Who ended for any other reason is a violation.
    pub(super) fn revive<'a>(&mut self, faults: impl Iterator<Item = &'a Fault> + Clone) -> Result<Vec<String>, Failed> {
        let mut violations = Vec::new();
        for node in &mut self.nodes {
            if let Some(status) = node.ended()
                && !self.ran_full.contains(&node.id)
            {
                violations.push(format!("node {} ended by itself ({status}): {}", node.id, node.last_error()));
            }
            let id = node.id;
            let waits = |fault: &Fault| matches!(fault, Fault::Kill(node) | Fault::FullDisk { node, .. } if *node == id);
            if !node.runs() && !faults.clone().any(waits) {
                self.ran_full.remove(&id);
                node.start()?;
            }
        }
        Ok(violations)
    }

    fn node(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize - 1]
    }
}
