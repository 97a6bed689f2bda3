//! Version 0: NuRaft's request (54 bytes) and answer (39 bytes).
//!
//! The CRC of a request covers bytes 0..46, and with flag `0x8` the body behind them; an answer's covers bytes 0..31. Flags are never covered.

use super::{Direction, MARKER_LEGACY_REQUEST, MARKER_LEGACY_RESPONSE, RPC_REQ_HEADER_SIZE, RPC_RESP_HEADER_SIZE, Version, write_frame};
use crate::wire::bytes::{Reader, crc32, patch};
use crate::wire::error::WireError;
use crate::wire::legacy::flags;
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;

const REQUEST_SIZE_OFFSET: usize = 42;
const REQUEST_CRC_OFFSET: usize = 46;
const RESPONSE_SIZE_OFFSET: usize = 27;
const RESPONSE_CRC_OFFSET: usize = 31;

/// Header of a version 0 request, without what follows from the body (size, CRC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegacyRequest {
    /// What the frame says.
    pub message_type: MessageType,
    /// Sending server; 0 in requests that a library's client makes.
    pub src: i32,
    /// Receiving server; NuRaft never checks it.
    pub dst: i32,
    /// The sender's term.
    pub term: u64,
    /// Term of the entry at `last_log_index`.
    pub last_log_term: u64,
    /// Index before the first entry of the body, or the candidate's last index.
    pub last_log_index: u64,
    /// The sender's commit index.
    pub commit_index: u64,
    /// See [`crate::wire::legacy::flags`].
    pub flags: u32,
}

/// Header of a version 0 answer, without what follows from the body (size, CRC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegacyResponse {
    /// What the frame says.
    pub message_type: MessageType,
    /// Answering server.
    pub src: i32,
    /// The request's `src`; in answers to add, remove and client requests the leader's id, -1 if unknown.
    pub dst: i32,
    /// Term, by type: see `docs/wire.md`.
    pub term: u64,
    /// Next index that the answerer wants, by type.
    pub next_index: u64,
    /// Whether the answer says yes.
    pub accepted: bool,
    /// See [`crate::wire::legacy::flags`].
    pub flags: u32,
}

/// What is left to check when the body has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Size of the body in bytes.
    pub(crate) body_size: u32,
    crc: u32,
    covers: Covers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Covers {
    Head,
    HeadAndBody,
}

impl LegacyRequest {
    /// Appends a whole frame: this header, then what `body` appends. Whatever fails, `out` is as it was.
    pub fn encode<E: From<WireError>>(&self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let whole = self.flags & flags::CRC_ON_ENTIRE_MESSAGE != 0;
        write_frame(out, &self.head(), i32::MAX as u32, body, |frame, size| {
            patch(frame, REQUEST_SIZE_OFFSET, &size.to_le_bytes());
            let crc = if whole { entire_crc(frame) } else { crc32(&[&frame[..REQUEST_CRC_OFFSET]]) };
            patch(frame, REQUEST_CRC_OFFSET, &crc.to_le_bytes());
        })
    }

    /// Reads a whole frame: the header and the body behind it. Any byte too many or too few is an error.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (header, pending) = Self::peek(frame)?;
        let body = whole_body(frame, RPC_REQ_HEADER_SIZE, pending)?;
        Ok((header, body))
    }

    /// Reads the header alone, before its body is there; its checksum is checked unless it covers the body too.
    pub(crate) fn peek(bytes: &[u8]) -> Result<(Self, Pending), WireError> {
        let mut reader = Reader::new(bytes);
        let short = WireError::truncated("version 0 request header");
        let message_type = opening(&mut reader, MARKER_LEGACY_REQUEST, &short)?;
        let src = reader.i32().map_err(&short)?;
        let dst = reader.i32().map_err(&short)?;
        let term = reader.u64().map_err(&short)?;
        let last_log_term = reader.u64().map_err(&short)?;
        let last_log_index = reader.u64().map_err(&short)?;
        let commit_index = reader.u64().map_err(&short)?;
        let body_size = body_size(reader.i32().map_err(&short)?)?;
        let crc = reader.u32().map_err(&short)?;
        let flags = reader.u32().map_err(&short)?;
        let covers = if flags & flags::CRC_ON_ENTIRE_MESSAGE != 0 { Covers::HeadAndBody } else { Covers::Head };
        let pending = Pending { body_size, crc, covers };
        pending.verify_head(bytes, REQUEST_CRC_OFFSET)?;
        Ok((Self { message_type, src, dst, term, last_log_term, last_log_index, commit_index, flags }, pending))
    }

    fn head(&self) -> [u8; RPC_REQ_HEADER_SIZE] {
        let mut head = [0; RPC_REQ_HEADER_SIZE];
        patch(&mut head, 0, &[MARKER_LEGACY_REQUEST, self.message_type.number()]);
        patch(&mut head, 2, &self.src.to_le_bytes());
        patch(&mut head, 6, &self.dst.to_le_bytes());
        patch(&mut head, 10, &self.term.to_le_bytes());
        patch(&mut head, 18, &self.last_log_term.to_le_bytes());
        patch(&mut head, 26, &self.last_log_index.to_le_bytes());
        patch(&mut head, 34, &self.commit_index.to_le_bytes());
        patch(&mut head, 50, &self.flags.to_le_bytes());
        head
    }
}

