//! The last records of a node that writes no trace: kept in memory, and written to a file when something is wrong ([`super::Dumps`]).
//!
//! Keeping must cost next to nothing, so it is the input that is kept: the event of each step (`effects` empty, `after` 0), before the step is taken, and what
//! the disk said. The core is a function, so whoever reads a dump executes the steps again and sees what they gave. For that a group's state is kept as well
//! (as `Recovered`), once in each half of the memory; with many groups only until a quarter of the half is states.
//!
//! The memory is two halves. One is filled; when a record does not fit any more, the other one, which holds the oldest records, is emptied and filled next. So
//! nothing is ever moved, and at least the last half is there. A record that fits no half is left out; its number is missing then. A record gets its checksums
//! only when it is dumped.

use super::{
    dump::{DUMPS_MAX, Dump},
    format::{FRAME_HEAD_BYTES, seal_frame, write_length},
    recorder::{Step, What},
};
use roadstead_spec::{GroupId, Incarnation, raft::Event, trace::Fact};
use serde::Serialize;
use std::mem;

/// Bytes of records that a node keeps: some eight thousand, which is a second or so under load and minutes of heartbeats. What decides is seldom longer ago
/// than an election. More would no longer stay in a core's cache beside what the node works with, and cost more than the encoding.
pub const RING_BYTES: usize = 256 << 10;

const HALF_BYTES: usize = RING_BYTES / 2;
/// Bytes of a half that are states at most.
const STATE_BYTES_MAX: usize = HALF_BYTES / 4;

/// Records in memory that never grows.
struct Half {
    bytes: Box<[u8]>,
    filled: usize,
}

/// Keeps the last records of a boot.
pub(crate) struct Ring {
    next: u64,
    older: Half,
    newer: Half,
    /// Counts the halves that were begun.
    half: u64,
    /// Bytes of states in the newer half.
    state_bytes: usize,
    dumps_left: usize,
}

impl Ring {
    /// Begins a boot.
    pub(crate) fn new() -> Self {
        Self { next: 0, older: Half::new(), newer: Half::new(), half: 1, state_bytes: 0, dumps_left: DUMPS_MAX }
    }

    /// Keeps what happened to a group.
    pub(crate) fn record(&mut self, group: GroupId, incarnation: Incarnation, fact: &Fact) {
        self.put(&What::Group { group, incarnation, fact });
    }

    /// Keeps the event of a step that is about to be taken.
    pub(crate) fn event(&mut self, group: GroupId, incarnation: Incarnation, event: &Event) {
        self.put(&What::Group { group, incarnation, fact: &Step::of(event) });
    }

    /// Keeps the state of a group that keeps its own for the last time in half `kept`, unless this half has it already, or enough of others.
    pub(crate) fn state(&mut self, group: GroupId, incarnation: Incarnation, kept: &mut u64, state: impl FnOnce() -> Fact) {
        if *kept == self.half || self.state_bytes > STATE_BYTES_MAX {
            return;
        }
        let before = self.newer.filled;
        self.record(group, incarnation, &state());
        self.state_bytes += self.newer.filled.saturating_sub(before);
        *kept = self.half;
    }

    fn put(&mut self, what: &impl Serialize) {
        let payload = (self.next, what);
        self.next += 1;
        if !self.newer.push(&payload) {
            mem::swap(&mut self.older, &mut self.newer);
            (self.newer.filled, self.state_bytes) = (0, 0);
            self.half += 1;
            self.newer.push(&payload);
        }
    }

    /// What is kept, for a file. `None` once a boot has had as many as a folder takes: a node whose groups fail one after the other does not fill memory with it.
    pub(crate) fn dump(&mut self, reason: String) -> Option<Dump> {
        self.dumps_left = self.dumps_left.checked_sub(1)?;
        let mut frames = Vec::with_capacity(self.older.filled + self.newer.filled);
        self.older.seal(&mut frames);
        self.newer.seal(&mut frames);
        Some(Dump { reason, frames })
    }
}

impl Half {
    fn new() -> Self {
        // Zeroed memory is taken from the system when it is written to, so a node that does little takes little.
        Self { bytes: vec![0; HALF_BYTES].into_boxed_slice(), filled: 0 }
    }

    /// Adds a frame whose checksums are not there yet; false if it does not fit. Whoever ends within it has added nothing.
    fn push(&mut self, payload: &impl Serialize) -> bool {
        let Some((head, room)) = self.bytes.get_mut(self.filled..).and_then(|rest| rest.split_at_mut_checked(FRAME_HEAD_BYTES)) else {
            return false;
        };
        let Ok(written) = postcard::to_slice(payload, room) else { return false };
        let length = written.len();
        write_length(length, head);
        self.filled += FRAME_HEAD_BYTES + length;
        true
    }

