//! What a node leaves behind when something is wrong with it.

use crate::{
    free_port::free_address,
    legacy_wire::{Hand, alone, append_from_the_start},
    support::{Cluster, DEADLINE, until, until_group_failed},
    write_until_done,
};
use bytes::Bytes;
use roadstead::{
    launcher::Launcher,
    node::{GroupOptions, NodeOptions, Services},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
    trace::{DumpHeader, RING_BYTES, parse_dump_head, parse_frame, parse_record},
};
use roadstead_spec::{
    GroupId, Index, NodeId,
    raft::{Effect, Event, Law, Message, step},
    trace::{Fact, What},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// The dumps of a folder, in the order of their names.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A dump, whole and without a gap.
fn read(path: &Path) -> (DumpHeader, Vec<(GroupId, Fact)>) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.len() < RING_BYTES + 8_192, "{} bytes", bytes.len());
    let (header, mut at) = parse_dump_head(&bytes).unwrap();
    let (mut facts, mut next) = (Vec::new(), None);
    while at < bytes.len() {
        let (payload, length) = parse_frame(&bytes[at..]).unwrap();
        let (sequence, what) = parse_record(payload).unwrap();
        assert!(next.is_none_or(|next| next == sequence), "record {sequence} follows record {next:?}");
        let What::Group { group, fact, .. } = what else { panic!("a ring holds what happens to groups, not {what:?}") };
        facts.push((group, fact));
        next = Some(sequence + 1);
        at += length;
    }
    (header, facts)
}

/// The one dump of a folder; what has its name is whole.
async fn only(folder: &Path) -> (DumpHeader, Vec<(GroupId, Fact)>) {
    let named = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ring");
    let path = until("a dump", || async { paths(folder).into_iter().find(named) }).await;
    assert_eq!(paths(folder).len(), 1);
    read(&path)
}

/// What the last step gives when all of them are executed again; a dump that begins with the state of the only group.
fn again(facts: &[(GroupId, Fact)]) -> Vec<Effect> {
    let Some((_, Fact::Recovered { params, state })) = facts.first() else { panic!("a state, not {:?}", facts.first()) };
    let (mut state, mut effects) = (state.clone(), Vec::new());
    for (_, fact) in facts {
        if let Fact::Stepped { event, .. } = fact {
            effects.clear();
            step(params, &mut state, event.clone(), &mut effects);
        }
    }
    effects
}

/// Goal: a law that breaks leaves behind what led to it. Method: a peer leads term 1, and so does another one.
#[tokio::test]
async fn a_group_whose_law_breaks_leaves_its_last_records() {
    let (cluster, address) = alone(2).await;
    let mut leader = Hand::to(address).await;
    leader.ask(&append_from_the_start(1, 2, &[1, 1])).await;
    let mut usurper = Hand::to(address).await;
    usurper.send(&append_from_the_start(3, 2, &[1])).await;
    let (header, facts) = only(&cluster.data(NodeId(2)).join("dumps")).await;
    assert_eq!((header.of.node, header.of.boot), (NodeId(2), 1));
    assert!(header.reason.contains("group 0 stopped: the law TwoLeadersInOneTerm is broken"), "{}", header.reason);
    let steps: Vec<_> = facts.iter().filter(|(_, fact)| matches!(fact, Fact::Stepped { .. })).collect();
    let Some((GroupId::DEFAULT, Fact::Stepped { event: Event::Receive { from: NodeId(3), message }, .. })) = steps.last() else {
        panic!("{:?}", steps.last())
    };
    assert!(matches!(message, Message::AppendEntries { slice, .. } if slice.last == Index(1)), "{message:?}");
    assert!(again(&facts).contains(&Effect::Halt { law: Law::TwoLeadersInOneTerm }), "executed again, it breaks the same law");
    assert!(steps.iter().any(|(_, fact)| matches!(fact, Fact::Stepped { event: Event::Receive { from: NodeId(1), .. }, .. })));
    assert!(facts.iter().any(|(_, fact)| matches!(fact, Fact::Durable { .. })), "what the disk said is there");
    cluster.shutdown().await;
}

/// A machine that panics at its third command.
#[derive(Default)]
struct Fragile(u32);

impl StateMachine for Fragile {
    fn apply(&mut self, commands: &[Command], _: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        for _ in commands {
            self.0 += 1;
            assert!(self.0 < 3, "the third command is too much");
            answers.push(Bytes::from(self.0.to_string()));
        }
        Ok(())
    }

    fn query(&self, _: &[u8], _: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        Ok(Bytes::new())
    }
}

/// A node with one group whose only member it is.
async fn fragile(options: NodeOptions) -> Launcher {
    let groups = vec![GroupOptions::raft(GroupId::new(1).unwrap(), "fragile", &[NodeId(1)])];
    let services = Services::none().with("fragile", || Box::<Fragile>::default()).with("impossible", || panic!("there is no such machine"));
    Launcher::bind(options.listen, NodeOptions { groups, services, ..options }).await.unwrap()
}

