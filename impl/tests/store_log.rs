//! The packed log against a plain vector: whatever is submitted, in whatever rounds, a restart finds exactly that.

mod store_common;

use bytes::Bytes;
use proptest::prelude::*;
use roadstead::store::{Append, Entry, EntryKind, GroupRecord, LogReader, Recovered, Store, Write, item};
use roadstead_spec::{EntryId, Index, Term, raft::HardState, raft::Run};
use store_common::*;

/// What a log should be.
#[derive(Clone, Debug, Default)]
struct Model {
    hard: HardState,
    base: EntryId,
    entries: Vec<Entry>,
    epoch: u64,
}

/// A step, relative to where the log stands.
#[derive(Clone, Debug)]
enum Step {
    Append { terms: u64, sizes: Vec<usize> },
    Overwrite { back: usize, sizes: Vec<usize> },
    Truncate { back: usize },
    Compact { keep: usize },
    Install { ahead: u64 },
    InstallWithin { keep: usize },
    Vote { by: u32 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let sizes = || proptest::collection::vec(prop_oneof![Just(0usize), 1usize..60, Just(400_000usize)], 1..6);
    prop_oneof![
        6 => (0u64..2, sizes()).prop_map(|(terms, sizes)| Step::Append { terms, sizes }),
        3 => (1usize..8, sizes()).prop_map(|(back, sizes)| Step::Overwrite { back, sizes }),
        1 => (1usize..8).prop_map(|back| Step::Truncate { back }),
        2 => (0usize..10).prop_map(|keep| Step::Compact { keep }),
        1 => (1u64..5).prop_map(|ahead| Step::Install { ahead }),
        1 => (0usize..10).prop_map(|keep| Step::InstallWithin { keep }),
        1 => (1u32..4).prop_map(|by| Step::Vote { by }),
    ]
}

impl Model {
    fn last(&self) -> Index {
        self.base.index.plus(self.entries.len() as u64)
    }

    fn last_term(&self) -> Term {
        self.entries.last().map_or(self.base.term, |entry| entry.term)
    }

