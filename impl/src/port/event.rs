//! What the port tells the node.

use super::close::CloseReason;
use bytes::Bytes;
use roadstead_spec::NodeId;
use roadstead_spec::wire::StoreId;
use roadstead_spec::wire::{Header, Version};
use std::fmt;

/// Names a connection; never used again while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

/// Which of the two connections with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// The one that we dialled and send on. In version 0 the answers to our requests come back on it, in their order.
    Dialled,
    /// The one that the peer dialled and sends on. Answers to a version 0 request go back on it, in their order.
    Accepted(ConnId),
}

/// One frame, checked: marker, checksum, sizes, source and destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The header, decoded.
    pub header: Header,
    /// The body: a view into the block that the socket was read into, not a copy.
    pub body: Bytes,
}

/// What the port tells the node, in the order in which it happened on each connection.
#[derive(Debug)]
pub enum PortEvent {
    /// A link with a peer was negotiated. Comes before any of its frames.
    PeerUp {
        /// Which peer.
        peer: NodeId,
        /// Which of the two links: frames can be sent once [`Via::Dialled`] is up.
        via: Via,
        /// Its connection.
        conn: ConnId,
        /// What it introduced itself as; `None` for a legacy peer, which introduces itself only by `src`.
        identity: Option<PeerIdentity>,
        /// The header version for the link's life.
        version: Version,
    },
    /// A link that was up is gone.
    PeerDown {
        /// Which peer.
        peer: NodeId,
        /// Which of the two links.
        via: Via,
        /// Its connection.
        conn: ConnId,
        /// The header version that it spoke.
        version: Version,
        /// Why.
        reason: CloseReason,
    },
    /// All whole frames of one socket read.
    PeerFrames {
        /// Which peer.
        peer: NodeId,
        /// Which of the two links.
        via: Via,
        /// Its connection.
        conn: ConnId,
        /// The header version that it speaks.
        version: Version,
        /// At least one, in the order of the wire.
        frames: Vec<Frame>,
    },
    /// All whole frames of one socket read: client requests of version 1; or of version 0, from somebody who is no peer, client requests,
    /// pings, pre-votes and requests to add or remove a server.
    ClientFrames {
        /// Where the answers go.
        conn: ConnId,
        /// At least one, in the order of the wire.
        frames: Vec<Frame>,
    },
    /// A client is gone, whether it had sent frames or not: its answers have nowhere to go.
    ClientGone {
        /// Which connection.
        conn: ConnId,
    },
}

/// Who a version 1 peer says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its data folder: make it durable (and hand it in as [`super::PeerOptions::store`] at the next start) before its votes count.
    pub store: StoreId,
    /// Whether the port did not know that data folder before.
    pub store_is_new: bool,
    /// Drawn when its process started: another value means that it was restarted.
    pub boot: u64,
    /// What else it understands.
    pub features: u64,
}
