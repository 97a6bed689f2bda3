//! The asking end: requests out, answers read against them.

use super::{Ends, READ_INDEX_CONTEXT, READ_INDEX_KIND, Untranslatable, check_range};
use crate::raft::{Behind, Message, ReadId, Round, Slice};
use crate::wire::body::{EntryKind, SnapshotAnswer, SnapshotChunk, SnapshotResult};
use crate::wire::bytes::Reader;
use crate::wire::header::{LegacyRequest, LegacyResponse};
use crate::wire::legacy::{
    Appendix, ClusterConfig, Context, Entry, Notification, ResponseBody, ResultCode, Server, Snapshot, SnapshotSync, Value, ValueType,
};
use crate::wire::message_type::MessageType;
use crate::{EntryId, Index, NodeId, Term};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A request that was sent: what its answer is read against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Nothing but an answer: it says who asks.
    Ping,
    /// A pre-vote.
    PreVote {
        /// The term that it asks for.
        term: Term,
    },
    /// A vote.
    RequestVote,
    /// Entries, or none.
    Append {
        /// The leader's term.
        term: Term,
        /// The confirmation round that the answer belongs to.
        round: Round,
        /// Index of the entry before.
        prev: Index,
        /// Index of the last entry.
        last: Index,
    },
    /// A read that waits for the leader's confirmation.
    ReadIndex {
        /// Which.
        id: ReadId,
    },
    /// A piece of a snapshot.
    Chunk {
        /// Whose.
        transfer: u64,
    },
    /// A client's write.
    Write {
        /// The asker's number for it.
        request: u64,
    },
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The peer is there.
    Pong,
    /// A message for the core.
    Message(Message),
    /// A message of the snapshot's transfer.
    Chunk(SnapshotAnswer),
    /// How a write ended.
    Write {
        /// The asker's number for it.
        request: u64,
        /// How it ended.
        outcome: WriteOutcome<'a>,
    },
    /// The follower took nothing just now and says nothing about its log: as if the request were lost.
    Postponed,
}

/// How a write ended, as far as version 0 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome<'a> {
    /// Committed and applied.
    Committed {
        /// Its entry's index.
        index: Index,
        /// Its entry's term.
        term: Term,
        /// The state machine's answer.
        bytes: &'a [u8],
    },
    /// Nothing was appended: ask this server.
    NotLeader(Option<NodeId>),
    /// Nothing was appended, for another reason.
    Refused(ResultCode),
    /// Appended, and the outcome is open. `None`: of an old release, which gives no code.
    Unknown(Option<ResultCode>),
}

