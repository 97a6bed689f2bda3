//! Ports on loopback, and hands on the wire: for the tests of port and client.
#![allow(dead_code, reason = "each test binary uses its own part")]

use bytes::BytesMut;
use roadstead::port::{ConnId, Frame, HttpConnection, PeerOptions, Port, PortEvent, PortLimits, PortOptions, PortTimers, Via};
use roadstead_spec::wire::body::{ClientRequest, Consistency, Operation};
use roadstead_spec::wire::negotiation::{Acceptor, Caller, Dialer, FEATURES, Known, Link, Local, Policy, Refusal, Target};
use roadstead_spec::wire::{ClusterId, ExtendedHeader, Header, Limits, MessageType, StoreId, Version, WireError, next_frame};
use roadstead_spec::{GroupId, NodeId};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::timeout;

/// A test that hangs is a test that fails; nothing waits for this in a test that passes.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const CLUSTER: ClusterId = ClusterId(0xC1);

/// Runs a test as a node runs: on one thread.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async { timeout(PATIENCE, test).await.expect("the test came to its end") })
}

pub(crate) const fn store_of(node: u32) -> StoreId {
    StoreId(0x5700 + node as u128)
}

pub(crate) fn local(node: u32) -> Local {
    Local { node: NodeId(node), cluster: CLUSTER, store: store_of(node), boot: 7, features: FEATURES, policy: Policy::Auto }
}

/// Options of a node without peers, that dials fast and is patient otherwise.
pub(crate) fn options(node: u32) -> PortOptions {
    PortOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        local: local(node),
        peers: Vec::new(),
        timers: PortTimers { reconnect_min: Duration::from_millis(1), reconnect_max: Duration::from_millis(20), ..PortTimers::default() },
        limits: PortLimits::default(),
        seed: u64::from(node),
    }
}

pub(crate) fn peer(node: u32, address: SocketAddr) -> PeerOptions {
    PeerOptions { node: NodeId(node), address: address.to_string(), store: None }
}

/// A started port and what it tells.
pub(crate) struct Node {
    pub(crate) port: Port,
    pub(crate) events: mpsc::Receiver<PortEvent>,
    pub(crate) http: mpsc::UnboundedReceiver<HttpConnection>,
}

impl Node {
    pub(crate) fn start(options: PortOptions) -> Self {
        Self::start_with(options, 64)
    }

    pub(crate) fn start_with(options: PortOptions, events_max: usize) -> Self {
        let (sender, events) = mpsc::channel(events_max);
        let (http_sender, http) = mpsc::unbounded_channel();
        let handler = Box::new(move |connection| http_sender.send(connection).expect("the test listens"));
        let port = Port::bind(options, sender, Some(handler)).expect("the port opens");
        port.start();
        Self { port, events, http }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.local_addr()
    }

    pub(crate) async fn next(&mut self) -> PortEvent {
        self.events.recv().await.expect("the port lives")
    }

    /// Skips to the next frames of clients.
    pub(crate) async fn client_frames(&mut self) -> (ConnId, Vec<Frame>) {
        loop {
            if let PortEvent::ClientFrames { conn, frames } = self.next().await {
                return (conn, frames);
            }
        }
    }

    /// Skips to the next frames of a peer.
    pub(crate) async fn peer_frames(&mut self) -> (NodeId, Via, Vec<Frame>) {
        loop {
            if let PortEvent::PeerFrames { peer, via, frames, .. } = self.next().await {
                return (peer, via, frames);
            }
        }
    }

    /// Waits until our own link with a peer is up.
    pub(crate) async fn up(&mut self) -> Version {
        self.up_on().await.0
    }

    /// The same, with the connection.
    pub(crate) async fn up_on(&mut self) -> (Version, ConnId) {
        loop {
            if let PortEvent::PeerUp { via: Via::Dialled, version, conn, .. } = self.next().await {
                return (version, conn);
            }
        }
    }

    /// Waits until as many connections ended for this reason.
    pub(crate) async fn closed(&self, label: &str, times: u64) {
        while self.port.status().closed.get(label).copied().unwrap_or_default() < times {
            tokio::task::yield_now().await;
        }
    }
}

