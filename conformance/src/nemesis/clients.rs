//! Clients of etcd's interface that note what they asked, when, and what they were told.

use super::Failed;
use crate::linear::{self, Change, NotLinearizable, Operation, Value};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use roadstead_proto::{
    etcdserverpb::{self as pb, compare, kv_client::KvClient, request_op, response_op},
    mvccpb,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

/// Names the group of a request.
const GROUP: &str = "roadstead-group";
const CONNECT_MAX: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Keys of a group that are in use at a time.
const KEYS: usize = 5;
/// Operations on a key, after which another takes its place: the history of one key stays short enough to be judged.
const OPERATIONS_MAX: usize = 300;
/// A client waits up to so long before it asks again.
const THINK_MAX_MS: u64 = 20;

/// A key of a group.
type Place = (i32, u64);

/// An answer, for the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// Since the beginning.
    pub(super) at: Duration,
    pub(super) took: Duration,
}

/// How long answers took, and the longest time without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// 99 of 100 answers took no longer.
    pub p99: Duration,
    /// The slowest answer.
    pub max: Duration,
    /// No client was answered for so long.
    pub longest_gap: Duration,
}

/// What all clients together remember.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Counts calls and answers; also names values.
    moment: u64,
    next_key: u64,
    /// Keys in use by group, with the operations so far.
    keys: BTreeMap<i32, Vec<(u64, usize)>>,
    histories: BTreeMap<Place, Vec<Operation>>,
    pub(super) answered: Vec<Answered>,
    /// Changes that may have happened.
    pub(super) unknown: u64,
    /// Reads without an answer.
    pub(super) unanswered: u64,
    /// How often clients were told what.
    pub(super) errors: BTreeMap<String, u64>,
}

/// The book, as clients share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn key(&mut self, rng: &mut StdRng, group: i32) -> u64 {
        let keys = self.keys.entry(group).or_default();
        if keys.len() < KEYS {
            keys.push((self.next_key, 0));
            self.next_key += 1;
        }
        let place = rng.random_range(0..keys.len());
        let (key, operations) = &mut keys[place];
        *operations += 1;
        let key = *key;
        if keys[place].1 == OPERATIONS_MAX {
            keys.swap_remove(place);
        }
        key
    }

    /// Keys in use.
    pub(super) fn in_use(&self) -> Vec<Place> {
        self.keys.iter().flat_map(|(group, keys)| keys.iter().map(|(key, _)| (*group, *key))).collect()
    }

    fn last_found(&self, place: Place) -> Value {
        let last = self.histories.get(&place).and_then(|history| history.last())?;
        match last.change {
            Change::Write(value) => value,
            _ => last.answer.and_then(|(_, found)| found),
        }
    }

    /// A moment of its own, or a value of its own.
    fn tick(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    pub(super) fn latencies(&self) -> Latencies {
        let mut took: Vec<Duration> = self.answered.iter().map(|answered| answered.took).collect();
        took.sort_unstable();
        let part = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default();
        let gaps = self.answered.windows(2).filter_map(|pair| pair[1].at.checked_sub(pair[0].at));
        Latencies {
            p50: part(50),
            p99: part(99),
            max: took.last().copied().unwrap_or_default(),
            longest_gap: gaps.max().unwrap_or_default(),
        }
    }

    /// Whether every key's history is linearizable; how many operations were judged.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn judge(&self) -> Result<usize, Broken> {
        for (place, history) in &self.histories {
            linear::check(history).map_err(|why| Broken { place: *place, why, history: history.clone() })?;
        }
        Ok(self.histories.values().map(Vec::len).sum())
    }
}

/// A history that is not linearizable.
#[derive(Debug)]
pub(super) struct Broken {
    place: Place,
    why: NotLinearizable,
    history: Vec<Operation>,
}

