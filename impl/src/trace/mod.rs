//! The record of a run on disk: what a node was told and did, precisely enough to judge it afterwards (`roadstead_spec::trace`).
//!
//! The shard encodes records into a buffer (`Recorder`); the event loop puts the buffer into the boot's file ([`TraceFile`]) *before* it carries out what
//! the records say. The file need not be synced for that: it survives the process, and whoever judges nodes kills processes. So a stream that a kill ends
//! has nothing missing before its end, and nobody has to guess what a killed node had done. A power cut may take more; replay says so.
//!
//! The price is one write to the page cache per turn, on the event loop's thread: what waits then, waits for memory, and for a disk that cannot follow.
//! A thread of its own would cost two wake-ups per turn, or records that die with the process.
//!
//! A node without a trace file keeps its last records in memory (`Ring`). When a group stops because something is wrong with it, or the node's thread
//! panics, they go into a file ([`Dumps`]).

mod dump;
mod format;
mod keeper;
mod recorder;
mod ring;
mod writer;

pub use dump::{DUMP_MAGIC, DUMPS_MAX, Dump, DumpHeader, Dumps, parse_dump_head};
pub use format::{BadFrame, Header, MAGIC, RECORD_BYTES_MAX, encode_frame, file_name, parse_frame, parse_head, parse_record};
pub use ring::RING_BYTES;
pub use writer::TraceFile;

pub(crate) use keeper::Keeper;
pub(crate) use recorder::content;
