//! What the dispatcher's world consists of.

use super::decisions::group_id;
use roadstead_spec::{Incarnation, dispatch::Registry};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Names a mailbox and its handler for ever: never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local(pub u8);

/// A connection to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Link {
    /// Of peer A, header version 1.
    Extended,
    /// Of peer B, header version 0.
    Legacy,
    /// Of a client, header version 1.
    Client,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Extended, Self::Legacy, Self::Client];

    /// Who is proven to be at the other end.
    pub const fn proven(self) -> Source {
        match self {
            Self::Extended => Source::A,
            Self::Legacy => Source::B,
            Self::Client => Source::Client,
        }
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A peer with header version 1.
    A,
    /// A peer with header version 0.
    B,
    /// A client.
    Client,
}

/// A frame on its way. What its header says: `names`, the incarnation of `life` (version 1 of a node only) and `claims`; the rest is what an
/// observer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The connection.
    pub link: Link,
    /// The group that the header names.
    pub names: u8,
    /// The group that it was sent in.
    pub group: u8,
    /// The life of the group that it was sent in; 0 a client, which means whichever lives.
    pub life: u8,
    /// Who it says sent it.
    pub claims: Source,
    /// Its place among all frames under way, by age.
    pub age: u8,
}

impl Frame {
    /// The incarnation in the body.
    pub(super) fn life_id(&self) -> Incarnation {
        incarnation(self.group, self.life)
    }

    /// Whether both belong to one stream, whose order is kept.
    fn same_stream(&self, other: &Self) -> bool {
        (self.link, self.group, self.life) == (other.link, other.group, other.life)
    }
}

/// The incarnation of a group's life.
pub(super) const fn incarnation(group: u8, life: u8) -> Incarnation {
    Incarnation(group as u64 * 16 + life as u64)
}

/// A frame that the reader has found a mailbox for and not put there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The frame.
    pub frame: Frame,
    /// What the registry said.
    pub mailbox: Local,
}

/// Where a life of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It handles messages.
    Running,
    /// It failed: still registered, handles nothing any more.
    Failed,
    /// Out of the registry; the call that stops it has not returned.
    Stopping,
    /// The call has returned. (Only a mistake leaves such a life behind.)
    Stopped,
}

/// One life of a group: its mailbox and its handler.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Life {
    /// Its name.
    pub local: Local,
    /// Its group.
    pub group: u8,
    /// Which life of the group.
    pub life: u8,
    /// What waits to be handled.
    pub mailbox: Vec<Frame>,
    /// The handler's state: flips with each message.
    pub state: bool,
    /// Where it is.
    pub phase: Phase,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Frames of the peer with version 1.
    pub frames: u8,
    /// Frames of the peer with version 0.
    pub legacy: u8,
    /// Requests of clients.
    pub requests: u8,
    /// Frames under a name that is not the sender's.
    pub forged: u8,
    /// Registrations.
    pub registrations: u8,
    /// Stops and removals.
    pub stops: u8,
    /// Failures of a group.
    pub failures: u8,
}

/// The node, what is on its way to it, and what an observer knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The production registry.
    pub registry: Registry<Local>,
    /// Mailboxes and handlers, sorted by name.
    pub lives: Vec<Life>,
    /// What each connection carries, in order; `None` when it is closed.
    pub wires: [Option<Vec<Frame>>; 3],
    /// What the reader of each connection holds.
    pub held: [Option<Held>; 3],
    /// Registrations that have looked and not taken yet. (Only a mistake makes any.)
    pub looked: Vec<(u8, u8)>,
    /// Messages that a stopped life left to the next one. (Only a mistake leaves any.)
    pub inherited: Vec<Frame>,
    /// An observer's list: which life of each group is registered.
    pub registered: [Option<u8>; 3],
    /// An observer's list: which lives were removed for good, bit by bit.
    pub removed: [u8; 3],
    /// The next name of a mailbox.
    pub next: u8,
    /// What may still happen.
    pub budget: Budget,
}