/// Goal: a group that its state machine stops leaves a dump as well; in memory only where a folder is named, and none beside a trace.
#[tokio::test]
async fn a_dump_goes_where_the_options_say() {
    let folder = TempDir::new().unwrap();
    let (on_disk, named, traced) = (folder.path().join("data"), folder.path().join("named"), folder.path().join("traced"));
    let memory = || NodeOptions::in_memory(NodeId(1), free_address());
    let variants = [
        (NodeOptions::new(NodeId(1), free_address(), &on_disk), Some(on_disk.join("dumps"))),
        (NodeOptions { dumps: Some(named.clone()), ..memory() }, Some(named.clone())),
        (memory(), None),
        (NodeOptions { dumps: Some(traced.clone()), trace: Some(folder.path().join("trace")), ..memory() }, None),
    ];
    for (options, place) in variants {
        let launcher = fragile(options).await;
        let group = launcher.group(GroupId::new(1).unwrap()).await.unwrap();
        assert_eq!([write_until_done(&group, "a").await, write_until_done(&group, "b").await], ["1", "2"]);
        let _ = group.write("c").await; // its outcome is nobody's business here
        until_group_failed(&group).await;
        launcher.shutdown(Duration::from_secs(1)).await.unwrap();
        if let Some(place) = place {
            let (header, facts) = only(&place).await;
            assert!(header.reason.contains("the third command is too much"), "{}", header.reason);
            let applied = |fact: &Fact| matches!(fact, Fact::Stepped { event: Event::Applied { through: Index(3) }, .. });
            assert!(facts.iter().any(|(_, fact)| applied(fact)), "the opening entry and two commands");
        }
    }
    assert!(paths(&traced).is_empty(), "the trace tells it all");
    assert_eq!(paths(&folder.path().join("trace")).len(), 1);
}

/// Goal: a panic of the node's thread ends the node, and what led to it is there. Method: a service whose maker panics is asked for while the node runs.
#[tokio::test]
async fn a_panic_of_the_node_leaves_its_last_records() {
    let folder = TempDir::new().unwrap();
    let mut launcher = fragile(NodeOptions::new(NodeId(1), free_address(), folder.path())).await;
    let group = launcher.group(GroupId::new(1).unwrap()).await.unwrap();
    assert_eq!(write_until_done(&group, "a").await, "1");
    let impossible = GroupOptions::raft(GroupId::new(2).unwrap(), "impossible", &[NodeId(1)]);
    launcher.add_group_of_service(impossible).await.unwrap_err();
    let ended = tokio::time::timeout(DEADLINE, launcher.ended()).await.expect("the node ends");
    assert!(ended.unwrap_err().to_string().contains("panicked"));
    let (header, facts) = only(&folder.path().join("dumps")).await;
    assert_eq!(header.reason, "the node's thread panicked: there is no such machine");
    let last = facts.iter().rev().find_map(|(group, fact)| match fact {
        Fact::Stepped { event: Event::Applied { through }, .. } => Some((group.get(), *through)),
        _ => None,
    });
    assert_eq!(last, Some((1, Index(2))), "the opening entry and the write");
}

/// Goal: a node that fails at each start keeps its first dumps, and no more than the bound.
#[tokio::test]
async fn a_node_that_fails_again_and_again_does_not_fill_its_disk() {
    let folder = TempDir::new().unwrap();
    let (data, place) = (folder.path().join("data"), folder.path().join("dumps"));
    fs::create_dir(&place).unwrap();
    for number in 0..roadstead::trace::DUMPS_MAX {
        fs::write(place.join(format!("node-001-boot-000000-{number:02}.ring")), "an old one").unwrap();
    }
    let launcher = fragile(NodeOptions { dumps: Some(place.clone()), ..NodeOptions::new(NodeId(1), free_address(), &data) }).await;
    let group = launcher.group(GroupId::new(1).unwrap()).await.unwrap();
    for command in ["a", "b", "c"] {
        let _ = group.write(command).await;
    }
    until_group_failed(&group).await;
    launcher.shutdown(Duration::from_secs(1)).await.unwrap();
    assert_eq!(paths(&place).len(), roadstead::trace::DUMPS_MAX);
    assert!(paths(&place).iter().all(|path| fs::read_to_string(path).unwrap() == "an old one"));
}

/// A cluster on which nothing is wrong leaves nothing.
#[tokio::test]
async fn a_healthy_node_leaves_no_dump() {
    let mut cluster = Cluster::start(3, &[1]).await;
    let leader = cluster.leader(1).await;
    write_until_done(&cluster.group(leader, 1).await, "add 1").await;
    cluster.stop_node(leader).await;
    for node in [1, 2, 3].map(NodeId) {
        assert!(!cluster.data(node).join("dumps").exists());
    }
    cluster.shutdown().await;
}
