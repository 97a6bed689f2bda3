//! The applier on a thread of its own, with a second one that syncs, so that applies go on while the disk works.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    answers::Answers,
    host::Applier,
    job::{Done, Job},
    sync::{SyncTicket, Synced},
};
use crate::store::engine::EngineError;

/// Messages that wait for the applier; each holds the jobs of one turn of a shard. A full queue refuses more: the shard keeps count of its jobs in
/// flight and stops taking writes long before.
pub const QUEUED_BATCHES_MAX: usize = 1024;
/// Bytes of answers to queries that nobody has taken yet, and one answer more: beyond it queries wait, and applies go on. So a client that asks for much and
/// does not read costs at most that, and the answers of others wait behind at most that.
pub const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Jobs of one turn, after which answers leave and queries are asked. One message may exceed it.
pub const TURN_JOBS_MAX: usize = 1024;

enum Input {
    Jobs(Vec<Job>),
    Synced(Synced),
    SyncFailed(EngineError),
    Stop,
}

/// The running threads. Dropping it does what is queued, then ends them.
#[derive(Debug)]
pub struct ApplierThread {
    inbox: SyncSender<Input>,
    answers: Answers,
    threads: Vec<JoinHandle<()>>,
}

/// Gives jobs to the applier, from any thread, without ever blocking.
#[derive(Clone, Debug)]
pub struct ApplierSender {
    inbox: SyncSender<Input>,
    answers: Answers,
}

/// The jobs were not taken; here they are again.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// [`QUEUED_BATCHES_MAX`] messages are waiting.
    #[error("the applier is busy: {QUEUED_BATCHES_MAX} batches are waiting; try again")]
    Full(Vec<Job>),
    /// The applier has ended, by [`ApplierThread`]'s drop or by a failure of the state database.
    #[error("the applier has ended; the node is stopping")]
    Stopped(Vec<Job>),
}

impl ApplierThread {
    /// Starts the threads. `on_done` is called on the applier thread, once per turn that has answers, and must not block. `on_fatal` is called at
    /// most once, when a commit or a sync has failed: the process must end, since nobody knows what the state database holds.
    pub fn spawn(
        applier: Applier,
        on_done: impl Fn(Vec<Done>) + Send + 'static,
        on_fatal: impl FnOnce(EngineError) + Send + 'static,
    ) -> io::Result<Self> {
        let (inbox, jobs) = sync_channel(QUEUED_BATCHES_MAX);
        // One place: the applier asks for one sync at a time.
        let (to_syncer, tickets) = sync_channel(1);
        let from_syncer = inbox.clone();
        let syncer = Builder::new().name("state-sync".to_owned()).spawn(move || sync_all(&tickets, &from_syncer))?;
        let answers = Answers::new();
        let main = Main { applier, jobs, to_syncer, started: Instant::now(), answers: answers.clone() };
        let host = Builder::new().name("applier".to_owned()).spawn(move || {
            if let Err(error) = main.run(&on_done) {
                on_fatal(error);
            }
        })?;
        Ok(Self { inbox, answers, threads: vec![host, syncer] })
    }

    /// A handle for a shard.
    pub fn sender(&self) -> ApplierSender {
        ApplierSender { inbox: self.inbox.clone(), answers: self.answers.clone() }
    }

    /// Does what is queued, then ends the threads. It does not sync: ask for a [`Job::Checkpoint`] before, to start faster the next time.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for ApplierThread {
    fn drop(&mut self) {
        // An error means that the applier has ended already.
        let _ = self.inbox.send(Input::Stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an applier thread panicked; this is a bug of roadstead");
            }
        }
    }
}

impl ApplierSender {
    /// Answers to queries of so many bytes, see [`Done::answer_bytes`], are taken: there is room for others.
    pub fn taken(&self, bytes: usize) {
        self.answers.take(bytes);
    }

    /// Queues the jobs of one turn.
    pub fn try_send(&self, jobs: Vec<Job>) -> Result<(), NotSent> {
        self.inbox.try_send(Input::Jobs(jobs)).map_err(|refused| match refused {
            TrySendError::Full(Input::Jobs(jobs)) => NotSent::Full(jobs),
            TrySendError::Disconnected(Input::Jobs(jobs)) => NotSent::Stopped(jobs),
            // Only jobs are sent here.
            TrySendError::Full(_) | TrySendError::Disconnected(_) => NotSent::Stopped(Vec::new()),
        })
    }
}

/// The syncing thread: ends when the applier does.
fn sync_all(tickets: &Receiver<SyncTicket>, inbox: &SyncSender<Input>) {
    for ticket in tickets {
        let result = ticket.sync().map_or_else(Input::SyncFailed, Input::Synced);
        if inbox.send(result).is_err() {
            break;
        }
    }
}

struct Main {
    applier: Applier,
    jobs: Receiver<Input>,
    to_syncer: SyncSender<SyncTicket>,
    started: Instant,
    /// Bytes of answers that nobody has taken.
    answers: Answers,
}

impl Main {
    fn run(mut self, on_done: &impl Fn(Vec<Done>)) -> Result<(), EngineError> {
        let mut jobs = Vec::new();
        let mut stopping = false;
        while !stopping {
            let mut done = Vec::new();
            stopping = self.gather(&mut jobs, &mut done)?;
            self.applier.set_answer_room(self.answers.room(ANSWER_BYTES_MAX));
            done.extend(self.applier.turn(self.started.elapsed(), &mut jobs)?);
            if !done.is_empty() {
                self.answers.give(done.iter().map(Done::answer_bytes).sum());
                on_done(done);
            }
            if let Some(ticket) = self.applier.sync_wanted() {
                // The syncer ends after us only.
                let _ = self.to_syncer.send(ticket);
            }
        }
        Ok(())
    }

    /// Waits for work and takes what has come, up to [`TURN_JOBS_MAX`]; says whether to stop.
    fn gather(&mut self, jobs: &mut Vec<Job>, done: &mut Vec<Done>) -> Result<bool, EngineError> {
        let Some(mut input) = self.wait() else { return Ok(false) };
        loop {
            match input {
                Input::Jobs(more) if jobs.is_empty() => *jobs = more,
                Input::Jobs(more) => jobs.extend(more),
                Input::Synced(synced) => done.extend(self.applier.synced(&synced)),
                Input::SyncFailed(error) => return Err(error),
                Input::Stop => return Ok(true),
            }
            if jobs.len() >= TURN_JOBS_MAX {
                return Ok(false);
            }
            input = match self.jobs.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => return Ok(true),
            };
        }
    }

    /// The next input, or `None` when background work is due first.
    fn wait(&self) -> Option<Input> {
        let Some(due) = self.applier.background_due() else {
            return Some(self.jobs.recv().unwrap_or(Input::Stop));
        };
        let pause: Duration = due.saturating_sub(self.started.elapsed());
        match self.jobs.recv_timeout(pause) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Input::Stop),
        }
    }
}
