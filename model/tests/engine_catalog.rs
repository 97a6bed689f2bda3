//! The catalog of this crate: it is in order, and its quick run is green.

use roadstead_model::{
    catalog::{Catalog, Tier},
    engine::{Unwatched, cores},
    report::{CrossCheck, check, disorder, stroll},
};

#[test]
fn the_catalog_is_in_order() {
    assert_eq!(disorder(&Catalog::all()), Vec::<String>::new());
}

#[test]
fn the_quick_run_is_green() {
    let catalog = Catalog::all();
    let mut failures = Vec::new();
    for configuration in catalog.configurations().filter(|one| one.tier == Tier::Quick) {
        let checked = check(configuration, CrossCheck::Small, cores(), &Unwatched);
        failures.extend(checked.failures);
        failures.extend(checked.counterexample.map(|found| found.story.join("\n")));
    }
    for swarm in catalog.swarms().filter(|one| one.tier == Tier::Quick) {
        let strolled = stroll(swarm, &swarm.plan, cores(), &Unwatched);
        failures.extend(
            strolled.counterexample.map(|found| format!("{}: {}: {}\n{}", swarm.name, found.law, found.values, found.story.join("\n"))),
        );
    }
    assert_eq!(failures, Vec::<String>::new());
}
