//! Hosts the state machines: owns the state database and the machines of all groups.
pub mod chunk;
pub mod failure;
pub mod job;

pub use chunk::Chunk;
pub use failure::Failure;
pub use job::{
    Done, Gone, GroupKey, Job, JobName, Outcome, QueryId, Refusal, StateEpoch, TransferId, Work,
};

/// Largest `chunk_bytes` of a transfer: a frame holds one chunk, and a chunk is read in one go between two applies.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Views of snapshots that are held at once, over all groups: each keeps old data from being reclaimed.
pub const VIEWS_MAX: usize = 8;
/// A view that nobody has read for so long is given back.
pub const VIEW_IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(60);
/// A view that is so old is given back, even when it is being read.
pub const VIEW_AGE_MAX: std::time::Duration = std::time::Duration::from_secs(3600);
/// Chunks behind the newest that a receiver may ask for again.
pub const RESUME_CHUNKS_MAX: usize = 256;
