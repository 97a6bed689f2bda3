//! An action of the world as steps of the module, with the states between them.
//!
//! The grain: a step of `spec` is one step of the module, but that an election timeout of a follower that heard a leader is `LoseLeader` and `AskPreVote`; a write that
//! becomes durable is `Sync`, and the step of `spec` that hears of it another one; a crash is a `Sync` for each write that had arrived, and `Restart`. A coarse action of the world
//! is as many of these as were noted while it was taken. What changes nothing is no step.

use super::{
    module::{Image, Message, Module, Write},
    project::{Values, gate, module, node, promise, request, sent},
    record::{Note, Released},
};
use roadstead_model::raft::{Action, Bounds, Change, Disk, Group, group::id_at};
use roadstead_spec::{
    NodeId, Term,
    raft::{Event, Message as Wire, State},
};
use std::collections::{BTreeMap, BTreeSet};

/// A step that the module must allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// Who steps.
    pub(crate) node: NodeId,
    /// What it may have received: the message that arrived, and one that tells the term that it learns.
    pub(crate) received: BTreeSet<Message>,
    pub(crate) from: Module,
    pub(crate) to: Module,
}

/// Where an action begins.
#[derive(Clone)]
pub(crate) struct Start {
    values: Values,
    now: Module,
    /// What each disk will hold when all that is under way has arrived.
    written: BTreeMap<NodeId, Disk>,
}

impl Start {
    /// A state of the world, and the highest term that anybody was in on the way to it.
    pub(crate) fn new(bounds: &Bounds, group: &Group, highest: Term) -> Self {
        let values = Values::of(group);
        let now = module(bounds, group, highest, &values);
        assert!(values.len() <= now.history.requests, "more entries than were proposed");
        Self { values, now, written: written(group) }
    }
}

/// Tells an action as steps of the module. An error, if they do not explain what was sent, or do not lead to where the world is.
pub(crate) fn follow(start: &Start, action: Action, notes: Vec<Note>, bounds: &Bounds, after: &Group) -> Result<Vec<Step>, String> {
    let Start { values, now, written } = start.clone();
    let mut walk = Walk { now, steps: Vec::new(), values, written, unexplained: None };
    if let Action::Crash { member, lost } = action {
        walk.crash(id_at(member.into()), lost.into(), after.live(member.into()).map(|live| &live.state));
    }
    walk.take(notes);
    walk.arrive(bounds, after)
}

fn written(group: &Group) -> BTreeMap<NodeId, Disk> {
    let mut written = BTreeMap::new();
    for (at, member) in group.members.iter().enumerate() {
        let mut disk = member.disk.clone();
        for job in member.live.iter().flat_map(|live| &live.jobs) {
            disk.change(&job.change);
        }
        written.insert(id_at(at), disk);
    }
    written
}

struct Walk {
    now: Module,
    steps: Vec<Step>,
    values: Values,
    written: BTreeMap<NodeId, Disk>,
    unexplained: Option<String>,
}

impl Walk {
    fn advance(&mut self, node: NodeId, received: BTreeSet<Message>, to: Module) {
        if to != self.now {
            let from = std::mem::replace(&mut self.now, to.clone());
            self.steps.push(Step { node, received, from, to });
        }
    }

    fn take(&mut self, notes: Vec<Note>) {
        let mut notes = notes.into_iter().peekable();
        while let Some(note) = notes.next() {
            match note {
                Note::Stepped { before, event, after } => {
                    if let Some(Note::Accepted(released)) = notes.next_if(|note| matches!(note, Note::Accepted(_))) {
                        self.step(&before, &event, &after, released);
                    }
                }
                Note::Durable(released) => {
                    if let Some(Note::Stepped { after, .. }) = notes.peek() {
                        self.sync(after.id, released);
                    }
                }
                Note::Accepted(_) => panic!("effects without a step"),
            }
        }
    }

    /// A step of the core, with what its outbox did.
    fn step(&mut self, before: &State, event: &Event, after: &State, released: Released) {
        let id = after.id;
        let leads = after.as_leader().is_some();
        self.values.proposed(&after.log, self.now.history.requests + 1);
        if matches!(event, Event::ElectionTimeout) && self.now.nodes[&id].heard {
            let mut lost = self.now.clone();
            lost.nodes.get_mut(&id).expect("a member").heard = false;
            self.advance(id, BTreeSet::new(), lost);
        }
        let received = self.received(event, after);
        let mut next = self.now.clone();
        next.nodes.insert(id, node(after, &self.values));
        self.write(&mut next, id, &released);
        let (appends, mut free): (Vec<_>, Vec<_>) =
            released.sends.into_iter().partition(|(_, message)| matches!(message, Wire::AppendEntries { .. }));
        note_history(&mut next, before, event, after);
        let mut messages: Vec<Message> = free.drain(..).filter_map(|(to, message)| promise(id, to, &message)).collect();
        let is_news = before.as_leader().is_none() || before.log != after.log || before.commit != after.commit;
        if leads && is_news {
            messages.extend(next.appends(id));
        }
        next.send(messages);
        self.advance(id, received, next);
        for (_, append) in appends {
            let message = request(id, &append, &self.values).expect("an AppendEntries");
            self.explain(&message);
        }
    }

