//! Sessions without sockets: what comes out depends on the bytes, never on how they were cut into reads.

mod port_support;

use bytes::BytesMut;
use port_support::{CLUSTER, frame, local, request};
use proptest::prelude::*;
use roadstead::port::session::{Remote, Session, SessionLimits, Turn};
use roadstead::port::{CloseReason, Frame};
use roadstead_spec::NodeId;
use roadstead_spec::wire::negotiation::{Caller, Dialer, FEATURES, Known, Link, Policy, Target};
use roadstead_spec::wire::{Limits, MessageType, StoreId, Version};
use std::time::Duration;

const LIMITS: SessionLimits = SessionLimits {
    frames: Limits { frame_bytes_max: 4096, entry_bytes_max: 4096, legacy_bytes_max: 4096 },
    handshake: Duration::from_secs(3),
    read: Duration::from_secs(10),
};

fn known(node: NodeId) -> Known {
    if node == NodeId(2) { Known::Peer { store: None } } else { Known::Stranger }
}

/// A session that was accepted by node 1 and has heard `opening`.
fn accepted(opening: &[u8]) -> (Session, Turn) {
    let mut session = Session::accept(Duration::ZERO, local(1), LIMITS);
    let turn = session.on_bytes(Duration::ZERO, &mut BytesMut::from(opening), known);
    (session, turn)
}

fn offer(caller: Caller) -> Vec<u8> {
    let mut out = Vec::new();
    Dialer::start(caller, Target { node: Some(NodeId(1)), store: None }, 5, &mut out);
    out
}

fn client() -> Caller {
    Caller::Client { cluster: CLUSTER, boot: 1, features: FEATURES }
}

/// Feeds a session in pieces of these sizes; returns all frames and the end.
fn feed(mut session: Session, bytes: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<CloseReason>) {
    let (mut buffer, mut frames, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*cuts.next().expect("a size")).min(rest.len()));
        rest = after;
        buffer.extend_from_slice(piece);
        let turn = session.on_bytes(Duration::ZERO, &mut buffer, known);
        frames.extend(turn.frames);
        if turn.close.is_some() {
            return (frames, turn.close);
        }
    }
    (frames, None)
}

proptest! {
    /// Good frames, with perhaps one byte changed somewhere: cut anywhere, the same frames come out, and the same end.
    #[test]
    fn cutting_changes_nothing(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
        cuts in proptest::collection::vec(1_usize..300, 1..20),
        damage in proptest::option::of((any::<prop::sample::Index>(), 1_u8..)),
    ) {
        let mut bytes: Vec<u8> = bodies.iter().zip(0..).flat_map(|(body, id)| request(id, body)).collect();
        if let Some((place, change)) = damage {
            let place = place.index(bytes.len());
            bytes[place] ^= change;
        }
        let (whole, end) = feed(accepted(&offer(client())).0, &bytes, &[usize::MAX]);
        let (cut, cut_end) = feed(accepted(&offer(client())).0, &bytes, &cuts);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(&end, &cut_end);
        if damage.is_none() {
            prop_assert_eq!((whole.len(), end), (bodies.len(), None));
        } else {
            prop_assert!(whole.len() < bodies.len(), "a damaged frame was delivered");
        }
    }

    /// Bytes of nobody: no panic, no frame, whatever the first byte is.
    #[test]
    fn noise_is_never_a_frame(bytes in proptest::collection::vec(any::<u8>(), 1..3000), cuts in proptest::collection::vec(1_usize..300, 1..20)) {
        let (frames, _) = feed(Session::accept(Duration::ZERO, local(1), LIMITS), &bytes, &cuts);
        prop_assert!(frames.is_empty());
    }
}

