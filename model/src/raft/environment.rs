//! What a node does around `step` and outbox: its duties, and how they can be failed.
//!
//! Transition function and outbox are production's. What is left to the runtime are six duties (`docs/invariants.md`, "Duties of the runtime"). This
//! table does them; a mutant puts one entry of it out of order.

use super::disk::{Change, Disk, Job, Jobs};
use roadstead_spec::{
    EntryId, Index, NodeId,
    outbox::Write,
    raft::{State, Unrecoverable, recover},
};

/// How a write is handed to the disk: appends jobs, the last of which reports.
pub type SplitFn = fn(Write, &mut Jobs);
/// What a restart reads of what is there.
pub type ReadBackFn = fn(&Disk) -> Disk;
/// The state after a restart.
pub type RecoverFn = fn(NodeId, &Disk) -> Result<State, Unrecoverable>;

/// The part of a node that is neither `step` nor outbox.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// DUTY-2: a write is one step of the disk, and writes become durable in the order in which they were emitted.
    pub split: SplitFn,
    /// DUTY-3: a write is reported when it is durable, not when it is issued.
    pub reports_when_issued: bool,
    /// DUTY-2: what is durable is read back.
    pub read_back: ReadBackFn,
    /// DUTY-2: the state begins with what the disk holds.
    pub recover: RecoverFn,
    /// DUTY-5: data and applied index are one durable step, and the log is cut behind it.
    pub checkpoint: Checkpoint,
    /// DUTY-5: a read is served when everything through its index is applied.
    pub serves_unapplied: bool,
    /// DUTY-5: whom a client's entry answers.
    pub answers: Answers,
    /// What is streamed to a peer that needs a snapshot.
    pub streams: fn(&Disk) -> Option<EntryId>,
    /// DUTY-6: messages of another group, or of another incarnation of this one, are kept away.
    pub lets_strangers_in: bool,
    /// Copies of requests for votes go to their sender too. Harmless.
    pub asks_itself: bool,
}

/// How the state machine becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// Data and index in one step; then the log may be cut.
    Whole,
    /// The index alone: the data follows with the next checkpoint.
    IndexFirst,
    /// The data alone.
    DataFirst,
    /// The log is cut although nothing is durable yet.
    CutFirst,
}

/// When a client hears that its write is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Its own entry is applied.
    ByEntry,
    /// An entry is applied where its own was put.
    ByIndex,
    /// As [`Answers::ByEntry`]; but a leader that steps down tells those that wait that nothing happened.
    RefusedOnStepDown,
}

impl Environment {
    /// All duties done.
    pub const DUTIFUL: Self = Self {
        split: whole,
        reports_when_issued: false,
        read_back: Disk::clone,
        recover: recovered,
        checkpoint: Checkpoint::Whole,
        serves_unapplied: false,
        answers: Answers::ByEntry,
        streams: newest_snapshot,
        lets_strangers_in: false,
        asks_itself: false,
    };
}

fn whole(write: Write, jobs: &mut Jobs) {
    jobs.push_back(Job { reports: true, change: Change::Whole(write) });
}

fn recovered(id: NodeId, disk: &Disk) -> Result<State, Unrecoverable> {
    recover(id, disk.hard, disk.log.clone(), disk.snapshot.index)
}

fn newest_snapshot(disk: &Disk) -> Option<EntryId> {
    (disk.snapshot.index > Index(0)).then_some(disk.snapshot)
}
