//! Every engine against one world that can be counted by other means.

mod toy;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roadstead_model::{
    Moved, Seen, World,
    engine::{
        NO_PANIC, Unwatched, alike,
        breadth::{Ended, Limits, search},
        script::{script, story},
        stateright::depth_first,
        walk::{Plan, walk},
    },
};
use toy::{Action, HONEST, State, Toy};

/// All states and the depth, by the simplest program there is.
fn brute_force(world: &Toy) -> (HashSet<State>, u32, u64) {
    let mut known = HashSet::from([world.initial()]);
    let mut waiting = VecDeque::from([(world.initial(), 0)]);
    let (mut depth_max, mut transitions) = (0, 0);
    while let Some((state, depth)) = waiting.pop_front() {
        depth_max = depth;
        let mut actions = Vec::new();
        world.actions(&state, &mut actions);
        for action in actions {
            let mut next = state.clone();
            if world.step(&mut next, action, &mut Seen::default()) == Ok(Moved::Yes) {
                transitions += 1;
                if known.insert(next.clone()) {
                    waiting.push_back((next, depth + 1));
                }
            }
        }
    }
    (known, depth_max, transitions)
}

#[test]
fn breadth_counts_what_brute_force_counts() {
    let plain = Toy { symmetric: false, ..HONEST };
    let (states, depth, transitions) = brute_force(&plain);
    let found = search(&plain, &Limits::DEFAULT, 2, &Unwatched);
    assert_eq!((found.ended, found.states, found.depth, found.transitions), (Ended::Exhausted, states.len() as u64, depth, transitions));

    // Under symmetry: one state for each multiset of members.
    let classes: HashSet<_> = states
        .into_iter()
        .map(|mut state| {
            state.members.sort_unstable();
            state
        })
        .collect();
    let found = search(&HONEST, &Limits::DEFAULT, 2, &Unwatched);
    assert_eq!((found.ended, found.states, found.depth), (Ended::Exhausted, classes.len() as u64, depth));
}

#[test]
fn stateright_counts_what_breadth_counts() {
    for symmetric in [true, false] {
        let world = Toy { symmetric, ..HONEST };
        let breadth = search(&world, &Limits::DEFAULT, 2, &Unwatched);
        for threads in [1, 2] {
            let depth = depth_first(&Arc::new(world), Duration::from_secs(60), threads);
            assert!(depth.exhausted && depth.found.is_none());
            assert_eq!(depth.states, breadth.states);
            for sight in 0..3 {
                assert_eq!(depth.seen.has(sight), breadth.sights.depth(sight).is_some());
            }
        }
    }
}

/// Big enough for several rounds in one level.
const BIG: Toy = Toy { members: 6, visits_max: 4, symmetric: false, ..HONEST };

#[test]
fn breadth_reports_the_same_for_any_number_of_threads() {
    let rude = Toy { rude_after: Some(2), ..BIG };
    for world in [BIG, rude] {
        let limits = Limits::states(60_000);
        let one = search(&world, &limits, 1, &Unwatched);
        for threads in [2, 3, 8] {
            let other = search(&world, &limits, threads, &Unwatched);
            assert_eq!(one.ended, other.ended);
            assert_eq!((one.states, one.transitions, one.depth), (other.states, other.transitions, other.depth));
            assert_eq!((&one.found, &one.sights), (&other.found, &other.sights));
        }
    }
}

#[test]
fn breadth_finds_the_shortest_way() {
    for symmetric in [true, false] {
        // Ask, enter and leave once; ask again; another one asks and enters; the rude one enters too.
        let world = Toy { symmetric, rude_after: Some(1), ..HONEST };
        let found = search(&world, &Limits::DEFAULT, 2, &Unwatched);
        assert_eq!(found.ended, Ended::Broken);
        let found = found.found.unwrap();
        assert_eq!((found.broken.law, found.actions.len()), ("T-1", 7));
        // It replays as it is, and tells its story.
        assert_eq!(script(&world, &found.actions).unwrap().found.as_ref(), Some(&found));
        assert_eq!(story(&world, &found.actions).unwrap().len(), 7);
    }
}

#[test]
fn breadth_notes_when_sights_are_first_seen() {
    let found = search(&HONEST, &Limits::DEFAULT, 1, &Unwatched);
    assert_eq!(found.sights.depth(0), Some(2));
    assert_eq!(found.sights.depth(1), Some(4 * 3 * 3));
    assert_eq!(found.sights.depth(2), None);
}

