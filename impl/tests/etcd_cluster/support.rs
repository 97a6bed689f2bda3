//! Three nodes in this process, and clients as etcd's are.

use crate::free_port::free_address;
use roadstead::{
    GroupId, NodeId,
    config::{EtcdConfig, Route, Timers},
    launcher::Launcher,
    node::{GroupOptions, NodeOptions},
};
use roadstead_proto::etcdserverpb::{self as pb, kv_client::KvClient};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tonic::{Request, Status, transport::Channel};

/// What has not happened by then counts as failed.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long a node lets a request wait: short, since some tests wait for it.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client may stand still: short, for the same reason, and far longer than a busy machine makes a client stand still.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// Keys under this prefix belong to group 3, all others to group 1.
pub(crate) const ROUTED: &str = "/orders/";

pub(crate) fn group(id: i32) -> GroupId {
    GroupId::new(id).unwrap()
}

pub(crate) struct Cluster {
    folder: TempDir,
    addresses: BTreeMap<NodeId, SocketAddr>,
    running: BTreeMap<NodeId, Launcher>,
}

impl Cluster {
    /// Three nodes with groups 1 and 3, whose leaders are known everywhere.
    pub(crate) async fn start() -> Self {
        let addresses = NODES.map(|id| (id, free_address())).into();
        let mut cluster = Self { folder: TempDir::new().unwrap(), addresses, running: BTreeMap::new() };
        for id in NODES {
            cluster.start_node(id).await;
        }
        for id in [1, 3] {
            cluster.leader(id).await;
        }
        cluster
    }

    pub(crate) async fn start_node(&mut self, id: NodeId) {
        let peers = self.addresses.iter().filter(|(other, _)| **other != id).map(|(other, at)| (*other, at.to_string())).collect();
        let etcd = EtcdConfig { default_group: Some(group(1)), routes: vec![Route { prefix: ROUTED.to_owned(), group: group(3) }] };
        let options = NodeOptions {
            peers,
            cluster: 7,
            timers: Timers { request_timeout: REQUEST_TIMEOUT, read_timeout: READ_TIMEOUT, ..Timers::fast() },
            groups: [1, 3].map(|id| GroupOptions::raft(group(id), "kv", &NODES)).into(),
            etcd,
            ..NodeOptions::new(id, self.addresses[&id], self.folder.path().join(format!("n{id}")))
        };
        self.running.insert(id, Launcher::bind(self.addresses[&id], options).await.unwrap());
    }

    pub(crate) async fn stop_node(&mut self, id: NodeId) {
        self.running.remove(&id).unwrap().shutdown(Duration::from_secs(1)).await.unwrap();
    }

    pub(crate) fn node(&self, id: NodeId) -> &Launcher {
        &self.running[&id]
    }

    pub(crate) fn url(&self, id: NodeId) -> String {
        format!("http://{}", self.addresses[&id])
    }

    pub(crate) fn address(&self, id: NodeId) -> SocketAddr {
        self.addresses[&id]
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self, id: NodeId) -> Channel {
        Channel::from_shared(self.url(id)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn kv(&self, id: NodeId) -> KvClient<Channel> {
        KvClient::new(self.channel(id).await)
    }

    /// The node that leads, once all running ones agree on a running one.
    pub(crate) async fn leader(&self, id: i32) -> NodeId {
        until("a leader that all nodes know", || async {
            let mut leaders = Vec::new();
            for launcher in self.running.values() {
                leaders.push(launcher.handle().group(group(id)).await?.leader?);
            }
            leaders.dedup();
            let [leader] = leaders[..] else { return None };
            self.running.contains_key(&NodeId(leader)).then_some(NodeId(leader))
        })
        .await
    }

    pub(crate) async fn follower(&self, id: i32) -> NodeId {
        let leader = self.leader(id).await;
        NODES.into_iter().find(|node| *node != leader && self.running.contains_key(node)).unwrap()
    }

    pub(crate) async fn shutdown(mut self) {
        for (_, launcher) in std::mem::take(&mut self.running) {
            launcher.shutdown(Duration::from_secs(1)).await.unwrap();
        }
    }
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

pub(crate) fn put(key: &str, value: &str) -> pb::PutRequest {
    pb::PutRequest { key: key.to_owned().into(), value: value.to_owned().into(), ..Default::default() }
}

pub(crate) fn get(key: &str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_owned().into(), ..Default::default() }
}

pub(crate) fn get_range(key: &str, range_end: &str) -> pb::RangeRequest {
    pb::RangeRequest { range_end: range_end.to_owned().into(), ..get(key) }
}

/// With a word of metadata.
pub(crate) fn with<T>(key: &'static str, value: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(key, value.parse().unwrap());
    request
}

/// The keys and values of an answer.
pub(crate) fn pairs(answer: &pb::RangeResponse) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    answer.kvs.iter().map(|kv| (text(&kv.key), text(&kv.value))).collect()
}

/// Code and text of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    format!("{:?} {}", status.code(), status.message())
}
