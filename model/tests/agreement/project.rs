//! What a state of the Raft world is in the module.
//!
//! The module's `messages` holds all that was ever sent, the world's network what is on its way. So a state of the world stands for many of the module: those whose
//! messages are these, or these and more. More messages allow the same steps and others besides, since no action asks that something was *not* sent; so a step
//! that is judged with the fewest is judged for all.

use super::module::{Disk, Entry, History, Image, Message, Module, Node, Write};
use roadstead_model::raft::{Body, Bounds, Group, Packet, group::id_at};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    outbox::Outbox,
    raft::{LogShape, Message as Wire, Role, Slice, State, TermAt},
};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of proposals, by place and term. In the world an entry is its id; the module tells entries apart by values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<EntryId, u64>);

impl Values {
    /// Numbers for all that can be seen in a state. Which is which does not matter: the module compares values, and no more.
    pub(crate) fn of(group: &Group) -> Self {
        let mut seen = BTreeSet::new();
        let mut see = |entries: Vec<(EntryId, bool)>| seen.extend(entries.into_iter().filter(|(_, opens)| !opens).map(|(id, _)| id));
        for member in &group.members {
            let mut disk = member.disk.clone();
            see(of_log(&disk.log));
            if let Some(live) = &member.live {
                see(of_log(&live.state.log));
                for job in &live.jobs {
                    disk.change(&job.change);
                    see(of_log(&disk.log));
                }
            }
        }
        for packet in group.network.iter() {
            if let Body::Message(Wire::AppendEntries { slice, .. }) = &packet.body {
                see(of_slice(slice));
            }
        }
        Self(seen.into_iter().zip(1..).collect())
    }

    /// How many proposals can be seen.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// A log is known to have a proposal that gets this number, unless it has one.
    pub(crate) fn proposed(&mut self, log: &LogShape, number: u64) {
        for (id, _) in of_log(log).into_iter().filter(|(_, opens)| !opens) {
            self.0.entry(id).or_insert(number);
        }
    }

    pub(crate) fn log(&self, log: &LogShape) -> Vec<Entry> {
        self.entries(of_log(log))
    }

    fn entries(&self, entries: Vec<(EntryId, bool)>) -> Vec<Entry> {
        let value = |id: EntryId| *self.0.get(&id).unwrap_or_else(|| panic!("{id} was proposed, and has no number"));
        entries.into_iter().map(|(id, opens)| Entry { term: id.term, value: if opens { 0 } else { value(id) } }).collect()
    }
}

/// The entries of a log, and whether each opens its term.
fn of_log(log: &LogShape) -> Vec<(EntryId, bool)> {
    assert_eq!(log.base(), EntryId::default(), "nothing is compacted in these configurations");
    let term = |index: Index| match log.term_at(index) {
        TermAt::Known(term) => term,
        other => panic!("{index} of a log that ends with {}: {other:?}", log.last()),
    };
    behind(Term(0), (1..=log.last().0).map(Index).map(|index| EntryId { term: term(index), index }))
}

fn of_slice(slice: &Slice) -> Vec<(EntryId, bool)> {
    let ids = (slice.prev.index.0 + 1..=slice.last.0).map(Index);
    behind(slice.prev.term, ids.map(|index| EntryId { term: slice.term_of(index).expect("within the slice"), index }))
}

/// The first entry of a term in any log is the one that opened it: who has a later one has those before.
fn behind(mut before: Term, ids: impl Iterator<Item = EntryId>) -> Vec<(EntryId, bool)> {
    ids.map(|id| (id, std::mem::replace(&mut before, id.term) != id.term)).collect()
}

/// The fewest messages that a state stands for, and all else.
///
/// A state does not remember the highest term that anybody was ever in: a crash may have taken it.
pub(crate) fn module(bounds: &Bounds, group: &Group, highest: Term, values: &Values) -> Module {
    let mut module = Module { history: history(bounds, group, highest, values), ..Module::default() };
    for (at, member) in group.members.iter().enumerate() {
        let live = member.live.as_deref().expect("a crashed member starts at once in these configurations");
        let mut disk = member.disk.clone();
        let stable = Image::new(disk.hard, values.log(&disk.log));
        let mut pending = Vec::new();
        for job in &live.jobs {
            disk.change(&job.change);
            pending.push(Write { image: Image::new(disk.hard, values.log(&disk.log)), gated: BTreeSet::new() });
        }
        gate(&mut pending, id_at(at), &live.outbox);
        module.disks.insert(id_at(at), Disk { stable, pending });
        module.nodes.insert(id_at(at), node(&live.state, values));
        module.send(counted(&live.state));
    }
    module.send(group.network.iter().filter_map(|packet| sent(packet, values)));
    let leaders: Vec<NodeId> = module.nodes.iter().filter(|(_, node)| node.role == "Leader").map(|(id, _)| *id).collect();
    for leader in leaders {
        let appends = module.appends(leader);
        module.send(appends);
    }
    module
}

