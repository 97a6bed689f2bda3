//! What two ends tell each other before anything else. Layout of its own, little-endian, with its own length and CRC-32, since version 0
//! covers neither body nor flags.
//!
//! ```text
//! offset size field
//!  0     8    magic "ROADHELO"
//!  8     2    length of the whole hello, u16: 80 now; what a later release adds behind is skipped
//! 10     1    kind: 0 offer, 1 agreement, 2 refusal
//! 11     1    refusal code, 0 otherwise
//! 12     4    CRC-32 over bytes 0..12 and 16..length
//! 16     2    lowest version, u16
//! 18     2    highest version, u16 (agreement: both are the chosen one)
//! 20     4    node id, u32: 0 a client
//! 24    16    cluster id
//! 40    16    store id
//! 56     8    boot nonce
//! 64     8    connection nonce: the dialer's, echoed
//! 72     8    feature bits
//! ```

use super::bytes::{Reader, Short, crc32, patch};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// First eight bytes of a hello.
pub const HELLO_MAGIC: [u8; 8] = *b"ROADHELO";
/// Bytes of a hello of this release; no release sends fewer.
pub const HELLO_BYTES: usize = 80;
/// Most bytes of a hello, with the unknown tail of a later release.
pub const HELLO_BYTES_MAX: usize = 1024;

const CRC_OFFSET: usize = 12;

/// Names a cluster: nodes of different clusters never talk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u128);

/// Names one life of a data folder: minted with it, never copied. A wiped disk under an old node id has another one and is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoreId(pub u128);

impl ClusterId {
    /// What a client says that knows only an address. No cluster has this id.
    pub const ANY: Self = Self(0);
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a hello is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HelloKind {
    /// The dialer's: "these versions, shall we?"
    Offer,
    /// The acceptor's: the chosen version stands in both version fields.
    Agreement,
    /// The acceptor's: no, and why. A number: see [`super::negotiation::RefusalCode`].
    Refusal(u8),
}

/// One end's introduction. Shape: fixed, [`HELLO_BYTES`] on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// What it is for.
    pub kind: HelloKind,
    /// Lowest header version that the sender speaks.
    pub lowest: u16,
    /// Highest header version that the sender speaks.
    pub highest: u16,
    /// Node id, 0 for a client.
    pub node: u32,
    /// The sender's cluster.
    pub cluster: ClusterId,
    /// The sender's data folder; 0 for a client.
    pub store: StoreId,
    /// Drawn at random when the process started.
    pub boot: u64,
    /// Drawn at random by the dialer for this connection; the answer repeats it.
    pub nonce: u64,
    /// What else the sender understands; unknown bits are ignored, and no bit is given away yet.
    pub features: u64,
}

/// Why bytes are no hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum HelloError {
    /// Does not begin with the magic: somebody else's bytes.
    #[error("the bytes do not begin with the magic ROADHELO")]
    Magic,
    /// Cut short, or longer than its own length says.
    #[error("a hello of {length} bytes came as {got}")]
    Length {
        /// The length field, or the least possible.
        length: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Damaged.
    #[error("checksum {stored:08x} stored, {computed:08x} computed")]
    Crc {
        /// As in the hello.
        stored: u32,
        /// As the bytes say.
        computed: u32,
    },
    /// A kind that this release does not know.
    #[error("kind {0} is unknown")]
    Kind(u8),
    /// A node id that no node can have.
    #[error("node id {0} is above 2147483647")]
    Node(u32),
    /// The lowest version is above the highest.
    #[error("versions {0} to {1} are not a range")]
    Versions(u16, u16),
}

impl Hello {
    /// Appends [`HELLO_BYTES`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, code) = match self.kind {
            HelloKind::Offer => (0, 0),
            HelloKind::Agreement => (1, 0),
            HelloKind::Refusal(code) => (2, code),
        };
        let mut bytes = [0; HELLO_BYTES];
        patch(&mut bytes, 0, &HELLO_MAGIC);
        patch(&mut bytes, 8, &(HELLO_BYTES as u16).to_le_bytes());
        patch(&mut bytes, 10, &[kind, code]);
        patch(&mut bytes, 16, &self.lowest.to_le_bytes());
        patch(&mut bytes, 18, &self.highest.to_le_bytes());
        patch(&mut bytes, 20, &self.node.to_le_bytes());
        patch(&mut bytes, 24, &self.cluster.0.to_le_bytes());
        patch(&mut bytes, 40, &self.store.0.to_le_bytes());
        patch(&mut bytes, 56, &self.boot.to_le_bytes());
        patch(&mut bytes, 64, &self.nonce.to_le_bytes());
        patch(&mut bytes, 72, &self.features.to_le_bytes());
        let crc = hello_crc(&bytes);
        patch(&mut bytes, CRC_OFFSET, &crc.to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Whether bytes begin with the magic: ours, be they whole or damaged.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.starts_with(&HELLO_MAGIC)
    }

    /// Reads a hello that takes up all of `bytes`; what stands behind the known fields and within its length is skipped.
    pub fn decode(bytes: &[u8]) -> Result<Self, HelloError> {
        if !Self::begins(bytes) {
            return Err(HelloError::Magic);
        }
        let mut reader = Reader::new(bytes);
        let cut = |_: Short| HelloError::Length { length: HELLO_BYTES, got: bytes.len() };
        reader.take(HELLO_MAGIC.len()).map_err(cut)?;
        let length = usize::from(reader.u16().map_err(cut)?);
        if !(HELLO_BYTES..=HELLO_BYTES_MAX).contains(&length) || length != bytes.len() {
            return Err(HelloError::Length { length: length.max(HELLO_BYTES), got: bytes.len() });
        }
        let kind = reader.u8().map_err(cut)?;
        let code = reader.u8().map_err(cut)?;
        let stored = reader.u32().map_err(cut)?;
        let computed = hello_crc(bytes);
        if stored != computed {
            return Err(HelloError::Crc { stored, computed });
        }
        let kind = match (kind, code) {
            (0, _) => HelloKind::Offer,
            (1, _) => HelloKind::Agreement,
            (2, code) => HelloKind::Refusal(code),
            (other, _) => return Err(HelloError::Kind(other)),
        };
        let hello = Self {
            kind,
            lowest: reader.u16().map_err(cut)?,
            highest: reader.u16().map_err(cut)?,
            node: reader.u32().map_err(cut)?,
            cluster: ClusterId(reader.u128().map_err(cut)?),
            store: StoreId(reader.u128().map_err(cut)?),
            boot: reader.u64().map_err(cut)?,
            nonce: reader.u64().map_err(cut)?,
            features: reader.u64().map_err(cut)?,
        };
        hello.check()
    }

    fn check(self) -> Result<Self, HelloError> {
        if self.node > i32::MAX as u32 {
            return Err(HelloError::Node(self.node));
        }
        if self.lowest > self.highest {
            return Err(HelloError::Versions(self.lowest, self.highest));
        }
        Ok(self)
    }
}

fn hello_crc(bytes: &[u8]) -> u32 {
    crc32(&[bytes.get(..CRC_OFFSET).unwrap_or_default(), bytes.get(CRC_OFFSET + 4..).unwrap_or_default()])
}
