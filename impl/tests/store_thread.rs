//! The storage threads: order, batching, the witness's promise, bounds and fatal errors. Real threads over memory; every wait is for an event.

mod store_common;

use bytes::Bytes;
use roadstead::store::{
    Completion, GroupRecord, Seams, StorageError, StorageThread, Store, Submission,
    engine::{Batch, Durability, Engine, EngineError, Read, Space, Visit},
    memory::MemoryEngine,
    thread::QUEUE_BYTES_MAX,
    witness::{LAG_ROUNDS_MAX, Witness},
    witness_file::MemoryFile,
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, channel},
    },
};
use store_common::*;

/// Memory whose commits wait at a gate, and panic behind one that is poisoned.
#[derive(Debug, Default)]
struct Gated {
    memory: MemoryEngine,
    gate: Arc<Mutex<()>>,
}

impl Engine for Gated {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        let _open = self.gate.lock().unwrap();
        self.memory.commit(batch, durability)
    }
    fn sync(&self) -> Result<(), EngineError> {
        self.memory.sync()
    }
    fn snapshot(&self) -> Box<dyn Read + Send + Sync> {
        self.memory.snapshot()
    }
}

impl Read for Gated {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.memory.get(space, key)
    }
    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.memory.scan(space, range, visit)
    }
    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.memory.scan_back(space, range, visit)
    }
}

struct Setup {
    thread: StorageThread,
    records: Vec<GroupRecord>,
    memory: MemoryEngine,
    witness: MemoryFile,
    gate: Arc<Mutex<()>>,
    done: Receiver<(Result<Vec<Completion>, StorageError>, u64)>,
    /// Batches before the first submission.
    before: u64,
}

/// Ten groups over memory; each completion comes with the batch that the durable witness remembered at that moment.
fn setup() -> Setup {
    let (engine, witness) = (Gated::default(), MemoryFile::default());
    let (memory, gate) = (engine.memory.clone(), engine.gate.clone());
    let seams = Seams { log: Arc::new(engine), state: Arc::new(MemoryEngine::new()), witness: Box::new(witness.clone()), fresh_store: 7 };
    let mut store = Store::open_with(seams, EXPECTED).unwrap();
    let records: Vec<_> = (1..=10).map(|id| create(&mut store, id)).collect();
    // The boot is batch 1, each group one more.
    let before = 1 + records.len() as u64;
    let (sender, done) = channel();
    let file = witness.clone();
    let on_complete = move |result| {
        let remembered = Witness::open(Box::new(file.crash(false)), 7).unwrap().newest().batch;
        sender.send((result, remembered)).unwrap();
    };
    let thread = StorageThread::spawn(store.storage, on_complete).unwrap();
    Setup { thread, records, memory, witness, gate, done, before }
}

/// A vote is reported only when the witness remembers it; other rounds do not wait, but it is never more than the bound behind.
#[test]
fn votes_wait_for_the_witness_and_its_lag_is_bounded() {
    let Setup { thread, records, done, before, .. } = setup();
    let handle = thread.handle();
    for round in 1..=300 {
        let is_vote = round % 100 == 0;
        let write = if is_vote { vote(round, 2) } else { append(round - round / 100, vec![entry(round / 100 + 1, "x")]) };
        handle.submit(&mut vec![submit(&records[0], round, write)]).unwrap();
        let (result, remembered) = done.recv().unwrap();
        assert_eq!(result.unwrap(), [completion(&records[0], round)]);
        let batch = before + round;
        assert!(!is_vote || remembered == batch, "vote in batch {batch}, witness at {remembered}");
        assert!(batch - remembered <= LAG_ROUNDS_MAX, "batch {batch}, witness at {remembered}");
    }
    assert!(handle.stats().witness_syncs.load(Relaxed) < 30, "most rounds need none");
    thread.stop();
}

