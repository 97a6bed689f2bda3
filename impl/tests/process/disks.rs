//! A disk that was exchanged for an empty one: the node has forgotten its votes and may not take part under its old name.

use crate::{
    cluster::{Cluster, roadstead, until},
    writers::Load,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{fs, time::Duration};

#[test]
fn a_node_with_an_empty_disk_under_its_old_id_is_refused_until_the_old_disk_is_back() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let mut load = Load::new(&cluster, &[1, 2], 2, Duration::from_secs(5));
    load.start();
    load.acknowledged(20);
    let forgetful = cluster.leader(1);
    let witnesses: Vec<u32> = [1, 2, 3].into_iter().filter(|id| *id != forgetful).collect();

    cluster.node(forgetful).kill();
    let data = cluster.node(forgetful).data();
    fs::rename(&data, data.with_file_name("old")).unwrap();
    cluster.node(forgetful).start();
    cluster.node(forgetful).wait_until_up();
    // One of the others has to remember it over a restart.
    cluster.node(witnesses[0]).kill();
    cluster.node(witnesses[0]).start();
    cluster.node(witnesses[0]).wait_until_up();
    for id in &witnesses {
        let node = &cluster.nodes[*id as usize - 1];
        let peer = until("the refusal", || node.peer(forgetful).filter(|peer| peer["state"] == "refused"));
        let reason = peer["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("node {forgetful} had data folder ")), "{reason}");
        assert!(reason.contains("a wiped or copied disk must join under a new node id, since it may have forgotten a vote"), "{reason}");
        assert!(node.log().contains(reason), "the operator finds the same words in the log");
    }
    // The other end says what to do, too.
    for id in &witnesses {
        let node = &cluster.nodes[forgetful as usize - 1];
        let peer = until("the refusal", || node.peer(*id).filter(|peer| peer["state"] == "refused"));
        let reason = peer["reason"].as_str().unwrap();
        assert!(
            reason.contains("it remembers another data folder for our node id: a wiped or copied disk must join under a new node id"),
            "{reason}"
        );
    }
    let status = roadstead(&["status", "--endpoints", &cluster.endpoints().join(",")]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("must join under a new node id"), "{status}");
    load.acknowledged(20); // the others are a quorum
    let group = cluster.nodes[forgetful as usize - 1].group(1).unwrap();
    assert_eq!((&group["last"], &group["leader"]), (&0.into(), &serde_json::Value::Null), "nothing reached it: {group}");

    cluster.node(forgetful).kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(data.with_file_name("old"), &data).unwrap();
    cluster.node(forgetful).start();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

/// Whatever a kill leaves of a data folder that is being made or opened, the next start goes on from there.
#[test]
fn kill_9_at_any_moment_of_a_start_leaves_a_folder_that_opens() {
    let mut cluster = Cluster::new(&[1], "");
    let mut rng = StdRng::seed_from_u64(11);
    let node = cluster.node(1);
    for fresh in 0..6 {
        for _ in 0..4 {
            node.start();
            std::thread::sleep(Duration::from_micros(rng.random_range(0..250_000))); // the random moment
            node.kill();
        }
        node.start();
        node.wait_until_up();
        assert!(node.group(1).is_some_and(|group| group["state"] == "running"), "folder {fresh}");
        node.kill();
        fs::remove_dir_all(node.data()).unwrap();
    }
}
