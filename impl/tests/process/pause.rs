//! Nodes that are told to stop, that stand still for a while, or that never come.

use crate::{
    cluster::{Cluster, until},
    writers::{Load, kv},
};
use roadstead::{
    client::{Client, ClientOptions, Consistency},
    service::kv::{PutRequest, RangeRequest},
};
use rustix::process::Signal;
use std::{
    fs,
    time::{Duration, Instant},
};

/// Far more than an election timeout of the profile "fast".
const LONG_SILENCE: Duration = Duration::from_millis(1_500);
/// Less than `[timers] shutdown_ms` of the profile "fast": that is for disks and peers that hang.
const SHUTDOWN_MAX: Duration = Duration::from_millis(2_500);

#[test]
fn sigterm_under_load_ends_with_0_in_time_and_loses_nothing() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let mut load = Load::new(&cluster, &[1, 2], 128, Duration::from_secs(5));
    load.start();
    load.acknowledged(200);
    for _ in 0..2 {
        let leader = cluster.leader(1);
        let node = cluster.node(leader);
        node.process().signal(Signal::TERM);
        let begun = Instant::now();
        let status = node.wait();
        assert_eq!(status.code(), Some(0), "{}", node.log());
        // Nothing new is taken in, so what has begun is soon done.
        assert!(begun.elapsed() < SHUTDOWN_MAX, "it took {:?}", begun.elapsed());
        load.acknowledged(20);
        cluster.node(leader).start();
        cluster.node(leader).wait_until_up();
        load.acknowledged(20);
    }
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_follower_that_stands_still_harms_nobody_and_catches_up() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let mut load = Load::new(&cluster, &[1, 2], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(20);
    let leader = cluster.leader(1);
    let still = [1, 2, 3].into_iter().find(|id| *id != leader && *id != cluster.leader(2)).unwrap();
    let epoch = |cluster: &Cluster| [1, 2].map(|group| cluster.nodes[leader as usize - 1].group(group).unwrap()["epoch"].clone());
    let before = epoch(&cluster);
    cluster.node(still).process().signal(Signal::STOP);
    let begun = Instant::now();
    while begun.elapsed() < LONG_SILENCE {
        load.acknowledged(10); // the others go on
    }
    cluster.node(still).process().signal(Signal::CONT);
    load.acknowledged(50);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
    assert_eq!(epoch(&cluster), before, "pre-vote: one that was away deposes nobody");
}

#[test]
fn a_leader_that_stands_still_is_replaced_and_reads_nothing_stale_when_it_wakes() {
    let mut cluster = Cluster::start(&[1], "");
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(20);
    for round in 0..3 {
        let old = cluster.leader(1);
        let others: Vec<String> = cluster.nodes.iter().filter(|node| node.id != old).map(|node| node.endpoint.clone()).collect();
        // The old leader's client has its connection before, and asks it alone.
        let asks_old = Client::new(ClientOptions::of([cluster.endpoint(old)]));
        let asks_others = Client::new(ClientOptions { timeout: Duration::from_secs(20), ..ClientOptions::of(others) });
        let (asks_old, asks_others) = (kv(&asks_old, 1), kv(&asks_others, 1));
        load.block_on(asks_old.put(PutRequest::new("marker", format!("old {round}")))).unwrap();

        cluster.node(old).process().signal(Signal::STOP);
        until("the others to elect a new leader", || {
            let known = |id: u32| cluster.nodes[id as usize - 1].group(1)?["leader"].as_u64();
            let known: Option<Vec<u64>> = [1, 2, 3].into_iter().filter(|id| *id != old).map(known).collect();
            known?.iter().all(|leader| *leader != u64::from(old)).then_some(())
        });
        let new = format!("new {round}");
        load.block_on(asks_others.put(PutRequest::new("marker", new.clone()))).unwrap();

        // Asked while it stands still, so that the question is the first thing that it finds when it wakes.
        let read = load.spawn(async move { asks_old.range(RangeRequest::key("marker"), Consistency::Linearizable).await });
        cluster.node(old).process().signal(Signal::CONT);
        let read = load.block_on(read).unwrap().unwrap();
        assert_eq!(read.kvs[0].value, new, "the old leader answered from what it knew");
        until("the old leader to step down", || {
            let group = cluster.nodes[old as usize - 1].group(1)?;
            (group["role"] != "leader" || group["leader"] != old).then_some(())
        });
        load.acknowledged(20);
    }
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}

#[test]
fn a_peer_that_is_down_for_the_whole_test_costs_no_writes_and_no_busy_loop() {
    let mut cluster = Cluster::new(&[1, 2, 3], "");
    for id in [1, 2] {
        cluster.node(id).start();
    }
    cluster.wait_for_leaders();
    let mut load = Load::new(&cluster, &[1, 2, 3], 3, Duration::from_secs(5));
    load.start();
    load.acknowledged(100);
    load.stop();
    load.check_all();
    for id in [1, 2] {
        let peer = cluster.nodes[id - 1].peer(3).unwrap();
        assert_eq!(peer["state"], "connecting", "{peer}");
        assert!(peer["reason"].as_str().is_some_and(|reason| reason.contains(cluster.endpoint(3))), "{peer}");
    }

    // Idle but for heartbeats and attempts to connect.
    let pids: Vec<u32> = [1, 2].map(|id| cluster.node(id).process().pid()).into();
    let used = |pids: &[u32]| pids.iter().map(|pid| cpu_time(*pid)).sum::<Duration>();
    let (begun, before) = (Instant::now(), used(&pids));
    std::thread::sleep(Duration::from_secs(2)); // the time over which it is measured
    let (wall, cpu) = (begun.elapsed(), used(&pids) - before);
    assert!(cpu < wall / 4, "two idle nodes used {cpu:?} of CPU in {wall:?}");
}

/// CPU time of a process until now, user and system. Source: proc(5), fields 14 and 15 of `/proc/PID/stat`, in ticks of 1/100 s.
fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = [11, 12].map(|field: usize| fields[field].parse::<u64>().unwrap()).iter().sum();
    Duration::from_millis(ticks * 10)
}
