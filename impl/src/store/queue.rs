//! What waits for the storage thread: any thread puts, one takes everything at once.

use crate::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, PoisonError, Relaxed};

/// Items in the order in which they were put, and how many bytes they are.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    wake: Condvar,
    /// Read without the lock, so it may be behind by what is just being put or taken.
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    /// Sum of their weights.
    weight: usize,
    stopping: bool,
}

/// The queue takes nothing any more; the items stay with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let waiting = Waiting { items: Vec::new(), weight: 0, stopping: false };
        Self { waiting: Mutex::new(waiting), wake: Condvar::new(), bytes: AtomicUsize::new(0) }
    }

    /// Puts all items, which are so many bytes together; `items` is empty afterwards and keeps its memory.
    pub(crate) fn put(&self, items: &mut Vec<T>, weight: usize) -> Result<(), Closed> {
        let mut waiting = self.lock();
        if waiting.stopping {
            return Err(Closed);
        }
        let idle = waiting.items.is_empty();
        waiting.items.append(items);
        waiting.weight += weight;
        self.bytes.fetch_add(weight, Relaxed);
        drop(waiting);
        // Whoever takes finds the queue empty under the lock before it sleeps, so only the first item has somebody to wake.
        if idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Bytes that were put and are not [done](Self::done).
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Waits for items, swaps them into `round`, which is empty, and returns their weight; `None` when there will be none any more.
    pub(crate) fn next(&self, round: &mut Vec<T>) -> Option<usize> {
        let idle = |waiting: &mut Waiting<T>| waiting.items.is_empty() && !waiting.stopping;
        let mut waiting = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.items, round);
        let weight = std::mem::take(&mut waiting.weight);
        (!round.is_empty()).then_some(weight)
    }

    /// A round of this weight is written.
    pub(crate) fn done(&self, weight: usize) {
        self.bytes.fetch_sub(weight, Relaxed);
    }

    /// Takes nothing any more; what waits is still worked off.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.wake.notify_one();
    }

    /// Takes nothing any more and forgets what waits. For the thread that takes, which needs no waking.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.stopping = true;
        waiting.items.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