    fn id_of(&self, index: Index) -> EntryId {
        let at = (index.0 - self.base.index.0) as usize;
        EntryId { term: if at == 0 { self.base.term } else { self.entries[at - 1].term }, index }
    }

    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            if runs.last().map(|run| run.term) != Some(entry.term) {
                runs.push(Run { term: entry.term, first: self.base.index.plus(at as u64 + 1) });
            }
        }
        runs
    }

    fn make(&self, term: Term, sizes: &[usize]) -> Vec<Entry> {
        let seed = self.entries.len() as u8;
        let entry = |size: &usize| Entry {
            term,
            kind: if *size == 0 { EntryKind::Noop } else { EntryKind::Command },
            payload: Bytes::from(vec![seed.wrapping_add(*size as u8); *size]),
        };
        sizes.iter().map(entry).collect()
    }

    /// Takes the step and says what to submit for it.
    fn step(&mut self, step: Step) -> Write {
        match step {
            Step::Append { terms, sizes } => {
                let entries = self.make(Term(self.last_term().0.max(1) + terms), &sizes);
                let first = self.last().next();
                self.entries.extend(entries.clone());
                Write::Persist { hard: None, truncate_from: None, append: Some(Append { first, entries }) }
            }
            Step::Overwrite { back, sizes } => {
                let term = Term(self.last_term().0.max(1) + 1);
                self.entries.truncate(self.entries.len().saturating_sub(back));
                let first = self.last().next();
                let entries = self.make(term, &sizes);
                self.entries.extend(entries.clone());
                self.hard = hard(term.0, 2);
                Write::Persist { hard: Some(self.hard), truncate_from: Some(first), append: Some(Append { first, entries }) }
            }
            Step::Truncate { back } => {
                self.entries.truncate(self.entries.len().saturating_sub(back));
                Write::Persist { hard: None, truncate_from: Some(self.last().next()), append: None }
            }
            Step::Compact { keep } => {
                let through = self.compact(keep);
                Write::Compact { through }
            }
            Step::Install { ahead } => {
                let at = EntryId { term: Term(self.last_term().0 + 1), index: self.last().plus(ahead) };
                self.epoch += 1;
                (self.base, self.entries, self.hard) = (at, Vec::new(), hard(at.term.0, 3));
                Write::Install { hard: self.hard, at, keep_suffix: false, state_epoch: self.epoch }
            }
            Step::InstallWithin { keep } => {
                let index = self.compact(keep);
                self.epoch += 1;
                Write::Install { hard: self.hard, at: self.id_of(index), keep_suffix: true, state_epoch: self.epoch }
            }
            Step::Vote { by } => {
                self.hard = hard(self.hard.term.0 + 1, by);
                Write::Persist { hard: Some(self.hard), truncate_from: None, append: None }
            }
        }
    }

    fn compact(&mut self, keep: usize) -> Index {
        let gone = self.entries.len().saturating_sub(keep);
        let through = self.base.index.plus(gone as u64);
        self.base = self.id_of(through);
        self.entries.drain(..gone);
        through
    }

    fn check(&self, reader: &LogReader, record: &GroupRecord) {
        let first = self.base.index.next();
        let read = reader.read(record.local, first, usize::MAX, usize::MAX).unwrap();
        assert_eq!(read, self.entries);
        assert_eq!(reader.read(record.local, self.last().next(), 10, 10).unwrap(), [], "nothing behind the end");
        if let Some(middle) = self.entries.get(self.entries.len() / 2..) {
            let from = first.plus((self.entries.len() / 2) as u64);
            let read = reader.read(record.local, from, 2, usize::MAX).unwrap();
            assert_eq!(read, middle[..middle.len().min(2)]);
            let one = reader.read(record.local, from, 100, 0).unwrap();
            assert!(one.len() >= middle.len().min(1) && one[..] == middle[..one.len()]);
        }
    }

    fn check_recovered(&self, store: &Store, record: &GroupRecord) {
        let group = store.groups.iter().find(|group| group.record == *record).unwrap();
        let expected = Recovered { hard: self.hard, base: self.base, runs: self.runs(), last: self.last() };
        assert_eq!(group.log.as_ref().unwrap(), &expected);
        assert_eq!(group.state_epoch, self.epoch);
    }
}

/// Rounds of steps of two groups, a crash behind some of them.
fn run(mut world: World, rounds: Vec<(Vec<(bool, Step)>, bool)>) {
    let mut store = world.open().unwrap();
    let records = [create(&mut store, 5), create(&mut store, 6)];
    let mut models = [1, 1].map(|epoch| Model { epoch, ..Model::default() });
    let mut ticket = 0;
    for (steps, crash) in rounds {
        let mut submissions = Vec::new();
        let mut expected = Vec::new();
        for (second, step) in steps {
            ticket += 1;
            let record = &records[usize::from(second)];
            submissions.push(submit(record, ticket, models[usize::from(second)].step(step)));
            expected.push(completion(record, ticket));
        }
        assert_eq!(store.storage.turn(&mut submissions).unwrap(), expected);
        if crash {
            drop(store);
            world.crash();
            store = world.open().unwrap();
            models.iter().zip(&records).for_each(|(model, record)| model.check_recovered(&store, record));
        }
        models.iter().zip(&records).for_each(|(model, record)| model.check(&store.reader, record));
    }
}

