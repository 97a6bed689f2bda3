//! The composed world's named configurations.

use super::{Budget, Composed, Decisions, mutants};
use crate::{
    catalog::{Catalog, Tier},
    engine::{breadth::Limits, walk::Plan},
    mistake,
};

const NONE: Budget = Budget { timeouts: [1, 1], proposals: [0, 0], heartbeats: [0, 0], breaks: 0, stops: 0 };

/// Nodes 1 and 2: a quorum of three.
const QUORUM: u8 = 0b011;

fn world(groups: u8, electors: [u8; 2], budget: Budget) -> Composed {
    let (params, decisions) = (Composed::params(), Decisions::PRODUCTION);
    Composed { groups, electors, reachable: QUORUM, legacy: 0, budget, params, decisions }
}

/// Both groups elect a leader, and it writes.
fn elections() -> Composed {
    world(2, [0b011, 0b011], Budget { proposals: [1, 0], ..NONE })
}

/// Both groups elect a leader, and both write.
fn writes() -> Composed {
    world(2, [0b011, 0b011], Budget { proposals: [1, 1], ..NONE })
}

/// And say what is committed.
fn heartbeats() -> Composed {
    world(2, [0b011, 0b011], Budget { proposals: [1, 1], heartbeats: [1, 1], ..NONE })
}

/// Groups elect different nodes, and write; a member stops.
fn stops() -> Composed {
    world(2, [0b001, 0b011], Budget { proposals: [1, 1], stops: 1, ..NONE })
}

/// Node 1 speaks version 0 to node 2; connections break and change.
fn versions() -> Composed {
    Composed { legacy: 0b000_000_010, ..world(2, [0b001, 0b011], Budget { proposals: [1, 1], breaks: 2, ..NONE }) }
}

/// All three nodes.
fn three() -> Composed {
    Composed { reachable: 0b111, ..world(2, [0b001, 0b001], NONE) }
}

/// For walks.
fn wide() -> Composed {
    let budget = Budget { timeouts: [4, 4], proposals: [3, 3], heartbeats: [3, 3], breaks: 3, stops: 2 };
    Composed { legacy: 0b000_000_010, reachable: 0b111, ..world(2, [0b111, 0b111], budget) }
}

/// The bounds under which two groups together and one group alone are compared: how many groups, and nothing else, differs.
pub fn bounds_of(groups: u8) -> Composed {
    world(groups, [0b001, 0b001], Budget { proposals: [1, 1], ..NONE })
}

/// Enters the world into the catalog.
pub fn register(catalog: &mut Catalog) {
    let world = catalog.world("composed", "two groups on three nodes behind one port: each makes the steps that it would make alone");
    world
        .search("composed-elections", Tier::Quick, "both groups elect node 1 or 2, one writes, node 3 is away", elections())
        .golden(5_467, 35);
    world.search("composed-writes", Tier::Ci, "both groups elect node 1 or 2, and write, node 3 is away", writes()).golden(13_511, 36);
    world.search("composed-heartbeats", Tier::Nightly, "as composed-writes, with a heartbeat each", heartbeats());
    world
        .search("composed-stops", Tier::Ci, "groups elect node 1 and any, write, a member stops, node 3 is away", stops())
        .golden(54_802, 39);
    world
        .search("composed-versions", Tier::Ci, "a connection of version 0, 2 breaks, 2 writes, node 3 is away", versions())
        .golden(13_129, 45);
    world.search("composed-three", Tier::Nightly, "both groups elect node 1, nobody is away", three());
    world.walks(
        "composed-walks",
        Tier::Ci,
        "4 timeouts, 3 writes, 3 heartbeats each, 3 breaks, 2 stops",
        wide(),
        Plan::steps(1, 6_000_000).length(300),
    );
    let with = |mut world: Composed, put_in: fn(&mut Decisions)| {
        put_in(&mut world.decisions);
        world
    };
    mistake::register(world, mutants::ALL, |mutant, put_in| {
        if mutant.negative_control {
            mutant.breadth("as composed-elections", with(elections(), put_in), Limits::states(200_000)).walks(
                "as composed-walks",
                with(wide(), put_in),
                Plan::steps(1, 500_000).length(300),
            );
            return;
        }
        mutant
            .breadth("as composed-elections", with(elections(), put_in), Limits::states(200_000))
            .breadth("as composed-versions", with(versions(), put_in), Limits::states(200_000))
            .breadth("as composed-stops", with(stops(), put_in), Limits::states(200_000))
            .walks("as composed-walks", with(wide(), put_in), Plan::steps(1, 1_000_000).length(300));
    });
}
