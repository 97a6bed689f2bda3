//! One group: its machine, what it has applied, and what waits to be applied in this turn.

use bytes::Bytes;
use roadstead_spec::{EntryId, Index, trace::Content};

use super::{
    data,
    failure::Failure,
    job::{Done, GroupKey, JobName, Outcome, StateEpoch},
    machine::Fenced,
    staging::Staging,
    transaction::{Keys, Overlay, Transaction, View},
};
use crate::{
    state_machine::{Command, StateMachine},
    store::{
        engine::{Batch, EngineError, Read},
        entry::{Entry, EntryKind},
        prefix,
    },
    trace,
};

/// A group that was opened.
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) epoch: StateEpoch,
    /// The highest epoch that may have keys: a reception takes the next one.
    pub(super) epoch_max: StateEpoch,
    /// Whether keys lay under lower epochs when the group was opened.
    pub(super) has_older_epochs: bool,
    /// Last entry that the data includes; committed, except within [`Group::apply`].
    pub(super) applied: EntryId,
    /// `applied` when a checkpoint last reported it.
    pub(super) reported: EntryId,
    pub(super) life: Life,
    pub(super) staging: Option<Staging>,
    keys: Keys,
    queued: Vec<Queued>,
}

/// Whether a group's machine may be called.
pub(super) enum Life {
    Running(Fenced),
    Failed(Failure),
}

/// A [`super::Work::Apply`] that waits for the end of the turn.
struct Queued {
    first: Index,
    entries: Vec<Entry>,
    answers_from: Option<Index>,
}

/// Buffers of one apply, used again by the next: of any group.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) overlay: Overlay,
    /// Whether the run is recorded: then each apply says what it applied.
    pub(super) traced: bool,
    commands: Vec<Command>,
    answers: Vec<Bytes>,
}

impl Group {
    /// Reads what is applied and lets the machine build what it keeps in memory. A failure lives in the group.
    pub(super) fn open(key: GroupKey, epoch: StateEpoch, machine: Box<dyn StateMachine>, log_base: Index, read: &dyn Read) -> Self {
        let mut group = Self {
            key,
            epoch,
            epoch_max: epoch,
            has_older_epochs: false,
            applied: EntryId::default(),
            reported: EntryId::default(),
            life: Life::Running(Fenced::new(machine)),
            staging: None,
            keys: Keys::new(prefix::state_data(key.local, epoch.0)),
            queued: Vec::new(),
        };
        if let Err(failure) = group.try_open(log_base, read) {
            group.fail(failure);
        }
        group
    }

    fn try_open(&mut self, log_base: Index, read: &dyn Read) -> Result<(), Failure> {
        let unreadable = |error: EngineError| Failure::Unreadable(error.to_string());
        let local = self.key.local;
        if let Some((lowest, highest)) = data::epochs_in_use(read, local).map_err(unreadable)? {
            self.has_older_epochs = lowest < self.epoch.0;
            self.epoch_max = self.epoch_max.max(StateEpoch(highest));
        }
        self.applied = data::applied(read, local, self.epoch)?;
        if self.applied.index < log_base {
            return Err(Failure::StateLost { applied: self.applied, log_base });
        }
        let Life::Running(machine) = &mut self.life else { return Ok(()) };
        machine.open(&View::new(read, &self.keys), self.applied)
    }

    /// Uses the data of another epoch from now on; the machine rebuilds what it keeps in memory.
    pub(super) fn install(&mut self, epoch: StateEpoch, at: EntryId, read: &dyn Read) {
        self.epoch = epoch;
        self.applied = at;
        self.staging = None;
        self.keys = Keys::new(prefix::state_data(self.key.local, epoch.0));
        if let Life::Running(machine) = &mut self.life
            && let Err(failure) = machine.open(&View::new(read, &self.keys), at)
        {
            self.fail(failure);
        }
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.life {
            Life::Running(_) => None,
            Life::Failed(failure) => Some(failure),
        }
    }

    /// Stops the group: the machine goes, the data stays as it was committed.
    pub(super) fn fail(&mut self, failure: Failure) {
        if let Life::Running(machine) = std::mem::replace(&mut self.life, Life::Failed(failure)) {
            machine.discard();
        }
        self.staging = None;
    }

