//! The dispatcher's named configurations.

use super::{Budget, Decisions, Dispatcher, mutants};
use crate::{
    catalog::{Catalog, Tier},
    engine::{breadth::Limits, walk::Plan},
    mistake,
};

const fn world(groups: u8, budget: Budget) -> Dispatcher {
    Dispatcher { groups, lives: 2, budget, decisions: Decisions::PRODUCTION }
}

/// Two groups, and little of everything.
const QUICK: Dispatcher = world(2, Budget { frames: 2, legacy: 0, requests: 0, forged: 1, registrations: 2, stops: 1, failures: 1 });

/// The connection of version 0 beside the other one.
const LEGACY: Dispatcher = world(2, Budget { frames: 1, legacy: 1, requests: 1, forged: 0, registrations: 2, stops: 1, failures: 0 });

/// Full mailboxes.
const FULL: Dispatcher = world(2, Budget { frames: 3, legacy: 0, requests: 1, forged: 0, registrations: 2, stops: 1, failures: 0 });

/// Three groups.
const THREE: Dispatcher = world(3, Budget { frames: 2, legacy: 1, requests: 0, forged: 0, registrations: 3, stops: 1, failures: 0 });

/// Several lives, one after the other.
const LIVES: Dispatcher = world(2, Budget { frames: 2, legacy: 1, requests: 1, forged: 1, registrations: 3, stops: 2, failures: 1 });

/// For walks.
const WIDE: Dispatcher = Dispatcher {
    groups: 3,
    lives: 3,
    budget: Budget { frames: 12, legacy: 4, requests: 4, forged: 1, registrations: 8, stops: 6, failures: 1 },
    decisions: Decisions::PRODUCTION,
};

/// Enters the world into the catalog.
pub fn register(catalog: &mut Catalog) {
    let world = catalog.world("dispatcher", "the registry between connections and mailboxes; groups that come, go and come again");
    world.search("dispatcher-quick", Tier::Quick, "2 groups, 2 lives, 2 frames, a forged one, a stop, a failure", QUICK).golden(89_624, 17);
    world
        .search("dispatcher-legacy", Tier::Quick, "2 groups, 2 lives, a frame, one of version 0, a request, a stop", LEGACY)
        .golden(46_094, 17);
    world.search("dispatcher-full", Tier::Ci, "2 groups, 3 frames and a request, a stop", FULL).golden(353_300, 19);
    world.search("dispatcher-three", Tier::Ci, "3 groups, 2 frames, one of version 0, a stop", THREE).golden(60_076, 19);
    world.search("dispatcher-lives", Tier::Nightly, "2 groups, 3 registrations, 2 stops, everything else once", LIVES);
    world.walks(
        "dispatcher-walks",
        Tier::Ci,
        "3 groups, 3 lives, 20 frames, 8 registrations",
        WIDE,
        Plan::steps(1, 25_000_000).length(120),
    );
    let with = |mut world: Dispatcher, put_in: fn(&mut Decisions)| {
        put_in(&mut world.decisions);
        world
    };
    mistake::register(world, mutants::ALL, |mutant, put_in| {
        if mutant.negative_control {
            mutant.breadth("as dispatcher-legacy", with(LEGACY, put_in), Limits::states(200_000)).walks(
                "as dispatcher-walks",
                with(WIDE, put_in),
                Plan::steps(1, 500_000).length(120),
            );
            return;
        }
        mutant
            .breadth("as dispatcher-quick", with(QUICK, put_in), Limits::states(1_000_000))
            .breadth("as dispatcher-legacy", with(LEGACY, put_in), Limits::states(1_000_000))
            .breadth("as dispatcher-full", with(FULL, put_in), Limits::states(1_000_000))
            .walks("as dispatcher-walks", with(WIDE, put_in), Plan::steps(1, 3_000_000).length(120));
    });
}
