//! F2 as a whole: beside another group, a group reaches exactly the states that it reaches alone.

use roadstead_model::{
    Seen, World,
    composed::{Composed, Member, State, bounds_of},
};
use std::collections::HashSet;

/// What the members of one group are, in every state that can be reached.
fn projections(world: &Composed, group: usize) -> HashSet<Vec<Member>> {
    let project = |state: &State| state.nodes.iter().map(|node| node.members[group].clone()).collect::<Vec<_>>();
    let initial = world.initial();
    let mut found = HashSet::from([project(&initial)]);
    let mut known = HashSet::from([world.fingerprint(&initial)]);
    let (mut waiting, mut actions) = (vec![initial], Vec::new());
    while let Some(state) = waiting.pop() {
        actions.clear();
        world.actions(&state, &mut actions);
        for &action in &actions {
            let mut next = state.clone();
            world.step(&mut next, action, &mut Seen::default()).unwrap_or_else(|broken| panic!("{broken}"));
            if known.insert(world.fingerprint(&next)) {
                found.insert(project(&next));
                waiting.push(next);
            }
        }
    }
    found
}

#[test]
fn a_group_beside_another_one_reaches_what_it_reaches_alone() {
    let alone = projections(&bounds_of(1), 0);
    let together = bounds_of(2);
    for group in 0..2 {
        let beside = projections(&together, group);
        assert!(beside == alone, "group {group} reaches {} states beside the other one, and {} alone", beside.len(), alone.len());
    }
    assert!(alone.len() > 20, "something was reached: {}", alone.len());
}