/// A connection in the test's own hands.
pub(crate) struct Hand {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
    version: Version,
}

impl Hand {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).await.expect("it connects"))
    }

    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option of every socket");
        Self { stream, buffer: BytesMut::new(), version: Version::Extended }
    }

    /// Accepts one connection and negotiates as the node `local`.
    pub(crate) async fn accept(listener: &TcpListener, local: Local) -> Self {
        let mut hand = Self::of(listener.accept().await.expect("it dials").0);
        let (mut acceptor, mut out) = (Acceptor::new(local), Vec::new());
        while !matches!(acceptor, Acceptor::Done(_)) {
            hand.stream.read_buf(&mut hand.buffer).await.expect("an offer");
            let consumed = acceptor.receive(&hand.buffer, |_| Known::Peer { store: None }, &mut out);
            let _ = hand.buffer.split_to(consumed);
        }
        hand.send(&out).await;
        hand
    }

    /// Connects and negotiates as a client.
    pub(crate) async fn client(address: SocketAddr) -> Self {
        let mut hand = Self::connect(address).await;
        let caller = Caller::Client { cluster: CLUSTER, boot: 1, features: FEATURES };
        hand.negotiate(caller, None).await.expect("a client is welcome");
        hand
    }

    /// Connects and negotiates as a node.
    pub(crate) async fn node(address: SocketAddr, local: Local, target: u32) -> (Self, Result<Link, Refusal>) {
        let mut hand = Self::connect(address).await;
        let outcome = hand.negotiate(local.into(), Some(NodeId(target))).await;
        (hand, outcome)
    }

    pub(crate) async fn negotiate(&mut self, caller: Caller, node: Option<NodeId>) -> Result<Link, Refusal> {
        let mut out = Vec::new();
        let mut dialer = Dialer::start(caller, Target { node, store: None }, 99, &mut out);
        self.send(&out).await;
        loop {
            if let Dialer::Done(outcome) = dialer {
                return outcome.inspect(|link| self.version = link.version());
            }
            assert!(self.stream.read_buf(&mut self.buffer).await.expect("an answer") > 0, "closed without an answer");
            let consumed = dialer.receive(&self.buffer);
            let _ = self.buffer.split_to(consumed);
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it is read");
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Frame {
        loop {
            if let Some(span) = next_frame(self.version, &self.buffer, &Limits::default()).expect("a whole frame") {
                let bytes = self.buffer.split_to(span.len()).freeze();
                return Frame { header: span.header, body: bytes.slice(span.body) };
            }
            assert!(self.stream.read_buf(&mut self.buffer).await.expect("a frame") > 0, "closed before the frame came");
        }
    }

    /// Waits for the other end to close; returns what came before.
    pub(crate) async fn end(mut self) -> Vec<u8> {
        let mut rest = self.buffer.to_vec();
        // A reset is an end as well: it closes over bytes that it did not read.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }
}

/// A frame of version 1 with a body of these bytes.
pub(crate) fn frame(message_type: MessageType, src: u32, dst: u32, index: u64, body: &[u8]) -> Vec<u8> {
    let node = |id| (id != 0).then_some(NodeId(id));
    let group = GroupId::DEFAULT;
    let header = ExtendedHeader { message_type, src: node(src), dst: node(dst), term: 0, index, accepted: false, group };
    let mut out = Vec::new();
    header
        .encode(&mut out, |out| {
            out.extend_from_slice(body);
            Ok::<_, WireError>(())
        })
        .expect("a frame");
    out
}

/// A client's request, whole.
pub(crate) fn request(id: u64, bytes: &[u8]) -> Vec<u8> {
    let operation = Operation::Query { bytes, consistency: Consistency::Stale };
    let mut out = Vec::new();
    ClientRequest { timeout_ms: 1000, operation }.encode(None, GroupId::DEFAULT, id, &mut out).expect("a frame");
    out
}

pub(crate) fn index_of(frame: &Frame) -> u64 {
    match frame.header {
        Header::Extended(header) => header.index,
        other => panic!("not a version 1 frame: {other:?}"),
    }
}