impl LegacyResponse {
    /// Appends a whole frame: this header, then what `body` appends. Whatever fails, `out` is as it was.
    pub fn encode<E: From<WireError>>(&self, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        write_frame(out, &self.head(), i32::MAX as u32, body, |frame, size| {
            patch(frame, RESPONSE_SIZE_OFFSET, &size.to_le_bytes());
            let crc = crc32(&[&frame[..RESPONSE_CRC_OFFSET]]);
            patch(frame, RESPONSE_CRC_OFFSET, &crc.to_le_bytes());
        })
    }

    /// Reads a whole frame: the header and the body behind it. Any byte too many or too few is an error.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (header, pending) = Self::peek(frame)?;
        let body = whole_body(frame, RPC_RESP_HEADER_SIZE, pending)?;
        Ok((header, body))
    }

    /// Reads the header alone, before its body is there. Stricter than NuRaft, which checks neither the marker nor the accepted byte.
    pub(crate) fn peek(bytes: &[u8]) -> Result<(Self, Pending), WireError> {
        let mut reader = Reader::new(bytes);
        let short = WireError::truncated("version 0 answer header");
        let message_type = opening(&mut reader, MARKER_LEGACY_RESPONSE, &short)?;
        let src = reader.i32().map_err(&short)?;
        let dst = reader.i32().map_err(&short)?;
        let term = reader.u64().map_err(&short)?;
        let next_index = reader.u64().map_err(&short)?;
        let accepted = match reader.u8().map_err(&short)? {
            0 => false,
            1 => true,
            other => return Err(WireError::Accepted(other)),
        };
        let body_size = body_size(reader.i32().map_err(&short)?)?;
        let crc = reader.u32().map_err(&short)?;
        let flags = reader.u32().map_err(&short)?;
        let pending = Pending { body_size, crc, covers: Covers::Head };
        pending.verify_head(bytes, RESPONSE_CRC_OFFSET)?;
        Ok((Self { message_type, src, dst, term, next_index, accepted, flags }, pending))
    }

    fn head(&self) -> [u8; RPC_RESP_HEADER_SIZE] {
        let mut head = [0; RPC_RESP_HEADER_SIZE];
        patch(&mut head, 0, &[MARKER_LEGACY_RESPONSE, self.message_type.number()]);
        patch(&mut head, 2, &self.src.to_le_bytes());
        patch(&mut head, 6, &self.dst.to_le_bytes());
        patch(&mut head, 10, &self.term.to_le_bytes());
        patch(&mut head, 18, &self.next_index.to_le_bytes());
        patch(&mut head, 26, &[self.accepted.into()]);
        patch(&mut head, 35, &self.flags.to_le_bytes());
        head
    }
}

impl Pending {
    /// Checks what could not be checked before the body was there.
    pub(crate) fn verify(&self, frame: &[u8]) -> Result<(), WireError> {
        match self.covers {
            Covers::Head => Ok(()),
            Covers::HeadAndBody => self.compare(entire_crc(frame)),
        }
    }

    fn verify_head(&self, bytes: &[u8], covered: usize) -> Result<(), WireError> {
        match self.covers {
            Covers::Head => self.compare(crc32(&[bytes.get(..covered).unwrap_or_default()])),
            Covers::HeadAndBody => Ok(()),
        }
    }

    fn compare(&self, computed: u32) -> Result<(), WireError> {
        if computed == self.crc { Ok(()) } else { Err(WireError::Crc { stored: self.crc, computed }) }
    }
}

/// CRC of a request with flag `0x8`: the first 46 bytes, continued over the body.
fn entire_crc(frame: &[u8]) -> u32 {
    let head = frame.get(..REQUEST_CRC_OFFSET).unwrap_or(frame);
    crc32(&[head, frame.get(RPC_REQ_HEADER_SIZE..).unwrap_or_default()])
}

fn opening(reader: &mut Reader<'_>, marker: u8, short: &impl Fn(crate::wire::bytes::Short) -> WireError) -> Result<MessageType, WireError> {
    let found = reader.u8().map_err(short)?;
    if found != marker {
        return Err(WireError::Marker { found, version: Version::Legacy as u8 });
    }
    let number = reader.u8().map_err(short)?;
    let message_type = MessageType::from_u8(number).ok_or(WireError::UnknownType(number))?;
    let direction = if marker == MARKER_LEGACY_REQUEST { Direction::Request } else { Direction::Response };
    if !message_type.is_legacy() || message_type.direction() != direction {
        return Err(WireError::TypeOutOfPlace { found: message_type, marker });
    }
    Ok(message_type)
}

fn body_size(size: i32) -> Result<u32, WireError> {
    u32::try_from(size).map_err(|_| WireError::BodyTooLarge { size: u64::from(size as u32), limit: i32::MAX as u64 })
}

fn whole_body(frame: &[u8], header: usize, pending: Pending) -> Result<&[u8], WireError> {
    let body = frame.get(header..).unwrap_or_default();
    WireError::check_body_size("version 0 body", body, pending.body_size)?;
    pending.verify(frame)?;
    Ok(body)
}
