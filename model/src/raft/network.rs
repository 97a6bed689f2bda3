//! What is on its way between members: a multiset, from which anything may arrive next.

use super::names::{self, Names};
use roadstead_spec::{EntryId, NodeId, Term, raft::Message};

/// Something on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Orders packets, so that a multiset has one form: a hash of everything else.
    key: u64,
    /// Who sent it.
    pub from: NodeId,
    /// Who gets it.
    pub to: NodeId,
    /// What it is.
    pub body: Body,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// A message of the core.
    Message(Message),
    /// A snapshot's chunks, as a whole.
    Snapshot {
        /// The sender's term.
        term: Term,
        /// Its last entry.
        at: EntryId,
    },
}

impl Packet {
    /// A packet.
    pub fn new(from: NodeId, to: NodeId, body: Body) -> Self {
        let mut packet = Self { key: 0, from, to, body };
        packet.key = packet.hash_under(&Names::OWN);
        packet
    }

    /// A hash of the packet when members are called by these names.
    pub fn hash_under(&self, names: &Names) -> u64 {
        let Self { key: _, from, to, body } = self;
        names::hash_of(names, &(from, to, body))
    }

    /// Whether it is a snapshot.
    pub fn is_snapshot(&self) -> bool {
        matches!(self.body, Body::Snapshot { .. })
    }
}

/// Packets in flight, sorted by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Network(Vec<Packet>);

impl Network {
    /// Puts a packet on its way.
    pub fn send(&mut self, packet: Packet) {
        let at = self.0.partition_point(|other| other.key < packet.key);
        self.0.insert(at, packet);
    }

    /// Takes a packet out.
    pub fn take(&mut self, number: usize) -> Option<Packet> {
        (number < self.0.len()).then(|| self.0.remove(number))
    }

    /// A packet in flight.
    pub fn get(&self, number: usize) -> Option<&Packet> {
        self.0.get(number)
    }

    /// Every packet, in the order of its keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Packet> + '_ {
        self.0.iter()
    }

    /// The places of packets, of equal ones only the first.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len()).filter(|&at| at == 0 || self.0[at - 1] != self.0[at])
    }

    /// How many packets are in flight.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a snapshot is on its way from one member to another.
    pub fn carries_snapshot(&self, from: NodeId, to: NodeId) -> bool {
        self.0.iter().any(|packet| packet.from == from && packet.to == to && packet.is_snapshot())
    }

    /// Loses what is not to be kept.
    pub fn retain(&mut self, keep: impl FnMut(&Packet) -> bool) {
        self.0.retain(keep);
    }
}
