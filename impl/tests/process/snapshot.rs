//! A follower that was away for longer than the log reaches back, and transfers that break off in the middle.

use crate::{
    cluster::{Cluster, until},
    writers::{Load, kv},
};
use roadstead::service::kv::PutRequest;
use std::time::Duration;

/// Logs that are soon compacted, chunks that take many round trips.
const LIMITS: &str =
    "[limits]\nsnapshot_entries = 100\nsnapshot_keep_entries = 5\nsnapshot_chunk_bytes = 4096\nsnapshot_window_bytes = 16384";
const VALUE_BYTES: usize = 16 << 10;
const VALUES: usize = 300;
/// Close to the largest command of the key-value service.
const HUGE_BYTES: usize = 1_500_000;

/// A cluster of which one member, the returned one, has missed more than the logs of the others reach back. Its transfer takes over a thousand chunks.
fn with_a_member_far_behind(load: &mut Load, cluster: &mut Cluster) -> u32 {
    load.start();
    load.acknowledged(20);
    let away = cluster.follower(1);
    cluster.node(away).kill();
    let kv = kv(&cluster.client(Duration::from_secs(20)), 1);
    for n in 0..VALUES {
        load.block_on(kv.put(PutRequest::new(format!("large/{n}"), vec![n as u8; VALUE_BYTES]))).unwrap();
    }
    // One item is larger than a chunk and than an ordinary frame.
    load.block_on(kv.put(PutRequest::new("huge", vec![7; HUGE_BYTES]))).unwrap();
    let missed = until("the others to compact their logs", || {
        let first = |id: u32| cluster.nodes[id as usize - 1].group(1)?["first"].as_u64();
        let firsts: Option<Vec<u64>> = [1, 2, 3].into_iter().filter(|id| *id != away).map(first).collect();
        firsts.filter(|firsts| firsts.iter().all(|first| *first > VALUES as u64 / 2))
    });
    assert_eq!(missed.len(), 2);
    away
}

/// Waits until the leader feeds a member by snapshot and that has not taken it in: the transfer is under way.
fn wait_for_transfer(cluster: &Cluster, to: u32) -> u32 {
    until("a transfer under way", || {
        let leader = cluster.nodes.iter().find_map(|node| {
            let group = node.group(1)?;
            let progress = group["progress"].as_array()?;
            progress.iter().any(|member| member["node"] == to && member["flow"] == "snapshot").then_some(node.id)
        })?;
        let applied = cluster.nodes[to as usize - 1].group(1)?["applied"].as_u64()?;
        (applied < VALUES as u64 / 2).then_some(leader)
    })
}

#[test]
fn a_member_that_missed_more_than_the_log_holds_gets_a_snapshot_under_load() {
    let mut cluster = Cluster::start(&[1], LIMITS);
    let mut load = Load::new(&cluster, &[1], 2, Duration::from_secs(5));
    let away = with_a_member_far_behind(&mut load, &mut cluster);
    cluster.node(away).start();
    let node = &cluster.nodes[away as usize - 1];
    until("the snapshot to be installed", || node.group(1)?["first"].as_u64().filter(|first| *first > VALUES as u64 / 2));
    load.acknowledged(50);
    load.stop();
    cluster.wait_until_level();
    cluster.node(away).kill();
    cluster.node(away).start();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_transfer_survives_kill_9_of_the_receiver_and_of_the_sender() {
    let mut cluster = Cluster::start(&[1], LIMITS);
    let mut load = Load::new(&cluster, &[1], 2, Duration::from_secs(5));
    let away = with_a_member_far_behind(&mut load, &mut cluster);
    for _ in 0..2 {
        cluster.node(away).start();
        wait_for_transfer(&cluster, away);
        cluster.node(away).kill();
    }
    cluster.node(away).start();
    let sender = wait_for_transfer(&cluster, away);
    cluster.node(sender).kill();
    load.acknowledged(20); // the third one leads now; whether the receiver votes does not depend on its snapshot
    cluster.node(sender).start();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
    let kv = kv(&cluster.client(Duration::from_secs(20)), 1);
    for id in [1, 2, 3].into_iter().filter(|id| *id != away) {
        cluster.node(id).kill();
        cluster.node(id).start();
        let last = load.block_on(kv.get(format!("large/{}", VALUES - 1))).unwrap();
        assert_eq!(last.as_deref(), Some(&[(VALUES - 1) as u8; VALUE_BYTES][..]));
        assert_eq!(load.block_on(kv.get("huge")).unwrap().map(|value| value.len()), Some(HUGE_BYTES));
        cluster.wait_until_level();
    }
}
