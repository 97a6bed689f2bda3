//! What threads wait and count with. Files that coordinate threads take it from here and from nowhere else, so that `ci/loom` can compile the same files
//! over loom's primitives and explore how the threads may interleave.

pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
