//! Why connections end, and why bytes were not sent.

use roadstead_spec::NodeId;
use roadstead_spec::wire::legacy::translate::Untranslatable;
use roadstead_spec::wire::negotiation::Refusal;
use roadstead_spec::wire::{CorrelationError, MessageType, WireError};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// Why a connection ended; each has a label under which the status and the metrics count it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// The other end closed.
    #[error("the other end closed the connection")]
    Ended,
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(String),
    /// The peer could not be reached.
    #[error("cannot connect to {address}: {why}; start the peer there or correct its address")]
    Connect {
        /// As configured.
        address: String,
        /// The system's words.
        why: String,
    },
    /// The negotiation ended in a refusal.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A frame that cannot be read.
    #[error(transparent)]
    Frame(#[from] WireError),
    /// No first byte, or no end of the negotiation, in time.
    #[error("the connection did not introduce itself within the handshake timeout")]
    HandshakeTimeout,
    /// A frame began and did not go on.
    #[error("a frame began and made no progress within the read timeout; the sender is stuck or trickles on purpose")]
    ReadTimeout,
    /// The socket took no bytes for too long.
    #[error("bytes waited to be written and the other end took none within the write timeout")]
    WriteTimeout,
    /// A client does not read its answers.
    #[error("{queued} bytes of answers wait and the client does not read them; read answers as fast as you send requests")]
    SlowReader {
        /// Bytes in the queue.
        queued: usize,
    },
    /// A frame says that it comes from somebody else than who negotiated.
    #[error("a frame says that it comes from {found}, the connection belongs to {expected}; check the sender's node id")]
    WrongSource {
        /// Who negotiated; 0: a client.
        expected: i64,
        /// `src` of the frame.
        found: i64,
    },
    /// A frame is for another node.
    #[error("a frame for node {found} came to node {this}; correct the address of node {found} in the sender's `peers`")]
    WrongDestination {
        /// This node.
        this: NodeId,
        /// `dst` of the frame.
        found: i64,
    },
    /// A message that this sender may not send on this connection.
    #[error("{what} may not come {place}; the sender violates the protocol: check its release")]
    OutOfPlace {
        /// The message.
        what: MessageType,
        /// From whom or where.
        place: &'static str,
    },
    /// A node that this one does not know.
    #[error("node {0} is not among this node's peers; add it to `peers` of this node")]
    UnknownPeer(i64),
    /// A frame with the legacy header that means nothing to group 0.
    #[error(transparent)]
    Legacy(#[from] Untranslatable),
    /// An answer with the legacy header that belongs to no request.
    #[error(transparent)]
    LegacyAnswer(#[from] CorrelationError),
    /// Requests of a peer with the legacy header, which means group 0, and group 0 does not run here.
    #[error(
        "a peer speaks the legacy header, which means group 0, and group 0 does not run on this node; add it, or switch the peer to `auto`"
    )]
    NoGroupZero,
    /// A request with the legacy header that got no answer.
    #[error("a request with the legacy header got no answer for {0:?}; the peer is stuck, or cannot serve group 0: see its log")]
    LegacySilent(Duration),
    /// A request with the legacy header whose answer got lost within this node: later answers would be taken for it.
    #[error("an answer with the legacy header was dropped because too many wait for the disk; the connection is dialled again")]
    LegacyDropped,
    /// A version 1 frame before any hello.
    #[error("a version 1 frame came before any hello; open the connection with a negotiation")]
    ExtendedBeforeHello,
    /// NuRaft's port-sharing draft.
    #[error("a frame of NuRaft's port-sharing draft (pull request 642) came; this port speaks the headers of docs/wire.md")]
    PortSharingDraft,
    /// TLS is not there yet.
    #[error("a TLS handshake came and TLS is not supported yet; connect without TLS")]
    Tls,
    /// The node was built without its HTTP API.
    #[error("an HTTP request came and this node has no HTTP API; build it with the cargo feature `http`, or ask another node")]
    NoHttp,
    /// None of the protocols of this port.
    #[error("first byte {0:#04x} belongs to no protocol of this port; check what connects here")]
    UnknownFirstByte(u8),
    /// `connections_max` is reached.
    #[error("too many connections; raise `limits.max_connections` or use fewer clients")]
    TooManyConnections,
    /// The same peer dialled again: its older connection is stale.
    #[error("the peer opened a newer connection")]
    Replaced,
    /// The peer was removed from the configuration.
    #[error("the peer was removed from this node")]
    Removed,
    /// This node stops.
    #[error("this node shuts down")]
    Shutdown,
}

impl CloseReason {
    /// The name under which it is counted; stable, for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Io(_) => "io",
            Self::Connect { .. } => "connect",
            Self::Refused(_) => "refused",
            Self::Frame(_) => "frame",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::ReadTimeout => "read_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::SlowReader { .. } => "slow_reader",
            Self::WrongSource { .. } => "wrong_source",
            Self::WrongDestination { .. } => "wrong_destination",
            Self::OutOfPlace { .. } => "out_of_place",
            Self::UnknownPeer(_) => "unknown_peer",
            Self::Legacy(_) => "legacy_frame",
            Self::LegacyAnswer(_) => "legacy_answer",
            Self::NoGroupZero => "no_group_zero",
            Self::LegacySilent(_) => "legacy_silent",
            Self::LegacyDropped => "legacy_dropped",
            Self::ExtendedBeforeHello => "extended_before_hello",
            Self::PortSharingDraft => "port_sharing_draft",
            Self::Tls => "tls",
            Self::NoHttp => "no_http",
            Self::UnknownFirstByte(_) => "unknown_first_byte",
            Self::TooManyConnections => "too_many_connections",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether it is a matter of course, and no log line above DEBUG is due.
    pub const fn is_ordinary(&self) -> bool {
        matches!(self, Self::Ended | Self::Io(_) | Self::Connect { .. } | Self::Replaced | Self::Removed | Self::Shutdown)
    }
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Bytes that were not taken: nothing of the buffer was or will be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotSent {
    /// No such peer is configured, or the connection is gone.
    #[error("nobody is known under that id")]
    Unknown,
    /// The link is down; the port is dialling.
    #[error("the link is down")]
    Down,
    /// The queue is full.
    #[error("the queue is full")]
    QueueFull,
}

/// Why the port cannot be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{address} is in use by another process; stop it, or set another `[listen] addr`")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Any other reason.
    #[error("cannot listen on {address}: {source}; check `[listen] addr`")]
    Io {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}
