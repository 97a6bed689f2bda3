//! What the key-value state machine costs by itself: commands applied to, and queries answered from, an ordered map in memory. 16-byte keys,
//! 100-byte values, one thread, batches of 1,000 commands.
//!
//! Before the measurements it prints what opening a million keys takes in time and memory (the store is made up on the fly, so the memory is the
//! index alone).

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use kv_member::Member;
use roadstead::{
    service::kv::*,
    state_machine::{StateMachine, StateMachineError, StateRead},
};
use std::{hint::black_box, ops::ControlFlow, ops::Range, time::Duration, time::Instant};

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../impl/tests/kv_member/mod.rs"]
mod kv_member;

const BATCH: u64 = 1_000;
const KEYS: u64 = 100_000;

/// Spreads numbers over all keys, in no order and without repetition (multiplication by an odd number).
fn scattered(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn put(number: u64) -> Bytes {
    Request::Put(PutRequest::new(scattered(number), Bytes::from_static(&[b'v'; 100]))).encode()
}

fn puts(numbers: Range<u64>) -> Vec<Bytes> {
    numbers.map(put).collect()
}

fn filled() -> Member {
    let mut member = Member::default();
    member.apply(puts(0..KEYS));
    member
}

/// Measures the application of a batch; making it is not measured.
fn batches(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut prepare: impl FnMut(&mut Member) -> Vec<Bytes>) {
    let mut member = filled();
    group.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                let payloads = prepare(&mut member);
                let start = Instant::now();
                black_box(member.apply(payloads));
                spent += start.elapsed();
            }
            spent
        });
    });
}

fn commands(c: &mut Criterion) {
    let mut group = c.benchmark_group("kv_apply");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20);

    let mut next = KEYS;
    batches(&mut group, "put_new_key", |member| {
        // Starts over before the data outgrows what it claims to measure.
        if next >= 10 * KEYS {
            (*member, next) = (filled(), KEYS);
        }
        next += BATCH;
        puts(next - BATCH..next)
    });

    // One compaction per batch, so that every put also sweeps: the steady state of a store that is compacted.
    let (mut next, mut revision) = (0, 1 + KEYS as i64);
    batches(&mut group, "put_old_key_while_sweeping", |_| {
        next += BATCH - 1;
        revision += BATCH as i64 - 1;
        let compact = Request::Compact(CompactRequest { revision: revision - BATCH as i64 });
        (next..next + BATCH - 1).map(|number| put(number % KEYS)).chain([compact.encode()]).collect()
    });

    let mut next = 0;
    batches(&mut group, "txn_compare_and_put", |member| {
        if next >= 10 * KEYS {
            (*member, next) = (filled(), 0);
        }
        next += BATCH;
        (next - BATCH..next).map(|number| compare_and_put(number % KEYS)).collect()
    });
    group.finish();
}

fn compare_and_put(number: u64) -> Bytes {
    let key = Bytes::from(scattered(number));
    let compare = Compare { key: key.clone(), range_end: Bytes::new(), result: CompareResult::Greater, target: CompareTarget::Version(0) };
    let success = vec![RequestOp::Put(PutRequest::new(key, Bytes::from_static(&[b'w'; 100])))];
    Request::Txn(TxnRequest { compare: vec![compare], success, failure: Vec::new() }).encode()
}

fn queries(c: &mut Criterion) {
    let member = filled();
    let mut group = c.benchmark_group("kv_query");
    let mut number = 0;
    group.bench_function("get", |b| {
        b.iter(|| {
            number = (number + 1) % KEYS;
            member.query_bytes(&Request::Range(RangeRequest::key(scattered(number))).encode())
        });
    });
    let range = Request::Range(RangeRequest { limit: 100, ..RangeRequest::prefix("4") }).encode();
    group.bench_function("range_100_of_6250", |b| b.iter(|| member.query_bytes(&range)));
    group.finish();
}

/// A store of so many keys that takes no memory.
struct MadeUp {
    keys: u64,
    value: Bytes,
}

impl StateRead for MadeUp {
    fn get(&self, _: &[u8]) -> Result<Option<Bytes>, StateMachineError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: Range<&[u8]>,
        visit: &mut dyn FnMut(&[u8], Bytes) -> Result<ControlFlow<()>, StateMachineError>,
    ) -> Result<(), StateMachineError> {
        for number in 0..self.keys {
            let key = [&[1][..], &(number + 2).to_be_bytes(), &[0; 4]].concat();
            // The stored value of a made-up key: the real one's with the key's sixteen digits exchanged.
            let at = self.value.windows(16).position(|window| window == scattered(0).as_bytes()).expect("the key is part of its item");
            let value = [&self.value[..at], scattered(number).as_bytes(), &self.value[at + 16..]].concat();
            if visit(&key, value.into())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Resident memory of this process in bytes, from /proc (Linux; elsewhere 0).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn open(c: &mut Criterion) {
    let mut one = Member::default();
    one.apply(puts(0..1));
    let value = one.store.0.values().next().cloned().expect("one item");

    let state = MadeUp { keys: 1_000_000, value };
    let (before, start) = (resident(), Instant::now());
    let mut machine = Kv::default();
    machine.open(&state).expect("sound items");
    let (spent, memory) = (start.elapsed(), resident().saturating_sub(before));
    println!("kv_open: a million keys in {spent:.2?}; index: {} bytes per key of 16", memory / state.keys);
    drop(machine);

    let mut group = c.benchmark_group("kv_open");
    group.sample_size(10).throughput(Throughput::Elements(KEYS));
    let state = MadeUp { keys: KEYS, value: state.value };
    group.bench_function("scan_and_index", |b| b.iter(|| Kv::default().open(&state)));
    group.finish();
}

criterion_group!(benches, open, commands, queries);
criterion_main!(benches);
