//! The messages of the Raft core.
//!
//! ```text
//! incarnation u64 | postcard of raft::Message | per entry of an AppendEntries: kind u8, length u32, bytes
//! ```
//!
//! The header repeats what routing, counting and a look at a capture need, and must agree with the message:
//!
//! | message | header's term | index | accepted |
//! |---|---|---|---|
//! | PreVote, RequestVote | its term | the asker's last index | 0 |
//! | their answers | its term | 0 | granted |
//! | AppendEntries | its term | previous log index | 0 |
//! | its answer | its term | next index: matched + 1, or the follower's last + 1 | matched |
//! | ReadIndex | its term | 0 | 0 |
//! | its answer | its term | the read index, 0 if none | whether there is one |

use super::{INCARNATION_BYTES, Route, agree, in_frame, put};
use crate::raft::{Message, Run, Slice};
use crate::wire::bytes::{Reader, Short};
use crate::wire::error::{BodyError, WireError};
use crate::wire::header::{BODY_OVERHEAD_BYTES_MAX, ExtendedHeader, Limits};
use crate::wire::message_type::MessageType;
use crate::{Incarnation, Index, Term};
use alloc::vec::Vec;
use core::ops::Range;

/// What an entry's payload means. The number is stored and sent: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// The empty entry at the start of a leader's term; never given to a state machine.
    Noop = 0,
    /// A command of the group's state machine.
    Command = 1,
}

impl EntryKind {
    /// The kind of this number, or `None` for one that this version does not know.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Noop),
            1 => Some(Self::Command),
            _ => None,
        }
    }
}

/// Bytes before each payload: kind and length.
pub const PAYLOAD_HEADER_BYTES: usize = 5;

/// Highest term or index of a message: a million a second reach it after a hundred thousand years.
pub const NUMBER_MAX: u64 = 1 << 62;

/// The header of a message's frame.
pub fn header_of(route: &Route, message: &Message) -> ExtendedHeader {
    let (message_type, term, index, accepted) = match message {
        Message::PreVote { term, last } => (MessageType::PreVote, term, last.index.0, false),
        Message::PreVoteResponse { term, granted } => (MessageType::PreVoteResponse, term, 0, *granted),
        Message::RequestVote { term, last } => (MessageType::RequestVote, term, last.index.0, false),
        Message::RequestVoteResponse { term, granted } => (MessageType::RequestVoteResponse, term, 0, *granted),
        Message::AppendEntries { term, slice, .. } => (MessageType::AppendEntries, term, slice.prev.index.0, false),
        Message::AppendEntriesResponse { term, result, .. } => {
            let last = result.as_ref().map_or_else(|behind| behind.last, |matched| *matched);
            (MessageType::AppendEntriesResponse, term, last.0.saturating_add(1), result.is_ok())
        }
        Message::ReadIndex { term, .. } => (MessageType::ReadIndex, term, 0, false),
        Message::ReadIndexResponse { term, index, .. } => {
            (MessageType::ReadIndexResponse, term, index.map_or(0, |index| index.0), index.is_some())
        }
    };
    route.header(message_type, term.0, index, accepted)
}

/// Appends a whole frame. `payloads` are the slice's entries in order (none for other messages); their bytes are copied once, into `out`.
/// A wrong number of them, a slice that breaks its law or a frame above the limits is refused, and `out` is as it was.
pub fn encode_raft<'a>(
    route: &Route,
    message: &Message,
    payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let header = header_of(route, message);
    header.encode(out, |body| {
        let start = body.len();
        let write = |body: &mut Vec<u8>| {
            body.extend_from_slice(&route.incarnation.0.to_le_bytes());
            put(message, body)?;
            let count = put_payloads(payloads, limits, body)?;
            check_slice(message, count)?;
            check_size(body.len() - start, count, limits)
        };
        write(body).map_err(|why| WireError::Body { of: header.message_type, why })
    })
}

fn put_payloads<'a>(
    payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>,
    limits: &Limits,
    body: &mut Vec<u8>,
) -> Result<u64, BodyError> {
    let mut count = 0;
    for (kind, payload) in payloads {
        let size = entry_size(payload.len() as u64, limits)?;
        body.push(kind as u8);
        body.extend_from_slice(&size.to_le_bytes());
        body.extend_from_slice(payload);
        count += 1;
    }
    Ok(count)
}

/// A decoded body: the message, and where its payloads lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftBody {
    /// The life of the group that the message belongs to.
    pub incarnation: Incarnation,
    /// The message.
    pub message: Message,
    /// Where the payloads begin in the body.
    payloads_at: usize,
}

/// One entry's payload, as a place in the body: slice the frame's buffer there, nothing is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadSpan {
    /// The entry's index.
    pub index: Index,
    /// The entry's term, by the slice's runs.
    pub term: Term,
    /// What the payload means.
    pub kind: EntryKind,
    /// Where the bytes lie, counted from the body's start.
    pub range: Range<usize>,
}

impl RaftBody {
    /// Reads a body and checks all of it: the message against the header, the slice against its law, every payload against the limits.
    pub fn decode(header: &ExtendedHeader, body: &[u8], limits: &Limits) -> Result<Self, WireError> {
        in_frame(header, || {
            let incarnation = Incarnation(Reader::new(body).u64()?);
            let message = body.get(INCARNATION_BYTES..).unwrap_or_default();
            let (message, payloads) = postcard::take_from_bytes::<Message>(message)?;
            check_range(&message)?;
            check_header(header, &message)?;
            let count = count_payloads(payloads, limits)?;
            check_slice(&message, count)?;
            check_size(body.len(), count, limits)?;
            Ok(Self { incarnation, message, payloads_at: body.len() - payloads.len() })
        })
    }

