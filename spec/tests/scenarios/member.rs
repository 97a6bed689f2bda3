//! One member: what is in its memory, what is on its disk, and under which rules it runs.

use crate::disk::{Disk, Entry, Log};
use roadstead_spec::outbox::{Action, Outbox, OutboxRules, Ticket};
use roadstead_spec::raft::{Append, Effect, Event, Message, Origin, Params, Rules, State, recover, step_with};
use roadstead_spec::trace::{Content, Digest, Numbering, Record};
use roadstead_spec::{EntryId, Index, NodeId};

/// The code under test: the papers' rules or a mutant's, for the core and for the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    pub step: fn(&Params, &mut State, Event, &mut Vec<Effect>),
    pub accept: fn(&mut Outbox, Vec<Effect>, &mut Vec<Action>),
    pub durable: fn(&mut Outbox, Ticket, &mut Vec<Action>),
}

impl Build {
    pub const fn of<R: Rules, O: OutboxRules>() -> Self {
        Self { step: step_with::<R>, accept: Outbox::accept_with::<O>, durable: Outbox::durable_with::<O> }
    }
}

/// What a crash takes away.
#[derive(Debug)]
pub struct Memory {
    pub state: State,
    pub outbox: Outbox,
    /// The log's bytes, durable or not.
    pub log: Log,
    /// What the state machine has applied, durably or not.
    pub applied: Index,
    /// Reads that were asked here in this boot.
    pub reads: u64,
    pub numbering: Numbering,
    pub halted: bool,
}

#[derive(Debug)]
pub struct Member {
    pub id: NodeId,
    pub boot: u64,
    pub disk: Disk,
    /// The newest local snapshot: the state machine's data is durable through here.
    pub snapshot: Option<EntryId>,
    /// `None` while it is down.
    pub memory: Option<Memory>,
}

impl Member {
    pub fn new(id: NodeId, disk: Disk) -> Self {
        Self { id, boot: 0, disk, snapshot: None, memory: None }
    }

    /// Starts from what the disk holds; returns the first record of the boot.
    pub fn start(&mut self) -> Record {
        self.boot += 1;
        let state = recover(self.id, self.disk.hard, self.disk.log.shape(), self.disk.applied).expect("the disk contradicts itself");
        let (numbering, booted) = Numbering::begin(self.id, self.boot);
        let applied = self.disk.applied;
        let outbox = Outbox::new(applied);
        self.memory = Some(Memory { state, outbox, log: self.disk.log.clone(), applied, reads: 0, numbering, halted: false });
        booted
    }

    pub fn crash(&mut self, kept: usize) {
        self.memory = None;
        self.disk.crash(kept);
    }
}

/// What came with an event: the bytes of received entries. Proposals are numbered by the world.
#[derive(Clone, Debug, Default)]
pub struct Cargo {
    /// Index before the first one.
    pub after: Index,
    pub entries: Vec<Entry>,
}

impl Cargo {
    /// The bytes of what an effect appends.
    pub fn resolve(&self, append: &Append, mut proposal: impl FnMut() -> u64) -> Vec<Entry> {
        let Some(first) = append.runs.first().map(|run| run.first) else { return Vec::new() };
        let term_at = |index: u64| append.runs.iter().rev().find(|run| run.first.0 <= index).map_or(append.runs[0].term, |run| run.term);
        let bytes = |index: u64| match append.origin {
            Origin::Noop => Entry { term: term_at(index), payload: 0 },
            Origin::Proposed => Entry { term: term_at(index), payload: proposal() },
            Origin::Received => self.entries[(index - self.after.0 - 1) as usize],
        };
        (first.0..=append.last.0).map(bytes).collect()
    }
}

/// The entries that a message promises, as the sender's log holds them now; `None` if they are not there any more in these terms.
pub fn materialize(log: &Log, message: &Message) -> Option<Cargo> {
    let Message::AppendEntries { slice, .. } = message else { return Some(Cargo::default()) };
    let after = slice.prev.index;
    let entry = |index| log.get(index).filter(|entry| slice.term_of(index) == Some(entry.term));
    let entries = (after.0 + 1..=slice.last.0).map(|index| entry(Index(index))).collect::<Option<_>>()?;
    Some(Cargo { after, entries })
}

/// The record of these entries.
pub fn content(first: Index, entries: &[Entry]) -> Content {
    let digest = |entry: &Entry| Digest::of(u8::from(entry.payload != 0), &entry.payload.to_le_bytes());
    if entries.is_empty() { Content::none() } else { Content::new(first, entries.iter().map(|entry| (entry.term, digest(entry)))) }
}
