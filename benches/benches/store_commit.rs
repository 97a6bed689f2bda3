//! What a round of the storage machine costs, and what packing gains.
//!
//! Payloads have 116 B (16 B key, 100 B value). `memory` is the machine alone; `fjall` adds the journal and, but for `buffered`, one fdatasync per round;
//! `per entry` writes the same entries as one item each, as an unpacked log would. Witness: written each 64 rounds, since no round carries a vote.
//! A load average above 1.5 makes the figures worthless: it is printed first.

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roadstead::store::{
    Append, Entry, EntryKind, Expected, GroupRecord, NewGroup, Protocol, Seams, Storage, StorageThread, Store, Submission, Write,
    engine::{Batch, Durability, Engine, Space},
    fjall_engine::{FjallEngine, Kind},
    memory::MemoryEngine,
    witness_file::MemoryFile,
};
use roadstead_spec::{GroupId, Incarnation, Index, NodeId, Term};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::channel,
    },
    time::Instant,
};

const PAYLOAD_BYTES: usize = 116;
const EXPECTED: Expected = Expected { cluster: 1, node: NodeId(1) };

/// (groups, entries per group and round).
const SHAPES: [(usize, usize); 4] = [(1, 1), (1, 64), (64, 1), (64, 4)];

/// A storage machine and where its groups' logs end.
struct Driver {
    storage: Storage,
    records: Vec<GroupRecord>,
    last: u64,
    payload: Bytes,
    submissions: Vec<Submission>,
}

impl Driver {
    fn new(mut store: Store, groups: usize) -> Self {
        let records: Vec<_> = (1..=groups as i32).map(|id| create(&mut store, id)).collect();
        Self { storage: store.storage, records, last: 0, payload: Bytes::from(vec![7; PAYLOAD_BYTES]), submissions: Vec::new() }
    }

    fn entries(&self, count: usize) -> Vec<Entry> {
        (0..count).map(|_| Entry { term: Term(1), kind: EntryKind::Command, payload: self.payload.clone() }).collect()
    }

    /// One round; each 512th also compacts, as a running group does.
    fn round(&mut self, count: usize) {
        for record in &self.records {
            let append = Append { first: Index(self.last + 1), entries: self.entries(count) };
            let write = Write::Persist { hard: None, truncate_from: None, append: Some(append) };
            self.submissions.push(Submission { local: record.local, incarnation: record.incarnation, ticket: self.last, write });
            if self.last.is_multiple_of(512) && self.last > 4096 {
                let write = Write::Compact { through: Index(self.last - 4096) };
                self.submissions.push(Submission { local: record.local, incarnation: record.incarnation, ticket: self.last, write });
            }
        }
        self.last += count as u64;
        self.storage.turn(&mut self.submissions).expect("the round commits");
    }
}

fn create(store: &mut Store, id: i32) -> GroupRecord {
    let new = NewGroup {
        group: GroupId::new(id).unwrap_or_default(),
        generation: 1,
        incarnation: Incarnation(id as u64),
        service: "kv".to_owned(),
        protocol: Protocol::Raft,
        members: vec![NodeId(1)],
        timers: Vec::new(),
    };
    let (record, change) = store.registry.plan_create(new).expect("a new group");
    let submission = Submission { local: record.local, incarnation: record.incarnation, ticket: 0, write: Write::Registry(change) };
    store.storage.turn(&mut vec![submission]).expect("the round commits");
    record
}

fn memory() -> Store {
    let seams = Seams {
        log: Arc::new(MemoryEngine::new()),
        state: Arc::new(MemoryEngine::new()),
        witness: Box::new(MemoryFile::default()),
        fresh_store: 1,
    };
    Store::open_with(seams, EXPECTED).expect("a new store")
}

fn rounds(criterion: &mut Criterion) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average: {}", load.trim());
    let mut group = criterion.benchmark_group("round");
    for (groups, entries) in SHAPES {
        let shape = format!("{groups} groups x {entries}");
        group.throughput(Throughput::Elements((groups * entries) as u64));
        let mut driver = Driver::new(memory(), groups);
        group.bench_function(BenchmarkId::new("memory", &shape), |bencher| bencher.iter(|| driver.round(entries)));
        let dir = tempfile::tempdir().expect("a folder");
        let mut driver = Driver::new(Store::open(dir.path(), EXPECTED).expect("a new store"), groups);
        group.bench_function(BenchmarkId::new("fjall synced", &shape), |bencher| bencher.iter(|| driver.round(entries)));
    }
    group.finish();
}

