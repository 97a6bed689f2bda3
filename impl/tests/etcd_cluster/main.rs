//! etcd's interface of a cluster: any node serves, groups are chosen by key or by name, and what goes wrong is said in etcd's words.

#[path = "../free_port/mod.rs"]
mod free_port;
mod support;

use roadstead::{
    node::GroupOptions,
    service::kv::{self, Answer, Request, SWEEP_COMMAND_MAX, SweepResponse, TXN_OPS_MAX, decode},
    shard::Response,
};
use roadstead_proto::{
    etcdserverpb::{
        self as pb, auth_client::AuthClient, cluster_client::ClusterClient, lease_client::LeaseClient,
        maintenance_client::MaintenanceClient, watch_client::WatchClient,
    },
    health::{HealthCheckRequest, health_client::HealthClient},
};
use std::time::{Duration, Instant};
use support::{Cluster, NODES, READ_TIMEOUT, REQUEST_TIMEOUT, ROUTED, get, get_range, group, pairs, put, refusal, until, with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{IntoRequest, transport::Channel};

/// Goal: a client need not know who leads. Method: write through each node, read through each other one, at once.
#[tokio::test]
async fn any_node_serves_reads_and_writes() {
    let cluster = Cluster::start().await;
    let term = cluster.node(NODES[0]).handle().group(group(1)).await.unwrap().epoch;
    for writer in NODES {
        let written = cluster.kv(writer).await.put(put("key", &writer.to_string())).await.unwrap().into_inner().header.unwrap();
        assert_eq!((written.member_id, written.raft_term), (writer.0.into(), term));
        for reader in NODES {
            let read = cluster.kv(reader).await.range(get("key")).await.unwrap().into_inner();
            assert_eq!(pairs(&read), [("key".to_owned(), writer.to_string())]);
            let header = read.header.unwrap();
            assert_eq!((header.cluster_id, header.member_id, header.raft_term), (written.cluster_id, reader.0.into(), term));
            assert!(header.revision >= written.revision);
        }
    }
    cluster.shutdown().await;
}

/// Goal: without a quorum a member still tells what it has, and says in etcd's words what it cannot do.
#[tokio::test]
async fn a_lone_member_answers_serializable_reads_only() {
    let mut cluster = Cluster::start().await;
    let last = cluster.follower(1).await;
    let mut kv = cluster.kv(last).await;
    kv.put(put("key", "value")).await.unwrap();
    kv.range(get("key")).await.unwrap(); // it has applied the write, too
    for id in NODES.into_iter().filter(|id| *id != last) {
        cluster.stop_node(id).await;
    }
    let serializable = pb::RangeRequest { serializable: true, ..get("key") };
    assert_eq!(pairs(kv.range(serializable.clone()).await.unwrap().get_ref()), [("key".to_owned(), "value".to_owned())]);
    let op = |range| pb::RequestOp { request: Some(pb::request_op::Request::RequestRange(range)) };
    let txn = |range| pb::TxnRequest { success: vec![op(range)], ..Default::default() };
    kv.txn(txn(serializable)).await.unwrap();

    let unavailable = ["Unavailable etcdserver: no leader", "Unavailable etcdserver: request timed out"];
    for answer in [refusal(kv.range(get("key")).await), refusal(kv.put(put("key", "2")).await), refusal(kv.txn(txn(get("key"))).await)] {
        assert!(unavailable.contains(&&*answer), "{answer}");
    }
    until("the member to notice that nobody leads", || async {
        let status = cluster.node(last).handle().group(group(1)).await.unwrap();
        status.leader.is_none().then_some(())
    })
    .await;
    let begun = Instant::now();
    assert_eq!(refusal(kv.put(with("hasleader", "true", put("key", "2"))).await), unavailable[0]);
    assert!(begun.elapsed() < REQUEST_TIMEOUT, "who requires a leader does not wait for one");
    // The client's own deadline holds, too.
    let mut patient = put("key", "2").into_request();
    patient.set_timeout(REQUEST_TIMEOUT / 4);
    assert!(kv.put(patient).await.is_err());
    assert!(begun.elapsed() < REQUEST_TIMEOUT);
    cluster.shutdown().await;
}

/// Goal: a client of a follower outlives the leader; nothing that was acknowledged is lost, and what failed is *Unavailable*.
#[tokio::test]
async fn clients_outlive_the_leader() {
    let mut cluster = Cluster::start().await;
    let (leader, follower) = (cluster.leader(1).await, cluster.follower(1).await);
    let mut kv = cluster.kv(follower).await;
    let writes = |count: usize, from: usize| {
        let mut kv = kv.clone();
        async move {
            let mut acknowledged = Vec::new();
            for number in from..from + count {
                match kv.put(put(&format!("k{number:04}"), "v")).await {
                    Ok(_) => acknowledged.push(number),
                    Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status}"),
                }
            }
            acknowledged
        }
    };
    let mut acknowledged = writes(50, 0).await;
    assert_eq!(acknowledged.len(), 50);
    let (stopped, during) = tokio::join!(cluster.stop_node(leader), writes(50, 50));
    let () = stopped;
    acknowledged.extend(during);
    acknowledged.extend(writes(50, 100).await);
    assert!(acknowledged.iter().any(|number| *number >= 100), "the others go on");
    let all = kv.range(get_range("k", "l")).await.unwrap().into_inner();
    let found: Vec<String> = pairs(&all).into_iter().map(|(key, _)| key).collect();
    assert!(acknowledged.iter().all(|number| found.contains(&format!("k{number:04}"))));
    cluster.shutdown().await;
}

