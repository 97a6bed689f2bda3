//! The network of a simulation: connections that keep their order and lose nothing while they stand, as TCP does. So what the network can do to a node
//! is to delay, to cut a stream into any pieces, to break a connection with what is under way, and to be silent.
//!
//! Frames that are lost one by one, doubled or exchanged are no matter of TCP; the model's worlds have them.

use super::plan::{MILLI, Micros};
use bytes::BytesMut;
use rand::{RngExt, rngs::StdRng};
use roadstead::port::session::{Remote, Session};
use roadstead_spec::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names a connection.
pub(super) type ConnNumber = u64;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Dialer,
    Acceptor,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Acceptor,
            Self::Acceptor => Self::Dialer,
        }
    }
}

/// What travels.
#[derive(Debug)]
pub(super) enum Packet {
    /// Somebody dials.
    Open,
    Bytes(Vec<u8>),
    /// The other end is closed, or gone.
    Close,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    /// The life of the node that holds it; 0 before it was accepted.
    pub(super) life: u64,
    pub(super) session: Option<Session>,
    /// What has come and was not taken yet.
    pub(super) buffer: BytesMut,
    /// Who is at the other end, once it is settled.
    pub(super) remote: Option<Remote>,
    /// Closed by this end, or known to be closed by the other.
    pub(super) closed: bool,
    /// What is on its way to this end, in order.
    incoming: VecDeque<(Micros, Packet)>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    dialer: End,
    acceptor: End,
}

impl Conn {
    pub(super) const fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialer => &mut self.dialer,
            Side::Acceptor => &mut self.acceptor,
        }
    }
}

/// All connections, and what is wrong with the network.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) conns: BTreeMap<ConnNumber, Conn>,
    /// Nothing gets from the first to the second.
    blocked: BTreeMap<(NodeId, NodeId), usize>,
    /// Longest delay beside the usual one of what a node sends and hears.
    pub(super) slow: BTreeMap<NodeId, Micros>,
    usual_max: Micros,
    next: ConnNumber,
    rng: StdRng,
}

impl Network {
    pub(super) fn new(usual_max: Micros, rng: StdRng) -> Self {
        Self { conns: BTreeMap::new(), blocked: BTreeMap::new(), slow: BTreeMap::new(), usual_max, next: 0, rng }
    }

    /// A connection from `dialer` on its way to `acceptor`.
    pub(super) fn dial(&mut self, dialer: (NodeId, u64), acceptor: NodeId, session: Session) -> ConnNumber {
        let number = self.next;
        self.next += 1;
        let end = |node, life, session| End {
            node,
            life,
            session,
            buffer: BytesMut::new(),
            remote: None,
            closed: false,
            incoming: VecDeque::new(),
        };
        let conn = Conn { dialer: end(dialer.0, dialer.1, Some(session)), acceptor: end(acceptor, 0, None) };
        self.conns.insert(number, conn);
        number
    }

    /// Puts packets on their way to an end and returns when they arrive. Bytes are cut anywhere.
    pub(super) fn send(&mut self, now: Micros, number: ConnNumber, to: Side, packet: Packet) -> Vec<Micros> {
        let Some(conn) = self.conns.get_mut(&number) else { return Vec::new() };
        let (from, at) = (conn.end(to.other()).node, conn.end(to).node);
        let slow = [from, at].iter().filter_map(|node| self.slow.get(node)).max().copied().unwrap_or_default();
        let pieces = match packet {
            Packet::Bytes(bytes) => cut(bytes, &mut self.rng).into_iter().map(Packet::Bytes).collect(),
            packet => vec![packet],
        };
        let end = conn.end(to);
        let mut moments = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let delay = self.rng.random_range(MILLI / 20..=self.usual_max + slow);
            let behind = end.incoming.back().map_or(0, |(moment, _)| *moment);
            let moment = (now + delay).max(behind);
            end.incoming.push_back((moment, piece));
            moments.push(moment);
        }
        moments
    }

    /// The next packet that has reached an end.
    pub(super) fn arrived(&mut self, now: Micros, number: ConnNumber, to: Side) -> Option<Packet> {
        let conn = self.conns.get_mut(&number)?;
        let way = (conn.end(to.other()).node, conn.end(to).node);
        if self.blocked.contains_key(&way) {
            return None;
        }
        let end = conn.end(to);
        if end.incoming.front().is_none_or(|(moment, _)| *moment > now) {
            return None;
        }
        end.incoming.pop_front().map(|(_, packet)| packet)
    }

    /// How much is on its way to an end.
    pub(super) fn count_waiting(&mut self, number: ConnNumber, to: Side) -> usize {
        self.conns.get_mut(&number).map_or(0, |conn| conn.end(to).incoming.len())
    }

    /// What is under way on a connection is lost.
    pub(super) fn lose(&mut self, number: ConnNumber) {
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.dialer.incoming.clear();
            conn.acceptor.incoming.clear();
        }
    }

    /// Both ends are through with it.
    pub(super) fn forget_closed(&mut self, number: ConnNumber) {
        if self.conns.get_mut(&number).is_some_and(|conn| conn.dialer.closed && conn.acceptor.closed) {
            self.conns.remove(&number);
        }
    }

    /// Connections with an end in a life of a node.
    pub(super) fn of(&mut self, node: NodeId, life: u64) -> Vec<(ConnNumber, Side)> {
        let sides = [Side::Dialer, Side::Acceptor];
        let numbers: Vec<ConnNumber> = self.conns.keys().copied().collect();
        let mut found = Vec::new();
        for number in numbers {
            let Some(conn) = self.conns.get_mut(&number) else { continue };
            for side in sides {
                let end = conn.end(side);
                if end.node == node && end.life == life && !end.closed {
                    found.push((number, side));
                }
            }
        }
        found
    }

    /// Nothing gets from one node to another any more.
    pub(super) fn block(&mut self, from: NodeId, to: NodeId) {
        *self.blocked.entry((from, to)).or_default() += 1;
    }

    /// One who blocked the way does so no more.
    pub(super) fn unblock(&mut self, from: NodeId, to: NodeId) {
        if let Some(count) = self.blocked.get_mut(&(from, to)) {
            *count -= 1;
            if *count == 0 {
                self.blocked.remove(&(from, to));
            }
        }
    }

    /// Whether a way is open.
    pub(super) fn is_open(&self, from: NodeId, to: NodeId) -> bool {
        !self.blocked.contains_key(&(from, to))
    }

    /// Ends where something waits, for instance because the way was blocked.
    pub(super) fn waiting(&self) -> BTreeSet<(ConnNumber, Side)> {
        let waits = |end: &End| !end.incoming.is_empty();
        let sides = |(number, conn): (&ConnNumber, &Conn)| {
            let dialer = waits(&conn.dialer).then_some((*number, Side::Dialer));
            let acceptor = waits(&conn.acceptor).then_some((*number, Side::Acceptor));
            dialer.into_iter().chain(acceptor)
        };
        self.conns.iter().flat_map(sides).collect()
    }
}

/// Cuts bytes into one to three pieces.
fn cut(mut bytes: Vec<u8>, rng: &mut StdRng) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while pieces.len() < 2 && bytes.len() > 1 && rng.random_bool(0.2) {
        let rest = bytes.split_off(rng.random_range(1..bytes.len()));
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    pieces.push(bytes);
    pieces
}
