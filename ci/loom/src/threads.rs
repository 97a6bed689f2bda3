//! The storage and the witness thread, whose loops are production's, around a commit and a write that only keep count.

use crate::{
    explore,
    planted::{self, Clock},
    store::{
        prefix::Local,
        progress::{Lag, Progress},
        queue::{Closed, Queue},
        rounds::Committed,
        storage::StorageError,
        submission::Completion,
        witness::Mark,
    },
};
use loom::{
    sync::atomic::AtomicU64,
    thread::{self, Thread},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::SeqCst},
    time::Duration,
};

/// What is submitted, by whom, and what fails.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// One submission each, one after the other: of which group, and whether it carries a vote.
    pub items: &'static [(u32, bool)],
    /// The bound on the witness's lag; half of it is when a slot is due.
    pub rounds_max: u64,
    /// Whether a slot becomes due by time.
    pub clock: Clock,
    /// What the submitter waits for before it stops both threads.
    pub awaits: Await,
    /// How often threads may be interrupted where they do not wait.
    pub interruptions_max: usize,
    /// The round whose commit fails.
    pub commit_fails: Option<u64>,
    /// From this batch on the witness cannot be written.
    pub witness_fails: Option<u64>,
}

impl Plan {
    /// Nothing is submitted, nothing fails, and the witness is far from its bound.
    pub const CALM: Self = Self {
        items: &[],
        rounds_max: 8,
        clock: Clock::Passes,
        awaits: Await::Nothing,
        interruptions_max: 3,
        commit_fails: None,
        witness_fails: None,
    };
}

/// What is waited for. It must come by itself: the end wakes everybody, and would hide that somebody was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Await {
    /// The end comes in the middle of the work.
    Nothing,
    /// That all is told.
    All,
    /// That each is told, before the next is submitted: each is a round of its own.
    Each,
    /// The same, and that the witness remembers the last round.
    Remembered,
}

/// What has happened, in a mutex of the standard library, which loom does not see: looking adds no orders. Nothing that loom sees may be done under it.
#[derive(Debug, Default)]
struct Seen {
    told: Vec<Result<Vec<Completion>, StorageError>>,
    /// Last committed batch.
    synced: u64,
    /// Batch of the last slot that was written.
    slot: u64,
    /// Batches of submissions that carried a vote, by ticket.
    votes: BTreeMap<u64, u64>,
    /// The submitter sleeps until something happens.
    waits: bool,
}

#[derive(Clone)]
struct Disk {
    plan: Plan,
    seen: Arc<Mutex<Seen>>,
    /// The same as `slot`. loom sees it, since whether it is written before or after something else is asked.
    remembered: Arc<AtomicU64>,
    submitter: Thread,
}

struct Item {
    completion: Completion,
    is_vote: bool,
}

/// Each item weighs this much.
const WEIGHT: usize = 10;

impl Disk {
    fn new(plan: Plan) -> Self {
        Self { plan, seen: Arc::default(), remembered: Arc::new(AtomicU64::new(0)), submitter: thread::current() }
    }

    fn see<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A read-modify-write, since a plain load may see what was before.
    fn remembered(&self) -> u64 {
        self.remembered.fetch_add(0, SeqCst)
    }

    fn commit(&self, round: &mut Vec<Item>) -> Result<Committed, StorageError> {
        let lag = self.see(|seen| seen.synced + 1) - self.remembered();
        assert!(lag <= self.plan.rounds_max, "the witness is {lag} rounds behind");
        self.see(|seen| {
            let batch = seen.synced + 1;
            if self.plan.commit_fails == Some(batch) {
                return Err(StorageError);
            }
            seen.synced = batch;
            seen.votes.extend(round.iter().filter(|item| item.is_vote).map(|item| (item.completion.ticket, batch)));
            let urgent = round.iter().any(|item| item.is_vote);
            let completions = round.drain(..).map(|item| item.completion).collect();
            Ok(Committed { completions, mark: Mark { batch }, urgent })
        })
    }

    fn write(&self, mark: Mark) -> Result<(), StorageError> {
        if self.plan.witness_fails.is_some_and(|from| mark.batch >= from) {
            return Err(StorageError);
        }
        let before = self.remembered.swap(mark.batch, SeqCst);
        self.change(|seen| {
            assert!(before < mark.batch && mark.batch <= seen.synced, "slot {mark:?} after {before}: {seen:?}");
            seen.slot = mark.batch;
        });
        Ok(())
    }

    /// Production's `on_complete`.
    fn tell(&self, result: Result<Vec<Completion>, StorageError>) {
        let votes = self.see(|seen| seen.votes.clone());
        let needs = result.iter().flatten().filter_map(|completion| votes.get(&completion.ticket)).max();
        assert!(needs.is_none_or(|batch| *batch <= self.remembered()), "{result:?} is told before the witness remembers {needs:?}");
        self.change(|seen| {
            assert!(!seen.has_failed(), "{result:?} is told after a failure");
            seen.told.push(result);
        });
    }

    /// Sees something that the submitter may wait for.
    fn change(&self, change: impl FnOnce(&mut Seen)) {
        self.see(change);
        if self.see(|seen| std::mem::take(&mut seen.waits)) {
            self.submitter.unpark();
        }
    }

