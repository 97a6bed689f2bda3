//! What stands behind a version 0 answer's header: meta, size hint, context and result code.

use super::request::{agree, put_meta, take_meta};
use super::{LegacyError, flags};
use crate::wire::bytes::Reader;
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;

/// Body of a version 0 answer: meta, size hint, context and result code, each under its flag; the context is what remains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseBody<'a> {
    /// User-defined bytes; there with flag `INCLUDE_META`.
    pub meta: Option<&'a [u8]>,
    /// A wish for the size of the next batch; there with flag `INCLUDE_HINT`.
    pub hint: Option<SizeHint>,
    /// By message type: see [`Context`]. Empty if there is none.
    pub context: &'a [u8],
    /// There with flag `INCLUDE_RESULT_CODE`, at the very end.
    pub result_code: Option<ResultCode>,
}

/// How many bytes the follower wants in the next batch: above 0 a cap, below 0 "heartbeats only for now".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeHint(pub i64);

/// How an answer to a client, add or remove request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultCode(pub i32);

impl ResultCode {
    /// Done.
    pub const OK: Self = Self(0);
    /// Given up.
    pub const CANCELLED: Self = Self(-1);
    /// Not known in time; with `accepted` set the write may still commit.
    pub const TIMEOUT: Self = Self(-2);
    /// Ask the leader: the answer's `dst`.
    pub const NOT_LEADER: Self = Self(-3);
    /// The request makes no sense.
    pub const BAD_REQUEST: Self = Self(-4);
    /// Already a member.
    pub const SERVER_ALREADY_EXISTS: Self = Self(-5);
    /// Another change is under way.
    pub const CONFIG_CHANGING: Self = Self(-6);
    /// A server is joining.
    pub const SERVER_IS_JOINING: Self = Self(-7);
    /// Not a member.
    pub const SERVER_NOT_FOUND: Self = Self(-8);
    /// The leader cannot remove itself.
    pub const CANNOT_REMOVE_LEADER: Self = Self(-9);
    /// A server is leaving.
    pub const SERVER_IS_LEAVING: Self = Self(-10);
    /// The expected term is over.
    pub const TERM_MISMATCH: Self = Self(-11);
    /// Asked too early.
    pub const RESULT_NOT_EXIST_YET: Self = Self(-10_000);
    /// Failed without a reason.
    pub const FAILED: Self = Self(-32_768);
}

impl<'a> ResponseBody<'a> {
    /// Reads a body under the header's flags.
    pub fn decode(flags: u32, body: &'a [u8]) -> Result<Self, LegacyError> {
        let mut reader = Reader::new(body);
        let meta = take_meta(flags, &mut reader)?;
        let hint = if flags & flags::INCLUDE_HINT != 0 { Some(SizeHint::decode(&mut reader)?) } else { None };
        let code_bytes = if flags & flags::INCLUDE_RESULT_CODE != 0 { 4 } else { 0 };
        let context = reader.left().checked_sub(code_bytes).ok_or(LegacyError::Truncated { needed: code_bytes, left: reader.left() })?;
        let context = reader.take(context)?;
        let result_code = if code_bytes > 0 { Some(ResultCode(reader.i32()?)) } else { None };
        Ok(Self { meta, hint, context, result_code })
    }

    /// Appends the body; the header's flags say what it carries.
    pub fn encode(&self, flags: u32, out: &mut Vec<u8>) -> Result<(), LegacyError> {
        agree(flags, flags::INCLUDE_HINT, self.hint.is_some(), "a size hint")?;
        agree(flags, flags::INCLUDE_RESULT_CODE, self.result_code.is_some(), "a result code")?;
        put_meta(flags, self.meta, out)?;
        if let Some(hint) = self.hint {
            hint.encode(out);
        }
        out.extend_from_slice(self.context);
        if let Some(code) = self.result_code {
            out.extend_from_slice(&code.0.to_le_bytes());
        }
        Ok(())
    }
}

impl SizeHint {
    const VERSION: u16 = 0;
    const LENGTH: u16 = 8;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, LegacyError> {
        let (version, length) = (reader.u16()?, reader.u16()?);
        if (version, length) != (Self::VERSION, Self::LENGTH) {
            return Err(LegacyError::Meaningless { field: "the size hint's version", value: version.into() });
        }
        Ok(Self(reader.i64()?))
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::VERSION.to_le_bytes());
        out.extend_from_slice(&Self::LENGTH.to_le_bytes());
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

/// What a follower adds to its answer to an append. NuRaft aborts on any other form: send none unless it is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendix {
    /// Nothing to say.
    None,
    /// Do not go back by one on this refusal.
    DoNotRewind,
    /// A snapshot is being received: send its next object.
    ReceivingSnapshot,
    /// The state machine has applied through this index.
    StateMachineCommitted(u64),
}

/// What an answer's context means, by its message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context<'a> {
    /// Nothing.
    None,
    /// Answer to an append.
    Appendix(Appendix),
    /// Answer to a snapshot object: the byte 0, "finished" (or, not accepted, "none needed").
    SnapshotFinished,
    /// Answer to a client request (its type is that of an append's answer, its header has a result code): the state machine's result.
    CommitResult(&'a [u8]),
    /// Of a type that gives it no meaning.
    Opaque(&'a [u8]),
}

impl<'a> Context<'a> {
    /// Tells what the context of an answer means.
    pub fn decode(message_type: MessageType, body: &ResponseBody<'a>) -> Result<Self, LegacyError> {
        match message_type {
            MessageType::AppendEntriesResponse if body.result_code.is_some() => Ok(Self::CommitResult(body.context)),
            _ if body.context.is_empty() => Ok(Self::None),
            MessageType::AppendEntriesResponse => Appendix::decode(body.context).map(Self::Appendix),
            MessageType::InstallSnapshotResponse => match body.context {
                [0] => Ok(Self::SnapshotFinished),
                other => Err(LegacyError::Length(other.len() as i64)),
            },
            _ => Ok(Self::Opaque(body.context)),
        }
    }

    /// Appends the context.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Appendix(appendix) => appendix.encode(out),
            Self::SnapshotFinished => out.push(0),
            Self::CommitResult(bytes) | Self::Opaque(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Appendix {
    const VERSION: u8 = 0;

    fn decode(bytes: &[u8]) -> Result<Self, LegacyError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u8()?;
        if version != Self::VERSION {
            return Err(LegacyError::Meaningless { field: "the appendix's version", value: version.into() });
        }
        let appendix = match reader.u8()? {
            0 => Self::None,
            1 => Self::DoNotRewind,
            2 => Self::ReceivingSnapshot,
            3 => Self::StateMachineCommitted(reader.u64()?),
            other => {
                return Err(LegacyError::Meaningless { field: "the appendix's order", value: other.into() });
            }
        };
        if reader.left() > 0 { Err(LegacyError::Trailing(reader.left())) } else { Ok(appendix) }
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        match self {
            Self::None => out.push(0),
            Self::DoNotRewind => out.push(1),
            Self::ReceivingSnapshot => out.push(2),
            Self::StateMachineCommitted(index) => {
                out.push(3);
                out.extend_from_slice(&index.to_le_bytes());
            }
        }
    }
}
