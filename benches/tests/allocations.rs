//! No allocation per entry: what is allocated depends on the number of batches and messages, not on how many entries they carry.
//!
//! One test, since the counter counts the whole process.

#[path = "../benches/nodes/mod.rs"]
mod nodes;

use nodes::{Log, Nodes};
use roadstead_benches::members::Members;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 200;

/// Allocations and reallocations of one call, on average.
fn allocations(mut call: impl FnMut()) -> f64 {
    // Buffers grow to their size first.
    (0..ROUNDS).for_each(|_| call());
    let region = Region::new(ALLOCATOR);
    (0..ROUNDS).for_each(|_| call());
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / ROUNDS as f64
}

/// Goal: the core and its outbox allocate nothing per commit once their buffers have grown; a whole node allocates per turn, not per entry. Method: count over
/// many commits, of few and of many entries.
#[test]
fn nothing_is_allocated_per_entry() {
    for batch in [1, 64, 4_096] {
        let mut members = Members::elected();
        let each = allocations(|| members.commit(batch));
        println!("core and outbox, batches of {batch}: {each} allocations per commit");
        assert_eq!(each, 0.0, "the core allocates for a batch of {batch}");
    }
    for log in [Log::Nothing, Log::Memory] {
        let of = |batch: usize| {
            let mut nodes = Nodes::elected(1, log);
            allocations(|| nodes.commit(batch))
        };
        let (few, many) = (of(64), of(256));
        let per_entry = (many - few) / (256.0 - 64.0);
        println!("three nodes, {log:?}: {few} allocations for 64 entries, {many} for 256: {per_entry:.3} per further entry");
        assert!(per_entry < PER_ENTRY_MAX, "{per_entry} allocations for each further entry");
    }
}

/// Vectors that double take a few more allocations for a larger batch.
const PER_ENTRY_MAX: f64 = 0.1;
