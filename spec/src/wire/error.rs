//! Why a frame is refused. Each text says what to do, since an operator reads it in a log line that names the connection.

use super::bytes::Short;
use super::message_type::MessageType;
use thiserror::Error;

/// A frame that cannot be read or written; the connection that it came from is of no further use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum WireError {
    /// Fewer bytes than the layout needs.
    #[error("a {what} needs {needed} more bytes and {left} are left; the sender cut the frame short")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes wanted.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// More bytes than the header announces.
    #[error("{0} bytes follow the frame where one frame was expected; split the stream with `next_frame`")]
    Trailing(usize),
    /// The first byte of a frame is not one of the negotiated version.
    #[error(
        "frame marker {found:#04x} does not belong to header version {version}; the peer lost its place or speaks another version: reconnect"
    )]
    Marker {
        /// The byte found.
        found: u8,
        /// The connection's version.
        version: u8,
    },
    /// A version 1 frame without flag `0x80`.
    #[error("a version 1 frame carries flags {flags:#010x} without 0x80; the sender violates the protocol: check its release")]
    FlagMissing {
        /// The flags found.
        flags: u32,
    },
    /// A version 1 frame with a flag that this release does not know.
    #[error("a version 1 frame carries the unknown flags {flags:#010x}; upgrade this node to the sender's release")]
    FlagUnknown {
        /// The flags found.
        flags: u32,
    },
    /// The checksum does not fit the bytes.
    #[error(
        "checksum {stored:08x} stored, {computed:08x} computed: the frame was damaged on its way; the connection is closed and dialled again"
    )]
    Crc {
        /// As in the frame.
        stored: u32,
        /// As the bytes say.
        computed: u32,
    },
    /// The body is larger than this connection allows. Found before anything is allocated.
    #[error(
        "a frame announces a body of {size} bytes, {limit} are allowed; raise `limits.max_entry` on this node or lower it on the sender"
    )]
    BodyTooLarge {
        /// The size announced.
        size: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// A negative group id.
    #[error("group id {0} is negative; a group id is 0 to 2147483647: check the sender")]
    GroupNegative(i32),
    /// A node id that no node can have.
    #[error("{field} is {value}; a node id is 1 to 2147483647, or 0 for a client: check the sender's configuration")]
    NodeId {
        /// `src` or `dst`.
        field: &'static str,
        /// The number found.
        value: i32,
    },
    /// The accepted byte is neither 0 nor 1, or set in a request.
    #[error("the accepted byte is {0}; it is 0 or 1 in an answer and 0 in a request: check the sender's release")]
    Accepted(u8),
    /// A message type that this release does not know.
    #[error("message type {0} is unknown; upgrade this node to the sender's release")]
    UnknownType(u8),
    /// A type that the frame's version does not carry, or an answer where a request should be.
    #[error("message type {found} cannot stand in a frame with marker {marker:#04x}; the sender violates the protocol: check its release")]
    TypeOutOfPlace {
        /// The type found.
        found: MessageType,
        /// The frame's marker.
        marker: u8,
    },
    /// The body does not fit its type.
    #[error("the body of {of} is malformed: {why}; check that both nodes run releases of one wire version")]
    Body {
        /// The message type.
        of: MessageType,
        /// What is wrong.
        why: BodyError,
    },
}

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum BodyError {
    /// Fewer bytes than the layout needs.
    #[error("{needed} more bytes are needed and {left} are left")]
    Truncated {
        /// Bytes wanted.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes behind the end.
    #[error("{0} bytes follow the end of the message")]
    Trailing(usize),
    /// The postcard part cannot be read: what is wrong with it.
    #[error("{0}")]
    Postcard(&'static str),
    /// The frame's type is not one of this codec.
    #[error("the frame is of another type than its reader expects")]
    OtherType,
    /// Header and message disagree.
    #[error("the header's {field} says {header} and the message says {message}")]
    HeaderDisagrees {
        /// Which field.
        field: &'static str,
        /// The header's value.
        header: u64,
        /// The message's value.
        message: u64,
    },
    /// A term or an index that no group can reach.
    #[error("term or index {0} is above 2^62")]
    OutOfRange(u64),
    /// A slice that breaks its law.
    #[error("the slice's runs are not in order")]
    Slice,
    /// Number of entries in the slice and number of payloads differ.
    #[error("the slice has {slice} entries and {payloads} payloads came with it")]
    PayloadCount {
        /// Entries that the slice announces.
        slice: u64,
        /// Payloads found.
        payloads: u64,
    },
    /// An entry kind that this release does not know.
    #[error("entry kind {0} is unknown")]
    Kind(u8),
    /// One entry is larger than allowed.
    #[error("an entry of {size} bytes is larger than the {limit} allowed")]
    EntryTooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A frame above the ordinary limit that carries more than one entry.
    #[error("{entries} entries share a frame of {size} bytes; above {limit} bytes a frame carries one entry")]
    FrameTooLarge {
        /// The body's size.
        size: u64,
        /// Entries in it.
        entries: u64,
        /// The ordinary limit.
        limit: u64,
    },
    /// The bytes of a snapshot piece do not fit their checksum.
    #[error("the piece's checksum is {stored:08x}, its bytes say {computed:08x}")]
    Crc {
        /// As in the body.
        stored: u32,
        /// As the bytes say.
        computed: u32,
    },
    /// A refusal names a type that this release does not know.
    #[error("the refused frame's type {0} is unknown")]
    RefusedType(u8),
}

impl From<Short> for BodyError {
    fn from(short: Short) -> Self {
        Self::Truncated { needed: short.needed, left: short.left }
    }
}

impl From<postcard::Error> for BodyError {
    fn from(error: postcard::Error) -> Self {
        use postcard::Error as E;
        Self::Postcard(match error {
            E::DeserializeUnexpectedEnd => "it ends too early",
            E::DeserializeBadVarint => "a number has too many bytes",
            E::DeserializeBadBool | E::DeserializeBadOption | E::DeserializeBadEnum => "a variant is unknown",
            E::DeserializeBadUtf8 => "a text is not UTF-8",
            _ => "a value is out of its range",
        })
    }
}

impl WireError {
    /// Whether a frame's body has exactly the size that its header announces.
    pub(crate) const fn check_body_size(what: &'static str, body: &[u8], size: u32) -> Result<(), Self> {
        let size = size as usize;
        if body.len() < size {
            return Err(Self::Truncated { what, needed: size - body.len(), left: 0 });
        }
        if body.len() > size { Err(Self::Trailing(body.len() - size)) } else { Ok(()) }
    }

    pub(crate) fn truncated(what: &'static str) -> impl Fn(Short) -> Self {
        move |short| Self::Truncated { what, needed: short.needed, left: short.left }
    }
}
