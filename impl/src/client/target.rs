//! Where a group's requests go: a place in the list of addresses, which only grows.

use crate::sync::{AtomicUsize, Relaxed};

/// One place for all requests of a group; whoever learns better moves it for everybody.
#[derive(Debug)]
pub(crate) struct Target(AtomicUsize);

impl Target {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// The place, of so many; `None` of none.
    pub(crate) fn place(&self, of: usize) -> Option<usize> {
        self.0.load(Relaxed).checked_rem(of)
    }

    /// Points at the next place, unless another request has moved it already.
    pub(crate) fn rotate(&self, from: usize, of: usize) {
        let next = (from + 1) % of.max(1);
        // Losing the race means that it was moved: good as well.
        let _ = self.0.compare_exchange(from, next, Relaxed, Relaxed);
    }

    /// Points at the leader that a node named. Another request may have been told something newer, and this one will be told again if it is wrong.
    pub(crate) fn follow(&self, place: usize) {
        self.0.store(place, Relaxed);
    }
}
