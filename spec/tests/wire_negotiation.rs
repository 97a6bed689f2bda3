//! The negotiation, both ends against each other and against NuRaft's behaviour, in every mix of policies and with the bytes coming one by one.

use roadstead_spec::NodeId;
use roadstead_spec::wire::legacy::{Entry, ValueType, flags};
use roadstead_spec::wire::negotiation::{
    Acceptor, Caller, Dialer, FEATURES, Identity, Known, Link, Local, Policy, Refusal, RefusalCode, Target,
};
use roadstead_spec::wire::{
    ClusterId, HELLO_BYTES, Header, HelloError, LegacyRequest, LegacyResponse, Limits, MessageType, RPC_RESP_HEADER_SIZE, StoreId, Version,
    WireError, next_frame,
};

const CLUSTER: ClusterId = ClusterId(0xc1);
/// A peer that was never met.
const NEW: Known = Known::Peer { store: None };
const NONCE: u64 = 0x0bad_cafe;
/// An offer: 54 bytes of header, 13 of its entry, then the hello.
const OFFER_HELLO_AT: usize = 67;
const POLICIES: [Policy; 3] = [Policy::Auto, Policy::Legacy, Policy::Extended];

fn local(node: u32, policy: Policy) -> Local {
    Local { node: NodeId(node), cluster: CLUSTER, store: StoreId(100 + u128::from(node)), boot: node.into(), features: FEATURES, policy }
}

fn known_store(store: u128) -> Known {
    Known::Peer { store: Some(StoreId(store)) }
}

fn client(cluster: ClusterId) -> Caller {
    Caller::Client { cluster, boot: 9, features: FEATURES }
}

fn identity(node: u32, store_is_new: bool) -> Identity {
    Identity { node: NodeId(node), store: StoreId(100 + u128::from(node)), store_is_new, boot: node.into(), features: FEATURES }
}

fn target(node: u32) -> Target {
    Target { node: Some(NodeId(node)), store: None }
}

type Outcome = Result<Link, Refusal>;

/// How both ends come out when the bytes travel in pieces of `piece` bytes. `None`: still waiting when nothing more comes.
struct Ends {
    dialer: Option<Outcome>,
    acceptor: Option<Outcome>,
}

fn dialer_outcome(dialer: Dialer) -> Option<Outcome> {
    match dialer {
        Dialer::Done(outcome) => Some(outcome),
        Dialer::Offered { .. } => None,
    }
}

fn acceptor_outcome(acceptor: Acceptor) -> Option<Outcome> {
    match acceptor {
        Acceptor::Done(outcome) => Some(outcome),
        Acceptor::Listening { .. } => None,
    }
}

fn feed(bytes: &[u8], piece: usize, mut receive: impl FnMut(&[u8]) -> usize) -> Vec<u8> {
    let mut buffer = Vec::new();
    for part in bytes.chunks(piece) {
        buffer.extend_from_slice(part);
        let consumed = receive(&buffer);
        buffer.drain(..consumed);
    }
    buffer
}

fn connect(caller: impl Into<Caller>, target: Target, acceptor: Local, remembered: impl Into<Known> + Copy, piece: usize) -> Ends {
    let mut offer = Vec::new();
    let mut dialer = Dialer::start(caller, target, NONCE, &mut offer);
    let mut acceptor = Acceptor::new(acceptor);
    let mut answer = Vec::new();
    let left = feed(&offer, piece, |buffer| acceptor.receive(buffer, |_| remembered, &mut answer));
    assert!(left.is_empty(), "the acceptor left {} bytes of an offer", left.len());
    let left = feed(&answer, piece, |buffer| dialer.receive(buffer));
    assert!(left.is_empty(), "the dialer left {} bytes of an answer", left.len());
    Ends { dialer: dialer_outcome(dialer), acceptor: acceptor_outcome(acceptor) }
}

fn version(outcome: &Option<Outcome>) -> Option<Version> {
    outcome.as_ref().and_then(|outcome| outcome.as_ref().ok()).map(Link::version)
}

