//! A small machine and a node without consensus.

use bytes::Bytes;
use roadstead::{
    applier::{Applier, Done, Failure, GroupKey, Job, Outcome, QueryId, StateEpoch, TransferId, Work},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
    store::{
        engine::{Read, Space},
        entry::{Entry, EntryKind},
        memory::{MemoryEngine, Survivors},
        prefix::{self, Local, Prefix},
    },
};
use roadstead_spec::{EntryId, Incarnation, Index, NodeId, Term};
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc, time::Duration};

pub(crate) const FIRST_EPOCH: StateEpoch = StateEpoch(1);

pub(crate) fn group(local: u32) -> GroupKey {
    GroupKey { local: Local(local), incarnation: Incarnation(u64::from(local) * 1000) }
}

pub(crate) fn transfer(number: u64) -> TransferId {
    TransferId { sender: NodeId(1), number }
}

pub(crate) fn id(term: u64, index: u64) -> EntryId {
    EntryId { term: Term(term), index: Index(index) }
}

/// `put KEY VALUE`, `del KEY`, `add KEY` (counts in decimal); answers the number of items, which it keeps in memory only. `fail`, `panic`, `mute` (no
/// answer) and `huge` break it. Queries: `get KEY`, `count`, `fail`, `panic`.
#[derive(Default)]
pub(crate) struct Tally {
    items: usize,
}

impl Tally {
    fn write(&mut self, key: &str, value: Option<Bytes>, state: &mut dyn StateWrite) -> Result<(), StateMachineError> {
        let was_there = state.get(key.as_bytes())?.is_some();
        self.items = self.items + usize::from(value.is_some()) - usize::from(was_there);
        match value {
            Some(value) => state.put(Bytes::copy_from_slice(key.as_bytes()), value),
            None => state.delete(Bytes::copy_from_slice(key.as_bytes())),
        }
        Ok(())
    }
}

impl StateMachine for Tally {
    fn open(&mut self, state: &dyn StateRead) -> Result<(), StateMachineError> {
        self.items = 0;
        state.scan(b""..b"", &mut |key, _| {
            self.items += 1;
            match key {
                b"poison" => Err(StateMachineError::Corrupt("poisoned data".to_owned())),
                _ => Ok(ControlFlow::Continue(())),
            }
        })
    }

    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        for command in commands {
            let text = std::str::from_utf8(&command.payload).unwrap();
            match text.split(' ').collect::<Vec<_>>()[..] {
                ["put", key, value] => self.write(key, Some(Bytes::copy_from_slice(value.as_bytes())), state)?,
                ["del", key] => self.write(key, None, state)?,
                ["add", key] => {
                    let old = state.get(key.as_bytes())?.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse::<u64>().unwrap());
                    self.write(key, Some(Bytes::from((old + 1).to_string())), state)?;
                }
                ["fail"] => return Err(StateMachineError::Corrupt("told to fail".to_owned())),
                ["panic"] => panic!("told to panic"),
                ["mute"] => continue,
                ["huge"] => state.put(Bytes::from(vec![b'k'; 100_000]), Bytes::new()),
                _ => {}
            }
            answers.push(Bytes::from(self.items.to_string()));
        }
        Ok(())
    }

    fn query(&self, query: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        match std::str::from_utf8(query).unwrap().split(' ').collect::<Vec<_>>()[..] {
            ["get", key] => Ok(state.get(key.as_bytes())?.unwrap_or_default()),
            ["count"] => Ok(Bytes::from(self.items.to_string())),
            ["fail"] => Err(StateMachineError::Corrupt("told to fail".to_owned())),
            ["panic"] => panic!("told to panic"),
            _ => Ok(Bytes::new()),
        }
    }
}

