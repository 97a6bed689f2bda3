//! What a port does with bytes that are no frames, or not from whom they say.

mod port_support;

use port_support::{Hand, Node, frame, index_of, local, options, peer, request, run, store_of};
use roadstead::port::{PortEvent, Via};
use roadstead_spec::NodeId;
use roadstead_spec::wire::negotiation::{Link, Policy, Refusal, RefusalCode};
use roadstead_spec::wire::{ClusterId, LegacyRequest, MessageType, StoreId, Version, WireError};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A good request with some bytes changed; the CRC is made to fit again unless it is what is changed.
fn spoilt(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = request(1, b"x");
    change(&mut bytes);
    bytes
}

fn with_crc(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..31]);
    hasher.update(&bytes[35..]);
    bytes[31..35].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

/// Each of these ends the connection under the named reason, and the good frame before it is delivered all the same.
#[test]
fn broken_frames_end_the_connection_by_name() {
    let cases: [(&str, &str, Vec<u8>); 14] = [
        ("a version 0 marker", "frame", spoilt(|bytes| bytes[0] = 0x00)),
        ("an unknown marker", "frame", spoilt(|bytes| bytes[0] = 0x77)),
        ("an answer's marker on a request's type", "frame", with_crc(spoilt(|bytes| bytes[0] = 0x11))),
        ("an unknown type", "frame", with_crc(spoilt(|bytes| bytes[1] = 200))),
        ("a wrong checksum", "frame", spoilt(|bytes| bytes[31] ^= 1)),
        ("a flipped bit in the body", "frame", spoilt(|bytes| *bytes.last_mut().expect("a body") ^= 1)),
        ("flag 0x80 missing", "frame", with_crc(spoilt(|bytes| bytes[35] = 0))),
        ("an unknown flag", "frame", with_crc(spoilt(|bytes| bytes[36] = 1))),
        ("a negative group", "frame", with_crc(spoilt(|bytes| bytes[42] = 0xFF))),
        ("a body of 4 GiB", "frame", spoilt(|bytes| bytes[27..31].fill(0xFF))),
        ("a node's source on a client's connection", "wrong_source", with_crc(spoilt(|bytes| bytes[2] = 3))),
        ("another destination", "wrong_destination", with_crc(spoilt(|bytes| bytes[6] = 9))),
        ("a vote from a client", "out_of_place", frame(MessageType::RequestVote, 0, 1, 0, b"")),
        ("garbage", "frame", vec![0x10; 1 << 16]),
    ];
    for (what, label, bytes) in cases {
        run(async {
            let mut node = Node::start(options(1));
            let mut hand = Hand::client(node.address()).await;
            hand.send(&[request(41, b"good"), bytes].concat()).await;
            let (conn, frames) = node.client_frames().await;
            assert_eq!(frames.iter().map(index_of).collect::<Vec<_>>(), [41], "{what}");
            assert_eq!(hand.end().await, b"", "{what}: nothing is answered");
            node.closed(label, 1).await;
            assert!(matches!(node.next().await, PortEvent::ClientGone { conn: gone } if gone == conn), "{what}");
        });
    }
}

/// A frame in one piece, cut anywhere, or one byte at a time: the same frames come out.
#[test]
fn trickled_frames_are_whole_in_the_end() {
    run(async {
        let mut node = Node::start(options(1));
        let mut hand = Hand::client(node.address()).await;
        for (number, chunk) in [1, 7, 43, 44, 10_000].into_iter().enumerate() {
            let number = number as u64;
            let bytes = [request(number, b"first"), request(number + 100, &[7; 300])].concat();
            for piece in bytes.chunks(chunk) {
                hand.send(piece).await;
                // The port reads between the pieces, as far as one thread can promise it.
                tokio::task::yield_now().await;
            }
            let mut indices = Vec::new();
            while indices.len() < 2 {
                let (_, frames) = node.client_frames().await;
                indices.extend(frames.iter().map(index_of));
            }
            assert_eq!(indices, [number, number + 100]);
        }
    });
}

#[test]
fn a_frame_that_is_cut_short_is_never_delivered() {
    run(async {
        let mut node = Node::start(options(1));
        for cut in [1, 42, 43, 44] {
            let mut hand = Hand::client(node.address()).await;
            hand.send(&request(1, b"some bytes")[..cut]).await;
            hand.stream.shutdown().await.expect("it is open");
            let event = node.next().await;
            assert!(matches!(event, PortEvent::ClientGone { .. }), "{event:?}");
        }
        node.closed("ended", 4).await;
    });
}

#[test]
fn a_frame_that_stands_still_is_given_up() {
    run(async {
        let mut options = options(1);
        options.timers.read = Duration::from_millis(30);
        let mut node = Node::start(options);
        let mut idle = Hand::client(node.address()).await;
        let mut hand = Hand::client(node.address()).await;
        hand.send(&request(1, b"some bytes")[..20]).await;
        hand.end().await;
        node.closed("read_timeout", 1).await;
        // Silence between frames is no offence.
        idle.send(&request(2, b"")).await;
        assert_eq!(node.client_frames().await.1.len(), 1);
    });
}

