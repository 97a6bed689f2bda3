//! What the port can tell about itself: for the admin API and the metrics.

use super::connection::Traffic;
use super::event::PeerIdentity;
use roadstead_spec::NodeId;
use roadstead_spec::wire::Version;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The port at one moment. Owned, so it may travel to whoever asked.
#[derive(Clone, Debug)]
pub struct PortStatus {
    /// Where it listens.
    pub local_addr: SocketAddr,
    /// All peers, ascending by id.
    pub peers: Vec<PeerStatus>,
    /// Accepted connections that are open.
    pub connections: ConnectionCounts,
    /// What went through client connections, open and closed.
    pub clients: Traffic,
    /// Ended connections and attempts, by [`super::CloseReason::label`].
    pub closed: BTreeMap<&'static str, u64>,
}

/// Accepted connections that are open, by what they turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Have not introduced themselves yet.
    pub strangers: usize,
    /// Native clients.
    pub clients: usize,
    /// HTTP.
    pub http: usize,
    /// Peers.
    pub peers: usize,
}

/// Both links with one peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its node id.
    pub node: NodeId,
    /// As configured.
    pub address: String,
    /// The link that we dial and send on.
    pub state: LinkState,
    /// Whether the peer's own connection to us is up.
    pub accepted: bool,
    /// What it last introduced itself as.
    pub identity: Option<PeerIdentity>,
    /// Why the last link or attempt ended, in words.
    pub last_error: Option<String>,
    /// Links that were negotiated since the start, both directions.
    pub links: u64,
    /// What went through both links, past ones included.
    pub traffic: Traffic,
    /// Bytes that wait to be written to it.
    pub queued_bytes: usize,
}

/// The outgoing link with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Looking up, connecting or negotiating.
    Connecting,
    /// Negotiated; frames can be sent.
    Connected {
        /// The header version for the link's life.
        version: Version,
    },
    /// Waiting before the next attempt; it could not be reached or the link was lost.
    Waiting,
    /// One end refused the other; waiting before the next attempt, since a restart may mend it.
    Refused,
}