impl Broken {
    /// Keeps the history, for whoever wants to know what it was.
    pub(super) fn keep(&self, folder: &Path) -> Result<PathBuf, Failed> {
        let path = folder.join(format!("history-{}-{}.json", self.place.0, self.place.1));
        let lines: String = self.history.iter().map(|operation| format!("{}\n", serde_json::json!(operation))).collect();
        fs::write(&path, lines).map_err(Failed::io(&path))?;
        Ok(path)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((group, key), why) = (self.place, &self.why);
        write!(f, "the history of key {key} in group {group} is not linearizable: {why}")
    }
}

/// One client, who asks one thing after the other.
pub(super) struct Client {
    rng: StdRng,
    nodes: Vec<KvClient<Channel>>,
    groups: Vec<i32>,
    /// Who answered last.
    good: Option<usize>,
    /// Reads are asked as stale ones: a planted mistake.
    stale: bool,
    begun: Instant,
    book: Shared,
}

/// An operation as it goes to a node.
enum Asked {
    Put(pb::PutRequest),
    Delete(pb::DeleteRangeRequest),
    Range(pb::RangeRequest),
    Txn(pb::TxnRequest),
}

impl Client {
    pub(super) fn new(seed: u64, nodes: &[SocketAddr], groups: &[i32], stale: bool, begun: Instant, book: Shared) -> Self {
        let channel = |address: &SocketAddr| {
            let endpoint = Endpoint::from(http_uri(address)).connect_timeout(CONNECT_MAX).timeout(ANSWER_MAX);
            KvClient::new(endpoint.connect_lazy())
        };
        let nodes = nodes.iter().map(channel).collect();
        Self { rng: StdRng::seed_from_u64(seed), nodes, groups: groups.to_vec(), good: None, stale, begun, book }
    }

    /// Asks until it is told to stop. Not just dropped: what is under way then would happen, and be in no history.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            sleep(Duration::from_millis(self.rng.random_range(0..=THINK_MAX_MS))).await;
            let group = self.groups[self.rng.random_range(0..self.groups.len())];
            let place = (group, self.book.lock().key(&mut self.rng, group));
            let change = self.draw(place);
            let any = self.rng.random_range(0..self.nodes.len());
            let node = self.good.filter(|_| !self.stale).unwrap_or(any);
            self.good = self.ask(node, place, change).await.then_some(node);
        }
    }

    /// A write to a group through a node; whether it is acknowledged.
    pub(super) async fn write(&mut self, node: usize, group: i32) -> bool {
        let place = (group, self.book.lock().key(&mut self.rng, group));
        let value = self.book.lock().tick();
        self.ask(node, place, Change::Write(Some(value))).await
    }

    /// A read of a key through a node; whether it is answered.
    pub(super) async fn read(&mut self, node: usize, place: Place) -> bool {
        self.ask(node, place, Change::Read).await
    }

    fn draw(&mut self, place: Place) -> Change {
        let mut book = self.book.lock();
        let value = book.tick();
        match self.rng.random_range(0..100) {
            0..35 => Change::Write(Some(value)),
            35..65 => Change::Read,
            65..70 => Change::Count,
            70..78 => Change::Write(None),
            _ => Change::Swap { expect: book.last_found(place), put: value },
        }
    }

    async fn ask(&mut self, node: usize, place: Place, change: Change) -> bool {
        let call = self.book.lock().tick();
        let begun = Instant::now();
        let outcome = self.send(node, place, change).await;
        let mut book = self.book.lock();
        let answer = book.tick();
        match outcome {
            Ok(found) => {
                book.answered.push(Answered { at: self.begun.elapsed(), took: begun.elapsed() });
                book.histories.entry(place).or_default().push(Operation { call, answer: Some((answer, found)), change });
                true
            }
            Err(status) => {
                *book.errors.entry(format!("{:?}: {}", status.code(), status.message())).or_default() += 1;
                if matches!(change, Change::Read | Change::Count) {
                    book.unanswered += 1;
                } else {
                    book.unknown += 1;
                    book.histories.entry(place).or_default().push(Operation { call, answer: None, change });
                }
                false
            }
        }
    }

    async fn send(&mut self, node: usize, (group, key): Place, change: Change) -> Result<Value, Status> {
        let asked = encode(key, change, self.stale);
        let kv = &mut self.nodes[node];
        let item = match asked {
            Asked::Put(put) => kv.put(to(group, put)).await?.into_inner().prev_kv,
            Asked::Delete(delete) => kv.delete_range(to(group, delete)).await?.into_inner().prev_kvs.into_iter().next(),
            Asked::Range(range) if range.count_only => {
                // How many there are says whether there is one, and not which.
                return Ok((kv.range(to(group, range)).await?.into_inner().count > 0).then_some(0));
            }
            Asked::Range(range) => kv.range(to(group, range)).await?.into_inner().kvs.into_iter().next(),
            Asked::Txn(txn) => {
                match kv.txn(to(group, txn)).await?.into_inner().responses.into_iter().next().and_then(|first| first.response) {
                    Some(response_op::Response::ResponsePut(put)) => put.prev_kv,
                    Some(response_op::Response::ResponseRange(range)) => range.kvs.into_iter().next(),
                    other => return Err(Status::data_loss(format!("a transaction answers {other:?}"))),
                }
            }
        };
        number(item)
    }
}

