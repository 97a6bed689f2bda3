//! A log entry with its bytes, as it is stored, sent and applied.

use bytes::Bytes;
use roadstead_spec::Term;

/// What an entry's payload means. The number is stored and sent: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// The empty entry at the start of a leader's term; never given to a state machine.
    Noop = 0,
    /// A command of the group's state machine.
    Command = 1,
}

impl EntryKind {
    /// The kind of this number, or `None` for one that this version does not know.
    pub fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Noop),
            1 => Some(Self::Command),
            _ => None,
        }
    }
}

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
