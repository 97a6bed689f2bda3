//! The connections of nodes: in production the port's tasks. Each end is a [`Session`] of production; here is who dials, and what a node is told.

use super::{
    bug::Bug,
    disk::Loss,
    life::{conn_id, session_limits},
    network::{ConnNumber, Packet, Side},
    plan::{MILLI, Micros, SECOND},
    world::{Event, World},
};
use rand::RngExt;
use roadstead::{
    port::{
        Frame,
        session::{Remote, Session, Turn},
    },
    shard::Input,
};
use roadstead_spec::{NodeId, trace::Linked, wire::Version};

/// Longest wait before a peer is dialled again.
const REDIAL_MAX: Micros = 300 * MILLI;

/// The longest time until a machine notices that another one is gone that said nothing.
const NOTICE_MAX: Micros = 3 * SECOND;

impl World {
    pub(super) fn dial(&mut self, id: NodeId, life: u64, peer: NodeId) {
        if self.postponed(id, || Event::Dial { node: id, life, peer }) {
            return;
        }
        let (now, nonce) = (self.now, self.rng.random());
        let Some(current) = self.life(id, life) else { return };
        if current.dialled.contains_key(&peer) {
            return;
        }
        let store = current.registry.peer(peer).map(roadstead_spec::wire::StoreId);
        let (session, turn) = Session::dial(current.since_start(now), current.local(), session_limits(), peer, store, nonce);
        let conn = self.network.dial((id, life), peer, session);
        if let Some(current) = self.life(id, life) {
            current.dialled.insert(peer, conn);
        }
        self.send(conn, Side::Acceptor, Packet::Open);
        self.carry_out_session(conn, Side::Dialer, turn);
        self.watch(conn, Side::Dialer);
    }

    fn redial(&mut self, id: NodeId, life: u64, peer: NodeId) {
        let moment = self.now + self.rng.random_range(MILLI..=REDIAL_MAX);
        self.at(moment, Event::Dial { node: id, life, peer });
    }

