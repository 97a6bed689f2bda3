//! The applier on its threads, over fjall.

use crate::support::*;
use roadstead::{
    applier::{Applier, ApplierThread, Done, Job, NotSent, Outcome, QUEUED_BATCHES_MAX, Work},
    store::{
        engine::{Engine, EngineError},
        fjall_engine::{FjallEngine, Kind},
        memory::MemoryEngine,
    },
};
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel, sync_channel},
    },
    time::Duration,
};

/// Only a test that hangs waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

fn spawn(engine: Arc<dyn Engine>) -> (ApplierThread, Receiver<Done>, Receiver<EngineError>) {
    let (to_done, done) = channel();
    let (to_fatal, fatal) = channel();
    let on_done = move |turn: Vec<Done>| turn.into_iter().for_each(|done| drop(to_done.send(done)));
    let thread = ApplierThread::spawn(Applier::new(engine), on_done, move |error| drop(to_fatal.send(error))).unwrap();
    (thread, done, fatal)
}

fn fjall(folder: &Path) -> Arc<dyn Engine> {
    Arc::new(FjallEngine::open(folder, Kind::State).unwrap())
}

#[test]
fn applies_checkpoints_and_finds_all_again() {
    let folder = tempfile::tempdir().unwrap();
    let (thread, done, _) = spawn(fjall(folder.path()));
    let sender = thread.sender();
    sender.try_send(vec![Job::Group(group(1), open(FIRST_EPOCH)), Job::Group(group(2), open(FIRST_EPOCH))]).unwrap();
    for index in 1..=100 {
        let jobs = [1, 2].map(|local| Job::Group(group(local), apply(index, &["add n"])));
        sender.try_send(jobs.into()).unwrap();
    }
    sender.try_send(vec![Job::Checkpoint]).unwrap();
    let answers = std::iter::from_fn(|| Some(done.recv_timeout(PATIENCE).unwrap()));
    let durable = answers.filter_map(|done| if let Done::Checkpoint { durable } = done { Some(durable) } else { None }).next().unwrap();
    assert_eq!(durable, [(group(1), id(1, 100)), (group(2), id(1, 100))]);
    sender.try_send(vec![Job::Group(group(1), apply(101, &["add n"])), Job::Group(group(2), Work::Destroy)]).unwrap();
    while !matches!(done.recv_timeout(PATIENCE).unwrap(), Done::Group(key, Outcome::Destroyed) if key == group(2)) {}
    thread.stop();
    assert!(matches!(sender.try_send(vec![Job::Checkpoint]), Err(NotSent::Stopped(jobs)) if jobs.len() == 1));

    let (thread, done, _) = spawn(fjall(folder.path()));
    thread.sender().try_send(vec![Job::Group(group(1), open(FIRST_EPOCH)), Job::Group(group(1), query("get n", 101))]).unwrap();
    assert!(matches!(done.recv_timeout(PATIENCE), Ok(Done::Group(_, Outcome::Opened { applied })) if applied == id(1, 101)));
    assert!(matches!(done.recv_timeout(PATIENCE), Ok(Done::Group(_, Outcome::Answered { answer, .. })) if answer == "101"));
}

