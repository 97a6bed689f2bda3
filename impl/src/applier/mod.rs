//! The host of the state machines: owns the state database and the machines of all groups.
//!
//! [`Applier`] is a plain struct with synchronous turns; [`ApplierThread`] wraps it for production, the simulation calls it directly. It decides
//! nothing about consensus: the shard says what is committed, the applier applies it and says what happened.
//!
//! * *Atomic*: a group's data and the id of its last applied entry change in one batch. The batches of all groups of a turn are one commit.
//! * *Not synced*: the log recovers what a power cut takes from the state database. The log may be compacted only through what a
//!   [`Job::Checkpoint`] has reported; a snapshot may be named in the log database only after it was [`Outcome::Staged`].
//! * *Alone*: an error or a panic of a machine stops its group ([`Failure`]) and no other. Only a failed commit or sync ends the process.
//! * *In pieces*: chunks are read and leftovers deleted in bounded pieces between applies; syncs run beside them.
//!
//! Keys: purpose ++ local number ++ state epoch ++ the machine's key ([`crate::store::prefix`]). An epoch is one generation of a group's data;
//! a snapshot is received under a fresh one, the log database's commit switches to it, and the old one is then deleted.

mod answers;
mod chunk;
mod data;
mod failure;
mod group;
mod host;
mod job;
mod machine;
mod sending;
mod snapshots;
mod staging;
mod sweep;
mod sync;
pub mod testing;
mod thread;
mod transaction;

use std::time::Duration;

pub use chunk::Chunk;
pub use failure::Failure;
pub use host::Applier;
pub use job::{Done, Gone, GroupKey, Job, JobName, Outcome, QueryId, Refusal, StateEpoch, TransferId, Work};
pub(crate) use machine::panic_text;
pub use sync::{SyncTicket, Synced};
pub use thread::{ANSWER_BYTES_MAX, ApplierSender, ApplierThread, NotSent, QUEUED_BATCHES_MAX, TURN_JOBS_MAX};

/// Largest `chunk_bytes` of a transfer: a chunk travels in one frame and is read in one go between two applies.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Views of snapshots that are held at once, over all groups: each keeps old data from being reclaimed. One more is refused.
pub const VIEWS_MAX: usize = 8;
/// A view that nobody has read for so long is given back.
pub const VIEW_IDLE_MAX: Duration = Duration::from_secs(60);
/// A view that is so old is given back, even when it is being read.
pub const VIEW_AGE_MAX: Duration = Duration::from_secs(3600);
/// Chunks behind the newest that a receiver may ask for again; an older one ends the transfer.
pub const RESUME_CHUNKS_MAX: usize = 256;
/// Keys that are deleted in one piece.
pub const SWEEP_KEYS_MAX: usize = 256;
/// Pause between two pieces: at most 128,000 keys are deleted per second.
pub const SWEEP_PAUSE: Duration = Duration::from_millis(2);
/// Key ranges of one group that wait to be deleted; while there are more, no new snapshot is received.
pub const SWEEPS_PER_GROUP_MAX: usize = 4;
