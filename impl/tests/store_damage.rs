//! Bits flipped and tails torn in a real journal of fjall: what was synced is never silently forgotten, what was not may be cut off.

mod store_common;

use roadstead::store::{
    GroupRecord, Store, Write,
    check::check,
    engine::{Batch, Durability, Space},
    fjall_engine::{FjallEngine, Kind},
    journal::{self, JournalError},
    open::OpenError,
    repair::{RepairError, repair},
};
use roadstead_spec::Index;
use std::{
    fs,
    path::{Path, PathBuf},
};
use store_common::*;
use tempfile::TempDir;

/// A folder with 12 rounds that carry votes, then `plain` rounds that do not: the witness remembers the last vote.
struct Fixture {
    dir: TempDir,
    record: GroupRecord,
    /// Where each batch of the journal ends.
    ends: Vec<usize>,
}

impl Fixture {
    fn new(plain: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), EXPECTED).unwrap();
        let record = create(&mut store, 5);
        drop(store);
        // Opened again, the journal file is no longer 64 MiB of zeros: copies are cheap.
        let mut store = Store::open(dir.path(), EXPECTED).unwrap();
        for round in 1..=12 {
            let Write::Persist { append: entries, .. } = append(round, vec![entry(round, vec![round as u8; 300])]) else { unreachable!() };
            let write = Write::Persist { hard: Some(hard(round, 2)), truncate_from: None, append: entries };
            store.storage.turn(&mut vec![submit(&record, round, write)]).unwrap();
        }
        for round in 13..13 + plain {
            store.storage.turn(&mut vec![submit(&record, round, append(round, vec![entry(12, vec![round as u8; 300])]))]).unwrap();
        }
        drop(store);
        let bytes = fs::read(journal_file(dir.path())).unwrap();
        let ends = bytes.windows(4).enumerate().filter(|(_, window)| window == b"FJL\x03").map(|(at, _)| at + 4).collect();
        Self { dir, record, ends }
    }

    /// A copy of the folder with its journal changed.
    fn damaged(&self, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.dir.path(), copy.path());
        let file = journal_file(copy.path());
        let mut bytes = fs::read(&file).unwrap();
        change(&mut bytes);
        fs::write(&file, bytes).unwrap();
        copy
    }

    /// Start of the batch with this number from the end, 0 being the last.
    fn start(&self, from_end: usize) -> usize {
        self.ends[self.ends.len() - 2 - from_end]
    }
}