/// Rules 1, 2 and 5: all nine mixes of policies between nodes, in pieces of every size that matters.
#[test]
fn both_ends_agree_on_the_version_or_the_connection_carries_nothing() {
    use Policy::{Auto, Extended, Legacy};
    for dialing in POLICIES {
        for accepting in POLICIES {
            for piece in [1, 2, 53, 54, 55, 200] {
                let ends = connect(local(1, dialing), target(2), local(2, accepting), NEW, piece);
                let expected = match (dialing, accepting) {
                    (Auto | Extended, Auto | Extended) => (Some(Version::Extended), Some(Version::Extended)),
                    (Auto, Legacy) => (Some(Version::Legacy), Some(Version::Legacy)),
                    // A legacy dialer sends nothing: its first request decides, below.
                    (Legacy, _) => (Some(Version::Legacy), None),
                    (Extended, Legacy) => (None, None),
                };
                assert_eq!((version(&ends.dialer), version(&ends.acceptor)), expected, "{dialing:?} to {accepting:?} by {piece}");
                if (dialing, accepting) == (Extended, Legacy) {
                    assert_eq!(ends.dialer, Some(Err(Refusal::PeerIsLegacy)));
                    assert_eq!(ends.acceptor, Some(Err(Refusal::NoCommonVersion { lowest: 1, highest: 1 })));
                }
            }
        }
    }
}

/// The identity that each end learns, and whether its data folder is new.
#[test]
fn nodes_learn_each_others_identity() {
    let ends = connect(local(1, Policy::Auto), target(2), local(2, Policy::Auto), NEW, 1);
    assert_eq!(ends.dialer, Some(Ok(Link::Node(identity(2, true)))));
    assert_eq!(ends.acceptor, Some(Ok(Link::Node(identity(1, true)))));
    let known = Target { node: Some(NodeId(2)), store: Some(StoreId(102)) };
    let ends = connect(local(1, Policy::Auto), known, local(2, Policy::Auto), known_store(101), 1);
    assert_eq!(ends.dialer, Some(Ok(Link::Node(identity(2, false)))));
    assert_eq!(ends.acceptor, Some(Ok(Link::Node(identity(1, false)))));
}

/// A client gets version 1 under every policy of the node: `header` is a policy between nodes. It may know a node or only an address.
#[test]
fn clients_get_version_1_under_every_policy() {
    for policy in POLICIES {
        for cluster in [CLUSTER, ClusterId::ANY] {
            for wanted in [target(2), Target { node: None, store: None }] {
                let ends = connect(client(cluster), wanted, local(2, policy), NEW, 1);
                assert_eq!(ends.dialer, Some(Ok(Link::Node(identity(2, true)))), "{policy:?}");
                assert_eq!(ends.acceptor, Some(Ok(Link::Client { boot: 9, features: FEATURES })), "{policy:?}");
            }
        }
    }
}

/// Rule 4: the reason stands at both ends, in each end's words.
#[test]
fn strangers_are_refused_with_the_reason_at_both_ends() {
    let auto = |node| local(node, Policy::Auto);
    let elsewhere = Local { cluster: ClusterId(0xc2), ..auto(1) };
    let check = |name: &str, ends: Ends, code: RefusalCode, why: Refusal| {
        assert_eq!(ends.dialer, Some(Err(Refusal::ByPeer(code))), "{name}");
        assert_eq!(ends.acceptor, Some(Err(why)), "{name}");
    };
    let wrong_cluster = |theirs| Refusal::WrongCluster { ours: CLUSTER, theirs };
    check("another cluster", connect(elsewhere, target(2), auto(2), NEW, 1), RefusalCode::WrongCluster, wrong_cluster(ClusterId(0xc2)));
    check(
        "a client of another cluster",
        connect(client(ClusterId(0xc2)), target(2), auto(2), NEW, 1),
        RefusalCode::WrongCluster,
        wrong_cluster(ClusterId(0xc2)),
    );
    check(
        "address reuse",
        connect(auto(1), target(2), auto(3), NEW, 1),
        RefusalCode::WrongNode,
        Refusal::WrongNode { expected: 2, found: 3 },
    );
    check(
        "address reuse, seen by a client",
        connect(client(CLUSTER), target(2), auto(3), NEW, 1),
        RefusalCode::WrongNode,
        Refusal::WrongNode { expected: 2, found: 3 },
    );
    check(
        "a node that looks for nobody",
        connect(auto(1), Target { node: None, store: None }, auto(2), NEW, 1),
        RefusalCode::WrongNode,
        Refusal::WrongNode { expected: 0, found: 2 },
    );
    check("two nodes of one id", connect(auto(2), target(2), auto(2), NEW, 1), RefusalCode::SameNode, Refusal::SameNode(NodeId(2)));
    check(
        "not a peer",
        connect(auto(1), target(2), auto(2), Known::Stranger, 1),
        RefusalCode::UnknownNode,
        Refusal::UnknownNode(NodeId(1)),
    );
    check(
        "a wiped disk dials",
        connect(auto(1), target(2), auto(2), known_store(7), 1),
        RefusalCode::WrongStore,
        Refusal::WrongStore { node: NodeId(1), remembered: StoreId(7), found: StoreId(101) },
    );
}

