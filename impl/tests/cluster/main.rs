//! Nodes in one process, on real sockets and real disks.

mod dumps;
#[path = "../free_port/mod.rs"]
mod free_port;
mod legacy;
mod legacy_wire;
mod memory;
#[path = "../../../spec/tests/nuraft_frames/mod.rs"]
mod nuraft_frames;
mod support;

use roadstead::{
    launcher::Group,
    node::{GroupError, GroupOptions},
    shard::Response,
    store::RegistryError,
};
use roadstead_spec::{GroupId, NodeId};
use std::time::Duration;
use support::{Cluster, Counter, until};

fn answer(response: Response) -> String {
    match response {
        Response::Committed { answer, .. } | Response::Answered { answer, .. } => String::from_utf8(answer.to_vec()).unwrap(),
        other => panic!("neither committed nor answered: {other:?}"),
    }
}

/// Writes until it is acknowledged; only for writes whose repetition the test can tell.
async fn write_until_done(group: &Group, command: &'static str) -> String {
    until("an acknowledged write", || async {
        match group.write(command).await {
            response @ Response::Committed { .. } => Some(answer(response)),
            Response::Rejected(_) => None,
            other => panic!("the outcome of {command:?} is open: {other:?}"),
        }
    })
    .await
}

#[tokio::test]
async fn a_write_is_replicated_and_read_back_through_every_node() {
    let cluster = Cluster::start(3, &[1, 2]).await;
    for group in [1, 2] {
        let leader = cluster.leader(group).await;
        assert_eq!(answer(cluster.group(leader, group).await.write("add 5").await), "5");
        for node in cluster.nodes() {
            let read = cluster.group(node, group).await.query("get").await;
            assert_eq!(answer(read), "5", "a linearizable read on node {node} sees the acknowledged write");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_follower_passes_writes_on_to_the_leader() {
    let cluster = Cluster::start(3, &[1]).await;
    let leader = cluster.leader(1).await;
    for (follower, sum) in cluster.nodes().into_iter().filter(|node| *node != leader).zip(["1", "2"]) {
        assert_eq!(write_until_done(&cluster.group(follower, 1).await, "add 1").await, sum);
    }
    cluster.shutdown().await;
}

#[tokio::test]
async fn the_others_go_on_without_the_leader_and_it_catches_up() {
    let mut cluster = Cluster::start(3, &[1]).await;
    let first = cluster.leader(1).await;
    assert_eq!(answer(cluster.group(first, 1).await.write("add 1").await), "1");
    cluster.stop_node(first).await;
    let second = cluster.leader(1).await;
    assert_eq!(write_until_done(&cluster.group(second, 1).await, "add 10").await, "11");
    cluster.start_node(first).await;
    let group = cluster.group(first, 1).await;
    until("the returned node to catch up", || async { (answer(group.query_stale("get").await) == "11").then_some(()) }).await;
    cluster.shutdown().await;
}

/// Whoever becomes the leader may hold a read that it had passed on to the one before.
#[tokio::test]
async fn reads_on_followers_outlive_their_leader() {
    for _ in 0..4 {
        let mut cluster = Cluster::start(3, &[1]).await;
        let leader = cluster.leader(1).await;
        assert_eq!(write_until_done(&cluster.group(leader, 1).await, "add 2").await, "2");
        let mut followers = cluster.nodes();
        followers.retain(|node| *node != leader);
        let [first, second] = followers[..] else { panic!("three nodes") };
        let (first, second) = (cluster.group(first, 1).await, cluster.group(second, 1).await);
        let stopping = cluster.stop_node(leader);
        let reads = async {
            for _ in 0..20 {
                let (one, two) = tokio::join!(first.query("get"), second.query("get"));
                assert_eq!((answer(one), answer(two)), ("2".to_owned(), "2".to_owned()));
            }
        };
        tokio::join!(stopping, reads);
        cluster.shutdown().await;
    }
}

#[tokio::test]
async fn a_follower_that_was_away_for_longer_than_the_log_reaches_gets_a_snapshot() {
    let mut cluster = Cluster::start(3, &[1]).await;
    let leader = cluster.leader(1).await;
    let away = cluster.nodes().into_iter().find(|node| *node != leader).unwrap();
    cluster.stop_node(away).await;
    let group = cluster.group(leader, 1).await;
    for _ in 0..support::SNAPSHOT_ENTRIES * 2 {
        write_until_done(&group, "add 1").await;
    }
    let sum = answer(group.query("get").await);
    group.snapshot().await.unwrap();
    let first = until("the leader to compact its log", || async { group.status().await.map(|s| s.first).filter(|first| *first > 5) }).await;
    cluster.start_node(away).await;
    let returned = cluster.group(away, 1).await;
    until("the snapshot to be installed", || async { (answer(returned.query_stale("get").await) == sum).then_some(()) }).await;
    let status = returned.status().await.unwrap();
    assert!(status.first >= first, "it got the entries by snapshot, not by log: {status:?}");
    assert_eq!(write_until_done(&group, "add 0").await, sum, "and the group goes on");
    cluster.stop_node(away).await;
    cluster.start_node(away).await;
    let again = cluster.group(away, 1).await;
    until("the installed state to survive a restart", || async { (answer(again.query_stale("get").await) == sum).then_some(()) }).await;
    cluster.shutdown().await;
}

#[tokio::test]
async fn groups_come_and_go_at_run_time_and_survive_a_restart() {
    let mut cluster = Cluster::start(3, &[1]).await;
    let options = GroupOptions::raft(GroupId::new(i32::MAX).unwrap(), "counter", &cluster.nodes());
    for node in cluster.nodes() {
        cluster.node(node).add_group_of_service(options.clone()).await.unwrap();
    }
    let leader = cluster.leader(i32::MAX).await;
    assert_eq!(write_until_done(&cluster.group(leader, i32::MAX).await, "add 3").await, "3");
    cluster.stop_node(leader).await;
    cluster.start_node(leader).await;
    let returned = cluster.group(leader, i32::MAX).await;
    until("the group to be there after a restart", || async { (answer(returned.query_stale("get").await) == "3").then_some(()) }).await;

    for node in cluster.nodes() {
        cluster.node(node).remove_group(options.group).await.unwrap();
        assert!(cluster.node(node).group(options.group).await.is_none());
        assert_eq!(cluster.node(node).remove_group(options.group).await, Err(GroupError::NoSuchGroup(options.group)));
    }
    cluster.stop_node(leader).await;
    cluster.start_node(leader).await;
    let node = cluster.node(leader);
    assert!(node.group(options.group).await.is_none(), "a removed group stays removed");
    let refused = node.add_group_of_service(options.clone()).await.unwrap_err();
    assert!(matches!(refused, GroupError::Registry { reason: RegistryError::Removed { .. }, .. }), "{refused}");
    let reborn = GroupOptions { generation: 2, ..options };
    let born = node.add_group_of_service(reborn).await.unwrap();
    assert_eq!(answer(born.query_stale("get").await), "0", "a new generation begins empty");
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_group_alone_on_one_node_needs_nobody() {
    let cluster = Cluster::start(1, &[0]).await;
    let group = cluster.group(NodeId(1), 0).await;
    for sum in ["1", "2", "3"] {
        assert_eq!(write_until_done(&group, "add 1").await, sum);
    }
    assert_eq!(answer(group.query("get").await), "3");
    cluster.shutdown().await;
}

#[tokio::test]
async fn a_group_brings_its_own_state_machine_and_claims_it_after_a_restart() {
    let mut cluster = Cluster::start(1, &[]).await;
    let options = GroupOptions::raft(GroupId::new(5).unwrap(), "of the embedder", &[NodeId(1)]);
    let group = cluster.node(NodeId(1)).add_group(options.clone(), Counter).await.unwrap();
    assert_eq!(write_until_done(&group, "add 4").await, "4");
    cluster.stop_node(NodeId(1)).await;
    cluster.start_node(NodeId(1)).await;
    let node = cluster.node(NodeId(1));
    assert!(node.group(options.group).await.is_none(), "it waits for its state machine");
    let other = GroupOptions { generation: 2, ..options.clone() };
    assert!(matches!(node.add_group(other, Counter).await, Err(GroupError::Differs { key: "generation", .. })));
    let group = node.add_group(options, Counter).await.unwrap();
    assert_eq!(answer(group.query("get").await), "4");
    cluster.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_a_group_is_refused_and_changes_nothing() {
    let cluster = Cluster::start(1, &[1]).await;
    let node = cluster.node(NodeId(1));
    let id = GroupId::new(9).unwrap();
    let with = |members: &[u32], service: &str| GroupOptions::raft(id, service, &members.iter().map(|id| NodeId(*id)).collect::<Vec<_>>());
    for (options, word) in [
        (with(&[1, 2], "counter"), "member 2 has no address"),
        (with(&[2], "counter"), "not among the members"),
        (with(&[], "counter"), "1 to 7 voters"),
        (with(&[1, 1], "counter"), "twice"),
        (with(&[1], "no such service"), "no service"),
        (GroupOptions { group: GroupId::new(1).unwrap(), ..with(&[1], "counter") }, "exists already"),
    ] {
        let error = node.add_group_of_service(options).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error:?} should say {word:?}");
    }
    assert_eq!(node.groups().await.len(), 1);
    tokio::time::timeout(Duration::from_secs(10), cluster.shutdown()).await.unwrap();
}
