//! Very many keys in one group: loading, ranges, and the start of a node that holds them.
//!
//! CI runs it small. The figures of `docs/performance.md`:
//! `ROADSTEAD_KEYS=1000000 cargo test --release -p roadstead --test process many_keys -- --nocapture`

use crate::{
    cluster::{Cluster, from_env, until},
    usage::Usage,
    writers::{Load, kv},
};
use roadstead::{
    client::{Client, Consistency},
    service::kv::{PutRequest, RangeRequest, RequestOp, TxnRequest},
};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const KEYS: u64 = 20_000;
const KEYS_PER_TXN: u64 = 100;
const LOADERS: u64 = 32;
const PATIENCE: Duration = Duration::from_secs(60);
/// Each kind of range is asked for so often.
const ASKED: usize = 50;
/// Keys of the long range.
const LONG: u64 = 1_000;

fn key(number: u64) -> String {
    format!("key/{number:012}")
}

async fn load_all(client: Client, keys: u64) {
    let mut tasks = JoinSet::new();
    for loader in 0..LOADERS {
        let kv = kv(&client, 1);
        tasks.spawn(async move {
            for first in (loader * KEYS_PER_TXN..keys).step_by((LOADERS * KEYS_PER_TXN) as usize) {
                let put = |number| RequestOp::Put(PutRequest::new(key(number), vec![b'v'; 100]));
                let success = (first..keys.min(first + KEYS_PER_TXN)).map(put).collect();
                kv.txn(TxnRequest { success, ..TxnRequest::default() }).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// Median and worst time of a range that must hold `count` keys.
async fn ranges(client: &Client, what: &str, count: usize, request: impl Fn(usize) -> RangeRequest) {
    let kv = kv(client, 1);
    let mut times = Vec::new();
    for turn in 0..ASKED {
        let begun = Instant::now();
        let response = kv.range(request(turn), Consistency::Linearizable).await.unwrap();
        times.push(begun.elapsed());
        assert_eq!(response.kvs.len(), count, "{what}");
    }
    times.sort();
    eprintln!("{what}: p50 {:.2?}, worst of {ASKED} {:.2?}", times[ASKED / 2], times[ASKED - 1]);
}

#[test]
fn many_keys_load_range_and_survive_a_restart() {
    let keys = from_env("ROADSTEAD_KEYS").unwrap_or(KEYS);
    let mut cluster = Cluster::start(&[1], "");
    let background = Load::new(&cluster, &[1], 0, PATIENCE);
    let client = cluster.client(PATIENCE);
    let begun = Instant::now();
    background.block_on(load_all(client.clone(), keys));
    eprintln!("{keys} keys in {:.1?}", begun.elapsed());

    let spread = |turn: usize| turn as u64 * keys / ASKED as u64;
    let from = |first: u64, limit: u64| RangeRequest {
        limit: limit as i64,
        ..RangeRequest { range_end: "key0".into(), ..RangeRequest::key(key(first)) }
    };
    background.block_on(async {
        ranges(&client, "one key", 1, |turn| RangeRequest::key(key(spread(turn)))).await;
        ranges(&client, "1,000 keys", LONG as usize, |turn| from(spread(turn).min(keys - LONG), LONG)).await;
        ranges(&client, "count of all keys", 0, |_| RangeRequest { count_only: true, ..from(0, 0) }).await;
    });
    let leader = cluster.leader(1);
    for id in [leader % 3 + 1, leader] {
        eprintln!("node {id} holds {:.0} MB", Usage::of(cluster.node(id).process().pid()).resident_bytes as f64 / 1e6);
        cluster.node(id).kill();
        let begun = Instant::now();
        cluster.node(id).start();
        cluster.node(id).wait_until_up();
        eprintln!("node {id} was killed: its port answers after {:.2?}", begun.elapsed());
    }
    let count = RangeRequest { count_only: true, ..from(0, 0) };
    let counted =
        until("the cluster to count", || background.block_on(kv(&client, 1).range(count.clone(), Consistency::Linearizable)).ok());
    assert_eq!(counted.count, keys as i64, "every key is there");
}