/// Two sessions, back to back: both know the other, and frames go one way.
#[test]
fn two_sessions_introduce_themselves() {
    let dial = || Session::dial(Duration::ZERO, local(2), LIMITS, NodeId(1), None, 77);
    let (mut dialer, first) = dial();
    let (mut acceptor, answer) = accepted(&first.write);
    let Some(Remote::Node { peer: NodeId(2), version: Version::Extended, .. }) = answer.opened else { panic!("{answer:?}") };
    let settled = dialer.on_bytes(Duration::ZERO, &mut BytesMut::from(&answer.write[..]), |_| Known::Stranger);
    let Some(Remote::Node { peer: NodeId(1), identity: Some(identity), .. }) = settled.opened else { panic!("{settled:?}") };
    assert_eq!(identity.store, port_support::store_of(1));
    let frames = [frame(MessageType::AppendEntries, 2, 1, 1, b"a"), frame(MessageType::AppendEntriesResponse, 2, 1, 2, b"b")].concat();
    let turn = acceptor.on_bytes(Duration::ZERO, &mut BytesMut::from(&frames[..]), known);
    assert_eq!((turn.frames.len(), turn.close), (2, None));
    // The peer answers on its own connection: what comes back on this one is a violation.
    let turn = dialer.on_bytes(Duration::ZERO, &mut BytesMut::from(&frame(MessageType::AppendEntriesResponse, 1, 2, 1, b"")[..]), known);
    assert!(matches!(turn.close, Some(CloseReason::OutOfPlace { .. })), "{turn:?}");
}

/// The answer to an offer is for one data folder only.
#[test]
fn a_dialer_refuses_another_data_folder() {
    let (mut dialer, first) = Session::dial(Duration::ZERO, local(2), LIMITS, NodeId(1), Some(StoreId(3)), 77);
    let (_, answer) = accepted(&first.write);
    let turn = dialer.on_bytes(Duration::ZERO, &mut BytesMut::from(&answer.write[..]), known);
    assert!(turn.opened.is_none() && matches!(turn.close, Some(CloseReason::Refused(_))), "{turn:?}");
}

/// Time runs while a negotiation or a frame is unfinished, and bytes count as progress only if they are many or the frame's last.
#[test]
fn deadlines_follow_progress() {
    let second = Duration::from_secs;
    let mut silent = Session::accept(second(1), local(1), LIMITS);
    assert_eq!(silent.deadline(), Some(second(4)));
    assert_eq!(silent.on_timer(second(3)), None);
    assert_eq!(silent.on_timer(second(4)), Some(CloseReason::HandshakeTimeout));

    let (mut session, _) = accepted(&offer(client()));
    assert_eq!(session.deadline(), None, "an idle client is welcome");
    let bytes = request(1, &[0; 3000]);
    let mut buffer = BytesMut::new();
    for (at, byte) in bytes.iter().take(20).enumerate() {
        buffer.extend_from_slice(&[*byte]);
        session.on_bytes(second(10 + at as u64), &mut buffer, known);
        assert_eq!(session.deadline(), Some(second(20)), "one byte now and then is no progress");
    }
    buffer.extend_from_slice(&bytes[20..]);
    assert_eq!(session.on_bytes(second(19), &mut buffer, known).frames.len(), 1);
    assert_eq!(session.deadline(), None);
    assert_eq!(session.on_timer(second(1000)), None);
}

/// A node without negotiation (policy `legacy`) and one that offers: version 0 on both sides, and nothing of the offer reaches the node.
#[test]
fn an_offer_to_a_legacy_node_is_answered_plainly() {
    let mut legacy = local(1);
    legacy.policy = Policy::Legacy;
    let (mut dialer, first) = Session::dial(Duration::ZERO, local(2), LIMITS, NodeId(1), None, 77);
    let mut acceptor = Session::accept(Duration::ZERO, legacy, LIMITS);
    let answer = acceptor.on_bytes(Duration::ZERO, &mut BytesMut::from(&first.write[..]), known);
    assert!(answer.frames.is_empty() && answer.close.is_none(), "{answer:?}");
    let settled = dialer.on_bytes(Duration::ZERO, &mut BytesMut::from(&answer.write[..]), known);
    assert_eq!(settled.opened, Some(Remote::Node { peer: NodeId(1), identity: None, version: Version::Legacy }));
    assert_eq!(Link::Legacy.version(), Version::Legacy);
}
