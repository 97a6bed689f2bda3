//! The file of one boot: [`MAGIC`], a frame with the [`Header`], a frame per record.
//!
//! ```text
//! frame: u32 length of the payload, u32 CRC-32 of those four bytes, u32 CRC-32 of the payload (all little-endian), payload
//! payload: postcard of Header, or of (sequence, What)
//! ```
//!
//! The length has a checksum of its own: otherwise one flipped bit in it would look like a record that a kill cut off, and the rest of the file like no evidence.

use roadstead_spec::{
    NodeId,
    trace::{FORMAT, What},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// First bytes of a file.
pub const MAGIC: [u8; 8] = *b"ROADTRC2";

/// Largest payload that a reader believes. A record holds at most some thousand entries of eleven bytes, or a log's runs.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

pub(super) const FRAME_HEAD_BYTES: usize = 12;

/// Whose records these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the records.
    pub format: u32,
    /// The node.
    pub node: NodeId,
    /// Names the life of its data folder: a wiped one has another.
    pub store: u128,
    /// Counts the starts of the process on this data folder, without a gap.
    pub boot: u64,
    /// Release that wrote the file.
    pub release: String,
}

impl Header {
    /// The header of a boot of this release.
    pub fn new(node: NodeId, store: u128, boot: u64) -> Self {
        Self { format: FORMAT, node, store, boot, release: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The file's name: files sort by node and boot.
pub fn file_name(node: NodeId, boot: u64) -> String {
    format!("node-{:03}-boot-{boot:06}.trace", node.0)
}

/// Why a frame cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// The bytes end within it: at the end of a file, what a kill leaves of the last write.
    #[error("it ends too early")]
    Short,
    /// Its checksum, or its length, is wrong.
    #[error("its checksum is wrong")]
    Damaged,
    /// It is whole, but says nothing that this release understands.
    #[error("it does not decode; another release may have written it")]
    Foreign,
}

/// Appends a frame.
pub fn encode_frame(payload: &impl Serialize, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    let begun = std::mem::take(out);
    *out = postcard::to_extend(payload, begun)?;
    let length = out.len() - start - FRAME_HEAD_BYTES;
    if let Some(frame) = out.get_mut(start..) {
        write_length(length, frame);
        seal_frame(frame);
    }
    Ok(())
}

/// Notes the length of the payload in a head whose checksums [`seal_frame`] adds.
pub(super) fn write_length(length: usize, head: &mut [u8]) {
    if let Some(place) = head.first_chunk_mut() {
        *place = (length as u32).to_le_bytes();
    }
}

/// Gives the frame at the start of `bytes`, whose length is there, its checksums; returns the frame's length.
pub(super) fn seal_frame(bytes: &mut [u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk_mut::<FRAME_HEAD_BYTES>()?;
    let ([length, length_crc, payload_crc], []) = head.as_chunks_mut() else { return None };
    let size = u32::from_le_bytes(*length) as usize;
    *length_crc = crc32fast::hash(length).to_le_bytes();
    *payload_crc = crc32fast::hash(rest.get(..size)?).to_le_bytes();
    Some(FRAME_HEAD_BYTES + size)
}

/// The payload of the frame at the start of `bytes`, and the frame's length.
pub fn parse_frame(bytes: &[u8]) -> Result<(&[u8], usize), BadFrame> {
    let (head, rest) = bytes.split_first_chunk::<FRAME_HEAD_BYTES>().ok_or(BadFrame::Short)?;
    let (&[length, length_crc, payload_crc], []) = head.as_chunks() else { return Err(BadFrame::Short) };
    let size = u32::from_le_bytes(length) as usize;
    if crc32fast::hash(&length) != u32::from_le_bytes(length_crc) || size == 0 || size > RECORD_BYTES_MAX {
        return Err(BadFrame::Damaged);
    }
    let payload = rest.get(..size).ok_or(BadFrame::Short)?;
    if crc32fast::hash(payload) != u32::from_le_bytes(payload_crc) {
        return Err(BadFrame::Damaged);
    }
    Ok((payload, FRAME_HEAD_BYTES + size))
}

/// The header of a file, and where its records begin.
pub fn parse_head(bytes: &[u8]) -> Result<(Header, usize), BadFrame> {
    parse_headed(MAGIC, bytes, |header: &Header| header.format)
}

/// The header behind `expected`, and where the records begin.
pub(super) fn parse_headed<H: DeserializeOwned>(
    expected: [u8; 8],
    bytes: &[u8],
    format: impl FnOnce(&H) -> u32,
) -> Result<(H, usize), BadFrame> {
    let rest = match bytes.split_at_checked(expected.len()) {
        Some((magic, rest)) if magic == expected => rest,
        Some(_) => return Err(BadFrame::Foreign),
        None => return Err(BadFrame::Short),
    };
    let (payload, length) = parse_frame(rest)?;
    let header: H = postcard::from_bytes(payload).map_err(|_| BadFrame::Foreign)?;
    if format(&header) != FORMAT {
        return Err(BadFrame::Foreign);
    }
    Ok((header, expected.len() + length))
}

/// A record's payload.
pub(super) fn encode_record(sequence: u64, what: &impl Serialize, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
    encode_frame(&(sequence, what), out)
}

/// Reads what [`encode_frame`] was given as `(sequence, what)`.
///
/// # Errors
/// [`BadFrame::Foreign`].
pub fn parse_record(payload: &[u8]) -> Result<(u64, What), BadFrame> {
    postcard::from_bytes(payload).map_err(|_| BadFrame::Foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Vec<u8>, usize) {
        let mut bytes = MAGIC.to_vec();
        encode_frame(&Header::new(NodeId(3), 7, 2), &mut bytes).unwrap();
        let head = bytes.len();
        encode_record(0, &What::Booted { format: FORMAT }, &mut bytes).unwrap();
        (bytes, head)
    }

    #[test]
    fn a_file_is_read_back() {
        let (bytes, head) = file();
        let (header, at) = parse_head(&bytes).unwrap();
        assert_eq!((header, at), (Header::new(NodeId(3), 7, 2), head));
        let (payload, length) = parse_frame(&bytes[at..]).unwrap();
        assert_eq!(at + length, bytes.len());
        assert_eq!(parse_record(payload), Ok((0, What::Booted { format: FORMAT })));
    }

    /// Goal: no cut and no flipped bit is taken for a record, and none of them panics.
    #[test]
    fn a_cut_is_short_and_a_flipped_bit_is_damage() {
        let (bytes, head) = file();
        for cut in head..bytes.len() {
            assert_eq!(parse_frame(&bytes[head..cut]), Err(BadFrame::Short), "cut at {cut}");
        }
        for bit in head * 8..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_frame(&flipped[head..]), Err(BadFrame::Damaged), "bit {bit}");
        }
    }
}
