//! Real processes under faults: several nodes, each a process with sockets and disks of its own, are killed, stopped, cut off, slowed down and set wrong while
//! clients of etcd's interface use them.
//!
//! A run is judged by four: the history of every key must be linearizable ([`crate::linear`]); when the faults are over, every group takes writes in, all members
//! have applied the same and tell the same hash; no process ends by itself unless its disk was full; and the records of all nodes conform ([`crate::replay()`]).
//! What was done, who led, how long answers took and the verdict go onto one page ([`page()`]).
//!
//! The faults are drawn from a seed, but the run is not the seed's alone: real processes are not repeated bit by bit. The [simulation](crate::sim) is.

mod admin;
mod clients;
mod cluster;
mod fault;
mod faulty_disk;
mod finish;
mod ground;
pub mod host;
mod page;
mod process;
mod regroup;
mod relay;
mod watch;

pub use clients::Latencies;
pub use fault::{Fault, Kind};
pub use ground::Ground;
pub use page::page;

use crate::{files::Unreadable, verdict::Verdict};
use clients::{Client, Shared};
use cluster::Cluster;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};
use watch::{Lead, Seen};

/// Faults at the same time.
const ACTIVE_MAX: usize = 2;
/// The conductor looks this often whether something is due.
const LOOK: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program that has the subcommand `nemesis-node`.
    pub program: PathBuf,
    /// An empty folder for everything that the run leaves: data, logs, records.
    pub folder: PathBuf,
    /// Where the nodes run.
    pub ground: Ground,
    /// How many, at least three.
    pub nodes: u32,
    /// Their groups.
    pub groups: Vec<i32>,
    /// Clients at the same time.
    pub clients: usize,
    /// How long there are faults.
    pub duration: Duration,
    /// Which.
    pub faults: Vec<Kind>,
    /// Of whatever is drawn.
    pub seed: u64,
    /// Clients ask for stale reads and call them linearizable: a planted mistake, which the run must notice.
    pub stale_reads: bool,
}

/// A fault that was there.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which.
    pub fault: Fault,
    /// When it began, since the beginning of the run.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong; empty: nothing.
    pub violations: Vec<String>,
    /// The faults, in the order of their ends.
    pub faults: Vec<Span>,
    /// Requests that were answered.
    pub answered: usize,
    /// Changes that may have happened.
    pub unknown: u64,
    /// Operations whose histories were judged.
    pub judged: usize,
    /// How long answers took.
    pub latencies: Latencies,
    /// What clients were told instead of an answer, and how often.
    pub errors: BTreeMap<String, u64>,
    /// How long the clients ran.
    pub lasted: Duration,
    /// The records' verdict.
    pub verdict: Verdict,
    leads: Vec<Lead>,
    answers: Vec<clients::Answered>,
}

