//! A disk that was exchanged for an empty one: the node has forgotten its votes and may not take part under its old name.

use crate::{
    cluster::{Cluster, until},
    writers::Load,
};
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
    for id in &witnesses {
        let node = &cluster.nodes[*id as usize - 1];
        let peer = until("the refusal", || node.peer(forgetful).filter(|peer| peer["state"] == "refused"));
        let reason = peer["reason"].as_str().unwrap();
        assert!(reason.contains("data folder") || reason.contains("store"), "{reason}");
    }
    load.acknowledged(20); // the others are a quorum
    let group = cluster.nodes[forgetful as usize - 1].group(1).unwrap();
    assert_eq!((&group["last"], &group["leader"]), (&0.into(), &serde_json::Value::Null), "nothing reached it: {group}");
    assert_eq!(group["role"] == "leader", false);

    cluster.node(forgetful).kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(data.with_file_name("old"), &data).unwrap();
    cluster.node(forgetful).start();
    load.acknowledged(20);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}
