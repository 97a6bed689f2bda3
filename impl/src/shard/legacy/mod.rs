//! Group 0 over connections that speak version 0. `spec::wire::legacy::translate` says what is said; here is who waits for whom.
//!
//! Two rules hold everything together. The k-th answer of a connection belongs to its k-th request: so frames go to the very connection that
//! they were made for, and one that cannot take them is closed. And every request is answered or its connection is closed: so nobody's
//! answer can be taken for somebody else's, whatever is dropped within this node.

mod answering;
mod asking;
mod places;

pub(crate) use places::is_legacy_round;

use super::{io::Outputs, timers::Millis};
use crate::port::{CloseReason, ConnId};
use asking::Asking;
use places::Answering;
use roadstead_spec::{
    GroupId, NodeId, Term,
    wire::legacy::translate::{Asked, Ends},
};
use std::collections::{BTreeMap, BTreeSet};

/// All version 0 connections of a node, seen from group 0.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Those that we dialled, by peer.
    asking: BTreeMap<NodeId, Asking>,
    /// Those that others dialled. Numbers of connections grow, so they are in the order of their age.
    answering: BTreeMap<ConnId, Answering>,
    /// Those of them that are being closed: a request that is on its way already gets no answer, or it would come in another one's place.
    closing: BTreeSet<ConnId>,
    /// Group 0 as it was last stepped; `None` while it does not run here.
    pub(crate) view: Option<View>,
    /// Group 0 is not in its first life. Version 0 carries no incarnation and means the first one: then nothing is heard or said over it. A peer
    /// that was away when the life began would otherwise be heard as a member of it.
    pub(crate) later_life: bool,
}

/// What version 0 tells of group 0 in answers that the core has no part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The term that it is in.
    pub(crate) term: Term,
    /// Who leads it.
    pub(crate) leader: Option<NodeId>,
}

impl Links {
    /// Whether requests to `peer` travel by version 0: group 0 is all that it gets.
    pub(crate) fn speaks_legacy(&self, peer: NodeId) -> bool {
        self.asking.contains_key(&peer)
    }

    /// Whether messages of this group travel to `peer` by version 0.
    pub(crate) fn carries(&self, group: GroupId, peer: NodeId) -> bool {
        group == GroupId::DEFAULT && !self.later_life && self.speaks_legacy(peer)
    }

    /// Whether there is no such connection at all, as in a cluster of nodes of this release.
    pub(crate) fn is_idle(&self) -> bool {
        self.asking.is_empty() && self.answering.is_empty()
    }

    /// A connection stands that we dialled. Its first frame says who we are, which a quiet one would owe for ever.
    pub(super) fn up(&mut self, now: Millis, node: NodeId, peer: NodeId, conn: ConnId) {
        let mut asking = Asking::new(conn);
        asking.ask(now, |out| Asked::encode_ping(Ends::nodes(node, peer), out));
        self.asking.insert(peer, asking);
    }

    /// The connection to `peer` is gone, unless a newer one took its place. Returns whether it was ours.
    pub(super) fn down(&mut self, peer: NodeId, conn: ConnId) -> bool {
        let current = self.asking.get(&peer).is_some_and(|asking| asking.conn == conn);
        if current {
            self.asking.remove(&peer);
        }
        current
    }

    /// A connection of a peer or a client is gone: its answers have nowhere to go.
    pub(super) fn gone(&mut self, conn: ConnId) {
        self.answering.remove(&conn);
        self.closing.remove(&conn);
    }

    /// Closes a connection that somebody else dialled.
    fn close(&mut self, out: &mut Outputs, conn: ConnId, reason: CloseReason) {
        if self.answering.remove(&conn).is_some() {
            self.closing.insert(conn);
            out.closes.push((conn, reason));
        }
    }

    /// An answer to `peer` was dropped: the connections whose answers it would shift are closed.
    pub(crate) fn dropped(&mut self, out: &mut Outputs, peer: NodeId) {
        let of_peer = self.answering.iter().filter(|(_, answering)| answering.peer == Some(peer));
        let conns: Vec<ConnId> = of_peer.filter(|(_, answering)| answering.waits_for_core()).map(|(conn, _)| *conn).collect();
        for conn in conns {
            self.close(out, conn, CloseReason::LegacyDropped);
        }
    }

    /// Group 0 has stopped here, or never ran: the core answers nothing any more.
    pub(super) fn close_waiting(&mut self, out: &mut Outputs) {
        let waiting = self.answering.iter().filter(|(_, answering)| answering.waits_for_core());
        let conns: Vec<ConnId> = waiting.map(|(conn, _)| *conn).collect();
        for conn in conns {
            self.close(out, conn, CloseReason::NoGroupZero);
        }
    }

    /// Writes every answer whose turn has come, and every request.
    pub(super) fn flush(&mut self, node: NodeId, out: &mut Outputs) {
        let term = self.view.map_or(Term(0), |view| view.term);
        for (conn, answering) in &mut self.answering {
            answering.flush(*conn, node, term, out);
        }
        for (peer, asking) in &mut self.asking {
            asking.flush(*peer, out);
        }
    }

    /// Gives up connections on which the core's requests got no answer for longer than `patience`; returns their peers.
    pub(super) fn overdue(&mut self, now: Millis, patience: u64, out: &mut Outputs) -> Vec<NodeId> {
        let overdue = self.asking.iter().filter(|(_, asking)| asking.is_overdue(now, patience));
        let peers: Vec<NodeId> = overdue.map(|(peer, _)| *peer).collect();
        for peer in &peers {
            self.give_up(out, *peer, CloseReason::LegacySilent(std::time::Duration::from_millis(patience)));
        }
        peers
    }

    /// Closes the connection to `peer`.
    pub(super) fn give_up(&mut self, out: &mut Outputs, peer: NodeId, reason: CloseReason) {
        if let Some(asking) = self.asking.remove(&peer) {
            out.closes.push((asking.conn, reason));
        }
    }
}
