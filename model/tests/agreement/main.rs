//! The two worlds agree: the Raft world of this package, which runs production's functions, and `tla/Raft.tla`, which was written without them.
//!
//! - *Steps*: every transition of a small world is steps of the module, or changes nothing there. `tla-eval` judges each.
//! - *Vectors*: term, role, vote, log and commit index of all members, as TLC reaches them under equal bounds, are what the world reaches; or a list names the
//!   action of the module that makes others, and why.
//!
//! How the grains fit is told in `follow`, what a state of the world is in the module in `project`, and under which bounds in `configuration`.

mod configuration;
mod explore;
mod follow;
mod judge;
mod module;
mod project;
mod record;
mod run;
mod tlc;
mod vector;
#[path = "../written/mod.rs"]
mod written;

use configuration::{CONFLICTS, CRASH, Configuration, ELECTIONS, REPLICATION, THREE};
use explore::{Explored, Refused, explore};
use judge::{ACTIONS, Judge, spec};
use roadstead_model::raft::{Bounds, Build, mutants};
use roadstead_spec::raft::{Effect, Event, Message, Params, State, step};
use std::{collections::BTreeSet, time::Instant};
use vector::Vector;

/// Goal: the two agree within small bounds. Method: each configuration both ways.
#[test]
fn elections_agree() {
    agree(&ELECTIONS);
}

#[test]
fn replication_agrees() {
    agree(&REPLICATION);
}

#[test]
fn a_crash_agrees() {
    agree(&CRASH);
}

#[test]
fn three_members_agree() {
    agree(&THREE);
}

/// Goal: what replaces a conflicting entry is judged, too. Method: every transition of a configuration that is too large for the other way.
#[test]
fn conflicts_are_allowed() {
    every_step_is_allowed(&CONFLICTS);
}

fn agree(configuration: &Configuration) {
    configuration.is_told_to_tlc();
    let theirs = tlc::vectors(configuration.name);
    let ours = every_step_is_allowed(configuration);
    let more: Vec<&Vector> = ours.difference(&theirs).collect();
    assert!(more.is_empty(), "{}: TLC does not reach {more:#?}", configuration.name);
    let unexplained = unexplained(configuration, &theirs, &ours);
    assert!(unexplained.is_empty(), "{}: only TLC reaches {unexplained:#?}", configuration.name);
}

/// Goal: TLC judges a run of this world, too. Method: a path through it is told as `tla/traces/TraceRaft.world.tla`, which must be what is committed.
#[test]
fn the_run_is_the_committed_one() {
    run::run().is_committed();
}

/// Has every transition judged; the vectors that were reached.
fn every_step_is_allowed(configuration: &Configuration) -> BTreeSet<Vector> {
    let spec = spec(None);
    let mut judge = Judge::new(&spec, configuration.scopes[0].voters);
    let mut vectors = BTreeSet::new();
    for bounds in configuration.scopes {
        let begin = Instant::now();
        let Explored { states, transitions, stutters, vectors: reached } =
            explore(*bounds, configuration.term_max, Build::PAPER, &mut judge)
                .unwrap_or_else(|Refused { told, why, .. }| panic!("{}: {told}\n{why}", configuration.name));
        let seconds = begin.elapsed().as_secs_f32();
        println!("{}: {states} states, {transitions} transitions, {stutters} change nothing, {seconds:.1} s", configuration.name);
        vectors.extend(reached);
    }
    println!("{}: {} vectors, {} steps: {:?}", configuration.name, vectors.len(), judge.judged(), judge.actions);
    let absent: Vec<&str> = ACTIONS.iter().map(|(_, action)| *action).filter(|action| !judge.actions.contains_key(action)).collect();
    let expected: BTreeSet<&str> = configuration.absent.iter().copied().collect();
    assert_eq!(absent.into_iter().collect::<BTreeSet<_>>(), expected, "{}: actions that no transition makes", configuration.name);
    vectors
}

