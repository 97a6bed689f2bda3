//! Load whose outcome can be judged: every write has a key of its own, so that the store itself tells which happened, how often and in what order.
//!
//! Writer `w` is one task that waits for each outcome before it begins the next write. Its write `n` of phase `p` is a transaction that puts
//! `w/p/n` and counts in `w`: one revision, version 1 of the first, one version more of the second. So
//! - *there*: an acknowledged write has its key, with its value, at the very revision that was acknowledged;
//! - *once*: every key has version 1, and the counter's version is the number of keys;
//! - *in order*: acknowledged revisions grow with `n`.
//!
//! A write of unknown outcome may be there or not, at most once; a rejected one must not be there.

use crate::cluster::{Cluster, DEADLINE};
use roadstead::{
    GroupId,
    client::{Client, Consistency, KvClient, KvFailure},
    service::kv::{PutRequest, RangeRequest, RequestOp, TxnRequest},
};
use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How one write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged { revision: i64 },
    Unknown,
    Rejected,
}

/// What one writer wrote in one phase.
#[derive(Debug)]
struct History {
    writer: usize,
    phase: u64,
    fates: Vec<Fate>,
}

/// Figures of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: u64,
    pub(crate) unknown: u64,
    pub(crate) rejected: u64,
    /// Of those with unknown outcome, the ones that happened.
    pub(crate) unknown_happened: u64,
    /// Linearizable reads that were checked against what had been acknowledged before they began.
    pub(crate) reads: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.rejected += other.rejected;
        self.unknown_happened += other.unknown_happened;
        self.reads += other.reads;
    }
}

/// Writers, and everything that they remember.
pub(crate) struct Load {
    runtime: Background,
    groups: Vec<KvClient>,
    writers: usize,
    phase: u64,
    running: Vec<JoinHandle<(History, u64, Duration)>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<watch::Sender<u64>>,
    /// Acknowledged writes of each writer, over all phases.
    floors: Arc<Vec<AtomicU64>>,
    histories: Vec<History>,
    reads: u64,
    longest: Duration,
}

impl Load {
    /// Writers that spread over the groups, at rest. A request waits `patience` for its outcome.
    pub(crate) fn new(cluster: &Cluster, groups: &[i32], writers: usize, patience: Duration) -> Self {
        Self::through(&cluster.client(patience), groups, writers)
    }

    /// The same, through this client.
    pub(crate) fn through(client: &Client, groups: &[i32], writers: usize) -> Self {
        Self {
            runtime: Background::start(),
            groups: groups.iter().map(|group| kv(client, *group)).collect(),
            writers,
            phase: 0,
            running: Vec::new(),
            stop: Arc::default(),
            acknowledged: Arc::new(watch::Sender::new(0)),
            floors: Arc::new((0..writers).map(|_| AtomicU64::new(0)).collect()),
            histories: Vec::new(),
            reads: 0,
            longest: Duration::ZERO,
        }
    }

    /// How long the slowest write took, whatever its outcome.
    pub(crate) fn longest_write(&self) -> Duration {
        self.longest
    }

    fn group_of(&self, writer: usize) -> &KvClient {
        &self.groups[writer % self.groups.len()]
    }

    /// The next writer of the same group, whose writes this one observes; itself if it is alone.
    fn neighbour(&self, writer: usize) -> usize {
        let next = writer + self.groups.len();
        if next < self.writers { next } else { writer % self.groups.len() }
    }

    /// Begins a phase: all writers write until [`Load::stop`].
    pub(crate) fn start(&mut self) {
        self.phase += 1;
        self.stop = Arc::default();
        for writer in 0..self.writers {
            let task = Writer {
                writer,
                observed: self.neighbour(writer),
                phase: self.phase,
                kv: self.group_of(writer).clone(),
                stop: Arc::clone(&self.stop),
                acknowledged: Arc::clone(&self.acknowledged),
                floors: Arc::clone(&self.floors),
            };
            self.running.push(self.runtime.spawn(task.run()));
        }
    }