/// The engine's own views, with flushed and unflushed data, while the sender goes on.
#[test]
fn a_snapshot_over_fjall_is_the_state_at_its_applied_entry() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [mut from, mut to] = [&folders[0], &folders[1]].map(|folder| Applier::new(fjall(folder.path())));
    let run = |applier: &mut Applier, work: Work| {
        let mut done = applier.turn(Duration::ZERO, &mut vec![Job::Group(group(1), work)]).unwrap();
        while let Some(ticket) = applier.sync_wanted() {
            done.extend(applier.synced(&ticket.sync().unwrap()));
        }
        match done.pop() {
            Some(Done::Group(_, outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    };
    run(&mut from, open(FIRST_EPOCH));
    run(&mut to, open(FIRST_EPOCH));
    let commands: Vec<String> = (0..200).map(|number| format!("put key{number} before")).collect();
    run(&mut from, apply(1, &commands.iter().map(String::as_str).collect::<Vec<_>>()));
    let (transfer, mut next) = (transfer(1), 201);
    run(&mut from, Work::SnapshotOpen { transfer, chunk_bytes: 500 });
    let mut outcome = run(&mut to, Work::StageBegin { transfer, at: id(1, 200) });
    let epoch = loop {
        match outcome {
            Outcome::StageWants { sequence, .. } => {
                run(&mut from, apply(next, &[&format!("put key{} after", next % 200), &format!("del key{}", next % 7), "put new 1"]));
                next += 3;
                match run(&mut from, Work::SnapshotRead { transfer, sequence }) {
                    Outcome::SnapshotChunk { chunk, .. } => outcome = run(&mut to, Work::StageChunk { transfer, chunk }),
                    other => panic!("{other:?}"),
                }
            }
            Outcome::Staged { epoch, .. } => break epoch,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(run(&mut to, Work::Install { epoch }), Outcome::Installed { applied, .. } if applied == id(1, 200)));
    for (text, expected) in [("count", "200"), ("get key0", "before"), ("get key199", "before"), ("get new", "")] {
        let outcome = run(&mut to, query(text, 200));
        assert!(matches!(&outcome, Outcome::Answered { answer, .. } if answer == expected), "{text}: {outcome:?}");
    }
}

#[test]
fn a_failed_commit_is_told_once_and_ends_the_threads() {
    let engine = MemoryEngine::new();
    let (thread, done, fatal) = spawn(Arc::new(engine.clone()));
    let sender = thread.sender();
    sender.try_send(vec![Job::Group(group(1), open(FIRST_EPOCH))]).unwrap();
    done.recv_timeout(PATIENCE).unwrap();
    engine.fail();
    sender.try_send(vec![Job::Group(group(1), apply(1, &["put a 1"]))]).unwrap();
    assert_eq!(fatal.recv_timeout(PATIENCE).unwrap().what, "commit");
    thread.stop();
    assert!(matches!(sender.try_send(Vec::new()), Err(NotSent::Stopped(_))));
}

#[test]
fn a_failed_sync_is_told_too() {
    let engine = MemoryEngine::new();
    let (thread, done, fatal) = spawn(Arc::new(engine.clone()));
    thread.sender().try_send(vec![Job::Group(group(1), open(FIRST_EPOCH))]).unwrap();
    done.recv_timeout(PATIENCE).unwrap();
    engine.fail();
    thread.sender().try_send(vec![Job::Checkpoint]).unwrap();
    assert_eq!(fatal.recv_timeout(PATIENCE).unwrap().what, "sync");
}

/// The applier stands still in its callback; the queue takes what it can hold and gives the rest back at once.
#[test]
fn a_full_queue_gives_the_jobs_back() {
    let (entered, wait_entered) = sync_channel(0);
    let (release, wait_release) = sync_channel::<()>(0);
    let on_done = move |_: Vec<Done>| {
        if entered.send(()).is_ok() {
            let _ = wait_release.recv();
        }
    };
    let thread = ApplierThread::spawn(Applier::new(Arc::new(MemoryEngine::new())), on_done, |error| panic!("{error}")).unwrap();
    let sender = thread.sender();
    sender.try_send(vec![Job::Group(group(1), open(FIRST_EPOCH))]).unwrap();
    wait_entered.recv().unwrap();
    for _ in 0..QUEUED_BATCHES_MAX {
        sender.try_send(vec![Job::Group(group(1), query("count", 0))]).unwrap();
    }
    let refused = sender.try_send(vec![Job::Group(group(1), query("count", 0))]);
    assert!(matches!(refused, Err(NotSent::Full(jobs)) if jobs.len() == 1));
    drop(wait_entered);
    release.send(()).unwrap();
    thread.stop();
}
