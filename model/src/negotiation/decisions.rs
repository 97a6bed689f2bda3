//! What an end decides around the production machines, by name, and those machines themselves: a mistake replaces one of them, in this world only.

use roadstead_spec::{
    NodeId,
    wire::{
        FrameSpan, Limits, StoreId, Version, WireError, bytes_wanted,
        negotiation::{Acceptor, Caller, Dialer, Known, Target},
        next_frame,
    },
};

/// The data folder that the acceptor's one peer had before.
pub type Remembered = Option<StoreId>;

/// What the acceptor knows of a node: node 1 is its peer, nobody else is.
pub(super) fn known(node: NodeId, remembered: Remembered) -> Known {
    if node == NodeId(1) { Known::Peer { store: remembered } } else { Known::Stranger }
}

/// How the next frame of a version is found among bytes.
pub(super) type NextFrame = fn(Version, &[u8], &Limits) -> Result<Option<FrameSpan>, WireError>;

/// The decisions of both ends.
#[derive(Clone, Copy, Debug)]
pub struct Decisions {
    /// Opens a negotiation.
    pub start: fn(Caller, Target, u64, &mut Vec<u8>) -> Dialer,
    /// The dialer takes bytes.
    pub dial: fn(&mut Dialer, &[u8]) -> usize,
    /// The acceptor takes bytes.
    pub accept: fn(&mut Acceptor, &[u8], Remembered, &mut Vec<u8>) -> usize,
    /// Finds the next frame.
    pub next: NextFrame,
    /// Room that is made for the next frame.
    pub reserve: fn(Version, &[u8], &Limits) -> usize,
    /// The group that a frame of this group names on a connection; `None`: refused at the sender.
    pub names: fn(Version, u8) -> Option<u8>,
    /// Whether a dialer speaks before it is answered.
    pub early: bool,
    /// Whether the version of the last connection is taken for the next one's.
    pub remembers_version: bool,
    /// Whether what is left of the last connection's bytes stays in front of the next one's.
    pub keeps_buffer: bool,
    /// Whether requests that waited on the last connection wait on the next one.
    pub keeps_waiting: bool,
    /// Whether answers of version 0 leave in the order of their requests.
    pub answers_in_order: bool,
    /// Whether a request that finds no place ends the connection (or is dropped).
    pub full_closes: bool,
    /// Whether the other end's data folder is remembered over a restart.
    pub remembers_store: bool,
}

impl Decisions {
    /// As production decides (`impl/src/port/session.rs`, `impl/src/port/dialer.rs`, `impl/src/shard/legacy/places.rs`).
    pub const PRODUCTION: Self = Self {
        start: |caller, target, nonce, out| Dialer::start(caller, target, nonce, out),
        dial: |dialer, buffer| dialer.receive(buffer),
        accept: |acceptor, buffer, remembered, out| acceptor.receive(buffer, |node| known(node, remembered), out),
        next: next_frame,
        reserve: |version, buffer, limits| bytes_wanted(version, buffer, limits).unwrap_or(0),
        names: |version, group| match version {
            Version::Extended => Some(group),
            Version::Legacy => (group == 0).then_some(0),
        },
        early: false,
        remembers_version: false,
        keeps_buffer: false,
        keeps_waiting: false,
        answers_in_order: true,
        full_closes: true,
        remembers_store: true,
    };
}
