//! Frames of this world, and where they are cut and damaged.

use super::state::{Said, Sent};
use roadstead_spec::{
    GroupId, NodeId,
    wire::{
        ExtendedHeader, FLAG_EXTENDED_HEADER, HELLO_MAGIC, LegacyRequest, LegacyResponse, MessageType, RPC_REQ_HEADER_EXT_SIZE,
        RPC_REQ_HEADER_SIZE, RPC_RESP_HEADER_SIZE, Version, WireError,
        legacy::{LegacyError, flags},
    },
};

/// The one group beside the default one.
pub(super) const OTHER_GROUP: u8 = 7;

/// Terms are beyond 32 bits: request n has term `TERMS + n`.
pub(super) const TERMS: u64 = 1 << 33;

/// Bytes behind the header of a version 1 request: an incarnation, say.
const BODY: [u8; 8] = *b"bodybody";

/// Appends a request that names `group`.
pub(super) fn request(version: Version, nodes: (u8, u8), group: u8, number: u8, out: &mut Vec<u8>) {
    let written = match version {
        Version::Extended => {
            let (src, dst) = (node(nodes.0), node(nodes.1));
            let group = GroupId::new(group.into()).unwrap_or_default();
            let term = TERMS + u64::from(number);
            let header = ExtendedHeader { message_type: MessageType::AppendEntries, src, dst, term, index: 0, accepted: false, group };
            header.encode(out, |body| {
                body.extend_from_slice(&BODY);
                Ok::<(), WireError>(())
            })
        }
        Version::Legacy => legacy_request(nodes, TERMS + u64::from(number), 0).encode(out, |_| Ok::<(), WireError>(())),
    };
    debug_assert_eq!(written, Ok(()));
}

/// Appends the answer of version 0 to the request of this number.
pub(super) fn reply(nodes: (u8, u8), number: u8, out: &mut Vec<u8>) {
    let (src, dst) = (nodes.1.into(), nodes.0.into());
    let next_index = number.into();
    let header =
        LegacyResponse { message_type: MessageType::AppendEntriesResponse, src, dst, term: 0, next_index, accepted: true, flags: 0 };
    let written = header.encode(out, |_| Ok::<(), WireError>(()));
    debug_assert_eq!(written, Ok(()));
}

/// What NuRaft answers to a ping.
pub(super) fn pong(nodes: (u8, u8), out: &mut Vec<u8>) {
    let (src, dst) = (nodes.1.into(), nodes.0.into());
    let header = LegacyResponse { message_type: MessageType::PingResponse, src, dst, term: 0, next_index: 0, accepted: true, flags: 0 };
    let written = header.encode(out, |_| Ok::<(), WireError>(()));
    debug_assert_eq!(written, Ok(()));
}

/// Appends a header that announces a gigabyte.
pub(super) fn boast(version: Version, nodes: (u8, u8), out: &mut Vec<u8>) {
    let begin = out.len();
    request(version, nodes, 0, 0, out);
    match version {
        Version::Extended => {
            out.truncate(begin + RPC_REQ_HEADER_EXT_SIZE);
            out[begin + 27..begin + 31].copy_from_slice(&(1u32 << 30).to_le_bytes());
        }
        Version::Legacy => {
            // With the flag that puts the body under the checksum, the header alone proves nothing: the size must be judged before it.
            out.truncate(begin);
            let header =
                LegacyRequest { message_type: MessageType::Ping, ..legacy_request(nodes, 0, flags::OFFER | flags::CRC_ON_ENTIRE_MESSAGE) };
            let written = header.encode(out, |_| Ok::<(), LegacyError>(()));
            debug_assert_eq!(written, Ok(()));
            out[begin + 42..begin + 46].copy_from_slice(&(1i32 << 30).to_le_bytes());
        }
    }
}

const fn legacy_request(nodes: (u8, u8), term: u64, flags: u32) -> LegacyRequest {
    let (src, dst) = (nodes.0 as i32, nodes.1 as i32);
    LegacyRequest { message_type: MessageType::AppendEntries, src, dst, term, last_log_term: 0, last_log_index: 0, commit_index: 0, flags }
}

const fn node(id: u8) -> Option<NodeId> {
    if id == 0 { None } else { Some(NodeId(id as u32)) }
}

/// The size of a header that begins with this marker.
pub(super) const fn header_size(marker: u8) -> u8 {
    (match marker {
        0 => RPC_REQ_HEADER_SIZE,
        1 => RPC_RESP_HEADER_SIZE,
        _ => RPC_REQ_HEADER_EXT_SIZE,
    }) as u8
}

/// Where a stream is cut: places around the ends of the front frame's header and of the frame, counted from its begin.
pub(super) fn cuts(front: &Sent) -> [usize; CUTS] {
    let (header, length) = (usize::from(front.header), front.length as usize);
    [1, header - 1, header, header + 1, usize::midpoint(header, length), length - 1, length, length + 1]
}

/// Places of [`cuts`].
pub(super) const CUTS: usize = 8;

/// What of a frame is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Spot {
    /// The marker: version 0 looks like version 1, and the other way round.
    Marker,
    /// The message type.
    Type,
    /// The size of the body.
    Size,
    /// The flag that says something about versions.
    Flag,
    /// The group's number.
    Group,
    /// A hello's magic.
    Magic,
    /// A hello's highest version.
    Highest,
    /// A hello's nonce.
    Nonce,
    /// A hello's data folder.
    Store,
}

impl Spot {
    pub(super) const ALL: [Self; 9] =
        [Self::Marker, Self::Type, Self::Size, Self::Flag, Self::Group, Self::Magic, Self::Highest, Self::Nonce, Self::Store];

    /// The byte and the bit, in a frame of these bytes.
    pub(super) fn place(self, said: Said, bytes: &[u8]) -> Option<(usize, u8)> {
        let marker = *bytes.first()?;
        let hello = bytes.windows(HELLO_MAGIC.len()).position(|window| window == HELLO_MAGIC);
        let place = match self {
            Self::Marker => Some((0, 0x10)),
            Self::Type => Some((1, 0x02)),
            Self::Size => Some((if marker == 0 { 42 } else { 27 }, 0x01)),
            Self::Flag if said == Said::Offer => Some((53, (flags::OFFER >> 24) as u8)),
            Self::Flag => Some((if marker == 0 { 50 } else { 35 }, FLAG_EXTENDED_HEADER as u8)),
            Self::Group => (marker >= 0x10).then_some((39, OTHER_GROUP)),
            Self::Magic => hello.map(|at| (at, 0x20)),
            Self::Highest => hello.map(|at| (at + 18, 0x01)),
            Self::Nonce => hello.map(|at| (at + 64, 0x01)),
            Self::Store => hello.map(|at| (at + 40, 0x10)),
        };
        place.filter(|(at, _)| *at < bytes.len())
    }
}