/// Goal: keys find their group, requests over two are refused by name, and metadata overrides all of it.
#[tokio::test]
async fn groups_are_chosen_by_key_or_by_name() {
    let cluster = Cluster::start().await;
    let mut kv = cluster.kv(NODES[0]).await;
    kv.put(put("/orders/1", "routed")).await.unwrap();
    kv.put(put("other", "default")).await.unwrap();
    kv.put(with("roadstead-group", "1", put("/orders/1", "by name"))).await.unwrap();
    for (id, value) in [("3", "routed"), ("1", "by name")] {
        let read = kv.range(with("roadstead-group", id, get("/orders/1"))).await.unwrap();
        assert_eq!(pairs(read.get_ref())[0].1, value);
    }
    assert_eq!(pairs(kv.range(get_range(ROUTED, "/orders0")).await.unwrap().get_ref()), [("/orders/1".to_owned(), "routed".to_owned())]);

    let everything = || get_range("\0", "\0");
    let spans = |first: &str, second: &str| {
        format!(
            "InvalidArgument roadstead: the request spans group 1 ({first}) and group 3 ({second}); send one request to each, or name the group that is \
             to serve all of it in the request's metadata, as roadstead-group"
        )
    };
    assert_eq!(refusal(kv.range(everything()).await), spans("key \"\\x00\"", "keys from \"/orders/\""));
    let all = pb::DeleteRangeRequest { key: vec![0].into(), range_end: vec![0].into(), prev_kv: false };
    assert_eq!(refusal(kv.delete_range(all).await), spans("key \"\\x00\"", "keys from \"/orders/\""));
    let op = |request| pb::RequestOp { request: Some(request) };
    let inner = pb::TxnRequest { success: vec![op(pb::request_op::Request::RequestPut(put("/orders/2", "x")))], ..Default::default() };
    let nested = pb::TxnRequest {
        compare: vec![pb::Compare { key: "other".into(), ..Default::default() }],
        failure: vec![op(pb::request_op::Request::RequestTxn(inner))],
        ..Default::default()
    };
    assert_eq!(refusal(kv.txn(nested.clone()).await), spans("key \"other\"", "key \"/orders/2\""));
    kv.txn(with("roadstead-group", "1", nested)).await.unwrap();
    assert_eq!(kv.range(with("roadstead-group", "1", everything())).await.unwrap().get_ref().count, 3);

    let absent = "NotFound roadstead: group 9 is not on this node; ask one of its members (`roadstead group list` shows what is where)";
    assert_eq!(refusal(kv.range(with("roadstead-group", "9", get("a"))).await), absent);
    assert!(refusal(kv.range(with("roadstead-group", "nine", get("a"))).await).starts_with("InvalidArgument roadstead: roadstead-group: "));
    // A group that comes at run time is served as soon as it is there.
    for id in NODES {
        cluster.node(id).add_group_of_service(GroupOptions::raft(group(9), "kv", &NODES)).await.unwrap();
    }
    kv.put(with("roadstead-group", "9", put("a", "1"))).await.unwrap();
    kv.range(with("roadstead-group", "9", get("a"))).await.unwrap(); // this node has applied it
    let mut maintenance = MaintenanceClient::new(cluster.channel(NODES[0]).await);
    let nine = maintenance.status(with("roadstead-group", "9", pb::StatusRequest {})).await.unwrap().into_inner();
    assert_eq!(nine.header.unwrap().revision, 2);
    cluster.shutdown().await;
}

