//! Commands that move many things: until nothing moves, until somebody leads.

use crate::member::Cargo;
use crate::world::{Link, Packet, World};
use roadstead_spec::raft::{Event, Message};
use roadstead_spec::{NodeId, Term};

/// Rounds of [`settle`] until it gives up: nothing in a script takes longer unless it never ends.
const SETTLE_ROUNDS_MAX: usize = 2_000;

/// Election timeouts of [`elect`] until it gives up: a deposed leader takes two to notice, a member with an old term one to learn the new one.
const CAMPAIGNS_MAX: usize = 5;

/// Message exchanges of one campaign: pre-vote, vote, each there and back, and a sync between.
const EXCHANGES_MAX: usize = 6;

/// Delivers and syncs everything until nothing moves.
pub fn settle(world: &mut World) {
    for _ in 0..SETTLE_ROUNDS_MAX {
        let full: Vec<Link> = world.links.iter().filter(|(_, packets)| !packets.is_empty()).map(|(link, _)| *link).collect();
        let dirty: Vec<NodeId> = world.members.values().filter(|member| !member.disk.pending.is_empty()).map(|member| member.id).collect();
        if full.is_empty() && dirty.is_empty() {
            return;
        }
        dirty.into_iter().for_each(|id| world.sync(id, usize::MAX));
        for link in full {
            let packets = std::mem::take(world.links.entry(link).or_default());
            packets.into_iter().for_each(|packet| world.receive(link, packet));
        }
    }
    world.laws.report("Liveness: it never settles".into());
}

/// A member campaigns until it leads, and only these peers hear of it.
pub fn elect(world: &mut World, id: NodeId, peers: &[NodeId]) {
    let before = world.out.len();
    let old = term(world, id);
    for _ in 0..CAMPAIGNS_MAX {
        peers.iter().for_each(|peer| world.step(*peer, Event::MinimumTimeout, &Cargo::default()));
        world.step(id, Event::ElectionTimeout, &Cargo::default());
        if (0..EXCHANGES_MAX).any(|_| exchange(world, id, peers, old)) {
            break;
        }
    }
    for (link, packets) in &mut world.links {
        if link.0 == id || link.1 == id {
            packets.retain(|packet| !is_campaign(packet));
        }
    }
    world.out.truncate(before);
    let state = world.member(id).memory.as_ref().map(|memory| memory.state.clone());
    if let Some(state) = state {
        world.say(format_args!("{id} is {} in term {}", crate::print::role(&state), state.term()));
    }
}

fn term(world: &mut World, id: NodeId) -> Term {
    world.member(id).memory.as_ref().map_or(Term(0), |memory| memory.state.term())
}

/// Everything between a campaigner and its peers arrives; true as soon as it leads a new term.
fn exchange(world: &mut World, id: NodeId, peers: &[NodeId], old: Term) -> bool {
    world.sync(id, usize::MAX);
    for peer in peers {
        deliver(world, (id, *peer));
        world.sync(*peer, usize::MAX);
    }
    for peer in peers {
        deliver(world, (*peer, id));
        let memory = world.member(id).memory.as_ref();
        if memory.is_some_and(|memory| memory.state.as_leader().is_some() && memory.state.term() > old) {
            return true;
        }
    }
    false
}

fn deliver(world: &mut World, link: Link) {
    let packets = std::mem::take(world.links.entry(link).or_default());
    packets.into_iter().for_each(|packet| world.receive(link, packet));
}

fn is_campaign(packet: &Packet) -> bool {
    let Packet::Message { message, .. } = packet else { return false };
    match message {
        Message::PreVote { .. } | Message::PreVoteResponse { .. } | Message::RequestVote { .. } | Message::RequestVoteResponse { .. } => {
            true
        }
        Message::AppendEntries { .. }
        | Message::AppendEntriesResponse { .. }
        | Message::ReadIndex { .. }
        | Message::ReadIndexResponse { .. } => false,
    }
}

/// Breaks a law unless this member leads.
pub fn must_lead(world: &mut World, id: NodeId) {
    if world.member(id).memory.as_ref().is_none_or(|memory| memory.state.as_leader().is_none()) {
        world.laws.report(format!("Liveness: {id} does not lead"));
    }
}

/// Breaks a law unless all members that are up follow one leader and hold and have applied its whole log.
pub fn agree(world: &mut World) {
    let up = || world.members.values().filter_map(|member| member.memory.as_ref());
    let Some(leader) = up().filter(|memory| memory.state.as_leader().is_some()).max_by_key(|memory| memory.state.term()) else {
        return world.laws.report("Liveness: nobody leads".into());
    };
    let (state, last) = (&leader.state, leader.log.last());
    let agrees = |memory: &crate::member::Memory| {
        let same_leader = (memory.state.term(), memory.state.leader()) == (state.term(), Some(state.id));
        same_leader && memory.state.log.last_id() == state.log.last_id() && memory.applied == last
    };
    let leader = state.clone();
    let others: Vec<NodeId> = up().filter(|memory| !agrees(memory)).map(|memory| memory.state.id).collect();
    for id in others {
        world.laws.report(format!("Liveness: {id} does not follow"));
    }
    world.check_pairs(&leader);
}
