//! Everything durable: groups, terms, votes and logs in one database that is synced once per round for all groups, state machines' data in another.
//!
//! One write's way: the event loop submits ([`submission`]), the storage thread ([`thread`]) gathers all groups' submissions into one batch
//! ([`rounds`](storage::Storage::turn)) with one log item per group ([`item`]), commits and syncs it through [`engine::Engine`], and reports completions; rounds
//! with a term or a vote report only when the [`witness`] remembers them.
//!
//! What a start checks, in this order ([`open`]): the lock and the identity of the folder, the journal before fjall touches it ([`journal`]), the
//! witness against the database, the digest of all terms and votes, and every log item of every group.

pub mod check;
pub mod engine;
pub mod entry;
pub mod fjall_engine;
pub mod format;
mod held;
pub mod item;
pub mod journal;
pub mod ledger;
mod log;
pub mod log_error;
pub mod memory;
mod meta;
pub mod open;
pub mod prefix;
mod progress;
mod queue;
pub mod reader;
pub mod record;
pub mod recover;
pub mod registry;
pub mod repair;
mod rounds;
pub mod space;
pub mod stats;
pub mod storage;
pub mod submission;
pub mod sweep;
pub mod thread;
pub mod witness;
pub mod witness_file;

pub use entry::{Entry, EntryKind};
pub use format::{Expected, Identity};
pub use log_error::LogError;
pub use meta::MetaError;
pub use open::{OpenError, Seams, Store};
pub use prefix::Local;
pub use reader::LogReader;
pub use recover::{OpenedGroup, Recovered};
pub use registry::{Change, GroupRecord, NewGroup, Protocol, Registry, RegistryError};
pub use storage::{Storage, StorageError};
pub use submission::{Append, Completion, Submission, Write};
pub use thread::{Stopped, StorageHandle, StorageThread};