    /// Runs something of the test's own beside the writers.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Begins something of the test's own beside the writers.
    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(future)
    }

    /// Waits until this many more writes are acknowledged.
    pub(crate) fn acknowledged(&self, more: u64) {
        let mut count = self.acknowledged.subscribe();
        let wanted = *count.borrow() + more;
        let enough = self.runtime.block_on(async { timeout(DEADLINE, count.wait_for(|count| *count >= wanted)).await.is_ok() });
        assert!(enough, "only {} of {wanted} writes were acknowledged in time", *self.acknowledged.borrow());
    }

    /// Ends the phase: every write under way gets its outcome.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in std::mem::take(&mut self.running) {
            let (history, reads, longest) = self.runtime.block_on(task).unwrap();
            self.histories.push(history);
            self.reads += reads;
            self.longest = self.longest.max(longest);
        }
    }

    /// Judges the newest phase.
    pub(crate) fn check_phase(&self) {
        for history in self.histories.iter().filter(|history| history.phase == self.phase) {
            self.check(history);
        }
    }

    /// Judges everything, and returns the figures.
    pub(crate) fn check_all(&self) -> Figures {
        let mut figures = Figures { reads: self.reads, ..Figures::default() };
        let mut happened = vec![0; self.writers];
        for history in &self.histories {
            let there = self.check(history);
            let count = |fate: fn(&Fate) -> bool| history.fates.iter().filter(|each| fate(each)).count() as u64;
            let acknowledged = count(|fate| matches!(fate, Fate::Acknowledged { .. }));
            figures.acknowledged += acknowledged;
            figures.unknown += count(|fate| *fate == Fate::Unknown);
            figures.rejected += count(|fate| *fate == Fate::Rejected);
            figures.unknown_happened += there - acknowledged;
            happened[history.writer] += there;
        }
        for (writer, happened) in happened.into_iter().enumerate() {
            let counted = self.block_on_range(writer, RangeRequest::key(counter(writer))).first().map_or(0, |kv| kv.1);
            assert_eq!(counted as u64, happened, "the counter of writer {writer} counts each write once");
        }
        figures
    }

    /// Judges one writer's phase; returns how many of its writes happened.
    fn check(&self, history: &History) -> u64 {
        let prefix = format!("{}/{}/", counter(history.writer), history.phase);
        let found = self.block_on_range(history.writer, RangeRequest::prefix(prefix.clone()));
        let found: BTreeMap<&str, (i64, i64, &str)> =
            found.iter().map(|(key, version, revision, value)| (key.as_str(), (*version, *revision, value.as_str()))).collect();
        let mut last = 0;
        let mut there = 0;
        for (n, fate) in history.fates.iter().enumerate() {
            let key = key(history.writer, history.phase, n);
            let stored = found.get(key.as_str());
            if let Some((version, _, value)) = stored {
                assert_eq!((*version, *value), (1, key.as_str()), "{key} happened once, with its value");
                there += 1;
            }
            match fate {
                Fate::Acknowledged { revision } => {
                    let Some((_, at, _)) = stored else { panic!("{key} was acknowledged at revision {revision} and is LOST") };
                    assert_eq!(at, revision, "{key} is where it was acknowledged");
                    assert!(*revision > last, "{key} is behind what was acknowledged before it");
                    last = *revision;
                }
                Fate::Unknown => {}
                Fate::Rejected => assert_eq!(stored, None, "{key} was rejected"),
            }
        }
        assert_eq!(found.len() as u64, there, "nothing is there that nobody wrote: {prefix}");
        there
    }

    /// Key, version, mod revision and value of what a range holds, read linearizably.
    fn block_on_range(&self, writer: usize, request: RangeRequest) -> Vec<(String, i64, i64, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let kv = self.group_of(writer);
        let response = self.runtime.block_on(async {
            let begun = Instant::now();
            loop {
                match kv.range(request.clone(), Consistency::Linearizable).await {
                    Ok(response) => return response,
                    Err(error) => assert!(begun.elapsed() < DEADLINE, "the check cannot read: {error}"),
                }
            }
        });
        response.kvs.iter().map(|kv| (text(&kv.key), kv.version, kv.mod_revision, text(&kv.value))).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A runtime on a thread of its own, so that writers write while the test does something else.
pub(crate) struct Background {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Background {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || runtime.block_on(stopped));
        Self { handle, _stop: stop }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(future)
    }
}

/// The key-value service of a group.
pub(crate) fn kv(client: &Client, group: i32) -> KvClient {
    KvClient::new(client.group(GroupId::new(group).unwrap()))
}

fn counter(writer: usize) -> String {
    format!("w{writer:03}")
}

fn key(writer: usize, phase: u64, n: usize) -> String {
    format!("{}/{phase}/{n:06}", counter(writer))
}

/// Writes between two linearizable reads of a writer.
const WRITES_PER_READ: usize = 8;

/// A rejected write is followed by the next one not at once: a cluster without a quorum rejects for a while.
const AFTER_REJECTION: Duration = Duration::from_millis(10);

struct Writer {
    writer: usize,
    /// Whose counter it reads.
    observed: usize,
    phase: u64,
    kv: KvClient,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<watch::Sender<u64>>,
    floors: Arc<Vec<AtomicU64>>,
}

impl Writer {
    /// History, reads that were answered, and the time of the slowest write.
    async fn run(self) -> (History, u64, Duration) {
        let mut history = History { writer: self.writer, phase: self.phase, fates: Vec::new() };
        let mut reads = 0;
        let mut longest = Duration::ZERO;
        while !self.stop.load(Ordering::Relaxed) {
            let n = history.fates.len();
            let begun = Instant::now();
            let fate = self.write(n).await;
            longest = longest.max(begun.elapsed());
            history.fates.push(fate);
            match fate {
                Fate::Acknowledged { .. } => {
                    self.floors[self.writer].fetch_add(1, Ordering::SeqCst);
                    self.acknowledged.send_modify(|count| *count += 1);
                }
                Fate::Rejected => sleep(AFTER_REJECTION).await,
                Fate::Unknown => {}
            }
            if n % WRITES_PER_READ == WRITES_PER_READ - 1 {
                reads += u64::from(self.read().await);
            }
        }
        (history, reads, longest)
    }

    async fn write(&self, n: usize) -> Fate {
        let key = key(self.writer, self.phase, n);
        let put = |key: String, value: &str| RequestOp::Put(PutRequest::new(key, value.to_owned()));
        let txn = TxnRequest { success: vec![put(key.clone(), &key), put(counter(self.writer), &key)], ..TxnRequest::default() };
        match self.kv.txn(txn).await {
            Ok(response) => Fate::Acknowledged { revision: response.revision },
            Err(KvFailure::Unknown(_)) => Fate::Unknown,
            Err(KvFailure::Rejected(_)) => Fate::Rejected,
            Err(error) => panic!("{key}: {error}"),
        }
    }

    /// A linearizable read of another writer's counter of the same group sees everything that was acknowledged before it began.
    async fn read(&self) -> bool {
        let floor = self.floors[self.observed].load(Ordering::SeqCst);
        match self.kv.range(RangeRequest::key(counter(self.observed)), Consistency::Linearizable).await {
            Ok(response) => {
                let counted = response.kvs.first().map_or(0, |kv| kv.version) as u64;
                assert!(counted >= floor, "a STALE read saw {counted} of {floor} acknowledged writes of writer {}", self.observed);
                true
            }
            Err(_) => false,
        }
    }
}
