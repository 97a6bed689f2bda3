//! Disks that run full: writes are refused in time and in words, reads go on, room brings writes back, and nothing acknowledged is lost.

use crate::{
    admin,
    cluster::{Cluster, DEADLINE, roadstead, until},
    small_disk::SmallDisks,
    writers::{Load, kv},
};
use roadstead::{
    client::{Client, ClientOptions, Consistency, KvFailure, Rejected},
    service::kv::{PutRequest, RangeRequest},
};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Room for what a node needs at its start, and a reserve (a quarter) that takes what was accepted when the disk runs full.
const DISK_MIB: u64 = 256;
const RESERVE_KIB: u64 = DISK_MIB * 1024 / 4;
/// Free room that a few hundred writes use up.
const LITTLE_KIB: u64 = RESERVE_KIB + 12 * 1024;
/// Less than half of the reserve, more than an eighth.
const FULL_KIB: u64 = RESERVE_KIB / 4;
const VALUE_BYTES: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

fn alarms(endpoint: &str) -> Vec<String> {
    let status = admin::get(endpoint, "/v1/status").unwrap();
    status["alarms"].as_array().unwrap().iter().map(|alarm| alarm["kind"].as_str().unwrap().to_owned()).collect()
}

fn wait_for_alarms(cluster: &Cluster, ids: &[u32], raised: bool) {
    for id in ids {
        let what = format!("the alarm of node {id} to {}", if raised { "be raised" } else { "go" });
        until(&what, || (alarms(cluster.endpoint(*id)).contains(&"no_space".to_owned()) == raised).then_some(()));
    }
}