/// Goal: many small calls at once on one connection do not look like an attack to HTTP/2. Method: as many as a connection may have, again and again.
#[tokio::test]
async fn one_connection_carries_a_thousand_calls_at_once() {
    let cluster = Cluster::start().await;
    let kv = cluster.kv(cluster.leader(1).await).await;
    for streams in [256, 1024] {
        let mut calls = tokio::task::JoinSet::new();
        for client in 0..streams {
            let mut kv = kv.clone();
            calls.spawn(async move {
                for round in 0..3 {
                    let key = format!("c{client}");
                    kv.put(put(&key, &round.to_string())).await.unwrap();
                    assert_eq!(pairs(kv.range(get(&key)).await.unwrap().get_ref()), [(key, round.to_string())]);
                }
            });
        }
        while let Some(done) = calls.join_next().await {
            done.unwrap();
        }
    }
    cluster.shutdown().await;
}

/// Goal: a message that is too large is refused before memory is taken for it, and costs the connection nothing else.
#[tokio::test]
async fn a_message_that_is_too_large_is_refused_alone() {
    let cluster = Cluster::start().await;
    let mut kv = cluster.kv(NODES[0]).await;
    let large = |bytes: usize| pb::PutRequest { key: "k".into(), value: vec![0; bytes].into(), ..Default::default() };
    assert_eq!(refusal(kv.put(large(1600 << 10)).await), "InvalidArgument etcdserver: request is too large");
    assert_eq!(refusal(kv.put(large(3 << 20)).await), "ResourceExhausted grpc: received message larger than max (3145736 vs. 2097152)");
    kv.put(large(1500 << 10)).await.unwrap();
    assert_eq!(kv.range(get("k")).await.unwrap().get_ref().kvs[0].value.len(), 1500 << 10);
    cluster.shutdown().await;
}

/// Goal: a client that stands still is let go, with all that the node holds for it. Method: one that speaks HTTP/2 and never answers a ping; one that only
/// waits meanwhile is served afterwards.
#[tokio::test]
async fn a_client_that_stands_still_is_let_go() {
    let cluster = Cluster::start().await;
    let mut waiting = cluster.kv(NODES[0]).await;
    let mut still = TcpStream::connect(cluster.address(NODES[0])).await.unwrap();
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    still.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &empty_settings[..]].concat()).await.unwrap();
    let begun = Instant::now();
    let mut received = Vec::new();
    tokio::time::timeout(8 * READ_TIMEOUT, still.read_to_end(&mut received)).await.expect("the node closes the connection").unwrap();
    assert!(begun.elapsed() >= READ_TIMEOUT && !received.is_empty());
    waiting.put(put("a", "1")).await.unwrap();
    cluster.shutdown().await;
}

/// Goal: what is not served says so at once, and login as an etcd without authentication does.
#[tokio::test]
async fn what_is_not_served_says_so() {
    let cluster = Cluster::start().await;
    let channel = cluster.channel(NODES[0]).await;
    let watched = WatchClient::new(channel.clone()).watch(tokio_stream_of(pb::WatchRequest::default())).await;
    assert_eq!(refusal(watched), "Unimplemented roadstead does not serve etcdserverpb.Watch/Watch");
    let granted = LeaseClient::new(channel.clone()).lease_grant(pb::LeaseGrantRequest::default()).await;
    assert_eq!(refusal(granted), "Unimplemented roadstead does not serve etcdserverpb.Lease/LeaseGrant");
    let added = ClusterClient::new(channel.clone()).member_add(pb::MemberAddRequest::default()).await;
    assert_eq!(refusal(added), "Unimplemented roadstead does not serve etcdserverpb.Cluster/MemberAdd");
    let mut auth = AuthClient::new(channel.clone());
    let not_enabled = "FailedPrecondition etcdserver: authentication is not enabled";
    assert_eq!(refusal(auth.authenticate(pb::AuthenticateRequest::default()).await), not_enabled);
    assert_eq!(refusal(auth.auth_status(pb::AuthStatusRequest {}).await), not_enabled);
    assert_eq!(
        refusal(auth.user_list(pb::AuthUserListRequest {}).await),
        "Unimplemented roadstead does not serve etcdserverpb.Auth/UserList"
    );
    cluster.shutdown().await;
}

