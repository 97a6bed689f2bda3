//! The registry of a node that hosts ten thousand groups: which mailbox a frame belongs to, and a group's coming and going.

use criterion::{Criterion, criterion_group, criterion_main};
use roadstead_benches::clock::{ThreadTime, criterion};
use roadstead_spec::{GroupId, Incarnation, dispatch::Registry};

const GROUPS: i32 = 10_000;

fn group(number: i32) -> GroupId {
    GroupId::new(number).expect("not negative")
}

fn incarnation(number: i32) -> Incarnation {
    Incarnation(number.unsigned_abs().into())
}

fn registry() -> Registry<u32> {
    let mut registry = Registry::new();
    for number in 1..=GROUPS {
        registry.register(group(number), incarnation(number), number.unsigned_abs(), 0).expect("each once");
    }
    registry
}

fn routes(c: &mut Criterion<ThreadTime>) {
    let mut registry = registry();
    let mut bench = c.benchmark_group("dispatch");
    let (mut number, mut now) = (1, 0);
    // 4,801 and 10,000 share no factor: every group comes up, none near the one before.
    let mut scattered = move || {
        number = (number + 4_801) % GROUPS;
        number + 1
    };
    bench.bench_function("route, in order", |bencher| {
        bencher.iter(|| {
            now += 1;
            let number = (now % GROUPS as u64) as i32 + 1;
            registry.route(group(number), incarnation(number), now).copied()
        });
    });
    bench.bench_function("route, scattered", |bencher| {
        bencher.iter(|| {
            now += 1;
            let number = scattered();
            registry.route(group(number), incarnation(number), now).copied()
        });
    });
    bench.bench_function("route, no such group", |bencher| {
        bencher.iter(|| registry.route(group(GROUPS + scattered()), Incarnation(1), now).copied());
    });
    bench.bench_function("route, another incarnation", |bencher| {
        bencher.iter(|| registry.route(group(scattered()), Incarnation(0), now).copied());
    });
    bench.bench_function("deregister and register", |bencher| {
        bencher.iter(|| {
            let number = scattered();
            let (incarnation, mailbox) = registry.deregister(group(number)).expect("it is there");
            registry.register(group(number), incarnation, mailbox, now)
        });
    });
    bench.finish();
    assert_eq!(registry.len(), GROUPS as usize, "all groups are still there");
}

criterion_group! { name = benches; config = criterion(); targets = routes }
criterion_main!(benches);
