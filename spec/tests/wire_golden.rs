//! One whole frame per version 1 message, as bytes. A change here is a change of the wire format: it needs a new header version or a feature
//! bit of the hello, a line in `docs/wire.md` and one in the changelog.

use roadstead_spec::raft::{Behind, Message, ReadId, Round, Run, Slice};
use roadstead_spec::wire::body::{
    ClientRequest, ClientResponse, Consistency, EntryKind, Forward, ForwardResponse, LeaderHint, NoSpace, NotTaken, Operation, RaftBody,
    Rejection, Route, SnapshotAnswer, SnapshotChunk, SnapshotResult, encode_raft,
};
use roadstead_spec::wire::negotiation::{Acceptor, Dialer, FEATURES, Known, Local, Policy, Target};
use roadstead_spec::wire::{
    ClusterId, ExtendedHeader, Header, LegacyRequest, LegacyResponse, Limits, MessageType, StoreId, Version, next_frame,
};
use roadstead_spec::{EntryId, GroupId, Incarnation, Index, NodeId, Term};
use std::collections::BTreeSet;

fn group() -> GroupId {
    GroupId::new(17).unwrap()
}

fn route() -> Route {
    Route { from: NodeId(1), to: NodeId(2), group: group(), incarnation: Incarnation(0x1122_3344_5566_7788) }
}

fn id(term: u64, index: u64) -> EntryId {
    EntryId { term: Term(term), index: Index(index) }
}

fn run(term: u64, first: u64) -> Run {
    Run { term: Term(term), first: Index(first) }
}

