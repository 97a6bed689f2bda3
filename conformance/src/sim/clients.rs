//! The clients of a simulation, and what they remember.

use super::{
    bug::Bug,
    plan::{Micros, Plan},
};
use crate::linear::{self, Change, Operation, Value};
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use roadstead::{
    service::kv::{
        Answer, Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyValue, PutRequest, RangeRequest, Request, RequestOp,
        Response, ResponseOp, TxnRequest, decode,
    },
    shard::{self, Operation as Asked, Rejection},
};
use roadstead_spec::{GroupId, NodeId, wire::body::Consistency};
use std::collections::BTreeMap;

/// A request on its way into a node.
pub(super) struct Sent {
    pub(super) token: u64,
    pub(super) node: NodeId,
    pub(super) group: GroupId,
    pub(super) asked: Asked,
}

/// A request without an answer.
struct Pending {
    client: usize,
    node: NodeId,
    place: Place,
    operation: Operation,
}

/// One key of one group.
type Place = (GroupId, u64);

/// Clients that ask one thing after the other.
pub(super) struct Clients {
    rng: StdRng,
    members: u32,
    groups: Vec<GroupId>,
    keys: u64,
    think: Micros,
    /// A planted mistake.
    bug: Option<Bug>,
    /// Counts calls and answers; also names requests and values.
    moment: u64,
    /// Who answered last, which is a good one to ask next.
    leaders: BTreeMap<GroupId, NodeId>,
    pending: BTreeMap<u64, Pending>,
    histories: BTreeMap<Place, Vec<Operation>>,
    /// Requests that were answered.
    pub(super) answered: u64,
    /// Requests of which nobody knows.
    pub(super) unknown: u64,
}

