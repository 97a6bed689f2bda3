//! The answering end: requests read, answers written in their places.

use super::asking::SNAPSHOT_OF_OBJECTS;
use super::{READ_INDEX_CONTEXT, READ_INDEX_KIND, Untranslatable, check_range};
use crate::raft::{INDEX_MAX, Message, ReadId, Round, Run, Slice};
use crate::wire::body::{EntryKind, PayloadSpan, SnapshotChunk, SnapshotResult};
use crate::wire::bytes::Reader;
use crate::wire::header::{LegacyRequest, LegacyResponse, Limits};
use crate::wire::legacy::{
    Appendix, Context, Entry, LegacyError, Notification, RequestBody, ResponseBody, ResultCode, SizeHint, SnapshotSync, Value, ValueType,
    flags,
};
use crate::wire::message_type::MessageType;
use crate::{EntryId, Index, NodeId, Term};
use alloc::vec::Vec;

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// Nothing: an answer is all that is wanted.
    Ping,
    /// A message for the core, with the places of an append's payloads.
    Message {
        /// The message.
        message: Message,
        /// Where the payloads lie in the body, in order.
        payloads: Vec<PayloadSpan>,
    },
    /// A piece of a snapshot.
    Chunk {
        /// The piece.
        chunk: SnapshotChunk<'a>,
        /// The members of the snapshot's configuration, as it names them.
        members: Vec<i32>,
    },
    /// A client's command.
    Write(&'a [u8]),
    /// A client's request that is not one command.
    NotOneCommand,
    /// News that needs an answer and nothing else.
    Notice,
    /// A server is to be added or removed; its id.
    Membership(i32),
}

/// Where the answerer's log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Last index of its log.
    pub last: Index,
    /// Whether it is receiving a snapshot.
    pub receives_snapshot: bool,
}

impl<'a> Question<'a> {
    /// Reads a request. `round` is the answerer's own name for the place of an append: the core echoes it.
    pub fn read(header: &LegacyRequest, body: &'a [u8], round: Round, limits: &Limits) -> Result<Self, Untranslatable> {
        check_range(&[header.term, header.last_log_term, header.last_log_index, header.commit_index])?;
        let term = Term(header.term);
        let last = EntryId { term: Term(header.last_log_term), index: Index(header.last_log_index) };
        let message = match header.message_type {
            MessageType::Ping => return RequestBody::decode(header.flags, body).map(|_| Self::Ping).map_err(Untranslatable::from),
            MessageType::PreVote => Message::PreVote { term: term.next(), last },
            MessageType::RequestVote => Message::RequestVote { term, last },
            MessageType::AppendEntries => return append(header, body, round, limits),
            MessageType::InstallSnapshot => return chunk(header, body),
            MessageType::ClientRequest => return client_request(header, body, limits),
            MessageType::CustomNotification => return notification(header, body),
            MessageType::AddServer | MessageType::RemoveServer => return membership(header, body),
            other => return Err(Untranslatable::NotServed(other)),
        };
        Ok(Self::Message { message, payloads: Vec::new() })
    }
}

fn append<'a>(header: &LegacyRequest, body: &'a [u8], round: Round, limits: &Limits) -> Result<Question<'a>, Untranslatable> {
    let body = RequestBody::decode(header.flags, body)?;
    let prev = match header.last_log_index {
        0 => EntryId::default(),
        index => EntryId { term: Term(header.last_log_term), index: Index(index) },
    };
    let mut slice = Slice::empty(prev);
    let mut payloads = Vec::with_capacity(body.entries.len());
    let mut at = if body.meta.is_some() { 4 + body.meta.map_or(0, <[u8]>::len) } else { 0 };
    for entry in &body.entries {
        let (index, term) = (slice.last.next(), Term(entry.term));
        check_range(&[entry.term, index.0])?;
        if slice.runs.last().is_none_or(|run| run.term != term) && slice.runs.try_push(Run { term, first: index }).is_err() {
            break; // the leader sends on behind what is acknowledged
        }
        let start = at + entry_header_bytes(header.flags);
        at = start + entry.value.len();
        slice.last = index;
        payloads.push(PayloadSpan { index, term, kind: entry_kind(entry, limits)?, range: start..at });
    }
    if !slice.is_valid() || slice.last > INDEX_MAX || slice.last_id().term > Term(header.term) {
        return Err(Untranslatable::Contradiction("the terms of an append's entries cannot be"));
    }
    let message = Message::AppendEntries { term: Term(header.term), slice, commit: Index(header.commit_index), round };
    Ok(Question::Message { message, payloads })
}

