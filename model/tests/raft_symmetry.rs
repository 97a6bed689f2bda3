//! The fingerprint forgets how members are named, and nothing else.

mod dice;

use dice::Dice;
use roadstead_model::{
    Moved, Seen, World,
    raft::{
        Action, Bounds, Budget, Group, NOBODY, OUTSIDER, Packet, PreVotes, RaftWorld,
        fingerprint::hash_in_order,
        group::id_at,
        names::Names,
        scopes::{STEPS_3, STEPS_5, WIDE_3, WIDE_4, WIDE_5},
    },
};
use std::collections::{HashMap, HashSet};

/// Another way to call members: the place of each.
type Permutation = Vec<u8>;

fn names_of(permutation: &Permutation) -> Names {
    let mut names = Names::OWN;
    for (at, other) in permutation.iter().enumerate() {
        names.call(id_at(at), u64::from(id_at((*other).into()).0));
    }
    names
}

/// The place in `mirror` of the packet that mirrors `packet`.
fn mirrored(packet: &Packet, names: &Names, mirror: &Group) -> u8 {
    let image = packet.hash_under(names);
    let place = mirror.network.iter().position(|other| other.hash_under(&Names::OWN) == image);
    u8::try_from(place.expect("each packet has a mirror image")).expect("few packets")
}

/// What an action is called in the mirror.
fn mirror_of(action: Action, group: &Group, mirror: &Group, permutation: &Permutation) -> Action {
    let at = |member: u8| permutation.get(usize::from(member)).copied().unwrap_or(member);
    let place = |place: u8| mirrored(group.network.get(place.into()).expect("possible"), &names_of(permutation), mirror);
    match action {
        Action::Deliver(packet) => Action::Deliver(place(packet)),
        Action::Duplicate(packet) => Action::Duplicate(place(packet)),
        Action::Drop(packet) => Action::Drop(place(packet)),
        Action::ElectionTimeout(member) => Action::ElectionTimeout(at(member)),
        Action::MinimumTimeout(member) => Action::MinimumTimeout(at(member)),
        Action::Campaign { member, with } => {
            let with = (0..8).filter(|bit| with >> bit & 1 == 1).fold(0, |mask, bit| mask | 1 << at(bit));
            Action::Campaign { member: at(member), with }
        }
        Action::Heartbeat(member) => Action::Heartbeat(at(member)),
        Action::Propose(member) => Action::Propose(at(member)),
        Action::Read(member) => Action::Read(at(member)),
        Action::Sync(member) => Action::Sync(at(member)),
        Action::Apply(member) => Action::Apply(at(member)),
        Action::Crash { member, lost } => Action::Crash { member: at(member), lost },
        Action::Restart(member) => Action::Restart(at(member)),
        Action::Checkpoint(member) => Action::Checkpoint(at(member)),
        Action::SnapshotFailed { member, to } => Action::SnapshotFailed { member: at(member), to: at(to) },
        Action::Unreachable { member, peer } => Action::Unreachable { member: at(member), peer: at(peer) },
        Action::DiskStalled(member) => Action::DiskStalled(at(member)),
        Action::Stranger { to, from, says } => Action::Stranger { to: at(to), from: if from == OUTSIDER { from } else { at(from) }, says },
        Action::Calm { without, stalled } => Action::Calm { without: if without == NOBODY { without } else { at(without) }, stalled },
    }
}

/// Goal: fingerprints do not depend on names, and neither does what happens. Method: two groups, one the mirror image of the other under a random
/// permutation, live through mirrored actions; they never differ.
#[test]
fn a_mirrored_group_has_the_same_fingerprint() {
    for (number, scope) in [WIDE_3, STEPS_3, WIDE_4, WIDE_5, STEPS_5].into_iter().enumerate() {
        // The schedule of a calm goes by places, so its end is no mirror image.
        let bounds = Bounds { budget: Budget { calms: 0, ..scope.bounds.budget }, ..scope.bounds };
        let world = RaftWorld::new(bounds);
        for seed in 0..60 {
            let mut dice = Dice(seed * 31 + number as u64);
            let permutation = dice.permutation(bounds.voters);
            let (mut group, mut mirror) = (world.initial(), world.initial());
            let mut possible = Vec::new();
            for step in 0..150 {
                possible.clear();
                world.actions(&group, &mut possible);
                // Budgets are spent, and nothing is in flight.
                if possible.is_empty() {
                    break;
                }
                let action = possible[dice.roll(possible.len())];
                let image = mirror_of(action, &group, &mirror, &permutation);
                // Asked by more than one, answers come in the order of places: which term is learnt first differs.
                if matches!(action, Action::Campaign { .. }) && bounds.voters > 3 {
                    continue;
                }
                world.step(&mut group, action, &mut Seen::default()).expect("no law is broken");
                world.step(&mut mirror, image, &mut Seen::default()).expect("no law is broken");
                let names = (world.fingerprint(&group), world.fingerprint(&mirror));
                assert_eq!(
                    names.0, names.1,
                    "seed {seed}, step {step}, {action:?} as {image:?} under {permutation:?}:\n{group:#?}\n{mirror:#?}"
                );
            }
        }
    }
}

/// Goal: states that differ otherwise have other fingerprints, and the short way to the canonical one is right. Method: a small world is visited without
/// symmetry; its states fall into as many classes under all permutations as they have fingerprints.
#[test]
fn only_names_are_forgotten() {
    for (pre_votes, timeouts) in [(PreVotes::AtOnce, 2), (PreVotes::Steps, 1)] {
        let bounds = Bounds { budget: Budget { timeouts, heartbeats: 1, ..Budget::default() }, pre_votes, ..Bounds::SMALL };
        let world = RaftWorld::new(bounds);
        let states = visit(&world);
        let concrete: HashSet<u64> = states.iter().map(|state| hash_in_order(state, &[0, 1, 2])).collect();
        assert_eq!(concrete.len(), states.len(), "the hash under given names loses nothing");
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let mut fingerprints: HashMap<u64, u64> = HashMap::new();
        for state in &states {
            let class = orders.iter().map(|order| hash_in_order(state, order)).min().expect("six orders");
            let known = *fingerprints.entry(class).or_insert_with(|| world.fingerprint(state));
            assert_eq!(known, world.fingerprint(state), "one class, one fingerprint: {state:#?}");
        }
        let distinct: HashSet<u64> = fingerprints.values().copied().collect();
        assert_eq!(distinct.len(), fingerprints.len(), "two classes, two fingerprints");
        println!("{} states, {} classes", states.len(), fingerprints.len());
        assert!(states.len() > 5 * fingerprints.len(), "nearly every class has six members");
    }
}

/// Every state, names and all.
fn visit(world: &RaftWorld) -> HashSet<Group> {
    let mut states = HashSet::from([world.initial()]);
    let mut open = vec![world.initial()];
    let mut possible = Vec::new();
    while let Some(state) = open.pop() {
        possible.clear();
        world.actions(&state, &mut possible);
        for action in &possible {
            let mut next = state.clone();
            let moved = world.step(&mut next, *action, &mut Seen::default()).expect("no law is broken");
            if moved == Moved::Yes && states.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    states
}
