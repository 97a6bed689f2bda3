//! A log entry with its bytes, as it is stored, sent and applied.

use bytes::Bytes;
use roadstead_spec::Term;

/// What an entry's payload means; stored as it is sent.
pub use roadstead_spec::wire::body::EntryKind;

/// One entry: its term travels with its bytes, so that the two never part (late materialisation re-checks it). Its index is given by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Term of the leader that made it.
    pub term: Term,
    /// What the payload means.
    pub kind: EntryKind,
    /// The command; empty for a no-op.
    pub payload: Bytes,
}
