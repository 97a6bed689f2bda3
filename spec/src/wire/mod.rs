//! What travels over the port: frames of both header versions, their bodies, and the negotiation that chooses between them.
//!
//! Pure code over byte slices. `docs/wire.md` is the same in prose, for somebody who writes another implementation.
//!
//! - [`sniff()`]: what a connection carries, by its first byte.
//! - [`negotiation`]: [`Dialer`] and [`Acceptor`], which settle the version and the identity of both ends.
//! - [`next_frame`]: finds frames in a growing buffer; [`ExtendedHeader`], [`LegacyRequest`], [`LegacyResponse`] write them.
//! - [`body`]: version 1 bodies; [`legacy`]: version 0 bodies.
//!
//! Nothing that a peer can send makes this code panic, and nothing is allocated by a size that a peer merely announces.
//!
//! [`Dialer`]: negotiation::Dialer
//! [`Acceptor`]: negotiation::Acceptor

pub mod body;
mod bytes;
mod correlator;
mod error;
mod frame;
mod header;
mod hello;
pub mod legacy;
mod message_type;
pub mod negotiation;
mod sniff;

pub use correlator::{AnswerQueue, CorrelationError, Correlator, Place};
pub use error::{BodyError, WireError};
pub use frame::{FrameSpan, bytes_wanted, next_frame};
pub use header::{
    BODY_OVERHEAD_BYTES_MAX, Direction, ExtendedHeader, FLAG_EXTENDED_HEADER, Header, LegacyRequest, LegacyResponse, Limits,
    MARKER_EXTENDED_REQUEST, MARKER_EXTENDED_RESPONSE, MARKER_LEGACY_REQUEST, MARKER_LEGACY_RESPONSE, RPC_REQ_HEADER_EXT_SIZE,
    RPC_REQ_HEADER_SIZE, RPC_RESP_HEADER_EXT_SIZE, RPC_RESP_HEADER_SIZE, Version,
};
pub use hello::{ClusterId, HELLO_BYTES, HELLO_BYTES_MAX, HELLO_MAGIC, Hello, HelloError, HelloKind, StoreId};
pub use message_type::{LEGACY_TYPE_MAX, MessageType};
pub use sniff::{MARKER_PORT_SHARING_DRAFT, TLS_HANDSHAKE, Traffic, sniff};
