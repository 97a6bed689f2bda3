//! Who keeps the records of a boot: a file that takes all of them, or a ring that has the last ones.

use super::{dump::Dump, recorder::Recorder, ring::Ring};
use roadstead_spec::{
    GroupId, Incarnation,
    raft::Event,
    trace::{Dispatched, Fact, Linked},
};

/// Keeps records. Never both ways at once: a trace file holds what a ring would, up to the same record.
pub(crate) enum Keeper {
    /// All of them, whole, for the trace file.
    File(Recorder),
    /// The last ones, lean.
    Ring(Ring),
}

impl Keeper {
    /// Begins a boot.
    pub(crate) fn new(traced: bool) -> Self {
        if traced { Self::File(Recorder::new()) } else { Self::Ring(Ring::new()) }
    }

    /// Records what happened to a group.
    pub(crate) fn record(&mut self, group: GroupId, incarnation: Incarnation, fact: &Fact) {
        match self {
            Self::File(recorder) => recorder.record(group, incarnation, fact),
            Self::Ring(ring) => ring.record(group, incarnation, fact),
        }
    }

    /// Records what only a judge needs, since it follows from other records. Costs a branch if there is no trace file.
    pub(crate) fn record_whole(&mut self, group: GroupId, incarnation: Incarnation, fact: impl FnOnce() -> Fact) {
        if let Self::File(recorder) = self {
            recorder.record(group, incarnation, &fact());
        }
    }

    /// Records what the dispatcher did. The last records are of groups, and have none of it.
    pub(crate) fn dispatched(&mut self, step: impl FnOnce() -> Dispatched) {
        if let Self::File(recorder) = self {
            recorder.dispatched(step());
        }
    }

    /// Records that a connection with a peer was negotiated.
    pub(crate) fn linked(&mut self, linked: Linked) {
        if let Self::File(recorder) = self {
            recorder.linked(linked);
        }
    }

    /// Whether all is recorded.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Keeps the event of a step that is about to be taken, and the state that it is taken in if it is time for that (`kept`: when it was done last). A trace
    /// file is told when the step is taken.
    pub(crate) fn keep_event(
        &mut self,
        (group, incarnation): (GroupId, Incarnation),
        event: &Event,
        kept: &mut u64,
        state: impl FnOnce() -> Fact,
    ) {
        if let Self::Ring(ring) = self {
            ring.state(group, incarnation, kept, state);
            ring.event(group, incarnation, event);
        }
    }

    /// Records that the process ends in order.
    pub(crate) fn end(&mut self) {
        if let Self::File(recorder) = self {
            recorder.end();
        }
    }

    /// Frames for the trace file since the last time; none if there is no such file.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::File(recorder) => recorder.take(),
            Self::Ring(_) => Vec::new(),
        }
    }

    /// The last records, unless a trace file has them.
    pub(crate) fn dump(&mut self, reason: String) -> Option<Dump> {
        match self {
            Self::File(_) => None,
            Self::Ring(ring) => ring.dump(reason),
        }
    }
}
