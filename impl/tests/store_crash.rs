//! A process that writes to a real folder is killed at random moments; what it had reported as durable is there when the folder is opened again, and
//! what is there is, for all groups together, the state after one of its rounds.

mod store_common;

use rand::{
    RngExt, SeedableRng, TryRng,
    rngs::{StdRng, SysRng},
};
use roadstead::store::{Append, GroupRecord, Recovered, StorageThread, Store, Write, format::FormatError, open::OpenError};
use roadstead_spec::{EntryId, GroupId, Index, Term, raft::HardState, raft::Run};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::channel,
};
use store_common::*;

/// Set for the child: the folder that it writes to.
const CHILD_DIR: &str = "STORE_CRASH_CHILD_DIR";
const GROUPS: i32 = 8;
/// Rounds that the child has under way at once.
const UNDER_WAY: u64 = 8;

/// The script that the child writes, and that the parent follows: it depends on the boot number and the state found at start, and on nothing else.
struct Script {
    rng: StdRng,
    groups: Vec<Model>,
}

/// What one group's log should be; payloads follow from group, index and term.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    group: i32,
    hard: HardState,
    base: EntryId,
    terms: Vec<u64>,
}

impl Script {
    fn new(boot: u64, groups: Vec<Model>) -> Self {
        Self { rng: StdRng::seed_from_u64(boot), groups }
    }

    /// One write per group.
    fn round(&mut self) -> Vec<Write> {
        self.groups.iter_mut().map(|group| group.step(self.rng.random_range(0..20), self.rng.random_range(1..4))).collect()
    }
}

impl Model {
    fn last(&self) -> u64 {
        self.base.index.0 + self.terms.len() as u64
    }

    fn append(&mut self, count: u64) -> Append {
        let first = self.last() + 1;
        let term = self.hard.term.0;
        let entries = (first..first + count).map(|index| entry(term, payload(self.group, index, term))).collect();
        self.terms.extend((0..count).map(|_| term));
        Append { first: Index(first), entries }
    }

    fn vote(&mut self, by: u32) -> Option<HardState> {
        self.hard = hard(self.hard.term.0 + 1, by);
        Some(self.hard)
    }

    fn step(&mut self, choice: u32, count: u64) -> Write {
        match choice {
            0 => Write::Persist { hard: self.vote(2), truncate_from: None, append: None },
            1 if self.terms.len() > 3 => {
                let hard = self.vote(3);
                self.terms.truncate(self.terms.len() - 2);
                Write::Persist { hard, truncate_from: Some(Index(self.last() + 1)), append: Some(self.append(1)) }
            }
            2 if self.terms.len() > 50 => {
                let gone = self.terms.len() - 20;
                let index = Index(self.base.index.0 + gone as u64);
                self.base = EntryId { term: Term(self.terms[gone - 1]), index };
                self.terms.drain(..gone);
                Write::Compact { through: index }
            }
            _ if self.hard.term.0 == 0 => Write::Persist { hard: self.vote(1), truncate_from: None, append: None },
            _ => Write::Persist { hard: None, truncate_from: None, append: Some(self.append(count)) },
        }
    }

    fn recovered(&self) -> Recovered {
        let mut runs: Vec<Run> = Vec::new();
        for (at, term) in self.terms.iter().enumerate() {
            if runs.last().map(|run| run.term.0) != Some(*term) {
                runs.push(Run { term: Term(*term), first: self.base.index.plus(at as u64 + 1) });
            }
        }
        Recovered { hard: self.hard, base: self.base, runs, last: Index(self.last()) }
    }

    /// What a store holds of the group, payloads checked.
    fn found(store: &Store, record: &GroupRecord) -> Self {
        let log = store.groups.iter().find(|group| group.record == *record).unwrap().log.as_ref().unwrap();
        let entries = store.reader.read(record.local, log.base.index.next(), usize::MAX, usize::MAX).unwrap();
        let group = record.group.get();
        for (index, found) in (log.base.index.0 + 1..).zip(&entries) {
            assert_eq!(found, &entry(found.term.0, payload(group, index, found.term.0)), "group {group}, index {index}");
        }
        let model = Self { group, hard: log.hard, base: log.base, terms: entries.iter().map(|entry| entry.term.0).collect() };
        assert_eq!(model.recovered(), *log, "shape and entries of group {group} agree");
        model
    }
}

