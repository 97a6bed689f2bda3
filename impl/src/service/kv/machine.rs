//! The state machine: commands and queries in, answers out.

use bytes::Bytes;
use std::{cell::Cell, ops::ControlFlow};

use super::{
    check, codec,
    command::{ANSWER_BYTES_MAX, COMMAND_BYTES_MAX, CompactRequest, HashKvRequest, Request},
    compaction::Compaction,
    index::{Index, Life},
    item::{Change, ITEMS_END, ITEMS_START, Item, Revision},
    response::{Answer, CompactResponse, HashKvResponse, KvError, Response, SweepResponse},
    txn::{Target, txn},
    view::{Failure, View},
    write::Writer,
};
use crate::state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite};

/// Revision of a store to which nothing was ever written. Source: etcd.
const FIRST_REVISION: i64 = 1;

/// A key-value store with the semantics of etcd v3. See the [module](super).
#[derive(Debug)]
pub struct Kv {
    index: Index,
    /// Newest revision. It is stored nowhere: the newest item has it, and a compaction leaves that one, even if it is a tombstone.
    current: i64,
    compaction: Compaction,
    /// Where answers are encoded before each gets an allocation of its size.
    scratch: Vec<u8>,
    /// [`ANSWER_BYTES_MAX`], but in a test.
    answer_bytes_max: usize,
}