    /// Something has reached an end.
    pub(super) fn arrive(&mut self, conn: ConnNumber, to: Side) {
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(to)) else { return };
        let (node, life) = (end.node, end.life);
        if self.postponed(node, || Event::Arrive { conn, to }) {
            return;
        }
        let Some(packet) = self.network.arrived(self.now, conn, to) else { return };
        let is_up = self.node(node).life.as_ref().is_some_and(|current| current.opening.is_empty());
        match packet {
            Packet::Open if is_up => self.accept(conn, node),
            // Nobody listens there, or not any more.
            Packet::Open => self.gone(conn, to),
            Packet::Bytes(_) | Packet::Close if self.life(node, life).is_none() => self.gone(conn, to),
            Packet::Bytes(mut bytes) => {
                self.spoiler.bytes(self.busy && self.events() % 500 == 499, &mut bytes);
                self.receive(conn, to, &bytes);
            }
            Packet::Close => self.closed_by_other(conn, to),
        }
    }

    /// An end does not exist any more; the other one hears of it when it sends something.
    fn gone(&mut self, conn: ConnNumber, side: Side) {
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        if !end.closed {
            end.closed = true;
            self.send(conn, side.other(), Packet::Close);
        }
        self.network.forget_closed(conn);
    }

    fn accept(&mut self, conn: ConnNumber, id: NodeId) {
        let now = self.now;
        let Some(current) = self.node(id).life.as_ref() else { return };
        let (life, session) = (current.number, Session::accept(current.since_start(now), current.local(), session_limits()));
        if let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(Side::Acceptor)) {
            end.life = life;
            end.session = Some(session);
        }
        self.watch(conn, Side::Acceptor);
    }

    fn receive(&mut self, conn: ConnNumber, side: Side, bytes: &[u8]) {
        let (now, nodes) = (self.now, self.plan.nodes);
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        if end.closed {
            return;
        }
        end.buffer.extend_from_slice(bytes);
        let Some(current) = self.nodes[end.node.0 as usize - 1].life.as_ref().filter(|life| life.number == end.life) else { return };
        let Some(session) = &mut end.session else { return };
        let turn = session.on_bytes(current.since_start(now), &mut end.buffer, |node| current.known(node, nodes));
        self.carry_out_session(conn, side, turn);
        self.watch(conn, side);
    }

    fn carry_out_session(&mut self, conn: ConnNumber, side: Side, turn: Turn) {
        let Turn { write, opened, frames, close } = turn;
        self.send_bytes(conn, side, write);
        if let Some(remote) = opened {
            self.settled(conn, side, remote);
        }
        if !frames.is_empty() {
            self.frames(conn, side, frames);
        }
        if close.is_some() {
            self.close(conn, side);
        }
    }

    /// It is settled who is at the other end.
    fn settled(&mut self, conn: ConnNumber, side: Side, remote: Remote) {
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        end.remote = Some(remote);
        let (id, life) = (end.node, end.life);
        let Remote::Node { peer, identity, version } = remote else { return };
        if let Some(identity) = identity {
            self.remember_store(id, life, peer, identity.store.0);
        }
        let untold = self.plan.bug == Some(Bug::UpUntold);
        let Some(current) = self.life(id, life) else { return };
        let (boot, dialled) = (identity.map(|identity| identity.boot), side == Side::Dialer);
        current.inbox.push(Input::Linked(Linked { peer, boot, dialled, version }));
        match side {
            Side::Acceptor => {
                if let Some(older) = current.accepted.insert(peer, conn) {
                    self.close(older, Side::Acceptor);
                }
                // It lives: do not sit out the rest of a long wait.
                self.at(self.now, Event::Dial { node: id, life, peer });
            }
            Side::Dialer if untold => {}
            Side::Dialer if version == Version::Legacy => current.inbox.push(Input::LegacyUp { peer, conn: conn_id(conn) }),
            Side::Dialer if current.unsettled.contains_key(&peer) => drop(current.held_up.insert(peer)),
            Side::Dialer => current.inbox.push(Input::PeerUp(peer)),
        }
        self.wake(id, life);
    }

    /// Nothing of a peer counts before its store id is durable.
    fn remember_store(&mut self, id: NodeId, life: u64, peer: NodeId, store: u128) {
        let Some(current) = self.life(id, life) else { return };
        match current.registry.plan_peer(peer, store) {
            Ok(None) => {}
            Ok(Some(change)) => {
                let ticket = current.submit_change(change);
                current.unsettled.insert(peer, ticket);
                self.start_disk(id, life);
            }
            Err(error) => self.violated(Some(id), format!("the port of node {id} let in whom it knows otherwise: {error}")),
        }
    }

    /// A change of the registry is durable.
    pub(super) fn peer_settled(&mut self, id: NodeId, life: u64, ticket: u64) {
        let Some(current) = self.life(id, life) else { return };
        let Some(peer) = current.unsettled.iter().find(|(_, waited)| **waited == ticket).map(|(peer, _)| *peer) else { return };
        current.unsettled.remove(&peer);
        if current.held_up.remove(&peer) {
            current.inbox.push(Input::PeerUp(peer));
        }
    }

    fn frames(&mut self, conn: ConnNumber, side: Side, mut frames: Vec<Frame>) {
        let (twice, due) = (self.plan.bug == Some(Bug::FramesTwice), Bug::is_due(self.events()));
        self.spoiler.frames(due, &self.plan.groups, &mut frames);
        if frames.is_empty() {
            return;
        }
        let wrong_sender = (self.plan.bug == Some(Bug::WrongSender)).then(|| self.plan.members());
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        let (id, life) = (end.node, end.life);
        let Some(Remote::Node { mut peer, version, .. }) = end.remote else { return };
        if let Some(members) = wrong_sender {
            peer = members.into_iter().find(|other| ![id, peer].contains(other)).unwrap_or(peer);
        }
        let Some(current) = self.life(id, life) else { return };
        let conn = conn_id(conn);
        match (version, side) {
            (Version::Extended, _) if current.unsettled.contains_key(&peer) => return,
            (Version::Extended, _) => {
                if twice {
                    current.inbox.push(Input::PeerFrames { peer, frames: frames.clone() });
                }
                current.inbox.push(Input::PeerFrames { peer, frames });
            }
            (Version::Legacy, Side::Dialer) => current.inbox.push(Input::LegacyAnswers { peer, conn, frames }),
            (Version::Legacy, Side::Acceptor) => current.inbox.push(Input::LegacyRequests { peer, conn, frames }),
        }
        self.wake(id, life);
    }

    /// A session may have waited long enough.
    fn watch(&mut self, conn: ConnNumber, side: Side) {
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        let Some(deadline) = end.session.as_ref().and_then(Session::deadline) else { return };
        let (id, life) = (end.node, end.life);
        if let Some(current) = self.life(id, life) {
            let moment = current.moment_of(deadline);
            self.at(moment, Event::Overdue { conn, side });
        }
    }

    pub(super) fn overdue(&mut self, conn: ConnNumber, side: Side) {
        let now = self.now;
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)).filter(|end| !end.closed) else { return };
        let Some(current) = self.nodes[end.node.0 as usize - 1].life.as_ref().filter(|life| life.number == end.life) else { return };
        if end.session.as_mut().is_some_and(|session| session.on_timer(current.since_start(now)).is_some()) {
            self.close(conn, side);
        }
    }

    /// A node closes a connection of its own.
    pub(super) fn close_here(&mut self, id: NodeId, life: u64, conn: ConnNumber) {
        for (number, side) in self.network.of(id, life) {
            if number == conn {
                self.close(number, side);
            }
        }
    }

    /// This end is closed, and the other one will hear of it.
    pub(super) fn close(&mut self, conn: ConnNumber, side: Side) {
        if self.network.conns.get_mut(&conn).is_some_and(|conn| !conn.end(side).closed) {
            self.detach(conn, side);
            self.send(conn, side.other(), Packet::Close);
            self.network.forget_closed(conn);
        }
    }

    fn closed_by_other(&mut self, conn: ConnNumber, side: Side) {
        if self.network.conns.get_mut(&conn).is_some_and(|conn| !conn.end(side).closed) {
            self.detach(conn, side);
        }
        self.network.forget_closed(conn);
    }

    /// Takes a connection away from its node and tells it.
    fn detach(&mut self, conn: ConnNumber, side: Side) {
        let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) else { return };
        end.closed = true;
        let (id, life, remote, untold) = (end.node, end.life, end.remote, self.plan.bug == Some(Bug::DownUntold));
        let Some(current) = self.life(id, life) else { return };
        match (side, remote) {
            (Side::Dialer, remote) => {
                let Some(peer) = current.dialled.iter().find(|(_, number)| **number == conn).map(|(peer, _)| *peer) else { return };
                current.dialled.remove(&peer);
                current.held_up.remove(&peer);
                match remote {
                    Some(_) if untold => {}
                    Some(Remote::Node { version: Version::Extended, .. }) => current.inbox.push(Input::PeerDown(peer)),
                    Some(Remote::Node { version: Version::Legacy, .. }) => {
                        current.inbox.push(Input::LegacyDown { peer, conn: conn_id(conn) });
                    }
                    Some(Remote::Client) | None => {}
                }
                self.redial(id, life, peer);
            }
            (Side::Acceptor, Some(Remote::Node { peer, .. })) => {
                if current.accepted.get(&peer) == Some(&conn) {
                    current.accepted.remove(&peer);
                }
                current.inbox.push(Input::Gone(conn_id(conn)));
            }
            (Side::Acceptor, _) => {}
        }
        self.wake(id, life);
    }

    /// A process is gone. Its system closes its connections; a machine without power says nothing, and the others notice late.
    pub(super) fn drop_connections(&mut self, id: NodeId, life: u64, loss: Loss) {
        for (conn, side) in self.network.of(id, life) {
            if let Some(end) = self.network.conns.get_mut(&conn).map(|conn| conn.end(side)) {
                end.closed = true;
            }
            let silent = if loss == Loss::Power { self.rng.random_range(0..=NOTICE_MAX) } else { 0 };
            for moment in self.network.send(self.now + silent, conn, side.other(), Packet::Close) {
                self.at(moment, Event::Arrive { conn, to: side.other() });
            }
        }
    }
}
