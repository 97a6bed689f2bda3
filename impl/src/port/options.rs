//! What a port is told: who we are, who the peers are, how long and how much.

use roadstead_spec::NodeId;
use roadstead_spec::wire::Limits;
use roadstead_spec::wire::StoreId;
use roadstead_spec::wire::negotiation::Local;
use std::net::SocketAddr;
use std::time::Duration;

/// Everything that [`super::Port::bind`] needs.
#[derive(Clone, Debug)]
pub struct PortOptions {
    /// Where to listen; port 0 lets the system choose, [`super::Port::local_addr`] tells.
    pub listen: SocketAddr,
    /// Who this node is (a node id that is valid, not a client) and which headers it agrees to.
    pub local: Local,
    /// The peers to dial, never this node itself.
    pub peers: Vec<PeerOptions>,
    /// How long things may take.
    pub timers: PortTimers,
    /// How much there may be at once.
    pub limits: PortLimits,
    /// Seeds nonces and jitter; random in production, fixed in a simulation.
    pub seed: u64,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOptions {
    /// Its node id.
    pub node: NodeId,
    /// `HOST:PORT`; a name is looked up anew at each attempt to connect, so that a peer may move.
    pub address: String,
    /// The data folder that it had when we last met; `None`: not met yet. Another one is refused.
    pub store: Option<StoreId>,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortTimers {
    /// Looking a peer's name up and connecting to it.
    pub connect: Duration,
    /// From accept to the end of the negotiation (the first byte included), and from connect to it.
    pub handshake: Duration,
    /// A frame that has begun must bring [`super::session::PROGRESS_BYTES_MIN`] more bytes, or its end, within this.
    pub read: Duration,
    /// A socket that takes no byte for this long while some wait is given up.
    pub write: Duration,
    /// First wait before a lost peer is dialled again; it doubles with each failure.
    pub reconnect_min: Duration,
    /// Longest such wait. A link that lived for longer than this counts as a success and sets the wait back.
    pub reconnect_max: Duration,
}

impl Default for PortTimers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            handshake: Duration::from_secs(3),
            read: Duration::from_secs(10),
            write: Duration::from_secs(10),
            reconnect_min: Duration::from_millis(50),
            reconnect_max: Duration::from_secs(2),
        }
    }
}

/// How much there may be at once. What happens at the bound stands at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortLimits {
    /// Sizes of frames: a larger one closes its connection before memory is taken for it.
    pub frames: Limits,
    /// Bytes that wait for one peer (and one buffer more): further buffers are dropped whole and counted.
    pub peer_queue_bytes: usize,
    /// Bytes that wait for one client (and one buffer more): a client that does not read is closed.
    pub client_queue_bytes: usize,
    /// Accepted connections of clients, of the API and of strangers that have not introduced themselves yet. Further ones are closed at once.
    /// A quarter of them is kept for strangers, so that peers get in however many clients there are; peers themselves are not counted.
    pub connections_max: usize,
    /// Requests of one client that have no answer yet (and one socket read more): the port reads no further until one has.
    pub requests_per_client_max: usize,
}

impl Default for PortLimits {
    fn default() -> Self {
        Self {
            frames: Limits::default(),
            peer_queue_bytes: 32 << 20,
            client_queue_bytes: 16 << 20,
            connections_max: 4096,
            requests_per_client_max: 4096,
        }
    }
}