impl Asked {
    /// Appends the request that says `message`, which is of a kind that asks. `commit` is the asker's commit index; `payloads` are the slice's
    /// entries in order, copied once. Whatever fails, `out` is as it was.
    pub fn encode<'a>(
        ends: Ends,
        message: &Message,
        commit: Index,
        payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>,
        out: &mut Vec<u8>,
    ) -> Result<Self, Untranslatable> {
        match message {
            Message::PreVote { term, last } => {
                let current = Term(term.0.saturating_sub(1));
                head(ends, MessageType::PreVote, current, *last, commit).encode(out, |_| Ok::<_, Untranslatable>(()))?;
                Ok(Self::PreVote { term: *term })
            }
            Message::RequestVote { term, last } => {
                head(ends, MessageType::RequestVote, *term, *last, commit).encode(out, |_| Ok::<_, Untranslatable>(()))?;
                Ok(Self::RequestVote)
            }
            Message::AppendEntries { term, slice, commit, round } => {
                head(ends, MessageType::AppendEntries, *term, slice.prev, *commit)
                    .encode(out, |body| put_entries(slice, payloads, body))?;
                Ok(Self::Append { term: *term, round: *round, prev: slice.prev.index, last: slice.last })
            }
            Message::ReadIndex { term, id } => {
                let mut context = Vec::with_capacity(20);
                context.extend_from_slice(&id.node.0.to_le_bytes());
                context.extend_from_slice(&id.boot.to_le_bytes());
                context.extend_from_slice(&id.number.to_le_bytes());
                let value = Value::Notification(Notification::Unknown { kind: READ_INDEX_KIND, context: &context });
                let header = head(ends, MessageType::CustomNotification, *term, EntryId::default(), commit);
                put_value(&header, Term(0), &value, out)?;
                Ok(Self::ReadIndex { id: *id })
            }
            Message::PreVoteResponse { .. } => Err(Untranslatable::NotSayable(MessageType::PreVoteResponse)),
            Message::RequestVoteResponse { .. } => Err(Untranslatable::NotSayable(MessageType::RequestVoteResponse)),
            Message::AppendEntriesResponse { .. } => Err(Untranslatable::NotSayable(MessageType::AppendEntriesResponse)),
            Message::ReadIndexResponse { .. } => Err(Untranslatable::NotSayable(MessageType::ReadIndexResponse)),
        }
    }

    /// Appends a ping.
    pub fn encode_ping(ends: Ends, out: &mut Vec<u8>) -> Result<Self, Untranslatable> {
        let header = head(ends, MessageType::Ping, Term(0), EntryId::default(), Index(0));
        header.encode(out, |_| Ok::<_, Untranslatable>(()))?;
        Ok(Self::Ping)
    }

    /// Appends a request with one piece of a snapshot: one object of a logical snapshot, whose configuration is `members`.
    pub fn encode_chunk(
        ends: Ends,
        chunk: &SnapshotChunk<'_>,
        commit: Index,
        members: Vec<Server<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<Self, Untranslatable> {
        let mut data = Vec::with_capacity(12 + chunk.items.len());
        data.extend_from_slice(&chunk.transfer.to_le_bytes());
        data.extend_from_slice(&chunk.crc.to_le_bytes());
        data.extend_from_slice(chunk.items);
        let config = ClusterConfig { servers: members, ..ClusterConfig::default() };
        let (last_log_index, last_log_term) = (chunk.at.index.0, chunk.at.term.0);
        let snapshot = Snapshot { snapshot_type: SNAPSHOT_OF_OBJECTS, last_log_index, last_log_term, size: 0, config };
        let value = Value::SnapshotSync(SnapshotSync { snapshot, object_id: chunk.sequence, done: chunk.done.into(), data: &data });
        put_value(&head(ends, MessageType::InstallSnapshot, chunk.term, chunk.at, commit), chunk.term, &value, out)?;
        Ok(Self::Chunk { transfer: chunk.transfer })
    }

    /// Appends a request with one command.
    pub fn encode_write(ends: Ends, request: u64, command: &[u8], out: &mut Vec<u8>) -> Result<Self, Untranslatable> {
        let header = head(ends, MessageType::ClientRequest, Term(0), EntryId::default(), Index(0));
        put_value(&header, Term(0), &Value::App(command), out)?;
        Ok(Self::Write { request })
    }

    /// The request's type.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::Ping => MessageType::Ping,
            Self::PreVote { .. } => MessageType::PreVote,
            Self::RequestVote => MessageType::RequestVote,
            Self::Append { .. } => MessageType::AppendEntries,
            Self::ReadIndex { .. } => MessageType::CustomNotification,
            Self::Chunk { .. } => MessageType::InstallSnapshot,
            Self::Write { .. } => MessageType::ClientRequest,
        }
    }

    /// What the answer in this request's place says; its type is the right one.
    pub fn read<'a>(&self, header: &LegacyResponse, body: &'a [u8]) -> Result<Heard<'a>, Untranslatable> {
        let body = ResponseBody::decode(header.flags, body)?;
        check_range(&[header.term])?;
        let term = Term(header.term);
        let message = match *self {
            Self::Ping => return Ok(Heard::Pong),
            Self::PreVote { term: asked } if header.accepted => {
                if term.next() != asked {
                    return Err(Untranslatable::Contradiction("a pre-vote is granted in a term that was not asked for"));
                }
                Message::PreVoteResponse { term: asked, granted: true }
            }
            Self::PreVote { .. } => Message::PreVoteResponse { term, granted: false },
            Self::RequestVote => Message::RequestVoteResponse { term, granted: header.accepted },
            Self::Append { term: asked, round, prev, last } => {
                let postpones = || matches!(Context::decode(header.message_type, &body), Ok(Context::Appendix(Appendix::DoNotRewind)));
                if !header.accepted && term == asked && postpones() {
                    return Ok(Heard::Postponed);
                }
                Message::AppendEntriesResponse { term, result: appended(header, prev, last)?, round }
            }
            Self::ReadIndex { id } => Message::ReadIndexResponse { term, id, index: read_index(header, &body)? },
            Self::Chunk { transfer } => return Ok(Heard::Chunk(chunk_answer(header, transfer, &body)?)),
            Self::Write { request } => return Ok(Heard::Write { request, outcome: write_outcome(header, &body)? }),
        };
        Ok(Heard::Message(message))
    }
}

/// Type of a snapshot that consists of objects.
pub(super) const SNAPSHOT_OF_OBJECTS: u8 = 2;

