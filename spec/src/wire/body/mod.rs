//! Version 1 bodies.
//!
//! Where a message belongs to a group the body begins with the group's incarnation (u64, little-endian); the rest is `postcard`
//! (<https://postcard.jamesmunns.com/wire-format>). Entries' payloads follow an AppendEntries message as they are, so that they are copied
//! once on the way out and never on the way in.

mod client;
mod node;
mod raft;
mod snapshot;

pub use client::{ClientRequest, ClientResponse, Consistency, LeaderHint, Operation, Rejection};
pub use node::{Forward, ForwardResponse, NoSpace, NotTaken};
pub use raft::{EntryKind, NUMBER_MAX, PAYLOAD_HEADER_BYTES, PayloadSpan, Payloads, RaftBody, encode_raft, header_of};
pub use snapshot::{SnapshotAnswer, SnapshotChunk, SnapshotResult};

use super::bytes::Reader;
use super::error::{BodyError, WireError};
use super::header::ExtendedHeader;
use super::message_type::MessageType;
use crate::{GroupId, Incarnation, NodeId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize, Serializer};

/// Bytes of the incarnation at the start of a group's body.
pub const INCARNATION_BYTES: usize = 8;

/// Where a frame between two nodes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Sending node.
    pub from: NodeId,
    /// Receiving node.
    pub to: NodeId,
    /// The group.
    pub group: GroupId,
    /// The group's life.
    pub incarnation: Incarnation,
}

impl Route {
    fn header(&self, message_type: MessageType, term: u64, index: u64, accepted: bool) -> ExtendedHeader {
        ExtendedHeader { message_type, src: Some(self.from), dst: Some(self.to), term, index, accepted, group: self.group }
    }

    /// The same way back.
    pub const fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, group: self.group, incarnation: self.incarnation }
    }
}

/// Which life of the group a frame between nodes belongs to: all that routing needs, before the body is decoded.
/// `None` for a client's frames and for bodies too short to have one.
pub fn incarnation_of(message_type: MessageType, body: &[u8]) -> Option<Incarnation> {
    match message_type {
        MessageType::ClientRequest | MessageType::ClientResponse => None,
        _ => Reader::new(body).u64().ok().map(Incarnation),
    }
}

/// postcard straight into the frame's buffer.
struct Appender<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appender<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn put<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BodyError> {
    postcard::serialize_with_flavor(value, Appender(out)).map_err(BodyError::from)
}

/// Reads a value that takes up all of `bytes`.
fn get<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, BodyError> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(BodyError::Trailing(rest.len())) }
}

/// Appends a frame of a group whose body is the incarnation and one postcard value.
fn encode_group<T: Serialize>(header: ExtendedHeader, incarnation: Incarnation, value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    let of = header.message_type;
    header.encode(out, |body| {
        body.extend_from_slice(&incarnation.0.to_le_bytes());
        put(value, body).map_err(|why| WireError::Body { of, why })
    })
}

/// Reads the incarnation and one postcard value.
fn decode_group<'a, T: Deserialize<'a>>(header: &ExtendedHeader, of: MessageType, body: &'a [u8]) -> Result<(Incarnation, T), WireError> {
    in_frame(header, || {
        expect_type(header, of)?;
        let mut reader = Reader::new(body);
        let incarnation = Incarnation(reader.u64()?);
        Ok((incarnation, get(reader.rest())?))
    })
}

/// Names the frame's type beside what is wrong with its body.
fn in_frame<T>(header: &ExtendedHeader, decode: impl FnOnce() -> Result<T, BodyError>) -> Result<T, WireError> {
    decode().map_err(|why| WireError::Body { of: header.message_type, why })
}

fn expect_type(header: &ExtendedHeader, expected: MessageType) -> Result<(), BodyError> {
    if header.message_type == expected { Ok(()) } else { Err(BodyError::OtherType) }
}

/// Header fields that repeat the message: a frame in which they differ was made by a faulty sender.
fn agree(field: &'static str, header: u64, message: u64) -> Result<(), BodyError> {
    if header == message { Ok(()) } else { Err(BodyError::HeaderDisagrees { field, header, message }) }
}

/// Serializes bytes in one piece: serde's default for a slice goes byte by byte.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}