/// Closed-loop clients of the storage thread: each submits one entry, waits for its completion, and submits the next. What waits while a sync runs is one round.
fn clients(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("clients");
    group.throughput(Throughput::Elements(1));
    for (groups, clients) in [(1, 1), (1, 64), (1, 256), (64, 256)] {
        let dir = tempfile::tempdir().expect("a folder");
        let Driver { storage, records, payload, .. } = Driver::new(Store::open(dir.path(), EXPECTED).expect("a new store"), groups);
        let (sender, done) = channel();
        let thread = StorageThread::spawn(storage, move |result| drop(sender.send(result))).expect("two threads");
        let (handle, mut lasts) = (thread.handle(), vec![0; groups]);
        let mut next = 0usize;
        let mut submit = |count: usize| {
            let mut submissions: Vec<_> = Vec::with_capacity(count);
            for _ in 0..count {
                let (record, last) = (&records[next % groups], &mut lasts[next % groups]);
                next += 1;
                *last += 1;
                let entries = vec![Entry { term: Term(1), kind: EntryKind::Command, payload: payload.clone() }];
                let write = Write::Persist { hard: None, truncate_from: None, append: Some(Append { first: Index(*last), entries }) };
                submissions.push(Submission { local: record.local, incarnation: record.incarnation, ticket: *last, write });
            }
            handle.submit(&mut submissions).expect("the store runs");
        };
        group.bench_function(BenchmarkId::from_parameter(format!("{clients} clients, {groups} groups")), |bencher| {
            bencher.iter_custom(|iterations| {
                let begin = Instant::now();
                let mut wanted = iterations as usize;
                let mut under_way = clients.min(wanted);
                wanted -= under_way;
                submit(under_way);
                while under_way > 0 {
                    let completed = done.recv().expect("the store runs").expect("the round commits").len();
                    let again = completed.min(wanted);
                    wanted -= again;
                    under_way -= completed - again;
                    submit(again);
                }
                begin.elapsed()
            });
        });
        let stats = thread.handle();
        let load = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let (rounds, entries, items) = (load(&stats.stats().rounds), load(&stats.stats().entries), load(&stats.stats().items));
        println!(
            "{:.1} entries per round, {:.1} per item, {:.0} µs per commit",
            entries / rounds,
            entries / items,
            load(&stats.stats().sync_nanos) / rounds / 1e3
        );
    }
    group.finish();
}

/// The same entries as items of their own, and as one item, in one batch.
fn packing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packing");
    for (name, durability) in [("buffered", Durability::Buffered), ("synced", Durability::Synced)] {
        for items in [1usize, 64] {
            let dir = tempfile::tempdir().expect("a folder");
            let engine = FjallEngine::open(dir.path(), Kind::Log).expect("a new database");
            let value = Bytes::from(vec![7; 64 * (PAYLOAD_BYTES + 5) / items + 23]);
            let mut next = 0u64;
            group.throughput(Throughput::Elements(64));
            group.bench_function(BenchmarkId::new(format!("64 entries {name}"), format!("{items} items")), |bencher| {
                bencher.iter(|| {
                    let mut batch = Batch::default();
                    for _ in 0..items {
                        next += 1;
                        batch.put(Space::Log, next.to_be_bytes().to_vec(), value.clone());
                    }
                    engine.commit(batch, durability).expect("the batch commits");
                });
            });
        }
    }
    group.finish();
}

/// Opening a folder whose log has 100,000 entries, in items of 1 and of 100.
fn recovery(criterion: &mut Criterion) {
    const ENTRIES: usize = 100_000;
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10).throughput(Throughput::Elements(ENTRIES as u64));
    for per_item in [1, 100] {
        let engine = MemoryEngine::new();
        let witness = MemoryFile::default();
        let seams = || Seams {
            log: Arc::new(engine.clone()),
            state: Arc::new(MemoryEngine::new()),
            witness: Box::new(witness.clone()),
            fresh_store: 1,
        };
        let mut driver = Driver::new(Store::open_with(seams(), EXPECTED).expect("a new store"), 1);
        let record = driver.records[0].clone();
        for _ in 0..ENTRIES / per_item {
            let append = Append { first: Index(driver.last + 1), entries: driver.entries(per_item) };
            let write = Write::Persist { hard: None, truncate_from: None, append: Some(append) };
            driver.last += per_item as u64;
            let submission = Submission { local: record.local, incarnation: record.incarnation, ticket: 0, write };
            driver.storage.turn(&mut vec![submission]).expect("the round commits");
        }
        group.bench_function(format!("{per_item} per item"), |bencher| {
            bencher.iter_batched(seams, |seams| Store::open_with(seams, EXPECTED).expect("it opens"), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, rounds, clients, packing, recovery);
criterion_main!(benches);
