//! The shape of a log: questions about it, and a follower's append, with one run of terms and with a thousand (a thousand leaders since the last snapshot).

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use roadstead_benches::{
    clock::{ThreadTime, criterion},
    members::{IDS, params},
};
use roadstead_spec::{
    EntryId, Index, Term,
    raft::{Effect, Event, HardState, LogShape, Message, Round, Run, Slice, TermAt, recover, step},
};
use std::hint::black_box;

/// Entries of each term.
const RUN_ENTRIES: u64 = 1_000;
/// What a leader asks for at once.
const SLICE_ENTRIES: u32 = 4_096;

fn log_of(runs: u64) -> LogShape {
    let all = (0..runs).map(|number| Run { term: Term(number + 1), first: Index(number * RUN_ENTRIES + 1) }).collect();
    LogShape::from_runs(EntryId::default(), all, Index(runs * RUN_ENTRIES)).expect("a log")
}

fn questions(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("log_shape");
    for runs in [1, 1_000] {
        let log = log_of(runs);
        let last = log.last();
        // Somewhere else at each call, over the whole log, in no order that a processor could guess.
        let mut place = 0u64;
        let mut scattered = move || {
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Index(1 + (place >> 33) % (last.0 - 1))
        };
        group.bench_function(BenchmarkId::new("term_at newest", runs), |bencher| {
            bencher.iter(|| log.term_at(black_box(last)));
        });
        group.bench_function(BenchmarkId::new("term_at anywhere", runs), |bencher| {
            bencher.iter(|| log.term_at(scattered()));
        });
        group.bench_function(BenchmarkId::new("slice of the newest", runs), |bencher| {
            bencher.iter(|| log.slice(black_box(last.prev()), SLICE_ENTRIES));
        });
        group.bench_function(BenchmarkId::new("slice from anywhere", runs), |bencher| {
            bencher.iter(|| log.slice(scattered(), SLICE_ENTRIES));
        });
        assert_eq!(log.term_at(last), TermAt::Known(Term(runs)), "the log is as it was made");
    }
    group.finish();
}

/// Whole steps of a follower whose log has so many runs.
fn appends(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("follower_step");
    let (params, round) = (params(), Round(0));
    for runs in [1, 1_000] {
        let hard = HardState { term: Term(runs), vote: None };
        let mut state = recover(IDS[1], hard, log_of(runs), Index(0)).expect("it recovers");
        let mut effects: Vec<Effect> = Vec::new();
        let mut receive = |slice: Slice, term: u64| {
            effects.clear();
            let message = Message::AppendEntries { term: Term(term), slice, commit: Index(0), round };
            step(&params, &mut state, Event::Receive { from: IDS[0], message }, &mut effects);
            effects.len()
        };
        let mut last = Index(runs * RUN_ENTRIES);
        group.bench_function(BenchmarkId::new("append 64", runs), |bencher| {
            bencher.iter(|| {
                let mut slice = Slice::empty(EntryId { term: Term(runs), index: last });
                slice.runs.push(Run { term: Term(runs), first: last.next() });
                last = last.plus(64);
                slice.last = last;
                receive(slice, runs)
            });
        });
        // A leader that knows nothing of this log asks behind its end, in a newer term.
        group.bench_function(BenchmarkId::new("refuse a probe", runs), |bencher| {
            bencher.iter(|| receive(Slice::empty(EntryId { term: Term(runs), index: last.next() }), runs));
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = questions, appends }
criterion_main!(benches);
