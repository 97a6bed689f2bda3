//! A snapshot on its way: numbered, checksummed pieces, each answered with the number wanted next, so that a transfer goes on after a broken
//! connection where it stopped.

use super::{Route, agree, as_bytes, decode_group, encode_group, in_frame};
use crate::wire::bytes::crc32;
use crate::wire::error::{BodyError, WireError};
use crate::wire::header::ExtendedHeader;
use crate::wire::message_type::MessageType;
use crate::{EntryId, Incarnation, Term};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One piece of a snapshot. The header's index is the snapshot's last index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotChunk<'a> {
    /// The leader's term.
    pub term: Term,
    /// Names one transfer of one view of the leader's state: drawn anew when the view is taken anew. The receiver begins again when it changes.
    pub transfer: u64,
    /// Last entry that the snapshot covers.
    pub at: EntryId,
    /// Number of the piece, from 0.
    pub sequence: u64,
    /// Whether it is the last.
    pub done: bool,
    /// CRC-32 over `items`: what is staged is checked again before it is installed.
    pub crc: u32,
    /// The state machine's items, in the store's own framing.
    #[serde(borrow, serialize_with = "as_bytes")]
    pub items: &'a [u8],
}

/// Answer to a [`SnapshotChunk`]. The header's index is the piece wanted next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotAnswer {
    /// The follower's term.
    pub term: Term,
    /// As in the piece.
    pub transfer: u64,
    /// The piece wanted next; all before it are staged.
    pub next: u64,
    /// How it goes.
    pub result: SnapshotResult,
}

/// How a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SnapshotResult {
    /// Send the piece `next`.
    Continue,
    /// All pieces are there and durable.
    Complete,
    /// The follower already has all that the snapshot covers.
    NotNeeded,
    /// No room or no time now: try again later.
    Busy,
    /// The follower gives up on this transfer; its log says why.
    Failed,
}

impl SnapshotResult {
    /// Whether the transfer goes on or has reached its end: the header's accepted byte.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Continue | Self::Complete | Self::NotNeeded)
    }
}

impl<'a> SnapshotChunk<'a> {
    /// The checksum of a piece's items.
    pub fn crc_of(items: &[u8]) -> u32 {
        crc32(&[items])
    }

    /// Appends a whole frame.
    pub fn encode(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        let header = route.header(MessageType::InstallSnapshot, self.term.0, self.at.index.0, false);
        encode_group(header, route.incarnation, self, out)
    }

    /// Reads a body and checks the piece's checksum.
    pub fn decode(header: &ExtendedHeader, body: &'a [u8]) -> Result<(Incarnation, Self), WireError> {
        let (incarnation, chunk): (_, Self) = decode_group(header, MessageType::InstallSnapshot, body)?;
        in_frame(header, || {
            agree("term", header.term, chunk.term.0)?;
            agree("index", header.index, chunk.at.index.0)?;
            let computed = Self::crc_of(chunk.items);
            if computed == chunk.crc { Ok(()) } else { Err(BodyError::Crc { stored: chunk.crc, computed }) }
        })?;
        Ok((incarnation, chunk))
    }
}

impl SnapshotAnswer {
    /// Appends a whole frame.
    pub fn encode(&self, route: &Route, out: &mut Vec<u8>) -> Result<(), WireError> {
        let header = route.header(MessageType::InstallSnapshotResponse, self.term.0, self.next, self.result.is_accepted());
        encode_group(header, route.incarnation, self, out)
    }

    /// Reads a body.
    pub fn decode(header: &ExtendedHeader, body: &[u8]) -> Result<(Incarnation, Self), WireError> {
        let (incarnation, answer): (_, Self) = decode_group(header, MessageType::InstallSnapshotResponse, body)?;
        in_frame(header, || {
            agree("term", header.term, answer.term.0)?;
            agree("index", header.index, answer.next)?;
            agree("accepted byte", header.accepted.into(), answer.result.is_accepted().into())
        })?;
        Ok((incarnation, answer))
    }
}
