//! Somebody is slow, or asks for more than there is: a client that does not read, a follower that stands still or has a slow disk, a group that is flooded.
//! The others go on at nearly their pace, and memory stays within its bounds.

use crate::{
    admin,
    cluster::{Cluster, DEADLINE, until},
    embedded::Embedded,
    links::Proxy,
    meter::{Latency, latency, peak_mib},
    writers::{Background, Load, kv},
};
use roadstead::{
    client::{Client, ClientOptions, Consistency},
    config::Timers,
    service::kv::{PutRequest, RangeRequest},
};
use rustix::process::Signal;
use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(5);
/// Writes that a percentile is taken of.
const PROBES: usize = 200;

/// Writers that do nothing but write, eight times as many as the group takes in.
const FLOOD: usize = 512;
/// What each commit of a slow disk takes.
const SLOW: Duration = Duration::from_millis(200);
/// Far less than the sum of all bounds: 79 MiB are needed without a fault.
const MEMORY_MAX_MIB: u64 = 400;

/// What the fault of another may cost at most: this many times the latency before, and what a machine with two cores adds whatever happens.
fn unharmed(before: Latency, during: Latency) {
    eprintln!("{before:?} before, {during:?} during");
    assert!(during.p99 < before.p99 * 10 + Duration::from_millis(500), "{before:?} became {during:?}");
}

fn peaks(cluster: &mut Cluster) -> Vec<u64> {
    let peaks = [1, 2, 3].map(|id| peak_mib(cluster.node(id).process().pid())).to_vec();
    eprintln!("memory at most {peaks:?} MiB");
    peaks
}

fn epochs(cluster: &Cluster) -> Vec<String> {
    cluster.nodes.iter().map(|node| node.group(2).unwrap()["epoch"].to_string()).collect()
}

#[test]
fn clients_that_do_not_read_harm_nobody() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let mut load = Load::new(&cluster, &[2], 2, PATIENCE);
    load.start();
    load.acknowledged(20);
    let leader = cluster.leader(1);
    let large = kv(&cluster.client(PATIENCE), 1);
    load.block_on(large.put(PutRequest::new("large", vec![b'x'; 1 << 20]))).unwrap();
    let probe = kv(&cluster.client(PATIENCE), 2);
    let (before, epochs_before) = (latency(&load, &probe, PROBES), epochs(&cluster));

    // On a thread of its own, so that the probe does not wait for it.
    let troubles = Background::start();
    // Native: a gigabyte is asked for, and not a byte of it taken.
    let proxy = Proxy::before(cluster.endpoint(leader));
    // It does not give up before the node does.
    let options = ClientOptions { timeout: DEADLINE, ..ClientOptions::of([proxy.address.clone()]) };
    let silent = kv(&Client::new(options), 1);
    troubles.block_on(silent.range(RangeRequest::key("large"), Consistency::Stale)).unwrap();
    proxy.answers.cut(true);
    let asked: Vec<_> = (0..1_000)
        .map(|_| {
            let silent = silent.clone();
            troubles.spawn(async move { silent.range(RangeRequest::key("large"), Consistency::Stale).await })
        })
        .collect();
    // HTTP: metrics are asked for without end, until the node takes no more requests, either.
    let mut http: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(cluster.endpoint(leader)).unwrap()).collect();
    for stream in &mut http {
        stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n".repeat(1_000);
        for _ in 0..20 {
            if stream.write(&request).is_err() {
                break; // it pushes back
            }
        }
    }
    unharmed(before, latency(&load, &probe, PROBES));
    until("the one that does not read to be closed", || {
        let metrics = admin::text(cluster.endpoint(leader), "/metrics").unwrap();
        metrics.contains("roadstead_connections_closed_total{reason=\"slow_reader\"}").then_some(())
    });
    asked.iter().for_each(JoinHandle::abort);
    load.stop();
    assert_eq!(epochs(&cluster), epochs_before, "no election");
    load.check_all();
    assert!(peaks(&mut cluster).iter().all(|peak| *peak < MEMORY_MAX_MIB));
}

