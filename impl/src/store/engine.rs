//! The disk seam: an ordered key-value store with atomic batches. Log, hard state, prefixes and services sit above it; fjall
//! is a thin adapter below it, and memory another one for tests and simulation.

use bytes::Bytes;
use std::{fmt::Debug, ops::ControlFlow, ops::Range};

/// A keyspace, shared by all groups: keys begin with a prefix that [`super::prefix`] hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Log database: store id, format version, group registry, hard states, snapshot metadata, tombstones, peers' store ids.
    Meta,
    /// Log database: packed log items.
    Log,
    /// State database: data of state machines and their applied indices.
    State,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Insert or overwrite.
    Put(Space, Bytes, Bytes),
    /// Remove; a missing key is no error.
    Delete(Space, Bytes),
}

/// Changes that become visible and durable together, or not at all; later changes of a key win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub changes: Vec<Change>,
}

impl Batch {
    /// Adds an insert.
    pub fn put(&mut self, space: Space, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes.push(Change::Put(space, key.into(), value.into()));
    }

    /// Adds a removal.
    pub fn delete(&mut self, space: Space, key: impl Into<Bytes>) {
        self.changes.push(Change::Delete(space, key.into()));
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives the end of the process, not a power cut.
    Buffered,
    /// On disk when the call returns (fdatasync).
    Synced,
}

/// What went wrong below. Final for the store: after a failed commit or sync the process must end and recover.
#[derive(Debug, thiserror::Error)]
#[error("{what} in {place}: {source}")]
pub struct EngineError {
    /// What was tried.
    pub what: &'static str,
    /// Folder of the database.
    pub place: String,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Called per item in key order; `Break` ends the scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], Bytes) -> ControlFlow<()>;

/// Reads of one moment.
pub trait Read {
    /// The value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
    /// Visits the items of a half-open key range in ascending order.
    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError>;
    /// Visits the items of a half-open key range in descending order.
    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError>;
}

/// An ordered store. Reads through the engine itself see the newest committed state.
pub trait Engine: Read + Debug + Send + Sync + 'static {
    /// Applies a batch atomically.
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError>;
    /// Makes everything committed so far durable.
    fn sync(&self) -> Result<(), EngineError>;
    /// A consistent view that later commits do not change.
    fn snapshot(&self) -> Box<dyn Read + Send + Sync>;
}
