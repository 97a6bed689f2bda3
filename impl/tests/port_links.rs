//! Two nodes: which header they settle on, and what becomes of their links when one of them is not there, comes back, or does not read.

mod free_port;
mod port_support;

use free_port::free_address;

use bytes::Bytes;
use port_support::{Hand, Node, frame, local, options, peer, run, store_of};
use roadstead::port::{CloseReason, LinkState, NotSent, PortEvent, PortOptions, Via};
use roadstead_spec::NodeId;
use roadstead_spec::wire::negotiation::Policy;
use roadstead_spec::wire::{Header, LegacyRequest, MessageType, StoreId, Version, WireError};
use tokio::net::TcpListener;

/// Options of nodes 1 and 2 that know each other's address.
fn pair() -> (PortOptions, PortOptions) {
    let (first, second) = (free_address(), free_address());
    let of = |node, listen, other, address| PortOptions { listen, peers: vec![peer(other, address)], ..options(node) };
    (of(1, first, 2, second), of(2, second, 1, first))
}

fn append(from: u32, to: u32, index: u64, body: &[u8]) -> Bytes {
    frame(MessageType::AppendEntries, from, to, index, body).into()
}

fn legacy_append(from: i32, to: i32) -> Bytes {
    let message_type = MessageType::AppendEntries;
    let header =
        LegacyRequest { message_type, src: from, dst: to, term: 3, last_log_term: 0, last_log_index: 9, commit_index: 0, flags: 0 };
    let mut out = Vec::new();
    header.encode(&mut out, |_| Ok::<_, WireError>(())).expect("a frame");
    out.into()
}

/// Every pair of policies: the version that both settle on and frames that arrive, or a refusal on both sides.
#[test]
fn all_pairs_of_header_policies() {
    use Policy::{Auto, Extended, Legacy};
    for (first, second, settled) in [
        (Auto, Auto, Some(Version::Extended)),
        (Auto, Legacy, Some(Version::Legacy)),
        (Auto, Extended, Some(Version::Extended)),
        (Legacy, Legacy, Some(Version::Legacy)),
        (Legacy, Extended, None),
        (Extended, Extended, Some(Version::Extended)),
    ] {
        run(async {
            let (mut one, mut two) = pair();
            one.local.policy = first;
            two.local.policy = second;
            let (mut one, mut two) = (Node::start(one), Node::start(two));
            let Some(version) = settled else { return expect_refusals(&mut one, &mut two).await };
            let (agreed, conn) = one.up_on().await;
            assert_eq!(agreed, version, "{first:?} with {second:?}");
            assert_eq!(two.up().await, version, "{first:?} with {second:?}");
            assert_eq!(one.port.peer_version(NodeId(2)), Some(version));
            let sent = match version {
                Version::Legacy => one.port.ask_legacy(NodeId(2), conn, legacy_append(1, 2)),
                Version::Extended => one.port.send_peer(NodeId(2), append(1, 2, 9, b"entries")),
            };
            sent.expect("the link is up");
            let (from, via, frames) = two.peer_frames().await;
            assert_eq!((from, frames.len()), (NodeId(1), 1));
            assert!(matches!(via, Via::Accepted(_)));
            match frames[0].header {
                Header::LegacyRequest(header) => assert_eq!((version, header.last_log_index), (Version::Legacy, 9)),
                Header::Extended(header) => assert_eq!((version, header.index), (Version::Extended, 9)),
                other => panic!("{other:?}"),
            }
        });
    }
}

/// A legacy node and one that insists on the extended header never exchange a frame. The legacy one believes that its link is up until it sends: version 0 has no greeting.
async fn expect_refusals(legacy: &mut Node, extended: &mut Node) {
    let (version, conn) = legacy.up_on().await;
    assert_eq!(version, Version::Legacy);
    let _ = legacy.port.ask_legacy(NodeId(2), conn, legacy_append(1, 2));
    extended.closed("refused", 2).await;
    let state = extended.port.status().peers[0].clone();
    assert_eq!(state.links, 0);
    assert!(state.last_error.is_some_and(|error| error.contains("legacy header")), "the reason is there to read");
    assert_eq!(extended.port.send_peer(NodeId(1), append(2, 1, 1, b"")), Err(NotSent::Down));
    assert!(extended.events.try_recv().is_err(), "nothing was delivered");
}