    /// The payloads of an AppendEntries, in order. `body` is the one that was decoded.
    pub fn payloads<'a>(&'a self, body: &'a [u8]) -> Payloads<'a> {
        let slice = match &self.message {
            Message::AppendEntries { slice, .. } => Some(slice),
            _ => None,
        };
        let index = slice.map_or(Index(0), |slice| slice.prev.index);
        Payloads { slice, index, at: self.payloads_at, reader: Reader::new(body.get(self.payloads_at..).unwrap_or_default()) }
    }
}

/// Walks over the payloads of a decoded body.
#[derive(Clone, Debug)]
pub struct Payloads<'a> {
    slice: Option<&'a Slice>,
    /// Index of the entry before the next one.
    index: Index,
    /// Place of the next payload's header in the body.
    at: usize,
    reader: Reader<'a>,
}

impl Iterator for Payloads<'_> {
    type Item = PayloadSpan;

    fn next(&mut self) -> Option<PayloadSpan> {
        let slice = self.slice.filter(|slice| self.index < slice.last)?;
        let index = self.index.next();
        let term = slice.term_of(index)?;
        let (kind, payload) = take_payload(&mut self.reader).ok()?;
        let start = self.at + PAYLOAD_HEADER_BYTES;
        let range = start..start + payload.len();
        self.index = index;
        self.at = range.end;
        Some(PayloadSpan { index, term, kind: EntryKind::from_u8(kind)?, range })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.slice.map_or(0, |slice| slice.last.0.saturating_sub(self.index.0));
        (0, usize::try_from(left).ok())
    }
}

fn take_payload<'a>(reader: &mut Reader<'a>) -> Result<(u8, &'a [u8]), Short> {
    let kind = reader.u8()?;
    let size = reader.u32()?;
    Ok((kind, reader.take(size as usize)?))
}

fn count_payloads(payloads: &[u8], limits: &Limits) -> Result<u64, BodyError> {
    let mut reader = Reader::new(payloads);
    let mut count = 0;
    while reader.left() > 0 {
        let (kind, payload) = take_payload(&mut reader)?;
        EntryKind::from_u8(kind).ok_or(BodyError::Kind(kind))?;
        entry_size(payload.len() as u64, limits)?;
        count += 1;
    }
    Ok(count)
}

fn entry_size(size: u64, limits: &Limits) -> Result<u32, BodyError> {
    let limit = limits.entry_bytes_max;
    u32::try_from(size).ok().filter(|&size| size <= limit).ok_or(BodyError::EntryTooLarge { size, limit: limit.into() })
}

/// The core counts on from terms and indices: none that comes from outside may be so high that it could run over.
fn check_range(message: &Message) -> Result<(), BodyError> {
    let (term, index) = match message {
        Message::PreVote { term, last } | Message::RequestVote { term, last } => ((*term).max(last.term), last.index),
        Message::PreVoteResponse { term, .. } | Message::RequestVoteResponse { term, .. } | Message::ReadIndex { term, .. } => {
            (*term, Index(0))
        }
        Message::AppendEntries { term, slice, commit, .. } => {
            let (run_term, run_first) = highest_of(&slice.runs);
            ((*term).max(slice.prev.term).max(run_term), slice.last.max(slice.prev.index).max(*commit).max(run_first))
        }
        Message::AppendEntriesResponse { term, result: Ok(matched), .. } => (*term, *matched),
        Message::AppendEntriesResponse { term, result: Err(behind), .. } => {
            let (run_term, run_first) = highest_of(&behind.runs);
            ((*term).max(run_term), behind.last.max(run_first))
        }
        Message::ReadIndexResponse { term, index, .. } => (*term, index.unwrap_or_default()),
    };
    let highest = term.0.max(index.0);
    if highest <= NUMBER_MAX { Ok(()) } else { Err(BodyError::OutOfRange(highest)) }
}

fn highest_of(runs: &[Run]) -> (Term, Index) {
    runs.iter().fold((Term(0), Index(0)), |(term, first), run| (term.max(run.term), first.max(run.first)))
}

/// Term, index, accepted and type of the header repeat the message.
fn check_header(header: &ExtendedHeader, message: &Message) -> Result<(), BodyError> {
    let nobody = crate::NodeId(0);
    let route = Route { from: nobody, to: nobody, group: header.group, incarnation: Incarnation(0) };
    let expected = header_of(&route, message);
    agree("type", header.message_type.number().into(), expected.message_type.number().into())?;
    agree("term", header.term, expected.term)?;
    agree("index", header.index, expected.index)?;
    agree("accepted byte", header.accepted.into(), expected.accepted.into())
}

fn check_slice(message: &Message, payloads: u64) -> Result<(), BodyError> {
    let entries = match message {
        Message::AppendEntries { slice, .. } if !slice.is_valid() => return Err(BodyError::Slice),
        Message::AppendEntries { slice, .. } => slice.entries(),
        _ => 0,
    };
    if entries == payloads { Ok(()) } else { Err(BodyError::PayloadCount { slice: entries, payloads }) }
}

/// A frame above the ordinary limit carries one entry: the one that does not fit otherwise.
fn check_size(size: usize, entries: u64, limits: &Limits) -> Result<(), BodyError> {
    let limit = u64::from(limits.frame_bytes_max);
    let size = size as u64;
    let largest = limit.max(u64::from(limits.entry_bytes_max) + u64::from(BODY_OVERHEAD_BYTES_MAX));
    let fits = size <= limit || (entries == 1 && size <= largest);
    if fits { Ok(()) } else { Err(BodyError::FrameTooLarge { size, entries, limit }) }
}
