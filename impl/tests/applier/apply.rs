//! Applying and asking.

use crate::support::*;
use roadstead::{
    applier::{Done, Failure, GroupKey, Job, JobName, Outcome, QueryId, Work},
    store::memory::Survivors,
};
use roadstead_spec::{Incarnation, Index};

#[test]
fn answers_come_per_command_and_noops_only_move_the_applied_index() {
    let mut node = Node::with_groups(&[1]);
    let entries = vec![noop(1), command(1, "put a 1"), noop(2), command(2, "put b 2")];
    let outcome = node.one(group(1), Work::Apply { first: Index(1), entries, answers_from: Some(Index(3)) });
    let Outcome::Applied { through, answers, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(through, id(2, 4));
    assert_eq!(answers, [(Index(4), "2".into())], "index 2 was not asked for, index 3 is a no-op");
    let outcome = node.one(group(1), Work::Apply { first: Index(5), entries: vec![command(2, "del a")], answers_from: None });
    assert!(matches!(&outcome, Outcome::Applied { answers, .. } if answers.is_empty()), "{outcome:?}");
    assert_eq!(node.answer(group(1), "count"), "1");
}

#[test]
fn commands_of_one_batch_see_each_other() {
    let mut node = Node::with_groups(&[1]);
    assert_eq!(node.applied(group(1), 1, &["add n", "add n", "del n", "add n", "add n", "add n"]), ["1", "1", "0", "1", "1", "1"]);
    assert_eq!(node.answer(group(1), "get n"), "3");
}

#[test]
fn all_groups_of_a_turn_share_one_commit_and_none_is_synced() {
    let mut node = Node::with_groups(&[1, 2, 3]);
    let jobs = [(1, apply(1, &["put a 1"])), (2, apply(1, &["put a 2"])), (1, apply(2, &["put b 3", "put c 4"])), (3, apply(1, &["x"]))];
    let done = node.turn(jobs.into_iter().map(|(local, work)| Job::Group(group(local), work)).collect());
    let throughs: Vec<_> = done
        .iter()
        .map(|done| match done {
            Done::Group(key, Outcome::Applied { through, answers, .. }) => (key.local.0, through.index.0, answers.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(throughs, [(1, 1, 1), (1, 3, 2), (2, 1, 1), (3, 1, 1)], "one answer per job");
    assert_eq!((node.engine.unsynced(), node.engine.syncs()), (1, 0));
}

#[test]
fn queries_of_a_turn_see_its_applies() {
    let mut node = Node::with_groups(&[1]);
    let jobs = vec![
        Job::Group(group(1), query("get a", 1)),
        Job::Group(group(1), query("get a", 9)),
        Job::Group(group(1), apply(1, &["put a 1"])),
    ];
    match &node.turn(jobs)[..] {
        [
            Done::Group(_, Outcome::Applied { .. }),
            Done::Group(_, Outcome::Answered { id: QueryId(7), answer, applied }),
            Done::Group(_, Outcome::Behind { id: QueryId(7), applied: behind }),
        ] => assert_eq!((&answer[..], *applied, *behind), (&b"1"[..], id(1, 1), id(1, 1))),
        other => panic!("{other:?}"),
    }
}

/// Each way in which a machine or its host can break: the group stops with the data it had, says why from then on, and its neighbours
/// in the same turn go on.
#[test]
fn a_failing_group_fails_alone() {
    let cases: &[(Work, Failure)] = &[
        (apply(2, &["put b 2", "fail"]), Failure::Machine { doing: "apply commands", applied: id(1, 1), text: "told to fail".to_owned() }),
        (
            apply(2, &["put b 2", "panic"]),
            Failure::Panicked { doing: "apply commands", applied: id(1, 1), text: "told to panic".to_owned() },
        ),
        (apply(2, &["put b 2", "mute"]), Failure::AnswerCount { commands: 2, answers: 1, applied: id(1, 1) }),
        (apply(2, &["put b 2", "huge"]), Failure::ItemTooLarge { key_bytes: 100_000, value_bytes: 0, applied: id(1, 1) }),
        (apply(3, &["put b 2"]), Failure::Gap { expected: Index(2), got: Index(3) }),
        (apply(1, &["put b 2"]), Failure::Repeat { expected: Index(2), got: Index(1) }),
        (query("fail", 0), Failure::Machine { doing: "answer a query", applied: id(1, 1), text: "told to fail".to_owned() }),
        (query("panic", 0), Failure::Panicked { doing: "answer a query", applied: id(1, 1), text: "told to panic".to_owned() }),
    ];
    for (work, expected) in cases {
        let mut node = Node::with_groups(&[1, 2, 3]);
        node.applied(group(2), 1, &["put a 1"]);
        let jobs = vec![
            Job::Group(group(1), apply(1, &["put a 1"])),
            Job::Group(group(2), copy_of(work)),
            Job::Group(group(3), apply(1, &["put a 1"])),
        ];
        for done in node.turn(jobs) {
            match done {
                Done::Group(key, Outcome::Failed { reason, .. }) if key == group(2) => assert_eq!(reason, *expected),
                Done::Group(key, Outcome::Applied { .. }) if key != group(2) => {}
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert_eq!(
            node.data(group(2), FIRST_EPOCH).into_keys().collect::<Vec<_>>(),
            ["a"],
            "nothing of the failed batch stays: {expected}"
        );
        assert_eq!(failure(&node.one(group(2), apply(2, &["put c 1"]))), expected);
        assert_eq!(failure(&node.one(group(2), query("count", 0))), expected);
        assert_eq!(node.applied(group(1), 2, &["put b 2"]), ["2"]);
        assert!(matches!(node.one(group(2), open(FIRST_EPOCH)), Outcome::Opened { applied } if applied == id(1, 1)), "starts anew");
        assert_eq!(node.applied(group(2), 2, &["put b 2"]), ["2"]);
    }
}

fn copy_of(work: &Work) -> Work {
    match work {
        Work::Apply { first, entries, answers_from } => {
            Work::Apply { first: *first, entries: entries.clone(), answers_from: *answers_from }
        }
        Work::Query { id, min_applied, query } => Work::Query { id: *id, min_applied: *min_applied, query: query.clone() },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_gap_between_jobs_of_one_turn_applies_none_of_them() {
    let mut node = Node::with_groups(&[1]);
    let jobs = vec![Job::Group(group(1), apply(1, &["put a 1"])), Job::Group(group(1), apply(3, &["put b 1"]))];
    let done = node.turn(jobs);
    assert_eq!(done.len(), 2, "one answer per job");
    for done in &done {
        let Done::Group(_, outcome) = done else { panic!("{done:?}") };
        assert_eq!(*failure(outcome), Failure::Gap { expected: Index(2), got: Index(3) });
    }
    assert_eq!(node.key_count(group(1)), 0);
}

#[test]
fn an_unknown_group_or_incarnation_is_told_so() {
    let mut node = Node::with_groups(&[1]);
    let successor = GroupKey { incarnation: Incarnation(9), ..group(1) };
    for stranger in [group(2), successor] {
        for (work, of) in [(apply(1, &["put a 1"]), JobName::Apply), (query("count", 0), JobName::Query(QueryId(7)))] {
            let outcome = node.one(stranger, work);
            assert!(matches!(outcome, Outcome::Failed { reason: Failure::NotOpen, of: named } if named == of), "{outcome:?}");
        }
    }
    assert!(matches!(node.one(successor, Work::Destroy), Outcome::Failed { of: JobName::Destroy, .. }), "not its data");
    assert_eq!(node.applied(group(1), 1, &["put a 1"]), ["1"]);
}

#[test]
fn open_rebuilds_memory_and_notices_lost_and_damaged_data() {
    let mut node = Node::with_groups(&[1]);
    node.applied(group(1), 1, &["put a 1", "put b 2"]);
    let lost = Work::Open { machine: Box::new(Tally::default()), epoch: FIRST_EPOCH, log_base: Index(3) };
    assert_eq!(*failure(&node.one(group(1), lost)), Failure::StateLost { applied: id(1, 2), log_base: Index(3) });
    assert!(matches!(node.one(group(1), open(FIRST_EPOCH)), Outcome::Opened { applied } if applied == id(1, 2)));
    assert_eq!(node.applied(group(1), 3, &["put poison 3"]), ["3"]);
    let outcome = node.one(group(1), open(FIRST_EPOCH));
    let expected = Failure::Machine { doing: "open its data", applied: id(1, 3), text: "poisoned data".to_owned() };
    assert_eq!(*failure(&outcome), expected);
}

#[test]
fn a_failed_commit_is_the_end() {
    let mut node = Node::with_groups(&[1]);
    node.engine.fail();
    assert!(node.applier.turn(node.now, &mut vec![Job::Group(group(1), apply(1, &["put a 1"]))]).is_err());
}

#[test]
fn destroy_leaves_nothing_of_the_group_and_everything_of_its_neighbours() {
    let mut node = Node::with_groups(&[1, 2, 3]);
    let commands: Vec<String> = (0..1500).map(|number| format!("put key{number} v")).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    for local in [1, 2, 3] {
        node.applied(group(local), 1, &commands);
    }
    node.checkpoint();
    assert!(node.turn(vec![Job::Group(group(2), Work::Destroy)]).is_empty(), "in pieces: not done in one turn");
    assert!(node.key_count(group(2)) > 1000, "a piece is small");
    let done = node.rest();
    assert!(matches!(done[..], [Done::Group(key, Outcome::Destroyed)] if key == group(2)), "{done:?}");
    assert_eq!([1, 2, 3].map(|local| node.key_count(group(local))), [1501, 0, 1501]);
    assert_eq!(*failure(&node.one(group(2), query("count", 0))), Failure::NotOpen);
    let mut reborn = node.crash(Survivors::First(0));
    assert_eq!(reborn.key_count(group(2)), 0, "the answer came after the sync");
    assert!(reborn.turn(vec![Job::Group(group(2), Work::Destroy)]).is_empty());
    assert_eq!(reborn.rest().len(), 1, "asked again after a restart, it is answered again");
}

#[test]
fn close_keeps_the_data() {
    let mut node = Node::with_groups(&[1]);
    let jobs = vec![Job::Group(group(1), apply(1, &["put a 1"])), Job::Group(group(1), Work::Close)];
    let done = node.turn(jobs);
    assert!(matches!(done[..], [Done::Group(_, Outcome::Applied { .. }), Done::Group(_, Outcome::Closed)]), "{done:?}");
    assert_eq!(*failure(&node.one(group(1), query("count", 0))), Failure::NotOpen);
    assert!(matches!(node.one(group(1), open(FIRST_EPOCH)), Outcome::Opened { applied } if applied == id(1, 1)));
}

#[test]
fn a_machine_sees_no_other_groups_keys() {
    let mut node = Node::with_groups(&[1, 2]);
    node.applied(group(1), 1, &["put a one"]);
    assert_eq!(node.applied(group(2), 1, &["put b two"]), ["1"]);
    assert!(matches!(node.one(group(2), open(FIRST_EPOCH)), Outcome::Opened { .. }), "open scans everything it can see");
    assert_eq!(node.answer(group(2), "count"), "1");
    assert_eq!(node.answer(group(2), "get a"), "");
}

/// Queries wait until somebody takes the answers; applies do not wait with them, and a group that closes answers its own first.
#[test]
fn queries_wait_for_room_and_nothing_waits_for_them() {
    let mut node = Node::with_groups(&[1, 2]);
    node.applied(group(1), 1, &["put a 12345"]);
    node.applier.set_answer_room(8);
    let ask = |local: u32| Job::Group(group(local), query("get a", 0));
    let bytes = |done: &[Done]| done.iter().map(Done::answer_bytes).sum::<usize>();
    let done = node.turn(vec![ask(1), ask(1), ask(1), ask(2)]);
    assert_eq!((done.len(), bytes(&done)), (2, 10), "the room, and one answer beyond it");
    assert!(node.applier.background_due().is_some(), "the others are not forgotten");

    let done = node.turn(vec![Job::Group(group(2), apply(1, &["put b 1"]))]);
    assert!(matches!(done[..], [Done::Group(_, Outcome::Applied { .. })]), "{done:?}");
    let done = node.turn(vec![Job::Group(group(1), Work::Close)]);
    assert!(matches!(done[..], [Done::Group(_, Outcome::Answered { .. }), Done::Group(_, Outcome::Closed)]), "{done:?}");
    node.applier.set_answer_room(1);
    assert!(matches!(node.turn(Vec::new())[..], [Done::Group(key, Outcome::Answered { .. })] if key == group(2)));
}
