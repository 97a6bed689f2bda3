//! One listener for everything: what the first byte decides, and what is done about too much of it.

mod port_support;

use bytes::Bytes;
use port_support::{Hand, Node, frame, index_of, local, options, peer, request, run};
use roadstead::port::{BindError, ConnectionCounts, NotSent, Port, PortEvent};
use roadstead_spec::NodeId;
use roadstead_spec::wire::{MessageType, RPC_REQ_HEADER_EXT_SIZE};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// Bytes of another protocol are closed by name, without an answer that a stranger could misread.
#[test]
fn other_first_bytes_are_closed_by_name() {
    run(async {
        let node = Node::start(options(1));
        let cases: [(&str, &[u8]); 6] = [
            ("extended_before_hello", &frame(MessageType::ClientRequest, 0, 1, 1, b"")),
            ("port_sharing_draft", &[0x02; 58]),
            ("unknown_first_byte", &[0xFF]),
            ("unknown_first_byte", b"\r\n\r\n"),
            ("unknown_first_byte", &[0x01; 39]),
            ("unknown_first_byte", &[0x80; 1 << 16]),
        ];
        for (what, bytes) in cases {
            let mut hand = Hand::connect(node.address()).await;
            // The port may close before all of it is written.
            let _ = hand.stream.write_all(bytes).await;
            assert_eq!(hand.end().await, b"", "{what}");
        }
        node.closed("unknown_first_byte", 4).await;
        let closed = node.port.status().closed;
        assert_eq!((closed.get("extended_before_hello"), closed.get("port_sharing_draft")), (Some(&1), Some(&1)));
    });
}

/// A TLS client hears a TLS alert: its error names the handshake, not a lost connection.
#[test]
fn tls_is_refused_in_tls() {
    run(async {
        let node = Node::start(options(1));
        let mut hand = Hand::connect(node.address()).await;
        hand.send(&[&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[0; 500]].concat()).await;
        assert_eq!(hand.end().await, [0x15, 3, 3, 0, 2, 2, 40]);
        node.closed("tls", 1).await;
    });
}

/// HTTP is handed over whole, first byte included. What a header may claim (here 1 GiB) is the API's to bound: nothing is read of it here.
#[test]
fn http_is_handed_over_untouched() {
    run(async {
        let mut node = Node::start(options(1));
        let sent = b"GET /metrics HTTP/1.1\r\nContent-Length: 1073741824\r\nX: ";
        let mut hand = Hand::connect(node.address()).await;
        hand.send(sent).await;
        let mut handed = node.http.recv().await.expect("the connection");
        assert_eq!(node.port.status().connections, ConnectionCounts { http: 1, ..Default::default() });
        let mut got = vec![0; sent.len()];
        handed.stream.read_exact(&mut got).await.expect("the first bytes");
        assert_eq!(got, sent);
        assert_eq!(handed.remote, hand.stream.local_addr().expect("an address"));
        drop(handed);
        assert_eq!(node.port.status().connections, ConnectionCounts::default());
        assert_eq!(hand.end().await, b"");
    });
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    run(async {
        let node = Node::start(options(1));
        let mut second = options(2);
        second.listen = node.address();
        let (events, _keep) = mpsc::channel(1);
        let error = Port::bind(second, events, None).expect_err("it is taken");
        assert!(matches!(error, BindError::InUse { address } if address == node.address()), "{error:?}");
        assert!(error.to_string().contains(&node.address().to_string()), "{error}");
    });
}

/// However many clients there are, strangers keep their quarter; whoever is too many is closed at once.
#[test]
fn too_many_clients_are_closed_and_peers_get_in() {
    run(async {
        let mut options = options(1);
        options.limits.connections_max = 4;
        options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
        let node = Node::start(options);
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Hand::client(node.address()).await);
        }
        let fourth = Hand::client(node.address()).await;
        fourth.end().await;
        node.closed("too_many_connections", 1).await;
        let (_hand, outcome) = Hand::node(node.address(), local(2), 1).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        drop(clients);
        // Room again, once the port has seen them go.
        node.closed("ended", 3).await;
        let _fifth = Hand::client(node.address()).await;
    });
}

/// Requests of one client go to the node as fast as it answers, no faster: the rest waits in TCP.
#[test]
fn a_client_has_a_bounded_number_of_requests_open() {
    const REQUESTS: usize = 400;
    const BODY: usize = 8 << 10;
    run(async {
        let mut options = options(1);
        options.limits.requests_per_client_max = 4;
        let mut node = Node::start(options);
        let hand = Hand::client(node.address()).await;
        let (mut read, mut write) = hand.stream.into_split();
        let writer = tokio::task::spawn_local(async move {
            for id in 0..REQUESTS {
                write.write_all(&request(id as u64, &[0; BODY])).await.expect("it is read");
            }
            write
        });
        // The bound, and what one read of at most 256 KiB brought beyond it.
        let open_max = 4 + (256 << 10) / BODY;
        let mut seen = Vec::new();
        while seen.len() < REQUESTS {
            let mut open = Vec::new();
            let mut from = None;
            while open.len() < 4 && seen.len() + open.len() < REQUESTS {
                let (conn, frames) = node.client_frames().await;
                from = Some(conn);
                open.extend(frames.iter().map(index_of));
            }
            assert!(open.len() <= open_max, "{} requests at once", open.len());
            for _ in 0..100 {
                tokio::task::yield_now().await;
                assert!(node.events.is_empty(), "nothing more comes before the answers");
            }
            let answers: Vec<u8> = open.iter().flat_map(|&id| frame(MessageType::ClientResponse, 1, 0, id, b"")).collect();
            node.port.send_client(from.expect("requests came"), answers.into(), open.len()).expect("it is taken");
            seen.extend(open);
        }
        assert_eq!(seen, (0..REQUESTS as u64).collect::<Vec<_>>());
        let _write = writer.await.expect("all was written");
        let mut answers = vec![0; REQUESTS * RPC_REQ_HEADER_EXT_SIZE];
        read.read_exact(&mut answers).await.expect("all answers");
    });
}