/// What TLC alone reaches and no entry of the list explains; each entry explains as many as it says.
fn unexplained<'a>(configuration: &Configuration, theirs: &'a BTreeSet<Vector>, ours: &'a BTreeSet<Vector>) -> Vec<&'a Vector> {
    let mut missing: Vec<&Vector> = theirs.difference(ours).collect();
    for unreached in configuration.unreached {
        let before = missing.len();
        missing.retain(|vector| !(unreached.is)(vector));
        assert_eq!(before - missing.len(), unreached.count, "{} of {}: {}", unreached.action, configuration.name, unreached.why);
    }
    missing
}

/// Goal: the judge sees mistakes of the code, and says what is wrong with them. Method: mutants of the model, without the laws that would catch them first.
#[test]
fn a_mistake_is_refused_and_its_conjunct_named() {
    for (id, action, conjunct) in [
        ("B-E02b", "Campaign", "RequestVote"),
        ("B-E02.raft", "GrantVote", "Vote"),
        ("B-E09", "GrantPreVote", "s.vote \\in {None, m.from}"),
        ("B-C09", "AdvanceCommit", "IsQuorum(Holds"),
    ] {
        let build = mutants::all().find(|mutant| mutant.id == id).expect("it is listed").build;
        let refused = refused(None, build);
        let refusal = refused.refusal.as_ref().unwrap_or_else(|| panic!("{id}: {}\n{}", refused.told, refused.why));
        assert_eq!(refusal.action, action, "{id}: {}\n{}", refused.told, refused.why);
        assert!(refusal.conjunct.contains(conjunct), "{id}: {}\n{}", refused.told, refused.why);
    }
}

/// Goal: it is this module that judges. Method: lines of it are replaced, and production's steps are refused.
#[test]
fn another_module_refuses_what_production_does() {
    let gated = r#"{[type |-> "Vote", term |-> m.term, from |-> n, to |-> m.from]}, {})"#;
    let at_once = r#"{}, {[type |-> "Vote", term |-> m.term, from |-> n, to |-> m.from]})"#;
    let vote_at_once = refused(Some((gated, at_once)), Build::PAPER);
    let refusal = vote_at_once.refusal.as_ref().unwrap_or_else(|| panic!("{}\n{}", vote_at_once.told, vote_at_once.why));
    assert_eq!(refusal.action, "GrantVote", "{}\n{}", vote_at_once.told, vote_at_once.why);

    // A refused pre-vote is heard when who refused has gone on to a later term: what this comparison found.
    let any = "LearnTermOf(n, term) == PreVote /\\ term <= history.highest";
    let of_now = refused(Some((any, "LearnTermOf(n, term) == PreVote /\\ \\E j \\in Node : node[j].term = term")), Build::PAPER);
    assert!(of_now.told.contains("PreVoteResponse of term 1, granted false; 2: enters term 1"), "{}\n{}", of_now.told, of_now.why);
}

fn refused(change: Option<(&str, &str)>, build: Build) -> Refused {
    let spec = spec(change);
    let bounds: Bounds = ELECTIONS.scopes[0];
    let mut judge = Judge::new(&spec, bounds.voters);
    explore(bounds, ELECTIONS.term_max, build, &mut judge).expect_err("a mistake is refused")
}

/// Goal: a world that reaches too little is seen, though each of its steps is allowed. Method: nobody hears a pre-vote of a second term.
#[test]
fn a_world_that_reaches_too_little_is_seen() {
    fn deaf(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
        if !matches!(&event, Event::Receive { message: Message::PreVote { term, .. }, .. } if term.0 > 1) {
            step(params, state, event, out);
        }
    }
    let spec = spec(None);
    let mut judge = Judge::new(&spec, 2);
    let mut ours = BTreeSet::new();
    for bounds in ELECTIONS.scopes {
        let explored = explore(*bounds, ELECTIONS.term_max, Build::PAPER.stepping(deaf), &mut judge);
        ours.extend(explored.unwrap_or_else(|refused| panic!("{}\n{}", refused.told, refused.why)).vectors);
    }
    let theirs = tlc::vectors(ELECTIONS.name);
    let unexplained = unexplained(&ELECTIONS, &theirs, &ours);
    let is_later = |vector: &&Vector| vector.0.iter().any(|member| member.term == 2);
    assert!(unexplained.len() > 10 && unexplained.iter().all(is_later), "{unexplained:#?}");
}
