//! A group's members, their disks and the network between them, moved by hand.

use crate::disk::{Disk, Job};
use crate::laws::Laws;
use crate::member::{Build, Cargo, Member, Memory, content, materialize};
use crate::print;
use roadstead_spec::invariants::{self, Broken, Transition};
use roadstead_spec::outbox::{Action, Ticket, Write};
use roadstead_spec::raft::{Effect, Event, Message, Params, ReadId, State};
use roadstead_spec::trace::{Digest, Fact, Record, Written};
use roadstead_spec::{EntryId, GroupId, Incarnation, Index, NodeId, Term};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

/// Something on its way from one member to another.
#[derive(Clone, Debug)]
pub enum Packet {
    Message {
        message: Message,
        cargo: Cargo,
    },
    /// A snapshot's chunks, as a whole.
    Snapshot {
        term: Term,
        at: EntryId,
    },
}

/// Logs with more runs are not compared with each other after each step.
const RUNS_COMPARED_EACH_STEP: usize = 64;

pub type Link = (NodeId, NodeId);

#[derive(Debug)]
pub struct World {
    build: Build,
    params: Params,
    pub members: BTreeMap<NodeId, Member>,
    pub links: BTreeMap<Link, VecDeque<Packet>>,
    /// Links that lose everything.
    pub cut: BTreeSet<Link>,
    pub laws: Laws,
    pub records: Vec<Record>,
    /// Refused AppendEntries, per link: each is a round trip.
    pub refusals: BTreeMap<Link, u64>,
    proposals: u64,
    /// What happened, for the script.
    pub out: String,
}

impl World {
    pub fn new(build: Build, params: Params) -> Self {
        let members = params.voters().iter().map(|id| (id, Member::new(id, Disk::default()))).collect();
        let mut world = Self {
            build,
            params,
            members,
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            laws: Laws::default(),
            records: Vec::new(),
            refusals: BTreeMap::new(),
            proposals: 0,
            out: String::new(),
        };
        world.ids().into_iter().for_each(|id| world.start(id));
        world
    }

    pub fn ids(&self) -> Vec<NodeId> {
        self.members.keys().copied().collect()
    }

    pub fn say(&mut self, line: impl std::fmt::Display) {
        writeln!(self.out, "{line}").expect("a string takes everything");
    }

    pub fn member(&mut self, id: NodeId) -> &mut Member {
        self.members.get_mut(&id).unwrap_or_else(|| panic!("the script names node {id}, which is not in the cluster"))
    }

    /// Starts a member from its disk.
    pub fn start(&mut self, id: NodeId) {
        let booted = self.member(id).start();
        self.records.push(booted);
        let params = Box::new(self.params.clone());
        let Some(state) = self.member(id).memory.as_ref().map(|memory| Box::new(memory.state.clone())) else { return };
        self.record(id, Fact::Recovered { params, state });
    }

