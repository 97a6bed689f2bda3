//! The record of a run on disk: what a node was told and did, precisely enough to judge it afterwards (`roadstead_spec::trace`).
//!
//! The shard encodes records into a buffer (`Recorder`); the event loop puts the buffer into the boot's file ([`TraceFile`]) *before* it carries out what
//! the records say. The file need not be synced for that: it survives the process, and whoever judges nodes kills processes. So a stream that a kill ends
//! has nothing missing before its end, and nobody has to guess what a killed node had done. A power cut may take more; replay says so.
//!
//! The price is one write to the page cache per turn, on the event loop's thread: what waits then, waits for memory, and for a disk that cannot follow.
//! A thread of its own would cost two wake-ups per turn, or records that die with the process.

mod format;
mod recorder;
mod writer;

pub use format::{BadFrame, Header, MAGIC, RECORD_BYTES_MAX, encode_frame, file_name, parse_frame, parse_head, parse_record};
pub use writer::TraceFile;

pub(crate) use recorder::{Recorder, content};
