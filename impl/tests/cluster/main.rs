//! Three nodes in one process, on real sockets and real disks.

mod support;

use roadstead::shard::Response;
use support::Cluster;

#[tokio::test]
async fn a_write_is_replicated_and_read_back_through_every_node() {
    let cluster = Cluster::start(3, &[1, 2]).await;
    for group in [1, 2] {
        let leader = cluster.leader(group).await;
        let response = cluster.write(leader, group, b"add 5").await;
        let Response::Committed { answer, .. } = response else { panic!("not committed: {response:?}") };
        assert_eq!(&answer[..], b"5");
        for node in cluster.nodes() {
            let response = cluster.query(node, group, b"get").await;
            let Response::Answered { answer, .. } = response else { panic!("not answered by node {node}: {response:?}") };
            assert_eq!(&answer[..], b"5", "a linearizable read on node {node} sees the acknowledged write");
        }
    }
    cluster.shutdown().await;
}
