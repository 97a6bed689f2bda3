//! Frame headers of both versions. All integers are little-endian, without padding.
//!
//! Version 0 is what NuRaft puts on the wire, byte for byte: requests of 54 bytes, answers of 39. Version 1 has one header of 43 bytes for
//! both directions: version 0's answer plus a group id. A header is written in place, size and CRC afterwards, so that the body is
//! encoded straight behind it without a copy.

mod extended;
mod legacy;

pub use extended::ExtendedHeader;
pub(crate) use extended::Pending as ExtendedPending;
pub(crate) use legacy::Pending as LegacyPending;
pub use legacy::{LegacyRequest, LegacyResponse};

use super::error::WireError;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Bytes of a version 0 request header.
pub const RPC_REQ_HEADER_SIZE: usize = 54;
/// Bytes of a version 0 answer header.
pub const RPC_RESP_HEADER_SIZE: usize = 39;
/// Bytes of a version 1 request header.
pub const RPC_REQ_HEADER_EXT_SIZE: usize = 43;
/// Bytes of a version 1 answer header.
pub const RPC_RESP_HEADER_EXT_SIZE: usize = 43;
/// Set in every version 1 frame, and in a version 0 negotiation answer: "I speak version 1".
pub const FLAG_EXTENDED_HEADER: u32 = 0x80;

/// First byte of a version 0 request.
pub const MARKER_LEGACY_REQUEST: u8 = 0x00;
/// First byte of a version 0 answer.
pub const MARKER_LEGACY_RESPONSE: u8 = 0x01;
/// First byte of a version 1 request.
pub const MARKER_EXTENDED_REQUEST: u8 = 0x10;
/// First byte of a version 1 answer.
pub const MARKER_EXTENDED_RESPONSE: u8 = 0x11;

/// Which layout a connection speaks; fixed by the negotiation for the connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Version {
    /// Version 0: NuRaft's layout. Carries group 0 only.
    Legacy = 0,
    /// Version 1: 43 bytes, with a group id.
    Extended = 1,
}

/// Whether a frame asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Asks.
    Request,
    /// Answers.
    Response,
}

/// What bounds a frame; the same values on all nodes of a cluster, or a large entry passes here and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Most bytes of a version 1 body that carries more than one entry. Default 256 KiB.
    pub frame_bytes_max: u32,
    /// Most bytes of one entry, one client request, one answer. Default 8 MiB.
    pub entry_bytes_max: u32,
    /// Most bytes of a version 0 body: NuRaft batches up to 100 entries whatever their size. Default 64 MiB.
    pub legacy_bytes_max: u32,
}

/// Room that a body needs beside the bytes of its one entry: incarnation, message, length and kind; documented generously.
pub const BODY_OVERHEAD_BYTES_MAX: u32 = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes_max: 256 << 10, entry_bytes_max: 8 << 20, legacy_bytes_max: 64 << 20 }
    }
}

impl Limits {
    /// Whether bytes of this length may travel as one entry, one request or one answer. What a state machine answers is checked too: a
    /// larger answer would cost the connection.
    pub fn check_entry(&self, length: usize) -> Result<(), WireError> {
        let (size, limit) = (length as u64, u64::from(self.entry_bytes_max));
        if size <= limit { Ok(()) } else { Err(WireError::BodyTooLarge { size, limit }) }
    }

    /// Most bytes of any body of this version.
    pub fn body_bytes_max(&self, version: Version) -> u32 {
        match version {
            Version::Legacy => self.legacy_bytes_max.min(i32::MAX as u32),
            Version::Extended => self.frame_bytes_max.max(self.entry_bytes_max.saturating_add(BODY_OVERHEAD_BYTES_MAX)),
        }
    }
}

/// A header of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Header {
    /// Version 0, request.
    LegacyRequest(LegacyRequest),
    /// Version 0, answer.
    LegacyResponse(LegacyResponse),
    /// Version 1.
    Extended(ExtendedHeader),
}

/// Appends `head` (of which size and CRC are still zero), then the body, then calls `seal` with the frame to fill the two in.
/// Whatever fails, `out` is as it was.
fn write_frame<E: From<WireError>>(
    out: &mut Vec<u8>,
    head: &[u8],
    body_bytes_max: u32,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    seal: impl FnOnce(&mut [u8], u32),
) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(head);
    if let Err(error) = body(out) {
        out.truncate(start);
        return Err(error);
    }
    let size = out.len() - start - head.len();
    if size as u64 > u64::from(body_bytes_max) {
        out.truncate(start);
        return Err(WireError::BodyTooLarge { size: size as u64, limit: body_bytes_max.into() }.into());
    }
    seal(&mut out[start..], size as u32);
    Ok(())
}
