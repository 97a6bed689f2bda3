//! [`StateMachineHarness`]: unit tests of a state machine by the code that hosts it in production, on a store in memory.
//!
//! ```
//! use bytes::Bytes;
//! use roadstead::applier::testing::StateMachineHarness;
//! use roadstead::state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite};
//!
//! /// Remembers the last command.
//! struct Last;
//!
//! impl StateMachine for Last {
//!     fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
//!         for command in commands {
//!             answers.push(state.get(b"last")?.unwrap_or_default());
//!             state.put(Bytes::from_static(b"last"), command.payload.clone());
//!         }
//!         Ok(())
//!     }
//!
//!     fn query(&self, _: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
//!         Ok(state.get(b"last")?.unwrap_or_default())
//!     }
//! }
//!
//! let mut machine = StateMachineHarness::new(|| Last)?;
//! assert_eq!(machine.apply(["a", "b"])?, ["", "a"]);
//! assert_eq!(machine.query("")?, "b");
//! let mut copy = machine.copy_by_snapshot()?;
//! assert_eq!(copy.query("")?, "b");
//! StateMachineHarness::check_determinism(|| Last, &["a", "b", "c"], &[""])?;
//! # Ok::<(), roadstead::applier::testing::HarnessError>(())
//! ```

use bytes::Bytes;
use roadstead_spec::{EntryId, Incarnation, Index, NodeId, Term};
use std::{fmt, ops::ControlFlow, sync::Arc, time::Duration};

use super::{Applier, Done, Failure, GroupKey, Job, Outcome, QueryId, StateEpoch, TransferId, Work, data};
use crate::{
    state_machine::StateMachine,
    store::{
        engine::{EngineError, Read, Space},
        entry::{Entry, EntryKind},
        memory::MemoryEngine,
        prefix::{self, Local},
    },
};

/// Small, so that a test's snapshot has several chunks.
const CHUNK_BYTES: usize = 64;
const GROUP: GroupKey = GroupKey { local: Local(1), incarnation: Incarnation(1) };

/// What a test of a machine can run into.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The machine returned an error, panicked, or gave too few answers. In production its group would have stopped.
    #[error(transparent)]
    Stopped(#[from] Failure),
    /// The same commands led to something else. In production the members of the group would have parted.
    #[error("not deterministic: {way} gives another {what} than one command at a time: {got} instead of {expected}")]
    Diverged {
        /// How the commands were applied.
        way: &'static str,
        /// What differs: an answer, the data, a query's answer.
        what: String,
        /// That way.
        got: String,
        /// One at a time.
        expected: String,
    },
    /// The store in memory failed; it never does by itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The host gave an answer that it never gives to this job: a bug of roadstead.
    #[error("the host answered {0}; this is a bug of roadstead")]
    Unexpected(String),
}

type Make = Arc<dyn Fn() -> Box<dyn StateMachine>>;

/// One member's state machine on a store in memory, without consensus.
pub struct StateMachineHarness {
    make: Make,
    engine: MemoryEngine,
    applier: Applier,
    epoch: StateEpoch,
    applied: EntryId,
    transfers: u64,
}

impl fmt::Debug for StateMachineHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateMachineHarness").field("applied", &self.applied).finish_non_exhaustive()
    }
}

impl StateMachineHarness {
    /// Opens a machine on empty data. `make` gives a machine as it is at the start of a process; it is called again for restarts and copies.
    pub fn new<M: StateMachine>(make: impl Fn() -> M + 'static) -> Result<Self, HarnessError> {
        Self::begin(Arc::new(move || Box::new(make())))
    }

    fn begin(make: Make) -> Result<Self, HarnessError> {
        let engine = MemoryEngine::new();
        let applier = Applier::new(Arc::new(engine.clone()));
        let mut harness = Self { make, engine, applier, epoch: StateEpoch(1), applied: EntryId::default(), transfers: 0 };
        harness.restart()?;
        Ok(harness)
    }

