//! Group 0 over connections with the legacy header, between nodes of this release.

use crate::{
    answer,
    support::{self, Cluster, until},
    write_until_done,
};
use roadstead::{
    client::{Client, ClientOptions, Outcome, Rejected},
    config::HeaderPolicy::{Auto, Legacy},
    node::{GroupError, GroupOptions},
    shard::{Rejection, Response},
};
use roadstead_spec::{GroupId, NodeId};

/// Elections, replication, reads and forwarded writes, through every member, whichever header each of them would like to speak.
#[tokio::test]
async fn group_0_works_over_the_legacy_header() {
    for headers in [[Legacy, Legacy, Legacy], [Auto, Legacy, Legacy], [Auto, Auto, Legacy]] {
        let mut cluster = Cluster::start_with(3, &[0], Legacy).await;
        for (node, header) in cluster.nodes().into_iter().zip(headers) {
            if header != Legacy {
                cluster.stop_node(node).await;
                cluster.set_header(node, header);
                cluster.start_node(node).await;
            }
        }
        cluster.leader(0).await;
        let mut sum = 0;
        for node in cluster.nodes() {
            for _ in 0..10 {
                sum += 1;
                assert_eq!(write_until_done(&cluster.group(node, 0).await, "add 1").await, sum.to_string(), "{headers:?}");
            }
            for reader in cluster.nodes() {
                let read = cluster.group(reader, 0).await.query("get").await;
                assert_eq!(answer(read), sum.to_string(), "a linearizable read on node {reader} sees what was acknowledged: {headers:?}");
            }
        }
        let leader = cluster.leader(0).await;
        cluster.stop_node(leader).await;
        let second = cluster.leader(0).await;
        assert_eq!(write_until_done(&cluster.group(second, 0).await, "add 1").await, (sum + 1).to_string());
        cluster.start_node(leader).await;
        let returned = cluster.group(leader, 0).await;
        let caught_up = || async { (answer(returned.query_stale("get").await) == (sum + 1).to_string()).then_some(()) };
        until("the returned node to catch up", caught_up).await;
        cluster.shutdown().await;
    }
}

#[tokio::test]
async fn a_snapshot_travels_over_the_legacy_header() {
    let mut cluster = Cluster::start_with(3, &[0], Legacy).await;
    let leader = cluster.leader(0).await;
    let away = cluster.nodes().into_iter().find(|node| *node != leader).unwrap();
    cluster.stop_node(away).await;
    let group = cluster.group(leader, 0).await;
    for _ in 0..support::SNAPSHOT_ENTRIES * 2 {
        write_until_done(&group, "add 1").await;
    }
    let sum = answer(group.query("get").await);
    group.snapshot().await.unwrap();
    let first = until("the leader to compact its log", || async { group.status().await.map(|s| s.first).filter(|first| *first > 5) }).await;
    cluster.start_node(away).await;
    let returned = cluster.group(away, 0).await;
    until("the snapshot to be installed", || async { (answer(returned.query_stale("get").await) == sum).then_some(()) }).await;
    let status = returned.status().await.unwrap();
    assert!(status.first >= first, "it got the entries by snapshot, not by log: {status:?}");
    assert_eq!(write_until_done(&returned, "add 0").await, sum, "and the group goes on");
    cluster.shutdown().await;
}

/// Version 0 cannot tell a group's lives apart, so group 0 gets no second one while it is spoken.
#[tokio::test]
async fn group_0_is_not_created_anew_while_a_peer_speaks_legacy() {
    for (ours, theirs, word) in [(Auto, Legacy, "switch node 2"), (Legacy, Auto, "on this node")] {
        let mut cluster = Cluster::prepare(2, &[0], theirs);
        cluster.set_header(NodeId(1), ours);
        for node in [1, 2] {
            cluster.start_node(NodeId(node)).await;
        }
        cluster.leader(0).await;
        let node = cluster.node(NodeId(1));
        node.remove_group(GroupId::DEFAULT).await.unwrap();
        let again = GroupOptions { generation: 2, ..GroupOptions::raft(GroupId::DEFAULT, "counter", &[NodeId(1), NodeId(2)]) };
        let refused = node.add_group_of_service(again).await.unwrap_err();
        assert!(matches!(refused, GroupError::PeerIsLegacy { .. }) && refused.to_string().contains(word), "{refused}");
        cluster.shutdown().await;
    }
}