pub(crate) fn command(term: u64, text: &str) -> Entry {
    Entry { term: Term(term), kind: EntryKind::Command, payload: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(crate) fn noop(term: u64) -> Entry {
    Entry { term: Term(term), kind: EntryKind::Noop, payload: Bytes::new() }
}

pub(crate) fn open(epoch: StateEpoch) -> Work {
    Work::Open { machine: Box::new(Tally::default()), epoch, log_base: Index(0) }
}

/// Entries of term 1, all answers wanted.
pub(crate) fn apply(first: u64, commands: &[&str]) -> Work {
    let entries = commands.iter().map(|text| command(1, text)).collect();
    Work::Apply { first: Index(first), entries, answers_from: Some(Index(0)) }
}

pub(crate) fn query(text: &str, min_applied: u64) -> Work {
    Work::Query { id: QueryId(7), min_applied: Index(min_applied), query: Bytes::copy_from_slice(text.as_bytes()) }
}

/// One node's applier on a store in memory; syncs are done at once.
pub(crate) struct Node {
    pub(crate) engine: MemoryEngine,
    pub(crate) applier: Applier,
    pub(crate) now: Duration,
}

impl Node {
    pub(crate) fn new(engine: MemoryEngine) -> Self {
        let applier = Applier::new(Arc::new(engine.clone()));
        Self { engine, applier, now: Duration::ZERO }
    }

    /// With these groups open on empty data.
    pub(crate) fn with_groups(locals: &[u32]) -> Self {
        let mut node = Self::new(MemoryEngine::new());
        for local in locals {
            let opened = node.one(group(*local), open(FIRST_EPOCH));
            assert!(matches!(opened, Outcome::Opened { .. }), "{opened:?}");
        }
        node
    }

    /// A new life on what a crash leaves.
    pub(crate) fn crash(&self, survivors: Survivors) -> Self {
        Self::new(self.engine.crash(survivors))
    }

    pub(crate) fn turn(&mut self, mut jobs: Vec<Job>) -> Vec<Done> {
        let mut done = self.applier.turn(self.now, &mut jobs).unwrap();
        assert!(jobs.is_empty());
        while let Some(ticket) = self.applier.sync_wanted() {
            done.extend(self.applier.synced(&ticket.sync().unwrap()));
        }
        done
    }

    /// One job, its one answer.
    pub(crate) fn one(&mut self, group: GroupKey, work: Work) -> Outcome {
        let mut done = self.turn(vec![Job::Group(group, work)]);
        match (done.pop(), done.pop()) {
            (Some(Done::Group(answered, outcome)), None) if answered == group => outcome,
            other => panic!("expected one answer for {group:?}: {other:?}"),
        }
    }

    pub(crate) fn applied(&mut self, group: GroupKey, first: u64, commands: &[&str]) -> Vec<String> {
        match self.one(group, apply(first, commands)) {
            Outcome::Applied { answers, .. } => answers.into_iter().map(|(_, answer)| text(&answer)).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn answer(&mut self, group: GroupKey, query_text: &str) -> String {
        match self.one(group, query(query_text, 0)) {
            Outcome::Answered { answer, .. } => text(&answer),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn checkpoint(&mut self) -> Vec<(GroupKey, EntryId)> {
        match &mut self.turn(vec![Job::Checkpoint])[..] {
            [Done::Checkpoint { durable }] => std::mem::take(durable),
            other => panic!("{other:?}"),
        }
    }

    /// Turns without jobs until nothing is left to delete.
    pub(crate) fn rest(&mut self) -> Vec<Done> {
        let mut done = Vec::new();
        for _ in 0..10_000 {
            let Some(due) = self.applier.background_due() else { return done };
            self.now = due;
            done.extend(self.turn(Vec::new()));
        }
        panic!("background work never ends");
    }

    /// A group's data under an epoch, as it lies in the store.
    pub(crate) fn data(&self, group: GroupKey, epoch: StateEpoch) -> BTreeMap<String, String> {
        items_below(&self.engine, prefix::state_data(group.local, epoch.0))
    }

    /// Every key of the group, of all purposes and epochs.
    pub(crate) fn key_count(&self, group: GroupKey) -> usize {
        let mut count = 0;
        self.engine
            .scan(Space::State, &[]..&[0xff], &mut |key, _| {
                count += usize::from(Prefix::of_key(key).unwrap().local() == group.local);
                ControlFlow::Continue(())
            })
            .unwrap();
        count
    }
}

fn items_below(read: &dyn Read, prefix: Prefix) -> BTreeMap<String, String> {
    let mut items = BTreeMap::new();
    let (start, end) = prefix.range();
    read.scan(Space::State, &start..&end, &mut |key, value| {
        items.insert(text(prefix.strip(key).unwrap()), text(&value));
        ControlFlow::Continue(())
    })
    .unwrap();
    items
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn failure(outcome: &Outcome) -> &Failure {
    match outcome {
        Outcome::Failed { reason, .. } => reason,
        other => panic!("expected a failure: {other:?}"),
    }
}