impl State {
    /// A node without groups and with three open connections.
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            registry: Registry::new(),
            lives: Vec::new(),
            wires: [const { Some(Vec::new()) }; 3],
            held: [None; 3],
            looked: Vec::new(),
            inherited: Vec::new(),
            registered: [None; 3],
            removed: [0; 3],
            next: 0,
            budget,
        }
    }

    /// Whether this mailbox takes messages.
    pub fn is_open(&self, mailbox: Local) -> bool {
        self.life(mailbox).is_some_and(|life| matches!(life.phase, Phase::Running | Phase::Failed))
    }

    /// The life of this name.
    pub fn life(&self, mailbox: Local) -> Option<&Life> {
        self.lives.iter().find(|life| life.local == mailbox)
    }

    pub(super) fn life_mut(&mut self, mailbox: Local) -> Option<&mut Life> {
        self.lives.iter_mut().find(|life| life.local == mailbox)
    }

    /// Every frame that was sent and has no fate yet.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &Frame> {
        let wires = self.wires.iter().flatten().flatten();
        let held = self.held.iter().flatten().map(|held| &held.frame);
        wires.chain(held).chain(self.lives.iter().flat_map(|life| &life.mailbox)).chain(&self.inherited)
    }

    /// An older frame of the same stream that is still under way.
    pub(super) fn overtaken_by(&self, frame: &Frame) -> Option<&Frame> {
        self.under_way().find(|other| other.same_stream(frame) && other.age < frame.age)
    }

    /// A frame has met its fate: the younger ones move up, so that states do not differ by how many came before.
    pub(super) fn close_ranks(&mut self, age: u8) {
        let wires = self.wires.iter_mut().flatten().flatten();
        let held = self.held.iter_mut().flatten().map(|held| &mut held.frame);
        let all = wires.chain(held).chain(self.lives.iter_mut().flat_map(|life| &mut life.mailbox)).chain(&mut self.inherited);
        all.filter(|frame| frame.age > age).for_each(|frame| frame.age -= 1);
    }

    /// The smallest hash over all ways to name the ordinary groups; the lives of a group are named in the order in which they are met.
    pub(super) fn canonical(&self, groups: u8) -> u64 {
        let same = self.hash_as([0, 1, 2]);
        if groups < 3 { same } else { same.min(self.hash_as([0, 2, 1])) }
    }

    fn hash_as(&self, groups: [u8; 3]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut names = Names::new(groups);
        self.budget.hash(&mut hasher);
        for (wire, held) in self.wires.iter().zip(&self.held) {
            wire.as_ref().map(Vec::len).hash(&mut hasher);
            wire.iter().flatten().for_each(|frame| names.frame(frame).hash(&mut hasher));
            let holder = held.as_ref().and_then(|held| self.life(held.mailbox)).map(|life| names.life(life.group, life.life));
            held.as_ref().map(|held| (names.frame(&held.frame), holder)).hash(&mut hasher);
        }
        self.looked.len().hash(&mut hasher);
        self.looked.iter().for_each(|&(group, life)| names.life(group, life).hash(&mut hasher));
        self.inherited.iter().for_each(|frame| names.frame(frame).hash(&mut hasher));
        let mut order: [u8; 3] = [0, 1, 2];
        order.sort_by_key(|group| groups[usize::from(*group)]);
        for group in order {
            for life in self.lives.iter().filter(|life| life.group == group) {
                let registered = self.registry.groups().any(|(_, _, mailbox)| *mailbox == life.local);
                (names.life(life.group, life.life), life.mailbox.len(), life.state, life.phase, registered).hash(&mut hasher);
                life.mailbox.iter().for_each(|frame| names.frame(frame).hash(&mut hasher));
            }
            let at = usize::from(group);
            let met = names.lives[at];
            let registered = self.registered[at].map(|life| names.life(group, life));
            // The registry's own list is told apart from the observer's only where a mistake lets them differ.
            let gone = |life: u8| {
                let own = self.registry.is_buried(group_id(group), incarnation(group, life));
                (self.removed[at] >> life & 1) | u8::from(own) << 1
            };
            let named = (1..4u8).filter(|life| met[usize::from(*life)] != 0);
            let named = named.fold(0u32, |bits, life| bits | u32::from(gone(life)) << (2 * met[usize::from(life)]));
            let mut others: Vec<u8> = (1..4u8).filter(|life| met[usize::from(*life)] == 0).map(gone).collect();
            others.sort_unstable();
            (registered, named, others).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// New names for groups and lives.
struct Names {
    groups: [u8; 3],
    lives: [[u8; 4]; 3],
    met: [u8; 3],
}

impl Names {
    /// Lives of the default group keep their names, met or not: frames of version 0 mean its first, so that no two of them are alike.
    const fn new(groups: [u8; 3]) -> Self {
        Self { groups, lives: [[0, 1, 2, 3], [0; 4], [0; 4]], met: [0; 3] }
    }

    fn life(&mut self, group: u8, life: u8) -> (u8, u8) {
        let at = usize::from(group);
        let name = &mut self.lives[at][usize::from(life)];
        if life != 0 && *name == 0 {
            self.met[at] += 1;
            *name = self.met[at];
        }
        (self.groups[at], *name)
    }

    fn frame(&mut self, frame: &Frame) -> (u8, u8, u8, Link, Source, u8) {
        let (group, life) = self.life(frame.group, frame.life);
        (self.groups[usize::from(frame.names)], group, life, frame.link, frame.claims, frame.age)
    }
}
