//! The Raft world under the engines, within seconds: nothing is broken, everything worth to be seen is seen, known stories end as they are told.
//! What takes longer is `roadstead-model check raft` and `roadstead-model mutants raft`.

use roadstead_model::{
    Seen, World,
    engine::{
        Unwatched,
        breadth::{self, Limits},
        walk::{self, Plan},
    },
    raft::{
        Action, Bounds, Build, Judge, NOBODY, RaftWorld,
        group::id_at,
        mutants::{self, Hunt},
        scopes::{ALONE, CALM_3, HISTORIES, STEPS_3, STEPS_5, STRANGERS, Scope, WIDE_1, WIDE_2, WIDE_3, WIDE_4},
        script::{ASKS_TOO_EARLY, COUNTS_ITSELF_TOO_EARLY, READS_AT_A_FORMER_LEADER, Script},
        sights::SIGHTS,
    },
};

/// Goal: within small bounds nothing is broken. Method: all states.
#[test]
fn small_worlds_are_exhausted() {
    for scope in [ALONE, STRANGERS] {
        let searched = breadth::search(&RaftWorld::new(scope.bounds), &Limits::states(1_000_000), 2, &Unwatched);
        assert_eq!(searched.found, None, "{}", scope.words);
        assert!(searched.exhausted(), "{}: {} states", scope.words, searched.states);
    }
}

/// Goal: no law holds for want of anything to break it. Method: walks in every kind of world see every sight.
#[test]
fn everything_worth_to_be_seen_is_seen() {
    let mut missing: Vec<usize> = (0..SIGHTS.len()).collect();
    for (scope, steps) in [
        (WIDE_3, 200_000),
        (STEPS_3, 200_000),
        (STEPS_5, 60_000),
        (WIDE_4, 30_000),
        (WIDE_2, 30_000),
        (WIDE_1, 10_000),
        (CALM_3, 30_000),
        (HISTORIES, 30_000),
    ] {
        let walked = walk::walk(&RaftWorld::new(scope.bounds), &Plan::steps(3, steps), 2, &Unwatched);
        assert_eq!(walked.found, None, "{}", scope.words);
        missing.retain(|sight| walked.sights.depth(*sight).is_none());
    }
    let missing: Vec<&str> = missing.into_iter().map(|sight| SIGHTS[sight].name).collect();
    assert!(missing.is_empty(), "never seen: {missing:#?}");
}

/// Goal: the stories that searches miss end badly under their mistakes, and well under the papers' rules.
#[test]
fn known_stories_end_as_they_are_told() {
    let told = |id: &str| mutants::all().find(|mutant| mutant.id == id).expect("it is listed").build;
    check(&COUNTS_ITSELF_TOO_EARLY, told("B-C09"), "I-R4");
    check(&ASKS_TOO_EARLY, told("B-E02b"), "I-R1");
    check(&READS_AT_A_FORMER_LEADER, told("B-R02"), "I-L2");
    check(&READS_AT_A_FORMER_LEADER, told("B-R03"), "I-L2");
    check(&READS_AT_A_FORMER_LEADER, told("B-R04"), "I-L2");
}

fn check(script: &Script, build: Build, law: &str) {
    let world = RaftWorld::of(script.scope.bounds, build).judged_by(script.judge);
    let (actions, broken) = script.play(&world);
    assert_eq!(broken.map(|broken| broken.law), Some(law), "{} in {} steps", script.name, actions.len());
    let mut group = world.initial();
    let world = RaftWorld::new(script.scope.bounds);
    // What the mistake sent is not always there to arrive, so only as much as is possible is played.
    for action in actions {
        let mut possible = Vec::new();
        world.actions(&group, &mut possible);
        if !possible.contains(&action) {
            break;
        }
        world.step(&mut group, action, &mut Seen::default()).expect("the papers' rules keep every law");
    }
}

/// Goal: mistakes that a law of single steps sees are caught within moments. Method: short walks of those that need few steps.
#[test]
fn plain_mistakes_are_caught_at_once() {
    for id in ["B-E01", "B-E16", "B-C03", "B-C04", "B-F26", "B-N4", "B-O13.raft", "B-S11", "B-F31.raft"] {
        let mutant = mutants::all().find(|mutant| mutant.id == id).expect("it is listed");
        let caught = mutant.hunts.iter().any(|hunt| {
            let world = |scope: &Scope| RaftWorld::of(scope.bounds, mutant.build);
            let found = match hunt {
                Hunt::Breadth(scope, _) => {
                    breadth::search(&world(scope), &Limits::states(50_000), 2, &Unwatched).found.map(|found| found.broken)
                }
                Hunt::Walks(scope, seed, _) => {
                    walk::walk(&world(scope), &Plan::steps(*seed, 600_000), 2, &Unwatched).found.map(|found| found.broken)
                }
                Hunt::Harm(..) | Hunt::Clients(..) | Hunt::Told(_) => None,
            };
            found.is_some_and(|broken| mutant.laws.contains(&broken.law))
        });
        assert!(caught, "{id} is not caught");
    }
}

/// Goal: a group at rest recovers whoever is missing, and a mistake that only blocks is seen by the calm alone.
#[test]
fn a_calm_elects_commits_and_applies() {
    let mut bounds = WIDE_3.bounds;
    bounds.budget.timeouts = 0;
    let world = RaftWorld::new(bounds);
    for (without, stalled) in [(NOBODY, false), (0, false), (1, true), (2, true)] {
        let mut group = world.initial();
        world.step(&mut group, Action::Calm { without, stalled }, &mut Seen::default()).expect("it recovers");
        assert!(group.history.committed.len() >= 2, "the opening entry and a write");
    }
    let deaf = mutants::all().find(|mutant| mutant.id == "B-F14").expect("it is listed");
    let world = RaftWorld::of(bounds, deaf.build).judged_by(Judge::History);
    let broken = world.step(&mut world.initial(), Action::Calm { without: 0, stalled: false }, &mut Seen::default());
    assert_eq!(broken.map_err(|broken| broken.law), Err("I-V1"));
}

/// Goal: bounds name groups. Method: each size.
#[test]
fn every_size_has_its_members() {
    for voters in 1..=7 {
        let world = RaftWorld::new(Bounds { voters, ..Bounds::SMALL });
        assert!(world.params().voters().iter().eq((0..voters.into()).map(id_at)));
    }
}