/// A wiped disk that *listens* is refused by the dialer; the acceptor then sees the connection close.
#[test]
fn a_wiped_disk_that_listens_is_refused_by_the_dialer() {
    let wanted = Target { node: Some(NodeId(2)), store: Some(StoreId(7)) };
    let ends = connect(local(1, Policy::Auto), wanted, local(2, Policy::Auto), NEW, 1);
    let why = Refusal::WrongStore { node: NodeId(2), remembered: StoreId(7), found: StoreId(102) };
    assert_eq!(ends.dialer, Some(Err(why)));
}

fn offer(caller: impl Into<Caller>) -> (Dialer, Vec<u8>) {
    let mut offer = Vec::new();
    let dialer = Dialer::start(caller, target(2), NONCE, &mut offer);
    (dialer, offer)
}

fn accept(policy: Policy, bytes: &[u8]) -> (Option<Outcome>, usize, Vec<u8>) {
    let mut acceptor = Acceptor::new(local(2, policy));
    let mut answer = Vec::new();
    let consumed = acceptor.receive(bytes, |_| NEW, &mut answer);
    (acceptor_outcome(acceptor), consumed, answer)
}

fn pong(message_type: MessageType, flags: u32, context: &[u8]) -> Vec<u8> {
    let header = LegacyResponse { message_type, src: 2, dst: 1, term: 3, next_index: 0, accepted: false, flags };
    let mut out = Vec::new();
    header
        .encode(&mut out, |body| {
            body.extend_from_slice(context);
            Ok::<(), WireError>(())
        })
        .unwrap();
    out
}

/// NuRaft answers an offer as any ping: type 19, flags 0, nothing else (captured frame 68 is such an answer); with meta if it writes meta.
#[test]
fn a_nuraft_server_is_spoken_to_in_version_0() {
    let frame_68 = "0113010000000900000001000000000000000000000000000000000000000078 04fe2600000000";
    let digits: Vec<u8> = frame_68.bytes().filter(u8::is_ascii_hexdigit).collect();
    let frame_68: Vec<u8> = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let plain = pong(MessageType::PingResponse, 0, &[]);
    let with_meta = pong(MessageType::PingResponse, flags::INCLUDE_META, &[2, 0, 0, 0, b'm', b'1']);
    for answer in [&plain, &with_meta] {
        let (mut dialer, _) = offer(local(1, Policy::Auto));
        assert_eq!(dialer.receive(answer), answer.len());
        assert_eq!(dialer, Dialer::Done(Ok(Link::Legacy)));
        let (mut dialer, _) = offer(local(1, Policy::Extended));
        dialer.receive(answer);
        assert_eq!(dialer, Dialer::Done(Err(Refusal::PeerIsLegacy)));
        let (mut dialer, _) = offer(client(CLUSTER));
        dialer.receive(answer);
        assert_eq!(dialer, Dialer::Done(Err(Refusal::PeerIsLegacy)), "version 0 does not say which cluster this is");
        let (mut dialer, _) = offer(client(ClusterId::ANY));
        dialer.receive(answer);
        assert_eq!(dialer, Dialer::Done(Ok(Link::Legacy)), "a client that takes any cluster falls back");
    }
    // Frame 68 is server 1's: the node id that was dialled is checked on version 0 too.
    let (mut dialer, _) = offer(local(1, Policy::Auto));
    dialer.receive(&frame_68);
    assert_eq!(dialer, Dialer::Done(Err(Refusal::WrongNode { expected: 2, found: 1 })));
}

