//! The storage world's named configurations.

use super::{Budget, Decisions, Storage, mutants};
use crate::{
    catalog::{Catalog, Tier},
    engine::{breadth::Limits, walk::Plan},
    mistake,
};

const NONE: Budget = Budget {
    votes: 0,
    appends: 0,
    overwrites: 0,
    repeats: 0,
    installs: 0,
    checkpoints: 0,
    removals: 0,
    creations: 0,
    crashes: 1,
    rots: 0,
    failures: 1,
};

const fn world(groups: u8, budget: Budget) -> Storage {
    Storage { groups, budget, decisions: Decisions::PRODUCTION }
}

/// Two groups write into common rounds, a little.
const QUICK: Storage = world(2, Budget { votes: 1, appends: 1, overwrites: 1, ..NONE });

/// Two groups write into common rounds.
const ROUNDS: Storage = world(2, Budget { votes: 1, appends: 2, overwrites: 1, repeats: 1, ..NONE });

/// A journal loses its tail in silence.
const WITNESS: Storage = world(2, Budget { votes: 2, appends: 2, rots: 1, ..NONE });

/// Applying, compacting, snapshots.
const STATES: Storage = world(1, Budget { appends: 2, overwrites: 1, installs: 1, checkpoints: 2, crashes: 1, ..NONE });

/// Groups end and begin.
const LIVES: Storage = world(2, Budget { appends: 2, checkpoints: 1, removals: 1, creations: 1, crashes: 2, ..NONE });

/// For walks.
const WIDE: Storage = world(
    2,
    Budget {
        votes: 3,
        appends: 6,
        overwrites: 3,
        repeats: 2,
        installs: 2,
        checkpoints: 4,
        removals: 2,
        creations: 2,
        crashes: 4,
        rots: 1,
        failures: 1,
    },
);

/// Enters the world into the catalog.
pub fn register(catalog: &mut Catalog) {
    let world = catalog.world("storage", "rounds, syncs, witness and state database of one node, crashes at any moment, and starts");
    world.search("storage-quick", Tier::Quick, "2 groups, a vote, an entry, one overwritten, a crash", QUICK).golden(2_689, 19);
    world
        .search("storage-rounds", Tier::Ci, "2 groups, a vote, 2 entries, one overwritten, one asked for again, a crash", ROUNDS)
        .golden(373_165, 29);
    world.search("storage-witness", Tier::Ci, "2 groups, 2 votes, 2 entries, a journal that loses its tail", WITNESS).golden(265_638, 29);
    world
        .search("storage-states", Tier::Ci, "1 group, 2 entries, one overwritten, a snapshot, 2 syncs of the state, a crash", STATES)
        .golden(179_568, 37);
    world.search("storage-lives", Tier::Ci, "2 groups, 2 entries, a removal, a creation, 2 crashes", LIVES).golden(162_949, 36);
    world.walks("storage-walks", Tier::Ci, "2 groups, everything, 4 crashes", WIDE, Plan::steps(1, 34_000_000).length(150));
    let with = |mut world: Storage, put_in: fn(&mut Decisions)| {
        put_in(&mut world.decisions);
        world
    };
    mistake::register(world, mutants::ALL, |mutant, put_in| {
        if mutant.negative_control {
            mutant.breadth("as storage-quick", with(QUICK, put_in), Limits::states(200_000)).walks(
                "as storage-walks",
                with(WIDE, put_in),
                Plan::steps(1, 500_000).length(150),
            );
            return;
        }
        let limits = Limits::states(300_000);
        // Where the laws that may convict it are at stake comes first; the order changes how long a hunt takes, not how it ends.
        let mut places = [
            ("as storage-states", STATES, &["DUTY-5", "I-N2"]),
            ("as storage-lives", LIVES, &["I-D3", "I-D5"]),
            ("as storage-witness", WITNESS, &["I-S1", "I-S1"]),
            ("as storage-rounds", ROUNDS, &["I-F4", "DUTY-3"]),
        ];
        let laws = mutant.laws;
        places.sort_by_key(|(_, _, at_stake)| !at_stake.iter().any(|law| laws.contains(law)));
        mutant.breadth("as storage-quick", with(QUICK, put_in), limits);
        for (bounds, world, _) in places {
            mutant.breadth(bounds, with(world, put_in), limits);
        }
        mutant.walks("as storage-walks", with(WIDE, put_in), Plan::steps(1, 3_000_000).length(150));
    });
}