    /// Applies commands in one batch and returns their answers. A machine that stops leaves the data as it was before.
    pub fn apply<C: Into<Bytes>>(&mut self, commands: impl IntoIterator<Item = C>) -> Result<Vec<Bytes>, HarnessError> {
        let entry = |payload: C| Entry { term: Term(1), kind: EntryKind::Command, payload: payload.into() };
        self.apply_entries(commands.into_iter().map(entry).collect())
    }

    /// Applies what a new leader writes at the start of its term: it takes an index and changes nothing.
    pub fn apply_noop(&mut self) -> Result<(), HarnessError> {
        self.apply_entries(vec![Entry { term: Term(1), kind: EntryKind::Noop, payload: Bytes::new() }]).map(drop)
    }

    fn apply_entries(&mut self, entries: Vec<Entry>) -> Result<Vec<Bytes>, HarnessError> {
        let first = self.applied.index.next();
        match self.run(Work::Apply { first, entries, answers_from: Some(first) })? {
            Outcome::Applied { through, answers, .. } => {
                self.applied = through;
                Ok(answers.into_iter().map(|(_, answer)| answer).collect())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Asks the machine.
    pub fn query(&mut self, query: impl Into<Bytes>) -> Result<Bytes, HarnessError> {
        match self.run(Work::Query { id: QueryId(0), min_applied: self.applied.index, query: query.into() })? {
            Outcome::Answered { answer, .. } => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// A new machine on the same data, as after a restart of the process.
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        let machine = (self.make)();
        match self.run(Work::Open { machine, epoch: self.epoch, log_base: self.applied.index })? {
            Outcome::Opened { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// A second member that gets this one's data by a snapshot, in chunks, as a follower does that was away for too long.
    pub fn copy_by_snapshot(&mut self) -> Result<Self, HarnessError> {
        self.transfers += 1;
        let transfer = TransferId { sender: NodeId(1), number: self.transfers };
        let mut copy = Self::begin(self.make.clone())?;
        let at = match self.run(Work::SnapshotOpen { transfer, chunk_bytes: CHUNK_BYTES })? {
            Outcome::SnapshotOpened { at, .. } => at,
            other => return Err(unexpected(&other)),
        };
        if at.index == Index(0) {
            return Ok(copy);
        }
        let mut answer = copy.run(Work::StageBegin { transfer, at })?;
        let epoch = loop {
            answer = match answer {
                Outcome::StageWants { sequence, .. } => match self.run(Work::SnapshotRead { transfer, sequence })? {
                    Outcome::SnapshotChunk { chunk, .. } => copy.run(Work::StageChunk { transfer, chunk })?,
                    other => return Err(unexpected(&other)),
                },
                Outcome::Staged { epoch, .. } => break epoch,
                other => return Err(unexpected(&other)),
            };
        };
        self.run(Work::SnapshotClose { transfer })?;
        copy.run(Work::Install { epoch })?;
        (copy.epoch, copy.applied) = (epoch, at);
        Ok(copy)
    }

    /// All the machine's data, keys ascending.
    pub fn items(&self) -> Result<Vec<(Bytes, Bytes)>, HarnessError> {
        let mut items = Vec::new();
        let prefix = prefix::state_data(GROUP.local, self.epoch.0);
        let [(start, end), _] = data::epochs(GROUP.local, self.epoch.0, self.epoch.0);
        self.engine.scan(Space::State, &start..&end, &mut |key, value| {
            items.push((Bytes::copy_from_slice(prefix.strip(key).unwrap_or(key)), value));
            ControlFlow::Continue(())
        })?;
        Ok(items)
    }

    /// Last applied entry.
    pub fn applied(&self) -> EntryId {
        self.applied
    }

    /// Applies the same commands one at a time; all at once; with a restart before each; and with a copy by snapshot in the middle. Answers,
    /// data and queries at the end must be the same. Most mistakes that part replicas show here: time, randomness, unordered maps, state that
    /// `open` does not rebuild, reads that miss the batch's own writes.
    pub fn check_determinism<M: StateMachine>(
        make: impl Fn() -> M + 'static,
        commands: &[impl AsRef<[u8]>],
        queries: &[impl AsRef<[u8]>],
    ) -> Result<(), HarnessError> {
        let make: Make = Arc::new(move || Box::new(make()));
        let commands: Vec<Bytes> = commands.iter().map(|command| Bytes::copy_from_slice(command.as_ref())).collect();
        let expected = Run::of(&make, &commands, queries, Way::OneByOne)?;
        for way in [Way::AllAtOnce, Way::Restarts, Way::Snapshot] {
            Run::of(&make, &commands, queries, way)?.compare(&expected, way.name())?;
        }
        Ok(())
    }

    fn run(&mut self, work: Work) -> Result<Outcome, HarnessError> {
        let mut done = self.applier.turn(Duration::ZERO, &mut vec![Job::Group(GROUP, work)])?;
        if let Some(ticket) = self.applier.sync_wanted() {
            done.extend(self.applier.synced(&ticket.sync()?));
        }
        match done.pop() {
            Some(Done::Group(_, Outcome::Failed { reason, .. })) => Err(reason.into()),
            Some(Done::Group(_, outcome)) => Ok(outcome),
            other => Err(HarnessError::Unexpected(format!("{other:?}"))),
        }
    }
}

fn unexpected(outcome: &Outcome) -> HarnessError {
    HarnessError::Unexpected(format!("{outcome:?}"))
}

#[derive(Clone, Copy)]
enum Way {
    OneByOne,
    AllAtOnce,
    Restarts,
    Snapshot,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::OneByOne => "one command at a time",
            Self::AllAtOnce => "all commands at once",
            Self::Restarts => "a restart before each command",
            Self::Snapshot => "a snapshot in the middle",
        }
    }
}

/// What one way of applying led to.
struct Run {
    answers: Vec<Bytes>,
    items: Vec<(Bytes, Bytes)>,
    queried: Vec<Bytes>,
}

impl Run {
    fn of(make: &Make, commands: &[Bytes], queries: &[impl AsRef<[u8]>], way: Way) -> Result<Self, HarnessError> {
        let mut machine = StateMachineHarness::begin(make.clone())?;
        let mut answers = Vec::new();
        if let Way::AllAtOnce = way {
            answers = machine.apply(commands.iter().cloned())?;
        } else {
            for (place, command) in commands.iter().enumerate() {
                match way {
                    Way::Restarts => machine.restart()?,
                    Way::Snapshot if place == commands.len() / 2 => machine = machine.copy_by_snapshot()?,
                    Way::OneByOne | Way::AllAtOnce | Way::Snapshot => {}
                }
                answers.extend(machine.apply([command.clone()])?);
            }
        }
        let queried = queries.iter().map(|query| machine.query(Bytes::copy_from_slice(query.as_ref()))).collect::<Result<_, _>>()?;
        Ok(Self { answers, items: machine.items()?, queried })
    }

    fn compare(&self, expected: &Self, way: &'static str) -> Result<(), HarnessError> {
        let differs = |what: String, got: String, expected: String| Err(HarnessError::Diverged { way, what, got, expected });
        for (place, (got, expected)) in self.answers.iter().zip(&expected.answers).enumerate() {
            if got != expected {
                return differs(format!("answer to command {place}"), format!("{got:?}"), format!("{expected:?}"));
            }
        }
        if self.items != expected.items {
            let got = self.items.iter().filter(|item| !expected.items.contains(item)).collect::<Vec<_>>();
            let missing = expected.items.iter().filter(|item| !self.items.contains(item)).collect::<Vec<_>>();
            return differs("data".to_owned(), format!("{got:?}"), format!("{missing:?}"));
        }
        for (place, (got, expected)) in self.queried.iter().zip(&expected.queried).enumerate() {
            if got != expected {
                return differs(format!("answer to query {place}"), format!("{got:?}"), format!("{expected:?}"));
            }
        }
        Ok(())
    }
}
