//! What nodes say to each other beside the core's messages: a forwarded write, and "that frame went nowhere".

use super::{ClientResponse, Route, agree, as_bytes, decode_group, encode_group, in_frame};
use crate::Incarnation;
use crate::wire::error::{BodyError, WireError};
use crate::wire::header::ExtendedHeader;
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A client's write, passed on by a node that does not lead the group. The header's index is the request's number at the origin.
///
/// The answer comes on the answerer's own connection, perhaps after the origin has started again: so both carry the origin's boot nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward<'a> {
    /// Boot nonce of the node that passes it on.
    pub origin_boot: u64,
    /// The request's number there; never reused within a boot.
    pub request: u64,
    /// What is left of the client's time, in milliseconds.
    pub timeout_ms: u32,
    /// The command.
    #[serde(borrow, serialize_with = "as_bytes")]
    pub command: &'a [u8],
}

/// Answer to a [`Forward`]: what the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardResponse<'a> {
    /// As in the request.
    pub origin_boot: u64,
    /// As in the request.
    pub request: u64,
    /// How it ended.
    #[serde(borrow)]
    pub outcome: ClientResponse<'a>,
}

impl<'a> Forward<'a> {
    /// Appends a whole frame.
    pub fn encode(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        encode_group(route.header(MessageType::Forward, 0, self.request, false), route.incarnation, self, out)
    }

    /// Reads a body.
    pub fn decode(header: &ExtendedHeader, body: &'a [u8]) -> Result<(Incarnation, Self), WireError> {
        let (incarnation, forward): (_, Self) = decode_group(header, MessageType::Forward, body)?;
        in_frame(header, || agree("index", header.index, forward.request))?;
        Ok((incarnation, forward))
    }
}

impl<'a> ForwardResponse<'a> {
    /// Appends a whole frame.
    pub fn encode(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        let header = route.header(MessageType::ForwardResponse, 0, self.request, self.outcome.is_done());
        encode_group(header, route.incarnation, self, out)
    }

    /// Reads a body.
    pub fn decode(header: &ExtendedHeader, body: &'a [u8]) -> Result<(Incarnation, Self), WireError> {
        let (incarnation, response): (_, Self) = decode_group(header, MessageType::ForwardResponse, body)?;
        in_frame(header, || {
            agree("index", header.index, response.request)?;
            agree("accepted byte", header.accepted.into(), response.outcome.is_done().into())
        })?;
        Ok((incarnation, response))
    }
}

/// The sender's disk has little room. It goes beside the answer to every heartbeat while that is so; silence means room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSpace {
    /// Whether it still appends what a leader sends. If not, it takes part in everything else: votes, heartbeats, reads.
    pub appends: bool,
}

impl NoSpace {
    /// Appends a whole frame; `route` leads to the leader.
    pub fn encode(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        encode_group(route.header(MessageType::NoSpace, 0, 0, false), route.incarnation, &self.appends, out)
    }

    /// Reads a body.
    pub fn decode(header: &ExtendedHeader, body: &[u8]) -> Result<(Incarnation, Self), WireError> {
        let (incarnation, appends) = decode_group(header, MessageType::NoSpace, body)?;
        Ok((incarnation, Self { appends }))
    }
}

/// A frame that went nowhere; the connection and its other groups live on. Type `NoSuchGroup`: the group, or this life of it, is not on the
/// node. Type `Busy`: its mailbox is full. The incarnation is the refused frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Type of the frame that was not taken.
    pub refused: MessageType,
    /// The refused frame's header index.
    pub index: u64,
}

impl NotTaken {
    /// Appends a whole frame of type `NoSuchGroup`; `route` leads back to the sender.
    pub fn encode_no_such_group(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        self.encode(MessageType::NoSuchGroup, route, out)
    }

    /// Appends a whole frame of type `Busy`; `route` leads back to the sender.
    pub fn encode_busy(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        self.encode(MessageType::Busy, route, out)
    }

    fn encode(&self, message_type: MessageType, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        encode_group(route.header(message_type, 0, self.index, false), route.incarnation, &self.refused.number(), out)
    }

    /// Reads a body of either type.
    pub fn decode(header: &ExtendedHeader, body: &[u8]) -> Result<(Incarnation, Self), WireError> {
        let of = match header.message_type {
            MessageType::Busy => MessageType::Busy,
            _ => MessageType::NoSuchGroup,
        };
        let (incarnation, number) = decode_group(header, of, body)?;
        let refused = in_frame(header, || MessageType::from_u8(number).ok_or(BodyError::RefusedType(number)))?;
        Ok((incarnation, Self { refused, index: header.index }))
    }
}
