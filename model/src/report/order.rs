//! Whether the catalog itself is in order.

use std::collections::BTreeSet;

use crate::{
    catalog::{Catalog, Mutant},
    engine::NO_PANIC,
};

/// What is not in order, as sentences: names that are taken twice, laws without a twin, mutants that nothing can convict.
pub fn disorder(catalog: &Catalog) -> Vec<String> {
    let mut wrong = Vec::new();
    let worlds = catalog.worlds.iter().map(|world| world.name);
    let names = worlds
        .chain(catalog.configurations().map(|one| one.name))
        .chain(catalog.swarms().map(|one| one.name))
        .chain(catalog.mutants().map(|one| one.id));
    let mut known = BTreeSet::new();
    wrong.extend(names.filter(|name| !known.insert(*name)).map(|name| format!("{name} is the name of two things")));
    for world in &catalog.worlds {
        let systems = world.configurations.iter().map(|one| &one.system).chain(world.swarms.iter().map(|one| &one.system));
        let Some(system) = systems.into_iter().next() else {
            wrong.push(format!("{} has no bounds under which it is searched", world.name));
            continue;
        };
        let has_twin = |law: &str| system.sights().iter().any(|sight| sight.twin_of.contains(&law));
        let alone = system.laws().iter().filter(|law| !has_twin(law.id));
        wrong.extend(alone.map(|law| format!("{}: no sight is the twin of {}", world.name, law.id)));
        for sight in system.sights() {
            let unknown = sight.twin_of.iter().filter(|id| !system.laws().iter().any(|law| law.id == **id));
            wrong.extend(unknown.map(|id| format!("{}: \"{}\" is the twin of {id}, which is no law", world.name, sight.name)));
        }
    }
    catalog.mutants().for_each(|mutant| of_mutant(mutant, &mut wrong));
    wrong
}

fn of_mutant(mutant: &Mutant, wrong: &mut Vec<String>) {
    let id = mutant.id;
    if mutant.hunts.is_empty() {
        wrong.push(format!("{id} is not hunted"));
    }
    if !mutant.negative_control && mutant.laws.is_empty() && mutant.blinds.is_empty() {
        wrong.push(format!("{id}: nothing may convict it"));
    }
    for hunt in &mutant.hunts {
        let laws = hunt.system.laws();
        let unknown = mutant.laws.iter().filter(|id| **id != NO_PANIC && !laws.iter().any(|law| law.id == **id));
        wrong.extend(unknown.map(|law| format!("{id}: {law} is no law of \"{}\"", hunt.bounds)));
        let sights = hunt.system.sights();
        let unknown = mutant.blinds.iter().filter(|name| !sights.iter().any(|sight| sight.name == **name));
        wrong.extend(unknown.map(|sight| format!("{id}: \"{sight}\" is no sight of \"{}\"", hunt.bounds)));
    }
}