    /// Appends its frames, with checksums.
    fn seal(&self, out: &mut Vec<u8>) {
        let (mut at, end) = (out.len(), out.len() + self.filled);
        out.extend_from_slice(self.bytes.get(..self.filled).unwrap_or_default());
        while at < end {
            let Some(length) = out.get_mut(at..).and_then(seal_frame) else { return };
            at += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{parse_frame, parse_record};
    use roadstead_spec::{
        NodeId,
        outbox::Ticket,
        raft::{Behind, Event, Message, Round, Run},
        trace::What as Whole,
        *,
    };

    fn records(dump: &Dump) -> Vec<(u64, Whole)> {
        let (mut read, mut rest) = (Vec::new(), &dump.frames[..]);
        while !rest.is_empty() {
            let (payload, length) = parse_frame(rest).unwrap();
            read.push(parse_record(payload).unwrap());
            rest = &rest[length..];
        }
        read
    }

    fn durable(ticket: u64) -> Fact {
        Fact::Durable { through: Ticket(ticket) }
    }

    fn group(fact: Fact) -> Whole {
        Whole::Group { group: GroupId::DEFAULT, incarnation: Incarnation(9), fact }
    }

    /// Some hundred bytes.
    fn refusal() -> Fact {
        let run = Run { term: Term(u64::MAX / 2), first: Index(u64::MAX / 2) };
        let behind = Behind { last: Index(u64::MAX / 2), runs: [run; 32].into_iter().collect() };
        let message = Message::AppendEntriesResponse { term: Term(7), result: Err(Box::new(behind)), round: Round(9) };
        Fact::Dropped { to: NodeId(3), message, after: Ticket(4) }
    }

    /// Goal: the last records are there, whole and in order, and no more than the bound. Method: far more than fits, of two sizes.
    #[test]
    fn the_last_records_are_kept_within_the_bound() {
        let mut ring = Ring::new();
        let fact = |number: u64| if number.is_multiple_of(3) { refusal() } else { durable(number) };
        let count = 50_000;
        for number in 0..count {
            ring.record(GroupId::DEFAULT, Incarnation(9), &fact(number));
            if number % 10_000 == 9_999 {
                let dump = ring.dump(format!("{number}")).unwrap();
                assert!(dump.frames.len() <= RING_BYTES, "{} bytes", dump.frames.len());
                let read = records(&dump);
                let first = number + 1 - read.len() as u64;
                assert!(read.iter().map(|(sequence, _)| *sequence).eq(first..=number), "without a gap, and up to the last");
                assert!(read.iter().all(|(sequence, what)| *what == group(fact(*sequence))));
                assert!(dump.frames.len() > HALF_BYTES - 1_000, "at least a half is there: {} bytes", dump.frames.len());
            }
        }
    }

    #[test]
    fn a_boot_has_a_bounded_number_of_dumps() {
        let mut ring = Ring::new();
        ring.record(GroupId::DEFAULT, Incarnation(9), &durable(1));
        let dumps: Vec<_> = std::iter::from_fn(|| ring.dump("again".to_owned())).take(DUMPS_MAX + 1).collect();
        assert_eq!(dumps.len(), DUMPS_MAX);
        assert!(dumps.iter().all(|dump| records(dump) == [(0, group(durable(1)))]));
    }

    /// Goal: a step's event is read as a step without effects.
    #[test]
    fn an_event_is_a_step_of_which_the_rest_is_not_kept() {
        let mut ring = Ring::new();
        let event = Event::Applied { through: Index(7) };
        ring.event(GroupId::DEFAULT, Incarnation(9), &event);
        let step = Fact::Stepped { event, effects: Vec::new(), after: trace::Digest(0) };
        assert_eq!(records(&ring.dump("a step".to_owned()).unwrap()), [(0, group(step))]);
    }

    /// Goal: each half has the state of a group, and states never fill it. Method: one group, then so many that their states would.
    #[test]
    fn states_are_kept_once_in_a_half_and_never_fill_it() {
        for groups in [1, 10_000] {
            let (mut ring, mut kept) = (Ring::new(), vec![0; groups]);
            for number in 0..40_000 {
                ring.state(GroupId::DEFAULT, Incarnation(9), &mut kept[number % groups], refusal);
                ring.event(GroupId::DEFAULT, Incarnation(9), &Event::Propose { count: 1 });
            }
            let read = records(&ring.dump("states".to_owned()).unwrap());
            let states = read.iter().filter(|(_, what)| *what == group(refusal())).count();
            assert!(if groups == 1 { (1..=2).contains(&states) } else { states > 20 }, "{states} states of {groups} groups");
            assert!(read.len() > 5 * states, "{} records, {states} of them states", read.len());
        }
    }

    /// Goal: what is larger than a half costs that record and no other.
    #[test]
    fn a_record_that_fits_nowhere_is_left_out() {
        let mut ring = Ring::new();
        let run = |number| trace::Content::new(Index(number), vec![(Term(u64::MAX), trace::Digest(u64::MAX)); HALF_BYTES / 20]);
        let huge = Fact::Applied { content: run(1) };
        ring.record(GroupId::DEFAULT, Incarnation(9), &durable(1));
        ring.record(GroupId::DEFAULT, Incarnation(9), &huge);
        ring.record(GroupId::DEFAULT, Incarnation(9), &durable(2));
        let dump = ring.dump("a gap".to_owned()).unwrap();
        assert_eq!(records(&dump), [(0, group(durable(1))), (2, group(durable(2)))]);
    }
}