/// Puts large values until one is refused for lack of space; how many were taken.
fn fill(cluster: &Cluster, load: &Load) -> usize {
    let client = kv(&cluster.client(PATIENCE), 1);
    let begun = Instant::now();
    for n in 0.. {
        assert!(begun.elapsed() < DEADLINE, "the disk does not run full");
        match load.block_on(client.put(PutRequest::new(format!("fill/{n:06}"), vec![b'x'; VALUE_BYTES]))) {
            Ok(_) | Err(KvFailure::Unknown(_)) => {}
            Err(KvFailure::Rejected(reason @ Rejected::NoSpace { .. })) => {
                assert!(reason.to_string().contains("free room there, then write again (reads go on)"), "{reason}");
                return n;
            }
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("the numbers do not end")
}

/// Every node answers, itself and through its leader.
fn reads_go_on(cluster: &Cluster, load: &Load) {
    for endpoint in cluster.endpoints() {
        let client = kv(&Client::new(ClientOptions { timeout: PATIENCE, ..ClientOptions::of([endpoint]) }), 1);
        for consistency in [Consistency::Linearizable, Consistency::Stale] {
            let found = load.block_on(client.range(RangeRequest::key("fill/000000"), consistency)).unwrap();
            assert_eq!(found.kvs.len(), 1, "{consistency:?}");
        }
    }
}

/// Clients of etcd hear it in etcd's words.
fn etcdctl_tells_of_it(endpoint: &str) {
    let etcdctl = |args: &str| {
        let output = Command::new("etcdctl").env("ETCDCTL_API", "3").args(["--endpoints", endpoint]).args(args.split(' ')).output();
        let output = output.unwrap_or_else(|error| panic!("etcdctl: {error}; install it: apt-get install etcd-client"));
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let refused = etcdctl("put key value");
    assert!(refused.contains("code = ResourceExhausted desc = etcdserver: mvcc: database space exceeded"), "{refused}");
    assert_eq!(etcdctl("alarm list"), "memberID:1 alarm:NOSPACE \n");
    let status = etcdctl("endpoint status -w json");
    assert!(status.contains("\"errors\":[\"memberID:1 alarm:NOSPACE \"]"), "{status}");
    let read = etcdctl("get fill/000000 --keys-only");
    assert_eq!(read.trim(), "fill/000000");
}

#[test]
fn full_disks_refuse_writes_and_serve_reads_until_there_is_room() {
    let mut cluster = Cluster::new(&[1], "");
    let disks = SmallDisks::mount(&mut cluster, DISK_MIB);
    cluster.start_all();
    let data = [1, 2, 3].map(|id: usize| cluster.nodes[id - 1].data());
    let mut load = Load::new(&cluster, &[1], 4, PATIENCE);
    load.start();
    load.acknowledged(50);
    data.iter().for_each(|data| disks.leave(data, LITTLE_KIB));

    let taken = fill(&cluster, &load);
    assert!(taken > 10, "only {taken} writes were taken before the disks were full");
    wait_for_alarms(&cluster, &[1, 2, 3], true);
    for endpoint in cluster.endpoints() {
        let free = admin::metric(&endpoint, "roadstead_disk_free_bytes").unwrap() as u64 / 1024;
        assert!(free < RESERVE_KIB && free > RESERVE_KIB * 3 / 4, "the reserve is for what was accepted: {free} KiB are free");
    }
    reads_go_on(&cluster, &load);
    etcdctl_tells_of_it(cluster.endpoint(1));
    let endpoints = cluster.endpoints().join(",");
    let put = roadstead(&["kv", "put", "key", "value", "--endpoints", &endpoints]);
    let said = String::from_utf8(put.stderr).unwrap();
    assert!(put.status.code() == Some(1) && said.contains("no space: node "), "{said}");
    let status = String::from_utf8(roadstead(&["status", "--endpoints", &endpoints]).stdout).unwrap();
    assert_eq!(status.matches("alarm no_space: ").count(), 3, "{status}");
    let metrics = admin::text(cluster.endpoint(1), "/metrics").unwrap();
    assert!(metrics.contains("roadstead_alarm{alarm=\"no_space\"} 1.0"), "{metrics}");

    let etcdctl = |words: &[&str]| {
        let mut command = Command::new("etcdctl");
        let output = command.args(["--endpoints", cluster.endpoint(1)]).args(words).output().expect("etcdctl (ci/etcd installs it)");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let said = etcdctl(&["put", "key", "value"]);
    assert!(said.contains("etcdserver: mvcc: database space exceeded"), "{said}");
    let said = etcdctl(&["alarm", "list"]);
    assert!(said.contains("alarm:NOSPACE"), "{said}");

    // A full disk is no reason to stay down, and a restart no reason to take writes.
    cluster.kill_all();
    cluster.start_all();
    wait_for_alarms(&cluster, &[1, 2, 3], true);
    reads_go_on(&cluster, &load);
    fill(&cluster, &load);
    for node in &cluster.nodes {
        assert_eq!(node.log().matches("alarm no_space").count(), 2, "once per life of node {}", node.id);
    }

    data.iter().for_each(|data| disks.make_room(data));
    wait_for_alarms(&cluster, &[1, 2, 3], false);
    load.acknowledged(100);
    load.stop();
    cluster.kill_all();
    cluster.start_all();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_full_leader_passes_the_lead_on_and_a_full_quorum_refuses() {
    let mut cluster = Cluster::new(&[1], "");
    let disks = SmallDisks::mount(&mut cluster, DISK_MIB);
    cluster.start_all();
    let mut load = Load::new(&cluster, &[1], 4, PATIENCE);
    load.start();
    load.acknowledged(50);
    let first = cluster.leader(1);
    disks.leave(&cluster.nodes[first as usize - 1].data(), FULL_KIB);
    wait_for_alarms(&cluster, &[first], true);
    let second = until("a member with room to lead", || Some(cluster.leader(1)).filter(|leader| *leader != first));
    load.acknowledged(100);
    // It takes part, but appends nothing: votes and reads do, and somebody else's entries would fill its disk to the last byte.
    let last = |id: u32| cluster.nodes[id as usize - 1].group(1).unwrap()["last"].as_u64().unwrap();
    until("the full node to be left behind", || (last(second) > last(first) + 100).then_some(()));
    let before = last(first);
    load.acknowledged(100);
    assert_eq!(last(first), before);

    // Two of three: what the last one appends could not be committed, so it takes nothing in.
    let third = [1, 2, 3].into_iter().find(|id| ![first, second].contains(id)).unwrap();
    disks.leave(&cluster.nodes[third as usize - 1].data(), FULL_KIB);
    wait_for_alarms(&cluster, &[third], true);
    until("the third to be left behind", || (last(second) > last(third)).then_some(()));
    let client = kv(&cluster.client(PATIENCE), 1);
    let refusal = until("a refusal", || match load.block_on(client.put(PutRequest::new("key", "value"))) {
        Err(KvFailure::Rejected(Rejected::NoSpace { node, .. })) => Some(node.0),
        _ => None,
    });
    let why = cluster.nodes[second as usize - 1].group(1).unwrap()["unavailable"].clone();
    assert!(why.as_str().is_some_and(|why| why.contains("no space: node ")), "the group's status says why: {why}");
    assert!(refusal != second && alarms(cluster.endpoint(second)).is_empty(), "node {second} has room; node {refusal} was named");
    // The full ones, which stay behind, send those who ask them to the leader.
    for endpoint in cluster.endpoints() {
        let client = Client::new(ClientOptions { timeout: PATIENCE, ..ClientOptions::of([endpoint]) });
        load.block_on(kv(&client, 1).range(RangeRequest::key("w000"), Consistency::Linearizable)).unwrap();
    }

    disks.make_room(&cluster.nodes[third as usize - 1].data());
    load.acknowledged(100);
    disks.make_room(&cluster.nodes[first as usize - 1].data());
    load.acknowledged(100);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_disk_without_one_free_byte_ends_the_process_and_loses_nothing() {
    let mut cluster = Cluster::new(&[1], "");
    let disks = SmallDisks::mount(&mut cluster, DISK_MIB);
    cluster.start_all();
    let mut load = Load::new(&cluster, &[1], 4, PATIENCE);
    load.start();
    load.acknowledged(50);
    let follower = cluster.follower(1);
    let data = cluster.nodes[follower as usize - 1].data();
    let large = Arc::new(AtomicBool::new(true));
    let heavy = [0, 1, 2, 3].map(|writer| {
        let (client, large) = (kv(&cluster.client(PATIENCE), 1), Arc::clone(&large));
        load.spawn(async move {
            while large.load(Ordering::Relaxed) {
                let put = PutRequest::new(format!("fill/{writer}"), vec![b'x'; VALUE_BYTES]);
                let _ = client.put(put).await; // unknown, if the node that passed it on is the one that ends
            }
        })
    });
    // Somebody takes the whole disk faster than the node looks. If it looked in time all the same, then once more.
    until("the disk to fill under the node's hands", || {
        disks.leave_nothing(&data);
        let endpoint = cluster.endpoint(follower).to_owned();
        let ended = until("the alarm or the end", || {
            let ended = cluster.node(follower).process().has_ended();
            let noticed = || admin::text(&endpoint, "/v1/status").is_ok_and(|status| status.contains("no_space"));
            (ended || noticed()).then_some(ended)
        });
        if !ended {
            disks.make_room(&data);
        }
        ended.then_some(())
    });
    large.store(false, Ordering::Relaxed);
    heavy.into_iter().for_each(|writer| load.block_on(writer).unwrap());
    let status = cluster.node(follower).wait();
    let log = cluster.nodes[follower as usize - 1].log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("no space left on the disk; free room before the next start (nothing acknowledged is lost)"), "{log}");
    let (code, said) = cluster.node(follower).refused();
    assert!(code == Some(1) && said.contains("no space: ") && said.contains("free room, then start again"), "{code:?}: {said}");

    disks.make_room(&data);
    cluster.node(follower).start();
    load.acknowledged(100);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_reserve_larger_than_half_of_the_disk_is_a_mistake() {
    let mut cluster = Cluster::new(&[1], "[storage]\nreserve_bytes = 200_000_000\n");
    let _disks = SmallDisks::mount(&mut cluster, DISK_MIB);
    let (code, said) = cluster.node(1).refused();
    assert!(
        code == Some(2) && said.contains("storage.reserve_bytes = 200000000") && said.contains("write at most 134217728"),
        "{code:?}: {said}"
    );
}
