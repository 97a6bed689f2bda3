//! The records of a run: what a node did, precisely enough to judge it afterwards.
//!
//! A node writes one stream of [`Record`]s, its boots one after the other. Nothing in it depends on a clock. A replay
//! tool takes the streams of all nodes and, for each (node, boot, group, incarnation):
//!
//! 1. starts from [`Fact::Recovered`], with `Outbox::new(state.applied)`;
//! 2. executes every [`Fact::Stepped`] again: `step(params, state, event)` must give *exactly* `effects` and a state with the digest `after`, and feeds
//!    the effects to the outbox;
//! 3. feeds every [`Fact::Durable`] to the outbox; together these two give the actions that the node was allowed to carry out then;
//! 4. compares what the node says that it did with those actions.
//!
//! and for each (node, boot) executes every [`Dispatched`] again, on a registry that is empty when the boot begins: each gives the same, and a group that hears
//! something is registered. Of two boots, all [`Linked`] at both ends tell one version, for a negotiation is a function of both; and what is received comes
//! from who is linked, in the bodies of its version.
//!
//! The duties of the runtime are judged from these records:
//!
//! | duty | judged by |
//! |---|---|
//! | DUTY-1: a gated send leaves only when its ticket is durable | each [`Fact::Sent`] is a released send of 3, or a part of one whose slice was split, in order; `after` is durable |
//! | DUTY-2: writes become durable in order, a crash loses a suffix only | [`Fact::Issued`] are the released writes, each in full and in order; `through` of `Durable` never falls; the next boot's `Recovered` is what the writes through some ticket, not below the last `Durable`, make of the previous `Recovered`, less what [`Fact::Compacted`] may have deleted |
//! | DUTY-3: `Persisted` reports a mark that was emitted and synced in this incarnation and boot | each `Stepped` with `Event::Persisted` follows a `Durable` whose actions hold that mark, once |
//! | DUTY-4: bytes and ids belong together | [`Content`] of `Sent`, `Issued` and `Applied`: an entry id has one digest in all streams, and terms agree with the message's slice |
//! | DUTY-5: each effect once; commands in index order; applied index durable with the data | `Applied` contents follow each other without a gap, from `Recovered`'s `applied` (or [`Fact::Installed`]) on, and never beyond the released `Apply`; each released send is `Sent` or [`Fact::Dropped`] once |
//! | DUTY-6: a received message was sent to this group and incarnation by its claimed sender | each [`Fact::Received`] equals a `Sent` of node `from`, for this node, group and incarnation, content included, and uses it up; each `Stepped` with `Event::Receive` follows the `Received` of that message |
//!
//! Across nodes only `Sent` before `Received` is ordered; that is enough to merge the streams into one history. A node makes a record outlive its process
//! before it does what the record says, so that a stream that a kill ends has nothing missing before its end.

mod digest;

pub use digest::Digest;

use crate::dispatch::{NotRegistered, Unroutable};
use crate::outbox::{Ticket, Write};
use crate::raft::{Effect, Event, HardState, Message, Params, State};
use crate::wire::Version;
use crate::{EntryId, GroupId, Incarnation, Index, NodeId, Term};
use alloc::{boxed::Box, vec::Vec};
use serde::{Deserialize, Serialize};

/// Version of the records; it changes with the meaning or the shape of any of them (or of the core's types within).
pub const FORMAT: u32 = 3;

/// One record of a node's stream; as JSON, one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose stream this is.
    pub node: NodeId,
    /// Nonce of the life of the process: another one after each restart, never reused by the node.
    pub boot: u64,
    /// Counts up from 0 within the boot, over all groups, without a gap: a lost record is seen.
    pub sequence: u64,
    /// What happened.
    pub what: What,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The process began. The first record of each boot.
    Booted {
        /// [`FORMAT`] of the records of this boot.
        format: u32,
    },
    /// Something of one group.
    Group {
        /// The group.
        group: GroupId,
        /// Which life of it.
        incarnation: Incarnation,
        /// What happened.
        fact: Fact,
    },
    /// The process ended in order. The last record of its boot; a boot without it was killed, or has not ended.
    Ended,
    /// The dispatcher did something.
    Dispatched(Dispatched),
    /// A connection with a peer was negotiated.
    Linked(Linked),
}

/// What a negotiation came to at this end, before anything that the connection carries is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// Who is at the other end.
    pub peer: NodeId,
    /// The boot of its process, as it says itself; the legacy header says none.
    pub boot: Option<u64>,
    /// Whether this node dialled.
    pub dialled: bool,
    /// What the connection speaks.
    pub version: Version,
}

