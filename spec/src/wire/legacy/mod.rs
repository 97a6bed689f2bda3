//! Version 0 bodies: what NuRaft puts behind its headers (release v3.0.0 and the 59 commits after it).

mod object;
mod request;
mod response;
pub mod translate;
mod value;

pub use object::{ClusterConfig, NulFree, Server, Snapshot, SnapshotSync, server_type};
pub use request::{Entry, PayloadCrc, RequestBody};
pub use response::{Appendix, Context, ResponseBody, ResultCode, SizeHint};
pub use value::{Notification, PriorityChange, Value, ValueType};

use super::bytes::Short;
use thiserror::Error;

/// Flag bits of version 0 frames. NuRaft ignores bits that it does not know and never echoes them.
pub mod flags {
    /// The body begins with a length and user-defined bytes.
    pub const INCLUDE_META: u32 = 0x01;
    /// Answer: a wish for the size of the next batch is there.
    pub const INCLUDE_HINT: u32 = 0x02;
    /// Request: every entry carries a timestamp.
    pub const INCLUDE_LOG_TIMESTAMP: u32 = 0x04;
    /// Request: the CRC covers the body too.
    pub const CRC_ON_ENTIRE_MESSAGE: u32 = 0x08;
    /// Request: every entry carries a CRC of its payload.
    pub const CRC_ON_PAYLOAD: u32 = 0x10;
    /// Answer: a result code ends the body.
    pub const INCLUDE_RESULT_CODE: u32 = 0x20;
    /// Request: the receiver is not counted in the quorum. Answer to an append: the follower marks itself down.
    pub const MARK_DOWN: u32 = 0x40;
    /// Request, a ping with a hello: "I would speak version 1". Not `0x80` or `0x100`: a fork of NuRaft acts on those.
    pub const OFFER: u32 = 0x0100_0000;
}

/// A version 0 body that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum LegacyError {
    /// Fewer bytes than the layout needs.
    #[error("{needed} more bytes are needed and {left} are left; the peer cut a body short")]
    Truncated {
        /// Bytes wanted.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes behind the end of an object.
    #[error("{0} bytes follow the end of the object; the peer's release has another layout")]
    Trailing(usize),
    /// A negative or impossible length or count.
    #[error("a length or count of {0} is impossible; the peer's bytes are damaged")]
    Length(i64),
    /// A text without its NUL.
    #[error("a text is not ended by a NUL; the peer's bytes are damaged")]
    NoNul,
    /// A payload that does not fit its CRC.
    #[error("an entry's checksum is {stored:08x}, its bytes say {computed:08x}; the payload was damaged on its way")]
    PayloadCrc {
        /// As in the entry.
        stored: u32,
        /// As the bytes say.
        computed: u32,
    },
    /// A byte or number without meaning.
    #[error("{field} is {value}, which has no meaning in version 0; the peer's release is newer than this node knows")]
    Meaningless {
        /// Which field.
        field: &'static str,
        /// The number found.
        value: i64,
    },
    /// What is to be written does not fit the header's flags.
    #[error("{0} is there and its flag is not set in the header, or the other way round: set both")]
    FlagDisagrees(&'static str),
    /// The frame around it could not be written.
    #[error(transparent)]
    Frame(#[from] super::error::WireError),
}

impl From<Short> for LegacyError {
    fn from(short: Short) -> Self {
        Self::Truncated { needed: short.needed, left: short.left }
    }
}