fn journal_file(dir: &Path) -> PathBuf {
    dir.join("log/0.jnl")
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every kind of field of the first, an early, a middle and the last batch of a journal whose last round carried a vote.
#[test]
fn no_flipped_bit_in_a_witnessed_journal_goes_unnoticed() {
    let fixture = Fixture::new(0);
    let last = fixture.ends.len() - 2;
    let mut opened = Vec::new();
    for batch in [0, 3, last - 4, last] {
        let start = if batch == 0 { 0 } else { fixture.start(last - batch) };
        let end = fixture.ends[if batch == 0 { 0 } else { batch + 1 }];
        // Start tag, item count, sequence number (low and high), item tag, value type, keyspace, key length, value length, body; then from the
        // end: end tag, checksum, trailer.
        let places = [0, 1, 5, 12, 13, 14, 16, 24, 26, 50].map(|offset| start + offset).into_iter();
        for place in places.chain([13, 12, 1].map(|back| end - back)) {
            let copy = fixture.damaged(|bytes| bytes[place] ^= 0x10);
            let length = fs::metadata(journal_file(copy.path())).unwrap().len();
            match Store::open(copy.path(), EXPECTED) {
                Err(OpenError::Journal(JournalError::Damaged { .. })) => {
                    let now = fs::metadata(journal_file(copy.path())).unwrap().len();
                    assert_eq!(now, length, "the evidence stays");
                    assert!(matches!(repair(copy.path(), true), Err(RepairError::Refused(_))), "nor is it repaired away");
                    assert_eq!(check(copy.path()).unwrap().problems.len(), 1);
                }
                Err(error) => panic!("batch {batch}, byte {}: {error}", place - start),
                Ok(_) => opened.push((batch, place - start)),
            }
        }
    }
    // A sequence number is under no checksum; a larger one in front of all, or behind all, changes no order.
    opened.retain(|(batch, place)| !([0, last].contains(batch) && [5, 12].contains(place)));
    assert_eq!(opened, [], "opened in spite of the damage");
}

/// Even if fjall has opened the journal and cut it without a word, the witness knows.
#[test]
fn the_witness_convicts_a_database_that_was_cut() {
    let fixture = Fixture::new(0);
    let start = fixture.start(5);
    let copy = fixture.damaged(|bytes| bytes[start] = 7);
    let before = fs::metadata(journal_file(copy.path())).unwrap().len();
    drop(FjallEngine::open(&copy.path().join("log"), Kind::Log).unwrap());
    assert!(fs::metadata(journal_file(copy.path())).unwrap().len() < before, "fjall dropped six synced batches and said nothing");
    let error = Store::open(copy.path(), EXPECTED).unwrap_err();
    let OpenError::Behind { found, witnessed } = error else { panic!("{error}") };
    assert_eq!(witnessed - found, 6);
    assert!(error.to_string().contains("perhaps a vote, is lost"), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(check(copy.path()).unwrap().problems[0].contains("perhaps a vote, is lost"));
}

/// A torn write behind the witness: fjall cuts an unfinished one by itself; for one of wrong content there is `roadstead repair`.
#[test]
fn a_torn_tail_behind_the_witness_is_cut() {
    let fixture = Fixture::new(5);
    let start = fixture.start(0);
    let length = *fixture.ends.last().unwrap();

    for torn in [start + 7, start + 40, length - 2] {
        let copy = fixture.damaged(|bytes| bytes.truncate(torn));
        let store = Store::open(copy.path(), EXPECTED).unwrap();
        assert_eq!(store.groups[0].log.as_ref().unwrap().last, Index(16), "cut at {torn}");
    }
    let copy = fixture.damaged(|bytes| bytes[start..start + 100].fill(0));
    assert_eq!(Store::open(copy.path(), EXPECTED).unwrap().groups[0].log.as_ref().unwrap().last, Index(16));

    // The end was written, a page in the middle was not.
    let copy = fixture.damaged(|bytes| bytes[start + 100..start + 200].fill(0));
    let error = Store::open(copy.path(), EXPECTED).unwrap_err();
    assert!(matches!(&error, OpenError::Journal(JournalError::TornTail { .. })), "{error}");
    assert!(error.to_string().contains(&format!("roadstead repair {}", copy.path().display())), "{error}");
    assert_eq!(check(copy.path()).unwrap().problems.len(), 1);

    let planned = repair(copy.path(), false).unwrap().unwrap();
    assert_eq!((planned.offset, planned.bytes), (start as u64, (length - start) as u64));
    assert!(planned.last_batch >= planned.witnessed);
    assert!(matches!(Store::open(copy.path(), EXPECTED).unwrap_err(), OpenError::Journal(_)), "a dry run changes nothing");
    let done = repair(copy.path(), true).unwrap().unwrap();
    assert_eq!(done, planned);
    assert_eq!(fs::metadata(&done.backup).unwrap().len(), done.bytes, "what was cut is kept");
    assert_eq!(repair(copy.path(), true).unwrap(), None);
    let store = Store::open(copy.path(), EXPECTED).unwrap();
    assert_eq!(store.groups[0].log.as_ref().unwrap().last, Index(16));
    assert_eq!(store.reader.read(fixture.record.local, Index(16), 9, 9999).unwrap(), [entry(12, vec![16; 300])]);
    drop(store);
    assert_eq!(check(copy.path()).unwrap().problems, Vec::<String>::new());
}

/// Damage behind the witness with good batches behind it is no torn tail: those batches were synced after it, so it was synced too.
#[test]
fn damage_in_the_middle_is_not_repaired() {
    let fixture = Fixture::new(5);
    for place in [0, 24, 100] {
        let start = fixture.start(2);
        let copy = fixture.damaged(|bytes| bytes[start + place] ^= 1);
        let error = Store::open(copy.path(), EXPECTED).unwrap_err();
        assert!(error.to_string().contains("later batches are intact"), "{error}");
        assert!(matches!(repair(copy.path(), true), Err(RepairError::Refused(_))));
    }
}

/// The only batch of a journal is wrong: no number in it says how old it is, so it is neither opened nor cut.
#[test]
fn damage_that_nobody_can_date_is_not_repaired() {
    let fixture = Fixture::new(5);
    let copy = fixture.damaged(|bytes| {
        bytes.truncate(fixture.ends[0]);
        bytes[50] ^= 1;
    });
    let error = Store::open(copy.path(), EXPECTED).unwrap_err();
    assert!(matches!(&error, OpenError::Journal(JournalError::Undated { .. })), "{error}");
    assert!(matches!(repair(copy.path(), true), Err(RepairError::Refused(why)) if why.contains("nobody can say")));
    assert_eq!(check(copy.path()).unwrap().problems, [error.to_string()]);
}

/// A power cut leaves holes anywhere behind the last sync of the state database: the batches before the first hole remain, and the node starts.
#[test]
fn unsynced_state_is_cut_at_the_first_hole() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), EXPECTED).unwrap());
    let store = Store::open(dir.path(), EXPECTED).unwrap();
    for number in 1..=20u8 {
        let mut batch = Batch::default();
        batch.put(Space::State, &b"applied"[..], vec![number]);
        batch.put(Space::State, vec![b'k', number], vec![number; 300]);
        store.state.commit(batch, Durability::Buffered).unwrap();
    }
    drop(store);
    let file = dir.path().join("state/0.jnl");
    let good = fs::read(&file).unwrap();
    let ends: Vec<_> = good.windows(4).enumerate().filter(|(_, window)| window == b"FJL\x03").map(|(at, _)| at + 4).collect();
    let mut bytes = good;
    bytes[ends[11] + 120..ends[11] + 200].fill(0);
    fs::write(&file, &bytes).unwrap();
    assert!(FjallEngine::open(&dir.path().join("state"), Kind::State).is_err(), "fjall alone does not start");

    let store = Store::open(dir.path(), EXPECTED).unwrap();
    assert_eq!(store.state.get(Space::State, b"applied").unwrap().unwrap(), vec![12]);
    assert_eq!(store.state.get(Space::State, &[b'k', 12]).unwrap().unwrap(), vec![12; 300]);
    assert_eq!(store.state.get(Space::State, &[b'k', 14]).unwrap(), None, "nothing from behind the hole");
    drop(store);

    // The same hole in a journal that was synced when the next one was begun is a loss.
    fs::write(&file, &bytes).unwrap();
    fs::write(dir.path().join("state/1.jnl"), b"").unwrap();
    let error = Store::open(dir.path(), EXPECTED).unwrap_err();
    assert!(matches!(error, OpenError::Journal(JournalError::State { .. })), "{error}");
}