/// A step of the dispatcher ([`crate::dispatch::Registry`]), in the order in which it was taken on the node. A frame that found its mailbox is a
/// [`Fact::Received`] of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dispatched {
    /// A group was to be registered.
    Register {
        /// The group.
        group: GroupId,
        /// Which life of it.
        incarnation: Incarnation,
        /// Why it was not.
        refused: Option<NotRegistered>,
    },
    /// A group was taken out and buried: no frame reaches this life of it any more.
    Remove {
        /// The group.
        group: GroupId,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A peer's frame had no mailbox.
    Refuse {
        /// The peer.
        from: NodeId,
        /// The group that the frame named.
        group: GroupId,
        /// And the life of it.
        incarnation: Incarnation,
        /// What the peer was told.
        why: Unroutable,
    },
}

/// What happened to a group, in the order in which it happened on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The group came up from what the disk held. The first fact of a group in a boot; everything before it is gone from memory.
    Recovered {
        /// What `step` is told in this boot.
        params: Box<Params>,
        /// Where `step` starts from.
        state: Box<State>,
    },
    /// `step` was called.
    Stepped {
        /// With this event.
        event: Event,
        /// These effects came out, in order, and went into the outbox at once.
        effects: Vec<Effect>,
        /// [`Digest::of_state`] of the state that it left behind.
        after: Digest,
    },
    /// A write went to the disk.
    Issued {
        /// Its number within the boot.
        ticket: Ticket,
        /// What it changes besides appending.
        write: Written,
        /// The entries that it appends.
        content: Content,
    },
    /// Entries through this index were given up: the disk may delete them at any time from now on.
    Compacted {
        /// Last index that may go.
        through: Index,
    },
    /// The disk said that every write through this one is durable; the outbox was told at once.
    Durable {
        /// The newest durable write.
        through: Ticket,
    },
    /// A message was handed to the connection, which may lose it yet.
    Sent {
        /// The receiver.
        to: NodeId,
        /// The message as it is on the wire: the driver may have split its slice.
        message: Message,
        /// The write that it had to wait for ([`crate::outbox::Released::after`]).
        after: Ticket,
        /// The entries that travel with it.
        content: Content,
        /// It left in NuRaft's bodies, which do not carry all of it: what is received need not be equal.
        translated: bool,
    },
    /// A released message, or the rest of one whose slice was split, was dropped instead, as a network may.
    Dropped {
        /// The receiver.
        to: NodeId,
        /// The message.
        message: Message,
        /// As in [`Fact::Sent`].
        after: Ticket,
    },
    /// A message was taken from a connection, for this group and incarnation; it is recorded even if it is dropped before `step`.
    Received {
        /// The sender, as the connection says.
        from: NodeId,
        /// The message.
        message: Message,
        /// The entries that came with it.
        content: Content,
        /// It came in NuRaft's bodies.
        translated: bool,
    },
    /// The state machine applied these entries; data and applied index went into one transaction.
    Applied {
        /// No-ops, which the state machine does not see, included.
        content: Content,
    },
    /// The state machine goes on from a snapshot: its data and the applied index were switched in one commit.
    Installed {
        /// Last entry that the snapshot covers.
        at: EntryId,
    },
}

/// What a write changes besides appending: as it was handed to the disk, not as it was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Written {
    /// See [`crate::outbox::Write::Persist`].
    Persist {
        /// New term and vote, if they changed.
        hard: Option<HardState>,
        /// Delete entries from this index on, before anything is appended.
        truncate_from: Option<Index>,
    },
    /// See [`crate::outbox::Write::InstallSnapshot`].
    Install {
        /// Term and vote.
        hard: HardState,
        /// Last entry that the snapshot covers.
        at: EntryId,
        /// Whether the log keeps its entries behind `at`.
        keep_suffix: bool,
    },
}

impl From<&Write> for Written {
    fn from(write: &Write) -> Self {
        match write {
            Write::Persist { hard, truncate_from, .. } => Self::Persist { hard: *hard, truncate_from: *truncate_from },
            Write::InstallSnapshot { hard, at, keep_suffix } => Self::Install { hard: *hard, at: *at, keep_suffix: *keep_suffix },
        }
    }
}

/// Consecutive entries as their bytes were, not as a header claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Index of the first entry; meaningless if there is none.
    pub first: Index,
    /// Term stored with each entry's bytes, and the bytes' digest.
    pub entries: Vec<(Term, Digest)>,
}

impl Content {
    /// Consecutive entries from `first` on.
    pub fn new(first: Index, entries: impl IntoIterator<Item = (Term, Digest)>) -> Self {
        Self { first, entries: entries.into_iter().collect() }
    }

    /// No entries.
    pub fn none() -> Self {
        Self::default()
    }
}

/// Numbers the records of one boot.
#[derive(Debug)]
pub struct Numbering {
    node: NodeId,
    boot: u64,
    next: u64,
}

impl Numbering {
    /// Begins a boot's stream: the numbering, and the record to write first.
    pub const fn begin(node: NodeId, boot: u64) -> (Self, Record) {
        let first = Record { node, boot, sequence: 0, what: What::Booted { format: FORMAT } };
        (Self { node, boot, next: 1 }, first)
    }