impl Clients {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            rng: StdRng::seed_from_u64(plan.seed ^ 0x00c1_1e57),
            members: plan.nodes,
            groups: plan.groups.clone(),
            keys: plan.keys,
            think: plan.think,
            bug: plan.bug,
            moment: 0,
            leaders: BTreeMap::new(),
            pending: BTreeMap::new(),
            histories: BTreeMap::new(),
            answered: 0,
            unknown: 0,
        }
    }

    /// How long a client waits before its next request.
    pub(super) fn pause(&mut self) -> Micros {
        self.rng.random_range(0..=self.think)
    }

    /// The next request of a client.
    pub(super) fn next(&mut self, client: usize) -> Sent {
        let group = self.groups[self.rng.random_range(0..self.groups.len())];
        let place = (group, self.rng.random_range(0..self.keys));
        let value = self.moment;
        let change = match self.rng.random_range(0..100) {
            0..40 => Change::Write(Some(value)),
            40..70 => Change::Read,
            70..75 => Change::Count,
            75..80 => Change::Write(None),
            _ => Change::Swap { expect: self.last_found(place), put: value },
        };
        let drawn = NodeId(self.rng.random_range(1..=self.members));
        let known = self.leaders.get(&group).copied().filter(|_| self.rng.random_bool(0.8));
        self.send(client, known.unwrap_or(drawn), place, change)
    }

    /// A read of a key through a node.
    pub(super) fn read(&mut self, client: usize, node: NodeId, place: Place) -> Sent {
        self.send(client, node, place, Change::Read)
    }

    /// A write through a node.
    pub(super) fn write(&mut self, client: usize, node: NodeId, place: Place) -> Sent {
        let value = self.moment;
        self.send(client, node, place, Change::Write(Some(value)))
    }

    fn send(&mut self, client: usize, node: NodeId, place: Place, change: Change) -> Sent {
        self.moment += 1;
        let token = self.moment;
        let operation = Operation { call: token, answer: None, change };
        self.pending.insert(token, Pending { client, node, place, operation });
        Sent { token, node, group: place.0, asked: self.encode(place.1, change) }
    }

    fn last_found(&self, place: Place) -> Value {
        let last = self.histories.get(&place).and_then(|history| history.last())?;
        let (_, found) = last.answer?;
        match last.change {
            Change::Read | Change::Count | Change::Swap { .. } => found,
            Change::Write(value) => value,
        }
    }

    fn encode(&self, key: u64, change: Change) -> Asked {
        let key = Bytes::from(format!("key-{key}"));
        let put = |value| PutRequest { prev_kv: true, ..PutRequest::new(key.clone(), bytes_of(value)) };
        let request = match change {
            Change::Read | Change::Count => {
                let consistency = if self.bug == Some(Bug::StaleReads) { Consistency::Stale } else { Consistency::Linearizable };
                let range = RangeRequest { count_only: change == Change::Count, ..RangeRequest::key(key) };
                return Asked::Query { bytes: Request::Range(range).encode(), consistency };
            }
            Change::Write(Some(value)) => Request::Put(put(value)),
            Change::Write(None) => Request::DeleteRange(DeleteRangeRequest { prev_kv: true, ..DeleteRangeRequest::key(key) }),
            Change::Swap { expect, put: value } => {
                let target = expect.map_or(CompareTarget::Version(0), |value| CompareTarget::Value(bytes_of(value)));
                let compare = Compare { key: key.clone(), range_end: Bytes::new(), result: CompareResult::Equal, target };
                let look = RequestOp::Range(RangeRequest::key(key.clone()));
                Request::Txn(TxnRequest { compare: vec![compare], success: vec![RequestOp::Put(put(value))], failure: vec![look] })
            }
        };
        Asked::Write(request.encode())
    }

    /// An answer. Returns the client, who may go on.
    pub(super) fn answer(&mut self, token: u64, response: &shard::Response) -> Result<Option<usize>, String> {
        let Some(mut pending) = self.pending.remove(&token) else { return Ok(None) };
        self.moment += 1;
        let change = pending.operation.change;
        match response {
            shard::Response::Committed { answer, .. } | shard::Response::Answered { answer, .. } => {
                let echo = self.echo(pending.place.1, change);
                let found = found(echo.as_ref().unwrap_or(answer), change)?;
                pending.operation.answer = Some((self.moment, found));
                self.leaders.insert(pending.place.0, pending.node);
                self.answered += 1;
                self.histories.entry(pending.place).or_default().push(pending.operation);
            }
            shard::Response::Unknown { .. } if self.bug == Some(Bug::UnknownIsRefused) => {}
            shard::Response::Unknown { .. } if self.bug == Some(Bug::UnknownIsDone) => {
                pending.operation.answer = Some((self.moment, None));
                self.histories.entry(pending.place).or_default().push(pending.operation);
            }
            shard::Response::Unknown { .. } => self.note_unknown(&pending),
            // It has not happened, and will not: if it did, somebody finds a value that nobody wrote.
            shard::Response::Rejected(rejection) => {
                let leader = match rejection {
                    Rejection::NotLeader { leader } => *leader,
                    _ => None,
                };
                match leader {
                    Some(leader) => self.leaders.insert(pending.place.0, leader),
                    None => self.leaders.remove(&pending.place.0),
                };
            }
        }
        Ok(Some(pending.client))
    }

    /// The request in the answer's place, if that is the planted mistake.
    fn echo(&self, key: u64, change: Change) -> Option<Bytes> {
        (self.bug == Some(Bug::RequestEchoed)).then(|| match self.encode(key, change) {
            Asked::Write(bytes) | Asked::Query { bytes, .. } => bytes,
        })
    }

    /// A node's process is gone, and with it all answers. Returns the clients that waited.
    pub(super) fn forget(&mut self, node: NodeId) -> Vec<usize> {
        let gone: Vec<u64> = self.pending.iter().filter(|(_, pending)| pending.node == node).map(|(token, _)| *token).collect();
        let gone: Vec<Pending> = gone.into_iter().filter_map(|token| self.pending.remove(&token)).collect();
        gone.iter().for_each(|pending| self.note_unknown(pending));
        gone.into_iter().map(|pending| pending.client).collect()
    }

    fn note_unknown(&mut self, pending: &Pending) {
        self.leaders.remove(&pending.place.0);
        if !matches!(pending.operation.change, Change::Read | Change::Count) {
            self.unknown += 1;
            self.histories.entry(pending.place).or_default().push(pending.operation);
        }
    }

    /// Whether every key's history is linearizable; what is still under way is something of which nobody knows.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        for pending in std::mem::take(&mut self.pending).into_values() {
            self.note_unknown(&pending);
        }
        for ((group, key), history) in &self.histories {
            linear::check(history).map_err(|broken| format!("the history of key {key} in group {group} is not linearizable: {broken}"))?;
        }
        Ok(())
    }
}

/// Most bytes behind the number of a value.
const PADDING_MAX: u64 = 300;

/// A value as it is stored: its number, then bytes that say nothing, more or fewer of them.
fn bytes_of(value: u64) -> Bytes {
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(bytes.len() + (value.wrapping_mul(0x9e37_79b9) % PADDING_MAX) as usize, 7);
    bytes.into()
}

/// What an answer says of the value that was found.
fn found(answer: &[u8], change: Change) -> Result<Value, String> {
    let answer: Answer = decode(answer).map_err(|error| error.to_string())?;
    let response = answer.map_err(|error| format!("the service refuses what it must take: {error}"))?;
    let first = |items: Vec<KeyValue>| items.into_iter().next();
    let item = match (response, change) {
        (Response::Range(range), Change::Read) => first(range.kvs),
        (Response::Range(range), Change::Count) => return Ok((range.count > 0).then_some(0)),
        (Response::Put(put), Change::Write(Some(_))) => put.prev_kv,
        (Response::DeleteRange(deleted), Change::Write(None)) => first(deleted.prev_kvs),
        (Response::Txn(txn), Change::Swap { .. }) => match txn.responses.into_iter().next() {
            Some(ResponseOp::Put(put)) => put.prev_kv,
            Some(ResponseOp::Range(range)) => first(range.kvs),
            other => return Err(format!("a transaction answers {other:?}")),
        },
        (response, change) => return Err(format!("{response:?} answers {change:?}")),
    };
    let number = |item: KeyValue| item.value.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    item.map_or(Ok(None), |item| number(item).map(Some).ok_or_else(|| "a value that nobody wrote is stored".into()))
}