impl Outcome {
    /// Leads of a group that were seen, one after the other.
    pub fn leads(&self) -> usize {
        self.leads.len()
    }
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file or a program.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The namespaces cannot be made.
    #[error("the network or the disks of the nodes cannot be made: {0}; try --ground loopback")]
    Ground(String),
    /// What this kind of fault needs is missing.
    #[error("{0:?} needs {1}; leave it out of --faults, or mend that")]
    Needs(Kind, &'static str),
    /// The cluster did not serve at first.
    #[error("the cluster does not serve: {0}; the logs are in n*/log of the run's folder")]
    NeverServed(String),
    /// The records.
    #[error("the records cannot be judged: {0}")]
    Records(#[from] Unreadable),
}

impl Failed {
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        |source| Self::Io { path, source }
    }
}

/// Runs a cluster under faults, and judges it. `tell` hears of each fault when it begins and when it ends.
///
/// # Errors
/// When it cannot be run or judged. That something is violated is no error: see [`Outcome`].
pub async fn run(options: &Options, mut tell: impl FnMut(Duration, String)) -> Result<Outcome, Failed> {
    check(options)?;
    let mut cluster = Cluster::start(options).await?;
    let (begun, book, seen) = (Instant::now(), Shared::default(), Seen::default());
    let addresses = cluster.addresses();
    let client = |seed| Client::new(seed, &addresses, &options.groups, options.stale_reads, begun, book.clone());
    let mut last = client(options.seed);
    finish::serve(&mut last, &cluster, &options.groups).await.map_err(Failed::NeverServed)?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut asking = JoinSet::new();
    for number in 1..=options.clients as u64 {
        asking.spawn(client(options.seed.wrapping_mul(1000).wrapping_add(number)).run(stopped.clone()));
    }
    let mut watching = JoinSet::new();
    for (node, address) in (1..).zip(&addresses) {
        watching.spawn(watch::watch(node, *address, begun, seen.clone()));
    }
    let mut violations = Vec::new();
    let faults = disturb(options, &mut cluster, begun, &seen, &mut violations, &mut tell).await?;
    stop.send_replace(true);
    asking.join_all().await;
    let lasted = begun.elapsed();
    violations.extend(finish::settle(&mut cluster, &mut last, &book, options).await?);
    drop(watching);
    violations.extend(seen.two_in_one_epoch().map(|(one, other)| format!("two nodes lead a group in one term: {one:?} and {other:?}")));
    let verdict = crate::replay(&options.folder.join("trace"), &crate::Options::default())?;
    violations.extend(verdict.rejection.as_ref().map(ToString::to_string));
    let judged = match book.lock().judge() {
        Ok(judged) => judged,
        Err(broken) => {
            violations.push(format!("{broken}; all of it is in {}", broken.keep(&options.folder)?.display()));
            0
        }
    };
    let book = book.lock();
    Ok(Outcome {
        violations,
        faults,
        answered: book.answered.len(),
        unknown: book.unknown,
        judged,
        latencies: book.latencies(),
        errors: book.errors.clone(),
        lasted,
        verdict,
        leads: seen.lock().clone(),
        answers: book.answered.clone(),
    })
}

/// Whether all faults are possible.
///
/// # Errors
/// The first that is not.
pub fn check(options: &Options) -> Result<(), Failed> {
    let missing = |kind: &Kind| needs(*kind, options.nodes, options.ground).map(|needs| Failed::Needs(*kind, needs));
    options.faults.iter().find_map(missing).map_or(Ok(()), Err)
}

/// What a kind of fault needs and has not got; `None`: it is possible.
pub fn needs(kind: Kind, nodes: u32, ground: Ground) -> Option<&'static str> {
    match kind {
        Kind::Ring if nodes < 5 => Some("five nodes (--nodes 5)"),
        Kind::FullDisk if ground == Ground::Loopback => Some("small disks (--ground namespaces, as root)"),
        Kind::Clock if process::fake_time().is_none() => Some("libfaketime (the package `faketime`)"),
        _ => None,
    }
}

/// Begins faults and ends them, until the time is over.
async fn disturb(
    options: &Options,
    cluster: &mut Cluster,
    begun: Instant,
    seen: &Seen,
    violations: &mut Vec<String>,
    tell: &mut impl FnMut(Duration, String),
) -> Result<Vec<Span>, Failed> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let (mut active, mut over): (Vec<Span>, Vec<Span>) = Default::default();
    let mut next = Duration::from_secs(1);
    while begun.elapsed() < options.duration {
        let now = begun.elapsed();
        if let Some(place) = active.iter().position(|span| span.to <= now) {
            let span = active.swap_remove(place);
            tell(now, format!("over: {}", span.fault));
            cluster.set(active.iter().map(|span| &span.fault)).await?;
            cluster.undo(&span.fault)?;
            over.push(Span { to: begun.elapsed(), ..span });
        } else if now >= next && active.len() < ACTIVE_MAX && !options.faults.is_empty() {
            let kind = options.faults[rng.random_range(0..options.faults.len())];
            let (fault, lasts) = Fault::draw(&mut rng, kind, options.nodes, seen.leader());
            next = now + Duration::from_millis(rng.random_range(200..2_500));
            if active.iter().all(|span| span.fault.goes_with(&fault)) {
                tell(now, fault.to_string());
                cluster.apply(&fault)?;
                active.push(Span { fault, from: now, to: now + lasts });
                cluster.set(active.iter().map(|span| &span.fault)).await?;
            }
        }
        violations.extend(cluster.revive(active.iter().map(|span| &span.fault))?);
        sleep(LOOK).await;
    }
    for span in active {
        cluster.undo(&span.fault)?;
        over.push(Span { to: begun.elapsed(), ..span });
    }
    cluster.set([].into_iter()).await?;
    Ok(over)
}