    /// Between looking and sleeping nobody else runs, since loom sees neither.
    fn wait_until(&self, holds: impl Fn(&Seen) -> bool) {
        while !self.see(|seen| holds(seen) || seen.has_failed()) {
            self.see(|seen| seen.waits = true);
            thread::park();
        }
    }
}

impl Seen {
    fn has_failed(&self) -> bool {
        self.told.iter().any(Result::is_err)
    }

    fn count(&self) -> usize {
        self.told.iter().flatten().flatten().count()
    }

    fn tickets(&self, local: u32) -> Vec<u64> {
        let told = self.told.iter().flatten().flatten();
        told.filter(|completion| completion.local == Local(local)).map(|completion| completion.ticket).collect()
    }
}

/// One thread submits and stops, two work.
pub fn run(name: &str, plan: Plan) {
    planted::set(plan.clock);
    explore(name, Some(plan.interruptions_max), move || {
        let (disk, queue) = (Disk::new(plan), Arc::new(Queue::new()));
        let lag = Lag { rounds_max: plan.rounds_max, rounds_soft: plan.rounds_max / 2, time: Duration::ZERO };
        let told = disk.clone();
        let on_complete = move |result| told.tell(result);
        let progress = Arc::new(Progress::new(Mark { batch: 0 }, lag, Box::new(on_complete)));
        let storage = thread::spawn({
            let (progress, queue, disk) = (progress.clone(), queue.clone(), disk.clone());
            move || {
                progress.commit_rounds(&queue, |round| disk.commit(round));
                progress.storage_ends(&queue);
            }
        });
        let witness = thread::spawn({
            let disk = disk.clone();
            move || {
                progress.write_witness(|mark| disk.write(mark));
                progress.witness_ends();
            }
        });
        let accepted = submit(&disk, &queue);
        if plan.awaits == Await::Remembered {
            disk.wait_until(|seen| seen.slot == seen.synced);
        }
        queue.stop();
        storage.join().unwrap();
        witness.join().unwrap();
        let remembered = disk.remembered();
        disk.see(|seen| check(seen, plan, remembered, accepted, queue.bytes()));
    });
}

/// Submits what is planned, and says how many were accepted.
fn submit(disk: &Disk, queue: &Queue<Item>) -> u64 {
    let items = disk.plan.items;
    for (&(local, is_vote), ticket) in items.iter().zip(1..) {
        let mut items = vec![Item { completion: Completion { local: Local(local), ticket }, is_vote }];
        if let Err(Closed) = queue.put(&mut items, WEIGHT) {
            assert_eq!(items.len(), 1, "what is refused stays");
            assert!(disk.see(|seen| seen.has_failed()), "refused before the end");
            return ticket - 1;
        }
        if matches!(disk.plan.awaits, Await::Each | Await::Remembered) {
            disk.wait_until(|seen| seen.count() as u64 == ticket);
        }
    }
    if disk.plan.awaits == Await::All {
        disk.wait_until(|seen| seen.count() == items.len());
    }
    items.len() as u64
}

/// What holds when both threads have ended.
fn check(seen: &Seen, plan: Plan, remembered: u64, accepted: u64, bytes: usize) {
    let fails = plan.commit_fails.is_some() || plan.witness_fails.is_some();
    assert!(fails || !seen.has_failed());
    assert!(seen.has_failed() || remembered == seen.synced, "the witness is behind at the end: {seen:?}");
    assert!(seen.has_failed() || bytes == 0, "{bytes} bytes are left");
    for local in 1..=2 {
        let submitted = plan.items.iter().zip(1..).filter(|((of, _), ticket)| *of == local && *ticket <= accepted);
        let submitted: Vec<u64> = submitted.map(|(_, ticket)| ticket).collect();
        let told = seen.tickets(local);
        let expected = if seen.has_failed() { &submitted[..told.len().min(submitted.len())] } else { &submitted };
        assert_eq!(told, expected, "group {local} of {seen:?}");
    }
}

/// The queue alone: two threads put, one of them stops, a third takes.
pub fn queue(name: &str) {
    explore(name, Some(3), || {
        let queue = Arc::new(Queue::new());
        let put = |queue: &Queue<u32>, items: &[u32]| {
            let taken = items.iter().filter(|item| {
                let accepted = queue.put(&mut vec![**item], WEIGHT).is_ok();
                assert!(queue.bytes() <= 3 * WEIGHT);
                accepted
            });
            taken.copied().collect::<Vec<_>>()
        };
        let other = thread::spawn({
            let queue = queue.clone();
            move || put(&queue, &[11, 12])
        });
        let takes = thread::spawn({
            let queue = queue.clone();
            move || {
                let (mut all, mut round) = (Vec::new(), Vec::new());
                while let Some(weight) = queue.next(&mut round) {
                    assert_eq!(weight, round.len() * WEIGHT);
                    assert!(queue.bytes() >= weight, "what is being written counts");
                    all.append(&mut round);
                    queue.done(weight);
                }
                all
            }
        });
        let mine = put(&queue, &[21]);
        queue.stop();
        let (theirs, all) = (other.join().unwrap(), takes.join().unwrap());
        assert_eq!(mine, [21]);
        let of = |from| all.iter().copied().filter(|item| item / 10 == from).collect::<Vec<_>>();
        assert_eq!((of(1), of(2)), (theirs, mine), "what was taken in is taken out, in order");
        assert_eq!(queue.bytes(), 0);
    });
}
