//! Finds frames in a growing buffer.

use super::error::WireError;
use super::header::{
    ExtendedHeader, Header, LegacyRequest, LegacyResponse, Limits, MARKER_LEGACY_RESPONSE, RPC_REQ_HEADER_EXT_SIZE, RPC_REQ_HEADER_SIZE,
    RPC_RESP_HEADER_SIZE, Version,
};
use core::ops::Range;

/// One whole frame at the front of a buffer, checked against its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSpan {
    /// The header, decoded.
    pub header: Header,
    /// Where the body lies in the buffer; its end is the frame's end.
    pub body: Range<usize>,
}

impl FrameSpan {
    /// Bytes of the whole frame: what the caller removes from the buffer.
    pub const fn len(&self) -> usize {
        self.body.end
    }

    /// Never: a frame has a header.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// The frame at the front of `buffer`, or `None` while it is incomplete.
///
/// Marker, type, ids and size are checked as soon as the header is there, so a body that is too large is refused before room is made for it.
/// Both directions of version 0 are read, by their marker; which of them may come is the session's to say.
pub fn next_frame(version: Version, buffer: &[u8], limits: &Limits) -> Result<Option<FrameSpan>, WireError> {
    let Some(opening) = peek(version, buffer, limits)? else {
        return Ok(None);
    };
    let Some(frame) = buffer.get(..opening.len()) else {
        return Ok(None);
    };
    opening.pending.verify(frame)?;
    Ok(Some(FrameSpan { header: opening.header, body: opening.header_size..opening.len() }))
}

/// How many bytes, from the front of `buffer`, the next frame takes: its header's size while even that is incomplete.
/// Never more than a header and the largest body of this version: what the caller may reserve.
pub fn bytes_wanted(version: Version, buffer: &[u8], limits: &Limits) -> Result<usize, WireError> {
    Ok(peek(version, buffer, limits)?.map_or(header_size(version, buffer), |opening| opening.len()))
}

struct Opening {
    header: Header,
    header_size: usize,
    pending: Pending,
}

enum Pending {
    Legacy(super::header::LegacyPending),
    Extended(super::header::ExtendedPending),
}

impl Opening {
    fn len(&self) -> usize {
        self.header_size + self.pending.body_size() as usize
    }
}

impl Pending {
    fn body_size(&self) -> u32 {
        match self {
            Self::Legacy(pending) => pending.body_size,
            Self::Extended(pending) => pending.body_size,
        }
    }

    fn verify(&self, frame: &[u8]) -> Result<(), WireError> {
        match self {
            Self::Legacy(pending) => pending.verify(frame),
            Self::Extended(pending) => pending.verify(frame),
        }
    }
}

fn header_size(version: Version, buffer: &[u8]) -> usize {
    match (version, buffer.first()) {
        (Version::Extended, _) => RPC_REQ_HEADER_EXT_SIZE,
        (Version::Legacy, Some(&MARKER_LEGACY_RESPONSE)) => RPC_RESP_HEADER_SIZE,
        (Version::Legacy, _) => RPC_REQ_HEADER_SIZE,
    }
}

fn peek(version: Version, buffer: &[u8], limits: &Limits) -> Result<Option<Opening>, WireError> {
    if let Some(&marker) = buffer.first() {
        check_marker(version, marker)?;
    }
    let header_size = header_size(version, buffer);
    if buffer.len() < header_size {
        return Ok(None);
    }
    let (header, pending) = match (version, buffer.first()) {
        (Version::Extended, _) => {
            let (header, pending) = ExtendedHeader::peek(buffer)?;
            (Header::Extended(header), Pending::Extended(pending))
        }
        (Version::Legacy, Some(&MARKER_LEGACY_RESPONSE)) => {
            let (header, pending) = LegacyResponse::peek(buffer)?;
            (Header::LegacyResponse(header), Pending::Legacy(pending))
        }
        (Version::Legacy, _) => {
            let (header, pending) = LegacyRequest::peek(buffer)?;
            (Header::LegacyRequest(header), Pending::Legacy(pending))
        }
    };
    let limit = limits.body_bytes_max(version);
    if pending.body_size() > limit {
        return Err(WireError::BodyTooLarge { size: pending.body_size().into(), limit: limit.into() });
    }
    Ok(Some(Opening { header, header_size, pending }))
}

/// The first byte alone convicts a frame of another version: no need to wait for a header that may never come.
fn check_marker(version: Version, found: u8) -> Result<(), WireError> {
    let fits = match version {
        Version::Legacy => found <= MARKER_LEGACY_RESPONSE,
        Version::Extended => found & !1 == super::header::MARKER_EXTENDED_REQUEST,
    };
    if fits { Ok(()) } else { Err(WireError::Marker { found, version: version as u8 }) }
}