/// Bytes of an entry before its value.
const fn entry_header_bytes(flags: u32) -> usize {
    let timestamp = if flags & flags::INCLUDE_LOG_TIMESTAMP != 0 { 8 } else { 0 };
    let crc = if flags & flags::CRC_ON_PAYLOAD != 0 { 5 } else { 0 };
    13 + timestamp + crc
}

fn entry_kind(entry: &Entry<'_>, limits: &Limits) -> Result<EntryKind, Untranslatable> {
    let (size, limit) = (entry.value.len(), limits.entry_bytes_max);
    if size as u64 > u64::from(limit) {
        return Err(Untranslatable::EntryTooLarge { size, limit });
    }
    match ValueType::from_u8(entry.value_type) {
        Some(ValueType::App) => Ok(EntryKind::Command),
        Some(ValueType::Custom) if entry.value.is_empty() => Ok(EntryKind::Noop),
        _ => Err(Untranslatable::Entry(entry.value_type)),
    }
}

fn chunk<'a>(header: &LegacyRequest, body: &'a [u8]) -> Result<Question<'a>, Untranslatable> {
    let body = RequestBody::decode(header.flags, body)?;
    let [entry] = body.entries[..] else { return Err(Untranslatable::Contradiction("a snapshot request without exactly one object")) };
    let Value::SnapshotSync(SnapshotSync { snapshot, object_id: sequence, done, data }) =
        Value::decode(header.message_type, entry.value_type, entry.value)?
    else {
        return Err(Untranslatable::Entry(entry.value_type));
    };
    let at = EntryId { term: Term(snapshot.last_log_term), index: Index(snapshot.last_log_index) };
    check_range(&[at.term.0, at.index.0, sequence])?;
    if snapshot.snapshot_type != SNAPSHOT_OF_OBJECTS || at.term > Term(header.term) {
        return Err(Untranslatable::Contradiction("a snapshot of a kind or a term that cannot be"));
    }
    let mut reader = Reader::new(data);
    let (transfer, crc) = (reader.u64().map_err(LegacyError::from)?, reader.u32().map_err(LegacyError::from)?);
    let items = reader.rest();
    let computed = SnapshotChunk::crc_of(items);
    if crc != computed {
        return Err(LegacyError::PayloadCrc { stored: crc, computed }.into());
    }
    let members = snapshot.config.servers.iter().map(|server| server.id).collect();
    let chunk = SnapshotChunk { term: Term(header.term), transfer, at, sequence, done: done == 1, crc, items };
    Ok(Question::Chunk { chunk, members })
}

fn client_request<'a>(header: &LegacyRequest, body: &'a [u8], limits: &Limits) -> Result<Question<'a>, Untranslatable> {
    let body = RequestBody::decode(header.flags, body)?;
    Ok(match body.entries[..] {
        [entry] if entry.value_type == ValueType::App.number() && entry.value.len() as u64 <= u64::from(limits.entry_bytes_max) => {
            Question::Write(entry.value)
        }
        _ => Question::NotOneCommand,
    })
}

