//! Very many groups on three ports, and groups that come and go fast.
//!
//! CI runs both small. The figures of `docs/performance.md`:
//! `ROADSTEAD_GROUPS=1000 cargo test --release -p roadstead --test process many_groups -- --nocapture` and
//! `ROADSTEAD_CHURN_SECONDS=60 cargo test --release -p roadstead --test process come_and_go_fast -- --nocapture`

use crate::{
    admin,
    cluster::{Cluster, from_env, until},
    usage::Usage,
    writers::{Load, kv},
};
use roadstead::{
    client::{Client, Consistency},
    service::kv::{PutRequest, RangeRequest},
};
use serde_json::{Value, json};
use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const GROUPS: u64 = 60;
const WRITES_PER_GROUP: usize = 100;
/// Groups that are written to at the same time.
const WRITERS: usize = 64;
/// How long the idle cluster is watched.
const IDLE: Duration = Duration::from_secs(5);
/// Above what a node with one group needs. Generous: a debug build's allocations and the key-value service's own memory count, too.
const BYTES_PER_GROUP_MAX: u64 = 200 << 10;

/// Groups at the default timers: a crowd on two cores is not made for elections after 300 ms.
fn calm(cluster: &Cluster) {
    for node in &cluster.nodes {
        let config = std::fs::read_to_string(node.config()).unwrap();
        std::fs::write(node.config(), config.replace("profile = \"fast\"\n", "")).unwrap();
    }
}

/// All groups of a node.
fn groups_of(cluster: &Cluster, id: u32) -> Option<Vec<Value>> {
    admin::get(cluster.endpoint(id), "/v1/groups").ok()?["groups"].as_array().cloned()
}

/// Waits until every node has all groups, and knows a leader of each.
fn wait_for_all_leaders(cluster: &Cluster) {
    for id in 1..=3 {
        let settled = |groups: &Vec<Value>| groups.len() == cluster.groups.len() && groups.iter().all(|group| group["leader"].is_u64());
        until("every group to have a leader", || groups_of(cluster, id).filter(settled));
    }
}

