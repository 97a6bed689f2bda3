//! [`Applier`]: one turn takes jobs, calls machines, commits once for all groups, and answers.

use bytes::Bytes;
use roadstead_spec::Index;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    data,
    failure::Failure,
    group::{Buffers, Group},
    job::{Done, GroupKey, Job, JobName, Outcome, QueryId, StateEpoch, Work},
    sending::Views,
    sweep::Sweeper,
    sync::{SyncTicket, Synced, Syncs, Waiter},
};
use crate::{
    state_machine::StateMachine,
    store::{
        engine::{Batch, Durability, Engine, EngineError, Read},
        prefix::Local,
    },
};

/// Queries without room for their answers are looked at again so soon.
const QUERIES_WAIT: Duration = Duration::from_millis(1);

/// Owns the state database and all machines. See the [module](super).
pub struct Applier {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) groups: BTreeMap<Local, Group>,
    pub(super) views: Views,
    pub(super) sweeper: Sweeper,
    pub(super) syncs: Syncs,
    pub(super) buffers: Buffers,
    /// Changes of this turn that are not committed yet.
    pub(super) batch: Batch,
    pub(super) done: Vec<Done>,
    pub(super) now: Duration,
    /// Groups with queued entries, in the order of their first job.
    busy: Vec<Local>,
    queries: VecDeque<Query>,
    /// Bytes of answers to queries that may still be given; an answer may go beyond it.
    answer_room: usize,
    checkpoints: usize,
}

struct Query {
    group: GroupKey,
    id: QueryId,
    min_applied: Index,
    query: Bytes,
}

impl std::fmt::Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").field("engine", &self.engine).field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