    /// The next record.
    pub const fn record(&mut self, group: GroupId, incarnation: Incarnation, fact: Fact) -> Record {
        self.next(What::Group { group, incarnation, fact })
    }

    /// The last record.
    pub const fn end(mut self) -> Record {
        self.next(What::Ended)
    }

    const fn next(&mut self, what: What) -> Record {
        let sequence = self.next;
        self.next += 1;
        Record { node: self.node, boot: self.boot, sequence, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Append, Gate, Limits, LogShape, Mark, Origin, Refused, Round, Run, Slice, recover};
    use alloc::{boxed::Box, string::String, vec};

    fn append_entries() -> Message {
        let prev = EntryId { term: Term(1), index: Index(4) };
        let runs = [Run { term: Term(2), first: Index(5) }].into_iter().collect();
        Message::AppendEntries { term: Term(2), slice: Slice { prev, runs, last: Index(6) }, commit: Index(4), round: Round(9) }
    }

    fn facts() -> Vec<Fact> {
        let content = || Content::new(Index(5), [(Term(2), Digest::of(0, b"")), (Term(2), Digest::of(1, b"put"))]);
        let params = Params::new(&[NodeId(1), NodeId(2), NodeId(3)], Limits::default()).unwrap();
        let log = LogShape::from_runs(EntryId::default(), vec![Run { term: Term(1), first: Index(1) }], Index(4)).unwrap();
        let state = recover(NodeId(1), HardState { term: Term(1), vote: Some(NodeId(2)) }, log, Index(3)).unwrap();
        let mark = Mark { term: Term(2), index: Index(6) };
        let append =
            Append { runs: [Run { term: Term(2), first: Index(5) }].into_iter().collect(), last: Index(6), origin: Origin::Received };
        let answer = Message::AppendEntriesResponse { term: Term(2), result: Ok(Index(6)), round: Round(9) };
        let hard = Some(HardState { term: Term(2), vote: None });
        let effects = vec![
            Effect::Persist { hard, truncate_from: Some(Index(5)), append: Some(append), mark },
            Effect::Send { to: NodeId(2), message: answer.clone(), gate: Gate::AfterPersist },
            Effect::Refuse { what: Refused::Propose, leader: Some(NodeId(2)) },
        ];
        vec![
            Fact::Recovered { params: Box::new(params), state: Box::new(state.clone()) },
            Fact::Received { from: NodeId(2), message: append_entries(), content: content(), translated: false },
            Fact::Stepped {
                event: Event::Receive { from: NodeId(2), message: append_entries() },
                effects,
                after: Digest::of_state(&state),
            },
            Fact::Issued { ticket: Ticket(1), write: Written::Persist { hard, truncate_from: Some(Index(5)) }, content: content() },
            Fact::Durable { through: Ticket(1) },
            Fact::Sent { to: NodeId(2), message: answer.clone(), after: Ticket(1), content: Content::none(), translated: false },
            Fact::Dropped { to: NodeId(2), message: answer, after: Ticket(1) },
            Fact::Stepped { event: Event::Persisted { mark }, effects: vec![], after: Digest(7) },
            Fact::Applied { content: content() },
            Fact::Compacted { through: Index(4) },
            Fact::Installed { at: EntryId { term: Term(2), index: Index(6) } },
        ]
    }

    fn records() -> Vec<Record> {
        let (mut numbering, first) = Numbering::begin(NodeId(1), 77);
        let mut records = vec![first];
        records.extend(facts().into_iter().map(|fact| numbering.record(GroupId::DEFAULT, Incarnation(u64::MAX), fact)));
        records.push(numbering.end());
        records
    }

    #[test]
    fn a_stream_survives_json_lines() {
        let lines: Vec<String> = records().iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let read: Vec<Record> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, records());
    }

    /// What a change of this line breaks is every recorded run: raise [`FORMAT`] with it.
    #[test]
    fn the_form_of_a_line_is_fixed() {
        let line = serde_json::to_string(&records()[6]).unwrap();
        let golden = concat!(
            r#"{"node":1,"boot":77,"sequence":6,"what":{"Group":{"group":0,"incarnation":18446744073709551615,"fact":{"Sent":{"to":2,"#,
            r#""message":{"AppendEntriesResponse":{"term":2,"result":{"Ok":6},"round":9}},"after":1,"content":{"first":0,"entries":[]},"translated":false}}}}}"#
        );
        assert_eq!(line, golden);
    }

    #[test]
    fn sequence_numbers_have_no_gap() {
        assert!(records().iter().enumerate().all(|(number, record)| record.sequence == number as u64));
        assert_eq!(records()[0].what, What::Booted { format: FORMAT });
    }
}
