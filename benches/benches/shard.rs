//! Three nodes in one thread, from request to answer: shards, sessions, codec, log, applier and a tiny state machine. Payloads have 128 bytes.
//!
//! The time is that of all three nodes: entries per second are per core. `no log` completes writes at once; `memory log` runs the storage machine over a
//! store in memory. What is left out: sockets, disks, wake-ups, and the clients' frames.

mod nodes;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nodes::{Log, Nodes};
use roadstead_benches::clock::{ThreadTime, criterion};

/// (groups, proposals of each per turn).
const SHAPES: [(i32, usize); 5] = [(1, 1), (1, 64), (1, 256), (64, 1), (64, 4)];

fn entries(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("three_nodes");
    for (name, log) in [("no log", Log::Nothing), ("memory log", Log::Memory)] {
        for (groups, batch) in SHAPES {
            let mut nodes = Nodes::elected(groups, log);
            group.throughput(Throughput::Elements(groups.unsigned_abs() as u64 * batch as u64));
            let shape = format!("{groups} groups x {batch}");
            group.bench_function(BenchmarkId::new(name, shape), |bencher| bencher.iter(|| nodes.commit(batch)));
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = entries }
criterion_main!(benches);
