//! Bytes of answers that are under way: the applier gives, shards take, and what is not taken yet leaves less room for further ones.

use crate::sync::{Arc, AtomicUsize, Relaxed};

/// Counts the bytes; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Arc<AtomicUsize>);

impl Answers {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    /// What is left of `max`. Only whoever gives asks, so it can only grow until the next [`give`](Self::give).
    pub(crate) fn room(&self, max: usize) -> usize {
        max.saturating_sub(self.0.load(Relaxed))
    }

    /// Answers of so many bytes are about to leave. To be called before they do: whoever takes them must find them counted.
    pub(crate) fn give(&self, bytes: usize) {
        self.0.fetch_add(bytes, Relaxed);
    }

    /// Answers of so many bytes are taken.
    pub(crate) fn take(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Relaxed);
    }
}
