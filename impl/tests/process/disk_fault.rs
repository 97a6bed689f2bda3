//! Disks that hang, fail or crawl: the others go on, within a bound, and nothing acknowledged is lost.

use crate::{cluster::until, embedded::Embedded};
use roadstead::config::Timers;
use std::time::{Duration, Instant};

/// What a busy machine may add to a bound.
const SLACK: Duration = Duration::from_secs(2);

/// The shortest that is allowed, so that the test is.
fn timers() -> Timers {
    Timers { disk_stall: Duration::from_millis(1_000), ..Timers::fast() }
}

/// A leader steps down at the first heartbeat at which its disk owes an answer for `disk_stall`. The others then hear nothing, wait for at most two election
/// timeouts, and vote.
fn bound(timers: &Timers) -> Duration {
    timers.disk_stall + timers.heartbeat * 2 + timers.election_timeout * 2
}

fn others(id: u32) -> Vec<u32> {
    [1, 2, 3].into_iter().filter(|other| *other != id).collect()
}

#[test]
fn a_leader_whose_disk_stalls_steps_down_and_catches_up_when_it_is_back() {
    let cluster = Embedded::start(timers());
    let mut load = cluster.load(4);
    load.start();
    load.acknowledged(50);
    let old = cluster.leader();
    let others = others(old);
    cluster.fault(old, "stall commit");
    let begun = Instant::now();
    until("another leader", || cluster.leader_among(&others));
    let took = begun.elapsed();
    assert!(took < bound(&cluster.timers) + SLACK, "another node led after {took:?}, not within {:?}", bound(&cluster.timers));
    // Not sooner, either: a slow sync is no stall.
    assert!(took > cluster.timers.disk_stall, "{took:?}");
    load.acknowledged(200);
    assert_ne!(cluster.group(old).unwrap().leader, Some(old), "the stalled node takes itself for the leader");
    let epoch = cluster.group(others[0]).unwrap().epoch;

    cluster.fault(old, "");
    cluster.wait_until_level();
    load.acknowledged(50);
    load.stop();
    assert_eq!([1, 2, 3].map(|id| cluster.group(id).unwrap().epoch), [epoch; 3], "it comes back without an election");
    load.check_all();
}

#[test]
fn a_follower_whose_disk_stalls_costs_no_election() {
    let cluster = Embedded::start(timers());
    let mut load = cluster.load(4);
    load.start();
    load.acknowledged(50);
    let leader = cluster.leader();
    let (epoch, still) = (cluster.group(leader).unwrap().epoch, others(leader)[0]);
    cluster.fault(still, "stall commit");
    let begun = Instant::now();
    while begun.elapsed() < cluster.timers.disk_stall * 2 {
        load.acknowledged(10); // the others go on
    }
    assert!(cluster.group(still).unwrap().queues.persist > 0, "its disk owes an answer");
    cluster.fault(still, "");
    cluster.wait_until_level();
    load.stop();
    assert_eq!((cluster.leader(), cluster.group(leader).unwrap().epoch), (leader, epoch));
    load.check_all();
}

#[test]
fn a_disk_that_fails_ends_its_node_and_no_other() {
    let mut cluster = Embedded::start(timers());
    let mut load = cluster.load(4);
    load.start();
    load.acknowledged(50);
    let old = cluster.leader();
    cluster.fault(old, "fail commit");
    let fatal = cluster.ended(old).unwrap_err().to_string();
    assert!(fatal.contains("the fault file says so") && fatal.contains("the process must end now"), "{fatal}");
    load.acknowledged(200);
    cluster.fault(old, "");
    cluster.start_node(old);
    load.acknowledged(50);
    load.stop();
    cluster.wait_until_level();
    load.check_all();
}
