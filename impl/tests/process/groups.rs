//! Groups that come and go at run time, by the command line, while others work.

use crate::{
    admin,
    cluster::{Cluster, roadstead},
    writers::{Load, kv},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use roadstead::{
    client::{KvFailure, Rejected},
    service::kv::PutRequest,
};
use std::{process::Output, time::Duration};

/// Adds group 9 on all members.
fn add(endpoints: &str, more: &[&str]) -> Output {
    let args = ["group", "add", "9", "--members", "1,2,3", "--consensus-protocol", "raft", "--endpoints", endpoints];
    roadstead(&[&args, more].concat())
}

fn remove(endpoints: &str) -> Output {
    roadstead(&["group", "remove", "9", "--yes", "--endpoints", endpoints])
}

fn stderr(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[test]
fn groups_come_and_go_under_load_and_survive_kill_9() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let endpoints = cluster.endpoints().join(",");
    let mut load = Load::new(&cluster, &[1, 2], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(20);

    let nine = kv(&cluster.client(Duration::from_secs(20)), 9);
    let put = |key: &str| load.block_on(nine.put(PutRequest::new(key.to_owned(), "value")));
    assert!(matches!(put("early"), Err(KvFailure::Rejected(Rejected::NoSuchGroup { .. }))), "unknown group");
    let unknown = roadstead(&["kv", "get", "early", "--group", "9", "--endpoints", &endpoints]);
    assert!(unknown.status.code() == Some(1) && stderr(&unknown).contains("group 9 is on none of the nodes"), "{}", stderr(&unknown));
    assert!(admin::get(cluster.endpoint(1), "/v1/groups/9").is_err());

    for generation in ["1", "2", "3"] {
        let added = add(&endpoints, &["--generation", generation]);
        assert!(added.status.success(), "{}", stderr(&added));
        let again = add(&endpoints, &["--generation", generation]);
        assert!(again.status.success() && stderr(&again).contains("was there already"), "{}", stderr(&again));
        let revision = put("key").unwrap().revision;
        assert_eq!(revision, 2, "a new life begins empty");

        let leader = cluster.leader(9);
        cluster.node(leader).kill();
        assert_eq!(put("key").unwrap().revision, 3);
        cluster.node(leader).start();
        cluster.node(leader).wait_until_up();
        assert!(cluster.nodes[leader as usize - 1].group(9).is_some(), "it survives a restart");

        let removed = remove(&endpoints);
        assert!(removed.status.success(), "{}", stderr(&removed));
        assert!(matches!(put("late"), Err(KvFailure::Rejected(Rejected::NoSuchGroup { .. }))));
        let risen = add(&endpoints, &["--generation", generation]);
        assert!(!risen.status.success() && stderr(&risen).contains("generation"), "{}", stderr(&risen));
        load.acknowledged(20);
    }
    let follower = cluster.follower(1);
    cluster.node(follower).kill();
    cluster.node(follower).start();
    cluster.node(follower).wait_until_up();
    assert!(cluster.nodes[follower as usize - 1].group(9).is_none(), "what was removed stays removed");
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

/// The command may be repeated until every member has done it, whoever died meanwhile.
#[test]
fn kill_9_while_groups_are_added_and_removed_leaves_nothing_half_done() {
    let mut cluster = Cluster::start(&[1], "");
    let endpoints = cluster.endpoints().join(",");
    let nine = kv(&cluster.client(Duration::from_secs(20)), 9);
    let load = Load::new(&cluster, &[1], 0, Duration::from_secs(5));
    let mut rng = StdRng::seed_from_u64(3);
    for generation in 1..=3 {
        let generation = generation.to_string();
        let mut disturbed = |cluster: &mut Cluster, act: &(dyn Fn() -> Output + Sync)| {
            let victim = rng.random_range(1..=3);
            let moment = Duration::from_micros(rng.random_range(0..60_000));
            std::thread::scope(|scope| {
                scope.spawn(act);
                std::thread::sleep(moment); // the random moment
                cluster.node(victim).kill();
            });
            cluster.node(victim).start();
            cluster.node(victim).wait_until_up();
        };
        disturbed(&mut cluster, &|| add(&endpoints, &["--generation", &generation]));
        let added = add(&endpoints, &["--generation", &generation]);
        assert!(added.status.success(), "{}", stderr(&added));
        cluster.leader(9);
        for _ in 0..20 {
            load.block_on(nine.put(PutRequest::new("key", "value"))).unwrap();
        }
        disturbed(&mut cluster, &|| remove(&endpoints));
        let removed = remove(&endpoints);
        let gone = |id: u32| cluster.nodes[id as usize - 1].group(9).is_none();
        assert!(removed.status.success() || stderr(&removed).contains("group 9"), "{}", stderr(&removed));
        assert!([1, 2, 3].into_iter().all(gone), "{}", stderr(&removed));
    }
    cluster.wait_until_level();
}

#[test]
fn wrong_groups_are_refused_by_name_on_the_port() {
    let cluster = Cluster::start(&[1], "");
    let endpoints = cluster.endpoints().join(",");
    for (args, code, words) in [
        (&["add", "-1", "--members", "1,2,3", "--consensus-protocol", "raft"][..], 2, "0 to 2147483647"),
        (&["add", "2147483648", "--members", "1,2,3", "--consensus-protocol", "raft"], 2, "0 to 2147483647"),
        (&["add", "5", "--members", "1,2,3"], 2, "--consensus-protocol raft"),
        (&["add", "5", "--members", "1,2,9", "--consensus-protocol", "raft"], 2, "node 9 is unknown"),
        (&["add", "1", "--members", "1,2", "--consensus-protocol", "raft"], 1, "exists"),
        (&["remove", "5", "--yes"], 1, "group 5"),
        (&["remove", "1"], 2, "--yes"),
    ] {
        let output = roadstead(&[&["group"], args, &["--endpoints", &endpoints]].concat());
        assert!(output.status.code() == Some(code) && stderr(&output).contains(words), "{args:?}: {:?} {}", output.status, stderr(&output));
    }
    let group = cluster.nodes[0].group(1).unwrap();
    assert_eq!(group["members"], serde_json::json!([1, 2, 3]), "nothing has changed");
}
