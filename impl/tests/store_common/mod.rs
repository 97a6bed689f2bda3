//! What the store's tests share: worlds to open a store in, and short ways to say what to write.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use bytes::Bytes;
use roadstead::store::{
    Append, Change, Completion, Entry, EntryKind, Expected, GroupRecord, NewGroup, Protocol, Seams, Store, Submission, Write,
    memory::{MemoryEngine, Survivors},
    open::OpenError,
    witness_file::MemoryFile,
};
use roadstead_spec::{GroupId, Incarnation, Index, NodeId, Term, raft::HardState};
use std::{path::PathBuf, sync::Arc};

pub const EXPECTED: Expected = Expected { cluster: 0xc1, node: NodeId(1) };

/// A disk, real or not, on which stores live one after the other.
pub enum World {
    Memory { log: MemoryEngine, state: MemoryEngine, witness: MemoryFile },
    Disk(PathBuf),
}

impl World {
    pub fn memory() -> Self {
        Self::Memory { log: MemoryEngine::new(), state: MemoryEngine::new(), witness: MemoryFile::default() }
    }

    pub fn open(&self) -> Result<Store, OpenError> {
        match self {
            Self::Memory { log, state, witness } => {
                let (log, state) = (Arc::new(log.clone()), Arc::new(state.clone()));
                Store::open_with(Seams { log, state, witness: Box::new(witness.clone()), fresh_store: 7 }, EXPECTED)
            }
            Self::Disk(dir) => Store::open(dir, EXPECTED),
        }
    }

    /// The machine loses power: what was not synced is gone. On a real disk the process merely ends.
    pub fn crash(&mut self) {
        if let Self::Memory { log, state, witness } = self {
            *log = log.crash(Survivors::First(0));
            *state = state.crash(Survivors::First(0));
            *witness = witness.crash(false);
        }
    }
}

pub fn new_group(id: i32, generation: u64) -> NewGroup {
    NewGroup {
        group: GroupId::new(id).unwrap(),
        generation,
        incarnation: Incarnation(u64::from(id.unsigned_abs()) << 32 | generation),
        service: "kv".to_owned(),
        protocol: Protocol::Raft,
        members: vec![NodeId(1), NodeId(2), NodeId(3)],
        timers: vec![1, 2, 3],
    }
}

pub fn registry(change: Change) -> Submission {
    Submission { local: change.local(), incarnation: Incarnation(0), ticket: 0, write: Write::Registry(change) }
}

/// Creates a group and makes it durable.
pub fn create(store: &mut Store, id: i32) -> GroupRecord {
    let (record, change) = store.registry.plan_create(new_group(id, 1)).unwrap();
    store.storage.turn(&mut vec![registry(change)]).unwrap();
    record
}

pub fn submit(record: &GroupRecord, ticket: u64, write: Write) -> Submission {
    Submission { local: record.local, incarnation: record.incarnation, ticket, write }
}

pub fn completion(record: &GroupRecord, ticket: u64) -> Completion {
    Completion { local: record.local, incarnation: record.incarnation, ticket }
}

pub fn entry(term: u64, payload: impl Into<Bytes>) -> Entry {
    Entry { term: Term(term), kind: EntryKind::Command, payload: payload.into() }
}

pub fn append(first: u64, entries: Vec<Entry>) -> Write {
    Write::Persist { hard: None, truncate_from: None, append: Some(Append { first: Index(first), entries }) }
}

pub fn hard(term: u64, vote: u32) -> HardState {
    HardState { term: Term(term), vote: Some(NodeId(vote)) }
}

pub fn vote(term: u64, vote: u32) -> Write {
    Write::Persist { hard: Some(hard(term, vote)), truncate_from: None, append: None }
}
