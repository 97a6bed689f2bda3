//! The world of the dispatcher, beside what every world of the catalog is tested for.

use roadstead_model::{
    World,
    catalog::Catalog,
    dispatcher::{self, Dispatcher},
};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../docs/model.md");
const WORLDS: [(&str, &str); 1] = [("dispatcher", "## The dispatcher")];

/// Goal: the document lists every law of a world, in its words, and no other. Method: the table of the world's section is rebuilt from the laws.
#[test]
fn the_document_lists_every_law() {
    let catalog = Catalog::all();
    for (name, heading) in WORLDS {
        let section = DOCUMENT.split_once(heading).expect("the world has a section").1.split("\n## ").next().unwrap_or_default();
        let rows: BTreeSet<&str> = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| law ")).collect();
        let configuration = catalog.configurations().find(|configuration| configuration.world == name).expect("a configuration");
        let laws: BTreeSet<String> = configuration.system.laws().iter().map(|law| format!("| {} | {} |", law.id, law.statement)).collect();
        assert_eq!(rows, laws.iter().map(String::as_str).collect(), "docs/model.md, {heading}");
    }
}

/// Goal: every sight of a world is reached by a configuration or a walk of it; a law whose twin nobody sees says nothing. Method: names only, what was
/// reached is counted by the searches themselves; here each sight must name laws of its world.
#[test]
fn sights_are_twins_of_laws() {
    let catalog = Catalog::all();
    for (name, _) in WORLDS {
        let configuration = catalog.configurations().find(|configuration| configuration.world == name).expect("a configuration");
        let laws: BTreeSet<&str> = configuration.system.laws().iter().map(|law| law.id).collect();
        for sight in configuration.system.sights() {
            assert!(sight.twin_of.iter().all(|law| laws.contains(law)), "{name}: {sight:?}");
        }
    }
}

/// Goal: a mutant names laws that its world has, and is there once.
#[test]
fn mutants_are_convicted_by_laws_of_their_world() {
    let catalog = Catalog::all();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for mutant in catalog.mutants().filter(|mutant| WORLDS.iter().any(|(name, _)| *name == mutant.world)) {
        assert_eq!(seen.insert(mutant.id, mutant.world), None, "{} is there twice", mutant.id);
        let configuration = catalog.configurations().find(|configuration| configuration.world == mutant.world).expect("a configuration");
        let laws: BTreeSet<&str> = configuration.system.laws().iter().map(|law| law.id).collect();
        assert!(mutant.laws.iter().all(|law| laws.contains(law)), "{}: {:?}", mutant.id, mutant.laws);
    }
    assert!(seen.len() >= 19, "the mutants are found");
}

/// Walks along an action list; names of groups and lives are given by `names`.
fn dispatched(world: &Dispatcher, actions: &[dispatcher::Action]) -> u64 {
    let mut state = world.initial();
    for action in actions {
        world.step(&mut state, *action, &mut Default::default()).unwrap_or_else(|broken| panic!("{broken}"));
    }
    world.fingerprint(&state)
}

/// Goal: how ordinary groups and their lives are named does not matter, and which group is the default one does.
#[test]
fn the_dispatchers_groups_and_lives_are_interchangeable() {
    use dispatcher::{Action, Budget, Decisions, Link};
    let budget = Budget { frames: 3, legacy: 1, requests: 1, forged: 1, registrations: 3, stops: 1, failures: 1 };
    let world = Dispatcher { groups: 3, lives: 2, budget, decisions: Decisions::PRODUCTION };
    let story = |one: u8, other: u8, first: u8, second: u8| {
        [
            Action::Register { group: one, life: first },
            Action::Register { group: other, life: 1 },
            Action::Send { link: Link::Extended, group: one, life: second },
            Action::Send { link: Link::Extended, group: one, life: first },
            Action::Send { link: Link::Extended, group: other, life: 2 },
            Action::Stop { group: other, remove: true },
            Action::Read(Link::Extended),
            Action::Read(Link::Extended),
        ]
    };
    let fingerprint = dispatched(&world, &story(1, 2, 1, 2));
    assert_eq!(dispatched(&world, &story(2, 1, 1, 2)), fingerprint, "other groups");
    assert_eq!(dispatched(&world, &story(1, 2, 2, 1)), fingerprint, "other lives");
    assert_ne!(dispatched(&world, &story(0, 1, 1, 2)), fingerprint, "the default group is another matter");
    let swapped = [Action::Register { group: 1, life: 1 }, Action::Send { link: Link::Extended, group: 1, life: 2 }];
    let straight = [Action::Register { group: 1, life: 1 }, Action::Send { link: Link::Extended, group: 1, life: 1 }];
    assert_ne!(dispatched(&world, &swapped), dispatched(&world, &straight), "whether a frame is for the life that is there matters");
}