fn http_uri(address: &SocketAddr) -> tonic::transport::Uri {
    let parts = tonic::transport::Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/");
    parts.build().unwrap_or_default()
}

fn to<T>(group: i32, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(GROUP, MetadataValue::from(group));
    request
}

/// What is stored: the number in decimal.
fn number(item: Option<mvccpb::KeyValue>) -> Result<Value, Status> {
    let Some(item) = item else { return Ok(None) };
    let number = std::str::from_utf8(&item.value).ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Status::data_loss("a value that nobody wrote is stored"))
}

fn encode(key: u64, change: Change, stale: bool) -> Asked {
    let key = bytes::Bytes::from(format!("key-{key}"));
    let bytes = |value: u64| bytes::Bytes::from(value.to_string());
    let put = |value| pb::PutRequest { key: key.clone(), value: bytes(value), prev_kv: true, ..Default::default() };
    let look = |count_only| pb::RangeRequest { key: key.clone(), count_only, serializable: stale, ..Default::default() };
    match change {
        Change::Read => Asked::Range(look(false)),
        Change::Count => Asked::Range(look(true)),
        Change::Write(Some(value)) => Asked::Put(put(value)),
        Change::Write(None) => Asked::Delete(pb::DeleteRangeRequest { key, prev_kv: true, ..Default::default() }),
        Change::Swap { expect, put: value } => {
            use compare::{CompareResult, CompareTarget, TargetUnion};
            let (target, union) = match expect {
                Some(value) => (CompareTarget::Value, TargetUnion::Value(bytes(value))),
                None => (CompareTarget::Version, TargetUnion::Version(0)),
            };
            let compare = pb::Compare {
                result: CompareResult::Equal.into(),
                target: target.into(),
                key: key.clone(),
                target_union: Some(union),
                ..Default::default()
            };
            let operation = |request| pb::RequestOp { request: Some(request) };
            let success = vec![operation(request_op::Request::RequestPut(put(value)))];
            let failure = vec![operation(request_op::Request::RequestRange(pb::RangeRequest { serializable: false, ..look(false) }))];
            Asked::Txn(pb::TxnRequest { compare: vec![compare], success, failure })
        }
    }
}

/// The hash of a group's data as each node tells it.
pub(super) async fn hashes(nodes: &[SocketAddr], group: i32) -> Result<BTreeSet<(u32, i64)>, Status> {
    let mut told = BTreeSet::new();
    for address in nodes {
        let channel = Endpoint::from(http_uri(address)).timeout(ANSWER_MAX).connect_lazy();
        let mut maintenance = pb::maintenance_client::MaintenanceClient::new(channel);
        let answer = maintenance.hash_kv(to(group, pb::HashKvRequest { revision: 0 })).await?.into_inner();
        told.insert((answer.hash, answer.header.map_or(0, |header| header.revision)));
    }
    Ok(told)
}