/// Answers of version 0 come back on the connection of the request, in its order.
#[test]
fn legacy_answers_come_back_on_the_same_connection() {
    run(async {
        let (mut one, mut two) = pair();
        one.local.policy = Policy::Legacy;
        two.local.policy = Policy::Legacy;
        let (mut one, mut two) = (Node::start(one), Node::start(two));
        let (_, dialled) = one.up_on().await;
        assert_eq!(one.port.send_peer(NodeId(2), legacy_append(1, 2)), Err(NotSent::Down), "it takes no version 1");
        let earlier = roadstead::port::ConnId(dialled.0 + 1);
        assert_eq!(one.port.ask_legacy(NodeId(2), earlier, legacy_append(1, 2)), Err(NotSent::Down), "meant for another connection");
        one.port.ask_legacy(NodeId(2), dialled, legacy_append(1, 2)).expect("the link is up");
        let (peer, via, _) = two.peer_frames().await;
        let Via::Accepted(conn) = via else { panic!("{via:?}") };
        let answer = roadstead_spec::wire::LegacyResponse {
            message_type: MessageType::AppendEntriesResponse,
            src: 2,
            dst: 1,
            term: 3,
            next_index: 10,
            accepted: true,
            flags: 0,
        };
        let mut out = Vec::new();
        answer.encode(&mut out, |_| Ok::<_, WireError>(())).expect("a frame");
        two.port.answer_legacy(peer, conn, out.into()).expect("the link is up");
        let (peer, via, frames) = one.peer_frames().await;
        assert_eq!((peer, via, frames[0].header), (NodeId(2), Via::Dialled, Header::LegacyResponse(answer)));
    });
}

/// A peer that is down for the whole test costs nothing but attempts; the other peers do not notice.
#[test]
fn a_peer_that_is_never_there() {
    run(async {
        let (mut one, two) = pair();
        one.peers.push(peer(3, free_address()));
        let (mut one, mut two) = (Node::start(one), Node::start(two));
        one.up().await;
        one.closed("connect", 3).await;
        assert_eq!(one.port.send_peer(NodeId(3), append(1, 3, 1, b"")), Err(NotSent::Down));
        assert_eq!(one.port.send_peer(NodeId(4), append(1, 4, 1, b"")), Err(NotSent::Unknown));
        let status = one.port.status();
        let third = status.peers.iter().find(|peer| peer.node == NodeId(3)).expect("it is configured");
        assert!(matches!(third.state, LinkState::Waiting | LinkState::Connecting), "{:?}", third.state);
        assert!(third.last_error.as_deref().is_some_and(|error| error.contains("start the peer there")), "{:?}", third.last_error);
        one.port.send_peer(NodeId(2), append(1, 2, 7, b"")).expect("that link is up");
        assert_eq!(two.peer_frames().await.2.len(), 1);
    });
}

