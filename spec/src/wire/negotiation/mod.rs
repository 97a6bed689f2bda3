//! The first exchange on a connection between nodes, or of a client with a node: which header version, and is it who we think it is?
//!
//! ```text
//! dialer                                      acceptor
//!   | v0 ping (type 18), flag OFFER, one entry   |
//!   | of value type 231: hello ----------------> |   NuRaft: answers type 19, flags 0, nothing else
//!   | <---------------- type 19 ---------------- |   ours:   type 19, flag 0x80, ctx = hello (agreement or refusal)
//!   | the version is now fixed for this connection |
//! ```
//!
//! A ping with an unknown flag and an unknown entry is answered normally by every release of NuRaft and changes nothing there; an unknown
//! marker would cost the connection on NuRaft 3 and be *processed as a request* on NuRaft 2. So a dialer never guesses and never breaks a
//! legacy peer. The dialer sends nothing between its offer and the answer; so no byte is ever read in two ways.
//!
//! Both ends are pure: bytes in, bytes and an outcome out. The caller keeps the buffer and hands in all that has come and is not consumed.

mod acceptor;
mod dialer;
mod refusal;

pub use acceptor::Acceptor;
pub use dialer::{Dialer, Target};
pub use refusal::{Refusal, RefusalCode};

use super::header::{Limits, Version};
use super::hello::{ClusterId, HELLO_BYTES_MAX, Hello, HelloKind, StoreId};
use crate::NodeId;

/// `header = "auto" | "legacy" | "extended"`: a policy between nodes; clients always need version 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Version 1 with those who speak it, version 0 with the rest.
    #[default]
    Auto,
    /// Version 0 only: neither offers nor answers a node's offer.
    Legacy,
    /// Version 1 only: refuses legacy peers.
    Extended,
}

/// The one version beside legacy that this release speaks.
const VERSION: u16 = Version::Extended as u16;

/// Who this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// This node.
    pub node: NodeId,
    /// The cluster that it belongs to.
    pub cluster: ClusterId,
    /// Its data folder.
    pub store: StoreId,
    /// Drawn at random when the process started.
    pub boot: u64,
    /// Feature bits to announce.
    pub features: u64,
    /// What it agrees to.
    pub policy: Policy,
}

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A node.
    Node(Local),
    /// A native client: needs version 1.
    Client {
        /// The cluster that it wants; [`ClusterId::ANY`] if it has only an address.
        cluster: ClusterId,
        /// Drawn at random when the process started.
        boot: u64,
        /// Feature bits to announce.
        features: u64,
    },
}

impl From<Local> for Caller {
    fn from(local: Local) -> Self {
        Self::Node(local)
    }
}

impl Caller {
    fn node(&self) -> Option<NodeId> {
        match self {
            Self::Node(local) => Some(local.node),
            Self::Client { .. } => None,
        }
    }

    fn cluster(&self) -> ClusterId {
        match *self {
            Self::Node(Local { cluster, .. }) | Self::Client { cluster, .. } => cluster,
        }
    }

    fn hello(&self, kind: HelloKind, versions: (u16, u16), nonce: u64) -> Hello {
        let (node, store) = match self {
            Self::Node(local) => (local.node.0, local.store),
            Self::Client { .. } => (0, StoreId::default()),
        };
        let (Self::Node(Local { boot, features, .. }) | Self::Client { boot, features, .. }) = *self;
        let (lowest, highest) = versions;
        Hello { kind, lowest, highest, node, cluster: self.cluster(), store, boot, nonce, features }
    }
}

/// A peer that introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its node id, as expected by the dialer.
    pub node: NodeId,
    /// Its data folder.
    pub store: StoreId,
    /// Whether its data folder was not known before: the caller makes (node, store) durable before it uses the connection.
    pub store_is_new: bool,
    /// Boot nonce of its process.
    pub boot: u64,
    /// Its feature bits.
    pub features: u64,
}

/// What both ends agreed on, for the connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// Version 0: group 0 only, no identity. What the acceptor consumed is nothing: the first frame is the session's.
    Legacy,
    /// Version 1 with a node.
    Node(Identity),
    /// Version 1 with a client (seen by the acceptor).
    Client {
        /// Boot nonce of its process.
        boot: u64,
        /// Its feature bits.
        features: u64,
    },
}

impl Link {
    /// The header version of every frame that follows.
    pub const fn version(&self) -> Version {
        match self {
            Self::Legacy => Version::Legacy,
            Self::Node(_) | Self::Client { .. } => Version::Extended,
        }
    }
}

/// What an acceptor knows of a node that introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// It is not among the peers: refused.
    Stranger,
    /// A peer, and the data folder that it had before, if it was met before.
    Peer {
        /// That data folder.
        store: Option<StoreId>,
    },
}

/// Of a peer: the data folder that it had before.
impl From<Option<StoreId>> for Known {
    fn from(store: Option<StoreId>) -> Self {
        Self::Peer { store }
    }
}

/// `None`: not a peer.
impl From<Option<Option<StoreId>>> for Known {
    fn from(peer: Option<Option<StoreId>>) -> Self {
        peer.map_or(Self::Stranger, Self::from)
    }
}

/// Feature bits of this release.
pub const FEATURES: u64 = 0;

/// Most bytes of a body in a negotiation: a hello with its entry header and a legacy peer's meta.
pub const NEGOTIATION_BODY_BYTES_MAX: u32 = HELLO_BYTES_MAX as u32 + 4096;

const fn negotiation_limits() -> Limits {
    Limits { frame_bytes_max: 0, entry_bytes_max: 0, legacy_bytes_max: NEGOTIATION_BODY_BYTES_MAX }
}

impl Local {
    const fn caller(self) -> Caller {
        Caller::Node(self)
    }
}

/// Whether this data folder is new to us; an error if the node had another one before.
fn check_store(node: NodeId, found: StoreId, remembered: Option<StoreId>) -> Result<bool, Refusal> {
    match remembered {
        None => Ok(true),
        Some(remembered) if remembered == found => Ok(false),
        Some(remembered) => Err(Refusal::WrongStore { node, remembered, found }),
    }
}