    /// Steps an event and everything that follows from it at once. Says nothing about events that change nothing.
    pub fn step(&mut self, id: NodeId, event: Event, cargo: &Cargo) {
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            let (build, params) = (self.build, self.params.clone());
            let Some(memory) = self.member(id).memory.as_mut().filter(|memory| !memory.halted) else { return };
            let mut effects = Vec::new();
            let mut actions = Vec::new();
            let before = memory.state.clone();
            let issued = memory.outbox.issued();
            (build.step)(&params, &mut memory.state, event.clone(), &mut effects);
            (build.accept)(&mut memory.outbox, effects.clone(), &mut actions);
            let after = memory.state.clone();
            if !effects.is_empty() || matches!(event, Event::Receive { .. }) {
                self.say(format_args!("{id}: {}", print::event(&event)));
            }
            self.say_effects(&effects, &actions, issued);
            let (role, new_role) = (print::role(&before), print::role(&after));
            if role != new_role {
                self.say(format_args!("   becomes {new_role} in term {}", after.term()));
            }
            let transition = Transition { params: &params, before: &before, event: &event, after: &after, effects: &effects };
            self.check_laws(&transition);
            self.record(id, Fact::Stepped { event, effects, after: Digest::of_state(&after) });
            self.execute(id, actions, cargo, &mut queue);
            self.observe(id);
        }
    }

    /// The disk of a member completes its oldest `count` writes.
    pub fn sync(&mut self, id: NodeId, count: usize) {
        let build = self.build;
        let member = self.member(id);
        let Some(through) = member.disk.sync(count) else { return };
        let Some(memory) = member.memory.as_mut() else { return };
        let mut actions = Vec::new();
        (build.durable)(&mut memory.outbox, through, &mut actions);
        self.say(format_args!("{id}: durable through #{through}"));
        self.record(id, Fact::Durable { through });
        for line in actions.iter().filter_map(print::released) {
            self.say(format_args!("   {line}"));
        }
        let mut queue = VecDeque::new();
        self.execute(id, actions, &Cargo::default(), &mut queue);
        for event in queue {
            self.step(id, event, &Cargo::default());
        }
    }

    /// Takes a packet from the network.
    pub fn receive(&mut self, (from, to): Link, packet: Packet) {
        if self.member(to).memory.is_none() {
            return self.say(format_args!("{to} is down: lost"));
        }
        match packet {
            Packet::Message { message, cargo } => {
                let first = cargo.after.next();
                let content = content(first, &cargo.entries);
                self.record(to, Fact::Received { from, message: message.clone(), content, translated: false });
                self.step(to, Event::Receive { from, message }, &cargo);
            }
            Packet::Snapshot { term, at } => self.step(to, Event::SnapshotReceived { from, term, at }, &Cargo::default()),
        }
    }

    /// A linearizable read of a client of this member.
    pub fn read(&mut self, id: NodeId) {
        let member = self.member(id);
        let boot = member.boot;
        let Some(memory) = member.memory.as_mut() else { return };
        memory.reads += 1;
        let read = ReadId { node: id, boot, number: memory.reads };
        self.laws.read_arrived(read);
        self.step(id, Event::Read { id: read }, &Cargo::default());
    }

    /// Makes the state machine's data durable, as a snapshot does.
    pub fn take_snapshot(&mut self, id: NodeId) {
        let member = self.member(id);
        let Some(memory) = &member.memory else { return };
        let Some(at) = memory.log.id_at(memory.applied) else { return };
        member.disk.applied = at.index;
        member.snapshot = Some(at);
        self.step(id, Event::SnapshotTaken { at }, &Cargo::default());
    }

    fn execute(&mut self, id: NodeId, actions: Vec<Action>, cargo: &Cargo, queue: &mut VecDeque<Event>) {
        for action in actions {
            match action {
                Action::Write { ticket, write } => self.issue(id, ticket, write, cargo),
                Action::Send(released) => {
                    let after = released.after();
                    let (to, message) = released.into_parts();
                    self.send(id, to, message, after);
                }
                Action::Persisted { mark } => queue.push_back(Event::Persisted { mark }),
                Action::Installed { at } => {
                    self.memory(id).applied = at.index;
                    self.member(id).snapshot = Some(at);
                    self.record(id, Fact::Installed { at });
                    queue.push_back(Event::Applied { through: at.index });
                }
                Action::Apply { through } => {
                    self.apply(id, through);
                    queue.push_back(Event::Applied { through });
                }
                Action::Compact { through } => {
                    self.record(id, Fact::Compacted { through });
                    self.memory(id).log.compact(through);
                    self.member(id).disk.log.compact(through);
                }
                Action::SendSnapshot { to, at } => match self.member(id).snapshot.filter(|snapshot| *snapshot >= at) {
                    Some(at) => {
                        let term = self.memory(id).state.term();
                        self.put_on_link((id, to), Packet::Snapshot { term, at });
                    }
                    None => queue.push_back(Event::SnapshotFailed { to }),
                },
                Action::ReadReady { id: read, index } => self.laws.read_ready(read, index),
                Action::Halt { law } => {
                    self.memory(id).halted = true;
                    self.laws.report(format!("Halt: {id} saw {law:?}"));
                }
                Action::Refuse { .. } | Action::ResetElectionTimer | Action::Overflow { .. } => {}
            }
        }
    }

    fn issue(&mut self, id: NodeId, ticket: Ticket, write: Write, cargo: &Cargo) {
        let (entries, first) = match &write {
            Write::Persist { append: Some(append), .. } => {
                let proposals = &mut self.proposals;
                let entries = cargo.resolve(append, || {
                    *proposals += 1;
                    *proposals
                });
                (entries, append.runs[0].first)
            }
            Write::Persist { append: None, .. } | Write::InstallSnapshot { .. } => (Vec::new(), Index(0)),
        };
        self.record(id, Fact::Issued { ticket, write: Written::from(&write), content: content(first, &entries) });
        let member = self.member(id);
        if let Some(memory) = member.memory.as_mut() {
            memory.log.write(&write, &entries);
        }
        member.disk.pending.push_back(Job { ticket, write, entries });
    }

    fn send(&mut self, id: NodeId, to: NodeId, message: Message, after: Ticket) {
        let Some(cargo) = materialize(&self.memory(id).log, &message) else {
            self.record(id, Fact::Dropped { to, message, after });
            return self.say("   (its entries are gone: dropped)");
        };
        if matches!(message, Message::AppendEntriesResponse { result: Err(_), .. }) {
            *self.refusals.entry((id, to)).or_default() += 1;
        }
        let content = content(cargo.after.next(), &cargo.entries);
        self.record(id, Fact::Sent { to, message: message.clone(), after, content, translated: false });
        self.put_on_link((id, to), Packet::Message { message, cargo });
    }

    fn put_on_link(&mut self, link: Link, packet: Packet) {
        if !self.cut.contains(&link) {
            self.links.entry(link).or_default().push_back(packet);
        }
    }

    fn apply(&mut self, id: NodeId, through: Index) {
        let first = self.memory(id).applied.next();
        let mut entries = Vec::new();
        for index in (first.0..=through.0).map(Index) {
            let Some(entry) = self.memory(id).log.get(index) else {
                self.laws.report(format!("Apply: {id} shall apply entry {index}, which its log does not hold"));
                continue;
            };
            if self.member(id).disk.log.get(index) != Some(entry) {
                self.laws.report(format!("Apply: {id} applies entry {index}@{}, which its disk does not hold", entry.term));
            }
            self.laws.applied(id, index, entry);
            entries.push(entry);
        }
        self.memory(id).applied = through;
        self.record(id, Fact::Applied { content: content(first, &entries) });
        self.say(format_args!("   apply through {through}"));
    }

    fn memory(&mut self, id: NodeId) -> &mut Memory {
        self.member(id).memory.as_mut().expect("only a running member acts")
    }

    /// The laws of a step, and of the stepped member beside each other one.
    fn check_laws(&mut self, transition: &Transition<'_>) {
        if let Err(broken) = invariants::check_transition(transition) {
            self.report(&broken);
        }
        // Pairs of long logs are slow to compare: `agree` does it once.
        if transition.after.log.runs().len() <= RUNS_COMPARED_EACH_STEP {
            self.check_pairs(transition.after);
        }
    }

    /// The laws of one member beside each other one that is up.
    pub fn check_pairs(&mut self, state: &State) {
        let others = self.members.values().filter_map(|member| member.memory.as_ref()).filter(|other| other.state.id != state.id);
        let broken: Vec<_> = others.filter_map(|other| invariants::check_pair(state, &other.state).err()).collect();
        broken.iter().for_each(|law| self.report(law));
    }

    fn report(&mut self, broken: &Broken) {
        self.say(format_args!("   BROKEN {broken}"));
        self.laws.report(broken.to_string());
    }

    /// The laws of the whole history.
    fn observe(&mut self, id: NodeId) {
        let Some(memory) = self.members.get(&id).and_then(|member| member.memory.as_ref()) else { return };
        let disks: Vec<&Disk> = self.members.values().map(|member| &member.disk).collect();
        let known = self.laws.broken.len();
        self.laws.observe(&memory.state, &memory.log, &disks);
        for text in self.laws.broken.split_off(known) {
            self.say(format_args!("   BROKEN {text}"));
            self.laws.broken.push(text);
        }
    }

    fn record(&mut self, id: NodeId, fact: Fact) {
        if let Some(memory) = self.members.get_mut(&id).and_then(|member| member.memory.as_mut()) {
            self.records.push(memory.numbering.record(GroupId::DEFAULT, Incarnation(1), fact));
        }
    }

    fn say_effects(&mut self, effects: &[Effect], actions: &[Action], mut ticket: Ticket) {
        let mut left = actions.iter().filter_map(|action| match action {
            Action::Send(released) => Some((released.to(), released.message())),
            _ => None,
        });
        let mut next = left.next();
        for effect in effects {
            let mut held = false;
            match effect {
                Effect::Persist { .. } | Effect::InstallSnapshot { .. } => ticket = ticket.next(),
                Effect::Send { to, message, .. } if next == Some((*to, message)) => next = left.next(),
                Effect::Send { .. } => held = true,
                _ => {}
            }
            self.say(format_args!("   {}", print::effect(effect, ticket, held)));
        }
    }
}
