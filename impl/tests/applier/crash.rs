//! What a crash leaves: data and applied entry of a group never part, and what a checkpoint reported stays.

use crate::support::*;
use proptest::prelude::*;
use roadstead::{
    applier::{Job, Outcome, Work},
    store::memory::{MemoryEngine, Survivors},
};
use roadstead_spec::{EntryId, Index};
use std::collections::BTreeMap;

const GROUPS: [u32; 3] = [1, 2, 3];

/// The command at an index is always the same, so that any life of the node can apply it (again).
fn text_at(local: u32, index: u64) -> String {
    match index % 5 {
        0 => format!("del k{}", (index * 3 + u64::from(local)) % 7),
        1 => "add n".to_owned(),
        _ => format!("put k{} {local}.{index}", (index * 5) % 7),
    }
}

/// What a group's data must be when everything through this index is applied.
fn state_at(local: u32, applied: Index) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for index in 1..=applied.0 {
        let text = text_at(local, index);
        match text.split(' ').collect::<Vec<_>>()[..] {
            ["put", key, value] => drop(state.insert(key.to_owned(), value.to_owned())),
            ["add", key] => {
                let next = state.get(key).map_or(0, |value| value.parse::<u64>().unwrap()) + 1;
                state.insert(key.to_owned(), next.to_string());
            }
            ["del", key] => drop(state.remove(key)),
            _ => unreachable!(),
        }
    }
    state
}

#[derive(Clone, Debug)]
struct Turn {
    /// Commands per group.
    commands: [u64; GROUPS.len()],
    checkpoint: bool,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (prop::array::uniform3(0..4u64), prop::bool::weighted(0.2)).prop_map(|(commands, checkpoint)| Turn { commands, checkpoint });
    prop::collection::vec(turn, 0..12)
}

/// Opens all groups, checks what the last life left, and returns what is applied.
fn open_all(node: &mut Node, durable: &BTreeMap<u32, EntryId>) -> [u64; GROUPS.len()] {
    GROUPS.map(|local| {
        let outcome = node.one(group(local), open(FIRST_EPOCH));
        let Outcome::Opened { applied } = outcome else { panic!("{outcome:?}") };
        assert!(applied >= durable.get(&local).copied().unwrap_or_default(), "a checkpoint was lost");
        let expected = state_at(local, applied.index);
        assert_eq!(node.data(group(local), FIRST_EPOCH), expected, "group {local} at {applied}");
        assert_eq!(node.answer(group(local), "count"), expected.len().to_string(), "what open rebuilt");
        applied.index.0
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Several lives, each of which ends with the loss of any number of the last unsynced batches.
    #[test]
    fn data_and_applied_entry_survive_together(lives in prop::collection::vec((turns(), 0..12usize), 1..4)) {
        let mut node = Node::new(MemoryEngine::new());
        let mut durable = BTreeMap::new();
        for (turns, survivors) in lives {
            let mut applied = open_all(&mut node, &durable);
            for turn in turns {
                let mut jobs = Vec::new();
                for ((local, count), applied) in GROUPS.into_iter().zip(turn.commands).zip(&mut applied).filter(|((_, count), _)| *count > 0) {
                    let entries = (*applied + 1..=*applied + count).map(|index| command(1, &text_at(local, index))).collect();
                    jobs.push(Job::Group(group(local), Work::Apply { first: Index(*applied + 1), entries, answers_from: None }));
                    *applied += count;
                }
                node.turn(jobs);
                if turn.checkpoint {
                    durable.extend(node.checkpoint().into_iter().map(|(key, at)| (key.local.0, at)));
                }
            }
            node = node.crash(Survivors::First(survivors));
        }
        open_all(&mut node, &durable);
    }
}

#[test]
fn a_checkpoint_covers_the_applies_of_its_own_turn_and_tells_only_what_moved() {
    let mut node = Node::with_groups(&[1, 2]);
    let done = node.turn(vec![Job::Checkpoint, Job::Group(group(1), apply(1, &["put a 1"]))]);
    assert_eq!(done.len(), 2);
    assert_eq!(node.engine.unsynced(), 0);
    assert_eq!(node.checkpoint(), [], "nothing moved since");
    node.applied(group(2), 1, &["put a 1"]);
    assert_eq!(node.checkpoint(), [(group(2), id(1, 1))]);
}

/// Applies go on between the making of a ticket and the end of its sync; they wait for the next one.
#[test]
fn a_checkpoint_does_not_stop_applies_and_tells_no_more_than_its_sync_covers() {
    let mut node = Node::with_groups(&[1]);
    let mut first = vec![Job::Group(group(1), apply(1, &["put a 1"])), Job::Checkpoint];
    node.applier.turn(node.now, &mut first).unwrap();
    let ticket = node.applier.sync_wanted().unwrap();
    let mut second = vec![Job::Group(group(1), apply(2, &["put b 1"])), Job::Checkpoint];
    node.applier.turn(node.now, &mut second).unwrap();
    assert!(node.applier.sync_wanted().is_none(), "one sync at a time");
    let synced = ticket.sync().unwrap();
    let done = node.applier.synced(&synced);
    assert!(matches!(&done[..], [roadstead::applier::Done::Checkpoint { durable }] if durable[..] == [(group(1), id(1, 1))]), "{done:?}");
    assert!(node.applier.synced(&synced).is_empty(), "once");
    let next = node.applier.sync_wanted().unwrap().sync().unwrap();
    let done = node.applier.synced(&next);
    assert!(matches!(&done[..], [roadstead::applier::Done::Checkpoint { durable }] if durable[..] == [(group(1), id(1, 2))]), "{done:?}");
}
