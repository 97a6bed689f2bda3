//! etcd's v3 gRPC interface, so that etcd's clients and tools work against a group. docs/etcd.md says what is served and what differs.
//!
//! A call is decoded, its group is found ([`keyspace`]), the request is translated ([`translate`]) and handed to the group as any other client's, and the
//! answer is translated back ([`answer`], [`error`]). All of it happens on the node's one thread, in the connection's own task.

mod answer;
mod asked;
mod budget;
mod cluster;
mod error;
mod health;
mod keyspace;
mod kv;
mod maintenance;
mod memory;
mod services;
mod shared;
mod translate;

use self::{keyspace::Keyspace, shared::Shared};
use crate::node::{Data, Handle, NodeOptions};
use std::sync::Arc;

pub(super) use self::{health::router, services::Services};

/// The version that clients are told, who choose by it what they ask for: that of the etcd whose answers the tests compare with ours.
const ETCD_VERSION: &str = "3.4.23";
/// The same for the cluster, which has no patch level.
const ETCD_CLUSTER_VERSION: &str = "3.4.0";

/// What is served; every other method answers *Unimplemented*.
const SERVED: [(&str, &[&str]); 4] = [
    ("etcdserverpb.KV", &["Range", "Put", "DeleteRange", "Txn", "Compact"]),
    ("etcdserverpb.Maintenance", &["Alarm", "Status", "HashKV"]),
    ("etcdserverpb.Cluster", &["MemberList"]),
    ("grpc.health.v1.Health", &["Check"]),
];

/// Serves all of it. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Etcd(Arc<Shared>);

impl Etcd {
    /// For a node with these options.
    pub(super) fn new(handle: Handle, options: &NodeOptions) -> Self {
        let mut kv = options.groups.iter().filter(|group| group.service == KV_SERVICE).map(|group| group.group);
        let only = kv.next().filter(|_| kv.next().is_none());
        let keyspace = Keyspace::new(&options.etcd, only);
        for group in keyspace.groups().filter(|group| !options.groups.iter().any(|here| here.group == *group)) {
            tracing::info!(%group, "keys are routed to a group that the configuration does not name; they are refused while it is not on this node");
        }
        let cluster = options.cluster;
        Self(Arc::new(Shared {
            handle,
            budget: memory::calls(),
            keyspace,
            cluster_id: (cluster >> 64) as u64 ^ cluster as u64,
            member_id: options.node.0.into(),
            timeout: options.timers.request_timeout,
            folder: match &options.data {
                Data::Folder(folder) => Some(folder.clone()),
                Data::Memory => None,
            },
        }))
    }
}

/// Name of the service whose groups can be a default.
const KV_SERVICE: &str = "kv";