/// A peer ends and comes back on the same address: the link is lost, said so, and made anew, with the new boot.
#[test]
fn a_restarted_peer_is_dialled_again() {
    run(async {
        let (one, two) = pair();
        let mut one = Node::start(one);
        let mut again = two.clone();
        let mut second = Node::start(two);
        one.up().await;
        second.up().await;
        second.port.shutdown(std::time::Duration::from_secs(10)).await;
        drop(second);
        loop {
            match one.next().await {
                PortEvent::PeerDown { via: Via::Dialled, peer: NodeId(2), reason, .. } => break assert_eq!(reason, CloseReason::Ended),
                PortEvent::PeerDown { .. } | PortEvent::PeerUp { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(one.port.send_peer(NodeId(2), append(1, 2, 1, b"")), Err(NotSent::Down));
        again.local.boot = 8;
        let mut second = Node::start(again);
        one.up().await;
        assert_eq!(one.port.status().peers[0].identity.map(|identity| identity.boot), Some(8));
        one.port.send_peer(NodeId(2), append(1, 2, 5, b"after")).expect("the link is up");
        assert_eq!(second.peer_frames().await.2[0].body.as_ref(), b"after");
    });
}

/// A wiped disk under an old id: refused, and both ends say why.
#[test]
fn a_peer_with_another_data_folder_stays_out() {
    run(async {
        let (mut one, mut two) = pair();
        one.peers[0].store = Some(store_of(2));
        two.local.store = StoreId(0xBAD);
        let (one, two) = (Node::start(one), Node::start(two));
        one.closed("refused", 2).await;
        two.closed("refused", 2).await;
        let (ours, theirs) = (one.port.status().peers[0].clone(), two.port.status().peers[0].clone());
        assert_eq!(ours.links, 0, "no link of the wiped node is ever up");
        // It accepts our dials, since it knows no better, and is told why by the answer to its own.
        assert_eq!((ours.traffic.frames_in, theirs.traffic.frames_in), (0, 0));
        for status in [ours, theirs] {
            assert!(status.last_error.is_some_and(|error| error.contains("data folder")));
        }
    });
}

/// A peer that takes the connection and reads nothing: a bounded queue, whole buffers dropped beyond it, and no frame torn.
#[test]
fn a_peer_that_does_not_read_costs_bounded_memory() {
    const QUEUE: usize = 1 << 20;
    const BUFFERS: u64 = 2000;
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut options = options(1);
        options.peers.push(peer(2, listener.local_addr().expect("its address")));
        options.limits.peer_queue_bytes = QUEUE;
        let mut node = Node::start(options);
        let mut hand = Hand::accept(&listener, local(2)).await;
        assert_eq!(node.up().await, Version::Extended);
        let mut taken = Vec::new();
        for number in 0..BUFFERS {
            // Two frames to a buffer: they leave together or not at all.
            let body = vec![number as u8; 10 << 10];
            let buffer = [append(1, 2, number, &body), append(1, 2, number, &body)].concat();
            let size = buffer.len();
            if node.port.send_peer(NodeId(2), buffer.into()).is_ok() {
                taken.push(number);
            }
            assert!(node.port.peer_queued_bytes(NodeId(2)) <= QUEUE + size);
        }
        assert!(taken.len() < BUFFERS as usize, "all {BUFFERS} buffers were taken: the queue has no bound");
        let traffic = node.port.status().peers[0].traffic;
        assert_eq!(traffic.buffers_dropped, BUFFERS - taken.len() as u64);
        for number in taken {
            for _ in 0..2 {
                let frame = hand.frame().await;
                assert_eq!(port_support::index_of(&frame), number);
                assert_eq!(frame.body, vec![number as u8; 10 << 10]);
            }
        }
        assert_eq!(node.port.peer_queued_bytes(NodeId(2)), 0);
    });
}

/// The peer dials a second time (its first connection broke without a word): the newer one counts, the older is closed.
#[test]
fn a_newer_connection_replaces_the_older() {
    run(async {
        let mut options = options(1);
        options.peers.push(peer(2, free_address()));
        let mut node = Node::start(options);
        let (older, _) = Hand::node(node.address(), local(2), 1).await;
        let (mut newer, _) = Hand::node(node.address(), local(2), 1).await;
        assert_eq!(older.end().await, b"");
        newer.send(&append(2, 1, 3, b"new")).await;
        assert_eq!(node.peer_frames().await.2[0].body.as_ref(), b"new");
        assert!(node.port.status().peers[0].accepted);
    });
}

/// Peers come and go at run time.
#[test]
fn peers_are_added_and_removed_at_run_time() {
    run(async {
        let (mut one, two) = pair();
        let entry = one.peers.remove(0);
        let (mut one, mut two) = (Node::start(one), Node::start(two));
        // Until it is added it is a stranger.
        one.closed("refused", 1).await;
        one.port.add_peer(entry);
        assert_eq!(one.up().await, Version::Extended);
        two.up().await;
        one.port.remove_peer(NodeId(2));
        loop {
            if let PortEvent::PeerDown { via: Via::Dialled, reason, .. } = one.next().await {
                break assert_eq!(reason, CloseReason::Removed);
            }
        }
        assert_eq!(one.port.send_peer(NodeId(2), append(1, 2, 1, b"")), Err(NotSent::Unknown));
        assert!(one.port.status().peers.is_empty());
    });
}
