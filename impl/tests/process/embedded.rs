//! Three nodes in this process, each with a disk that a fault file governs. Threads, port and databases are those of production.

use crate::{
    cluster::until,
    fault_file,
    writers::{Background, Load},
};
use roadstead::{
    GroupId, NodeId,
    api::types::{GroupStatus, Role},
    client::{Client, ClientOptions},
    config::Timers,
    launcher::{Fatal, Launcher},
    node::{GroupOptions, NodeOptions},
};
use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf, time::Duration};
use tempfile::TempDir;

pub(crate) const GROUP: i32 = 1;
const IDS: [u32; 3] = [1, 2, 3];

/// The cluster.
pub(crate) struct Embedded {
    folder: TempDir,
    pub(crate) timers: Timers,
    addresses: BTreeMap<u32, SocketAddr>,
    running: BTreeMap<u32, Launcher>,
    runtime: Background,
}

impl Embedded {
    /// Three running nodes with one group that has a leader.
    pub(crate) fn start(timers: Timers) -> Self {
        let addresses = IDS.map(|id| (id, crate::free_port::free_address())).into();
        let mut cluster =
            Self { folder: TempDir::new().unwrap(), timers, addresses, running: BTreeMap::new(), runtime: Background::start() };
        IDS.iter().for_each(|id| cluster.start_node(*id));
        cluster.leader();
        cluster
    }

    pub(crate) fn start_node(&mut self, id: u32) {
        let peers = self.addresses.iter().filter(|(peer, _)| **peer != id);
        let options = NodeOptions {
            peers: peers.map(|(peer, address)| (NodeId(*peer), address.to_string())).collect(),
            timers: self.timers,
            groups: vec![GroupOptions::raft(GroupId::new(GROUP).unwrap(), "kv", &IDS.map(NodeId))],
            engines: fault_file::governed_by(self.fault_file(id)),
            ..NodeOptions::new(NodeId(id), self.addresses[&id], self.folder.path().join(format!("n{id}")))
        };
        let launcher = self.runtime.block_on(Launcher::bind(self.addresses[&id], options)).unwrap();
        self.running.insert(id, launcher);
    }

    fn fault_file(&self, id: u32) -> PathBuf {
        self.folder.path().join(format!("fault-{id}"))
    }

    /// What the node's disk does from now on; an empty fault is none.
    pub(crate) fn fault(&self, id: u32, fault: &str) {
        // Never half a line: the disk reads the file at any moment.
        let fresh = self.folder.path().join("fault");
        fs::write(&fresh, fault).unwrap();
        fs::rename(fresh, self.fault_file(id)).unwrap();
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn ended(&mut self, id: u32) -> Result<(), Fatal> {
        let mut launcher = self.running.remove(&id).unwrap();
        self.runtime.block_on(async { tokio::time::timeout(crate::cluster::DEADLINE, launcher.ended()).await }).expect("the node to end")
    }

    pub(crate) fn client(&self, patience: Duration) -> Client {
        Client::new(ClientOptions { timeout: patience, ..ClientOptions::of(self.addresses.values().map(ToString::to_string)) })
    }

    pub(crate) fn load(&self, writers: usize) -> Load {
        Load::through(&self.client(self.timers.request_timeout), &[GROUP], writers)
    }

    /// The group as this node sees it.
    pub(crate) fn group(&self, id: u32) -> Option<GroupStatus> {
        self.runtime.block_on(self.running[&id].handle().group(GroupId::new(GROUP).unwrap()))
    }

    /// The running node that all running nodes take for the leader.
    pub(crate) fn leader(&self) -> u32 {
        until("a leader that all running nodes know", || {
            let known: Option<Vec<u32>> = self.running.keys().map(|id| self.group(*id)?.leader).collect();
            let known = known?;
            let leader = *known.first()?;
            (known.iter().all(|other| *other == leader) && self.running.contains_key(&leader)).then_some(leader)
        })
    }

    /// The node among these that leads.
    pub(crate) fn leader_among(&self, ids: &[u32]) -> Option<u32> {
        ids.iter().copied().find(|id| self.group(*id).is_some_and(|group| group.role == Role::Leader))
    }

    /// Waits until each node has applied what any of them knows to be committed.
    pub(crate) fn wait_until_level(&self) {
        let groups = || IDS.iter().map(|id| self.group(*id)).collect::<Option<Vec<_>>>();
        let commit = until("all nodes to answer", groups).iter().map(|group| group.commit).max().unwrap();
        until("all nodes to catch up", || groups()?.iter().all(|group| group.applied >= commit).then_some(()));
    }
}

impl Drop for Embedded {
    /// Nobody waits for a disk that was left stalled.
    fn drop(&mut self) {
        IDS.iter().for_each(|id| self.fault(*id, ""));
    }
}
