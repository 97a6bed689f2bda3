//! A connection's task: reads into the session, carries out what it says, writes what is queued, and tells the node.

use super::close::CloseReason;
use super::connection::Connection;
use super::event::{ConnId, Frame, PortEvent, Via};
use super::inner::Inner;
use super::peer::Peer;
use super::session::{Remote, Session, Turn};
use super::slots::{Class, ConnectionSlot};
use super::status::LinkState;
use bytes::{BufMut, BytesMut};
use roadstead_spec::NodeId;
use roadstead_spec::wire::Version;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{timeout, timeout_at};

/// Room that a quiet connection reads into.
const READ_BYTES_MIN: usize = 8 << 10;
/// Room that a busy connection reads into: it doubles while reads fill it.
const READ_BYTES_MAX: usize = 256 << 10;

/// Longest time for the last words to a connection that is closed.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// Who opened the connection.
pub(crate) enum Origin {
    /// The other end.
    Accepted { conn: ConnId, slot: ConnectionSlot },
    /// We did, to this peer.
    Dialled(Rc<Peer>),
}

/// What the connection has become.
enum State {
    Negotiating(Origin),
    /// `announced`: the node has been told that the link is up, so it is owed the news of its end.
    Peer {
        peer: Rc<Peer>,
        via: Via,
        version: Version,
        announced: bool,
        _slot: Option<ConnectionSlot>,
    },
    Client {
        conn: ConnId,
        _slot: ConnectionSlot,
    },
    Over,
}

/// One connection, owned by its task.
pub(crate) struct Task {
    inner: Rc<Inner>,
    connection: Rc<Connection>,
    session: Session,
    state: State,
}

impl Task {
    /// Runs a connection to its end; `first` is what the session begins with.
    pub(crate) async fn run(inner: Rc<Inner>, stream: TcpStream, session: Session, first: Turn, origin: Origin) -> CloseReason {
        let queue_bytes_max = match &origin {
            Origin::Accepted { .. } => inner.limits.client_queue_bytes,
            Origin::Dialled(_) => inner.limits.peer_queue_bytes,
        };
        let (mut half, socket) = stream.into_split();
        let conn = match &origin {
            Origin::Accepted { conn, .. } => *conn,
            Origin::Dialled(_) => inner.next_conn(),
        };
        let connection = Rc::new(Connection::new(conn, socket, queue_bytes_max));
        let stall = inner.timers.write;
        let mut task = Self { inner, connection: Rc::clone(&connection), session, state: State::Negotiating(origin) };
        let mut stopping = task.inner.stopping.subscribe();
        let reason = tokio::select! {
            reason = connection.closed() => reason,
            reason = connection.write_queued(stall) => reason,
            reason = task.read(&mut half, first) => reason,
            _ = stopping.wait_for(|stopping| *stopping) => CloseReason::Shutdown,
        };
        task.finish(reason, &mut half).await
    }

    async fn read(&mut self, half: &mut OwnedReadHalf, first: Turn) -> CloseReason {
        if let Some(reason) = self.carry_out(first).await {
            return reason;
        }
        let mut buffer = BytesMut::new();
        let mut room = READ_BYTES_MIN;
        loop {
            let wanted = self.reserve(&mut buffer, room);
            match self.read_some(half, &mut buffer, wanted).await {
                Err(reason) => return reason,
                Ok(0) => return CloseReason::Ended,
                Ok(count) if count == wanted => room = (room * 2).min(READ_BYTES_MAX),
                Ok(_) => {}
            }
            let inner = &self.inner;
            let turn = self.session.on_bytes(inner.now(), &mut buffer, |node| inner.known(node));
            if let Some(reason) = self.carry_out(turn).await {
                return reason;
            }
        }
    }

    /// Makes room for the next read and returns how much to read at most. A large frame gets at most as much again as has come: an announced
    /// size alone costs no memory.
    fn reserve(&self, buffer: &mut BytesMut, room: usize) -> usize {
        let lacking = self.session.bytes_lacking(buffer).min(buffer.len());
        let spare = buffer.capacity() - buffer.len();
        if spare < lacking || spare < READ_BYTES_MIN / 2 {
            buffer.reserve(lacking.max(room));
        }
        (buffer.capacity() - buffer.len()).min(lacking.max(room))
    }

    async fn read_some(&mut self, half: &mut OwnedReadHalf, buffer: &mut BytesMut, wanted: usize) -> Result<usize, CloseReason> {
        loop {
            let mut bounded = (&mut *buffer).limit(wanted);
            let read = half.read_buf(&mut bounded);
            let count = match self.session.deadline() {
                None => read.await?,
                Some(deadline) => match timeout_at(self.inner.origin + deadline, read).await {
                    Ok(count) => count?,
                    Err(_) => match self.session.on_timer(self.inner.now()) {
                        Some(reason) => return Err(reason),
                        None => continue,
                    },
                },
            };
            self.connection.count(|traffic| traffic.bytes_in += count as u64);
            return Ok(count);
        }
    }

    /// Does what the session decided, in its order; waits where the node or the client's answers are behind.
    async fn carry_out(&mut self, turn: Turn) -> Option<CloseReason> {
        if !turn.write.is_empty() && self.connection.send(turn.write.into()).is_err() {
            return Some(CloseReason::Ended);
        }
        if let Some(remote) = turn.opened
            && let Err(reason) = self.open(remote).await
        {
            return Some(reason);
        }
        if !turn.frames.is_empty()
            && let Err(reason) = self.deliver(turn.frames).await
        {
            return Some(reason);
        }
        turn.close
    }

