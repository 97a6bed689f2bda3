//! `show` tells the last records of a node, says what it could execute again, and never takes a dump for a run.

use bytes::Bytes;
use roadstead::{
    launcher::Launcher,
    node::{GroupOptions, NodeOptions, Services},
    shard::Response,
    state_machine::{Command as Entry, StateMachine, StateMachineError, StateRead, StateWrite},
    trace::{self, Dumps, Header, encode_frame},
};
use roadstead_conformance::dump::{Again, Dump};
use roadstead_spec::{
    EntryId, GroupId, Incarnation, Index, NodeId, Term,
    raft::{Effect, Event, HardState, Limits, LogShape, Params, State, recover, step},
    trace::{Digest, Fact, What},
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;

/// A group that stands for election alone and hears that its vote and its first entry are durable, as a node keeps it: the state, events, and a state again.
fn facts() -> Vec<Fact> {
    let params = Params::new(&[NodeId(1)], Limits::default()).unwrap();
    let log = LogShape::from_runs(EntryId::default(), Vec::new(), Index(0)).unwrap();
    let mut state = recover(NodeId(1), HardState { term: Term(0), vote: None }, log, Index(0)).unwrap();
    let stands = |state: &State| Fact::Recovered { params: Box::new(params.clone()), state: Box::new(state.clone()) };
    let mut facts = vec![stands(&state)];
    let mut next = Some(Event::ElectionTimeout);
    while let Some(event) = next {
        let mut effects = Vec::new();
        step(&params, &mut state, event.clone(), &mut effects);
        let persist = effects.iter().find_map(|effect| match effect {
            Effect::Persist { mark, .. } => Some(*mark),
            _ => None,
        });
        next = persist.map(|mark| Event::Persisted { mark });
        facts.push(Fact::Stepped { event, effects: Vec::new(), after: Digest(0) });
    }
    facts.push(stands(&state));
    facts
}

/// A dump of these facts of group 1, numbered from `first` on.
fn dump(folder: &Path, first: u64, facts: &[Fact]) -> PathBuf {
    let mut frames = Vec::new();
    for (sequence, fact) in (first..).zip(facts) {
        let what = What::Group { group: GroupId::new(1).unwrap(), incarnation: Incarnation(9), fact: fact.clone() };
        encode_frame(&(sequence, what), &mut frames).unwrap();
    }
    let dump = trace::Dump { reason: "group 1 stopped: a test".to_owned(), frames };
    Dumps::new(folder.to_owned(), Header::new(NodeId(1), 7, 4)).write(&dump).unwrap()
}

fn show(path: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_roadstead-conformance");
    let Output { status, stdout, stderr } = Command::new(program).arg("show").arg(path).args(options).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_dump_is_told_and_its_steps_are_executed_again() {
    let folder = TempDir::new().unwrap();
    let facts = facts();
    assert!(facts.len() > 2, "it stands, and is told that it may go on");
    let steps = facts.len() - 2;
    let (code, out, error) = show(&dump(folder.path(), 0, &facts), &[]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], format!("node 1, boot 4, release {}: group 1 stopped: a test", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("  0 node 1 group 1: is a follower in term 0"), "{out}");
    assert!(lines[2].starts_with("  1 node 1 group 1: steps ElectionTimeout -> [ResetElectionTimer; "), "{out}");
    assert_eq!(lines[facts.len() + 1], format!("group 1: {steps} steps executed again, 1 states compared"));
    let (code, out, _) = show(&dump(folder.path(), 0, &facts), &["--group", "2"]);
    assert!(code == Some(0) && !out.contains("is a follower"), "{out}");
}

#[test]
fn a_dump_that_begins_in_the_middle_says_so() {
    let folder = TempDir::new().unwrap();
    let facts = facts();
    let path = dump(folder.path(), 100, &facts[1..]);
    let (code, out, _) = show(&path, &[]);
    let steps = facts.len() - 2;
    let last =
        format!("group 1: 0 steps executed again, 0 states compared; of {steps} steps before the first state only the events are known");
    assert_eq!((code, out.lines().last()), (Some(0), Some(last.as_str())));
    let (code, out, _) = show(&path, &["--json"]);
    assert!(code == Some(0) && out.lines().count() == facts.len() - 1 && out.starts_with(r#"{"node":1,"boot":4,"sequence":100,"#), "{out}");
}

/// Goal: what is missing is told, and nothing is executed across it.
#[test]
fn a_missing_record_is_told_and_ends_what_can_be_executed() {
    let folder = TempDir::new().unwrap();
    let facts = facts();
    let path = dump(folder.path(), 0, &facts[..1]);
    let rest = dump(folder.path(), 3, &facts[1..]);
    let (header, start) = trace::parse_dump_head(&fs::read(&rest).unwrap()).unwrap();
    assert_eq!(header.of.boot, 4);
    let joined = [fs::read(&path).unwrap(), fs::read(&rest).unwrap()[start..].to_vec(), vec![1, 2, 3]].concat();
    fs::write(&path, joined).unwrap();
    let (code, out, _) = show(&path, &[]);
    assert_eq!(code, Some(0));
    assert!(out.contains("\n  ... records 1 to 2 were too large to be kept\n"), "{out}");
    assert!(out.contains("3 bytes of a torn record at the end are left out"), "{out}");
    assert!(out.contains("group 1: 0 steps executed again, 0 states compared; of"), "{out}");
}

#[test]
fn a_state_that_its_steps_do_not_give_ends_with_1() {
    let folder = TempDir::new().unwrap();
    let mut facts = facts();
    facts.remove(1);
    let (code, out, _) = show(&dump(folder.path(), 0, &facts), &[]);
    assert_eq!(code, Some(1));
    let last = facts.len() - 1;
    assert!(out.contains(&format!("the state at record {last} is WRONG: the steps before it give another one")), "{out}");
}

/// Goal: nothing else is taken for a dump, and no dump for a run.
#[test]
fn what_is_no_dump_ends_with_2() {
    let folder = TempDir::new().unwrap();
    let path = dump(folder.path(), 0, &facts());
    let bytes = fs::read(&path).unwrap();
    for (damaged, why) in [
        (b"something else entirely".to_vec(), "it is something else"),
        (bytes[..20].to_vec(), "it ends within"),
        ([&bytes[..30], &[!bytes[30]], &bytes[31..]].concat(), "its beginning is damaged"),
    ] {
        let path = folder.path().join("damaged");
        fs::write(&path, damaged).unwrap();
        let (code, out, error) = show(&path, &[]);
        assert!(code == Some(2) && out.is_empty() && error.contains(why), "{error}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_roadstead-conformance")).arg("replay").arg(folder.path()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && error.contains("begins in the middle and cannot be judged"), "{error}");
}

/// A machine that panics at its six thousandth command.
#[derive(Default)]
struct Fragile(u32);

impl StateMachine for Fragile {
    fn apply(&mut self, commands: &[Entry], _: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        self.0 += commands.len() as u32;
        answers.extend(commands.iter().map(|_| Bytes::new()));
        assert!(self.0 < 6_000, "the last command is too much");
        Ok(())
    }

    fn query(&self, _: &[u8], _: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        Ok(Bytes::new())
    }
}

/// Goal: what a real node keeps is enough to execute its steps again, although it is lean.
#[test]
fn the_dump_of_a_real_node_is_executed_again() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = GroupId::new(1).unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let place = folder.path().join("dumps");
    let options = NodeOptions {
        groups: vec![GroupOptions::raft(id, "fragile", &[NodeId(1)])],
        services: Services::none().with("fragile", || Box::<Fragile>::default()),
        dumps: Some(place.clone()),
        ..NodeOptions::in_memory(NodeId(1), listen) // thousands of writes need no disk here
    };
    runtime.block_on(async {
        let launcher = Launcher::bind(listen, options).await.unwrap();
        let group = launcher.group(id).await.unwrap();
        while matches!(group.write("a command").await, Response::Committed { .. }) {}
        launcher.shutdown(Duration::from_secs(1)).await.unwrap(); // which waits for what the node has begun to write
    });
    let path = fs::read_dir(place).unwrap().next().expect("a dump").unwrap().path();
    let dump = Dump::read(&path).unwrap();
    assert!(dump.header.reason.contains("the last command is too much"), "{}", dump.header.reason);
    let again: Vec<_> = dump.tell().groups.into_values().collect();
    let [Again { steps, before: 0..=1, compared, differs: None }] = again[..] else { panic!("{again:?}") };
    assert!((2_000..18_000).contains(&steps) && compared > 0, "as many as fit, and the first are gone: {steps} steps, {compared} states");
}