fn any_rounds(count: usize) -> impl Strategy<Value = Vec<(Vec<(bool, Step)>, bool)>> {
    let steps = proptest::collection::vec((any::<bool>(), any_step()), 0..6);
    proptest::collection::vec((steps, proptest::bool::weighted(0.3)), 1..count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_log_in_memory_is_what_was_submitted(rounds in any_rounds(14)) {
        run(World::memory(), rounds);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn a_log_on_fjall_is_what_was_submitted(rounds in any_rounds(8)) {
        let dir = tempfile::tempdir().unwrap();
        run(World::Disk(dir.path().to_owned()), rounds);
    }
}

/// A hundred submissions of a group in one round become one item, and one sync serves all groups.
#[test]
fn a_round_is_one_item_per_group_and_one_sync() {
    let World::Memory { log, state, witness } = World::memory() else { unreachable!() };
    let world = World::Memory { log: log.clone(), state, witness };
    let mut store = world.open().unwrap();
    let records: Vec<_> = (1..=10).map(|id| create(&mut store, id)).collect();
    let syncs = log.syncs();
    let mut submissions: Vec<_> =
        (1..=100).flat_map(|index| records.iter().map(move |record| submit(record, index, append(index, vec![entry(1, "x")])))).collect();
    assert_eq!(store.storage.turn(&mut submissions).unwrap().len(), 1000);
    assert_eq!(log.syncs() - syncs, 1);
    let stats = store.storage.stats();
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((load(&stats.items), load(&stats.entries)), (10, 1000));
}

/// Compaction of a long log of small items is spread over rounds; a crash between them is no damage, and appends go on.
#[test]
fn a_large_compaction_is_spread_over_rounds() {
    let mut world = World::memory();
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    for index in 1..=3000 {
        store.storage.turn(&mut vec![submit(&record, index, append(index, vec![entry(1, "x")]))]).unwrap();
    }
    store.storage.turn(&mut vec![submit(&record, 1, Write::Compact { through: Index(3000) })]).unwrap();
    drop(store);
    world.crash();
    let mut store = world.open().unwrap();
    let base = EntryId { term: Term(1), index: Index(3000) };
    let empty = Recovered { hard: HardState::default(), base, runs: Vec::new(), last: Index(3000) };
    assert_eq!(store.groups[0].log.as_ref().unwrap(), &empty);
    // Rounds of another group finish the work.
    let other = create(&mut store, 6);
    for index in 1..=3 {
        store.storage.turn(&mut vec![submit(&other, index, append(index, vec![entry(1, "y")]))]).unwrap();
    }
    assert_eq!(store.reader.read(record.local, Index(1), 10, 10).unwrap(), []);
    assert_eq!(store.reader.read(record.local, Index(3000), 10, 10).unwrap(), []);
    store.storage.turn(&mut vec![submit(&record, 2, append(3001, vec![entry(2, "z")]))]).unwrap();
    assert_eq!(store.reader.read(record.local, Index(3001), 10, 10).unwrap(), [entry(2, "z")]);
}

/// What the event loop must never do is refused by name, before anything is written.
#[test]
fn a_gap_is_refused() {
    let world = World::memory();
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    let cases = [
        append(2, vec![entry(1, "x")]),
        append(1, Vec::new()),
        append(1, vec![entry(2, "x"), entry(1, "x")]),
        Write::Compact { through: Index(1) },
        Write::Persist { hard: None, truncate_from: Some(Index(0)), append: None },
        Write::Install { hard: hard(1, 1), at: EntryId { term: Term(1), index: Index(9) }, keep_suffix: false, state_epoch: 1 },
        Write::Install { hard: hard(1, 1), at: EntryId { term: Term(1), index: Index(9) }, keep_suffix: true, state_epoch: 2 },
    ];
    for write in cases {
        let mut store = world.open().unwrap();
        let error = store.storage.turn(&mut vec![submit(&record, 9, write.clone())]).unwrap_err();
        assert!(error.to_string().contains("ticket 9") && error.to_string().contains("mistake of the program"), "{write:?}: {error}");
    }
    drop(store);
    assert_eq!(world.open().unwrap().groups[0].log.as_ref().unwrap().last, Index(0));
}

/// Damage of one group's item fails that group by name, and no other.
#[test]
fn a_damaged_item_fails_its_group_only() {
    use roadstead::store::engine::{Batch, Durability, Engine, Read, Space};
    let World::Memory { log, state, witness } = World::memory() else { unreachable!() };
    let world = World::Memory { log: log.clone(), state, witness };
    let mut store = world.open().unwrap();
    let records = [create(&mut store, 5), create(&mut store, 6)];
    for index in 1..=3 {
        let write = |record| submit(record, index, append(index, vec![entry(1, "payload")]));
        store.storage.turn(&mut records.iter().map(write).collect()).unwrap();
    }
    drop(store);
    let key = [&[0x10][..], &1u32.to_be_bytes(), &2u64.to_be_bytes()].concat();
    let good = log.get(Space::Log, &key).unwrap().unwrap();
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let damages = [(Some(flipped), "item at index 2: its checksum is wrong"), (None, "entry 2 should follow, the next item begins at 3")];
    for (value, message) in damages {
        let mut batch = Batch::default();
        match value {
            Some(value) => batch.put(Space::Log, key.clone(), value),
            None => batch.delete(Space::Log, key.clone()),
        }
        log.commit(batch, Durability::Synced).unwrap();
        let mut store = world.open().unwrap();
        let why = store.groups[0].log.as_ref().unwrap_err().to_string();
        assert!(why.starts_with("group 5: ") && why.contains(message) && why.contains("roadstead check"), "{why}");
        assert_eq!(store.groups[1].log.as_ref().unwrap().last, Index(3));
        // The healthy group goes on, the failed one is left alone.
        let done =
            store.storage.turn(&mut vec![submit(&records[0], 1, append(4, vec![entry(1, "x")])), submit(&records[1], 2, vote(1, 2))]);
        assert_eq!(done.unwrap(), [completion(&records[1], 2)]);
    }
    // It can be removed, and then the store is whole again.
    let mut store = world.open().unwrap();
    let (_, change) = store.registry.plan_remove(records[0].group).unwrap();
    store.storage.turn(&mut vec![registry(change)]).unwrap();
    drop(store);
    let mut store = world.open().unwrap();
    assert_eq!(store.groups.len(), 1);
    store.storage.turn(&mut vec![submit(&records[1], 3, vote(2, 2))]).unwrap();
    assert_eq!(log.get(Space::Log, &key).unwrap(), None, "items without an owner are deleted");
}

/// More than the journal and the memtables hold: fjall flushes, rotates and evicts journals, and the folder opens with all that was kept.
#[test]
fn a_store_of_many_journals_opens() {
    const ENTRIES: u64 = 180;
    let dir = tempfile::tempdir().unwrap();
    let world = World::Disk(dir.path().to_owned());
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    let payload = Bytes::from(vec![7; 1 << 20]);
    for index in 1..=ENTRIES {
        let compact = index.checked_sub(20).map(|through| submit(&record, index, Write::Compact { through: Index(through) }));
        let mut round = vec![submit(&record, index, append(index, vec![entry(index, payload.clone())]))];
        round.extend(compact);
        store.storage.turn(&mut round).unwrap();
    }
    store.storage.turn(&mut vec![submit(&record, 0, vote(ENTRIES, 3))]).unwrap();
    drop(store);
    assert!(!dir.path().join("log/0.jnl").exists() || dir.path().join("log/1.jnl").exists(), "the journal was rotated");
    let store = world.open().unwrap();
    let log = store.groups[0].log.as_ref().unwrap();
    assert_eq!((log.hard, log.base.index, log.last), (hard(ENTRIES, 3), Index(ENTRIES - 20), Index(ENTRIES)));
    let entries = store.reader.read(record.local, Index(ENTRIES - 19), 100, usize::MAX).unwrap();
    assert!(entries.len() == 20 && entries.iter().all(|entry| entry.payload == payload));
    assert_eq!(roadstead::store::journal::scan(&dir.path().join("log")).unwrap().damage, None);
}

/// One entry larger than an item may be is stored and read all the same.
#[test]
fn a_large_entry_has_an_item_of_its_own() {
    let world = World::memory();
    let mut store = world.open().unwrap();
    let record = create(&mut store, 5);
    let large = entry(1, vec![9; item::ITEM_PAYLOAD_MAX + 1]);
    let entries = vec![entry(1, "a"), large.clone(), entry(1, "b")];
    store.storage.turn(&mut vec![submit(&record, 1, append(1, entries.clone()))]).unwrap();
    assert_eq!(store.reader.read(record.local, Index(1), 10, usize::MAX).unwrap(), entries);
    assert_eq!(store.reader.read(record.local, Index(2), 10, 1).unwrap(), [large]);
    drop(store);
    assert_eq!(world.open().unwrap().groups[0].log.as_ref().unwrap().last, Index(3));
}