impl Applier {
    /// A host without groups over the state database.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            groups: BTreeMap::new(),
            views: Views::default(),
            sweeper: Sweeper::default(),
            syncs: Syncs::default(),
            buffers: Buffers::default(),
            batch: Batch::default(),
            done: Vec::new(),
            now: Duration::ZERO,
            busy: Vec::new(),
            queries: VecDeque::new(),
            answer_room: usize::MAX,
            checkpoints: 0,
        }
    }

    /// From now on each [`super::Outcome::Applied`] tells what was applied, for the record of the run.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.buffers.traced = true;
        self
    }

    /// Does the jobs and takes them out of the list. `now` is monotonic time since any fixed moment. One commit without a sync for all groups,
    /// unless a job in between needs what was committed before. An error is final: the process must end.
    ///
    /// Answers: one per job, for one group in order, except that queries come after the applies, and what waits for a sync or for deletions
    /// comes from [`Applier::synced`].
    pub fn turn(&mut self, now: Duration, jobs: &mut Vec<Job>) -> Result<Vec<Done>, EngineError> {
        self.now = now;
        for job in jobs.drain(..) {
            self.start(job)?;
        }
        self.settle()?;
        self.capture_checkpoints();
        self.views.expire(now);
        if let Some(group) = self.sweeper.piece(now, &*self.engine)? {
            self.syncs.wait(Waiter::Destroyed(group));
        }
        Ok(std::mem::take(&mut self.done))
    }

    /// A sync to do now, if something waits for one and none runs. Ask after each turn and after each [`Applier::synced`].
    pub fn sync_wanted(&mut self) -> Option<SyncTicket> {
        self.syncs.ticket(&self.engine)
    }

    /// A sync is done: answers what waited for it.
    pub fn synced(&mut self, synced: &Synced) -> Vec<Done> {
        let waiters = self.syncs.finish(synced);
        waiters.into_iter().map(|waiter| self.answer_waiter(waiter)).collect()
    }

    /// When to call [`Applier::turn`] again even without jobs: data waits to be deleted, a view to be given back, or queries for room.
    pub fn background_due(&self) -> Option<Duration> {
        let queries = (!self.queries.is_empty()).then(|| self.now + QUERIES_WAIT);
        [self.sweeper.due(), self.views.next_expiry(), queries].into_iter().flatten().min()
    }

    /// From now on queries are asked until their answers have so many bytes; then they wait until this is called again. There is room without end before
    /// the first call.
    pub fn set_answer_room(&mut self, bytes: usize) {
        self.answer_room = bytes;
    }

    fn start(&mut self, job: Job) -> Result<(), EngineError> {
        let (key, work) = match job {
            Job::Checkpoint => {
                self.checkpoints += 1;
                return Ok(());
            }
            Job::Group(key, work) => (key, work),
        };
        match work {
            Work::Open { machine, epoch, log_base } => self.open(key, machine, epoch, log_base)?,
            Work::Apply { first, entries, answers_from } => match self.running(key, JobName::Apply) {
                Ok(group) => {
                    if group.queue(first, entries, answers_from) {
                        self.busy.push(key.local);
                    }
                }
                Err(failed) => self.done.push(failed),
            },
            Work::Query { id, min_applied, query } => self.queries.push_back(Query { group: key, id, min_applied, query }),
            Work::SnapshotOpen { transfer, chunk_bytes } => self.snapshot_open(key, transfer, chunk_bytes)?,
            Work::SnapshotRead { transfer, sequence } => self.snapshot_read(key, transfer, sequence),
            Work::SnapshotClose { transfer } => self.snapshot_close(key, transfer),
            Work::StageBegin { transfer, at } => self.stage_begin(key, transfer, at),
            Work::StageChunk { transfer, chunk } => self.stage_chunk(key, transfer, &chunk),
            Work::StageAbort { transfer } => self.stage_abort(key, transfer),
            Work::Install { epoch } => self.install(key, epoch)?,
            Work::Close => {
                self.close(key)?;
                self.answer(key, Outcome::Closed);
            }
            Work::Destroy => self.destroy(key)?,
        }
        Ok(())
    }

    /// Applies what is queued, commits, and asks the queries that there is room for.
    pub(super) fn settle(&mut self) -> Result<(), EngineError> {
        let read: &dyn Read = &*self.engine;
        for local in self.busy.drain(..) {
            if let Some(group) = self.groups.get_mut(&local) {
                group.apply(read, &mut self.buffers, &mut self.batch, &mut self.done);
            }
        }
        self.commit()?;
        while self.answer_room > 0
            && let Some(query) = self.queries.pop_front()
        {
            self.ask(query);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), EngineError> {
        if self.batch.changes.is_empty() {
            return Ok(());
        }
        self.engine.commit(std::mem::take(&mut self.batch), Durability::Buffered)
    }

    fn ask(&mut self, query: Query) {
        let Query { group: key, id, min_applied, query } = query;
        let read: &dyn Read = &*self.engine.clone();
        let done = match self.running(key, JobName::Query(id)) {
            Ok(group) if group.applied.index < min_applied => Done::Group(key, Outcome::Behind { id, applied: group.applied }),
            Ok(group) => match group.query(&query, read) {
                Ok(answer) => {
                    let applied = group.applied;
                    self.answer_room = self.answer_room.saturating_sub(answer.len());
                    Done::Group(key, Outcome::Answered { id, answer, applied })
                }
                Err(reason) => {
                    group.fail(reason.clone());
                    Done::Group(key, Outcome::Failed { reason, of: JobName::Query(id) })
                }
            },
            Err(failed) => failed,
        };
        self.done.push(done);
    }

    fn open(&mut self, key: GroupKey, machine: Box<dyn StateMachine>, epoch: StateEpoch, log_base: Index) -> Result<(), EngineError> {
        self.close(key)?;
        let group = Group::open(key, epoch, machine, log_base, &*self.engine);
        let outcome = match group.failure() {
            None => {
                self.sweep_other_epochs(&group);
                Outcome::Opened { applied: group.applied }
            }
            Some(reason) => Outcome::Failed { reason: reason.clone(), of: JobName::Open },
        };
        self.groups.insert(key.local, group);
        self.answer(key, outcome);
        Ok(())
    }

    /// The log database is the authority: what lies under another epoch than the one it names was never installed, or was replaced.
    fn sweep_other_epochs(&mut self, group: &Group) {
        let local = group.key.local;
        let (used, max) = (group.epoch.0, group.epoch_max.0);
        if used > 0 && group.has_older_epochs {
            self.sweeper.add(local, data::epochs(local, 0, used - 1), None);
        }
        if max > used {
            self.sweeper.add(local, data::epochs(local, used + 1, max), None);
        }
    }

    /// Forgets a group, if it is open, after everything asked of it was answered.
    fn close(&mut self, key: GroupKey) -> Result<(), EngineError> {
        self.settle()?;
        let (of_group, others) = std::mem::take(&mut self.queries).into_iter().partition(|query| query.group.local == key.local);
        self.queries = others;
        let of_group: VecDeque<Query> = of_group;
        of_group.into_iter().for_each(|query| self.ask(query));
        self.views.close_group(key.local);
        if let Some(group) = self.groups.remove(&key.local) {
            group.close();
        }
        Ok(())
    }

    fn destroy(&mut self, key: GroupKey) -> Result<(), EngineError> {
        if self.groups.get(&key.local).is_some_and(|group| group.key != key) {
            self.answer(key, Outcome::Failed { reason: Failure::NotOpen, of: JobName::Destroy });
            return Ok(());
        }
        self.close(key)?;
        self.sweeper.add(key.local, data::epochs(key.local, 0, u64::MAX), Some(key));
        Ok(())
    }

    /// Everything applied until now will be durable after a sync that begins now; groups that have not moved since the last time are left out.
    fn capture_checkpoints(&mut self) {
        let asked = std::mem::take(&mut self.checkpoints);
        if asked == 0 {
            return;
        }
        let moved = self.groups.values_mut().filter(|group| group.applied != group.reported);
        let durable: Vec<_> = moved
            .map(|group| {
                group.reported = group.applied;
                (group.key, group.applied)
            })
            .collect();
        for _ in 0..asked {
            self.syncs.wait(Waiter::Checkpoint(durable.clone()));
        }
    }

    fn answer_waiter(&mut self, waiter: Waiter) -> Done {
        match waiter {
            Waiter::Checkpoint(durable) => Done::Checkpoint { durable },
            Waiter::Destroyed(key) => Done::Group(key, Outcome::Destroyed),
            Waiter::Staged(key, transfer, epoch) => Done::Group(key, self.staged(key, transfer, epoch)),
        }
    }

    pub(super) fn answer(&mut self, key: GroupKey, outcome: Outcome) {
        self.done.push(Done::Group(key, outcome));
    }

    /// The group, if it is open and has not failed; else the answer.
    pub(super) fn running(&mut self, key: GroupKey, of: JobName) -> Result<&mut Group, Done> {
        let failed = |reason| Done::Group(key, Outcome::Failed { reason, of });
        let group = self.groups.get_mut(&key.local).filter(|group| group.key == key).ok_or_else(|| failed(Failure::NotOpen))?;
        match group.failure() {
            None => Ok(group),
            Some(failure) => Err(failed(failure.clone())),
        }
    }
}
