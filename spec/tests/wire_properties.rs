//! What holds for every message and every string of bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use roadstead_spec::raft::{Behind, Message, ReadId, Round, Run, Slice};
use roadstead_spec::wire::body::{
    ClientRequest, ClientResponse, Consistency, EntryKind, Forward, ForwardResponse, NoSpace, NotTaken, Operation, RaftBody, Rejection,
    Route, SnapshotAnswer, SnapshotChunk, SnapshotResult, encode_raft, incarnation_of,
};
use roadstead_spec::wire::legacy::{Context, RequestBody, ResponseBody, Value};
use roadstead_spec::wire::negotiation::{Acceptor, Dialer, FEATURES, Known, Local, Policy, Target};
use roadstead_spec::wire::{
    BodyError, ClusterId, ExtendedHeader, Header, Hello, LegacyRequest, LegacyResponse, Limits, MessageType, StoreId, Version, WireError,
    bytes_wanted, next_frame,
};
use roadstead_spec::{EntryId, GroupId, Incarnation, Index, NodeId, Term};

const ROUTE: Route = Route { from: NodeId(1), to: NodeId(2), group: GroupId::DEFAULT, incarnation: Incarnation(3) };

/// Small ones and large ones, up to the largest that the codec lets through.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, 0..=1_u64 << 62]
}

fn term() -> impl Strategy<Value = Term> {
    number().prop_map(Term)
}

fn index() -> impl Strategy<Value = Index> {
    number().prop_map(Index)
}

fn entry_id() -> impl Strategy<Value = EntryId> {
    (term(), index()).prop_map(|(term, index)| EntryId { term, index })
}

fn read_id() -> impl Strategy<Value = ReadId> {
    (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(node, boot, number)| ReadId { node: NodeId(node), boot, number })
}

/// A lawful slice: up to four runs of one to five entries each.
fn slice() -> impl Strategy<Value = Slice> {
    (0..1_u64 << 40, 1..1_u64 << 40, vec((1..1000_u64, 1..6_u64), 0..=4)).prop_map(|(prev_index, prev_term, steps)| {
        let prev = EntryId { term: Term(prev_term), index: Index(prev_index) };
        let mut slice = Slice::empty(prev);
        let mut term = prev_term;
        for (rise, entries) in steps {
            term += rise;
            slice.runs.push(Run { term: Term(term), first: slice.last.next() });
            slice.last = slice.last.plus(entries);
        }
        slice
    })
}

fn behind() -> impl Strategy<Value = Box<Behind>> {
    (index(), vec((term(), index()), 0..8)).prop_map(|(last, runs)| {
        let runs = runs.into_iter().map(|(term, first)| Run { term, first }).collect();
        Box::new(Behind { last, runs })
    })
}

fn message() -> impl Strategy<Value = Message> {
    let round = any::<u64>().prop_map(Round);
    let result = prop_oneof![index().prop_map(Ok), behind().prop_map(Err)];
    prop_oneof![
        (term(), entry_id()).prop_map(|(term, last)| Message::PreVote { term, last }),
        (term(), any::<bool>()).prop_map(|(term, granted)| Message::PreVoteResponse { term, granted }),
        (term(), entry_id()).prop_map(|(term, last)| Message::RequestVote { term, last }),
        (term(), any::<bool>()).prop_map(|(term, granted)| Message::RequestVoteResponse { term, granted }),
        (term(), slice(), index(), round.clone()).prop_map(|(term, slice, commit, round)| Message::AppendEntries {
            term,
            slice,
            commit,
            round
        }),
        (term(), result, round).prop_map(|(term, result, round)| Message::AppendEntriesResponse { term, result, round }),
        (term(), read_id()).prop_map(|(term, id)| Message::ReadIndex { term, id }),
        (term(), read_id(), proptest::option::of(index())).prop_map(|(term, id, index)| Message::ReadIndexResponse { term, id, index }),
    ]
}

