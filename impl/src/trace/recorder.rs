//! Encodes records into a buffer. It knows no file: the shard that owns it touches none.

use super::format::encode_record;
use crate::store::entry::Entry;
use roadstead_spec::{
    GroupId, Incarnation, Index,
    raft::Event,
    trace::{Content, Digest, Dispatched, FORMAT, Fact, Linked},
};
use serde::Serialize;

/// [`roadstead_spec::trace::What`], by reference: the same bytes, and nothing is moved or copied for them.
#[derive(Serialize)]
pub(super) enum What<'a, F> {
    Booted { format: u32 },
    Group { group: GroupId, incarnation: Incarnation, fact: &'a F },
    Ended,
    Dispatched(Dispatched),
    Linked(Linked),
}

/// [`Fact::Stepped`] by reference, with nothing but the event.
#[derive(Serialize)]
#[expect(dead_code, reason = "the variant's place among others is what is written")]
pub(super) enum Step<'a> {
    Recovered,
    Stepped { event: &'a Event, effects: &'a [()], after: Digest },
}

impl<'a> Step<'a> {
    /// A step that is about to be taken.
    pub(super) const fn of(event: &'a Event) -> Self {
        Self::Stepped { event, effects: &[], after: Digest(0) }
    }
}

/// Numbers and encodes the records of a boot.
#[derive(Debug)]
pub(crate) struct Recorder {
    next: u64,
    buffer: Vec<u8>,
}

impl Recorder {
    /// Begins a boot.
    pub(crate) fn new() -> Self {
        let mut recorder = Self { next: 0, buffer: Vec::new() };
        recorder.put(&What::Booted { format: FORMAT });
        recorder
    }

    /// Records what happened to a group.
    pub(crate) fn record(&mut self, group: GroupId, incarnation: Incarnation, fact: &Fact) {
        self.put(&What::Group { group, incarnation, fact });
    }

    /// Records what the dispatcher did.
    pub(crate) fn dispatched(&mut self, step: Dispatched) {
        self.put(&What::Dispatched(step));
    }

    /// Records that a connection with a peer was negotiated.
    pub(crate) fn linked(&mut self, linked: Linked) {
        self.put(&What::Linked(linked));
    }

    /// Records that the process ends in order.
    pub(crate) fn end(&mut self) {
        self.put(&What::Ended);
    }

    /// What was recorded since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let room = self.buffer.len();
        std::mem::replace(&mut self.buffer, Vec::with_capacity(room))
    }

    fn put(&mut self, what: &What<'_, Fact>) {
        let (sequence, length) = (self.next, self.buffer.len());
        self.next += 1;
        if let Err(error) = encode_record(sequence, what, &mut self.buffer) {
            // Its number is missing from the file then, which replay sees.
            self.buffer.truncate(length);
            tracing::error!(%error, "a record of the trace could not be encoded; this is a defect of Roadstead, please report it");
        }
    }
}

/// The record of these entries' bytes.
pub(crate) fn content<'a>(first: Index, entries: impl IntoIterator<Item = &'a Entry>) -> Content {
    Content::new(first, entries.into_iter().map(|entry| (entry.term, Digest::of(entry.kind as u8, &entry.payload))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{parse_frame, parse_record};
    use roadstead_spec::{NodeId, outbox::Ticket, trace, wire::Version};

    #[test]
    fn what_is_recorded_is_what_is_read() {
        let fact = Fact::Durable { through: Ticket(300) };
        let mut recorder = Recorder::new();
        recorder.record(GroupId::DEFAULT, Incarnation(9), &fact);
        let removed = Dispatched::Remove { group: GroupId::DEFAULT, incarnation: Incarnation(9) };
        recorder.dispatched(removed);
        let linked = Linked { peer: NodeId(2), boot: Some(4), dialled: true, version: Version::Extended };
        recorder.linked(linked);
        recorder.end();
        let bytes = recorder.take();
        let (mut read, mut rest) = (Vec::new(), &bytes[..]);
        while !rest.is_empty() {
            let (payload, length) = parse_frame(rest).unwrap();
            read.push(parse_record(payload).unwrap());
            rest = &rest[length..];
        }
        let group = trace::What::Group { group: GroupId::DEFAULT, incarnation: Incarnation(9), fact };
        let all = [
            trace::What::Booted { format: FORMAT },
            group,
            trace::What::Dispatched(removed),
            trace::What::Linked(linked),
            trace::What::Ended,
        ];
        assert_eq!(read, (0..).zip(all).collect::<Vec<_>>());
    }
}