/// A client that asks and never reads costs a bounded number of bytes, and then its connection.
#[test]
fn a_client_that_does_not_read_is_closed() {
    const BUFFER: usize = 64 << 10;
    run(async {
        let mut options = options(1);
        options.limits.client_queue_bytes = 1 << 20;
        let mut node = Node::start(options);
        let mut hand = Hand::client(node.address()).await;
        hand.send(&request(1, b"")).await;
        let (conn, _) = node.client_frames().await;
        let answer = Bytes::from(frame(MessageType::ClientResponse, 1, 0, 1, &vec![0; BUFFER]));
        let mut taken = 0;
        let refusal = loop {
            match node.port.send_client(conn, answer.clone(), 1) {
                Ok(()) => taken += answer.len(),
                Err(refusal) => break refusal,
            }
            // What the kernel's own buffers hold; far above what they really do.
            assert!(taken < 64 << 20, "the queue has no bound");
        };
        assert_eq!(refusal, NotSent::QueueFull);
        node.closed("slow_reader", 1).await;
        assert_eq!(node.port.send_client(conn, answer, 1), Err(NotSent::Unknown));
        assert!(matches!(node.next().await, PortEvent::ClientGone { .. }));
    });
}

/// A node that does not drain its events stops the readers: memory is bounded by the channel, and TCP pushes back.
#[test]
fn a_full_inbox_stops_the_reader() {
    const EVENTS_MAX: usize = 2;
    run(async {
        let mut options = options(1);
        options.peers.push(peer(2, SocketAddr::from(([127, 0, 0, 1], 9))));
        let mut node = Node::start_with(options, EVENTS_MAX);
        let (mut hand, _) = Hand::node(node.address(), local(2), 1).await;
        let one = frame(MessageType::AppendEntries, 2, 1, 0, &[0; 100 << 10]);
        let total = 300;
        let writer = tokio::task::spawn_local(async move {
            for _ in 0..total {
                hand.send(&one).await;
            }
            hand
        });
        while node.events.len() < EVENTS_MAX {
            tokio::task::yield_now().await;
        }
        let mut seen = 0;
        while seen < total {
            // What was read: what is seen, what waits in the channel, one event in the reader's hands, and the frame that it is reading.
            let read = node.port.status().peers[0].traffic.bytes_in as usize;
            let reads_ahead = (EVENTS_MAX + 2) * (256 << 10) + (100 << 10);
            assert!(read <= seen * (101 << 10) + reads_ahead, "{read} bytes read, {seen} frames seen");
            seen += match node.next().await {
                PortEvent::PeerFrames { peer: NodeId(2), frames, .. } => frames.len(),
                _ => 0,
            };
        }
        assert_eq!(seen, total);
        writer.await.expect("all was written");
    });
}

/// What was sent before the shutdown arrives, then the connection ends; afterwards nobody listens.
#[test]
fn a_shutdown_writes_what_is_queued() {
    run(async {
        let mut node = Node::start(options(1));
        let mut hand = Hand::client(node.address()).await;
        hand.send(&request(1, b"")).await;
        let (conn, _) = node.client_frames().await;
        let answer = frame(MessageType::ClientResponse, 1, 0, 1, &vec![7; 12 << 20]);
        node.port.send_client(conn, answer.clone().into(), 1).expect("it is taken");
        let address = node.address();
        let reader = tokio::task::spawn_local(hand.end());
        node.port.shutdown(Duration::from_secs(30)).await;
        assert_eq!(reader.await.expect("it ends").len(), answer.len());
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
    });
}

/// Requests that come too late to be read do not cost the client the answers that were on their way (a close over unread bytes is a reset).
#[test]
fn a_shutdown_is_no_reset() {
    run(async {
        let mut node = Node::start(options(1));
        let mut hand = Hand::client(node.address()).await;
        hand.send(&request(1, b"")).await;
        let (conn, _) = node.client_frames().await;
        let answer = frame(MessageType::ClientResponse, 1, 0, 1, &vec![7; 6 << 20]);
        node.port.send_client(conn, answer.clone().into(), 1).expect("it is taken");
        let (mut read, mut write) = hand.stream.into_split();
        let writer = tokio::task::spawn_local(async move {
            while write.write_all(&request(2, &[0; 1000])).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let port = node.port.clone();
        let stopping = tokio::task::spawn_local(async move { port.shutdown(Duration::from_secs(30)).await });
        let mut got = vec![0; answer.len()];
        read.read_exact(&mut got).await.expect("the whole answer");
        assert_eq!(got, answer);
        assert_eq!(read.read(&mut [0; 1]).await.expect("a proper end"), 0);
        writer.abort();
        drop(read);
        drop(node.events);
        stopping.await.expect("it ends");
    });
}

/// A client that never reads cannot hold a shutdown up for longer than its deadline.
#[test]
fn a_shutdown_keeps_its_deadline() {
    run(async {
        let mut node = Node::start(options(1));
        let mut hand = Hand::client(node.address()).await;
        hand.send(&request(1, b"")).await;
        let (conn, _) = node.client_frames().await;
        node.port.send_client(conn, vec![7; 32 << 20].into(), 1).expect("it is taken");
        node.port.shutdown(Duration::from_millis(20)).await;
        assert!(hand.end().await.len() < 32 << 20, "the rest was dropped with the connection");
    });
}