fn notification<'a>(header: &LegacyRequest, body: &'a [u8]) -> Result<Question<'a>, Untranslatable> {
    let body = RequestBody::decode(header.flags, body)?;
    let [entry] = body.entries[..] else { return Ok(Question::Notice) };
    match Value::decode(header.message_type, entry.value_type, entry.value)? {
        Value::Notification(Notification::Unknown { kind: READ_INDEX_KIND, context }) => {
            let mut reader = Reader::new(context);
            let mut read = || Ok::<_, crate::wire::bytes::Short>((reader.u32()?, reader.u64()?, reader.u64()?));
            let (node, boot, number) = read().map_err(LegacyError::from)?;
            let id = ReadId { node: NodeId(node), boot, number };
            Ok(Question::Message { message: Message::ReadIndex { term: Term(header.term), id }, payloads: Vec::new() })
        }
        _ => Ok(Question::Notice),
    }
}

fn membership<'a>(header: &LegacyRequest, body: &'a [u8]) -> Result<Question<'a>, Untranslatable> {
    let body = RequestBody::decode(header.flags, body)?;
    let [entry] = body.entries[..] else { return Err(Untranslatable::Contradiction("a membership request without exactly one server")) };
    match Value::decode(header.message_type, entry.value_type, entry.value)? {
        Value::Server(server) => Ok(Question::Membership(server.id)),
        Value::ServerId(id) => Ok(Question::Membership(id)),
        _ => Err(Untranslatable::Entry(entry.value_type)),
    }
}

/// An answer that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    message_type: MessageType,
    /// The asker, or the leader as far as the answerer knows.
    dst: i32,
    /// `None`: the answerer's term when it is written.
    term: Option<Term>,
    next_index: u64,
    accepted: bool,
    hint: Option<SizeHint>,
    context: Vec<u8>,
    result_code: Option<ResultCode>,
}

impl Answer {
    const fn new(message_type: MessageType, dst: i32, accepted: bool, next_index: u64) -> Self {
        Self { message_type, dst, term: None, next_index, accepted, hint: None, context: Vec::new(), result_code: None }
    }

    /// Answer to a ping.
    pub const fn ping(asker: i32) -> Self {
        Self::new(MessageType::PingResponse, asker, false, 0)
    }

    /// What the core answers, to a request of term `asked`; `None` for a message that answers nothing.
    pub fn of(message: &Message, asker: i32, asked: Term, standing: Standing) -> Option<Self> {
        let next = standing.last.next().0;
        Some(match message {
            Message::PreVoteResponse { granted: true, .. } => Self::pre_vote(asker, asked, true, next),
            Message::PreVoteResponse { term, granted: false } => Self::pre_vote(asker, asked.max(*term), false, 0),
            Message::RequestVoteResponse { term, granted } => {
                let next = if *granted { next } else { 0 };
                Self { term: Some(*term), ..Self::new(MessageType::RequestVoteResponse, asker, *granted, next) }
            }
            Message::AppendEntriesResponse { term, result, .. } => {
                let (accepted, next) = result.as_ref().map_or((false, next), |matched| (true, matched.next().0));
                let mut answer = Self { term: Some(*term), ..Self::new(MessageType::AppendEntriesResponse, asker, accepted, next) };
                if !accepted && standing.receives_snapshot {
                    Context::Appendix(Appendix::ReceivingSnapshot).encode(&mut answer.context);
                }
                answer
            }
            Message::ReadIndexResponse { term, index, .. } => {
                let mut answer = Self { term: Some(*term), ..Self::new(MessageType::CustomNotificationResponse, asker, true, next) };
                if let Some(index) = index {
                    answer.context.push(READ_INDEX_CONTEXT);
                    answer.context.extend_from_slice(&index.0.to_le_bytes());
                }
                answer
            }
            Message::PreVote { .. } | Message::RequestVote { .. } | Message::AppendEntries { .. } | Message::ReadIndex { .. } => {
                return None;
            }
        })
    }

    fn pre_vote(asker: i32, term: Term, granted: bool, next: u64) -> Self {
        Self { term: Some(term), ..Self::new(MessageType::PreVoteResponse, asker, granted, next) }
    }