fn head(ends: Ends, message_type: MessageType, term: Term, last: EntryId, commit: Index) -> LegacyRequest {
    LegacyRequest {
        message_type,
        src: ends.src(),
        dst: ends.dst(),
        term: term.0,
        last_log_term: last.term.0,
        last_log_index: last.index.0,
        commit_index: commit.0,
        flags: 0,
    }
}

fn put_value(header: &LegacyRequest, term: Term, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), Untranslatable> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    let entry = Entry { term: term.0, value_type: value.value_type(), timestamp: None, crc: None, value: &bytes };
    header.encode(out, |body| entry.encode(0, body).map_err(Untranslatable::from))
}

fn put_entries<'a>(
    slice: &Slice,
    payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>,
    body: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let mut index = slice.prev.index;
    for (kind, payload) in payloads {
        index = index.next();
        let term = slice.term_of(index).ok_or(Untranslatable::Contradiction("there are more payloads than entries"))?;
        let value_type = match kind {
            EntryKind::Command => ValueType::App,
            // NuRaft stores and replicates it, and gives it to no state machine.
            EntryKind::Noop => ValueType::Custom,
        };
        Entry::plain(term.0, value_type, payload).encode(0, body)?;
    }
    if index == slice.last { Ok(()) } else { Err(Untranslatable::Contradiction("there are fewer payloads than entries")) }
}

/// Accepted: the next index follows what matches. Refused: it follows the follower's end, which may lie behind the entry that does not match.
fn appended(header: &LegacyResponse, prev: Index, last: Index) -> Result<Result<Index, Box<Behind>>, Untranslatable> {
    let end = Index(header.next_index.saturating_sub(1));
    if !header.accepted {
        check_range(&[header.next_index])?;
        let last = end.min(Index(prev.0.saturating_sub(1)));
        return Ok(Err(Box::new(Behind { last, ..Behind::default() })));
    }
    if header.next_index > 0 && (prev..=last).contains(&end) {
        Ok(Ok(end))
    } else {
        Err(Untranslatable::Contradiction("an append is answered with entries that it did not carry"))
    }
}

fn read_index(header: &LegacyResponse, body: &ResponseBody<'_>) -> Result<Option<Index>, Untranslatable> {
    if !header.accepted || body.context.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(body.context);
    let (first, index) = (reader.u8(), reader.u64());
    match (first, index, reader.left()) {
        (Ok(READ_INDEX_CONTEXT), Ok(index), 0) => check_range(&[index]).map(|()| Some(Index(index))),
        _ => Err(Untranslatable::Contradiction("a notification is answered with a context that has no meaning")),
    }
}

fn chunk_answer(header: &LegacyResponse, transfer: u64, body: &ResponseBody<'_>) -> Result<SnapshotAnswer, Untranslatable> {
    let is_finished = Context::decode(header.message_type, body)? == Context::SnapshotFinished;
    let result = match (header.accepted, is_finished) {
        (true, false) => SnapshotResult::Continue,
        (true, true) => SnapshotResult::Complete,
        (false, true) => SnapshotResult::NotNeeded,
        (false, false) => SnapshotResult::Failed,
    };
    Ok(SnapshotAnswer { term: Term(header.term), transfer, next: header.next_index, result })
}

/// NuRaft says "accepted" once the entry is in its log (`handle_cli_req`): before that nothing has happened, from there on anything may.
fn write_outcome<'a>(header: &LegacyResponse, body: &ResponseBody<'a>) -> Result<WriteOutcome<'a>, Untranslatable> {
    let leader = u32::try_from(header.dst).ok().filter(|id| *id > 0).map(NodeId);
    Ok(match (header.accepted, body.result_code) {
        (true, Some(ResultCode::OK)) => committed(header, body)?,
        // Before result codes existed, only an applied write had a result.
        (true, None) if !body.context.is_empty() => committed(header, body)?,
        (true, code) => WriteOutcome::Unknown(code),
        (false, None | Some(ResultCode::NOT_LEADER)) => WriteOutcome::NotLeader(leader),
        (false, Some(code)) => WriteOutcome::Refused(code),
    })
}

fn committed<'a>(header: &LegacyResponse, body: &ResponseBody<'a>) -> Result<WriteOutcome<'a>, Untranslatable> {
    check_range(&[header.next_index])?;
    let index = Index(header.next_index.saturating_sub(1));
    Ok(WriteOutcome::Committed { index, term: Term(header.term), bytes: body.context })
}
