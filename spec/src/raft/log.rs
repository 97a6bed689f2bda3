//! The log's shape: which terms lie where, never a payload.

use crate::{EntryId, Index, Term};
use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// Entries from `first` on carry `term`, up to the next run or the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Run {
    /// Term of the entries.
    pub term: Term,
    /// First index of the run.
    pub first: Index,
}

/// Most runs that one slice carries: it ends early rather than carry a fifth term.
pub const SLICE_RUNS_MAX: usize = 4;

/// Header of consecutive entries: all that AppendEntries needs except the bytes.
///
/// Law: `runs` is empty iff `last == prev.index` (a heartbeat or probe); otherwise `runs[0].first == prev.index + 1`,
/// firsts and terms strictly increase, `runs.last().first <= last` and `prev.term <= runs[0].term`. What comes from the network
/// may break it: the codec refuses a slice for which [`Slice::is_valid`] is false.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The entry right before the slice (`prevLogTerm`, `prevLogIndex` of the paper).
    pub prev: EntryId,
    /// Terms of the entries.
    pub runs: ArrayVec<Run, SLICE_RUNS_MAX>,
    /// Index of the last entry; `prev.index` if there is none.
    pub last: Index,
}
