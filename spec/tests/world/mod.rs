//! A small deterministic world around the core: disks that lose what was not synced, a network that drops, doubles and reorders,
//! and a ghost that remembers what was ever committed. Everything it finds wrong is a value, so that mutants can be shown to fail.
#![allow(dead_code, unreachable_pub, reason = "a module of several test crates, each of which uses its part")]

pub mod disk;
pub mod ghost;
pub mod member;
pub mod random;

use disk::{Disk, Entry, Machine, Write};
use ghost::Ghost;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::{Transition, check_pair, check_transition},
    raft::{Effect, Event, Gate, Limits, Message, Origin, Params, ReadId, State, recover},
};
use std::collections::{BTreeMap, VecDeque};

/// `step` of the papers or of a mutant.
pub type StepFn = fn(&Params, &mut State, Event, &mut Vec<Effect>);

/// What went wrong, in words.
pub type Wrong = String;

/// A message with the bytes that travel beside it.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: NodeId,
    pub to: NodeId,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    Message { message: Message, entries: Vec<Entry> },
    Snapshot { term: Term, machine: Machine },
}

/// A process: its disk outlives its memory.
pub struct Node {
    pub id: NodeId,
    pub disk: Disk,
    pub live: Option<Live>,
    boot: u64,
}

/// What a crash takes away.
pub struct Live {
    pub state: State,
    pub entries: BTreeMap<u64, Entry>,
    pub machine: Machine,
    /// Writes that were issued and are not durable, oldest first.
    pub writes: VecDeque<Write>,
    issued: u64,
    synced: u64,
    /// Sends that wait for a write, with its number.
    held: VecDeque<(u64, NodeId, Message)>,
    apply_through: Index,
    reads: BTreeMap<ReadId, Index>,
    next_read: u64,
}

pub struct World {
    pub params: Params,
    step: StepFn,
    pub nodes: Vec<Node>,
    pub network: Vec<Packet>,
    pub ghost: Ghost,
    /// Whether local laws are checked too; off to see what the ghost alone finds.
    pub local_laws: bool,
    next_value: u64,
    /// The newest events, for whoever reads a failure.
    history: VecDeque<Happened>,
}

/// Most events that are kept for reading.
const HISTORY_MAX: usize = 40;

#[derive(Debug)]
#[expect(dead_code, reason = "read through Debug")]
enum Happened {
    Event(NodeId, Event),
    Crash(NodeId, usize),
    Restart(NodeId),
}

pub fn id(number: u32) -> NodeId {
    NodeId(number)
}

impl World {
    pub fn new(voters: u32, limits: Limits, step: StepFn) -> Self {
        let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        let params = Params::new(&ids, limits).expect("valid parameters");
        let nodes = ids.iter().map(|&id| Node { id, disk: Disk::default(), live: None, boot: 0 }).collect();
        let mut world = Self {
            params,
            step,
            nodes,
            network: Vec::new(),
            ghost: Ghost::default(),
            local_laws: true,
            next_value: 1,
            history: VecDeque::new(),
        };
        for id in ids {
            world.restart(id).expect("an empty disk starts");
        }
        world
    }