    /// The other end is settled.
    async fn open(&mut self, remote: Remote) -> Result<(), CloseReason> {
        let State::Negotiating(origin) = std::mem::replace(&mut self.state, State::Over) else { return Ok(()) };
        match (remote, origin) {
            (Remote::Client, Origin::Accepted { conn, slot }) => {
                let slot = slot.promote(Class::Client).ok_or(CloseReason::TooManyConnections)?;
                self.inner.clients.borrow_mut().insert(conn, Rc::clone(&self.connection));
                self.state = State::Client { conn, _slot: slot };
                Ok(())
            }
            (Remote::Node { peer, identity, version }, origin) => {
                let (peer, via, slot) = self.attach(peer, origin, version)?;
                peer.on_up(identity);
                let event = PortEvent::PeerUp { peer: peer.node, via, conn: self.connection.id, identity, version };
                self.state = State::Peer { peer, via, version, announced: false, _slot: slot };
                self.tell(event).await?;
                if let State::Peer { announced, .. } = &mut self.state {
                    *announced = true;
                }
                Ok(())
            }
            (Remote::Client, Origin::Dialled(peer)) => Err(CloseReason::UnknownPeer(peer.node.0.into())),
        }
    }

    /// Puts the link where the port finds it.
    fn attach(&self, node: NodeId, origin: Origin, version: Version) -> Result<(Rc<Peer>, Via, Option<ConnectionSlot>), CloseReason> {
        match origin {
            Origin::Dialled(peer) => {
                peer.state.set(LinkState::Connected { version });
                peer.dialled.replace(Some(Rc::clone(&self.connection)));
                Ok((peer, Via::Dialled, None))
            }
            Origin::Accepted { conn, slot } => {
                let unknown = || CloseReason::UnknownPeer(node.0.into());
                let peer = self.inner.peers.borrow().get(&node).cloned().ok_or_else(unknown)?;
                let older = peer.accepted.replace(Some((conn, Rc::clone(&self.connection))));
                if let Some((_, older)) = older {
                    older.close(CloseReason::Replaced);
                }
                // It lives: do not sit out the rest of a long wait.
                peer.nudge.notify_one();
                Ok((peer, Via::Accepted(conn), slot.promote(Class::Peer)))
            }
        }
    }

    async fn deliver(&self, frames: Vec<Frame>) -> Result<(), CloseReason> {
        let count = frames.len();
        self.connection.count(|traffic| traffic.frames_in += count as u64);
        match &self.state {
            State::Peer { peer, via, version, .. } => {
                let (conn, via, version) = (self.connection.id, *via, *version);
                self.tell(PortEvent::PeerFrames { peer: peer.node, via, conn, version, frames }).await
            }
            State::Client { conn, .. } => {
                self.connection.requested(count);
                self.tell(PortEvent::ClientFrames { conn: *conn, frames }).await?;
                self.connection.wait_for_answers(self.inner.limits.requests_per_client_max).await;
                Ok(())
            }
            State::Negotiating(_) | State::Over => Ok(()),
        }
    }

    /// Waits while the node's inbox is full: nothing more is read meanwhile, and TCP pushes back.
    async fn tell(&self, event: PortEvent) -> Result<(), CloseReason> {
        self.inner.events.send(event).await.map_err(|_| CloseReason::Shutdown)
    }

    async fn finish(self, reason: CloseReason, half: &mut OwnedReadHalf) -> CloseReason {
        let Self { inner, connection, state, .. } = self;
        connection.close(reason.clone());
        if says_goodbye(&reason) {
            // Nobody is owed more than this: the other end may be gone. A shutdown's own deadline cuts it off earlier.
            let goodbye = async {
                connection.drain(inner.timers.write).await?;
                connection.end_of_stream()?;
                discard(half).await
            };
            let _ = timeout(GOODBYE_MAX, goodbye).await;
        }
        let event = match state {
            State::Peer { peer, via, version, announced, .. } => {
                peer.on_link_over(&connection);
                detach(&peer, via, &connection);
                announced.then(|| PortEvent::PeerDown { peer: peer.node, via, conn: connection.id, version, reason: reason.clone() })
            }
            State::Client { conn, .. } => {
                inner.clients.borrow_mut().remove(&conn);
                inner.note_client_traffic(&connection);
                Some(PortEvent::ClientGone { conn })
            }
            State::Negotiating(_) | State::Over => None,
        };
        inner.count_closed(&reason);
        if let Some(event) = event {
            // A node that listens no more needs no news.
            let _ = inner.events.send(event).await;
        }
        reason
    }
}

/// Whether bytes that wait are worth a last effort: the words of a refusal, or answers when we stop.
const fn says_goodbye(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::Refused(_) | CloseReason::Shutdown)
}

/// Reads on until the other end has seen our end of the stream: closing over unread bytes would reset the connection, and the last words with it.
async fn discard(half: &mut OwnedReadHalf) -> Result<(), CloseReason> {
    let mut nowhere = vec![0; READ_BYTES_MIN];
    while half.read(&mut nowhere).await? > 0 {}
    Ok(())
}

fn detach(peer: &Peer, via: Via, connection: &Rc<Connection>) {
    match via {
        Via::Dialled => {
            peer.dialled.replace(None);
            peer.state.set(LinkState::Waiting);
        }
        Via::Accepted(_) => {
            let mut accepted = peer.accepted.borrow_mut();
            if accepted.as_ref().is_some_and(|(_, current)| Rc::ptr_eq(current, connection)) {
                *accepted = None;
            }
        }
    }
}

/// Options of a socket: small writes leave at once, and a peer whose machine vanished is noticed.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