    /// Answer to a pre-vote of somebody who is no member: the term of the request, and "you were removed".
    pub fn stranger(asker: i32, asked: Term) -> Self {
        Self::pre_vote(asker, asked, false, u64::MAX)
    }

    /// Nothing of an append was taken, and nothing is said about the log: its disk is behind.
    pub fn postponed(asker: i32, standing: Standing) -> Self {
        let mut answer = Self::new(MessageType::AppendEntriesResponse, asker, false, standing.last.next().0);
        answer.hint = Some(HEARTBEATS_ONLY);
        Context::Appendix(Appendix::DoNotRewind).encode(&mut answer.context);
        answer
    }

    /// Answer to a piece of a snapshot, the one with this number.
    pub fn chunk(asker: i32, sequence: u64, next: u64, result: SnapshotResult, standing: Standing) -> Self {
        let (accepted, next) = match result {
            SnapshotResult::Continue => (true, next),
            SnapshotResult::Complete => (true, sequence.saturating_add(1)),
            SnapshotResult::NotNeeded | SnapshotResult::Busy | SnapshotResult::Failed => (false, standing.last.next().0),
        };
        let mut answer = Self::new(MessageType::InstallSnapshotResponse, asker, accepted, next);
        if matches!(result, SnapshotResult::Complete | SnapshotResult::NotNeeded) {
            Context::SnapshotFinished.encode(&mut answer.context);
        }
        answer
    }

    /// Answer to news.
    pub const fn notice(asker: i32, standing: Standing) -> Self {
        Self::new(MessageType::CustomNotificationResponse, asker, true, standing.last.0.saturating_add(1))
    }

    /// A client's write is committed and applied.
    pub fn committed(leader: Option<NodeId>, entry: EntryId, result: &[u8]) -> Self {
        let (term, result_code) = (Some(entry.term), Some(ResultCode::OK));
        Self { term, context: result.into(), result_code, ..Self::for_client(leader, true, entry.index.next().0) }
    }

    /// Nothing has happened: the write was not appended.
    pub fn refused(leader: Option<NodeId>, code: ResultCode) -> Self {
        Self { result_code: Some(code), ..Self::for_client(leader, false, 0) }
    }

    /// The write may have happened or may still happen.
    pub fn unknown(leader: Option<NodeId>) -> Self {
        Self { result_code: Some(ResultCode::TIMEOUT), ..Self::for_client(leader, true, 0) }
    }

    fn for_client(leader: Option<NodeId>, accepted: bool, next: u64) -> Self {
        Self::new(MessageType::AppendEntriesResponse, leader.map_or(NO_LEADER, |node| node.0 as i32), accepted, next)
    }

    /// No server was added or removed. `request` is the refused request's type.
    pub fn membership(request: MessageType, leader: Option<NodeId>, code: ResultCode) -> Self {
        let message_type = request.legacy_answer().unwrap_or(MessageType::RemoveServerResponse);
        Self { message_type, ..Self::refused(leader, code) }
    }

    /// The type of the answer.
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// Appends the frame; `node` answers, in `term`.
    pub fn encode(&self, node: NodeId, term: Term, out: &mut Vec<u8>) -> Result<(), LegacyError> {
        let hint = if self.hint.is_some() { flags::INCLUDE_HINT } else { 0 };
        let code = if self.result_code.is_some() { flags::INCLUDE_RESULT_CODE } else { 0 };
        let header = LegacyResponse {
            message_type: self.message_type,
            src: node.0 as i32,
            dst: self.dst,
            term: self.term.unwrap_or(term).0,
            next_index: self.next_index,
            accepted: self.accepted,
            flags: hint | code,
        };
        let body = ResponseBody { meta: None, hint: self.hint, context: &self.context, result_code: self.result_code };
        header.encode(out, |out| body.encode(header.flags, out))
    }
}

/// What NuRaft says for "no leader is known".
const NO_LEADER: i32 = -1;

/// Wish for the next batch: none for now.
const HEARTBEATS_ONLY: SizeHint = SizeHint(-1);