#[test]
fn breadth_keeps_its_limits() {
    let found = search(&BIG, &Limits::states(10_000), 2, &Unwatched);
    assert_eq!(found.ended, Ended::States);
    let found = search(&BIG, &Limits::DEFAULT.within(Duration::ZERO), 2, &Unwatched);
    assert_eq!(found.ended, Ended::Time);
    let found = search(&BIG, &Limits { memory: 1, ..Limits::DEFAULT }, 2, &Unwatched);
    assert_eq!(found.ended, Ended::Memory);
}

#[test]
fn stateright_finds_the_broken_law() {
    let world = Toy { rude_after: Some(1), ..HONEST };
    let found = depth_first(&Arc::new(world), Duration::from_secs(60), 2);
    assert!(!found.exhausted);
    let found = found.found.unwrap();
    assert_eq!(found.broken.law, "T-1");
    assert_eq!(script(&world, &found.actions).unwrap().found, Some(found));
}

#[test]
fn walks_find_the_broken_law_and_leave_out_what_does_not_matter() {
    let world = Toy { members: 5, visits_max: 9, rude_after: Some(2), ..HONEST };
    for seed in 0..5 {
        let walked = walk(&world, &Plan::steps(seed, 10_000_000), 1, &Unwatched);
        let found = walked.found.unwrap();
        // Nothing can be left out of a path that is minimal, and breadth-first search finds none that is shorter.
        assert_eq!(found.actions.len(), 10);
        assert!(walked.found_after.unwrap() >= 10);
        assert_eq!(script(&world, &found.actions).unwrap().found, Some(found));
    }
}

#[test]
fn walks_are_the_same_for_any_number_of_threads() {
    let rude = Toy { members: 5, visits_max: 9, rude_after: Some(8), ..HONEST };
    for world in [HONEST, rude] {
        let plan = Plan::steps(7, 200_000);
        let one = walk(&world, &plan, 1, &Unwatched);
        assert!(one.steps >= 200_000 || one.found.is_some());
        for threads in [2, 5] {
            let other = walk(&world, &plan, threads, &Unwatched);
            assert_eq!((one.steps, one.walks), (other.steps, other.walks));
            assert_eq!((&one.found, &one.sights), (&other.found, &other.sights));
        }
    }
}

#[test]
fn a_walk_in_a_world_without_actions_ends() {
    let still = Toy { visits_max: 0, ..HONEST };
    assert_eq!(walk(&still, &Plan::steps(1, 1_000), 2, &Unwatched).steps, 0);
}

#[test]
fn a_script_says_what_is_not_possible() {
    let refused = script(&HONEST, &[Action::Ask(0), Action::Leave(0)]).unwrap_err();
    assert_eq!((refused.at, refused.action.as_str()), (1, "Leave(0)"));
    assert!(refused.possible.contains(&"Enter(0)".to_owned()));
}

#[test]
fn a_panic_is_a_broken_law_with_a_way_there() {
    let world = Toy { rude_after: Some(1), panics: true, ..HONEST };
    let found = search(&world, &Limits::DEFAULT, 2, &Unwatched).found.unwrap();
    assert_eq!((found.broken.law, found.broken.values.as_str(), found.actions.len()), (NO_PANIC, "2 are inside", 7));
    assert_eq!(story(&world, &found.actions).unwrap().len(), 7);
    let walked = walk(&world, &Plan::steps(1, 1_000_000), 2, &Unwatched).found.unwrap();
    assert_eq!((walked.broken.law, walked.actions.len()), (NO_PANIC, 7));
    let deep = depth_first(&Arc::new(world), Duration::from_secs(60), 1).found.unwrap();
    assert_eq!(deep.broken.law, NO_PANIC);
}

/// Goal: a fingerprint that forgets more than names is found out. Method: a right one; one that takes a member inside for one that waits.
#[test]
fn states_that_only_look_alike_are_told_apart() {
    let pairs = alike(&HONEST, 10_000).expect("members are interchangeable").pairs;
    assert!(pairs > 100, "{pairs} pairs");
    let unlike = alike(&Toy { forgetful: true, ..HONEST }, 10_000).expect_err("who is inside matters");
    assert!(unlike.to_string().contains("behave differently"), "{unlike}");
}
