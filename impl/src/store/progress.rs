//! How far the two threads of the storage machine are: who waits for whom, what is reported when, and how both end. What a round and a slot are is not known
//! here: they are written by what the threads are given.

use super::{held::Held, queue::Queue, rounds::Committed, storage::StorageError, submission::Completion, witness::Mark};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// See [`StorageThread::spawn`](super::StorageThread::spawn).
pub(crate) type OnComplete = dyn Fn(Result<Vec<Completion>, StorageError>) + Send + Sync;

/// How far the witness may be behind the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lag {
    /// The next round waits for the witness when it is so many rounds behind.
    pub(crate) rounds_max: u64,
    /// The witness is written in the background once it is so many rounds behind, so that the rounds up to the maximum never wait on a healthy disk.
    pub(crate) rounds_soft: u64,
    /// After this time the witness is written however few rounds it is behind.
    pub(crate) time: Duration,
}

/// What both threads share.
pub(crate) struct Progress {
    state: Mutex<State>,
    /// Wakes the witness thread.
    behind: Condvar,
    /// Wakes the storage thread when it waits for the witness.
    caught_up: Condvar,
    lag: Lag,
    on_complete: Box<OnComplete>,
}

struct State {
    /// What the witness is to remember.
    synced: Mark,
    /// Batch that the witness remembers.
    witnessed: u64,
    held: Held,
    ending: bool,
    failed: bool,
}

impl Progress {
    /// `witnessed` is what the witness remembers now.
    pub(crate) fn new(witnessed: Mark, lag: Lag, on_complete: Box<OnComplete>) -> Self {
        let state = State { synced: witnessed, witnessed: witnessed.batch, held: Held::default(), ending: false, failed: false };
        Self { state: Mutex::new(state), behind: Condvar::new(), caught_up: Condvar::new(), lag, on_complete }
    }

    /// The storage thread: commits what is queued, round by round, until the queue is stopped or something fails. [`storage_ends`](Self::storage_ends)
    /// must follow.
    pub(crate) fn commit_rounds<T>(&self, queue: &Queue<T>, mut commit: impl FnMut(&mut Vec<T>) -> Result<Committed, StorageError>) {
        let mut round = Vec::new();
        while let Some(weight) = queue.next(&mut round) {
            if !self.wait_for_witness() {
                break;
            }
            match commit(&mut round) {
                Ok(committed) => self.on_committed(committed),
                Err(error) => {
                    self.fail(error);
                    break;
                }
            }
            queue.done(weight);
        }
    }

    /// The storage thread has ended, and be it by a panic: nothing is submitted any more, and the witness thread writes what is left.
    pub(crate) fn storage_ends<T>(&self, queue: &Queue<T>) {
        queue.close();
        self.lock().ending = true;
        self.behind.notify_one();
    }

    /// The witness thread: writes marks as they become due, and the last one when the storage thread has ended. [`witness_ends`](Self::witness_ends) must
    /// follow.
    pub(crate) fn write_witness(&self, mut write: impl FnMut(Mark) -> Result<(), StorageError>) {
        while let Some(mark) = self.next_mark() {
            match write(mark) {
                Ok(()) => self.on_witnessed(mark),
                Err(error) => return self.fail(error),
            }
        }
    }

    /// The witness thread has ended, and be it by a panic: no further round is committed, since nobody would remember it.
    pub(crate) fn witness_ends(&self) {
        self.lock().failed = true;
        self.caught_up.notify_one();
    }

    /// Waits until the witness is less than the bound behind; false if it failed.
    fn wait_for_witness(&self) -> bool {
        let too_far = |state: &mut State| !state.failed && state.behind() >= self.lag.rounds_max;
        let state = self.caught_up.wait_while(self.lock(), too_far).unwrap_or_else(PoisonError::into_inner);
        !state.failed
    }

    fn on_committed(&self, committed: Committed) {
        let mut state = self.lock();
        let begins_to_lag = state.behind() == 0;
        state.synced = committed.mark;
        let now = state.held.route(committed);
        if begins_to_lag || state.behind() == self.lag.rounds_soft || state.held.is_urgent() {
            self.behind.notify_one();
        }
        self.report(&state, now);
    }

    /// Waits until a slot is due: at once for a term or a vote, else when the witness lags by rounds or time. `None` when all is written and the end has come.
    fn next_mark(&self) -> Option<Mark> {
        let caught_up = |state: &mut State| !state.ending && !state.failed && state.behind() == 0;
        let state = self.behind.wait_while(self.lock(), caught_up).unwrap_or_else(PoisonError::into_inner);
        let not_due =
            |state: &mut State| !state.ending && !state.failed && !state.held.is_urgent() && state.behind() < self.lag.rounds_soft;
        let waited = self.behind.wait_timeout_while(state, self.lag.time, not_due);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.failed && state.behind() > 0).then_some(state.synced)
    }

    fn on_witnessed(&self, mark: Mark) {
        let mut state = self.lock();
        state.witnessed = mark.batch;
        let released = state.held.release(mark.batch);
        self.caught_up.notify_one();
        self.report(&state, released);
    }

    /// Under the lock, so that completions of both threads keep their order.
    fn report(&self, state: &State, completions: Vec<Completion>) {
        if !completions.is_empty() && !state.failed {
            (self.on_complete)(Ok(completions));
        }
    }

    /// Reports the one fatal error; nothing is completed after it. The other thread is woken by the end of this one.
    fn fail(&self, error: StorageError) {
        let mut state = self.lock();
        if !state.failed {
            state.failed = true;
            (self.on_complete)(Err(error));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Rounds that the witness does not remember yet.
    fn behind(&self) -> u64 {
        self.synced.batch - self.witnessed
    }
}