/// What comes while a sync runs is one round, in order per group, votes among it or not.
#[test]
fn what_waits_is_gathered_and_keeps_its_order() {
    let Setup { thread, records, done, gate, .. } = setup();
    let handle = thread.handle();
    let closed = gate.lock().unwrap();
    let mut expected = 0;
    let rounds_before = handle.stats().rounds.load(Relaxed);
    for index in 1..=100u64 {
        let mut submissions: Vec<Submission> = Vec::new();
        for (at, record) in records.iter().enumerate() {
            submissions.push(submit(record, 2 * index, append(index, vec![entry(1, "x")])));
            if at % 3 == 0 {
                submissions.push(submit(record, 2 * index + 1, vote(index, 1)));
            }
        }
        expected += submissions.len();
        handle.submit(&mut submissions).unwrap();
        assert!(submissions.is_empty() && submissions.capacity() > 0);
    }
    drop(closed);
    let mut last = BTreeMap::new();
    while expected > 0 {
        for done in done.recv().unwrap().0.unwrap() {
            let before = last.insert(done.local, done.ticket);
            assert!(before < Some(done.ticket), "{done:?} after {before:?}");
            expected -= 1;
        }
    }
    let rounds = handle.stats().rounds.load(Relaxed) - rounds_before;
    assert!(rounds <= 2, "{rounds} rounds: the one that waited at the gate, and the rest");
    thread.stop();
}

/// The queue says when it is full, and accepts what is submitted all the same.
#[test]
fn a_full_queue_says_so() {
    let Setup { thread, records, done, gate, .. } = setup();
    let handle = thread.handle();
    let closed = gate.lock().unwrap();
    let payload = Bytes::from(vec![0; 1 << 20]);
    let mut index = 0;
    while handle.has_room() {
        index += 1;
        handle.submit(&mut vec![submit(&records[0], index, append(index, vec![entry(1, payload.clone())]))]).unwrap();
    }
    assert_eq!(index, 64);
    assert!(handle.queued_bytes() >= QUEUE_BYTES_MAX);
    handle.submit(&mut vec![submit(&records[1], 1, vote(1, 1))]).unwrap();
    drop(closed);
    thread.stop();
    assert_eq!(done.iter().map(|(result, _)| result.unwrap().len()).sum::<usize>(), 65, "a stop works off the queue");
    assert_eq!(handle.queued_bytes(), 0);
    assert!(handle.submit(&mut vec![submit(&records[0], 1, vote(1, 1))]).is_err(), "nothing is accepted after the end");
}

/// A stop leaves a witness that remembers everything.
#[test]
fn a_stop_writes_the_witness() {
    let Setup { thread, records, done, witness, before, .. } = setup();
    let handle = thread.handle();
    for index in 1..=5 {
        handle.submit(&mut vec![submit(&records[0], index, append(index, vec![entry(1, "x")]))]).unwrap();
        done.recv().unwrap().0.unwrap();
    }
    thread.stop();
    assert_eq!(Witness::open(Box::new(witness.crash(false)), 7).unwrap().newest().batch, before + 5);
}

/// A failed commit is reported once, and nothing after it.
#[test]
fn a_failed_commit_is_final() {
    let Setup { thread, records, done, memory, .. } = setup();
    let handle = thread.handle();
    memory.fail();
    handle.submit(&mut vec![submit(&records[0], 1, vote(1, 1))]).unwrap();
    let error = done.recv().unwrap().0.unwrap_err();
    assert!(matches!(error, StorageError::Engine(_)) && error.to_string().contains("recovers from disk at its next start"), "{error}");
    thread.stop();
    assert!(done.recv().is_err(), "nothing follows");
    assert!(handle.submit(&mut vec![submit(&records[0], 2, vote(2, 1))]).is_err());
}

/// A witness that cannot be written keeps the vote back for ever and ends the store.
#[test]
fn a_failed_witness_is_final() {
    let Setup { thread, records, done, witness, .. } = setup();
    let handle = thread.handle();
    witness.fail();
    handle.submit(&mut vec![submit(&records[0], 1, vote(1, 1))]).unwrap();
    assert!(matches!(done.recv().unwrap().0, Err(StorageError::Witness(_))));
    thread.stop();
    assert!(done.recv().is_err(), "the vote is never reported");
}

/// Goal: a mistake of ours in the storage thread ends the store, and a stop does not wait for ever. Method: a commit panics.
#[test]
fn a_panic_ends_both_threads() {
    let Setup { thread, records, done, gate, .. } = setup();
    let handle = thread.handle();
    let poisons = std::thread::spawn(move || {
        let _closed = gate.lock().unwrap();
        panic!("poisons the gate, on purpose");
    });
    poisons.join().unwrap_err();
    handle.submit(&mut vec![submit(&records[0], 1, vote(1, 1))]).unwrap();
    thread.stop();
    assert!(done.recv().is_err(), "the vote is never reported");
    assert!(handle.submit(&mut vec![submit(&records[0], 2, vote(2, 1))]).is_err());
}
