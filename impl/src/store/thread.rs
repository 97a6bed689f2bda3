//! The two threads around the storage machine: one commits rounds, one writes the witness. Whoever submits never waits for a disk.

use super::{
    held::Held,
    rounds::Rounds,
    stats::StorageStats,
    storage::{Storage, StorageError},
    submission::{Completion, Submission},
    witness::{LAG_ROUNDS_MAX, LAG_TIME_MAX, Mark, Witness},
};
use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

/// Bytes that may wait for the storage thread before [`StorageHandle::has_room`] turns false. What one turn of the event loop
/// submits may go beyond: after a step a persist cannot be refused, so the bound is kept by asking before stepping.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The witness is written in the background once it is so many rounds behind, so that the next [`LAG_ROUNDS_MAX`] never wait for it on a healthy disk.
const LAG_ROUNDS_SOFT: u64 = LAG_ROUNDS_MAX / 2;

/// The storage threads have ended: after a fatal error, which the completion callback has received, or after [`StorageThread::stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the storage thread has ended; the node is going down")]
pub struct Stopped;

/// Receives completions, and at most one fatal error, after which nothing follows. It is called from both threads, one at a time, while a lock is held: it
/// must only pass the completions on. For each group they come in the order of the submissions.
type OnComplete = dyn Fn(Result<Vec<Completion>, StorageError>) + Send + Sync;

/// The running storage machine.
#[derive(Debug)]
pub struct StorageThread {
    handle: StorageHandle,
    threads: Vec<JoinHandle<()>>,
}

/// Submits work to the storage machine; clones share it.
#[derive(Clone, Debug)]
pub struct StorageHandle {
    queue: Arc<Queue>,
    stats: Arc<StorageStats>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    submissions: Vec<Submission>,
    /// Sum of their weights.
    weight: usize,
    stopping: bool,
}

/// What both threads share.
struct Shared {
    progress: Mutex<Progress>,
    /// Wakes the witness thread.
    behind: Condvar,
    /// Wakes the storage thread when it waits for the witness.
    caught_up: Condvar,
    on_complete: Box<OnComplete>,
    stats: Arc<StorageStats>,
}

struct Progress {
    /// What the witness is to remember.
    synced: Mark,
    /// Batch that the witness remembers.
    witnessed: u64,
    held: Held,
    ending: bool,
    failed: bool,
}

impl StorageThread {
    /// Starts both threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        storage: Storage,
        on_complete: impl Fn(Result<Vec<Completion>, StorageError>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let Storage { rounds, witness } = storage;
        let handle = StorageHandle { queue: Arc::default(), stats: rounds.stats().clone() };
        let witnessed = witness.newest();
        let progress = Progress { synced: witnessed, witnessed: witnessed.batch, held: Held::default(), ending: false, failed: false };
        let shared = Arc::new(Shared {
            progress: Mutex::new(progress),
            behind: Condvar::new(),
            caught_up: Condvar::new(),
            on_complete: Box::new(on_complete),
            stats: handle.stats.clone(),
        });
        let mut running = Self { handle, threads: Vec::with_capacity(2) };
        let (queue, both) = (running.handle.queue.clone(), shared.clone());
        running.threads.push(thread::Builder::new().name("storage".to_owned()).spawn(move || both.commit_rounds(&queue, rounds))?);
        running.threads.push(thread::Builder::new().name("witness".to_owned()).spawn(move || shared.write_witness(witness))?);
        Ok(running)
    }

    /// Where to submit.
    pub fn handle(&self) -> StorageHandle {
        self.handle.clone()
    }

    /// Works off the queue, writes the witness and ends both threads. So does dropping.
    pub fn stop(self) {}
}

impl Drop for StorageThread {
    fn drop(&mut self) {
        self.handle.queue.lock().stopping = true;
        self.handle.queue.wake.notify_one();
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
        let mut waiting = self.queue.lock();
        if waiting.stopping {
            return Err(Stopped);
        }
        let idle = waiting.submissions.is_empty();
        waiting.submissions.append(submissions);
        waiting.weight += weight;
        self.queue.bytes.fetch_add(weight, Relaxed);
        drop(waiting);
        if idle {
            self.queue.wake.notify_one();
        }
        Ok(())
    }

