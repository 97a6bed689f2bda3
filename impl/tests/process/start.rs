//! Starts that must be refused: the exit code says who must act, and the log says how. Nothing is begun, and nobody else is disturbed.

use crate::cluster::{Cluster, until};
use std::{fs, net::TcpListener};

/// What an operator gets wrong in a configuration: the change, and the words that he needs.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("[listen]", "[listen]\nport = 1", "listen.port: unknown key"),
    ("profile = \"fast\"", "profil = \"fast\"", "timers.profil: unknown key"),
    ("profile = \"fast\"", "election_timeout_ms = 1", "timers.election_timeout_ms: 1 is not allowed"),
    ("profile = \"fast\"", "heartbeat_ms = 500", "timers.election_timeout_ms"),
    ("node = 1", "node = 0", "node: 0 is not allowed"),
    ("id = 1\nmembers", "id = -1\nmembers", "id: -1 is not allowed"),
    ("id = 1\nmembers", "id = 2147483648\nmembers", "2147483647"),
    ("id = 2\nmembers", "id = 1\nmembers", "group 1"),
    ("members = [1, 2, 3]", "members = [1, 2, 4]", "4"),
    ("members = [1, 2, 3]", "members = [2, 3]", "members"),
    ("members = [1, 2, 3]", "members = \"all\"", "members"),
    ("consensus_protocol = \"raft\"", "", "consensus_protocol = \"raft\""),
    ("consensus_protocol = \"raft\"", "consensus_protocol = \"paxos\"", "consensus_protocol"),
    ("data = \"data\"", "data = ", "not valid TOML"),
];

#[test]
fn a_wrong_configuration_ends_with_2_and_names_file_line_and_key() {
    let mut cluster = Cluster::new(&[1, 2], "");
    let node = cluster.node(1);
    let good = fs::read_to_string(node.config()).unwrap();
    for (right, wrong, words) in MISTAKES {
        assert!(good.contains(right), "{right}");
        fs::write(node.config(), good.replacen(right, wrong, 1)).unwrap();
        let (code, log) = node.refused();
        assert_eq!(code, Some(2), "{wrong:?}: {log}");
        assert!(log.contains("ERROR") && log.contains("node.toml:") && log.contains(words), "{wrong:?}: {log}");
        assert!(!node.data().exists(), "{wrong:?}: nothing was begun");
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_the_groups_are_not_half_started() {
    let mut cluster = Cluster::new(&[1], "");
    let taken = TcpListener::bind(cluster.endpoint(1)).unwrap();
    let node = cluster.node(1);
    let (code, log) = node.refused();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("ERROR") && log.contains(&node.endpoint), "{log}");
    drop(taken);
    node.start();
    node.wait_until_up();
}

#[test]
fn a_folder_of_another_node_or_cluster_ends_with_2_and_one_in_use_with_1() {
    let mut cluster = Cluster::start(&[1], "");
    let leader = cluster.leader(1);

    // The folder of a running node, under another configuration with another port.
    let config = fs::read_to_string(cluster.node(leader).config()).unwrap();
    let folder = cluster.node(leader).folder.clone();
    let other = folder.join("second.toml");
    fs::write(&other, config.replace(cluster.endpoint(leader), &crate::cluster::free_endpoint())).unwrap();
    let mut second = crate::cluster::Process::spawn(&other, &folder.join("second.log"), &Default::default());
    assert_eq!(second.wait().code(), Some(1));
    let log = fs::read_to_string(folder.join("second.log")).unwrap();
    assert!(log.contains("ERROR") && log.contains("in use"), "{log}");
    assert_eq!(cluster.leader(1), leader, "the one that runs is not disturbed");

    // Folders of two nodes mixed up.
    for id in [1, 2] {
        cluster.node(id).kill();
    }
    let (one, two) = (cluster.node(1).data(), cluster.node(2).data());
    let aside = one.with_file_name("aside");
    let exchange = || {
        fs::rename(&one, &aside).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(&aside, &two).unwrap();
    };
    exchange();
    for id in [1, 2] {
        let (code, log) = cluster.node(id).refused();
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains("ERROR") && log.contains("node 1") && log.contains("node 2"), "{log}");
    }
    exchange();

    // The right folder, but the cluster is called otherwise.
    let node = cluster.node(1);
    let good = fs::read_to_string(node.config()).unwrap();
    fs::write(node.config(), good.replace("\"faults\"", "\"another\"")).unwrap();
    let (code, log) = node.refused();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("ERROR") && log.contains("cluster"), "{log}");
    fs::write(node.config(), good).unwrap();

    for id in [1, 2] {
        cluster.node(id).start();
    }
    cluster.wait_until_level();
}

/// A node of another cluster on a member's address is not taken for the member.
#[test]
fn a_node_of_another_cluster_is_refused_and_says_so_in_its_status() {
    let mut cluster = Cluster::new(&[1], "");
    let node = cluster.node(3);
    let good = fs::read_to_string(node.config()).unwrap();
    fs::write(node.config(), good.replace("\"faults\"", "\"another\"")).unwrap();
    for id in [1, 2, 3] {
        cluster.node(id).start();
        cluster.node(id).wait_until_up();
    }
    for (id, other) in [(1, 3), (2, 3), (3, 1)] {
        let peer = until("the refusal", || cluster.nodes[id as usize - 1].peer(other).filter(|peer| peer["state"] == "refused"));
        assert!(peer["reason"].as_str().unwrap().contains("cluster"), "{peer}");
    }
    let leaders = until("the two to elect", || {
        let leader = |id: u32| cluster.nodes[id as usize - 1].group(1)?["leader"].as_u64();
        Some([leader(1)?, leader(2)?])
    });
    assert!(!leaders.contains(&3), "{leaders:?}");
}