    pub(super) fn close(self) {
        if let Life::Running(machine) = self.life {
            machine.discard();
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Keeps entries for [`Group::apply`]; says whether they are the first in this turn.
    pub(super) fn queue(&mut self, first: Index, entries: Vec<Entry>, answers_from: Option<Index>) -> bool {
        self.queued.push(Queued { first, entries, answers_from });
        self.queued.len() == 1
    }

    /// Applies everything queued by one call of the machine and puts data and applied entry into the batch, all or nothing.
    pub(super) fn apply(&mut self, read: &dyn Read, buffers: &mut Buffers, batch: &mut Batch, done: &mut Vec<Done>) {
        let mut queued = std::mem::take(&mut self.queued);
        let mut contents = contents(&queued, buffers.traced).into_iter();
        buffers.commands.clear();
        buffers.answers.clear();
        match self.try_apply(&mut queued, read, buffers) {
            Ok(ends) => {
                buffers.overlay.drain_into(&mut batch.changes);
                if let Some(through) = ends.last().copied().filter(|through| *through != self.applied) {
                    self.applied = through;
                    data::put_applied(batch, self.key.local, self.epoch, through);
                }
                let mut answers = buffers.commands.drain(..).map(|command| command.id.index).zip(buffers.answers.drain(..)).peekable();
                for (job, through) in queued.iter().zip(ends) {
                    let from = job.answers_from.unwrap_or(Index(u64::MAX));
                    let of_job = std::iter::from_fn(|| answers.next_if(|(index, _)| *index <= through.index));
                    let answers = of_job.filter(|(index, _)| *index >= from).collect();
                    let content = contents.next().unwrap_or_default();
                    done.push(Done::Group(self.key, Outcome::Applied { through, answers, content }));
                }
            }
            Err(failure) => {
                buffers.overlay.clear();
                self.fail(failure.clone());
                done.extend(queued.iter().map(|_| self.failed(failure.clone(), JobName::Apply)));
            }
        }
    }

    fn failed(&self, reason: Failure, of: JobName) -> Done {
        Done::Group(self.key, Outcome::Failed { reason, of })
    }

    /// The last entry of each queued job. Nothing has changed outside the buffers when it fails.
    fn try_apply(&mut self, queued: &mut [Queued], read: &dyn Read, buffers: &mut Buffers) -> Result<Vec<EntryId>, Failure> {
        let machine = match &mut self.life {
            Life::Running(machine) => machine,
            Life::Failed(failure) => return Err(failure.clone()),
        };
        let mut last = self.applied;
        let mut ends = Vec::with_capacity(queued.len());
        for job in queued {
            expect_next(last.index.next(), job.first)?;
            for entry in job.entries.drain(..) {
                last = EntryId { term: entry.term, index: last.index.next() };
                match entry.kind {
                    EntryKind::Noop => {}
                    EntryKind::Command => buffers.commands.push(Command { id: last, payload: entry.payload }),
                }
            }
            ends.push(last);
        }
        if !buffers.commands.is_empty() {
            let mut transaction = Transaction::new(read, &self.keys, &mut buffers.overlay);
            machine.apply(&buffers.commands, &mut transaction, &mut buffers.answers, self.applied)?;
        }
        Ok(ends)
    }

    /// Asks the machine, whose data must be committed.
    pub(super) fn query(&self, query: &[u8], read: &dyn Read) -> Result<Bytes, Failure> {
        match &self.life {
            Life::Running(machine) => machine.query(query, &View::new(read, &self.keys), self.applied),
            Life::Failed(failure) => Err(failure.clone()),
        }
    }
}

/// What each job brings, for the record of the run.
fn contents(queued: &[Queued], traced: bool) -> Vec<Content> {
    if traced { queued.iter().map(|job| trace::content(job.first, &job.entries)).collect() } else { Vec::new() }
}

fn expect_next(expected: Index, got: Index) -> Result<(), Failure> {
    match got.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Failure::Gap { expected, got }),
        std::cmp::Ordering::Less => Err(Failure::Repeat { expected, got }),
    }
}
