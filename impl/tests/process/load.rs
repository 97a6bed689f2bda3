//! The load generator against real nodes: both protocols, and everything that it reads beside latencies.
#![cfg(all(feature = "cli", feature = "etcd"))]

use crate::cluster::{Cluster, roadstead, until};
use serde_json::{Value, json};

fn bench(cluster: &Cluster, target: &str, more: &[&str]) -> Value {
    let (endpoints, disk) = (cluster.endpoints().join(","), cluster.nodes[0].folder.to_str().unwrap().to_owned());
    let args = ["--json", "bench", "--target", target, "--endpoints", &endpoints, "--seconds", "1", "--warmup", "0", "--disk", &disk];
    let output = roadstead(&[&args, more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Goal: the figures are the cluster's. Method: both protocols, with groups on several leaders; the nodes' own counters must have moved.
#[test]
fn a_cluster_is_measured_through_either_protocol() {
    let cluster = Cluster::start(&[1, 2, 3], "");
    for (target, more) in [("native", &["--clients", "6"][..]), ("etcd", &["--rate", "200", "--connections", "2"])] {
        let run = bench(&cluster, target, &[&["--groups", "3", "--read-share", "0.2"], more].concat());
        let count = run["result"]["operations"].as_u64().unwrap();
        assert!(count > 0, "{run}");
        assert_eq!((&run["result"]["failed"], &run["result"]["example_failure"]), (&json!(0), &Value::Null));
        assert!(run["target"]["version"].as_str().unwrap().starts_with("roadstead 0."), "{}", run["target"]);
        let cost = &run["cost"];
        assert!(cost["nodes_counted"] == 3 && cost["syncs_per_second"].as_f64().unwrap() > 1.0, "{cost}");
        assert_eq!(cost["processes"].as_array().unwrap().len(), 4, "three nodes and the generator: {cost}");
    }
}

#[test]
fn the_leader_of_a_group_takes_its_requests() {
    let cluster = Cluster::start(&[1, 2], "");
    for group in [1, 2] {
        // On a busy machine another may lead by the end of a run: then it says nothing.
        let (run, leader) = until("a run without an election", || {
            let leader = cluster.leader(group);
            let run = bench(&cluster, &format!("etcd?group={group}"), &["--clients", "2"]);
            (leader == cluster.leader(group)).then_some((run, leader))
        });
        assert_eq!(run["target"]["used"], json!([cluster.endpoint(leader)]), "group {group}");
    }
}
