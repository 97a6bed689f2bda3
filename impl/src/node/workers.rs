//! Who makes submissions durable and who applies entries: threads of their own above a disk, the event loop itself above memory.
//!
//! Waking a thread costs more than anything that these machines do in memory, and memory never makes the loop wait.

use super::event_loop::Internal;
use crate::{
    applier::{ANSWER_BYTES_MAX, Applier, ApplierSender, ApplierThread, Done, Job, NotSent, Work},
    store::{Completion, Storage, StorageHandle, StorageThread, Submission, engine::EngineError, stats::StorageStats},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// The worker has ended, for a reason that was reported or is this one.
pub(crate) struct Ended(pub(crate) String);

/// Makes submissions durable.
pub(crate) enum Durability {
    /// On a disk.
    Disk { thread: StorageThread, handle: StorageHandle },
    /// As long as the process lives.
    Memory { storage: Box<Storage>, stats: Arc<StorageStats> },
}

impl Durability {
    pub(crate) fn on_disk(storage: Storage, done: mpsc::UnboundedSender<Internal>) -> io::Result<Self> {
        let on_complete = move |result: Result<_, _>| {
            drop(done.send(Internal::Durable(result.map_err(|error: crate::store::StorageError| error.to_string()))))
        };
        let thread = StorageThread::spawn(storage, on_complete)?;
        Ok(Self::Disk { handle: thread.handle(), thread })
    }

    pub(crate) fn in_memory(storage: Storage) -> Self {
        Self::Memory { stats: storage.stats(), storage: Box::new(storage) }
    }

    /// Takes all submissions. What is durable at once is returned; the rest is reported as [`Internal::Durable`].
    pub(crate) fn submit(&mut self, submissions: &mut Vec<Submission>) -> Result<Vec<Completion>, Ended> {
        match self {
            Self::Disk { handle, .. } => match handle.submit(submissions) {
                Ok(()) => Ok(Vec::new()),
                Err(stopped) => Err(Ended(stopped.to_string())),
            },
            Self::Memory { storage, .. } => storage.turn(submissions).map_err(|error| Ended(error.to_string())),
        }
    }

    /// See [`StorageHandle::has_room`].
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Self::Disk { handle, .. } => handle.has_room(),
            Self::Memory { .. } => true,
        }
    }

    pub(crate) fn stats(&self) -> &Arc<StorageStats> {
        match self {
            Self::Disk { handle, .. } => handle.stats(),
            Self::Memory { stats, .. } => stats,
        }
    }

    /// Finishes what was submitted.
    pub(crate) fn stop(self) {
        match self {
            Self::Disk { thread, .. } => thread.stop(),
            Self::Memory { .. } => {}
        }
    }
}

/// Applies entries and answers queries.
pub(crate) enum Applying {
    /// On threads of its own. `held_since`: jobs wait here that nobody waits for.
    Threads { threads: ApplierThread, sender: ApplierSender, held_since: Option<Instant> },
    /// On the event loop.
    Inline { applier: Box<Applier>, started: Instant },
}

impl Applying {
    pub(crate) fn on_threads(applier: Applier, internal: &mpsc::UnboundedSender<Internal>) -> io::Result<Self> {
        let (done, fatal) = (internal.clone(), internal.clone());
        let on_done = move |answers| drop(done.send(Internal::Done(answers)));
        let on_fatal = move |error: EngineError| drop(fatal.send(Internal::Fatal(error.to_string())));
        let threads = ApplierThread::spawn(applier, on_done, on_fatal)?;
        Ok(Self::Threads { sender: threads.sender(), threads, held_since: None })
    }

    pub(crate) fn inline(applier: Applier) -> Self {
        Self::Inline { applier: Box::new(applier), started: Instant::now() }
    }

    /// Does the jobs, or hands them over; those that there is no room for stay in the list. What is done at once is returned; the rest is
    /// reported as [`Internal::Done`].
    pub(crate) fn take(&mut self, jobs: &mut Vec<Job>) -> Result<Vec<Done>, Ended> {
        match self {
            Self::Threads { sender, held_since, .. } => {
                if !jobs.is_empty() && !hold(jobs, held_since) {
                    *held_since = None;
                    send(sender, jobs)?;
                }
                Ok(Vec::new())
            }
            Self::Inline { applier, started } => {
                if jobs.is_empty() && applier.background_due().is_none_or(|due| due > started.elapsed()) {
                    return Ok(Vec::new());
                }
                turn(applier, started.elapsed(), jobs).map_err(|error| Ended(error.to_string()))
            }
        }
    }

    /// Answers to queries of so many bytes are taken, see [`ApplierSender::taken`].
    pub(crate) fn taken(&self, bytes: usize) {
        match self {
            Self::Threads { sender, .. } => sender.taken(bytes),
            Self::Inline { .. } => {} // taken with the turn that gave them
        }
    }

    /// When [`Self::take`] must be called again even without jobs.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self {
            Self::Threads { held_since, .. } => held_since.map(|since| since + HOLD),
            Self::Inline { applier, started } => applier.background_due().map(|due| *started + due),
        }
    }

    /// Makes the state durable and ends.
    pub(crate) fn stop(self) {
        match self {
            Self::Threads { threads, sender, .. } => {
                let _ = sender.try_send(vec![Job::Checkpoint]);
                threads.stop();
            }
            Self::Inline { .. } => {}
        }
    }
}

/// How long jobs may wait that nobody waits for. A follower under a trickle of writes then wakes its applier for several entries at once; a query or
/// a write of its own goes at once, and takes along what waits.
const HOLD: Duration = Duration::from_millis(5);
/// So many jobs are not held: there is enough to do for one wake-up.
const HOLD_JOBS_MAX: usize = 64;

/// Whether the jobs stay.
fn hold(jobs: &[Job], held_since: &mut Option<Instant>) -> bool {
    let idle = |job: &Job| matches!(job, Job::Group(_, Work::Apply { answers_from: None, .. }));
    jobs.len() < HOLD_JOBS_MAX && jobs.iter().all(idle) && held_since.get_or_insert_with(Instant::now).elapsed() < HOLD
}

/// Hands the jobs over. What there is no room for stays and goes with the next turn, which the applier's next answer brings.
fn send(sender: &ApplierSender, jobs: &mut Vec<Job>) -> Result<(), Ended> {
    match sender.try_send(std::mem::take(jobs)) {
        Ok(()) => Ok(()),
        Err(NotSent::Full(refused)) => {
            *jobs = refused;
            Ok(())
        }
        Err(stopped @ NotSent::Stopped(_)) => Err(Ended(stopped.to_string())),
    }
}

/// One turn with its syncs, which cost nothing in memory.
fn turn(applier: &mut Applier, now: Duration, jobs: &mut Vec<Job>) -> Result<Vec<Done>, EngineError> {
    applier.set_answer_room(ANSWER_BYTES_MAX);
    let mut done = applier.turn(now, jobs)?;
    while let Some(ticket) = applier.sync_wanted() {
        let synced = ticket.sync()?;
        done.extend(applier.synced(&synced));
    }
    Ok(done)
}
