//! The one port of a node: peers, native clients and HTTP on one listener, and one outgoing connection per peer for all groups.
//!
//! It carries bytes and decides nothing about groups: it settles who is at the other end and which header they speak, checks that frames are whole,
//! undamaged and meant for this node, and hands them over, all frames of one socket read as one [`PortEvent`]. The idea of telling
//! protocols apart by a peeked byte is old (sslh, cmux); the negotiation is `spec::wire::negotiation`.
//!
//! Everything lives on the node's current-thread runtime. [`session`] is the protocol without sockets; the other files wrap it in tasks.
//!
//! Bounds, and what happens at them: see [`PortLimits`] and [`PortTimers`].

mod backoff;
mod close;
mod connection;
mod dialer;
mod event;
mod inner;
mod link;
mod listener;
mod options;
mod peer;
mod queue;
pub mod session;
mod slots;
mod status;
mod throttle;

pub(crate) use backoff::Backoff;
pub use close::{BindError, CloseReason, NotSent};
pub use connection::Traffic;
pub use event::{ConnId, Frame, PeerIdentity, PortEvent, Via};
pub(crate) use link::tune;
pub use options::{PeerOptions, PortLimits, PortOptions, PortTimers};
pub use slots::ConnectionSlot;
pub use status::{ConnectionCounts, LinkState, PeerStatus, PortStatus};

use bytes::Bytes;
use connection::Connection;
use inner::{Inner, Parts};
use peer::Peer;
use rand::SeedableRng;
use rand::rngs::StdRng;
use roadstead_spec::NodeId;
use roadstead_spec::wire::{StoreId, Version};
use slots::Class;
use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Serves HTTP connections: limits of headers and bodies are its own.
pub type HttpHandler = Box<dyn Fn(HttpConnection)>;

/// An accepted connection whose first byte is a letter.
#[derive(Debug)]
pub struct HttpConnection {
    /// The connection; nothing is read from it yet.
    pub stream: TcpStream,
    /// Who is at the other end.
    pub remote: SocketAddr,
    /// Its place among the connections; to be kept until it is closed.
    pub slot: ConnectionSlot,
}

/// The port. Clones are the same port. Not `Send`: it belongs to the node's runtime.
#[derive(Clone)]
pub struct Port {
    inner: Rc<Inner>,
    listener: Rc<RefCell<Option<TcpListener>>>,
}

impl Port {
    /// Listens, and neither accepts nor dials before [`Self::start`]: a node opens everything else in between.
    ///
    /// Without an `http` handler HTTP connections are closed by name. `events` is bounded by the caller; while it is full nothing more is read and TCP pushes back. Must be called within a tokio runtime.
    pub fn bind(options: PortOptions, events: mpsc::Sender<PortEvent>, http: Option<HttpHandler>) -> Result<Self, BindError> {
        let listener = listener::listen(options.listen)?;
        let local_addr = listener.local_addr().map_err(|source| BindError::Io { address: options.listen, source })?;
        let rng = StdRng::seed_from_u64(options.seed);
        let inner = Rc::new(Inner::new(Parts { local_addr, events, http }, &options, rng));
        let peers = options.peers.into_iter().map(|peer| (peer.node, Rc::new(Peer::new(peer)))).collect();
        inner.peers.replace(peers);
        Ok(Self { inner, listener: Rc::new(RefCell::new(Some(listener))) })
    }

    /// Accepts and dials from now on. Must be called within a `LocalSet` (or a local runtime); a second call does nothing.
    pub fn start(&self) {
        let Some(listener) = self.listener.take() else { return };
        self.inner.spawn(listener::accept(Rc::clone(&self.inner), listener));
        for peer in self.inner.peers.borrow().values() {
            self.inner.spawn(dialer::dial(Rc::clone(&self.inner), Rc::clone(peer)));
        }
    }

