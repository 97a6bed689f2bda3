//! A member of a group, as small as it can be: the state machine over an ordered map.

use bytes::Bytes;
use roadstead::{
    service::kv::{Answer, Kv, Request, decode},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
};
use roadstead_spec::{EntryId, Index, Term};
use std::{collections::BTreeMap, ops::Bound, ops::ControlFlow, ops::Range};

/// A group's data in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store(pub(crate) BTreeMap<Bytes, Bytes>);

impl StateRead for Store {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateMachineError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        range: Range<&[u8]>,
        visit: &mut dyn FnMut(&[u8], Bytes) -> Result<ControlFlow<()>, StateMachineError>,
    ) -> Result<(), StateMachineError> {
        let end = if range.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(range.end) };
        for (key, value) in self.0.range::<[u8], _>((Bound::Included(range.start), end)) {
            if visit(key, value.clone())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl StateWrite for Store {
    fn put(&mut self, key: Bytes, value: Bytes) {
        self.0.insert(key, value);
    }

    fn delete(&mut self, key: Bytes) {
        self.0.remove(&key);
    }
}

/// A state machine with its data.
#[derive(Debug, Default)]
pub(crate) struct Member {
    machine: Kv,
    /// What a restart would find.
    pub(crate) store: Store,
    applied: u64,
}

impl Member {
    /// Applies commands in one batch.
    pub(crate) fn apply(&mut self, payloads: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
        let commands: Vec<_> = payloads
            .into_iter()
            .map(|payload| {
                self.applied += 1;
                Command { id: EntryId { term: Term(1), index: Index(self.applied) }, payload }
            })
            .collect();
        let mut answers = Vec::new();
        self.machine.apply(&commands, &mut self.store, &mut answers).expect("the store is sound");
        assert_eq!(answers.len(), commands.len());
        answers
    }

    /// Applies one command.
    pub(crate) fn propose(&mut self, request: &Request) -> Answer {
        decode(&self.apply([request.encode()])[0]).expect("an answer")
    }

    /// Answers a query with bytes that need not be a request.
    pub(crate) fn query_bytes(&self, query: &[u8]) -> Answer {
        decode(&self.machine.query(query, &self.store).expect("the store is sound")).expect("an answer")
    }

    /// Answers a query.
    pub(crate) fn query(&self, request: &Request) -> Answer {
        self.query_bytes(&request.encode())
    }

    /// Forgets what is in memory and starts again from the store.
    pub(crate) fn reopen(&mut self) {
        self.try_reopen().expect("the store is sound");
    }

    /// The same for a store that may be damaged.
    pub(crate) fn try_reopen(&mut self) -> Result<(), StateMachineError> {
        self.machine = Kv::default();
        self.machine.open(&self.store)
    }
}
