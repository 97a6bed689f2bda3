//! A cluster to test with: every node a launcher of its own, on ports that were free a moment ago.

use crate::free_port::free_address;
use bytes::Bytes;
use roadstead::{
    api::types::GroupState,
    config::{HeaderPolicy, Limits, Timers},
    launcher::{Group, Launcher},
    node::{Data, GroupOptions, NodeOptions, Services},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
};
use roadstead_spec::{GroupId, NodeId};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Anything that has not happened by then counts as failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Entries after which a log is compacted: few, so that a test sees it.
pub(crate) const SNAPSHOT_ENTRIES: u64 = 100;

/// A number in the store: `add N` adds and answers the sum, `get` answers it.
#[derive(Default)]
pub(crate) struct Counter;

impl StateMachine for Counter {
    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        for command in commands {
            let text = String::from_utf8_lossy(&command.payload);
            let Some(amount) = text.strip_prefix("add ").and_then(|number| number.parse::<u64>().ok()) else {
                answers.push(Bytes::from_static(b"add NUMBER"));
                continue;
            };
            let sum = read(state)? + amount;
            let text = Bytes::from(sum.to_string());
            state.put(Bytes::from_static(b"sum"), text.clone());
            answers.push(text);
        }
        Ok(())
    }

    fn query(&self, _query: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        Ok(Bytes::from(read(state)?.to_string()))
    }
}

fn read(state: &dyn StateRead) -> Result<u64, StateMachineError> {
    let stored = state.get(b"sum")?;
    Ok(stored.and_then(|bytes| String::from_utf8_lossy(&bytes).parse().ok()).unwrap_or(0))
}

/// A running cluster.
pub(crate) struct Cluster {
    folder: TempDir,
    addresses: BTreeMap<NodeId, SocketAddr>,
    groups: Vec<GroupOptions>,
    headers: BTreeMap<NodeId, HeaderPolicy>,
    running: BTreeMap<NodeId, Launcher>,
    data: fn(PathBuf) -> Data,
}

impl Cluster {
    pub(crate) async fn start(nodes: u32, groups: &[i32]) -> Self {
        Self::start_with(nodes, groups, HeaderPolicy::Auto).await
    }

    /// Nodes that forget everything with their end.
    pub(crate) async fn start_in_memory(nodes: u32, groups: &[i32]) -> Self {
        let mut cluster = Self { data: |_| Data::Memory, ..Self::prepare(nodes, groups, HeaderPolicy::Auto) };
        cluster.start_all().await;
        cluster
    }

    /// All nodes under one policy; [`Cluster::set_header`] changes one of them.
    pub(crate) async fn start_with(nodes: u32, groups: &[i32], header: HeaderPolicy) -> Self {
        let mut cluster = Self::prepare(nodes, groups, header);
        cluster.start_all().await;
        cluster
    }

    async fn start_all(&mut self) {
        for id in self.addresses.keys().copied().collect::<Vec<_>>() {
            self.start_node(id).await;
        }
    }

    /// Nodes that are not started yet.
    pub(crate) fn prepare(nodes: u32, groups: &[i32], header: HeaderPolicy) -> Self {
        let ids: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        let addresses = ids.iter().map(|id| (*id, free_address())).collect();
        let groups = groups.iter().map(|id| GroupOptions::raft(GroupId::new(*id).unwrap(), "counter", &ids)).collect();
        let headers = ids.iter().map(|id| (*id, header)).collect();
        Self { folder: TempDir::new().unwrap(), addresses, groups, headers, running: BTreeMap::new(), data: Data::Folder }
    }

    pub(crate) async fn start_node(&mut self, id: NodeId) {
        let peers =
            self.addresses.iter().filter(|(other, _)| **other != id).map(|(other, address)| (*other, address.to_string())).collect();
        let options = NodeOptions {
            peers,
            cluster: 7,
            header: self.headers[&id],
            timers: Timers::fast(),
            limits: Limits { snapshot_entries: SNAPSHOT_ENTRIES, snapshot_keep_entries: 0, ..Limits::default() },
            groups: self.groups.clone(),
            services: Services::default().with("counter", || Box::new(Counter)),
            data: (self.data)(self.data(id)),
            ..NodeOptions::in_memory(id, self.addresses[&id])
        };
        let launcher = Launcher::bind(self.addresses[&id], options).await.unwrap();
        self.running.insert(id, launcher);
    }

    /// The header that the node speaks with its peers from its next start on.
    pub(crate) fn set_header(&mut self, id: NodeId, header: HeaderPolicy) {
        self.headers.insert(id, header);
    }

    /// The data folder of a node.
    pub(crate) fn data(&self, id: NodeId) -> PathBuf {
        self.folder.path().join(format!("n{id}"))
    }

    pub(crate) fn address(&self, id: NodeId) -> SocketAddr {
        self.addresses[&id]
    }

    pub(crate) async fn stop_node(&mut self, id: NodeId) {
        self.running.remove(&id).unwrap().shutdown(Duration::from_secs(1)).await.unwrap();
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.running.keys().copied().collect()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Launcher {
        &self.running[&id]
    }

    pub(crate) async fn group(&self, node: NodeId, group: i32) -> Group {
        self.running[&node].group(GroupId::new(group).unwrap()).await.unwrap()
    }

    /// The node that leads, once exactly one of the running ones says so and the others agree.
    pub(crate) async fn leader(&self, group: i32) -> NodeId {
        until("a leader that all nodes know", || async {
            let mut leaders = Vec::new();
            for launcher in self.running.values() {
                leaders.push(launcher.handle().group(GroupId::new(group)?).await?.leader?);
            }
            leaders.dedup();
            let [leader] = leaders[..] else { return None };
            self.running.contains_key(&NodeId(leader)).then_some(NodeId(leader))
        })
        .await
    }

    pub(crate) async fn shutdown(mut self) {
        for (_, launcher) in std::mem::take(&mut self.running) {
            launcher.shutdown(Duration::from_secs(1)).await.unwrap();
        }
    }
}

/// Waits until a group has stopped for good.
pub(crate) async fn until_group_failed(group: &Group) {
    until("the group to fail", || async { group.status().await.filter(|status| matches!(status.state, GroupState::Failed { .. })) }).await;
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
