//! What a native client says, and what it hears. A client's frame has `src` 0 and its request id in the header's index; the answer repeats
//! it, so that answers may come in any order.

use super::{agree, as_bytes, expect_type, get, in_frame, put};
use crate::wire::error::WireError;
use crate::wire::header::ExtendedHeader;
use crate::wire::message_type::MessageType;
use crate::{GroupId, Index, NodeId, Term};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A write or a query, for the group in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRequest<'a> {
    /// How long the client waits, in milliseconds from when the node reads the request.
    pub timeout_ms: u32,
    /// What it wants.
    #[serde(borrow)]
    pub operation: Operation<'a>,
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation<'a> {
    /// Replicate a command and apply it.
    Write(#[serde(borrow, serialize_with = "as_bytes")] &'a [u8]),
    /// Ask the state machine; changes nothing.
    Query {
        /// The state machine's own request.
        #[serde(borrow, serialize_with = "as_bytes")]
        bytes: &'a [u8],
        /// How fresh the answer is.
        consistency: Consistency,
    },
}

/// How fresh the answer to a query is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Consistency {
    /// As if asked between its request and its answer, by ReadIndex. Dissertation §6.4.
    #[default]
    Linearizable,
    /// Whatever the node has applied.
    Stale,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientResponse<'a> {
    /// A write is committed and applied.
    Committed {
        /// Its entry's index.
        index: Index,
        /// Its entry's term.
        term: Term,
        /// The state machine's answer.
        #[serde(borrow, serialize_with = "as_bytes")]
        bytes: &'a [u8],
    },
    /// A query's answer.
    QueryResult {
        /// The state that answered had applied this far.
        applied: Index,
        /// The state machine's answer.
        #[serde(borrow, serialize_with = "as_bytes")]
        bytes: &'a [u8],
    },
    /// Nothing has happened and nothing will: the request may be sent again.
    Rejected(#[serde(borrow)] Rejection<'a>),
    /// A write may have happened, or may still happen: only the client can tell whether repeating it does harm.
    Unknown {
        /// Why it is not known.
        #[serde(borrow)]
        why: &'a str,
    },
}

/// Why nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection<'a> {
    /// Another node leads the group.
    NotLeader {
        /// Which, if this node knows.
        #[serde(borrow)]
        leader: Option<LeaderHint<'a>>,
    },
    /// The group is not on this node.
    NoSuchGroup,
    /// A queue is full: try again later.
    Busy,
    /// The request is larger than allowed.
    TooLarge {
        /// The most bytes that are allowed.
        limit: u32,
    },
    /// The group has stopped on this node.
    GroupFailed(#[serde(borrow)] &'a str),
    /// The node is about to end.
    ShuttingDown,
    /// The request makes no sense.
    Malformed(#[serde(borrow)] &'a str),
    /// The time was over before the request was proposed.
    DeadlineExceeded,
    /// There is no leader at the moment.
    NoLeader,
    /// Too little of a disk is free: try again when there is room.
    NoSpace {
        /// The node whose disk it is.
        node: NodeId,
    },
    /// A quorum is out of reach because peers of the node speak version 0, which carries group 0 only; in words, with what to do.
    PeerIsLegacy(#[serde(borrow)] &'a str),
}

/// Where the leader lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderHint<'a> {
    /// The leading node.
    pub node: NodeId,
    /// Its address, `host:port`, as its peers dial it; empty if unknown.
    #[serde(borrow)]
    pub address: &'a str,
}

impl<'a> ClientRequest<'a> {
    /// Appends a whole frame from a client. `to` is the node dialled, `None` if the client knows only an address.
    pub fn encode(&self, to: Option<NodeId>, group: GroupId, request_id: u64, out: &mut Vec<u8>) -> Result<(), WireError> {
        let message_type = MessageType::ClientRequest;
        let header = ExtendedHeader { message_type, src: None, dst: to, term: 0, index: request_id, accepted: false, group };
        header.encode(out, |body| put(self, body).map_err(|why| WireError::Body { of: message_type, why }))
    }

    /// Reads the body of a client's request; the request id is the header's index.
    pub fn decode(header: &ExtendedHeader, body: &'a [u8]) -> Result<Self, WireError> {
        in_frame(header, || {
            expect_type(header, MessageType::ClientRequest)?;
            agree("src", header.src.map_or(0, |node| node.0.into()), 0)?;
            get(body)
        })
    }
}

impl<'a> ClientResponse<'a> {
    /// Whether the request was carried out.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Committed { .. } | Self::QueryResult { .. })
    }

    /// Appends a whole frame to the client that asked with `request_id`.
    pub fn encode(&self, from: NodeId, group: GroupId, request_id: u64, out: &mut Vec<u8>) -> Result<(), WireError> {
        let message_type = MessageType::ClientResponse;
        let header =
            ExtendedHeader { message_type, src: Some(from), dst: None, term: 0, index: request_id, accepted: self.is_done(), group };
        header.encode(out, |body| put(self, body).map_err(|why| WireError::Body { of: message_type, why }))
    }

    /// Reads the body of an answer; the request id is the header's index.
    pub fn decode(header: &ExtendedHeader, body: &'a [u8]) -> Result<Self, WireError> {
        in_frame(header, || {
            expect_type(header, MessageType::ClientResponse)?;
            let response: Self = get(body)?;
            agree("accepted byte", header.accepted.into(), response.is_done().into())?;
            Ok(response)
        })
    }
}
