//! A cluster is brought from the legacy header to the extended one while clients write, node by node, as docs/operate.md says.

use crate::{
    cluster::{Cluster, until},
    writers::{Load, kv},
};
use roadstead::{
    client::{KvFailure, Rejected},
    service::kv::PutRequest,
};
use std::time::Duration;

/// Writes that must succeed between two steps.
const WRITES_PER_STEP: u64 = 200;

/// Restarts a node under another policy, and waits until it leads or follows and has caught up: what an operator does.
fn switch(cluster: &mut Cluster, load: &Load, id: u32, header: &str) {
    let node = cluster.node(id);
    node.terminate();
    node.set_header(header);
    node.start();
    node.wait_until_up();
    let commit = until("a leader that all nodes know", || {
        let leader = cluster.leader(0);
        cluster.nodes[leader as usize - 1].group(0)?["commit"].as_u64()
    });
    let caught_up = || (cluster.nodes[id as usize - 1].group(0)?["applied"].as_u64()? >= commit).then_some(());
    until("the node to catch up", caught_up);
    load.acknowledged(WRITES_PER_STEP);
}

/// Waits until these links, each seen from its first node, speak this header version.
fn speak(cluster: &Cluster, links: &[(u32, u32)], version: u64) {
    let speaks = |(node, peer): &(u32, u32)| {
        let peer = cluster.nodes[*node as usize - 1].peer(*peer);
        peer.is_some_and(|peer| peer["header_version"].as_u64() == Some(version))
    };
    until("the links to stand", || links.iter().all(speaks).then_some(()));
}

fn all_speak(cluster: &Cluster, version: u64) {
    speak(cluster, &[(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)], version);
}

/// Nothing acknowledged is lost and the load goes on, from `legacy` by way of `auto` to `extended`. Group 7 is refused by name while its
/// members speak the legacy header, and works from the moment that they do not.
#[test]
fn headers_are_switched_node_by_node_under_load() {
    let mut cluster = Cluster::new(&[0, 7], "");
    for node in &mut cluster.nodes {
        node.set_header("legacy");
        node.start();
    }
    cluster.leader(0);
    all_speak(&cluster, 0);
    let status = crate::cluster::roadstead(&["status", "--endpoints", &cluster.endpoints().join(",")]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("2 of 2, 2 legacy"), "{status:?}");
    let mut load = Load::new(&cluster, &[0], 6, Duration::from_secs(5));
    load.start();
    load.acknowledged(WRITES_PER_STEP);

    let seven = kv(&cluster.client(Duration::from_secs(10)), 7);
    let put = |load: &Load| load.block_on(seven.put(PutRequest::new("key", "value")));
    let refused = |load: &Load| {
        until("group 7 to be refused by name", || match put(load) {
            Err(KvFailure::Rejected(Rejected::PeerIsLegacy { why, .. })) => Some(why),
            Err(KvFailure::Rejected(_)) => None,
            other => panic!("group 7 cannot work over the legacy header: {other:?}"),
        })
    };
    assert!(refused(&load).contains("legacy header, which carries group 0 only"));
    let status = cluster.nodes[0].group(7).unwrap();
    assert!(status["unavailable"].as_str().unwrap().contains("PeerIsLegacy"), "{status}");

    switch(&mut cluster, &load, 1, "auto");
    refused(&load);
    for id in [2, 3] {
        switch(&mut cluster, &load, id, "auto");
    }
    all_speak(&cluster, 1);
    put(&load).expect("group 7 works once its members speak the extended header");
    for id in [1, 2, 3] {
        switch(&mut cluster, &load, id, "extended");
    }
    all_speak(&cluster, 1);
    put(&load).expect("group 7 works");
    load.acknowledged(WRITES_PER_STEP);
    load.stop();
    cluster.wait_until_level();
    let figures = load.check_all();
    eprintln!("{figures:?}");
    assert!(figures.acknowledged >= 8 * WRITES_PER_STEP);
}

/// The way back, in case a NuRaft peer turns up: a node that was extended speaks legacy again, and its peers with it.
#[test]
fn a_node_goes_back_to_the_legacy_header() {
    let mut cluster = Cluster::start(&[0], "");
    let mut load = Load::new(&cluster, &[0], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(WRITES_PER_STEP);
    switch(&mut cluster, &load, 2, "legacy");
    speak(&cluster, &[(2, 1), (1, 2), (2, 3), (3, 2)], 0);
    speak(&cluster, &[(1, 3), (3, 1)], 1);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}