impl Default for Kv {
    /// An empty store at revision 1.
    fn default() -> Self {
        Self {
            index: Index::default(),
            current: FIRST_REVISION,
            compaction: Compaction::default(),
            scratch: Vec::new(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

impl StateMachine for Kv {
    fn open(&mut self, state: &dyn StateRead) -> Result<(), StateMachineError> {
        *self = Self { compaction: Compaction::load(state)?, answer_bytes_max: self.answer_bytes_max, ..Self::default() };
        state.scan(ITEMS_START..ITEMS_END, &mut |key, value| {
            let revision = Revision::of_key(key)?;
            let item = Item::decode(&value)?;
            let life = match item.change {
                Change::Put { create, version, .. } => Some(Life { create, version }),
                Change::Tombstone => None,
            };
            self.index.load(item.key, revision, life);
            self.current = self.current.max(revision.main);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn apply(&mut self, commands: &[Command], state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        answers.reserve(commands.len());
        for command in commands {
            let answer = match codec::decode::<Request<&[u8]>>(&command.payload) {
                Ok(_) if command.payload.len() > COMMAND_BYTES_MAX => Err(KvError::TooLarge),
                Ok(request) => answer(self.command(&request, state))?,
                Err(codec::Malformed) => Err(KvError::Malformed),
            };
            self.compaction.step(command.id.index, &mut self.index, state)?;
            answers.push(codec::encode_with(&mut self.scratch, &answer));
        }
        Ok(())
    }

    fn query(&self, query: &[u8], state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        let answer = match codec::decode::<Request<&[u8]>>(query) {
            Ok(request) => answer(self.read(&request, state))?,
            Err(codec::Malformed) => Err(KvError::Malformed),
        };
        Ok(Response::encode(&answer))
    }
}

/// Tells what the client hears from what stops the group.
fn answer(result: Result<Response, Failure>) -> Result<Answer, StateMachineError> {
    match result {
        Ok(response) => Ok(Ok(response)),
        Err(Failure::Refused(error)) => Ok(Err(error)),
        Err(Failure::Broken(error)) => Err(error),
    }
}

impl Kv {
    fn view<'a>(&'a self, state: &'a dyn StateRead) -> View<'a> {
        View { index: &self.index, state, current: self.current, compacted: self.compaction.revision(), room: None }
    }

    fn command(&mut self, request: &Request<&[u8]>, state: &mut dyn StateWrite) -> Result<Response, Failure> {
        match request {
            Request::Put(request) => self.write(state, |writer| {
                check::put(request)?;
                writer.check_put(request)?;
                writer.put(request).map(Response::Put)
            }),
            Request::DeleteRange(request) => self.write(state, |writer| {
                check::delete_range(request)?;
                writer.delete_range(request).map(Response::DeleteRange)
            }),
            Request::Txn(request) => self.write(state, |writer| txn(request, Target::Write(writer)).map(Response::Txn)),
            Request::Compact(request) => self.compact(*request, state).map(Response::Compact),
            Request::Sweep => {
                self.compaction.sweep_command(&mut self.index, state)?;
                Ok(Response::Sweep(SweepResponse { revision: self.current, pending: self.compaction.is_pending() }))
            }
            Request::Range(_) | Request::HashKv(_) => self.read(request, state),
        }
    }

    /// Runs a command that may write. If it is refused, it has written nothing.
    fn write(
        &mut self,
        state: &mut dyn StateWrite,
        operation: impl FnOnce(&mut Writer<'_>) -> Result<Response, Failure>,
    ) -> Result<Response, Failure> {
        let mut writer = Writer::new(&mut self.index, state, self.current, self.compaction.revision());
        let response = operation(&mut writer);
        self.current = writer.revision();
        response
    }

    fn read(&self, request: &Request<&[u8]>, state: &dyn StateRead) -> Result<Response, Failure> {
        let room = Cell::new(self.answer_bytes_max);
        let view = View { room: Some(&room), ..self.view(state) };
        match request {
            Request::Range(request) => {
                check::range(request)?;
                view.range(request).map(Response::Range)
            }
            Request::Txn(request) if request.is_read_only() => txn(request, Target::Read(view)).map(Response::Txn),
            Request::HashKv(request) => self.hash(*request, state).map(Response::HashKv),
            Request::Txn(_) | Request::Put(_) | Request::DeleteRange(_) | Request::Compact(_) | Request::Sweep => {
                Err(KvError::QueryWrites.into())
            }
        }
    }

    fn compact(&mut self, request: CompactRequest, state: &mut dyn StateWrite) -> Result<CompactResponse, Failure> {
        if request.revision <= self.compaction.revision() {
            return Err(KvError::Compacted.into());
        }
        if request.revision > self.current {
            return Err(KvError::FutureRevision.into());
        }
        self.compaction.begin(request.revision, state)?;
        Ok(CompactResponse { revision: self.current })
    }

    /// Hashes what is visible, so that it matters not how far a member's sweep is. Reads every item up to the revision.
    fn hash(&self, request: HashKvRequest, state: &dyn StateRead) -> Result<HashKvResponse, Failure> {
        let at = if request.revision <= 0 { self.current } else { request.revision };
        let compacted = self.compaction.revision();
        self.view(state).check_revision(at)?;
        let mut hasher = crc32fast::Hasher::new();
        let end = at.checked_add(1).map_or(ITEMS_END.to_vec(), |main| Revision { main, sub: 0 }.key().to_vec());
        state.scan(ITEMS_START..&end, &mut |key, value| {
            if self.index.is_visible(Item::decode(&value)?.key, Revision::of_key(key)?, compacted) {
                hasher.update(key);
                hasher.update(&value);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(HashKvResponse { revision: self.current, hash: hasher.finalize(), hash_revision: at, compact_revision: compacted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::kv::{PutRequest, RangeRequest, RequestOp, TxnRequest};
    use roadstead_spec::{EntryId, Index as LogIndex, Term};
    use std::{collections::BTreeMap, ops::Range};

    #[derive(Default)]
    struct Memory(BTreeMap<Bytes, Bytes>);

    impl StateRead for Memory {
        fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StateMachineError> {
            Ok(self.0.get(key).cloned())
        }

        fn scan(
            &self,
            range: Range<&[u8]>,
            visit: &mut dyn FnMut(&[u8], Bytes) -> Result<ControlFlow<()>, StateMachineError>,
        ) -> Result<(), StateMachineError> {
            let range = Bytes::copy_from_slice(range.start)..Bytes::copy_from_slice(range.end);
            self.0.range(range).try_for_each(|(key, value)| visit(key, value.clone()).map(drop))
        }
    }

    impl StateWrite for Memory {
        fn put(&mut self, key: Bytes, value: Bytes) {
            self.0.insert(key, value);
        }

        fn delete(&mut self, key: Bytes) {
            self.0.remove(&key);
        }
    }

    /// Goal: a read cannot take all memory, and a write is never refused halfway. Method: room for two of three values.
    #[test]
    fn reads_are_bounded_and_writes_go_through() {
        let (mut machine, mut state) = (Kv { answer_bytes_max: 2_500, ..Kv::default() }, Memory::default());
        let mut apply = |request: &Request| {
            let command = Command { id: EntryId { term: Term(1), index: LogIndex(1) }, payload: request.encode() };
            let mut answers = Vec::new();
            machine.apply(&[command], &mut state, &mut answers).unwrap();
            codec::decode::<Answer>(&answers[0]).unwrap()
        };
        for key in ["a", "b", "c"] {
            apply(&Request::Put(PutRequest::new(key, vec![b'v'; 1_000]))).unwrap();
        }
        let all = || RangeRequest::prefix("");
        assert_eq!(apply(&Request::Range(all())), Err(KvError::AnswerTooLarge));
        for small in
            [RangeRequest { limit: 1, ..all() }, RangeRequest { keys_only: true, ..all() }, RangeRequest { count_only: true, ..all() }]
        {
            assert!(apply(&Request::Range(small)).is_ok());
        }
        let one = |key: &'static str| RequestOp::Range(RangeRequest::key(key));
        let reads = TxnRequest { success: vec![one("a"), one("b"), one("c")], ..TxnRequest::default() };
        let put = RequestOp::Put(PutRequest::new("d", "1"));
        let writes = TxnRequest { success: [vec![put], reads.success.clone()].concat(), ..TxnRequest::default() };
        assert!(apply(&Request::Txn(writes)).is_ok());
        let together = machine.query(&Request::Txn(reads).encode(), &state).unwrap();
        assert_eq!(codec::decode::<Answer>(&together).unwrap(), Err(KvError::AnswerTooLarge), "what a transaction reads counts together");
    }
}