/// A message with one payload per entry.
fn message_with_payloads() -> impl Strategy<Value = (Message, Vec<(EntryKind, Vec<u8>)>)> {
    message().prop_flat_map(|message| {
        let entries = match &message {
            Message::AppendEntries { slice, .. } => slice.entries() as usize,
            _ => 0,
        };
        let kind = prop_oneof![Just(EntryKind::Noop), Just(EntryKind::Command)];
        (Just(message), vec((kind, vec(any::<u8>(), 0..40)), entries))
    })
}

fn encode(message: &Message, payloads: &[(EntryKind, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let payloads = payloads.iter().map(|(kind, bytes)| (*kind, bytes.as_slice()));
    encode_raft(&ROUTE, message, payloads, &Limits::default(), &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

/// Every decoder that outside bytes reach, on the same bytes.
fn decode_all(bytes: &[u8], flags: u32, message_type: MessageType) {
    let limits = Limits::default();
    for version in [Version::Legacy, Version::Extended] {
        let _ = next_frame(version, bytes, &limits);
        let _ = bytes_wanted(version, bytes, &limits);
    }
    let _ = LegacyRequest::decode(bytes);
    let _ = LegacyResponse::decode(bytes);
    let _ = ExtendedHeader::decode(bytes);
    let _ = Hello::decode(bytes);
    let _ = RequestBody::decode(flags, bytes);
    if let Ok(body) = ResponseBody::decode(flags, bytes) {
        let _ = Context::decode(message_type, &body);
    }
    for value_type in [1, 2, 3, 4, 5, 77, 231] {
        let _ = Value::decode(message_type, value_type, bytes);
    }
    let header = ExtendedHeader { message_type, src: None, dst: None, term: 0, index: 0, accepted: false, group: GroupId::DEFAULT };
    let _ = incarnation_of(message_type, bytes);
    if let Ok(body) = RaftBody::decode(&header, bytes, &limits) {
        assert!(body.payloads(bytes).count() <= bytes.len());
    }
    let _ = ClientRequest::decode(&header, bytes);
    let _ = ClientResponse::decode(&header, bytes);
    let _ = Forward::decode(&header, bytes);
    let _ = ForwardResponse::decode(&header, bytes);
    let _ = SnapshotChunk::decode(&header, bytes);
    let _ = SnapshotAnswer::decode(&header, bytes);
    let _ = NotTaken::decode(&header, bytes);
    let _ = NoSpace::decode(&header, bytes);
    let local = Local { node: NodeId(2), cluster: ClusterId(1), store: StoreId(2), boot: 3, features: FEATURES, policy: Policy::Auto };
    let mut out = Vec::new();
    Acceptor::new(local).receive(bytes, |_| Known::Peer { store: None }, &mut out);
    Dialer::start(local, Target { node: None, store: None }, 4, &mut out).receive(bytes);
}

fn any_type() -> impl Strategy<Value = MessageType> {
    (0..MessageType::ALL.len()).prop_map(|at| MessageType::ALL[at])
}

proptest! {
    #[test]
    fn a_message_survives_the_wire((message, payloads) in message_with_payloads()) {
        let frame = encode(&message, &payloads);
        let span = next_frame(Version::Extended, &frame, &Limits::default()).unwrap().unwrap();
        let Header::Extended(header) = span.header else { panic!("not version 1") };
        let body = &frame[span.body];
        prop_assert_eq!(incarnation_of(header.message_type, body), Some(ROUTE.incarnation));
        let decoded = RaftBody::decode(&header, body, &Limits::default()).unwrap();
        prop_assert_eq!(&decoded.message, &message);
        prop_assert_eq!(decoded.payloads(body).size_hint(), (0, Some(payloads.len())));
        let spans: Vec<_> = decoded.payloads(body).collect();
        prop_assert_eq!(spans.len(), payloads.len());
        for (span, (kind, bytes)) in spans.iter().zip(&payloads) {
            prop_assert_eq!((span.kind, &body[span.range.clone()]), (*kind, bytes.as_slice()));
            if let Message::AppendEntries { slice, .. } = &message {
                prop_assert_eq!(Some(span.term), slice.term_of(span.index));
            }
        }
    }

    #[test]
    fn a_frame_cut_short_is_not_yet_a_frame((message, payloads) in message_with_payloads()) {
        let frame = encode(&message, &payloads);
        for length in 0..frame.len() {
            prop_assert_eq!(next_frame(Version::Extended, &frame[..length], &Limits::default()), Ok(None));
            prop_assert!(ExtendedHeader::decode(&frame[..length]).is_err());
            let wanted = bytes_wanted(Version::Extended, &frame[..length], &Limits::default()).unwrap();
            prop_assert_eq!(wanted, if length < 43 { 43 } else { frame.len() });
        }
    }

    /// Up to three flipped bits are always noticed by a CRC-32 over frames of this size; none of them makes a frame.
    #[test]
    fn a_damaged_frame_is_never_accepted(
        (message, payloads) in message_with_payloads(),
        flips in vec((any::<prop::sample::Index>(), 0..8), 1..=3),
    ) {
        let frame = encode(&message, &payloads);
        let mut broken = frame.clone();
        for (at, bit) in flips {
            broken[at.index(frame.len())] ^= 1_u8 << bit;
        }
        if broken != frame {
            prop_assert!(!matches!(next_frame(Version::Extended, &broken, &Limits::default()), Ok(Some(_))));
        }
    }

    #[test]
    fn client_requests_survive_the_wire(timeout_ms: u32, id: u64, bytes in vec(any::<u8>(), 0..300), write: bool, stale: bool) {
        let consistency = if stale { Consistency::Stale } else { Consistency::Linearizable };
        let operation = if write { Operation::Write(&bytes) } else { Operation::Query { bytes: &bytes, consistency } };
        let request = ClientRequest { timeout_ms, operation };
        let mut frame = Vec::new();
        request.encode(None, GroupId::DEFAULT, id, &mut frame).unwrap();
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        prop_assert_eq!((header.index, header.src, ClientRequest::decode(&header, body)), (id, None, Ok(request)));
    }

    #[test]
    fn answers_survive_the_wire(index in index(), term in term(), bytes in vec(any::<u8>(), 0..300), text in ".{0,40}", pick in 0..5_u8) {
        let outcome = match pick {
            0 => ClientResponse::Committed { index, term, bytes: &bytes },
            1 => ClientResponse::QueryResult { applied: index, bytes: &bytes },
            2 => ClientResponse::Rejected(Rejection::Malformed(&text)),
            3 => ClientResponse::Rejected(Rejection::GroupFailed(&text)),
            _ => ClientResponse::Unknown { why: &text },
        };
        let response = ForwardResponse { origin_boot: index.0, request: term.0, outcome };
        let mut frame = Vec::new();
        response.encode(&ROUTE, &mut frame).unwrap();
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        prop_assert_eq!(ForwardResponse::decode(&header, body), Ok((ROUTE.incarnation, response)));
    }

    #[test]
    fn snapshots_survive_the_wire(term in term(), at in entry_id(), transfer: u64, sequence: u64, done: bool, items in vec(any::<u8>(), 0..300)) {
        let chunk = SnapshotChunk { term, transfer, at, sequence, done, crc: SnapshotChunk::crc_of(&items), items: &items };
        let mut frame = Vec::new();
        chunk.encode(&ROUTE, &mut frame).unwrap();
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        prop_assert_eq!(SnapshotChunk::decode(&header, body), Ok((ROUTE.incarnation, chunk)));
        let answer = SnapshotAnswer { term, transfer, next: sequence, result: SnapshotResult::Busy };
        frame.clear();
        answer.encode(&ROUTE, &mut frame).unwrap();
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        prop_assert_eq!(SnapshotAnswer::decode(&header, body), Ok((ROUTE.incarnation, answer)));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..400), flags: u32, message_type in any_type()) {
        decode_all(&bytes, flags, message_type);
    }

    /// Random bytes rarely get past a marker; these begin like real bodies and are damaged behind it.
    #[test]
    fn no_damaged_body_makes_a_decoder_panic(
        (message, payloads) in message_with_payloads(),
        patches in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        flags: u32,
    ) {
        let frame = encode(&message, &payloads);
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        let mut body = body.to_vec();
        for (at, byte) in patches {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len() + 1));
        if let Ok(decoded) = RaftBody::decode(&header, &body, &Limits::default()) {
            let entries = match &decoded.message {
                Message::AppendEntries { slice, .. } => slice.entries(),
                _ => 0,
            };
            prop_assert_eq!(decoded.payloads(&body).count() as u64, entries);
        }
        decode_all(&body, flags, header.message_type);
    }
}

fn append(prev: EntryId, runs: &[(u64, u64)], last: u64) -> Message {
    let runs = runs.iter().map(|&(term, first)| Run { term: Term(term), first: Index(first) }).collect();
    Message::AppendEntries { term: Term(9), slice: Slice { prev, runs, last: Index(last) }, commit: Index(0), round: Round(0) }
}

fn refused(message: &Message, payloads: &[(EntryKind, &[u8])], limits: &Limits) -> BodyError {
    let mut out = b"before".to_vec();
    match encode_raft(&ROUTE, message, payloads.iter().copied(), limits, &mut out) {
        Err(WireError::Body { why, .. }) => {
            assert_eq!(out, b"before", "a refused frame leaves nothing behind");
            why
        }
        other => panic!("{other:?}"),
    }
}

/// The sender's own check: what the receiver would refuse is not sent.
#[test]
fn a_sender_refuses_what_breaks_a_law_or_a_limit() {
    let prev = EntryId { term: Term(4), index: Index(10) };
    let limits = Limits { frame_bytes_max: 100, entry_bytes_max: 200, ..Limits::default() };
    let small: (EntryKind, &[u8]) = (EntryKind::Command, &[1; 10]);
    let large: (EntryKind, &[u8]) = (EntryKind::Command, &[1; 150]);
    let huge: (EntryKind, &[u8]) = (EntryKind::Command, &[1; 201]);
    let two = append(prev, &[(5, 11)], 12);
    assert_eq!(refused(&two, &[small], &limits), BodyError::PayloadCount { slice: 2, payloads: 1 });
    assert_eq!(refused(&two, &[small; 3], &limits), BodyError::PayloadCount { slice: 2, payloads: 3 });
    assert!(matches!(refused(&two, &[small, large], &limits), BodyError::FrameTooLarge { entries: 2, limit: 100, .. }));
    assert_eq!(refused(&two, &[small, huge], &limits), BodyError::EntryTooLarge { size: 201, limit: 200 });
    let unlawful =
        [append(prev, &[(5, 12)], 12), append(prev, &[(3, 11)], 12), append(prev, &[], 12), append(prev, &[(5, 11), (5, 12)], 12)];
    for message in &unlawful {
        assert_eq!(refused(message, &[small; 2], &limits), BodyError::Slice);
    }
    let vote = Message::PreVoteResponse { term: Term(1), granted: true };
    assert_eq!(refused(&vote, &[small], &limits), BodyError::PayloadCount { slice: 0, payloads: 1 });
    // One large entry alone may exceed the ordinary limit of a frame.
    let one = append(prev, &[(5, 11)], 11);
    let mut out = Vec::new();
    encode_raft(&ROUTE, &one, [large], &limits, &mut out).unwrap();
    let (header, body) = ExtendedHeader::decode(&out).unwrap();
    assert_eq!(RaftBody::decode(&header, body, &limits).unwrap().message, one);
}

/// A frame by another implementation whose header does not repeat its message, or that hides what its law forbids.
#[test]
fn a_receiver_refuses_what_breaks_a_law() {
    let prev = EntryId { term: Term(4), index: Index(10) };
    let message = append(prev, &[(5, 11)], 12);
    let payload: (EntryKind, &[u8]) = (EntryKind::Command, b"a");
    let limits = Limits::default();
    let mut frame = Vec::new();
    encode_raft(&ROUTE, &message, [payload, payload], &limits, &mut frame).unwrap();
    let (header, body) = ExtendedHeader::decode(&frame).unwrap();
    let refused = |header: &ExtendedHeader, body: &[u8]| match RaftBody::decode(header, body, &limits) {
        Err(WireError::Body { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let disagrees = |field, header, message| BodyError::HeaderDisagrees { field, header, message };
    assert_eq!(refused(&ExtendedHeader { term: 8, ..header }, body), disagrees("term", 8, 9));
    assert_eq!(refused(&ExtendedHeader { index: 11, ..header }, body), disagrees("index", 11, 10));
    assert_eq!(refused(&ExtendedHeader { accepted: true, ..header }, body), disagrees("accepted byte", 1, 0));
    assert_eq!(refused(&ExtendedHeader { message_type: MessageType::PreVote, ..header }, body), disagrees("type", 20, 3));
    assert_eq!(refused(&header, &body[..body.len() - 1]), BodyError::Truncated { needed: 1, left: 0 });
    assert_eq!(refused(&header, &body[..body.len() - 6]), BodyError::PayloadCount { slice: 2, payloads: 1 });
    assert_eq!(refused(&header, &body[..7]), BodyError::Truncated { needed: 8, left: 7 });
    let mut unknown = body.to_vec();
    let kind_at = body.len() - 6;
    unknown[kind_at] = 2;
    assert_eq!(refused(&header, &unknown), BodyError::Kind(2));
    // A term or an index that would run over when the core counts on from it.
    let commits = |commit| Message::AppendEntries {
        term: Term(9),
        slice: Slice::empty(EntryId { term: Term(4), index: Index(5) }),
        commit: Index(commit),
        round: Round(0),
    };
    let names = |term, first| {
        let runs = [Run { term: Term(term), first: Index(first) }].into_iter().collect();
        Message::AppendEntriesResponse { term: Term(9), result: Err(Box::new(Behind { last: Index(5), runs })), round: Round(0) }
    };
    for far in [commits(u64::MAX), names(u64::MAX, 1), names(1, u64::MAX)] {
        let mut frame = Vec::new();
        encode_raft(&ROUTE, &far, [], &limits, &mut frame).unwrap();
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        assert_eq!(refused(&header, body), BodyError::OutOfRange(u64::MAX), "{far:?}");
    }
}

/// A frame is measured alone, however many others wait before it in the same buffer.
#[test]
fn a_frame_behind_others_may_be_as_large() {
    let limits = Limits { frame_bytes_max: 100, ..Limits::default() };
    let message = append(EntryId { term: Term(4), index: Index(10) }, &[(5, 11)], 12);
    let payload: (EntryKind, &[u8]) = (EntryKind::Command, &[1; 20]);
    let mut out = vec![0; 1000];
    encode_raft(&ROUTE, &message, [payload; 2], &limits, &mut out).unwrap();
}

/// A client's frame belongs to no life of a group, a node's begins with it; and a body is read as what its header says alone.
#[test]
fn a_body_is_what_its_header_says() {
    let body = [7, 0, 0, 0, 0, 0, 0, 0, 9];
    for (of, expected) in [
        (MessageType::AppendEntries, Some(Incarnation(7))),
        (MessageType::InstallSnapshot, Some(Incarnation(7))),
        (MessageType::ClientRequest, None),
        (MessageType::ClientResponse, None),
    ] {
        assert_eq!(incarnation_of(of, &body), expected, "{of}");
    }
    let items = b"items";
    let crc = SnapshotChunk::crc_of(items);
    let chunk = SnapshotChunk { term: Term(1), transfer: 2, at: EntryId::default(), sequence: 0, done: false, crc, items };
    let mut frame = Vec::new();
    chunk.encode(&ROUTE, &mut frame).unwrap();
    let (header, body) = ExtendedHeader::decode(&frame).unwrap();
    assert!(SnapshotChunk::decode(&header, body).is_ok());
    let other = ExtendedHeader { message_type: MessageType::AppendEntries, ..header };
    let why = BodyError::OtherType;
    assert_eq!(SnapshotChunk::decode(&other, body), Err(WireError::Body { of: MessageType::AppendEntries, why }));
}

/// Goal: a body that is no postcard says in which way. Method: a refusal of an append, then the byte that is wrong.
#[test]
fn a_damaged_body_says_what_is_wrong() {
    let message = Message::AppendEntriesResponse { term: Term(9), result: Ok(Index(5)), round: Round(0) };
    let mut frame = Vec::new();
    encode_raft(&ROUTE, &message, [], &Limits::default(), &mut frame).unwrap();
    let (header, body) = ExtendedHeader::decode(&frame).unwrap();
    let says = |message: &[u8]| match RaftBody::decode(&header, &[&body[..8], message].concat(), &Limits::default()) {
        Err(WireError::Body { why: BodyError::Postcard(why), .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(body[8..], [5, 9, 0, 5, 0], "variant, term, Ok, index, round");
    assert_eq!(says(&[5, 9, 0]), "it ends too early");
    assert_eq!(says(&[[5].as_slice(), &[0xff; 11]].concat()), "a number has too many bytes");
    assert_eq!(says(&[1, 9, 7]), "a variant is unknown", "a pre-vote is granted or not");
    assert_eq!(says(&[99]), "a value is out of its range");
    let mut frame = Vec::new();
    ClientResponse::Unknown { why: "text" }.encode(NodeId(1), GroupId::DEFAULT, 3, &mut frame).unwrap();
    let (header, body) = ExtendedHeader::decode(&frame).unwrap();
    let garbled = [&body[..body.len() - 1], &[0xff]].concat();
    let why = BodyError::Postcard("a text is not UTF-8");
    assert_eq!(ClientResponse::decode(&header, &garbled), Err(WireError::Body { of: MessageType::ClientResponse, why }));
}

/// What a snapshot's piece says of its bytes is checked before they are staged.
#[test]
fn a_piece_with_a_wrong_checksum_is_refused() {
    let chunk = SnapshotChunk { term: Term(1), transfer: 2, at: EntryId::default(), sequence: 0, done: false, crc: 5, items: b"items" };
    let mut frame = Vec::new();
    chunk.encode(&ROUTE, &mut frame).unwrap();
    let (header, body) = ExtendedHeader::decode(&frame).unwrap();
    let computed = SnapshotChunk::crc_of(b"items");
    let why = BodyError::Crc { stored: 5, computed };
    assert_eq!(SnapshotChunk::decode(&header, body), Err(WireError::Body { of: MessageType::InstallSnapshot, why }));
}

/// Which answers to a piece say that the transfer goes on or has reached its end.
#[test]
fn an_answer_to_a_piece_is_accepted_or_not() {
    use SnapshotResult::{Busy, Complete, Continue, Failed, NotNeeded};
    let accepted = [Continue, Complete, NotNeeded, Busy, Failed].map(SnapshotResult::is_accepted);
    assert_eq!(accepted, [true, true, true, false, false]);
}

/// A whole frame and nothing else: what lacks and what is too much is counted.
#[test]
fn a_body_is_as_long_as_its_header_says() {
    let mut frame = encode(&append(EntryId { term: Term(4), index: Index(10) }, &[(5, 11)], 11), &[(EntryKind::Command, vec![1; 20])]);
    assert!(next_frame(Version::Extended, &frame, &Limits::default()).unwrap().is_some_and(|span| !span.is_empty()));
    assert!(matches!(ExtendedHeader::decode(&frame[..frame.len() - 3]), Err(WireError::Truncated { needed: 3, left: 0, .. })));
    frame.extend_from_slice(b"more");
    assert_eq!(ExtendedHeader::decode(&frame).err(), Some(WireError::Trailing(4)));
}
