//! The end of a run: the faults are over, and everything must become well within a bound.

use super::{
    plan::{Micros, SECOND},
    world::World,
};
use roadstead::{
    api::types::GroupState,
    service::kv::{Answer, HashKvRequest, Request, Response, decode},
    shard::Operation,
};
use roadstead_spec::{GroupId, NodeId, wire::body::Consistency};
use std::collections::{BTreeMap, BTreeSet};

/// All faults and what they delay is over so long after the last one has begun.
const QUIET: Micros = 3 * SECOND;

/// Within this everybody has caught up: some elections, and a snapshot where one is needed.
const CATCH_UP_MAX: Micros = 30 * SECOND;

/// How often is looked.
const LOOK: Micros = SECOND / 4;

/// The whole run.
pub(super) fn run(world: &mut World) {
    let until = world.plan.faults_until;
    world.run(until);
    world.run(until + QUIET);
    world.busy = false;
    let bound = world.now + CATCH_UP_MAX;
    catch_up(world, bound);
    if world.evidence.broken.is_none() {
        compare(world);
        last_reads(world);
    }
    if world.evidence.broken.is_none()
        && let Err((seat, broken)) = world.evidence.judge.finish()
    {
        world.violated(Some(seat.0), format!("group {}: {}", seat.1, broken.why));
    }
    if world.evidence.broken.is_none()
        && let Err(why) = world.clients.judge()
    {
        world.violated(None, why);
    }
}

/// Writes to every group until one is acknowledged, then waits until all members that take part hold the same.
fn catch_up(world: &mut World, bound: Micros) {
    for (number, group) in world.plan.groups.clone().into_iter().enumerate() {
        let mut tries = 0;
        loop {
            let before = world.clients.answered;
            let nodes = taking_part(world);
            let Some(node) = nodes.get(tries % nodes.len().max(1)).copied() else {
                return world.violated(None, "no node takes part any more".into());
            };
            tries += 1;
            let sent = world.clients.write(world.plan.clients + number, node, (group, 0));
            world.ask(sent);
            world.run(world.now + LOOK);
            if world.evidence.broken.is_some() || world.clients.answered > before {
                break;
            }
            if world.now > bound {
                return late(world, group, "took no write in");
            }
        }
    }
    for group in world.plan.groups.clone() {
        while world.evidence.broken.is_none() && !is_even(world, group) {
            if world.now > bound {
                return late(world, group, "did not become the same on all members");
            }
            world.run(world.now + LOOK);
        }
    }
}

fn late(world: &mut World, group: GroupId, what: &str) {
    let why = format!("{} s after the faults were over group {group} {what}: {}", CATCH_UP_MAX / SECOND, states(world, group));
    world.violated(None, why);
}

/// Nodes that run; those that refused their disk never will again.
fn taking_part(world: &World) -> Vec<NodeId> {
    let members = world.plan.members();
    members.into_iter().zip(&world.nodes).filter(|(_, node)| node.life.is_some()).map(|(id, _)| id).collect()
}

/// Whether all members have applied as much, with nothing under way.
fn is_even(world: &World, group: GroupId) -> bool {
    let mut applied = BTreeSet::new();
    for node in &world.nodes {
        let status = node.life.as_ref().and_then(|life| life.shard.status(group));
        match status {
            Some(status) if status.state == GroupState::Running => drop(applied.insert((status.last, status.commit, status.applied))),
            _ if node.refused.is_some() || node.damaged.is_some() => {}
            _ => return false,
        }
    }
    applied.iter().all(|(last, commit, applied)| last == commit && commit == applied) && applied.len() == 1
}

/// Asks every member alone for a hash of its data: all must be the same.
fn compare(world: &mut World) {
    let hash = Request::HashKv(HashKvRequest::default()).encode();
    for group in world.plan.groups.clone() {
        for node in taking_part(world) {
            world.probe(node, group, Operation::Query { bytes: hash.clone(), consistency: Consistency::Stale });
        }
        world.run(world.now + LOOK);
        let answers = std::mem::take(&mut world.probed);
        let mut hashes = BTreeMap::new();
        for (node, response) in &answers {
            if let Some(hash) = hash_of(response) {
                hashes.entry(hash).or_insert_with(Vec::new).push(*node);
            }
        }
        if hashes.len() > 1 {
            return world
                .violated(None, format!("the members of group {group} hold different data: hash and revision by nodes {hashes:?}"));
        }
        if hashes.is_empty() {
            return world.violated(None, format!("no member of group {group} tells a hash of its data: {answers:?}"));
        }
    }
}

fn hash_of(response: &roadstead::shard::Response) -> Option<(u32, i64)> {
    let roadstead::shard::Response::Answered { answer, .. } = response else { return None };
    match decode::<Answer>(answer) {
        Ok(Ok(Response::HashKv(hash))) => Some((hash.hash, hash.revision)),
        _ => None,
    }
}

/// Every key, read once more through every member.
fn last_reads(world: &mut World) {
    for group in world.plan.groups.clone() {
        for key in 0..world.plan.keys {
            for node in taking_part(world) {
                let sent = world.clients.read(usize::MAX, node, (group, key));
                world.ask(sent);
            }
        }
    }
    world.run(world.now + SECOND);
}

fn states(world: &World, group: GroupId) -> String {
    let state = |(id, node): (NodeId, &super::world::Node)| match &node.life {
        None => format!("node {id} is down ({:?})", node.refused),
        Some(life) => format!("node {id}: {:?}", life.shard.status(group)),
    };
    world.plan.members().into_iter().zip(&world.nodes).map(state).collect::<Vec<_>>().join("\n  ")
}