/// Whoever does not introduce itself in time is closed, whichever byte it stopped at.
#[test]
fn strangers_that_say_nothing_are_closed() {
    run(async {
        let mut options = options(1);
        options.timers.handshake = Duration::from_millis(30);
        let node = Node::start(options);
        let silent = Hand::connect(node.address()).await;
        let mut half = Hand::connect(node.address()).await;
        half.send(&[0x00, 18, 0, 0]).await;
        silent.end().await;
        half.end().await;
        node.closed("handshake_timeout", 2).await;
        assert_eq!(node.port.status().connections, Default::default());
    });
}

/// Wrong cluster, node or data folder, or nobody we know: both ends know why.
#[test]
fn refusals_reach_both_ends() {
    let cases = [
        ("cluster", RefusalCode::WrongCluster, 1),
        ("node", RefusalCode::WrongNode, 5),
        ("store", RefusalCode::WrongStore, 1),
        ("own id", RefusalCode::SameNode, 1),
        ("not a peer", RefusalCode::UnknownNode, 1),
    ];
    for (what, code, target) in cases {
        run(async {
            let mut options = options(1);
            // Nobody listens there: only the accepting side matters here.
            let mut two = peer(2, SocketAddr::from(([127, 0, 0, 1], 9)));
            two.store = Some(store_of(2));
            options.peers.push(two);
            let node = Node::start(options);
            let mut dialer = local(2);
            match what {
                "cluster" => dialer.cluster = ClusterId(0xBAD),
                "store" => dialer.store = StoreId(0xBAD),
                "own id" => dialer.node = NodeId(1),
                "not a peer" => dialer.node = NodeId(3),
                _ => {}
            }
            let (hand, outcome) = Hand::node(node.address(), dialer, target).await;
            assert_eq!(outcome, Err(Refusal::ByPeer(code)), "{what}");
            hand.end().await;
            node.closed("refused", 1).await;
        });
    }
}

/// The first data folder that a peer shows is remembered at once, told to the node, and no other is let in.
#[test]
fn a_second_data_folder_under_one_id_is_refused() {
    run(async {
        let mut options = options(1);
        options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
        let mut node = Node::start(options);
        let (_first, outcome) = Hand::node(node.address(), local(2), 1).await;
        assert!(matches!(outcome, Ok(Link::Node(_))), "{outcome:?}");
        match node.next().await {
            PortEvent::PeerUp { peer: NodeId(2), via: Via::Accepted(_), identity: Some(identity), version: Version::Extended, .. } => {
                assert_eq!((identity.store, identity.store_is_new, identity.boot), (store_of(2), true, 7));
            }
            other => panic!("{other:?}"),
        }
        let (_, outcome) = Hand::node(node.address(), roadstead_spec::wire::negotiation::Local { store: StoreId(3), ..local(2) }, 1).await;
        assert_eq!(outcome, Err(Refusal::ByPeer(RefusalCode::WrongStore)));
    });
}

/// A frame of a peer counts only as that peer's, and only for this node.
#[test]
fn a_peers_frames_name_the_peer_and_this_node() {
    for (src, dst, label) in [(3, 1, "wrong_source"), (0, 1, "wrong_source"), (2, 3, "wrong_destination"), (2, 0, "wrong_destination")] {
        run(async {
            let mut options = options(1);
            options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
            let mut node = Node::start(options);
            let (mut hand, _) = Hand::node(node.address(), local(2), 1).await;
            hand.send(&frame(MessageType::AppendEntries, 2, 1, 5, b"body")).await;
            let (from, _, frames) = node.peer_frames().await;
            assert_eq!((from, frames[0].body.as_ref()), (NodeId(2), &b"body"[..]));
            hand.send(&frame(MessageType::AppendEntries, src, dst, 6, b"body")).await;
            hand.end().await;
            node.closed(label, 1).await;
            assert!(matches!(node.next().await, PortEvent::PeerDown { peer: NodeId(2), .. }));
        });
    }
}

/// Who is no peer may not vote, whatever it says of itself.
#[test]
fn legacy_frames_must_come_from_a_peer() {
    for (src, dst, label) in [(0, 1, "out_of_place"), (7, 1, "unknown_peer"), (-1, 1, "unknown_peer"), (2, 5, "wrong_destination")] {
        run(async {
            let mut options = options(1);
            options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
            let node = Node::start(options);
            let mut hand = Hand::connect(node.address()).await;
            hand.send(&legacy_vote(src, dst)).await;
            hand.end().await;
            node.closed(label, 1).await;
        });
    }
}

#[test]
fn a_node_that_insists_on_the_extended_header_refuses_legacy_frames() {
    run(async {
        let mut options = options(1);
        options.local.policy = Policy::Extended;
        options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
        let node = Node::start(options);
        let mut hand = Hand::connect(node.address()).await;
        hand.send(&legacy_vote(2, 1)).await;
        hand.end().await;
        node.closed("refused", 1).await;
    });
}

fn legacy_vote(src: i32, dst: i32) -> Vec<u8> {
    let message_type = MessageType::RequestVote;
    let header = LegacyRequest { message_type, src, dst, term: 1, last_log_term: 0, last_log_index: 0, commit_index: 0, flags: 0 };
    let mut out = Vec::new();
    header.encode(&mut out, |_| Ok::<_, WireError>(())).expect("a frame");
    out
}
