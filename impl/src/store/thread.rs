//! The two threads around the storage machine: one commits rounds, one writes the witness; `progress.rs` says who waits for whom. Whoever
//! submits never waits for a disk.

use super::{
    progress::{Lag, Progress},
    queue::{Closed, Queue},
    stats::StorageStats,
    storage::{Storage, StorageError},
    submission::{Completion, Submission},
    witness::{LAG_ROUNDS_MAX, LAG_TIME_MAX},
};
use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

/// Bytes that may wait for the storage thread before [`StorageHandle::has_room`] turns false. What one turn of the event loop
/// submits may go beyond: after a step a persist cannot be refused, so the bound is kept by asking before stepping.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The storage threads have ended: after a fatal error, which the completion callback has received, or after [`StorageThread::stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the storage thread has ended; the node is going down")]
pub struct Stopped;

/// The running storage machine.
#[derive(Debug)]
pub struct StorageThread {
    handle: StorageHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Submits work to the storage machine; clones share it.
#[derive(Clone, Debug)]
pub struct StorageHandle {
    queue: Arc<Queue<Submission>>,
    stats: Arc<StorageStats>,
}

impl StorageThread {
    /// Starts both threads. `on_complete` receives completions, and at most one fatal error, after which nothing follows. It is called from both threads, one
    /// at a time, while a lock is held: it must only pass on what it is told. For each group completions come in the order of the submissions.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        storage: Storage,
        on_complete: impl Fn(Result<Vec<Completion>, StorageError>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Storage { mut rounds, mut witness } = storage;
        let stats = rounds.stats().clone();
        let handle = StorageHandle { queue: Arc::new(Queue::new()), stats: stats.clone() };
        // Half of the bounds: the other half is for the write itself.
        let lag = Lag { rounds_max: LAG_ROUNDS_MAX, rounds_soft: LAG_ROUNDS_MAX / 2, time: LAG_TIME_MAX / 2 };
        let progress = Arc::new(Progress::new(witness.newest(), lag, Box::new(on_complete)));
        let mut running = Self { handle, threads: Vec::with_capacity(2) };
        let (queue, both) = (running.handle.queue.clone(), progress.clone());
        let commit_rounds = move || {
            let _end = AtEnd(|| both.storage_ends(&queue));
            both.commit_rounds(&queue, |round| rounds.commit(round));
        };
        let write_witness = move || {
            let _end = AtEnd(|| progress.witness_ends());
            progress.write_witness(|mark| {
                witness.write(mark)?;
                StorageStats::add(&stats.witness_syncs, 1);
                Ok(())
            });
        };
        running.threads.push(thread::Builder::new().name("storage".to_owned()).spawn(commit_rounds)?);
        running.threads.push(thread::Builder::new().name("witness".to_owned()).spawn(write_witness)?);
        Ok(running)
    }

    /// Where to submit.
    pub fn handle(&self) -> StorageHandle {
        self.handle.clone()
    }

    /// Works off the queue, writes the witness and ends both threads. So does dropping.
    pub fn stop(self) {}
}

/// What a thread does last, after a panic as well: the other one would wait for it for ever.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Drop for StorageThread {
    fn drop(&mut self) {
        self.handle.queue.stop();
        for thread in self.threads.drain(..) {
            // A panic of the thread was printed by the thread.
            let _ = thread.join();
        }
    }
}

impl StorageHandle {
    /// Hands over all submissions; `submissions` is empty afterwards and keeps its memory. Never waits for a disk and never refuses for lack of room.
    ///
    /// # Errors
    /// When the threads have ended; the submissions stay where they are.
    pub fn submit(&self, submissions: &mut Vec<Submission>) -> Result<(), Stopped> {
        if submissions.is_empty() {
            return Ok(());
        }
        let weight = submissions.iter().map(Submission::weight).sum();
        self.queue.put(submissions, weight).map_err(|Closed| Stopped)
    }

    /// Whether less than [`QUEUE_BYTES_MAX`] wait. To be asked *before* clients' writes and peers' entries are stepped: when it is false, writes are
    /// answered as busy and peers' entries dropped, as a network may.
    pub fn has_room(&self) -> bool {
        self.queued_bytes() < QUEUE_BYTES_MAX
    }

    /// Bytes that wait, the round being written included.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Counters.
    pub fn stats(&self) -> &Arc<StorageStats> {
        &self.stats
    }
}
