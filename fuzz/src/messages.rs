//! Bodies of version 1. Input: type, accepted byte, header term and index, then the body. The header's fields are those of the body where they must agree, if
//! the input can be read that way: a fuzzer does not guess eight bytes twice.

use super::{byte, number};
use roadstead_spec::{
    EntryId, GroupId, Incarnation, Index, NodeId, Term,
    wire::{
        BodyError, ExtendedHeader, Header, Limits, MessageType, Version, WireError,
        body::{
            ClientRequest, ClientResponse, Forward, ForwardResponse, NoSpace, NotTaken, RaftBody, Route, SnapshotAnswer, SnapshotChunk,
            encode_raft, incarnation_of,
        },
        next_frame,
    },
};

const ROUTE: Route = Route { from: NodeId(1), to: NodeId(2), group: GroupId::DEFAULT, incarnation: Incarnation(3) };

pub(crate) fn target(mut data: &[u8]) {
    let message_type = MessageType::ALL[usize::from(byte(&mut data)) % MessageType::ALL.len()];
    let accepted = byte(&mut data) & 1 == 1;
    let (term, index) = (number(&mut data), number(&mut data));
    let header =
        ExtendedHeader { message_type, src: Some(NodeId(1)), dst: Some(NodeId(2)), term, index, accepted, group: GroupId::DEFAULT };
    let body = data;
    let _ = incarnation_of(message_type, body);
    raft(&header, body);
    client(&ExtendedHeader { src: None, ..header }, body);
    between_nodes(&header, body);
}

/// What is decoded is encoded so that it is decoded again, as the same.
fn raft(header: &ExtendedHeader, body: &[u8]) {
    let limits = Limits::default();
    let Some((header, decoded)) = agreeing(header, |header| RaftBody::decode(header, body, &limits)) else { return };
    let spans: Vec<_> = decoded.payloads(body).collect();
    let route = Route { incarnation: decoded.incarnation, ..ROUTE };
    let payloads = spans.iter().map(|span| (span.kind, &body[span.range.clone()]));
    let mut frame = Vec::new();
    encode_raft(&route, &decoded.message, payloads, &limits, &mut frame).expect("what was read can be written");
    let (again, bytes) = parts(&frame);
    assert_eq!(
        (again.message_type, again.term, again.index, again.accepted),
        (header.message_type, header.term, header.index, header.accepted)
    );
    let read = RaftBody::decode(&again, bytes, &limits).expect("what was written can be read");
    assert_eq!((read.incarnation, &read.message), (decoded.incarnation, &decoded.message));
    let same = read.payloads(bytes).map(|span| (span.index, span.term, span.kind, &bytes[span.range]));
    assert!(same.eq(spans.into_iter().map(|span| (span.index, span.term, span.kind, &body[span.range]))), "payloads");
}

fn client(header: &ExtendedHeader, body: &[u8]) {
    let mut frame = Vec::new();
    if let Ok(request) = ClientRequest::decode(header, body) {
        request.encode(header.dst, header.group, header.index, &mut frame).expect("what was read can be written");
        let (again, bytes) = parts(&frame);
        assert_eq!((again, ClientRequest::decode(&again, bytes)), (ExtendedHeader { term: 0, accepted: false, ..*header }, Ok(request)));
    } else if let Some((header, response)) = agreeing(header, |header| ClientResponse::decode(header, body)) {
        response.encode(NodeId(1), header.group, header.index, &mut frame).expect("what was read can be written");
        let (again, bytes) = parts(&frame);
        assert_eq!((again.index, ClientResponse::decode(&again, bytes)), (header.index, Ok(response)));
    }
}

/// Encodes and decodes a body again, as the same.
macro_rules! round_trip {
    ($type:ty, $header:expr, $body:expr) => {
        if let Some((header, (incarnation, value))) = agreeing($header, |header| <$type>::decode(header, $body)) {
            let mut frame = Vec::new();
            value.encode(&Route { incarnation, ..ROUTE }, &mut frame).expect("what was read can be written");
            let (again, bytes) = parts(&frame);
            assert_eq!((again.index, <$type>::decode(&again, bytes)), (header.index, Ok((incarnation, value))));
            return;
        }
    };
}

fn between_nodes(header: &ExtendedHeader, body: &[u8]) {
    round_trip!(Forward<'_>, header, body);
    round_trip!(ForwardResponse<'_>, header, body);
    round_trip!(SnapshotAnswer, header, body);
    chunk(header, body);
    if let Ok((incarnation, value)) = NotTaken::decode(header, body) {
        let (mut frame, route) = (Vec::new(), Route { incarnation, ..ROUTE });
        match header.message_type {
            MessageType::Busy => value.encode_busy(&route, &mut frame),
            _ => value.encode_no_such_group(&route, &mut frame),
        }
        .expect("what was read can be written");
        let (again, bytes) = parts(&frame);
        assert_eq!(NotTaken::decode(&again, bytes), Ok((incarnation, value)));
    }
    let _ = NoSpace::decode(header, body).map(|(incarnation, value)| {
        let mut frame = Vec::new();
        value.encode(&Route { incarnation, ..ROUTE }, &mut frame).expect("what was read can be written");
        let (again, bytes) = parts(&frame);
        assert_eq!(NoSpace::decode(&again, bytes), Ok((incarnation, value)));
    });
}

/// A piece of a snapshot. Its checksum is not guessed either: the input's own bytes are taken as items, and must come back.
fn chunk(header: &ExtendedHeader, body: &[u8]) {
    let _ = SnapshotChunk::decode(header, body);
    let at = EntryId { term: Term(header.term), index: Index(header.index) };
    let chunk = SnapshotChunk {
        term: at.term,
        transfer: header.index,
        at,
        sequence: header.term,
        done: header.accepted,
        crc: SnapshotChunk::crc_of(body),
        items: body,
    };
    let mut frame = Vec::new();
    if chunk.encode(&ROUTE, &mut frame).is_ok() {
        let (again, bytes) = parts(&frame);
        assert_eq!(SnapshotChunk::decode(&again, bytes), Ok((ROUTE.incarnation, chunk)));
    }
}

/// Reads with a header whose term, index and accepted byte are what the body wants: each complaint names the field and the value.
fn agreeing<T>(header: &ExtendedHeader, decode: impl Fn(&ExtendedHeader) -> Result<T, WireError>) -> Option<(ExtendedHeader, T)> {
    let mut header = *header;
    for _ in 0..4 {
        match decode(&header) {
            Ok(value) => return Some((header, value)),
            Err(WireError::Body { why: BodyError::HeaderDisagrees { field, message, .. }, .. }) => match field {
                "term" => header.term = message,
                "index" => header.index = message,
                "accepted byte" => header.accepted = message != 0,
                _ => return None,
            },
            Err(_) => return None,
        }
    }
    None
}

fn parts(frame: &[u8]) -> (ExtendedHeader, &[u8]) {
    let span = next_frame(Version::Extended, frame, &Limits::default()).expect("a frame").expect("a whole frame");
    let Header::Extended(header) = span.header else { panic!("version 1") };
    (header, &frame[span.body])
}
