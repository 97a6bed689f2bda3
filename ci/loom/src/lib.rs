//! What `tests` run: the pieces of production, by path and not copied, and what is asked of them.
//!
//! `docs/checked.md` says which pieces there are, what is explored and what is not.
#![forbid(unsafe_code)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

#[path = "../../../impl/src/applier/answers.rs"]
mod answers;
#[path = "../../../impl/src/api/etcd/budget.rs"]
mod budget;
#[path = "../../../impl/src/port/slots.rs"]
mod slots;
mod store;
mod sync;
#[path = "../../../impl/src/client/target.rs"]
#[expect(dead_code, reason = "not all of it is asked")]
mod target;

pub mod counts;
pub mod planted;
pub mod threads;

/// Explores the orders in which the threads that `model` starts may interleave, and says how many there were: all of them, or those in which threads are
/// interrupted where they do not wait no more than `interruptions_max` times. `LOOM_MAX_PREEMPTIONS` is another bound.
fn explore(name: &str, interruptions_max: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let (counted, begin) = (orders.clone(), Instant::now());
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions_max.map(|max| builder.preemption_bound.unwrap_or(max));
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("{name}: {} orders in {:.1?}", orders.load(Relaxed), begin.elapsed());
}