fn payload(group: i32, index: u64, term: u64) -> Vec<u8> {
    vec![(group as u64 * 31 + index * 7 + term) as u8; (index * 13 % 900) as usize]
}

/// Not a test by itself: the body of the child process. It prints the number of each round of which every submission is reported durable.
#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let mut store = Store::open(Path::new(&dir), EXPECTED).unwrap();
    let existing: Vec<GroupRecord> = store.groups.iter().map(|group| group.record.clone()).collect();
    let models = existing.iter().map(|record| Model::found(&store, record)).collect();
    let mut script = Script::new(store.boot, models);
    let mut records = existing;
    for id in records.len() as i32 + 1..=GROUPS {
        records.push(create(&mut store, id));
        script.groups.push(Model { group: id, ..Model::default() });
    }
    let (sender, done) = channel();
    let thread = StorageThread::spawn(store.storage, move |result| sender.send(result.unwrap()).unwrap()).unwrap();
    let handle = thread.handle();
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nround 0").unwrap();
    let mut left: BTreeMap<u64, usize> = BTreeMap::new();
    for round in 1u64.. {
        let mut writes: Vec<_> = records.iter().zip(script.round()).map(|(record, write)| submit(record, round, write)).collect();
        left.insert(round, writes.len());
        handle.submit(&mut writes).unwrap();
        while left.len() as u64 >= UNDER_WAY {
            for done in done.recv().unwrap() {
                let count = left.get_mut(&done.ticket).unwrap();
                *count -= 1;
                if *count == 0 {
                    left.remove(&done.ticket);
                    writeln!(out, "round {}", done.ticket).unwrap();
                }
            }
        }
    }
}

/// Starts the child and reads its report of round 0.
fn spawn_child(dir: &Path) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(CHILD_DIR, dir);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.by_ref().map(Result::unwrap).find(|line| line == "round 0");
    assert!(ready.is_some(), "the child starts");
    (child, lines)
}

/// Twelve lives of a process on one folder, each ended by SIGKILL after a random number of reports.
#[test]
fn nothing_reported_is_lost_by_kill() {
    let seed = SysRng.try_next_u64().unwrap();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut models: Vec<Model> = (1..=GROUPS).map(|group| Model { group, ..Model::default() }).collect();
    for life in 1..=12u64 {
        let (mut child, mut lines) = spawn_child(dir.path());
        let wanted = rng.random_range(0..400);
        let mut reports: Vec<String> = lines.by_ref().take(wanted).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        // Reports that had been written before the kill count as well; a half line does not parse, or names an earlier round.
        reports.extend(lines.map(Result::unwrap));
        let rounds = reports.iter().filter_map(|line| line.strip_prefix("round ")?.parse::<u64>().ok());
        let reported = rounds.max().unwrap_or(0);
        models = verify(dir.path(), 2 * life - 1, models, reported);
    }
}

/// Opens the folder as a node would, and finds the round that it stands behind.
fn verify(dir: &Path, boot: u64, models: Vec<Model>, reported: u64) -> Vec<Model> {
    let store = Store::open(dir, EXPECTED).unwrap();
    assert_eq!(store.boot, boot + 1, "each life and each look is a boot");
    let found: Vec<Model> = store.groups.iter().map(|group| Model::found(&store, &group.record)).collect();
    let mut script = Script::new(boot, models);
    for round in 0..=reported + 2 * UNDER_WAY {
        if round >= reported && script.groups == found {
            return found;
        }
        script.round();
    }
    panic!("round {reported} was reported, and the folder holds no state at or behind it: {found:#?}");
}

/// A folder that a live process uses is refused with that process's id, and free as soon as it is dead.
#[test]
fn the_lock_dies_with_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _lines) = spawn_child(dir.path());
    let OpenError::Format(FormatError::InUse { holder, .. }) = Store::open(dir.path(), EXPECTED).unwrap_err() else { panic!("not locked") };
    assert_eq!(holder, child.id().to_string());
    child.kill().unwrap();
    child.wait().unwrap();
    let store = Store::open(dir.path(), EXPECTED).unwrap();
    assert!(store.registry.group(GroupId::new(1).unwrap()).is_some());
}
