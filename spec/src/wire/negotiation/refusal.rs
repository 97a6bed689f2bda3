//! Why a connection carries nothing.

use crate::NodeId;
use crate::wire::error::WireError;
use crate::wire::hello::{ClusterId, HelloError, StoreId};
use crate::wire::message_type::MessageType;
use core::fmt;
use thiserror::Error;

/// A reason as it travels in a refusal: one byte, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RefusalCode {
    /// The dialer's cluster id is another.
    WrongCluster = 1,
    /// The dialer looks for another node at this address.
    WrongNode = 2,
    /// The dialer's data folder is not the one that its node id had before.
    WrongStore = 3,
    /// No header version in common.
    NoCommonVersion = 4,
    /// The hello could not be read.
    MalformedHello = 5,
    /// The dialer has the acceptor's own node id.
    SameNode = 6,
    /// The dialer is not among the acceptor's peers.
    UnknownNode = 7,
    /// Something else that a later release explains.
    Unknown = 255,
}

impl RefusalCode {
    /// The code of this number; what this release does not know is [`Self::Unknown`].
    pub const fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::WrongCluster,
            2 => Self::WrongNode,
            3 => Self::WrongStore,
            4 => Self::NoCommonVersion,
            5 => Self::MalformedHello,
            6 => Self::SameNode,
            7 => Self::UnknownNode,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongCluster => "our cluster id differs from its own: set the same `cluster` on both nodes",
            Self::WrongNode => "another node than we dialled lives at that address: correct the address in `peers`",
            Self::WrongStore => "it remembers another data folder for our node id: a wiped or copied disk must join under a new node id",
            Self::NoCommonVersion => "no header version in common: upgrade the older node",
            Self::MalformedHello => "it could not read our hello: the bytes were damaged on their way",
            Self::SameNode => "it has our own node id: give each node an id of its own",
            Self::UnknownNode => "this node is not among its `peers`: add it there",
            Self::Unknown => "a reason that only a later release knows: see its log",
        })
    }
}

/// Why this end closes the connection, in words for the person who reads the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// The other end said no.
    #[error("the peer refused the connection: {0}")]
    ByPeer(RefusalCode),
    /// Another cluster.
    #[error("the peer belongs to cluster {theirs}, this node to {ours}; set the same `cluster` on both nodes")]
    WrongCluster {
        /// This end's cluster.
        ours: ClusterId,
        /// The other end's.
        theirs: ClusterId,
    },
    /// Address reuse: another node answers, or we are taken for another.
    #[error("node {expected} was dialled and node {found} lives at that address; correct the address in `peers`")]
    WrongNode {
        /// Whom the dialer wanted; 0: a client, which does not say.
        expected: i64,
        /// Who lives there.
        found: i64,
    },
    /// Two nodes under one id.
    #[error("the peer says that it is node {0}, which is this node's own id; give each node an id of its own")]
    SameNode(NodeId),
    /// A node that is not among the peers.
    #[error("node {0} is not among this node's `peers`; add it there, or correct the address that it dials")]
    UnknownNode(NodeId),
    /// A data folder that this node id did not have before.
    #[error(
        "node {node} had data folder {remembered} and now has {found}; a wiped or copied disk must join under a new node id, \
         since it may have forgotten a vote"
    )]
    WrongStore {
        /// Which node.
        node: NodeId,
        /// The data folder that we remember.
        remembered: StoreId,
        /// The one that it has now.
        found: StoreId,
    },
    /// The answer repeats another nonce than the one offered.
    #[error("the answer carries nonce {found:016x} and {offered:016x} was offered; it belongs to another connection")]
    WrongNonce {
        /// What the dialer drew.
        offered: u64,
        /// What came back.
        found: u64,
    },
    /// The versions do not overlap.
    #[error("the peer speaks header versions {lowest} to {highest}, this end needs 1; upgrade the older node")]
    NoCommonVersion {
        /// The peer's lowest.
        lowest: u16,
        /// The peer's highest.
        highest: u16,
    },
    /// The peer speaks version 0 only and this end needs version 1.
    #[error("the peer speaks the legacy header only, and this end needs the extended one; set `header = \"auto\"` or upgrade the peer")]
    PeerIsLegacy,
    /// The hello is damaged or not where it belongs.
    #[error("the peer's hello is malformed ({0}); the connection is closed and dialled again")]
    Hello(HelloError),
    /// Flags, body and hello contradict each other: some of them are damaged, since version 0 protects neither.
    #[error("the negotiation contradicts itself: {0}; the connection is closed and dialled again")]
    Contradiction(&'static str),
    /// Bytes came before they were allowed to.
    #[error("{0} bytes came behind the offer, before it was answered; the dialer violates the protocol")]
    Early(usize),
    /// A frame that cannot be read.
    #[error(transparent)]
    Frame(#[from] WireError),
    /// An answer of another type than the ping's.
    #[error("the ping was answered by a {0}; the peer is not a Raft server of this protocol")]
    NotAPong(MessageType),
}
