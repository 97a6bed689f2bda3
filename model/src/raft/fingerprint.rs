//! The canonical fingerprint: the same for all states that differ only in how members are named, found without renaming, cloning or sorting a state.
//!
//! 1. *Colours.* Each member gets a hash of itself, of the packets from and to it and of the terms that it led, with itself called "I" and everybody else
//!    "another". If two members tie, once more, with everybody called by its colour.
//! 2. *Names.* Members are called by their places in the order of colours. Only those that still tie are tried in every order; the least hash counts.
//! 3. *Hash.* Members in that order, under those names. What has no order (packets, votes, a leader's peers, sends that wait for the same write) is summed up.
//!
//! Every struct and enum of the core that holds node ids in an order of ids is taken apart by an exhaustive pattern: a new field does not compile until it is
//! hashed here. Everything else goes through derived `Hash`, which no field escapes.

use super::{
    group::{Group, Live, Member, id_at},
    history::History,
    names::{IDS_MAX, Names, Naming, mix},
};
use roadstead_spec::{
    outbox::Outbox,
    raft::{Leader, NodeSet, Peers, Role, State},
};
use std::hash::{Hash, Hasher};

/// Most members of a world.
pub const MEMBERS_MAX: usize = 7;

const SELF: u64 = 0xA11C_E000;
const OTHER: u64 = 0xB0B0_0000;
const FROM: u64 = 1;
const TO: u64 = 2;
const LED: u64 = 3;

/// The canonical fingerprint of a state.
pub fn fingerprint(group: &Group) -> u64 {
    let count = group.members.len();
    let mut names = Names::OWN;
    (0..count).for_each(|at| names.call(id_at(at), OTHER));
    let mut colours = colours(group, &names);
    let mut order = order_by(&colours, count);
    if has_ties(&colours, &order[..count]) {
        (0..count).for_each(|at| names.call(id_at(at), colours[at]));
        colours = self::colours(group, &names);
        order = order_by(&colours, count);
    }
    let mut least = u64::MAX;
    each_order(&colours, &mut order[..count], 0, &mut |order| {
        least = least.min(hash_in_order(group, order));
    });
    least
}

/// The hash of a state with members called by their places in this order.
pub fn hash_in_order(group: &Group, order: &[usize]) -> u64 {
    let mut names = Names::OWN;
    for (rank, &at) in order.iter().enumerate() {
        names.call(id_at(at), rank as u64);
    }
    let Group { members, network, history, budget } = group;
    let mut naming = Naming::new(&names);
    for &at in order {
        naming.put(hash_of_member(&members[at], &names));
    }
    naming.put(network.len() as u64);
    naming.put(network.iter().fold(0, |sum: u64, packet| sum.wrapping_add(mix(packet.hash_under(&names), FROM))));
    let History { leaders, committed, refused, clients } = history;
    leaders.hash(&mut naming);
    committed.hash(&mut naming);
    refused.hash(&mut naming);
    clients.hash(&mut naming);
    budget.hash(&mut naming);
    naming.finish()
}

fn colours(group: &Group, names: &Names) -> [u64; MEMBERS_MAX] {
    let mut colours = [0; MEMBERS_MAX];
    for (at, member) in group.members.iter().enumerate() {
        let mut own = *names;
        own.call(id_at(at), names.of(id_at(at)) ^ SELF);
        colours[at] = hash_of_member(member, &own);
    }
    for packet in group.network.iter() {
        let hash = packet.hash_under(names);
        for (id, role) in [(packet.from, FROM), (packet.to, TO)] {
            if let Some(colour) = colours.get_mut((id.0 as usize).wrapping_sub(1)) {
                *colour = colour.wrapping_add(mix(hash, role));
            }
        }
    }
    for (term, leader) in &group.history.leaders {
        if let Some(colour) = colours.get_mut((leader.0 as usize).wrapping_sub(1)) {
            *colour = colour.wrapping_add(mix(term.0, LED));
        }
    }
    colours
}

fn order_by(colours: &[u64; MEMBERS_MAX], count: usize) -> [usize; MEMBERS_MAX] {
    let mut order = [0, 1, 2, 3, 4, 5, 6];
    order[..count].sort_unstable_by_key(|&at| colours[at]);
    order
}

fn has_ties(colours: &[u64; MEMBERS_MAX], order: &[usize]) -> bool {
    order.windows(2).any(|pair| colours[pair[0]] == colours[pair[1]])
}

/// Calls `visit` with every order that permutes members of equal colour only.
fn each_order(colours: &[u64; MEMBERS_MAX], order: &mut [usize], from: usize, visit: &mut impl FnMut(&[usize])) {
    if from + 1 >= order.len() {
        visit(order);
        return;
    }
    for other in from..order.len() {
        if colours[order[other]] != colours[order[from]] && other != from {
            continue;
        }
        order.swap(from, other);
        each_order(colours, order, from + 1, visit);
        order.swap(from, other);
    }
}

fn hash_of_member(member: &Member, names: &Names) -> u64 {
    let Member { disk, live, boot } = member;
    let mut naming = Naming::new(names);
    disk.hash(&mut naming);
    boot.hash(&mut naming);
    if let Some(live) = live {
        let Live { state, outbox, jobs, applying, machine, data, writes, asked, ready, reads } = &**live;
        hash_state(state, &mut naming, names);
        hash_outbox(outbox, &mut naming, names);
        (jobs, applying, machine, data).hash(&mut naming);
        (writes, asked, ready, reads).hash(&mut naming);
    }
    naming.finish()
}

fn hash_state(state: &State, naming: &mut Naming<'_>, names: &Names) {
    let State { id, hard, log, commit, applied, role } = state;
    (id, hard, log, commit, applied).hash(naming);
    match role {
        Role::Follower { leader, heard } => (1_u8, leader, heard).hash(naming),
        Role::PreCandidate { granted } => (2_u8, sum_of_set(granted, names)).hash(naming),
        Role::Candidate { granted } => (3_u8, sum_of_set(granted, names)).hash(naming),
        Role::Leader(leader) => {
            let Leader { opened_at, durable, peers, round, reads } = &**leader;
            (4_u8, opened_at, durable, sum_of_peers(peers, names), round, reads).hash(naming);
        }
    }
}

fn hash_outbox(outbox: &Outbox, naming: &mut Naming<'_>, names: &Names) {
    outbox.hash_without_sends(naming);
    let sum = outbox.waiting_sends().fold(0, |sum: u64, send| sum.wrapping_add(super::names::hash_of(names, &send)));
    naming.put(sum);
}

fn sum_of_set(set: &NodeSet, names: &Names) -> u64 {
    set.iter().fold(set.len() as u64, |sum, id| sum.wrapping_add(mix(names.of(id), FROM)))
}

fn sum_of_peers(peers: &Peers, names: &Names) -> u64 {
    peers.iter().fold(0, |sum: u64, (id, progress)| {
        let mut naming = Naming::new(names);
        naming.node(id);
        progress.hash(&mut naming);
        sum.wrapping_add(naming.finish())
    })
}

const _: () = assert!(MEMBERS_MAX < IDS_MAX);
