//! What holds in every order.

use roadstead_loom::{
    counts,
    planted::Clock::Stands,
    threads::{self, Await, Plan},
};

/// The third round has to wait for the witness, or for its failure.
const BOUND: Plan = Plan { items: &[(1, false); 3], rounds_max: 2, clock: Stands, awaits: Await::Each, interruptions_max: 2, ..Plan::CALM };

#[test]
fn queue_loses_nothing_and_keeps_order() {
    threads::queue("queue");
}

#[test]
fn all_is_told_once_and_in_order_when_the_end_comes_at_any_time() {
    threads::run("end", Plan { items: &[(1, false), (2, true), (1, false)], ..Plan::CALM });
}

#[test]
fn all_is_told_once_and_in_order_without_an_end() {
    threads::run("rounds", Plan { items: &[(1, false), (2, false), (1, false)], awaits: Await::All, ..Plan::CALM });
}

/// A vote is told without clock and end, and when the witness remembers it; what its group completes next waits for it.
#[test]
fn votes_are_told_in_order() {
    threads::run("votes", Plan { items: &[(1, true), (2, false), (1, false)], awaits: Await::All, clock: Stands, ..Plan::CALM });
}

/// The witness thread waits for a time that does not come, since a round before is not remembered.
#[test]
fn a_vote_behind_a_round_is_told_at_once() {
    threads::run("vote behind", Plan { items: &[(1, false), (1, true)], awaits: Await::Each, clock: Stands, ..Plan::CALM });
}

#[test]
fn every_round_is_remembered_in_time() {
    threads::run("time", Plan { items: &[(1, false), (1, false)], awaits: Await::Remembered, ..Plan::CALM });
}

/// With the clock standing, the second round is what makes the slot due.
#[test]
fn many_rounds_are_remembered_before_their_time() {
    let plan = Plan { items: &[(1, false), (1, false)], rounds_max: 4, clock: Stands, awaits: Await::Remembered, ..Plan::CALM };
    threads::run("rounds make due", plan);
}

#[test]
fn the_witness_is_never_further_behind_than_its_bound() {
    threads::run("bound", BOUND);
}

#[test]
fn a_failing_commit_ends_both() {
    threads::run("failing commit", Plan { items: &[(1, true), (1, false), (2, false)], commit_fails: Some(2), ..Plan::CALM });
}

#[test]
fn a_failing_witness_ends_both() {
    threads::run("failing witness", Plan { witness_fails: Some(1), ..BOUND });
}

#[test]
fn a_failing_witness_fails_its_votes() {
    threads::run("failing vote", Plan { items: &[(1, true), (2, false)], witness_fails: Some(1), awaits: Await::All, ..Plan::CALM });
}

#[test]
fn one_failure_is_told_if_both_fail() {
    threads::run("both fail", Plan { items: &[(1, true), (1, false)], commit_fails: Some(2), witness_fails: Some(1), ..Plan::CALM });
}

#[test]
fn connections_fit_their_places() {
    counts::slots("slots", 2, 1);
    counts::slots("more slots", 4, 1);
}

#[test]
fn calls_fit_their_budget() {
    counts::budget("budget");
}

#[test]
fn answers_are_counted_before_they_leave() {
    counts::answers("answers", false);
}

#[test]
fn nobody_goes_back_to_an_address_that_failed() {
    counts::target("target");
}