fn raft(message: Message, payloads: &[(EntryKind, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_raft(&route(), &message, payloads.iter().copied(), &Limits::default(), &mut out).unwrap();
    let (header, body) = ExtendedHeader::decode(&out).unwrap();
    let decoded = RaftBody::decode(&header, body, &Limits::default()).unwrap();
    assert_eq!((decoded.incarnation, &decoded.message), (route().incarnation, &message));
    let found: Vec<_> = decoded.payloads(body).map(|span| (span.kind, &body[span.range])).collect();
    assert_eq!(found, payloads);
    out
}

fn append_entries() -> (Message, Vec<(EntryKind, &'static [u8])>) {
    let slice = Slice { prev: id(4, 299), runs: [run(4, 300), run(7, 301)].into_iter().collect(), last: Index(302) };
    let message = Message::AppendEntries { term: Term(7), slice, commit: Index(298), round: Round(41) };
    (message, vec![(EntryKind::Command, b"put a=1"), (EntryKind::Noop, b""), (EntryKind::Command, b"del b")])
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let read = ReadId { node: NodeId(1), boot: 0x0102_0304_0506_0708, number: 9 };
    let behind = Behind { last: Index(250), runs: [run(4, 240), run(3, 100)].into_iter().collect() };
    let (append, payloads) = append_entries();
    let term = Term(7);
    vec![
        ("pre_vote", raft(Message::PreVote { term, last: id(4, 300) }, &[])),
        ("pre_vote_response", raft(Message::PreVoteResponse { term, granted: true }, &[])),
        ("request_vote", raft(Message::RequestVote { term, last: id(4, 300) }, &[])),
        ("request_vote_response", raft(Message::RequestVoteResponse { term, granted: false }, &[])),
        ("append_entries", raft(append, &payloads)),
        (
            "append_entries, heartbeat",
            raft(Message::AppendEntries { term, slice: Slice::empty(id(4, 300)), commit: Index(300), round: Round(42) }, &[]),
        ),
        ("append_entries_response, matched", raft(Message::AppendEntriesResponse { term, result: Ok(Index(302)), round: Round(41) }, &[])),
        (
            "append_entries_response, behind",
            raft(Message::AppendEntriesResponse { term, result: Err(Box::new(behind)), round: Round(41) }, &[]),
        ),
        ("read_index", raft(Message::ReadIndex { term, id: read }, &[])),
        ("read_index_response", raft(Message::ReadIndexResponse { term, id: read, index: Some(Index(302)) }, &[])),
    ]
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

fn client_frames() -> Vec<(&'static str, Vec<u8>)> {
    let request = |operation| {
        let request = ClientRequest { timeout_ms: 5_000, operation };
        let frame = encoded(|out| request.encode(Some(NodeId(2)), group(), 77, out).unwrap());
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        assert_eq!((header.index, ClientRequest::decode(&header, body)), (77, Ok(request)));
        frame
    };
    let response = |response: ClientResponse<'_>| {
        let frame = encoded(|out| response.encode(NodeId(2), group(), 77, out).unwrap());
        let (header, body) = ExtendedHeader::decode(&frame).unwrap();
        assert_eq!((header.index, ClientResponse::decode(&header, body)), (77, Ok(response)));
        frame
    };
    let leader = Some(LeaderHint { node: NodeId(3), address: "10.0.0.3:7000" });
    vec![
        ("client_request, write", request(Operation::Write(b"put a=1"))),
        ("client_request, query", request(Operation::Query { bytes: b"get a", consistency: Consistency::Linearizable })),
        ("client_request, stale query", request(Operation::Query { bytes: b"get a", consistency: Consistency::Stale })),
        ("client_response, committed", response(ClientResponse::Committed { index: Index(302), term: Term(7), bytes: b"ok" })),
        ("client_response, query result", response(ClientResponse::QueryResult { applied: Index(302), bytes: b"1" })),
        ("client_response, not leader", response(ClientResponse::Rejected(Rejection::NotLeader { leader }))),
        ("client_response, leader unknown", response(ClientResponse::Rejected(Rejection::NotLeader { leader: None }))),
        ("client_response, no such group", response(ClientResponse::Rejected(Rejection::NoSuchGroup))),
        ("client_response, busy", response(ClientResponse::Rejected(Rejection::Busy))),
        ("client_response, too large", response(ClientResponse::Rejected(Rejection::TooLarge { limit: 8 << 20 }))),
        ("client_response, group failed", response(ClientResponse::Rejected(Rejection::GroupFailed("bad disk")))),
        ("client_response, shutting down", response(ClientResponse::Rejected(Rejection::ShuttingDown))),
        ("client_response, malformed", response(ClientResponse::Rejected(Rejection::Malformed("no key")))),
        ("client_response, deadline exceeded", response(ClientResponse::Rejected(Rejection::DeadlineExceeded))),
        ("client_response, no leader", response(ClientResponse::Rejected(Rejection::NoLeader))),
        ("client_response, no space", response(ClientResponse::Rejected(Rejection::NoSpace { node: NodeId(3) }))),
        ("client_response, peer is legacy", response(ClientResponse::Rejected(Rejection::PeerIsLegacy("node 2")))),
        ("client_response, unknown", response(ClientResponse::Unknown { why: "leader changed" })),
    ]
}

fn node_frames() -> Vec<(&'static str, Vec<u8>)> {
    let forward = Forward { origin_boot: 5, request: 77, timeout_ms: 900, command: b"put a=1" };
    let outcome = ClientResponse::Committed { index: Index(302), term: Term(7), bytes: b"ok" };
    let forwarded = ForwardResponse { origin_boot: 5, request: 77, outcome };
    let crc = SnapshotChunk::crc_of(b"items");
    let chunk = SnapshotChunk { term: Term(7), transfer: 6, at: id(4, 300), sequence: 2, done: true, crc, items: b"items" };
    let answer = SnapshotAnswer { term: Term(7), transfer: 6, next: 3, result: SnapshotResult::Complete };
    let refused = NotTaken { refused: MessageType::AppendEntries, index: 299 };
    let (there, back) = (route(), route().reversed());
    macro_rules! frame {
        ($type:ident, $value:expr, $encode:ident, $route:expr) => {{
            let frame = encoded(|out| $value.$encode(&$route, out).unwrap());
            let (header, body) = ExtendedHeader::decode(&frame).unwrap();
            assert_eq!($type::decode(&header, body), Ok((there.incarnation, $value)));
            frame
        }};
    }
    vec![
        ("forward", frame!(Forward, forward, encode, there)),
        ("forward_response", frame!(ForwardResponse, forwarded, encode, back)),
        ("install_snapshot", frame!(SnapshotChunk, chunk, encode, there)),
        ("install_snapshot_response", frame!(SnapshotAnswer, answer, encode, back)),
        ("no_such_group", frame!(NotTaken, refused, encode_no_such_group, back)),
        ("busy", frame!(NotTaken, refused, encode_busy, back)),
        ("no_space, appends", frame!(NoSpace, NoSpace { appends: true }, encode, back)),
        ("no_space, appends nothing", frame!(NoSpace, NoSpace { appends: false }, encode, back)),
    ]
}

fn local(node: u32) -> Local {
    let store = StoreId(0xa0a1_a2a3_a4a5_a6a7_a8a9_aaab_acad_ae00 | u128::from(node));
    let cluster = ClusterId(0xc0c1_c2c3_c4c5_c6c7_c8c9_cacb_cccd_cecf);
    Local { node: NodeId(node), cluster, store, boot: 0xb000 | u64::from(node), features: FEATURES, policy: Policy::Auto }
}

fn negotiation_frames() -> Vec<(&'static str, Vec<u8>)> {
    let mut offer = Vec::new();
    let target = Target { node: Some(NodeId(2)), store: None };
    Dialer::start(local(1), target, 0x0102_0304_0506_0708, &mut offer);
    let answer = |local: Local| {
        encoded(|out| {
            let consumed = Acceptor::new(local).receive(&offer, |_| Known::Peer { store: None }, out);
            assert_eq!(consumed, offer.len());
        })
    };
    let stranger = Local { cluster: ClusterId(1), ..local(2) };
    vec![("offer", offer.clone()), ("agreement", answer(local(2))), ("refusal, wrong cluster", answer(stranger))]
}

/// The bytes that `docs/wire.md` shows and explains are the real ones, and its table of types is the code's.
#[test]
fn the_document_shows_real_bytes_and_all_types() {
    let document = include_str!("../../docs/wire.md");
    let example = between(document, "<!-- example:begin -->", "<!-- example:end -->");
    let digits: String = example.lines().filter_map(|line| line.get(6..54)).flat_map(str::chars).filter(char::is_ascii_hexdigit).collect();
    let (message, payloads) = append_entries();
    let frame: String = raft(message, &payloads).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digits, frame);
    let table = between(document, "<!-- types:begin -->", "<!-- types:end -->");
    let expected: String = MessageType::ALL.iter().map(|it| type_row(*it)).collect();
    assert!(table.ends_with(&expected), "the table of types should end with\n{expected}");
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(part, _)| part).unwrap()
}

fn type_row(it: MessageType) -> String {
    let versions = match (it.is_legacy(), it.is_extended()) {
        (true, true) => "0, 1",
        (true, false) => "0",
        (false, _) => "1",
    };
    let direction = format!("{:?}", it.direction()).to_lowercase();
    let answer = it.legacy_answer().map_or(String::new(), |answer| answer.number().to_string());
    format!("| {} | `{}` | {direction} | {versions} | {answer} |\n", it.number(), it.name())
}

/// Every frame, in the order of the golden file; the file is `tests/data/wire-v1.golden`, one `name: hex` a line.
#[test]
fn every_message_has_its_golden_bytes() {
    let frames = [negotiation_frames(), messages(), client_frames(), node_frames()].concat();
    let found: String = frames
        .iter()
        .map(|(name, frame)| format!("{name}: {}\n", frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        .collect();
    let golden = include_str!("data/wire-v1.golden");
    for (found, golden) in found.lines().zip(golden.lines()) {
        assert_eq!(found, golden, "the wire format changed");
    }
    assert_eq!(found.lines().count(), golden.lines().count(), "all frames:\n{found}");
}

/// No version 1 type is without golden bytes.
#[test]
fn every_version_1_type_is_in_the_golden_file() {
    let frames = [messages(), client_frames(), node_frames()].concat();
    let found: BTreeSet<MessageType> = frames.iter().map(|(_, frame)| ExtendedHeader::decode(frame).unwrap().0.message_type).collect();
    assert_eq!(found, MessageType::ALL.iter().copied().filter(|it| it.is_extended()).collect());
}

/// A frame of one version is never taken for one of the other, whatever stands behind it.
#[test]
fn the_versions_never_parse_each_others_frames() {
    let limits = Limits::default();
    for (name, frame) in [messages(), client_frames(), node_frames()].concat() {
        assert!(next_frame(Version::Legacy, &frame[..1], &limits).is_err(), "{name}");
        assert!(LegacyRequest::decode(&frame).is_err() && LegacyResponse::decode(&frame).is_err(), "{name}");
        let whole = next_frame(Version::Extended, &frame, &limits).unwrap().unwrap();
        assert!(matches!(whole.header, Header::Extended(_)) && whole.len() == frame.len(), "{name}");
    }
    for (name, frame) in negotiation_frames() {
        assert!(next_frame(Version::Extended, &frame[..1], &limits).is_err(), "{name}");
        assert!(ExtendedHeader::decode(&frame).is_err(), "{name}");
    }
}
