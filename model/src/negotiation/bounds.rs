//! The negotiation's named configurations.

use super::{ACCEPTOR, Budget, DIALER, Decisions, End, Negotiation, Speaks, mutants};
use crate::{
    catalog::{Catalog, Tier},
    engine::{breadth::Limits, walk::Plan},
    mistake,
};
use roadstead_spec::wire::negotiation::Policy::{Auto, Extended, Legacy};

const NONE: Budget = Budget { starts: 2, dials: 1, cuts: 0, requests: 0, flips: 0, mixed: 0, breaks: 0, boasts: 0 };

const fn dialer(speaks: Speaks) -> End {
    End::of(DIALER, speaks)
}

const fn acceptor(speaks: Speaks) -> End {
    End::of(ACCEPTOR, speaks)
}

const fn world(dialers: &'static [End], acceptors: &'static [End], budget: Budget) -> Negotiation {
    Negotiation { dialers, acceptors, budget, decisions: Decisions::PRODUCTION }
}

const AUTO: End = dialer(Speaks::Ours(Auto));
const DIALERS: &[End] =
    &[AUTO, dialer(Speaks::Ours(Legacy)), dialer(Speaks::Ours(Extended)), dialer(Speaks::Client), dialer(Speaks::Hostile)];
const PEER: End = acceptor(Speaks::Ours(Auto));
const ACCEPTORS: &[End] = &[PEER, acceptor(Speaks::Ours(Legacy)), acceptor(Speaks::Ours(Extended)), acceptor(Speaks::NuRaft)];

/// Every mix of programs, one connection, cut anywhere.
const MIXES: Negotiation = world(DIALERS, ACCEPTORS, Budget { cuts: 2, requests: 2, ..NONE });

/// Every mix of programs, one of which starts anew as something else.
const RESTARTS: Negotiation = world(DIALERS, ACCEPTORS, Budget { starts: 3, dials: 2, cuts: 2, requests: 2, ..NONE });

/// A peer that is upgraded or downgraded between two connections, and answers that are mixed up.
const RECONNECT: Negotiation = world(&[AUTO], ACCEPTORS, Budget { starts: 3, dials: 2, cuts: 1, requests: 2, mixed: 1, breaks: 1, ..NONE });

/// The same twice.
const AGAIN: Negotiation = world(&[AUTO], ACCEPTORS, Budget { starts: 4, dials: 3, cuts: 1, requests: 2, mixed: 1, breaks: 1, ..NONE });

const STRANGERS_DIAL: &[End] = &[AUTO, End { store: 9, ..AUTO }, End { cluster: 2, ..AUTO }, End { node: 5, store: 5, ..AUTO }];
const STRANGERS_ACCEPT: &[End] = &[
    PEER,
    End { store: 9, ..PEER },
    End { node: 3, store: 3, ..PEER },
    End { cluster: 2, ..PEER },
    End { node: 3, ..acceptor(Speaks::NuRaft) },
];

/// Strangers at either end: another data folder, node, cluster.
const STRANGERS: Negotiation = world(STRANGERS_DIAL, STRANGERS_ACCEPT, Budget { starts: 4, dials: 2, requests: 1, ..NONE });

/// More of them.
const CROWD: Negotiation = world(STRANGERS_DIAL, STRANGERS_ACCEPT, Budget { starts: 5, dials: 3, cuts: 1, requests: 1, ..NONE });

/// A bit flips, a header announces a gigabyte.
const DAMAGE: Negotiation = world(DIALERS, ACCEPTORS, Budget { cuts: 2, requests: 2, flips: 1, boasts: 1, ..NONE });

/// Two bits flip.
const DAMAGED_TWICE: Negotiation = world(DIALERS, ACCEPTORS, Budget { cuts: 2, requests: 2, flips: 2, boasts: 1, ..NONE });

/// Requests and answers of version 0.
const ANSWERS: Negotiation = world(
    &[dialer(Speaks::Ours(Legacy)), AUTO],
    &[PEER, acceptor(Speaks::Ours(Legacy))],
    Budget { dials: 2, cuts: 1, requests: 5, breaks: 1, ..NONE },
);

/// For walks.
const WIDE: Negotiation =
    world(DIALERS, ACCEPTORS, Budget { starts: 6, dials: 6, cuts: 6, requests: 8, flips: 1, mixed: 1, breaks: 3, boasts: 1 });

/// Enters the world into the catalog.
pub fn register(catalog: &mut Catalog) {
    let world = catalog.world("negotiation", "two ends of any mixture of programs and policies, on real bytes, cut anywhere");
    world.search("negotiation-mixes", Tier::Quick, "5 dialers by 4 acceptors, a connection, 2 cuts, 2 requests", MIXES).golden(1_766, 13);
    world
        .search("negotiation-strangers", Tier::Quick, "4 dialers by 5 acceptors, 2 restarts, 2 connections, a request", STRANGERS)
        .golden(11_892, 13);
    world
        .search("negotiation-restarts", Tier::Ci, "5 dialers by 4 acceptors, a restart, 2 connections, 2 cuts, 2 requests", RESTARTS)
        .golden(110_199, 18);
    let bounds = "a peer up- or downgraded between 2 connections, a cut, a break, a mixed-up answer, 2 requests";
    world.search("negotiation-reconnect", Tier::Ci, bounds, RECONNECT).golden(54_866, 21);
    world
        .search("negotiation-damage", Tier::Ci, "5 dialers by 4 acceptors, 2 cuts, a flipped bit, a gigabyte announced, 2 requests", DAMAGE)
        .golden(26_265, 16);
    world.search("negotiation-answers", Tier::Ci, "version 0: 5 requests, 2 connections, a cut, a break", ANSWERS).golden(51_705, 26);
    world.search("negotiation-again", Tier::Nightly, "as reconnect, with 2 restarts and 3 connections", AGAIN);
    world.search("negotiation-crowd", Tier::Nightly, "as strangers, with 3 restarts, 3 connections and a cut", CROWD);
    world.search("negotiation-damaged-twice", Tier::Nightly, "as damage, with 2 flipped bits", DAMAGED_TWICE);
    world.walks(
        "negotiation-walks",
        Tier::Ci,
        "all programs, 6 restarts, 6 connections, 8 requests",
        WIDE,
        Plan::steps(1, 18_000_000).length(150),
    );
    let with = |mut world: Negotiation, put_in: fn(&mut Decisions)| {
        put_in(&mut world.decisions);
        world
    };
    mistake::register(world, mutants::ALL, |mutant, put_in| {
        if mutant.negative_control {
            mutant.breadth("as negotiation-restarts", with(RESTARTS, put_in), Limits::states(200_000)).walks(
                "as negotiation-walks",
                with(WIDE, put_in),
                Plan::steps(1, 500_000).length(150),
            );
            return;
        }
        let limits = Limits::states(300_000);
        mutant
            .breadth("as negotiation-mixes", with(MIXES, put_in), limits)
            .breadth("as negotiation-strangers", with(STRANGERS, put_in), limits)
            .breadth("as negotiation-reconnect", with(RECONNECT, put_in), limits)
            .breadth("as negotiation-answers", with(ANSWERS, put_in), limits)
            .breadth("as negotiation-damage", with(DAMAGE, put_in), limits)
            .walks("as negotiation-walks", with(WIDE, put_in), Plan::steps(1, 2_000_000).length(150));
    });
}
