//! What is searched of this world, and how its mistakes are hunted.

use super::{
    Judge, RaftWorld, coverage,
    mutants::{self, Hunt, Mistake},
    scopes::*,
};
use crate::{
    catalog::{Catalog, Mutant, Tier, WorldEntry},
    engine::{breadth::Limits, walk::Plan},
};

/// Registers the Raft world.
pub fn register(catalog: &mut Catalog) {
    let entry = catalog.world("raft", "members behind their outboxes, disks that lose what they did not sync, a network, clients");
    configurations(entry);
    swarms(entry);
    entry.coverage(coverage::coverage);
    for mistake in mutants::all() {
        hunt(entry, mistake);
    }
}

fn configurations(entry: &mut WorldEntry) {
    let mut exhaust = |name, tier, scope: Scope, states: u32, depth: u32| {
        entry.search(name, tier, scope.words, RaftWorld::new(scope.bounds)).golden(states.into(), depth);
    };
    exhaust("raft-alone", Tier::Quick, ALONE, 22_482, 18);
    exhaust("raft-strangers", Tier::Quick, STRANGERS, 11_538, 20);
    exhaust("raft-elections", Tier::Quick, ELECTIONS_3, 159_879, 29);
    exhaust("raft-replication", Tier::Ci, REPLICATION, 88_711, 28);
    exhaust("raft-replication-3-terms", Tier::Ci, REPLICATION_3, 233_560, 40);
    exhaust("raft-conflicts", Tier::Ci, CONFLICTS, 294_022, 33);
    exhaust("raft-elections-crash", Tier::Ci, ELECTIONS, 559_633, 32);
    exhaust("raft-pre-votes", Tier::Ci, PRE_VOTES, 445_561, 43);
    exhaust("raft-reads", Tier::Ci, READS, 261_873, 30);
    exhaust("raft-snapshots", Tier::Ci, SNAPSHOTS, 194_954, 33);
    exhaust("raft-crash", Tier::Ci, CRASH, 119_851, 39);
    exhaust("raft-crashes-2", Tier::Quick, CRASHES_2, 69_650, 33);
    // Too large to be exhausted in a night: all states up to some depth.
    let mut shallow = |name, scope: Scope, millions: u64| {
        entry.search(name, Tier::Nightly, scope.words, RaftWorld::new(scope.bounds)).limits(Limits::states(millions * 1_000_000));
    };
    shallow("raft-replication-deep", DEEP_REPLICATION, 10);
    shallow("raft-crash-deep", DEEP_CRASH, 10);
}

fn swarms(entry: &mut WorldEntry) {
    let mut walk = |name, tier, scope: Scope, millions: u64| {
        entry.walks(name, tier, scope.words, RaftWorld::new(scope.bounds), Plan::steps(1, millions * 1_000_000));
    };
    walk("raft-walk-3-quick", Tier::Quick, WIDE_3, 1);
    walk("raft-walk-3", Tier::Ci, WIDE_3, 36);
    walk("raft-walk-3-steps", Tier::Ci, STEPS_3, 25);
    walk("raft-walk-5", Tier::Ci, WIDE_5, 15);
    walk("raft-walk-5-steps", Tier::Ci, STEPS_5, 12);
    walk("raft-walk-4", Tier::Ci, WIDE_4, 12);
    walk("raft-walk-2", Tier::Ci, WIDE_2, 8);
    walk("raft-walk-1", Tier::Ci, WIDE_1, 4);
    walk("raft-walk-calm", Tier::Ci, CALM_3, 5);
    walk("raft-walk-3-long", Tier::Nightly, WIDE_3, 1_000);
    walk("raft-walk-5-long", Tier::Nightly, STEPS_5, 500);
    // Whether an order explains a history takes time that grows exponentially with it: some thousand steps per second.
    let mut histories = |name, tier, steps| {
        entry.walks(name, tier, HISTORIES.words, RaftWorld::new(HISTORIES.bounds), Plan::steps(1, steps));
    };
    histories("raft-walk-histories", Tier::Ci, 300_000);
    histories("raft-walk-histories-long", Tier::Nightly, 5_000_000);
}

fn hunt(entry: &mut WorldEntry, mistake: &Mistake) {
    let Mistake { id, mechanism, source, laws, build, hunts } = *mistake;
    let mutant = if laws.is_empty() { entry.control(id, mechanism, source) } else { entry.mutant(id, mechanism, source, laws) };
    for way in hunts {
        add(mutant, build, way);
    }
}

fn add(mutant: &mut Mutant, build: super::Build, way: &Hunt) {
    let world = |scope: &Scope| RaftWorld::of(scope.bounds, build);
    match way {
        Hunt::Breadth(scope, thousands) => mutant.breadth(scope.words, world(scope), Limits::states(thousands * 1_000)),
        Hunt::Walks(scope, seed, thousands) => mutant.walks(scope.words, world(scope), Plan::steps(*seed, thousands * 1_000)),
        Hunt::Harm(scope, seed, thousands) => {
            // What only blocks is no harm.
            let mut bounds = scope.bounds;
            bounds.budget.calms = 0;
            mutant.walks(scope.words, RaftWorld::of(bounds, build).judged_by(Judge::History), Plan::steps(*seed, thousands * 1_000))
        }
        Hunt::Clients(seed, thousands) => {
            mutant.walks(HISTORIES.words, world(&HISTORIES).judged_by(Judge::Clients), Plan::steps(*seed, thousands * 1_000))
        }
        Hunt::Told(script) => {
            let world = world(&script.scope).judged_by(script.judge);
            let (actions, _) = script.play(&world);
            mutant.script(script.name, world, &actions)
        }
    };
}