/// Puts what waits in an outbox to the writes that it waits for.
pub(crate) fn gate(pending: &mut [Write], from: NodeId, outbox: &Outbox) {
    pending.iter_mut().for_each(|write| write.gated.clear());
    for (after, to, message) in outbox.waiting_sends() {
        let write = &mut pending[after as usize - 1];
        write.gated.extend(promise(from, to, message));
    }
}

pub(crate) fn node(state: &State, values: &Values) -> Node {
    let (role, heard) = match &state.role {
        Role::Follower { heard, .. } => ("Follower", *heard),
        Role::PreCandidate { .. } => ("PreCandidate", false),
        Role::Candidate { .. } => ("Candidate", false),
        Role::Leader(_) => ("Leader", false),
    };
    Node { image: Image::new(state.hard, values.log(&state.log)), role, commit: state.commit, heard }
}

/// What was received and is still counted: the module counts it where it is.
fn counted(state: &State) -> Vec<Message> {
    let (to, term) = (state.id, state.hard.term);
    match &state.role {
        Role::Follower { .. } => Vec::new(),
        Role::PreCandidate { granted } => {
            let others = granted.iter().filter(|from| *from != to);
            others.map(|from| Message::PreVoteGranted { from, to, term: term.next() }).collect()
        }
        Role::Candidate { granted } => granted.iter().filter(|from| *from != to).map(|from| Message::Vote { from, to, term }).collect(),
        Role::Leader(leader) => {
            let matched = leader.peers.iter().filter(|(_, progress)| progress.matched > Index(0));
            matched.map(|(from, progress)| Message::Ack { from, to, term, matched: progress.matched }).collect()
        }
    }
}

/// What a packet is in the module: nothing, if it is a refusal.
pub(crate) fn sent(packet: &Packet, values: &Values) -> Option<Message> {
    match &packet.body {
        Body::Message(message) => request(packet.from, message, values).or_else(|| promise(packet.from, packet.to, message)),
        Body::Snapshot { .. } => panic!("there are no snapshots in these configurations"),
    }
}

/// An AppendEntries.
pub(crate) fn request(from: NodeId, message: &Wire, values: &Values) -> Option<Message> {
    let Wire::AppendEntries { term, slice, commit, .. } = message else { return None };
    Some(Message::Append { from, term: *term, prev: slice.prev, entries: values.entries(of_slice(slice)), commit: *commit })
}

/// Anything else.
pub(crate) fn promise(from: NodeId, to: NodeId, message: &Wire) -> Option<Message> {
    match message {
        Wire::PreVote { term, last } => Some(Message::PreVote { from, term: *term, last: *last }),
        Wire::PreVoteResponse { term, granted } => granted.then_some(Message::PreVoteGranted { from, to, term: *term }),
        Wire::RequestVote { term, last } => Some(Message::RequestVote { from, term: *term, last: *last }),
        Wire::RequestVoteResponse { term, granted } => granted.then_some(Message::Vote { from, to, term: *term }),
        Wire::AppendEntriesResponse { term, result, .. } => {
            let matched = result.as_ref().ok().filter(|matched| **matched > Index(0))?;
            Some(Message::Ack { from, to, term: *term, matched: *matched })
        }
        Wire::AppendEntries { .. } => None,
        Wire::ReadIndex { .. } | Wire::ReadIndexResponse { .. } => panic!("nobody reads in these configurations"),
    }
}

fn history(bounds: &Bounds, group: &Group, highest: Term, values: &Values) -> History {
    let ids = group.history.committed.iter().zip(1..).map(|(committed, index)| EntryId { term: committed.term, index: Index(index) });
    let entries = values.entries(behind(Term(0), ids));
    History {
        elected: group.history.leaders.iter().copied().collect(),
        committed: entries.into_iter().zip(group.history.committed.iter().map(|committed| committed.by)).collect(),
        highest,
        requests: u64::from(bounds.budget.proposals - group.budget.proposals),
        crashes: u64::from(bounds.budget.crashes - group.budget.crashes),
        step_downs: 0,
    }
}