/// An offer is, to a NuRaft server, a ping with one entry that it skips: the layout of version 0 to the last byte.
#[test]
fn an_offer_is_an_ordinary_ping() {
    let (_, offer) = offer(local(1, Policy::Auto));
    let span = next_frame(Version::Legacy, &offer, &Limits::default()).unwrap().unwrap();
    let Header::LegacyRequest(header) = span.header else { panic!("not a request") };
    assert_eq!((header.message_type, header.src, header.dst, header.term, header.flags), (MessageType::Ping, 1, 2, 0, 0x0100_0000));
    assert_eq!(span.len(), offer.len());
    let body = roadstead_spec::wire::legacy::RequestBody::decode(header.flags, &offer[span.body]).unwrap();
    assert_eq!(body.entries.iter().map(|entry| (entry.term, entry.value_type)).collect::<Vec<_>>(), [(0, 231)]);
}

fn request(message_type: MessageType, flags: u32, entries: &[Entry<'_>]) -> Vec<u8> {
    let header = LegacyRequest { message_type, src: 1, dst: 2, term: 3, last_log_term: 0, last_log_index: 0, commit_index: 0, flags };
    let mut out = Vec::new();
    header.encode(&mut out, |body| entries.iter().try_for_each(|entry| entry.encode(flags, body))).unwrap();
    out
}

/// A peer that does not offer is legacy; its first frame is left in the buffer, whole, for the session. Its body need not be there yet.
#[test]
fn an_ordinary_first_frame_decides_for_version_0_and_stays() {
    let bytes = vec![7; 100_000];
    let big = Entry::plain(1, ValueType::App, &bytes);
    let foreign = Entry::plain(0, ValueType::Custom, b"somebody else's hello");
    let frames = [
        request(MessageType::AppendEntries, 0, &[]),
        request(MessageType::AppendEntries, 0, &[big])[..54].to_vec(),
        request(MessageType::PreVote, 0, &[]),
        request(MessageType::Ping, 0, &[]),
        request(MessageType::Ping, 0x80, &[]),
        request(MessageType::Ping, 0, &[foreign]),
        request(MessageType::Ping, 0, &[big])[..54].to_vec(),
    ];
    for frame in frames {
        for policy in [Policy::Auto, Policy::Legacy] {
            assert_eq!(accept(policy, &frame), (Some(Ok(Link::Legacy)), 0, vec![]));
        }
        assert_eq!(accept(Policy::Extended, &frame), (Some(Err(Refusal::PeerIsLegacy)), 0, vec![]));
        assert_eq!(accept(Policy::Auto, &frame[..53]), (None, 0, vec![]), "a header short of a byte decides nothing");
    }
}

/// Version 0 covers neither flags nor body: when one of offer flag, hello and checksum is damaged, nothing is guessed and nobody is left
/// believing something else than the other end.
#[test]
fn no_flipped_bit_lets_the_ends_disagree() {
    let (_, clean) = offer(local(1, Policy::Auto));
    for at in 0..clean.len() {
        for bit in 0..8 {
            let mut offer_bytes = clean.clone();
            offer_bytes[at] ^= 1 << bit;
            let (acceptor, _, answer) = accept(Policy::Auto, &offer_bytes);
            let (mut dialer, _) = offer(local(1, Policy::Auto));
            dialer.receive(&answer);
            settled_alike(&acceptor, dialer_outcome(dialer), &format!("offer, byte {at} bit {bit}"));
        }
    }
    let (acceptor, _, clean) = accept(Policy::Auto, &clean);
    for at in 0..clean.len() {
        for bit in 0..8 {
            let mut answer = clean.clone();
            answer[at] ^= 1 << bit;
            let (mut dialer, _) = offer(local(1, Policy::Auto));
            dialer.receive(&answer);
            settled_alike(&acceptor, dialer_outcome(dialer), &format!("answer, byte {at} bit {bit}"));
        }
    }
}

/// A hello's own checksum notices what version 0 does not cover: every flipped bit of it is refused where it arrives.
#[test]
fn a_damaged_hello_is_refused_where_it_arrives() {
    let (_, offered) = offer(local(1, Policy::Auto));
    let (_, _, agreed) = accept(Policy::Auto, &offered);
    for at in 0..HELLO_BYTES {
        for bit in 0..8 {
            let mut damaged = offered.clone();
            damaged[OFFER_HELLO_AT + at] ^= 1 << bit;
            let (outcome, _, _) = accept(Policy::Auto, &damaged);
            assert!(matches!(outcome, Some(Err(Refusal::Hello(_)))), "offer, byte {at} bit {bit}: {outcome:?}");
            let mut damaged = agreed.clone();
            damaged[RPC_RESP_HEADER_SIZE + at] ^= 1 << bit;
            let (mut dialer, _) = offer(local(1, Policy::Auto));
            dialer.receive(&damaged);
            assert!(matches!(dialer, Dialer::Done(Err(Refusal::Hello(_)))), "answer, byte {at} bit {bit}: {dialer:?}");
        }
    }
}

/// The offer's flag is covered by nothing either: a hello without it is one of ours, damaged, and not a legacy peer's ping.
#[test]
fn a_hello_without_its_flag_is_refused_and_not_taken_for_legacy() {
    let (_, mut offered) = offer(local(1, Policy::Auto));
    offered[53] ^= 1;
    let (outcome, consumed, answer) = accept(Policy::Auto, &offered);
    assert_eq!(outcome, Some(Err(Refusal::Contradiction("a hello came without the OFFER flag"))));
    assert_eq!(consumed, offered.len());
    let (mut dialer, _) = offer(local(1, Policy::Auto));
    dialer.receive(&answer);
    assert_eq!(dialer, Dialer::Done(Err(Refusal::ByPeer(RefusalCode::MalformedHello))));
}

/// When both ends are settled, they agree. An end that refuses or waits carries nothing, so the other one cannot go wrong.
fn settled_alike(acceptor: &Option<Outcome>, dialer: Option<Outcome>, what: &str) {
    if let (Some(accepted), Some(dialed)) = (version(acceptor), version(&dialer)) {
        assert_eq!(accepted, dialed, "{what}");
    }
    // An acceptor that settled on version 0 without an answer leaves its dialer waiting, never talking.
    assert!(!matches!((acceptor, &dialer), (Some(Err(_)), Some(Ok(_)))), "{what}: refused, and the dialer talks");
}

/// Answers that contradict themselves are refused by the dialer.
#[test]
fn a_contradictory_answer_is_refused() {
    let (_, offered) = offer(local(1, Policy::Auto));
    let (_, _, agreed) = accept(Policy::Auto, &offered);
    let hello = agreed[39..].to_vec();
    let mut foreign = hello.clone();
    foreign[0] ^= 0xff;
    let nonce = {
        let mut other = Vec::new();
        Dialer::start(local(1, Policy::Auto), target(2), NONCE + 1, &mut other);
        accept(Policy::Auto, &other).2
    };
    let contradiction = Refusal::Contradiction;
    let cases = [
        (pong(MessageType::PingResponse, 0x80, &[]), contradiction("the answer has flag 0x80 and no hello")),
        (pong(MessageType::PingResponse, 0, &hello), contradiction("the answer has a body and not flag 0x80")),
        (pong(MessageType::PingResponse, 0x80, &hello), contradiction("the answer's header and hello differ")),
        (pong(MessageType::PingResponse, 0x80, &offered[OFFER_HELLO_AT..]), contradiction("the answer is itself an offer")),
        (pong(MessageType::PingResponse, 0x80, &foreign), Refusal::Hello(HelloError::Magic)),
        (pong(MessageType::PingResponse, 0x80, &hello[..79]), Refusal::Hello(HelloError::Length { length: 80, got: 79 })),
        (pong(MessageType::PingResponse, 0x81, &hello), contradiction("the answer's flags and body do not fit together")),
        (pong(MessageType::AppendEntriesResponse, 0, &[]), Refusal::NotAPong(MessageType::AppendEntriesResponse)),
        (nonce, Refusal::WrongNonce { offered: NONCE, found: NONCE + 1 }),
        (offered.clone(), Refusal::Frame(WireError::Marker { found: 0, version: 0 })),
        (vec![0x11], Refusal::Frame(WireError::Marker { found: 0x11, version: 0 })),
        (b"HTTP/1.1 400".to_vec(), Refusal::Frame(WireError::Marker { found: b'H', version: 0 })),
    ];
    for (answer, why) in cases {
        let (mut dialer, _) = offer(local(1, Policy::Auto));
        dialer.receive(&answer);
        assert_eq!(dialer, Dialer::Done(Err(why)));
    }
}

/// The dialer sends nothing between its offer and the answer; one that does is refused, since those bytes could be read in two ways.
#[test]
fn bytes_behind_an_unanswered_offer_are_refused() {
    let (_, mut bytes) = offer(local(1, Policy::Auto));
    bytes.push(0x10);
    let (outcome, _, answer) = accept(Policy::Auto, &bytes);
    assert_eq!(outcome, Some(Err(Refusal::Early(1))));
    let (mut dialer, _) = offer(local(1, Policy::Auto));
    dialer.receive(&answer);
    assert_eq!(dialer, Dialer::Done(Err(Refusal::ByPeer(RefusalCode::MalformedHello))));
}

/// The first byte alone closes what is no frame, before a header could be waited for.
#[test]
fn an_acceptor_needs_one_byte_to_refuse_another_protocol() {
    for first in [0x02, 0x10, 0x11, 0x16, b'G'] {
        let (outcome, consumed, answer) = accept(Policy::Auto, &[first]);
        assert_eq!(outcome, Some(Err(Refusal::Frame(WireError::Marker { found: first, version: 0 }))));
        assert_eq!((consumed, answer), (0, vec![]));
    }
}

/// Makes a hello's bytes valid again after a change.
fn seal(hello: &mut [u8]) {
    let length = u16::try_from(hello.len()).unwrap();
    hello[8..10].copy_from_slice(&length.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&hello[..12]);
    hasher.update(&hello[16..]);
    hello[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
}

/// An offer whose hello is changed by `change`.
fn offer_with(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (_, clean) = offer(local(1, Policy::Auto));
    let mut hello = clean[OFFER_HELLO_AT..].to_vec();
    change(&mut hello);
    seal(&mut hello);
    let (header, _) = LegacyRequest::decode(&clean).unwrap();
    let mut out = Vec::new();
    header.encode(&mut out, |body| Entry::plain(0, ValueType::Custom, &hello).encode(header.flags, body)).unwrap();
    out
}

/// A later release's hello: more bytes behind the known ones, feature bits that we do not know, versions above ours. All is skipped.
#[test]
fn a_later_release_is_understood() {
    let frame = offer_with(|hello| {
        hello.extend_from_slice(b"what a later release adds");
        hello[18..20].copy_from_slice(&9_u16.to_le_bytes());
        hello[72..80].copy_from_slice(&u64::MAX.to_le_bytes());
    });
    let (outcome, consumed, _) = accept(Policy::Auto, &frame);
    assert_eq!(outcome, Some(Ok(Link::Node(Identity { features: u64::MAX, ..identity(1, true) }))));
    assert_eq!(consumed, frame.len());
}

/// A release that dropped version 1, and one that never had it: refused at both ends, whatever the policy.
#[test]
fn a_release_without_version_1_is_refused() {
    for (lowest, highest) in [(2_u16, 9_u16), (0, 0)] {
        let frame = offer_with(|hello| {
            hello[16..18].copy_from_slice(&lowest.to_le_bytes());
            hello[18..20].copy_from_slice(&highest.to_le_bytes());
        });
        let (outcome, _, answer) = accept(Policy::Auto, &frame);
        assert_eq!(outcome, Some(Err(Refusal::NoCommonVersion { lowest, highest })));
        let (mut dialer, _) = offer(local(1, Policy::Auto));
        dialer.receive(&answer);
        assert_eq!(dialer, Dialer::Done(Err(Refusal::ByPeer(RefusalCode::NoCommonVersion))));
    }
}

/// Hellos that hold together and make no sense.
#[test]
fn a_senseless_hello_is_refused() {
    let cases: [(usize, &[u8], Refusal); 5] = [
        (10, &[7], Refusal::Hello(HelloError::Kind(7))),
        (16, &[3, 0, 1, 0], Refusal::Hello(HelloError::Versions(3, 1))),
        (20, &[0, 0, 0, 0x80], Refusal::Hello(HelloError::Node(0x8000_0000))),
        (20, &[3, 0, 0, 0], Refusal::Contradiction("the offer's header and hello differ")),
        (20, &[0xff, 0xff, 0xff, 0x7f], Refusal::Contradiction("the offer's header and hello differ")),
    ];
    for (at, bytes, why) in cases {
        let frame = offer_with(|hello| hello[at..at + bytes.len()].copy_from_slice(bytes));
        let (outcome, _, answer) = accept(Policy::Auto, &frame);
        assert_eq!(outcome, Some(Err(why)));
        let (mut dialer, _) = offer(local(1, Policy::Auto));
        dialer.receive(&answer);
        assert_eq!(dialer, Dialer::Done(Err(Refusal::ByPeer(RefusalCode::MalformedHello))));
    }
}

/// Rule 4 holds for a client, too: it asked for a cluster, and an agreement of another one is none.
#[test]
fn a_client_refuses_an_agreement_of_another_cluster() {
    let elsewhere = ClusterId(0xc2);
    let (_, offered) = offer(client(ClusterId::ANY));
    let mut acceptor = Acceptor::new(Local { cluster: elsewhere, ..local(2, Policy::Auto) });
    let mut answer = Vec::new();
    acceptor.receive(&offered, |_| NEW, &mut answer);
    for (asked, expected) in [(ClusterId::ANY, None), (CLUSTER, Some(Refusal::WrongCluster { ours: CLUSTER, theirs: elsewhere }))] {
        let (mut dialer, _) = offer(client(asked));
        dialer.receive(&answer);
        assert_eq!(dialer_outcome(dialer).expect("an outcome").err(), expected);
    }
}

/// Goal: who reads a log sees which cluster, which data folder, which type and which reason.
#[test]
fn the_words_of_a_refusal_name_what_differs() {
    let by_peer = |code| Refusal::ByPeer(code).to_string();
    let wrong_cluster = Refusal::WrongCluster { ours: ClusterId(0xa), theirs: ClusterId(0xb) }.to_string();
    let wrong_store = Refusal::WrongStore { node: NodeId(7), remembered: StoreId(0xa), found: StoreId(0xb) }.to_string();
    let not_a_pong = Refusal::NotAPong(MessageType::AppendEntries).to_string();
    let cases: [(String, &[&str]); 5] = [
        (by_peer(RefusalCode::WrongCluster), &["set the same `cluster` on both nodes"]),
        (by_peer(RefusalCode::UnknownNode), &["is not among its `peers`"]),
        (wrong_cluster, &["0000000000000000000000000000000a", "0000000000000000000000000000000b"]),
        (wrong_store, &["7", "0000000000000000000000000000000a", "0000000000000000000000000000000b"]),
        (not_a_pong, &["append_entries (3)"]),
    ];
    for (text, parts) in cases {
        assert!(parts.iter().all(|part| text.contains(part)), "{text} lacks one of {parts:?}");
    }
}

/// An answer comes to who has asked nothing: it is refused by its first byte, in whatever pieces it comes.
#[test]
fn an_answer_is_no_opening_in_any_pieces() {
    let mut answer = Vec::new();
    let header =
        LegacyResponse { message_type: MessageType::PingResponse, src: 1, dst: 2, term: 0, next_index: 0, accepted: true, flags: 0 };
    header.encode(&mut answer, |_| Ok::<(), WireError>(())).unwrap();
    answer.resize(60, 0);
    for piece in [1, 13, RPC_RESP_HEADER_SIZE, 53, 54, 60] {
        let mut acceptor = Acceptor::new(local(2, Policy::Auto));
        let mut out = Vec::new();
        feed(&answer, piece, |buffer| acceptor.receive(buffer, |_| NEW, &mut out));
        let refused = Refusal::Frame(WireError::Marker { found: 1, version: 0 });
        assert_eq!((acceptor_outcome(acceptor), out), (Some(Err(refused)), Vec::new()), "in pieces of {piece}");
    }
}
