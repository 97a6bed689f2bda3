//! What the negotiation's world consists of.

use roadstead_spec::{
    NodeId,
    wire::{
        AnswerQueue, ClusterId, Correlator, Place, StoreId, Version,
        negotiation::{Acceptor, Caller, Dialer, Local, Policy},
    },
};

/// Requests of version 0 that a dialer lets wait on one connection.
pub const WAITING_MAX: usize = 3;
/// Requests of version 0 that an acceptor serves at a time: fewer, so that a dialer may ask for too much.
pub const SERVING_MAX: usize = 2;

/// What kind of program an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// A node of ours, under this policy.
    Ours(Policy),
    /// A server of NuRaft.
    NuRaft,
    /// A native client of ours (dials only).
    Client,
    /// Nobody we know: announces more than anybody may send (dials only).
    Hostile,
}

/// Who an end is, in one life of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Its program.
    pub speaks: Speaks,
    /// Its node id.
    pub node: u8,
    /// Its cluster.
    pub cluster: u8,
    /// Its data folder.
    pub store: u8,
}

/// The dialing end's place in arrays.
pub const DIALER: usize = 0;
/// The accepting end's.
pub const ACCEPTOR: usize = 1;

/// The node that the dialer wants to reach.
pub const WANTED: u8 = 2;

impl End {
    /// A node as it should be: node 1 dials, node 2 accepts, both of cluster 1.
    pub const fn of(place: usize, speaks: Speaks) -> Self {
        let node = place as u8 + 1;
        Self { speaks, node, cluster: 1, store: node }
    }

    pub(super) fn local(self, boot: u8) -> Option<Local> {
        let Speaks::Ours(policy) = self.speaks else { return None };
        Some(Local {
            node: NodeId(self.node.into()),
            cluster: ClusterId(self.cluster.into()),
            store: StoreId(self.store.into()),
            boot: boot.into(),
            features: features(self.node),
            policy,
        })
    }

    pub(super) fn caller(self, boot: u8) -> Option<Caller> {
        let client = Caller::Client { cluster: ClusterId(self.cluster.into()), boot: boot.into(), features: features(0) };
        if self.speaks == Speaks::Client { Some(client) } else { self.local(boot).map(Caller::Node) }
    }
}

/// Each end announces other features, so that a mix-up shows.
pub(super) const fn features(node: u8) -> u64 {
    0x100 + node as u64
}

/// What a stretch of a connection's bytes is, as an observer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// The dialer's offer.
    Offer,
    /// The acceptor's answer to it.
    Answer,
    /// An answer that belongs to an earlier connection.
    Foreign,
    /// A request of a group.
    Request {
        /// The group that it was sent in.
        group: u8,
        /// Its number on this connection.
        number: u8,
    },
    /// The answer of version 0 to the request of this number.
    Reply {
        /// The request's number.
        number: u8,
    },
    /// A header that announces a gigabyte, and nothing behind it.
    Boast,
}

/// One frame on its way: how long it is and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Bytes of the frame.
    pub length: u32,
    /// Bytes of its header.
    pub header: u8,
    /// What it says.
    pub said: Said,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wire {
    /// Bytes that have not arrived.
    pub bytes: Vec<u8>,
    /// Frames whose last byte the receiver has not consumed.
    pub sent: Vec<Sent>,
    /// Nothing more is sent.
    pub ended: bool,
}

/// What an end has made of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has offered.
    Dialing(Dialer),
    /// It listens.
    Accepting(Acceptor),
    /// NuRaft, which reads requests.
    Foreign,
    /// Agreed: every frame has this version.
    Open(Version),
    /// Closed, whatever the reason.
    Closed,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Half {
    /// How far it is.
    pub phase: Phase,
    /// What has come and is not consumed.
    pub buffer: Vec<u8>,
    /// Requests of version 0 that wait for their answers, by number.
    pub waiting: Correlator<u8>,
    /// Answers of version 0 in the order of their requests.
    pub answers: AnswerQueue<u8>,
    /// Requests that are being served: their places and numbers.
    pub serving: Vec<(Place, u8)>,
}

impl Half {
    pub(super) const fn new(phase: Phase) -> Self {
        let waiting = Correlator::new(WAITING_MAX);
        Self { phase, buffer: Vec::new(), waiting, answers: AnswerQueue::new(SERVING_MAX), serving: Vec::new() }
    }

    /// Whether this end still uses the connection.
    pub fn lives(&self) -> bool {
        self.phase != Phase::Closed
    }
}

/// A connection: two ends that may think differently of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conn {
    /// Its nonce: the number of the connection.
    pub nonce: u8,
    /// Who the ends were when it was made, with their boots.
    pub ends: [(End, u8); 2],
    /// What they make of it.
    pub halves: [Half; 2],
    /// What is on its way *to* each of them.
    pub wires: [Wire; 2],
    /// Requests that were sent.
    pub numbers: u8,
    /// The network changed bytes of it.
    pub faulty: bool,
    /// The dialer took an earlier connection's answer for this one's: a legacy peer's, which carries no nonce.
    pub nonceless: bool,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Starts of either end, the first ones included.
    pub starts: u8,
    /// Connections.
    pub dials: u8,
    /// Arrivals of less than everything that is on its way.
    pub cuts: u8,
    /// Requests.
    pub requests: u8,
    /// Flipped bits.
    pub flips: u8,
    /// Answers of an earlier connection that come on a later one.
    pub mixed: u8,
    /// Connections that the network breaks.
    pub breaks: u8,
    /// Headers that announce a gigabyte.
    pub boasts: u8,
}

/// Two ends, the connections between them, and what an observer knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Who runs at each end, and in which boot; `None`: nobody yet.
    pub ends: [Option<(End, u8)>; 2],
    /// Connections, oldest first; those that both ends have closed are gone.
    pub conns: Vec<Conn>,
    /// The other end's data folder, as each end remembers it.
    pub memory: [Option<u8>; 2],
    /// The same, as it should be remembered.
    pub met: [Option<u8>; 2],
    /// The answer that an acceptor gave, and the nonce of its connection.
    pub recorded: Option<(u8, Vec<u8>)>,
    /// What the last connection came to, for whoever wrongly remembers it.
    pub last: Option<Half>,
    /// What may still happen.
    pub budget: Budget,
    /// Connections that were made.
    pub dialled: u8,
}

impl State {
    pub(super) const fn new(budget: Budget) -> Self {
        Self { ends: [None; 2], conns: Vec::new(), memory: [None; 2], met: [None; 2], recorded: None, last: None, budget, dialled: 0 }
    }
}