/// Goal: a later life of group 0 neither hears nor helps a peer that speaks the legacy header and is still in the first one, though that peer was away when
/// the life began. Method: node 2 comes back with the first life; alone it is no quorum of it, and must not become one by the vote of node 1's later life.
#[tokio::test]
async fn a_later_life_of_group_0_hears_nothing_over_the_legacy_header() {
    let mut cluster = Cluster::prepare(2, &[0], Legacy);
    cluster.set_header(NodeId(1), Auto);
    for node in [1, 2] {
        cluster.start_node(NodeId(node)).await;
    }
    cluster.leader(0).await;
    cluster.stop_node(NodeId(2)).await;
    cluster.node(NodeId(1)).remove_group(GroupId::DEFAULT).await.unwrap();
    let again = GroupOptions { generation: 2, ..GroupOptions::raft(GroupId::DEFAULT, "counter", &[NodeId(1), NodeId(2)]) };
    let create = || async { cluster.node(NodeId(1)).add_group_of_service(again.clone()).await.ok() };
    until("node 1 to notice that node 2 is away", create).await;
    cluster.start_node(NodeId(2)).await;
    let asked = || async {
        for node in [1, 2] {
            let status = cluster.group(NodeId(node), 0).await.status().await;
            let leader = status.expect("group 0 runs there").leader;
            assert_eq!(leader, None, "node {node}: two lives of a group have elected a leader together");
        }
        let refused = cluster.node(NodeId(1)).handle().observe().await.expect("node 1 runs").counters.malformed;
        (refused >= 3).then_some(())
    };
    until("node 1 to refuse what node 2 asks in the first life", asked).await;
    cluster.shutdown().await;
}

/// Version 0 has no room for another group: it is refused by name wherever one meets it, and works once its peers are switched.
#[tokio::test]
async fn other_groups_over_the_legacy_header_are_refused_by_name() {
    let mut cluster = Cluster::start_with(3, &[0, 7], Legacy).await;
    cluster.leader(0).await;
    let seven = cluster.group(NodeId(1), 7).await;
    let why = until("the refusal by name", || async {
        match seven.write("add 1").await {
            Response::Rejected(Rejection::PeerIsLegacy(why)) => Some(why),
            Response::Rejected(_) => None, // before the connections stand
            other => panic!("group 7 has no way to its members: {other:?}"),
        }
    })
    .await;
    assert!(why.contains("PeerIsLegacy: nodes 2, 3 speak the legacy header"), "{why}");
    assert!(matches!(seven.query("get").await, Response::Rejected(Rejection::PeerIsLegacy(_))), "nor is it read");
    let status = seven.status().await.unwrap();
    assert!(status.unavailable.as_ref().is_some_and(|why| why.contains("PeerIsLegacy")), "{status:?}");
    let client = Client::new(ClientOptions::of([1, 2, 3].map(|id| cluster.address(NodeId(id)).to_string())));
    let outcome = client.group(GroupId::new(7).unwrap()).write("add 1").await;
    let Outcome::Rejected { reason: Rejected::PeerIsLegacy { why, .. } } = outcome else { panic!("refused by name: {outcome:?}") };
    assert!(why.contains("docs/operate.md"), "{why}");
    let zero = client.group(GroupId::DEFAULT).write("add 5").await;
    assert!(
        matches!(&zero, Outcome::Committed { answer, .. } if answer == "5"),
        "group 0 is not disturbed, nor did it get group 7's: {zero:?}"
    );
    for node in cluster.nodes() {
        cluster.stop_node(node).await;
        cluster.set_header(node, Auto);
        cluster.start_node(node).await;
    }
    cluster.leader(7).await;
    assert_eq!(write_until_done(&cluster.group(NodeId(1), 7).await, "add 1").await, "1", "group 7 begins empty");
    assert_eq!(answer(cluster.group(NodeId(1), 0).await.query("get").await), "5");
    cluster.shutdown().await;
}