/// Writes `keys` to each group, one after the other within a group, [`WRITERS`] groups at a time.
async fn write_to_all(client: Client, groups: Vec<i32>, keys: RangeInclusive<usize>) {
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (client, keys) = (client.clone(), keys.clone());
        let mine: Vec<i32> = groups.iter().copied().skip(writer).step_by(WRITERS).collect();
        tasks.spawn(async move {
            for group in mine {
                let kv = kv(&client, group);
                for key in keys.clone() {
                    let response = kv.put(PutRequest::new(format!("key{key}"), format!("{group}"))).await;
                    let revision = response.unwrap_or_else(|error| panic!("group {group}, key {key}: {error}")).revision;
                    assert_eq!(revision, key as i64 + 1, "group {group} has its own writes and no other group's");
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[test]
fn many_groups_elect_serve_and_survive_a_restart_of_each_node() {
    let groups: Vec<i32> = (1..=from_env("ROADSTEAD_GROUPS").unwrap_or(GROUPS) as i32).collect();
    let mut cluster = Cluster::new(&groups, "");
    calm(&cluster);
    let begun = Instant::now();
    (1..=3).for_each(|id| cluster.node(id).start());
    wait_for_all_leaders(&cluster);
    eprintln!("{} groups of three on three ports: all have leaders after {:.1?}", groups.len(), begun.elapsed());
    report_idle(&mut cluster);

    let load = Load::new(&cluster, &groups[..1], 0, Duration::from_secs(30));
    let begun = Instant::now();
    load.block_on(write_to_all(cluster.client(Duration::from_secs(30)), groups.clone(), 1..=WRITES_PER_GROUP));
    let writes = groups.len() * WRITES_PER_GROUP;
    eprintln!("{writes} writes, {WRITES_PER_GROUP} to each group, in {:.1?}", begun.elapsed());

    for (node, key) in (1..=3).zip(WRITES_PER_GROUP + 1..) {
        cluster.node(node).kill();
        let begun = Instant::now();
        cluster.node(node).start();
        cluster.node(node).wait_until_up();
        let up = begun.elapsed();
        wait_for_all_leaders(&cluster);
        eprintln!("node {node} was killed: its port answers after {up:.1?}, it knows all leaders after {:.1?}", begun.elapsed());
        load.block_on(write_to_all(cluster.client(Duration::from_secs(30)), groups.clone(), key..=key));
    }
    let client = cluster.client(Duration::from_secs(30));
    for group in &groups {
        let all = load.block_on(kv(&client, *group).range(RangeRequest::prefix("key"), Consistency::Linearizable)).unwrap();
        assert_eq!(all.kvs.len(), WRITES_PER_GROUP + 3, "group {group} has every write");
        assert!(all.kvs.iter().all(|kv| kv.value == group.to_string()), "group {group} has no other group's write");
    }
}

/// What groups cost that nobody uses.
fn report_idle(cluster: &mut Cluster) {
    let pids: Vec<u32> = (1..=3).map(|id| cluster.node(id).process().pid()).collect();
    let read = |cluster: &Cluster| -> Vec<(Usage, f64)> {
        let messages = |id| admin::metric(cluster.endpoint(id), "roadstead_messages_sent_total").unwrap();
        (1..=3).zip(&pids).map(|(id, pid)| (Usage::of(*pid), messages(id))).collect()
    };
    let (before, begun) = (read(cluster), Instant::now());
    // Time itself is what is measured here.
    std::thread::sleep(IDLE);
    let (after, seconds) = (read(cluster), begun.elapsed().as_secs_f64());
    for (id, ((before, sent_before), (after, sent_after))) in (1..).zip(before.iter().zip(&after)) {
        let per_group = after.resident_bytes / cluster.groups.len() as u64;
        eprintln!(
            "node {id} idle: {:.0} ms CPU per second, {:.0} messages per second, {:.1} MB resident, {:.1} KB per group",
            (after.cpu_seconds - before.cpu_seconds) * 1e3 / seconds,
            (sent_after - sent_before) / seconds,
            after.resident_bytes as f64 / 1e6,
            per_group as f64 / 1e3
        );
        let bound = BASE_BYTES_MAX + BYTES_PER_GROUP_MAX * cluster.groups.len() as u64;
        assert!(after.resident_bytes < bound, "node {id} holds {} bytes for groups that nobody uses", after.resident_bytes);
    }
}

/// What a node holds with one group, debug information mapped in and all.
const BASE_BYTES_MAX: u64 = 128 << 20;

const CHURN_SECONDS: u64 = 4;
const PER_SECOND: u32 = 50;
/// Groups that live at the same time: four seconds each, so that they elect a leader and serve.
const LIVES: i32 = 200;
/// The first of them.
const FIRST: i32 = 1_000;
/// A write of the group beside them takes no longer than this.
const LONGEST_WRITE_MAX: Duration = Duration::from_secs(2);

/// Adds and removes groups on one node, one of each per slot.
fn churn(endpoint: &str, slots: i32, begun: Instant) -> Result<(), String> {
    for slot in 0..slots + LIVES {
        let due = begun + Duration::from_secs(1) / PER_SECOND * slot as u32;
        // The rate is what is asked for, so the clock says when.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if slot < slots {
            let group = json!({"id": FIRST + slot, "members": [1, 2, 3], "consensus_protocol": "raft"});
            admin::send(endpoint, "POST", "/v1/groups", &group).map_err(|error| format!("add {}: {error}", FIRST + slot))?;
        }
        if slot >= LIVES {
            let id = FIRST + slot - LIVES;
            admin::send(endpoint, "DELETE", &format!("/v1/groups/{id}"), &Value::Null).map_err(|error| format!("remove {id}: {error}"))?;
        }
    }
    Ok(())
}

#[test]
fn groups_come_and_go_fast_and_disturb_nobody() {
    let mut cluster = Cluster::new(&[1], "");
    calm(&cluster);
    (1..=3).for_each(|id| cluster.node(id).start());
    cluster.wait_for_leaders();
    let slots = from_env("ROADSTEAD_CHURN_SECONDS").unwrap_or(CHURN_SECONDS) as i32 * PER_SECOND as i32;
    let epoch = cluster.nodes[0].group(1).unwrap()["epoch"].clone();
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(20));
    load.start();
    load.acknowledged(20);

    let begun = Instant::now();
    let client = cluster.client(Duration::from_secs(20));
    // Every tenth group serves a write in the middle of its life.
    let served = load.spawn(async move {
        for slot in (0..slots).step_by(10) {
            tokio::time::sleep_until((begun + Duration::from_secs(1) / PER_SECOND * (slot as u32 + 1)).into()).await;
            kv(&client, FIRST + slot)
                .put(PutRequest::new("key", "value"))
                .await
                .map_err(|error| format!("group {}: {error}", FIRST + slot))?;
        }
        Ok::<_, String>(())
    });
    std::thread::scope(|scope| {
        let nodes: Vec<_> = cluster.endpoints().into_iter().map(|endpoint| scope.spawn(move || churn(&endpoint, slots, begun))).collect();
        nodes.into_iter().for_each(|node| node.join().unwrap().unwrap());
    });
    let took = begun.elapsed();
    let served = load.block_on(served).unwrap();
    load.stop();

    let planned = Duration::from_secs(1) / PER_SECOND * (slots + LIVES) as u32;
    let longest = load.longest_write();
    let figures = load.check_all();
    eprintln!(
        "{slots} groups added and removed on three nodes in {took:.1?} (planned: {planned:.1?}); beside them {} writes acknowledged, the longest took \
         {longest:.1?}",
        figures.acknowledged
    );
    assert_eq!(served, Ok(()), "a group serves while it lives");
    assert_eq!((figures.unknown, figures.rejected), (0, 0), "the group beside them noticed nothing");
    assert!(longest < LONGEST_WRITE_MAX, "a write beside them took {longest:?}");
    assert!(took < planned + planned / 2, "groups came and went slower than asked: {took:?} instead of {planned:?}");
    for id in 1..=3 {
        assert_eq!(groups_of(&cluster, id).unwrap().len(), 1, "all of them are gone from node {id}");
        assert_eq!(cluster.nodes[id as usize - 1].group(1).unwrap()["epoch"], epoch, "no election");
    }
}
