//! The common book of all threads, in which the order of walks is their number and not the time of their end.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::engine::{FirstSeen, Found, Progress, Watch};

/// What some walks with neighbouring numbers did.
pub(super) struct Batch<A> {
    pub(super) steps: u64,
    pub(super) walks: u64,
    pub(super) sights: FirstSeen,
    pub(super) found: Option<Found<A>>,
}

impl<A> Default for Batch<A> {
    fn default() -> Self {
        Self { steps: 0, walks: 0, sights: FirstSeen::default(), found: None }
    }
}

/// Batches without gaps from the first one on are added up; a batch that ended before its predecessor waits. What ends the run, enough steps or a broken law,
/// is looked for in the sum alone, so that a batch counts or does not count whoever was faster.
pub(super) struct Ledger<A> {
    steps_max: u64,
    full: AtomicBool,
    book: Mutex<Book<A>>,
}

struct Book<A> {
    total: Batch<A>,
    next: u64,
    early: BTreeMap<u64, Batch<A>>,
}

impl<A> Ledger<A> {
    pub(super) fn new(steps_max: u64) -> Self {
        let book = Book { total: Batch::default(), next: 0, early: BTreeMap::new() };
        Self { steps_max, full: AtomicBool::new(false), book: Mutex::new(book) }
    }

    /// Whether nothing more will be counted.
    pub(super) fn full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Enters the batch of a number.
    pub(super) fn enter(&self, number: u64, batch: Batch<A>, watch: &dyn Watch) {
        let mut book = self.book.lock().expect("no thread panics while it holds the book");
        book.early.insert(number, batch);
        while !self.full() {
            let next = book.next;
            let Some(batch) = book.early.remove(&next) else { break };
            book.next += 1;
            let total = &mut book.total;
            total.steps += batch.steps;
            total.walks += batch.walks;
            total.sights.join(&batch.sights);
            total.found = batch.found;
            // A world in which nothing is possible takes no steps and never has enough of them.
            let over = total.found.is_some() || total.steps >= self.steps_max || batch.steps == 0;
            self.full.store(over, Ordering::Relaxed);
        }
        watch.progress(Progress { done: book.total.steps, depth: book.total.walks, waiting: 0 });
    }

    /// What was counted.
    pub(super) fn total(self) -> Batch<A> {
        self.book.into_inner().expect("no thread panics while it holds the book").total
    }
}