/// One message and then nothing, as a stream.
fn tokio_stream_of<T: Send + 'static>(message: T) -> impl tonic::IntoStreamingRequest<Message = T> {
    tonic::codegen::tokio_stream::once(message)
}

/// Goal: members, hashes, status and health say how things are. Method: compare what the nodes say with each other and with the cluster.
#[tokio::test]
async fn maintenance_tells_how_things_are() {
    let cluster = Cluster::start().await;
    let leader = cluster.leader(1).await;
    cluster.kv(leader).await.put(put("a", "1")).await.unwrap();
    let mut hashes = Vec::new();
    for id in NODES {
        let channel = cluster.channel(id).await;
        cluster.kv(id).await.range(get("a")).await.unwrap(); // it has applied the write
        hashes.push(hash(&channel, 2).await);
        let status = MaintenanceClient::new(channel.clone()).status(pb::StatusRequest {}).await.unwrap().into_inner();
        assert_eq!((status.leader, status.version.as_str(), status.errors.len()), (leader.0.into(), "3.4.23", 0));
        assert!(status.db_size > 0 && status.raft_index >= 2 && status.raft_applied_index >= 2 && status.raft_term >= 1);
        let listed = ClusterClient::new(channel.clone()).member_list(pb::MemberListRequest::default()).await.unwrap().into_inner();
        assert_eq!(listed.members.iter().map(|member| member.id).collect::<Vec<_>>(), [1, 2, 3]);
        let urls: Vec<String> = listed.members.iter().flat_map(|member| member.peer_ur_ls.clone()).collect();
        assert_eq!(urls, NODES.map(|id| cluster.url(id)));
        let mut health = HealthClient::new(channel.clone());
        assert_eq!(health.check(HealthCheckRequest::default()).await.unwrap().get_ref().status, 1);
        let unknown = HealthCheckRequest { service: "nonsense".into() };
        assert_eq!(refusal(health.check(unknown).await), "NotFound unknown service");
        let alarms = MaintenanceClient::new(channel).alarm(pb::AlarmRequest::default()).await.unwrap().into_inner();
        assert_eq!((alarms.alarms.len(), alarms.header.unwrap().revision), (0, 2));
    }
    assert!(hashes.iter().all(|other| *other == hashes[0]), "{hashes:?}");
    cluster.shutdown().await;
}

async fn hash(channel: &Channel, revision: i64) -> u32 {
    let mut maintenance = MaintenanceClient::new(channel.clone());
    maintenance.hash_kv(pb::HashKvRequest { revision }).await.unwrap().get_ref().hash
}

/// Goal: physical compaction answers when the superseded data is gone. Method: more of it than two sweeps remove; then a sweep leaves nothing.
#[tokio::test]
async fn physical_compaction_waits_until_the_data_is_gone() {
    const TXNS: usize = 2 * SWEEP_COMMAND_MAX / TXN_OPS_MAX + 20;
    let cluster = Cluster::start().await;
    let mut kv = cluster.kv(cluster.leader(1).await).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..TXNS {
        let op = |key: usize| pb::RequestOp { request: Some(pb::request_op::Request::RequestPut(put(&format!("k{key:03}"), "v"))) };
        let txn = pb::TxnRequest { success: (0..TXN_OPS_MAX).map(op).collect(), ..Default::default() };
        let mut kv = kv.clone();
        calls.spawn(async move { kv.txn(txn).await.unwrap() });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let revision = 1 + TXNS as i64;
    kv.compact(pb::CompactionRequest { revision, physical: true }).await.unwrap();
    let group = cluster.node(NODES[0]).group(group(1)).await.unwrap().with_timeout(Duration::from_secs(10));
    let Response::Committed { answer, .. } = group.write(Request::Sweep.encode()).await else { panic!("a sweep is a write") };
    let swept: Answer = decode(&answer).unwrap();
    assert_eq!(swept, Ok(kv::Response::Sweep(SweepResponse { revision, pending: false })));
    cluster.shutdown().await;
}
