//! The composed world's laws: each group makes the steps that it would make alone.

use super::{
    Action, Composed,
    decisions::group_id,
    sight,
    state::{GROUPS, Input, NODES, Node, State, node_id, place},
};
use crate::{Seen, world::Law};
use roadstead_spec::{
    NodeId,
    invariants::{Broken, check_pair, check_state},
    raft::{Event, Message},
    wire::Version,
};
use std::fmt::Write;

pub(super) const LAWS: &[Law] = &[
    Law {
        id: "I-F2",
        statement: "a node's group makes exactly the steps that it would make alone, or none",
        source: "docs/model.md, composition",
    },
    Law { id: "I-D1", statement: "a frame is routed to its own group only", source: "docs/wire.md, dispatch" },
    Law { id: "I-D4", statement: "a group that runs is registered, whatever becomes of the others", source: "docs/wire.md, dispatch" },
    Law { id: "I-W3", statement: "over version 0 only the default group is spoken", source: "docs/wire.md, version 0" },
    Law::local("I-R1"),
    Law::local("I-R3"),
    Law::local("I-R5"),
    Law::local("I-R11"),
    Law::local("I-R12"),
    Law::local("I-R16"),
    Law::local("I-R17"),
    Law::local("I-R9b"),
    Law::local("I-N3"),
];

fn broken(law: &'static str, values: String) -> Broken {
    Broken { law, values }
}

/// What each member should be given by an action, as an observer knows who knows nothing of ports and registries.
pub(super) struct Inputs(Vec<(usize, usize, Input)>);

impl Inputs {
    pub(super) fn of(world: &Composed, state: &State, action: Action) -> Self {
        let one = |node: u8, group: u8, event| vec![(usize::from(node), usize::from(group), Input::Event(event))];
        Self(match action {
            Action::Timeout { node, group } => one(node, group, Event::ElectionTimeout),
            Action::Propose { node, group } => one(node, group, Event::Propose { count: 1 }),
            Action::Heartbeat { node, group } => one(node, group, Event::HeartbeatTimeout),
            Action::Sync(node) => {
                let node = usize::from(node);
                let wrote = state.wrote(node);
                (0..usize::from(world.groups)).filter(|group| wrote[*group]).map(|group| (node, group, Input::Durable)).collect()
            }
            Action::Deliver { from, to } => {
                let (from, to) = (usize::from(from), usize::from(to));
                let receive = |message: Message| Input::Event(Event::Receive { from: node_id(from), message });
                Composed::oldest(state, from, to).into_iter().map(|(group, message)| (to, usize::from(group), receive(message))).collect()
            }
            Action::Break { from, to, .. } => {
                let unreachable = || Input::Event(Event::Unreachable { peer: node_id(usize::from(to)) });
                let runs = |group: &usize| state.runs(usize::from(from), *group);
                (0..usize::from(world.groups)).filter(runs).map(|group| (usize::from(from), group, unreachable())).collect()
            }
            Action::Flush { .. } | Action::Stop { .. } => Vec::new(),
        })
    }

    /// Every member is what those inputs make of it, one group at a time.
    pub(super) fn judge(self, world: &Composed, mut nodes: Vec<Node>, state: &State) -> Result<(), Broken> {
        let mut sends: Vec<(NodeId, Message)> = Vec::new();
        for (node, group, input) in self.0 {
            nodes[node].members[group].take(&world.params, input, &mut sends);
        }
        for (node, (expected, found)) in nodes.iter().zip(&state.nodes).enumerate() {
            for group in 0..usize::from(world.groups) {
                if expected.members[group] != found.members[group] {
                    let values = format!(
                        "node {}, group {group}: alone it would be {:?}, it is {:?}",
                        node + 1,
                        expected.members[group].raft,
                        found.members[group].raft
                    );
                    return Err(broken("I-F2", values));
                }
            }
        }
        Ok(())
    }
}

/// Laws of the state as it stands.
pub(super) fn stands(world: &Composed, state: &State, seen: &mut Seen) -> Result<(), Broken> {
    for (at, conn) in state.conns.iter().enumerate() {
        for frame in conn.writes.iter().flatten() {
            if conn.version == Version::Legacy && frame.group != 0 {
                return Err(broken("I-W3", format!("connection {at}: {frame:?} is on its way over version 0")));
            }
            if frame.names != frame.group {
                return Err(broken("I-D1", format!("connection {at}: {frame:?} names another group than it was sent in")));
            }
        }
    }
    let mut leaders = [None; GROUPS];
    for (group, leader) in leaders.iter_mut().enumerate().take(usize::from(world.groups)) {
        for node in 0..NODES {
            let member = &state.nodes[node].members[group];
            if state.runs(node, group) != state.nodes[node].registry.contains(group_id(group as u8)) {
                return Err(broken("I-D4", format!("node {}: group {group} runs and is not registered, or the other way round", node + 1)));
            }
            check_state(&world.params, &member.raft)?;
            if member.raft.as_leader().is_some() {
                *leader = Some(node);
            }
            seen.note_if(sight::COMMITTED, member.raft.commit.0 > 0);
            for other in node + 1..NODES {
                check_pair(&member.raft, &state.nodes[other].members[group].raft)?;
            }
        }
    }
    if let [Some(one), Some(other)] = leaders {
        seen.note(sight::BOTH_LED);
        seen.note_if(sight::APART, one != other);
    }
    Ok(())
}

/// An action, and what came of it.
pub(super) fn tell(before: &State, action: Action, after: &State) -> String {
    let mut told = match action {
        Action::Timeout { node, group } => format!("node {}, group {group}: the election timer fires", node + 1),
        Action::Propose { node, group } => format!("node {}, group {group}: a client writes", node + 1),
        Action::Heartbeat { node, group } => format!("node {}, group {group}: a heartbeat is due", node + 1),
        Action::Sync(node) => format!("node {}: its disk is synced", node + 1),
        Action::Flush { from, to } => format!("node {}: what waits for node {} is written", from + 1, to + 1),
        Action::Deliver { from, to } => {
            let write = before.conns.get(usize::from(from) * NODES + usize::from(to)).and_then(|conn| conn.writes.first());
            let frames: Vec<String> =
                write.into_iter().flatten().map(|frame| format!("group {}: {:?}", frame.names, frame.message)).collect();
            format!("node {} gets of node {}: {}", to + 1, from + 1, frames.join("; "))
        }
        Action::Break { from, to, legacy } => {
            format!("the connection from node {} to node {} breaks; the next one speaks version {}", from + 1, to + 1, u8::from(!legacy))
        }
        Action::Stop { node, group } => format!("node {}: group {group} stops", node + 1),
    };
    for (node, (was, is)) in before.nodes.iter().zip(&after.nodes).enumerate() {
        for (group, (was, is)) in was.members.iter().zip(&is.members).enumerate() {
            let name = place(is.raft.id);
            if (was.raft.hard, role(was)) != (is.raft.hard, role(is)) || was.raft.commit != is.raft.commit {
                debug_assert_eq!(name, node);
                let _ = write!(
                    told,
                    "; node {} is {} of group {group} in term {}, committed {}",
                    node + 1,
                    role(is),
                    is.raft.hard.term,
                    is.raft.commit
                );
            }
        }
    }
    told
}

fn role(member: &super::Member) -> &'static str {
    use roadstead_spec::raft::Role;
    match member.raft.role {
        Role::Follower { .. } => "follower",
        Role::PreCandidate { .. } => "pre-candidate",
        Role::Candidate { .. } => "candidate",
        Role::Leader(_) => "leader",
    }
}
