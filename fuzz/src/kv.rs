//! Commands and queries of the key-value service, as clients may send them. Input: commands, each behind its length in a byte.
//!
//! Whatever it is, the machine answers, and all its copies answer alike: commands one by one or at once, with a restart or a snapshot in between.

use super::byte;
use roadstead::{applier::testing::StateMachineHarness, service::kv::Kv};

/// Commands of one input. More say nothing new.
const COMMANDS_MAX: usize = 12;

pub(crate) fn target(mut data: &[u8]) {
    let mut commands = Vec::new();
    while !data.is_empty() && commands.len() < COMMANDS_MAX {
        let length = usize::from(byte(&mut data)).min(data.len());
        let (command, rest) = data.split_at(length);
        commands.push(command.to_vec());
        data = rest;
    }
    let mut one = StateMachineHarness::new(Kv::default).expect("an empty store");
    let answers: Vec<_> = commands.iter().map(|command| one.apply([command.clone()]).expect("it goes on").remove(0)).collect();
    let mut other = StateMachineHarness::new(Kv::default).expect("an empty store");
    assert_eq!(other.apply(commands.iter().cloned()).expect("it goes on"), answers, "all at once");
    assert_eq!(other.items().expect("items"), one.items().expect("items"), "the same state");
    other.restart().expect("what was written is read");
    for query in &commands {
        let answer = one.query(query.clone()).expect("it goes on");
        assert_eq!(other.query(query.clone()).expect("it goes on"), answer, "after a restart");
    }
    let mut copy = one.copy_by_snapshot().expect("a snapshot");
    assert_eq!(copy.items().expect("items"), one.items().expect("items"), "a snapshot holds everything");
    assert!(commands.iter().all(|query| copy.query(query.clone()).is_ok()));
}