/// A sound folder has nothing to report and nothing to repair; a used one says which groups it holds.
#[test]
fn a_sound_folder_is_reported_as_such() {
    let fixture = Fixture::new(5);
    assert_eq!(repair(fixture.dir.path(), true).unwrap(), None);
    let report = check(fixture.dir.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let log = report.groups[0].log.unwrap();
    assert_eq!((report.groups.len(), log.last, log.items, log.hard), (1, Index(17), 17, hard(12, 2)));
    assert_eq!(report.journal, journal::scan(&fixture.dir.path().join("log")).unwrap());
    assert!(report.database.unwrap().batch > report.witness.batch);
    let store = Store::open(fixture.dir.path(), EXPECTED).unwrap();
    assert_eq!(store.boot, 3, "a check is no boot");
    assert!(matches!(check(fixture.dir.path()), Err(OpenError::Format(_))), "in use");
    assert!(matches!(repair(fixture.dir.path(), false), Err(RepairError::Open(_))), "in use");
}

/// A slot that is damaged while the other one is older: the older one testifies; both damaged: nobody does.
#[test]
fn a_damaged_witness_is_noticed() {
    let fixture = Fixture::new(0);
    let witness = fixture.dir.path().join("witness");
    let good = fs::read(&witness).unwrap();
    for (slots, opens) in [(&[0][..], true), (&[1][..], true), (&[0, 1][..], false)] {
        let mut bytes = good.clone();
        slots.iter().for_each(|slot| bytes[slot * 4096 + 30] ^= 1);
        let copy = fixture.damaged(|_| ());
        fs::write(copy.path().join("witness"), bytes).unwrap();
        let opened = Store::open(copy.path(), EXPECTED);
        assert_eq!(opened.is_ok(), opens, "{:?}", opened.err());
    }
    fs::remove_file(&witness).unwrap();
    let error = Store::open(fixture.dir.path(), EXPECTED).unwrap_err();
    assert!(matches!(error, OpenError::Witness(_)), "{error}");
}
