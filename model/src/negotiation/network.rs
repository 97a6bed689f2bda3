//! What happens to ends and connections.

use super::{
    Negotiation,
    bytes::{self, cuts},
    session::{self, Session},
    sight,
    state::{ACCEPTOR, Conn, DIALER, End, Half, Phase, Said, Sent, Speaks, State, WANTED},
};
use crate::Seen;
use roadstead_spec::{
    NodeId,
    invariants::Broken,
    wire::{MessageType, StoreId, Version, negotiation::Target},
};

impl Negotiation {
    pub(super) fn start(&self, state: &mut State, end: usize, program: usize) {
        let programs = [self.dialers, self.acceptors][end];
        let boot = state.ends[end].map_or(1, |(_, boot)| boot + 1);
        let fresh = programs[program];
        // Its own memory lies in its data folder.
        let is_wiped = state.ends[end].is_some_and(|(before, _)| (before.store, before.node) != (fresh.store, fresh.node));
        if is_wiped || !self.decisions.remembers_store {
            state.memory[end] = None;
        }
        if is_wiped {
            state.met[end] = None;
        }
        state.ends[end] = Some((fresh, boot));
        state.budget.starts -= 1;
        for conn in &mut state.conns {
            if conn.halves[end].lives() {
                session::close(conn, end);
            }
        }
        if end == DIALER {
            state.last = None;
        }
    }

    pub(super) fn dial(&self, state: &mut State) {
        let mut out = Vec::new();
        let (Some(mut half), Some(listener)) = (session::begin(self, state, &mut out), session::listen(state)) else { return };
        let last = state.last.take();
        if let Some(last) = &last {
            if self.decisions.keeps_buffer {
                half.buffer.clone_from(&last.buffer);
            }
            if self.decisions.keeps_waiting {
                half.waiting = last.waiting.clone();
            }
            if let (true, Phase::Open(version)) = (self.decisions.remembers_version, &last.phase) {
                half.phase = Phase::Open(*version);
                out.clear();
            }
        }
        state.budget.dials -= 1;
        let ends = [state.ends[DIALER], state.ends[ACCEPTOR]].map(|end| end.unwrap_or((End::of(0, Speaks::NuRaft), 0)));
        let faulty = ends[DIALER].0.speaks == Speaks::Hostile;
        let halves = [half, listener];
        let mut conn = Conn { nonce: state.dialled, ends, halves, wires: Default::default(), numbers: 0, faulty, nonceless: false };
        state.dialled += 1;
        if !out.is_empty() {
            session::push(&mut conn, ACCEPTOR, if faulty { Said::Boast } else { Said::Offer }, &out);
        }
        state.conns.push(conn);
    }

    pub(super) fn arrive(&self, state: &mut State, at: usize, end: usize, cut: usize, seen: &mut Seen) -> Result<(), Broken> {
        let conn = &mut state.conns[at];
        let have = conn.halves[end].buffer.len();
        let front = conn.wires[end].sent.first().copied();
        let position = front.and_then(|front| cuts(&front).get(cut).copied());
        let count = match position {
            Some(position) => {
                state.budget.cuts -= 1;
                seen.note_if(sight::CUT, front.is_some_and(|front| matches!(front.said, Said::Offer | Said::Answer)));
                (position - have).min(conn.wires[end].bytes.len())
            }
            None => conn.wires[end].bytes.len(),
        };
        let arrived: Vec<u8> = conn.wires[end].bytes.drain(..count).collect();
        conn.halves[end].buffer.extend(arrived);
        let was_offered = conn.halves[ACCEPTOR].lives().then(|| conn.wires[DIALER].sent.len());
        Session { world: self, state, at, place: end, seen }.pump()?;
        // The network remembers the first answer that anybody gave, for a later connection.
        let conn = &state.conns[at];
        let answered = was_offered == Some(0) && conn.wires[DIALER].sent.first().is_some_and(|sent| sent.said == Said::Answer);
        if answered && self.budget.mixed > 0 && state.recorded.is_none() {
            state.recorded = Some((conn.nonce, conn.wires[DIALER].bytes.clone()));
        }
        Ok(())
    }

    pub(super) fn request(&self, state: &mut State, at: usize, group: u8, seen: &mut Seen) -> bool {
        let conn = &mut state.conns[at];
        let version = match &conn.halves[DIALER].phase {
            Phase::Open(version) => *version,
            _ => Version::Extended,
        };
        let Some(names) = (self.decisions.names)(version, group) else {
            seen.note(sight::NOT_CARRIED);
            return false;
        };
        let number = conn.numbers;
        let half = &mut conn.halves[DIALER];
        if version == Version::Legacy && half.waiting.sent(MessageType::AppendEntries, number).is_err() {
            return false;
        }
        let (dialer, acceptor) = (conn.ends[DIALER].0, conn.ends[ACCEPTOR].0);
        let source = session::source(dialer.speaks, dialer.node).0 as u8;
        let mut out = Vec::new();
        bytes::request(version, (source, acceptor.node), names, number, &mut out);
        session::push(conn, ACCEPTOR, Said::Request { group, number }, &out);
        conn.numbers += 1;
        state.budget.requests -= 1;
        true
    }

    pub(super) fn answer(&self, conn: &mut Conn, at: usize, seen: &mut Seen) {
        let (place, number) = conn.halves[ACCEPTOR].serving.remove(at);
        seen.note_if(sight::OUT_OF_ORDER, at > 0);
        let mut out = Vec::new();
        let nodes = (conn.ends[DIALER].0.node, conn.ends[ACCEPTOR].0.node);
        let answers = &mut conn.halves[ACCEPTOR].answers;
        answers.ready(place, number);
        let mut ready = Vec::new();
        if self.decisions.answers_in_order {
            ready.extend(std::iter::from_fn(|| answers.pop()));
        } else {
            ready.push(number);
            let _ = std::iter::from_fn(|| answers.pop()).count();
        }
        for number in ready {
            out.clear();
            bytes::reply(nodes, number, &mut out);
            session::push(conn, DIALER, Said::Reply { number }, &out);
        }
    }

    pub(super) fn mix(&self, state: &mut State, at: usize) {
        let Some((_, recorded)) = state.recorded.clone() else { return };
        state.budget.mixed -= 1;
        let conn = &mut state.conns[at];
        conn.faulty = true;
        let wire = &mut conn.wires[DIALER];
        if let Some(sent) = wire.sent.first_mut() {
            *sent = Sent { length: recorded.len() as u32, header: bytes::header_size(recorded[0]), said: Said::Foreign };
        }
        wire.bytes = recorded;
    }
}

/// The dialer of an open connection announces more than anybody may send.
pub(super) fn boast(state: &mut State, at: usize) {
    let conn = &mut state.conns[at];
    let Phase::Open(version) = conn.halves[DIALER].phase else { return };
    let mut out = Vec::new();
    bytes::boast(version, (conn.ends[DIALER].0.node, conn.ends[ACCEPTOR].0.node), &mut out);
    session::push(conn, ACCEPTOR, Said::Boast, &out);
    conn.faulty = true;
    state.budget.boasts -= 1;
}

/// Whom the dialer wants.
pub(super) fn target(dialer: End, remembered: Option<u8>) -> Target {
    let store = remembered.filter(|_| dialer.speaks != Speaks::Client).map(|store| StoreId(store.into()));
    Target { node: Some(NodeId(WANTED.into())), store }
}

/// What a mistaken dialer would remember of its last connection.
pub(super) fn remember(last: &mut Option<Half>, conn: &Conn, end: usize) {
    if end == DIALER {
        *last = Some(conn.halves[DIALER].clone());
    }
}