    /// A group whose disks hold these terms and logs (the terms of the entries from 1 on).
    pub fn with_disks(disks: &[(u64, &[u64])], limits: Limits, step: StepFn) -> Self {
        let mut world = Self::new(disks.len() as u32, limits, step);
        for (number, (term, log)) in disks.iter().enumerate() {
            let id = NodeId(number as u32 + 1);
            world.crash(id, 0);
            let disk = &mut world.nodes[number].disk;
            disk.hard.term = Term(*term);
            let entries = log.iter().zip(1..).map(|(&term, index)| (index, Entry { term: Term(term), value: term * 1_000 + index }));
            disk.entries = entries.collect();
            world.restart(id).expect("a disk that starts");
        }
        world
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize - 1]
    }

    pub fn state(&self, id: NodeId) -> &State {
        &self.node(id).live.as_ref().expect("alive").state
    }

    pub fn is_alive(&self, id: NodeId) -> bool {
        self.node(id).live.is_some()
    }

    pub fn leader(&self) -> Option<NodeId> {
        let live = self.nodes.iter().filter_map(|node| node.live.as_ref());
        live.filter(|live| live.state.as_leader().is_some()).max_by_key(|live| live.state.hard.term).map(|live| live.state.id)
    }

    fn happened(&mut self, happened: Happened) {
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(happened);
    }

    /// The newest events in words.
    pub fn story(&self) -> String {
        self.history.iter().map(|happened| format!("{happened:?}\n")).collect()
    }

    /// Steps a live node, carries out what it says, and judges the transition.
    pub fn event(&mut self, id: NodeId, event: Event, received: Vec<Entry>) -> Result<(), Wrong> {
        self.happened(Happened::Event(id, event.clone()));
        let at = id.0 as usize - 1;
        let Some(live) = self.nodes[at].live.as_mut() else { return Ok(()) };
        let before = live.state.clone();
        let mut effects = Vec::new();
        (self.step)(&self.params, &mut live.state, event.clone(), &mut effects);
        let after = live.state.clone();
        if self.local_laws {
            let transition = Transition { params: &self.params, before: &before, event: &event, after: &after, effects: &effects };
            check_transition(&transition).map_err(|broken| format!("{broken} at {id} by {event:?}"))?;
        }
        self.execute(at, &event, effects, &received)?;
        self.ghost.observe(&self.params, &self.nodes, at, &before)?;
        if self.local_laws {
            for other in self.nodes.iter().filter(|node| node.id != id).filter_map(|node| node.live.as_ref()) {
                check_pair(&after, &other.state).map_err(|broken| broken.to_string())?;
            }
        }
        self.apply(at)
    }

    fn execute(&mut self, at: usize, event: &Event, effects: Vec<Effect>, received: &[Entry]) -> Result<(), Wrong> {
        let id = self.nodes[at].id;
        for effect in effects {
            let live = self.nodes[at].live.as_mut().expect("alive");
            match effect {
                Effect::Persist { hard, truncate_from, append, mark } => {
                    let mut entries = Vec::new();
                    if let Some(append) = &append {
                        let first = append.runs[0].first.0;
                        for index in first..=append.last.0 {
                            let term = append.runs.iter().rev().find(|run| run.first.0 <= index).expect("covered").term;
                            let value = match append.origin {
                                Origin::Noop => 0,
                                Origin::Proposed => {
                                    self.next_value += 1;
                                    self.next_value
                                }
                                Origin::Received => {
                                    let Event::Receive { message: Message::AppendEntries { slice, .. }, .. } = event else {
                                        return Err(format!("received entries without a message at {id}"));
                                    };
                                    let entry = received[(index - slice.prev.index.0 - 1) as usize];
                                    if entry.term != term {
                                        return Err(format!("entry {index} came with {} but is written as {term}", entry.term));
                                    }
                                    entry.value
                                }
                            };
                            entries.push((index, Entry { term, value }));
                        }
                    }
                    if let Some(from) = truncate_from {
                        live.entries.split_off(&from.0);
                    }
                    live.entries.extend(entries.iter().copied());
                    live.issue(Write::Persist { hard, truncate_from, entries, mark });
                }
                Effect::InstallSnapshot { hard, at, keep_suffix, mark } => {
                    let staged = self.nodes[at_index(id)].disk.staged.clone().filter(|machine| machine.at == at);
                    let Some(machine) = staged else { return Err(format!("snapshot {at} was never staged at {id}")) };
                    let live = self.nodes[at_index(id)].live.as_mut().expect("alive");
                    live.entries = if keep_suffix { live.entries.split_off(&(at.index.0 + 1)) } else { BTreeMap::new() };
                    live.issue(Write::Install { hard, machine, keep_suffix, mark });
                }
                Effect::Compact { through } => {
                    live.entries = live.entries.split_off(&(through.0 + 1));
                    let base = live.state.log.base();
                    live.issue(Write::Compact { base });
                }
                Effect::Send { to, message, gate: Gate::AfterPersist } => live.held.push_back((live.issued, to, message)),
                Effect::Send { to, message, gate: Gate::Now } => self.transmit(at, to, message)?,
                Effect::Apply { through } => live.apply_through = through,
                Effect::ReadReady { id: read, index } => {
                    if let Some(began) = live.reads.remove(&read) {
                        self.ghost.reads_answered += 1;
                        if index < began {
                            return Err(format!("read {read:?} is answered at {index}, but {began} was committed when it began"));
                        }
                    }
                }
                Effect::Refuse { .. } | Effect::ResetElectionTimer => {}
                Effect::SendSnapshot { to, at: least } => {
                    let machine = live.machine.clone();
                    if machine.at.index < least.index {
                        return Err(format!("{id} is asked for snapshot {least}, but applied only {}", machine.at));
                    }
                    let term = live.state.hard.term;
                    let runs = |packet: &Packet| packet.from == id && packet.to == to && matches!(packet.body, Body::Snapshot { .. });
                    if self.network.iter().any(runs) {
                        continue;
                    }
                    self.ghost.snapshots_sent += 1;
                    self.network.push(Packet { from: id, to, body: Body::Snapshot { term, machine } });
                }
                Effect::Halt { law } => return Err(format!("halt at {id}: {law:?} by {event:?}")),
            }
        }
        self.release(at)
    }

    /// A message leaves: its bytes are looked up now, and it is dropped when they are no longer what its header names.
    fn transmit(&mut self, at: usize, to: NodeId, message: Message) -> Result<(), Wrong> {
        let node = &self.nodes[at];
        let live = node.live.as_ref().expect("alive");
        let mut entries = Vec::new();
        if let Message::AppendEntries { slice, .. } = &message {
            if !slice.is_valid() {
                return Err(format!("{} sends an invalid {slice:?}", node.id));
            }
            for index in slice.prev.index.0 + 1..=slice.last.0 {
                match live.entries.get(&index).filter(|entry| Some(entry.term) == slice.term_of(Index(index))) {
                    Some(entry) => entries.push(*entry),
                    None => return Err(format!("{} sends entry {index} of {slice:?}, which it does not hold", node.id)),
                }
            }
        }
        if let Message::RequestVoteResponse { granted: true, term } = &message {
            self.ghost.vote(node.id, *term, to)?;
        }
        self.ghost.messages += 1;
        self.network.push(Packet { from: node.id, to, body: Body::Message { message, entries } });
        Ok(())
    }

    fn release(&mut self, at: usize) -> Result<(), Wrong> {
        loop {
            let live = self.nodes[at].live.as_mut().expect("alive");
            if live.held.front().is_none_or(|(ticket, ..)| *ticket > live.synced) {
                return Ok(());
            }
            let Some((_, to, message)) = live.held.pop_front() else { return Ok(()) };
            self.transmit(at, to, message)?;
        }
    }

    /// Makes the oldest unsynced write of a node durable and reports it.
    pub fn sync_one(&mut self, id: NodeId) -> Result<(), Wrong> {
        let node = &mut self.nodes[at_index(id)];
        let Some(live) = node.live.as_mut() else { return Ok(()) };
        let Some(write) = live.writes.pop_front() else { return Ok(()) };
        live.synced += 1;
        if let Write::Install { machine, .. } = &write {
            live.machine = machine.clone();
        }
        let mark = node.disk.write(write);
        self.release(at_index(id))?;
        match mark {
            Some(mark) => self.event(id, Event::Persisted { mark }, Vec::new()),
            None => self.apply(at_index(id)),
        }
    }

    pub fn sync(&mut self, id: NodeId) -> Result<(), Wrong> {
        while self.node(id).live.as_ref().is_some_and(|live| !live.writes.is_empty()) {
            self.sync_one(id)?;
        }
        Ok(())
    }

    /// Applies what is committed and durable here, and says so.
    fn apply(&mut self, at: usize) -> Result<(), Wrong> {
        let node = &mut self.nodes[at];
        let Some(live) = node.live.as_mut() else { return Ok(()) };
        let before = live.machine.at.index;
        while live.machine.at.index < live.apply_through {
            let next = live.machine.at.index.next();
            let Some(entry) = live.entries.get(&next.0).filter(|entry| node.disk.entries.get(&next.0) == Some(entry)) else { break };
            live.machine.apply(next, *entry);
            self.ghost.applied(node.id, &live.machine)?;
        }
        let through = live.machine.at.index;
        if through > before { self.event(NodeId(at as u32 + 1), Event::Applied { through }, Vec::new()) } else { Ok(()) }
    }

    /// Delivers a packet (which stays in the network when `twice`).
    pub fn deliver(&mut self, number: usize, twice: bool) -> Result<(), Wrong> {
        let packet = if twice { self.network[number].clone() } else { self.network.remove(number) };
        if !self.is_alive(packet.to) {
            return self.lost(packet);
        }
        match packet.body {
            Body::Message { message, entries } => self.event(packet.to, Event::Receive { from: packet.from, message }, entries),
            Body::Snapshot { term, machine } => {
                let at = machine.at;
                self.nodes[at_index(packet.to)].disk.staged = Some(machine);
                self.event(packet.to, Event::SnapshotReceived { from: packet.from, term, at }, Vec::new())
            }
        }
    }

    /// Delivers the oldest packet of a link that fits; false if there is none. With `twice` it stays in the network.
    pub fn deliver_first(&mut self, from: NodeId, to: NodeId, twice: bool, fits: impl Fn(&Message) -> bool) -> Result<bool, Wrong> {
        let fits = |packet: &Packet| match &packet.body {
            Body::Message { message, .. } => packet.from == from && packet.to == to && fits(message),
            Body::Snapshot { .. } => false,
        };
        match self.network.iter().position(fits) {
            Some(number) => self.deliver(number, twice).map(|()| true),
            None => Ok(false),
        }
    }

    pub fn drop_packet(&mut self, number: usize) -> Result<(), Wrong> {
        let packet = self.network.remove(number);
        self.lost(packet)
    }

    /// Only the loss of a snapshot is noticed, by its sender.
    fn lost(&mut self, packet: Packet) -> Result<(), Wrong> {
        match packet.body {
            Body::Snapshot { .. } => self.event(packet.from, Event::SnapshotFailed { to: packet.to }, Vec::new()),
            Body::Message { .. } => Ok(()),
        }
    }

    /// Ends a process; of its unsynced writes the oldest `kept` had reached the disk.
    pub fn crash(&mut self, id: NodeId, kept: usize) {
        self.happened(Happened::Crash(id, kept));
        let node = &mut self.nodes[at_index(id)];
        if let Some(live) = node.live.take() {
            for write in live.writes.into_iter().take(kept) {
                node.disk.write(write);
            }
        }
    }

    pub fn restart(&mut self, id: NodeId) -> Result<(), Wrong> {
        self.happened(Happened::Restart(id));
        let node = &mut self.nodes[at_index(id)];
        if node.live.is_some() {
            return Ok(());
        }
        let applied = node.disk.machine.at.index;
        let state = recover(id, node.disk.hard, node.disk.shape()?, applied).map_err(|error| format!("{id}: {error}"))?;
        node.boot += 1;
        node.live = Some(Live {
            state,
            entries: node.disk.entries.clone(),
            machine: node.disk.machine.clone(),
            writes: VecDeque::new(),
            issued: 0,
            synced: 0,
            held: VecDeque::new(),
            apply_through: applied,
            reads: BTreeMap::new(),
            next_read: 0,
        });
        Ok(())
    }

    /// The state machine's data becomes durable: the log may be compacted.
    pub fn checkpoint(&mut self, id: NodeId) -> Result<(), Wrong> {
        let node = &mut self.nodes[at_index(id)];
        let Some(live) = node.live.as_ref() else { return Ok(()) };
        node.disk.machine = live.machine.clone();
        let at = live.machine.at;
        if at.index == Index(0) { Ok(()) } else { self.event(id, Event::SnapshotTaken { at }, Vec::new()) }
    }

    /// A linearizable read; the ghost remembers what was committed when it began.
    pub fn read(&mut self, id: NodeId) -> Result<(), Wrong> {
        let began = self.ghost.committed_through();
        let node = &mut self.nodes[at_index(id)];
        let boot = node.boot;
        let Some(live) = node.live.as_mut() else { return Ok(()) };
        live.next_read += 1;
        let read = ReadId { node: id, boot, number: live.next_read };
        live.reads.insert(read, began);
        self.event(id, Event::Read { id: read }, Vec::new())
    }

    pub fn propose(&mut self, id: NodeId, count: u32) -> Result<(), Wrong> {
        self.event(id, Event::Propose { count }, Vec::new())
    }

    /// Syncs and delivers, oldest first, until nothing moves.
    pub fn settle(&mut self) -> Result<(), Wrong> {
        self.settle_with(|_| true)
    }

    /// As [`World::settle`], for the packets that `arrives` lets through; others are lost.
    pub fn settle_with(&mut self, arrives: impl Fn(&Packet) -> bool) -> Result<(), Wrong> {
        for _ in 0..10_000 {
            for number in 1..=self.nodes.len() as u32 {
                self.sync(NodeId(number))?;
            }
            let Some(packet) = self.network.first() else { return Ok(()) };
            if arrives(packet) { self.deliver(0, false)? } else { self.drop_packet(0)? }
        }
        Err("ten thousand messages, and no end".to_owned())
    }

    /// All timers run out, that of `id` first: it campaigns, if it does not lead.
    pub fn time_out(&mut self, id: NodeId) -> Result<(), Wrong> {
        for number in 1..=self.nodes.len() as u32 {
            self.event(NodeId(number), Event::MinimumTimeout, Vec::new())?;
        }
        self.event(id, Event::ElectionTimeout, Vec::new())
    }

    pub fn heartbeat(&mut self, id: NodeId) -> Result<(), Wrong> {
        self.event(id, Event::HeartbeatTimeout, Vec::new())
    }

    /// `id` campaigns, and everything takes its course.
    pub fn elect(&mut self, id: NodeId) -> Result<(), Wrong> {
        self.time_out(id)?;
        self.settle()
    }
}

fn at_index(id: NodeId) -> usize {
    id.0 as usize - 1
}

impl Live {
    fn issue(&mut self, write: Write) {
        self.issued += 1;
        self.writes.push_back(write);
    }
}

/// The id of an entry, for short.
pub fn entry(term: u64, index: u64) -> EntryId {
    EntryId { term: Term(term), index: Index(index) }
}
