//! Nodes without a disk.

use super::{answer, write_until_done};
use crate::support::{Cluster, SNAPSHOT_ENTRIES, until};
use roadstead::api::types::PeerState;
use roadstead_spec::NodeId;

#[tokio::test]
async fn a_cluster_in_memory_replicates_compacts_and_reads_everywhere() {
    let cluster = Cluster::start_in_memory(3, &[1, 2]).await;
    let leader = cluster.leader(1).await;
    let group = cluster.group(leader, 1).await;
    for sum in 1..=2 * SNAPSHOT_ENTRIES {
        assert_eq!(write_until_done(&group, "add 1").await, sum.to_string());
    }
    for node in cluster.nodes() {
        assert_eq!(answer(cluster.group(node, 1).await.query("get").await), (2 * SNAPSHOT_ENTRIES).to_string());
        assert_eq!(answer(cluster.group(node, 2).await.query("get").await), "0", "the other group heard nothing of it");
    }
    let compacted = || async { (group.status().await?.first > SNAPSHOT_ENTRIES).then_some(()) };
    until("the log to be compacted", compacted).await;
    cluster.shutdown().await;
}

/// It has forgotten its vote, so it must not vote under its old name.
#[tokio::test]
async fn the_successor_of_a_node_in_memory_is_refused() {
    let mut cluster = Cluster::start_in_memory(3, &[1]).await;
    let leader = cluster.leader(1).await;
    assert_eq!(write_until_done(&cluster.group(leader, 1).await, "add 3").await, "3");
    let gone = cluster.nodes().into_iter().find(|node| *node != leader).unwrap();
    cluster.stop_node(gone).await;
    cluster.start_node(gone).await;
    let reason = until("the refusal", || async {
        let status = cluster.node(leader).handle().status().await?;
        let peer = status.peers.into_iter().find(|peer| NodeId(peer.id) == gone)?;
        (peer.state == PeerState::Refused).then_some(peer.reason?)
    })
    .await;
    assert!(reason.contains("it may have forgotten a vote"), "{reason}");
    assert_eq!(write_until_done(&cluster.group(leader, 1).await, "add 4").await, "7", "the other two go on");
    cluster.shutdown().await;
}
