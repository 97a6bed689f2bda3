//! Version 1: one header of 43 bytes for both directions.
//!
//! ```text
//! offset size field
//!  0     1    marker: 0x10 request, 0x11 answer
//!  1     1    message type
//!  2     4    src, i32: sending node, 0 a client
//!  6     4    dst, i32: receiving node, 0 a client (or, from a client, whoever listens)
//! 10     8    term
//! 18     8    index: previous or next log index; request id of a client
//! 26     1    accepted: 0 in a request, 0 or 1 in an answer
//! 27     4    body size, u32
//! 31     4    CRC-32 over bytes 0..31, 35..43 and the body
//! 35     4    flags: 0x80 always
//! 39     4    group id, i32, not negative
//! ```

use super::{
    Direction, FLAG_EXTENDED_HEADER, MARKER_EXTENDED_REQUEST, MARKER_EXTENDED_RESPONSE, RPC_REQ_HEADER_EXT_SIZE, Version, write_frame,
};
use crate::wire::bytes::{Reader, crc32, patch};
use crate::wire::error::WireError;
use crate::wire::message_type::MessageType;
use crate::{GroupId, NodeId};
use alloc::vec::Vec;

const CRC_OFFSET: usize = 31;
const FLAGS_OFFSET: usize = 35;
const SIZE_OFFSET: usize = 27;

/// Header of a version 1 frame, without what follows from the body (size, CRC) and from the version (flags). The direction follows from the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedHeader {
    /// What the frame says.
    pub message_type: MessageType,
    /// Sending node; `None`: a client (0 on the wire).
    pub src: Option<NodeId>,
    /// Receiving node; `None`: a client, or from a client: whoever listens.
    pub dst: Option<NodeId>,
    /// The message's term (PBFT: view).
    pub term: u64,
    /// By type: see the table of bodies in `docs/wire.md`. A client's request id.
    pub index: u64,
    /// Whether an answer says yes; `false` in a request.
    pub accepted: bool,
    /// The group that the frame belongs to.
    pub group: GroupId,
}

/// What is left to check when the body has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Size of the body in bytes.
    pub(crate) body_size: u32,
    crc: u32,
}

impl ExtendedHeader {
    /// Appends a whole frame: this header, then what `body` appends. A body above 4 GiB is refused, and whatever fails, `out` is as it was.
    pub fn encode<E: From<WireError>>(&self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        write_frame(out, &self.head(), u32::MAX, body, |frame, size| {
            patch(frame, SIZE_OFFSET, &size.to_le_bytes());
            let crc = frame_crc(frame);
            patch(frame, CRC_OFFSET, &crc.to_le_bytes());
        })
    }

    /// Reads a whole frame: the header and the body behind it. Any byte too many or too few is an error.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (header, pending) = Self::peek(frame)?;
        let body = frame.get(RPC_REQ_HEADER_EXT_SIZE..).unwrap_or_default();
        WireError::check_body_size("version 1 body", body, pending.body_size)?;
        pending.verify(frame)?;
        Ok((header, body))
    }

    /// Reads the header alone, before its body is there: every check but the checksum.
    pub(crate) fn peek(bytes: &[u8]) -> Result<(Self, Pending), WireError> {
        let mut reader = Reader::new(bytes);
        let short = WireError::truncated("version 1 header");
        let marker = reader.u8().map_err(&short)?;
        let direction = match marker {
            MARKER_EXTENDED_REQUEST => Direction::Request,
            MARKER_EXTENDED_RESPONSE => Direction::Response,
            found => {
                return Err(WireError::Marker { found, version: Version::Extended as u8 });
            }
        };
        let number = reader.u8().map_err(&short)?;
        let message_type = MessageType::from_u8(number).ok_or(WireError::UnknownType(number))?;
        if !message_type.is_extended() || message_type.direction() != direction {
            return Err(WireError::TypeOutOfPlace { found: message_type, marker });
        }
        let src = node("src", reader.i32().map_err(&short)?)?;
        let dst = node("dst", reader.i32().map_err(&short)?)?;
        let term = reader.u64().map_err(&short)?;
        let index = reader.u64().map_err(&short)?;
        let accepted = match (direction, reader.u8().map_err(&short)?) {
            (_, 0) => false,
            (Direction::Response, 1) => true,
            (_, other) => return Err(WireError::Accepted(other)),
        };
        let body_size = reader.u32().map_err(&short)?;
        let crc = reader.u32().map_err(&short)?;
        check_flags(reader.u32().map_err(&short)?)?;
        let group = reader.i32().map_err(&short)?;
        let group = GroupId::new(group).ok_or(WireError::GroupNegative(group))?;
        Ok((Self { message_type, src, dst, term, index, accepted, group }, Pending { body_size, crc }))
    }

    fn head(&self) -> [u8; RPC_REQ_HEADER_EXT_SIZE] {
        let marker = match self.message_type.direction() {
            Direction::Request => MARKER_EXTENDED_REQUEST,
            Direction::Response => MARKER_EXTENDED_RESPONSE,
        };
        let mut head = [0; RPC_REQ_HEADER_EXT_SIZE];
        patch(&mut head, 0, &[marker, self.message_type.number()]);
        patch(&mut head, 2, &self.src.map_or(0, |node| node.0).to_le_bytes());
        patch(&mut head, 6, &self.dst.map_or(0, |node| node.0).to_le_bytes());
        patch(&mut head, 10, &self.term.to_le_bytes());
        patch(&mut head, 18, &self.index.to_le_bytes());
        patch(&mut head, 26, &[self.accepted.into()]);
        patch(&mut head, FLAGS_OFFSET, &FLAG_EXTENDED_HEADER.to_le_bytes());
        patch(&mut head, 39, &self.group.get().to_le_bytes());
        head
    }
}

impl Pending {
    /// Checks the whole frame against its checksum.
    pub(crate) fn verify(&self, frame: &[u8]) -> Result<(), WireError> {
        let computed = frame_crc(frame);
        if computed == self.crc { Ok(()) } else { Err(WireError::Crc { stored: self.crc, computed }) }
    }
}

fn frame_crc(frame: &[u8]) -> u32 {
    let (before, rest) = frame.split_at_checked(CRC_OFFSET).unwrap_or((frame, &[]));
    crc32(&[before, rest.get(4..).unwrap_or_default()])
}

/// Unknown flags are refused, not ignored: a flag may change what the body means, and the feature bits of the hello say who knows which.
fn check_flags(flags: u32) -> Result<(), WireError> {
    if flags & FLAG_EXTENDED_HEADER == 0 {
        return Err(WireError::FlagMissing { flags });
    }
    if flags != FLAG_EXTENDED_HEADER {
        return Err(WireError::FlagUnknown { flags });
    }
    Ok(())
}

fn node(field: &'static str, value: i32) -> Result<Option<NodeId>, WireError> {
    match u32::try_from(value) {
        Ok(0) => Ok(None),
        Ok(id) => Ok(Some(NodeId(id))),
        Err(_) => Err(WireError::NodeId { field, value }),
    }
}
