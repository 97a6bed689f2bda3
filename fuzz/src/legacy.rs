//! Bodies of version 0, and what they mean for group 0. Input: type, flags, then the body.

use super::{byte, number};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{Message, Round, Slice},
    wire::{
        LegacyRequest, LegacyResponse, Limits, MessageType,
        legacy::{
            Context, RequestBody, ResponseBody, Value,
            translate::{Asked, Ends, Question},
        },
    },
};

pub(crate) fn target(mut data: &[u8]) {
    let message_type = MessageType::ALL[usize::from(byte(&mut data)) % MessageType::ALL.len()];
    let flags = u32::from(byte(&mut data));
    let (term, index) = (number(&mut data) >> 2, number(&mut data) >> 2);
    requests(message_type, flags, (term, index), data);
    answers(message_type, flags, (term, index), data);
}

fn requests(message_type: MessageType, flags: u32, (term, index): (u64, u64), bytes: &[u8]) {
    if let Ok(body) = RequestBody::decode(flags, bytes) {
        let mut again = Vec::new();
        body.encode(flags, &mut again).expect("what was read can be written");
        assert_eq!(again, bytes, "a body has one form");
        for entry in &body.entries {
            value(message_type, entry.value_type, entry.value);
        }
    }
    let header = LegacyRequest {
        message_type,
        src: 1,
        dst: 2,
        term,
        last_log_term: term / 2,
        last_log_index: index,
        commit_index: index / 2,
        flags,
    };
    let limits = Limits::default();
    let Ok(Question::Message { message, payloads }) = Question::read(&header, bytes, Round(7), &limits) else { return };
    if let Message::AppendEntries { slice, .. } = &message {
        assert_eq!(payloads.len() as u64, slice.entries(), "a payload for each entry");
        assert!(slice.last.0 <= 1 << 62, "the core counts on from it");
    }
}

fn value(message_type: MessageType, value_type: u8, bytes: &[u8]) {
    let Ok(value) = Value::decode(message_type, value_type, bytes) else { return };
    let mut again = Vec::new();
    value.encode(&mut again);
    assert_eq!(Value::decode(message_type, value_type, &again).as_ref(), Ok(&value), "what was written is read as the same");
}

fn answers(message_type: MessageType, flags: u32, (term, index): (u64, u64), bytes: &[u8]) {
    if let Ok(body) = ResponseBody::decode(flags, bytes) {
        let mut again = Vec::new();
        body.encode(flags, &mut again).expect("what was read can be written");
        assert_eq!(again, bytes, "a body has one form");
        if let Ok(context) = Context::decode(message_type, &body) {
            let mut written = Vec::new();
            context.encode(&mut written);
            assert_eq!(Context::decode(message_type, &ResponseBody { context: &written, ..body }), Ok(context));
        }
    }
    let header = LegacyResponse { message_type, src: 2, dst: 1, term, next_index: index, accepted: index % 2 == 0, flags };
    for asked in every_request() {
        let _ = asked.read(&header, bytes);
    }
}

/// One request of each kind, as the asker keeps it.
fn every_request() -> Vec<Asked> {
    let at = EntryId { term: Term(3), index: Index(9) };
    let round = Round(4);
    let ends = Ends::nodes(NodeId(1), NodeId(2));
    let messages = [
        Message::PreVote { term: Term(4), last: at },
        Message::RequestVote { term: Term(4), last: at },
        Message::AppendEntries { term: Term(3), slice: Slice::empty(at), commit: at.index, round },
    ];
    let mut scratch = Vec::new();
    let mut asked: Vec<_> =
        messages.iter().map(|message| Asked::encode(ends, message, at.index, [], &mut scratch).expect("it can be said")).collect();
    asked.push(Asked::encode_ping(ends, &mut scratch).expect("it can be said"));
    asked.push(Asked::encode_write(ends, 5, b"a command", &mut scratch).expect("it can be said"));
    asked
}