    /// Where the port listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr
    }

    /// Sends whole version 1 frames to a peer: all of them or none, never blocking. Frames that are not sent are lost, as a network may lose them.
    ///
    /// The frames have this node as `src` and the peer as `dst`. A link that speaks version 0 takes none.
    pub fn send_peer(&self, peer: NodeId, frames: Bytes) -> Result<(), NotSent> {
        let peers = self.inner.peers.borrow();
        let peer = peers.get(&peer).ok_or(NotSent::Unknown)?;
        if peer.state.get() != (LinkState::Connected { version: Version::Extended }) {
            return Err(NotSent::Down);
        }
        let link = peer.dialled.borrow();
        link.as_ref().ok_or(NotSent::Down)?.send(frames)
    }

    /// Sends whole version 0 requests to a peer on this very connection, which we dialled ([`PortEvent::PeerUp::conn`]): requests meant for an
    /// earlier one would get answers that nobody waits for. If the queue is full the connection is closed: the requests count as sent.
    pub fn ask_legacy(&self, peer: NodeId, conn: ConnId, frames: Bytes) -> Result<(), NotSent> {
        let peers = self.inner.peers.borrow();
        let peer = peers.get(&peer).ok_or(NotSent::Unknown)?;
        let dialled = peer.dialled.borrow();
        send_or_close(dialled.as_ref().filter(|link| link.id == conn).ok_or(NotSent::Down)?, frames)
    }

    /// Sends whole frames, `answers` in number, to a client: all of them or none, never blocking. A client that lets more than
    /// `client_queue_bytes` wait is closed.
    pub fn send_client(&self, conn: ConnId, frames: Bytes, answers: usize) -> Result<(), NotSent> {
        let clients = self.inner.clients.borrow();
        let client = clients.get(&conn).ok_or(NotSent::Unknown)?;
        client.answered(answers);
        send_or_close(client, frames)
    }

    /// Answers a version 0 peer on the connection that its request came on ([`Via::Accepted`]): in the order of its requests, one answer each.
    /// If the queue is full the connection is closed, since a lost answer would shift all later ones.
    pub fn answer_legacy(&self, peer: NodeId, conn: ConnId, frames: Bytes) -> Result<(), NotSent> {
        let peers = self.inner.peers.borrow();
        let peer = peers.get(&peer).ok_or(NotSent::Unknown)?;
        let accepted = peer.accepted.borrow();
        let (_, link) = accepted.as_ref().filter(|(current, _)| *current == conn).ok_or(NotSent::Down)?;
        send_or_close(link, frames)
    }

    /// Closes a connection of a peer or a client; one that is gone already stays gone.
    pub fn close(&self, conn: ConnId, reason: CloseReason) {
        if let Some(client) = self.inner.clients.borrow().get(&conn) {
            return client.close(reason);
        }
        for peer in self.inner.peers.borrow().values() {
            let (dialled, accepted) = (peer.dialled.borrow(), peer.accepted.borrow());
            let links = dialled.iter().chain(accepted.iter().map(|(_, link)| link));
            if let Some(link) = links.into_iter().find(|link| link.id == conn) {
                return link.close(reason);
            }
        }
    }

    /// The header version of the link that we send on; `None` while it is down.
    pub fn peer_version(&self, peer: NodeId) -> Option<Version> {
        match self.inner.peers.borrow().get(&peer)?.state.get() {
            LinkState::Connected { version } => Some(version),
            LinkState::Connecting | LinkState::Waiting | LinkState::Refused => None,
        }
    }

    /// Bytes that wait to be written to a peer; 0 while its link is down.
    pub fn peer_queued_bytes(&self, peer: NodeId) -> usize {
        let peers = self.inner.peers.borrow();
        peers.get(&peer).and_then(|peer| peer.dialled.borrow().as_ref().map(|link| link.queued_bytes())).unwrap_or_default()
    }

    /// Adds a peer and dials it, or replaces its address: then both links are closed and negotiated anew.
    pub fn add_peer(&self, options: PeerOptions) {
        let peer = Rc::new(Peer::new(options));
        if let Some(older) = self.inner.peers.borrow_mut().insert(peer.node, Rc::clone(&peer)) {
            older.remove();
        }
        if self.listener.borrow().is_none() {
            self.inner.spawn(dialer::dial(Rc::clone(&self.inner), peer));
        }
    }

    /// Closes both links of a peer and dials it no more.
    pub fn remove_peer(&self, peer: NodeId) {
        if let Some(peer) = self.inner.peers.borrow_mut().remove(&peer) {
            peer.remove();
        }
    }

    /// From now on a peer with another data folder is refused; its links are closed and negotiated anew.
    pub fn remember_store(&self, peer: NodeId, store: StoreId) {
        if let Some(peer) = self.inner.peers.borrow().get(&peer)
            && peer.store.replace(Some(store)) != Some(store)
        {
            peer.close(&CloseReason::Replaced);
        }
    }

    /// Everything that the port can tell about itself.
    pub fn status(&self) -> PortStatus {
        let inner = &self.inner;
        let mut clients = inner.client_traffic.get();
        for client in inner.clients.borrow().values() {
            clients.add(&client.traffic.get());
        }
        let count = |class| inner.slots.count(class);
        PortStatus {
            local_addr: inner.local_addr,
            peers: inner.peers.borrow().values().map(|peer| peer.status()).collect(),
            connections: ConnectionCounts {
                strangers: count(Class::Stranger),
                clients: count(Class::Client),
                http: count(Class::Http),
                peers: count(Class::Peer),
            },
            clients,
            closed: inner.closed.borrow().clone(),
        }
    }

    /// Stops accepting, dialling and reading, writes what is queued, and closes; what is not done by the deadline is dropped.
    /// The node may stop reading events before. HTTP connections are their handler's.
    pub async fn shutdown(&self, deadline: Duration) {
        self.listener.take();
        self.inner.stopping.send_replace(true);
        let mut tasks = self.inner.take_tasks();
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(deadline, all).await.is_err() {
            tracing::warn!(?deadline, "connections were still busy at the end of the shutdown's time; closing them");
            tasks.shutdown().await;
        }
        // A task that was cut off could not say goodbye to those who still hold its socket.
        self.inner.clients.take();
        self.inner.peers.take();
    }
}

/// Version 0 matches answers by order: frames that do not fit end the connection, or all later ones would be taken for others.
fn send_or_close(link: &Connection, frames: Bytes) -> Result<(), NotSent> {
    let sent = link.send(frames);
    if sent == Err(NotSent::QueueFull) {
        link.close(CloseReason::SlowReader { queued: link.queued_bytes() });
    }
    sent
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("local_addr", &self.inner.local_addr).finish_non_exhaustive()
    }
}
