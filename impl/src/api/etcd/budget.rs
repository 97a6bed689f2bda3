//! Bytes that many take from one bound and give back.

use crate::sync::{Arc, AtomicUsize, Relaxed};

/// What all have taken. Clones are the same budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// Bytes that somebody has taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    budget: Budget,
    bytes: usize,
}

/// The bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded;

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { taken: Arc::new(AtomicUsize::new(0)), max }
    }

    /// Nothing yet, of this budget.
    pub(crate) fn taken(&self) -> Taken {
        Taken { budget: self.clone(), bytes: 0 }
    }
}

impl Taken {
    /// Takes more. What was granted to all together never passes the bound. Refused bytes are counted until this is dropped, too: who is refused gives up, and
    /// until then others may be refused for it, but nobody is granted what is not there.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), Exceeded> {
        let before = self.budget.taken.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) > self.budget.max { Err(Exceeded) } else { Ok(()) }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Relaxed);
    }
}