#[test]
fn a_follower_that_stands_still_costs_no_memory() {
    let small = "[limits]\npeer_queue_bytes = 9000000\nlog_cache_bytes = 4000000\nsnapshot_entries = 2000\n";
    let mut cluster = Cluster::start(&[1, 2], small);
    let mut load = Load::new(&cluster, &[2], 2, PATIENCE);
    load.start();
    load.acknowledged(20);
    let leaders = [cluster.leader(1), cluster.leader(2)];
    let still = [1, 2, 3].into_iter().find(|id| !leaders.contains(id)).unwrap();
    // Clients of the node that stands still wait for it, as they must; these are the others'.
    let clients = leaders.map(|id| Client::new(ClientOptions { timeout: PATIENCE, ..ClientOptions::of([cluster.endpoint(id)]) }));
    let (large, probe, troubles) = (kv(&clients[0], 1), kv(&clients[1], 2), Background::start());
    let before = latency(&load, &probe, PROBES);
    cluster.node(still).process().signal(Signal::STOP);
    let begun = Instant::now();
    let written = Arc::new(AtomicU64::new(0));
    let writers = [0, 1, 2, 3].map(|writer| {
        let (large, written) = (large.clone(), Arc::clone(&written));
        troubles.spawn(async move {
            for _ in 0..400 {
                large.put(PutRequest::new(format!("large/{writer}"), vec![b'x'; 64 << 10])).await.unwrap();
                written.fetch_add(64, Ordering::Relaxed);
            }
        })
    });
    unharmed(before, latency(&load, &probe, PROBES));
    writers.into_iter().for_each(|writer| troubles.block_on(writer).unwrap());
    eprintln!("{} MiB were written in {:?}", written.load(Ordering::Relaxed) / 1024, begun.elapsed());
    cluster.node(still).process().signal(Signal::CONT);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
    assert_eq!([cluster.leader(1), cluster.leader(2)], leaders);
    assert!(peaks(&mut cluster).iter().all(|peak| *peak < MEMORY_MAX_MIB));
}

#[test]
fn a_follower_with_a_slow_disk_slows_nobody_down() {
    let cluster = Embedded::start(Timers::fast());
    let mut load = cluster.load(2);
    let probe = kv(&cluster.client(PATIENCE), crate::embedded::GROUP);
    let before = latency(&load, &probe, PROBES);
    let leader = cluster.leader();
    let slow = [1, 2, 3].into_iter().find(|id| *id != leader).unwrap();
    cluster.fault(slow, &format!("slow commit {}", SLOW.as_millis()));
    load.start();
    load.acknowledged(20);
    let during = latency(&load, &probe, PROBES);
    unharmed(before, during);
    assert!(during.p50 < SLOW, "writes waited for the slow disk: {during:?}");
    cluster.fault(slow, "");
    load.stop();
    cluster.wait_until_level();
    load.check_all();
    assert_eq!(cluster.leader(), leader);
}

#[test]
fn a_flooded_group_harms_no_other() {
    let small = "[limits]\ngroup_writes = 64\n";
    let mut cluster = Cluster::start(&[1, 2], small);
    let mut load = Load::new(&cluster, &[2], 2, PATIENCE);
    load.start();
    load.acknowledged(20);
    let probe = kv(&cluster.client(PATIENCE), 2);
    let (before, epochs_before) = (latency(&load, &probe, PROBES), epochs(&cluster));
    let (flood, troubles) = (kv(&cluster.client(PATIENCE), 1), Background::start());
    let over = Arc::new(AtomicBool::new(false));
    let flooding: Vec<_> = (0..FLOOD)
        .map(|n| {
            let (flood, over) = (flood.clone(), Arc::clone(&over));
            troubles.spawn(async move {
                let mut done = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    done += u64::from(flood.put(PutRequest::new(format!("flood/{n}"), vec![b'x'; 4 << 10])).await.is_ok());
                }
                done
            })
        })
        .collect();
    let busy = |cluster: &Cluster| admin::metric(cluster.endpoint(cluster.leader(1)), "roadstead_busy_total").unwrap();
    until("the flooded group to answer busy", || (busy(&cluster) > 0.0).then_some(()));
    unharmed(before, latency(&load, &probe, PROBES));
    over.store(true, Ordering::Relaxed);
    let done: u64 = flooding.into_iter().map(|task| troubles.block_on(task).unwrap()).sum();
    eprintln!("{done} writes of the flood were taken, {} answers were busy", busy(&cluster));
    assert!(done > 500, "the flooded group goes on, too: {done}");
    load.stop();
    assert_eq!(epochs(&cluster), epochs_before, "no election");
    cluster.wait_until_level();
    load.check_all();
    assert!(peaks(&mut cluster).iter().all(|peak| *peak < MEMORY_MAX_MIB));
}
