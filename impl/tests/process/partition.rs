//! Links that work in one direction only. What clients saw stays linearizable, writes go on within a bound, and a leader that has a quorum keeps it.

use crate::{
    cluster::{Cluster, until},
    links::Links,
    writers::{Load, kv},
};
use roadstead::{
    client::{Client, ClientOptions, Consistency},
    service::kv::{PutRequest, RangeRequest},
};
use std::time::{Duration, Instant};

/// `election_timeout_ms` of the profile "fast".
const ELECTION_TIMEOUT: Duration = Duration::from_millis(300);
/// A leader that hears no quorum steps down within two election timeouts; the others then hear nothing for up to two, and vote. What a busy machine adds.
const BOUND: Duration = Duration::from_secs(4);
/// Longer than anybody's patience with a silent leader.
const LONG: Duration = Duration::from_millis(1_500);
/// How long a writer waits for an outcome. One may lose it twice: to the leader that took its write in, and to the same node when that passes the next one on
/// to a new leader that it hears but cannot reach.
const PATIENCE: Duration = Duration::from_secs(2);

struct Net {
    cluster: Cluster,
    links: Links,
    load: Load,
    leader: u32,
    followers: [u32; 2],
}

impl Net {
    fn start() -> Self {
        let (mut cluster, links) = Links::cluster(&[1], "");
        cluster.start_all();
        let mut load = Load::new(&cluster, &[1], 6, PATIENCE);
        load.start();
        load.acknowledged(50);
        let leader = cluster.leader(1);
        let followers: Vec<u32> = [1, 2, 3].into_iter().filter(|id| *id != leader).collect();
        Self { cluster, links, load, leader, followers: [followers[0], followers[1]] }
    }

    fn epoch(&self) -> u64 {
        self.cluster.nodes[self.leader as usize - 1].group(1).unwrap()["epoch"].as_u64().unwrap()
    }

    /// The leader still has a quorum: nobody may disturb it, now or when the link is back.
    fn nothing_changes(mut self, cuts: &[(u32, u32)]) {
        let epoch = self.epoch();
        cuts.iter().for_each(|(from, to)| self.links.cut(*from, *to));
        let begun = Instant::now();
        while begun.elapsed() < LONG {
            self.load.acknowledged(10);
        }
        self.links.heal();
        self.load.acknowledged(50);
        self.load.stop();
        self.cluster.wait_until_level();
        assert_eq!((self.cluster.leader(1), self.epoch()), (self.leader, epoch), "the leader was disturbed");
        self.load.check_all();
    }

    /// The leader has no quorum: another one leads within the bound, and the old one confirms no read meanwhile.
    fn another_leads(mut self, cuts: &[(u32, u32)]) {
        cuts.iter().for_each(|(from, to)| self.links.cut(*from, *to));
        let begun = Instant::now();
        until("another leader", || {
            let node = |id: u32| &self.cluster.nodes[id as usize - 1];
            self.followers.into_iter().find(|id| node(*id).group(1).is_some_and(|group| group["role"] == "leader"))
        });
        let led = begun.elapsed();
        self.load.acknowledged(1);
        let took = begun.elapsed();
        eprintln!("another leader after {led:.1?}, the next write after {took:.2?}");
        assert!(led < BOUND, "another leader came after {led:?}");
        assert!(took < BOUND + 2 * PATIENCE, "writes went on after {took:?}");
        until("the old leader to step down", || {
            let group = self.cluster.nodes[self.leader as usize - 1].group(1)?;
            (group["role"] != "leader").then_some(())
        });
        self.old_leader_reads_nothing_stale();
        self.load.acknowledged(100);
        self.links.heal();
        self.load.acknowledged(100);
        self.load.stop();
        self.cluster.wait_until_level();
        self.load.check_all();
    }

    /// It may know the new leader and ask there; what it may not do is answer from what it has.
    fn old_leader_reads_nothing_stale(&self) {
        let others = self.followers.map(|id| self.cluster.endpoint(id));
        let asks_others = kv(&Client::new(ClientOptions { timeout: BOUND, ..ClientOptions::of(others) }), 1);
        self.load.block_on(asks_others.put(PutRequest::new("marker", "new"))).unwrap();
        let old = [self.cluster.endpoint(self.leader)];
        let asks_old = kv(&Client::new(ClientOptions { timeout: ELECTION_TIMEOUT * 2, ..ClientOptions::of(old) }), 1);
        if let Ok(read) = self.load.block_on(asks_old.range(RangeRequest::key("marker"), Consistency::Linearizable)) {
            assert_eq!(read.kvs.len(), 1, "the old leader answered from what it knew");
        }
    }
}

#[test]
fn a_leader_that_one_follower_does_not_hear_goes_on() {
    let net = Net::start();
    let cuts = [(net.leader, net.followers[0])];
    net.nothing_changes(&cuts);
}

#[test]
fn a_leader_that_does_not_hear_one_follower_goes_on() {
    let net = Net::start();
    let cuts = [(net.followers[0], net.leader)];
    net.nothing_changes(&cuts);
}

#[test]
fn a_leader_that_nobody_hears_is_replaced() {
    let net = Net::start();
    let cuts = net.followers.map(|follower| (net.leader, follower));
    net.another_leads(&cuts);
}

/// Its heartbeats arrive and keep the others quiet: only itself can find out that it cannot commit any more.
#[test]
fn a_leader_that_hears_nobody_steps_down() {
    let net = Net::start();
    let cuts = net.followers.map(|follower| (follower, net.leader));
    net.another_leads(&cuts);
}

#[test]
fn a_leader_that_is_cut_off_is_replaced() {
    let net = Net::start();
    let cuts = net.followers.map(|follower| [(net.leader, follower), (follower, net.leader)]).concat();
    net.another_leads(&cuts);
}