    /// Whether less than [`QUEUE_BYTES_MAX`] wait. To be asked *before* clients' writes and peers' entries are stepped: when it is false, writes are
    /// answered as busy and peers' entries dropped, as a network may.
    pub fn has_room(&self) -> bool {
        self.queued_bytes() < QUEUE_BYTES_MAX
    }

    /// Bytes that wait, the round being written included.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes.load(Relaxed)
    }

    /// Counters.
    pub fn stats(&self) -> &Arc<StorageStats> {
        &self.stats
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for submissions, swaps them into `round` and returns their weight; `None` when there will be none any more.
    fn next(&self, round: &mut Vec<Submission>) -> Option<usize> {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.submissions.is_empty() && !waiting.stopping;
        let mut waiting = self.wake.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.submissions, round);
        let weight = std::mem::take(&mut waiting.weight);
        (!round.is_empty()).then_some(weight)
    }

    /// Takes no submissions any more and forgets those that wait.
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.stopping = true;
        waiting.submissions.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The storage thread.
    fn commit_rounds(&self, queue: &Queue, mut rounds: Rounds) {
        let mut round = Vec::new();
        while let Some(weight) = queue.next(&mut round) {
            if !self.wait_for_witness() {
                break;
            }
            match rounds.commit(&mut round) {
                Ok(committed) => {
                    let mut progress = self.lock();
                    let begins_to_lag = progress.synced.batch == progress.witnessed;
                    progress.synced = committed.mark;
                    let now = progress.held.route(committed);
                    let lags = progress.synced.batch - progress.witnessed == LAG_ROUNDS_SOFT;
                    if begins_to_lag || lags || progress.held.is_urgent() {
                        self.behind.notify_one();
                    }
                    if !now.is_empty() && !progress.failed {
                        (self.on_complete)(Ok(now));
                    }
                }
                Err(error) => {
                    self.fail(error);
                    break;
                }
            }
            queue.bytes.fetch_sub(weight, Relaxed);
        }
        queue.close();
        self.lock().ending = true;
        self.behind.notify_one();
    }

    /// Waits until the witness is less than [`LAG_ROUNDS_MAX`] rounds behind; false if it failed.
    fn wait_for_witness(&self) -> bool {
        let too_far = |progress: &mut Progress| !progress.failed && progress.synced.batch - progress.witnessed >= LAG_ROUNDS_MAX;
        let progress = self.caught_up.wait_while(self.lock(), too_far).unwrap_or_else(PoisonError::into_inner);
        !progress.failed
    }

    /// The witness thread.
    fn write_witness(&self, mut witness: Witness) {
        while let Some(mark) = self.next_mark() {
            if let Err(error) = witness.write(mark) {
                self.fail(error.into());
                return;
            }
            StorageStats::add(&self.stats.witness_syncs, 1);
            let mut progress = self.lock();
            progress.witnessed = mark.batch;
            let released = progress.held.release(mark.batch);
            self.caught_up.notify_one();
            if !released.is_empty() && !progress.failed {
                (self.on_complete)(Ok(released));
            }
        }
    }

    /// Waits until a slot is due: at once for a term or a vote, else when the witness lags by rounds or time. `None` when all is written and the end has come.
    fn next_mark(&self) -> Option<Mark> {
        let caught_up = |progress: &mut Progress| !progress.ending && !progress.failed && progress.synced.batch == progress.witnessed;
        let progress = self.behind.wait_while(self.lock(), caught_up).unwrap_or_else(PoisonError::into_inner);
        let not_due = |progress: &mut Progress| {
            let lag = progress.synced.batch - progress.witnessed;
            !progress.ending && !progress.failed && !progress.held.is_urgent() && lag < LAG_ROUNDS_SOFT
        };
        // Half of the bound: the other half is for the write itself.
        let waited = self.behind.wait_timeout_while(progress, LAG_TIME_MAX / 2, not_due);
        let (progress, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!progress.failed && progress.synced.batch > progress.witnessed).then_some(progress.synced)
    }

    /// Reports the one fatal error; nothing is completed after it.
    fn fail(&self, error: StorageError) {
        let mut progress = self.lock();
        if !progress.failed {
            progress.failed = true;
            (self.on_complete)(Err(error));
        }
        self.caught_up.notify_one();
        self.behind.notify_one();
    }
}