    /// What the module's action may have received.
    fn received(&self, event: &Event, after: &State) -> BTreeSet<Message> {
        let Event::Receive { from, message } = event else { return BTreeSet::new() };
        let arrived = request(*from, message, &self.values).or_else(|| promise(*from, after.id, message));
        let learnt = Some(after.hard.term).filter(|term| *term > self.now.nodes[&after.id].image.term);
        let teacher = learnt.and_then(|term| self.now.messages.iter().find(|message| message.tells() == Some(term)));
        arrived.into_iter().chain(teacher.cloned()).collect()
    }

    /// Writes go behind those that are under way; promises wait for what they were put behind.
    fn write(&mut self, next: &mut Module, id: NodeId, released: &Released) {
        let disk = self.written.get_mut(&id).expect("a member");
        let pending = &mut next.disks.get_mut(&id).expect("a member").pending;
        for write in &released.writes {
            disk.change(&Change::Whole(write.clone()));
            pending.push(Write { image: Image::new(disk.hard, self.values.log(&disk.log)), gated: BTreeSet::new() });
        }
        gate(pending, id, &released.outbox);
    }

    /// The oldest write became durable.
    fn sync(&mut self, id: NodeId, released: Released) {
        let mut next = self.now.clone();
        let disk = next.disks.get_mut(&id).expect("a member");
        if disk.pending.is_empty() {
            return;
        }
        disk.stable = disk.pending.remove(0).image;
        gate(&mut disk.pending, id, &released.outbox);
        let messages: Vec<Message> = released.sends.iter().filter_map(|(to, message)| promise(id, *to, message)).collect();
        next.send(messages);
        self.advance(id, BTreeSet::new(), next);
    }

    /// A crash that loses the newest `lost` writes, and the start behind it.
    fn crash(&mut self, id: NodeId, lost: usize, after: Option<&State>) {
        let after = after.expect("a crashed member starts at once in these configurations");
        while self.now.disks[&id].pending.len() > lost {
            let mut next = self.now.clone();
            let disk = next.disks.get_mut(&id).expect("a member");
            let write = disk.pending.remove(0);
            disk.stable = write.image;
            next.send(write.gated);
            self.advance(id, BTreeSet::new(), next);
        }
        let mut next = self.now.clone();
        next.nodes.insert(id, node(after, &self.values));
        next.disks.get_mut(&id).expect("a member").pending.clear();
        next.history.crashes += 1;
        self.advance(id, BTreeSet::new(), next);
    }

    /// What is on its way must have left in the module, too.
    fn explain(&mut self, message: &Message) {
        if !self.now.has_sent(message) && self.unexplained.is_none() {
            self.unexplained = Some(format!("on its way, and not sent in the module: {}", message.value()));
        }
    }

    /// The steps must have led to where the world is.
    fn arrive(mut self, bounds: &Bounds, after: &Group) -> Result<Vec<Step>, String> {
        let fewest = module(bounds, after, self.now.history.highest, &self.values);
        for packet in after.network.iter() {
            if let Some(message) = sent(packet, &self.values) {
                self.explain(&message);
            }
        }
        fewest.messages.iter().for_each(|message| self.explain(message));
        if let Some(text) = self.unexplained {
            return Err(text);
        }
        // The world does not count them.
        self.now.history.step_downs = fewest.history.step_downs;
        if (&fewest.nodes, &fewest.disks, &fewest.history) != (&self.now.nodes, &self.now.disks, &self.now.history) {
            return Err(format!("the steps lead to {:?}, the world is at {fewest:?}", self.now));
        }
        Ok(self.steps)
    }
}

/// What an observer notes of a step.
fn note_history(next: &mut Module, before: &State, event: &Event, after: &State) {
    let (id, term) = (after.id, after.hard.term);
    let led = before.as_leader().is_some();
    let history = &mut next.history;
    history.highest = history.highest.max(term);
    if after.as_leader().is_some() && !(led && before.hard.term == term) {
        history.elected.insert((term, id));
    }
    if led && after.as_leader().is_none() && matches!(event, Event::ElectionTimeout | Event::DiskStalled) {
        history.step_downs += 1;
    }
    if matches!(event, Event::Propose { .. }) && after.log.last() > before.log.last() {
        history.requests += 1;
    }
    let log = &next.nodes[&id].image.log;
    let known = history.committed.len();
    history.committed.extend(log.iter().take(after.commit.0 as usize).skip(known).map(|entry| (*entry, term)));
}
