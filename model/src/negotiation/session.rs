//! What an end does with bytes that arrive: production's machines and frames, and a server of NuRaft in few words.

use super::{
    Negotiation, bytes,
    check::{self, broken},
    sight,
    state::{ACCEPTOR, Conn, DIALER, Half, Phase, Said, Sent, Speaks, State, WANTED},
};
use crate::Seen;
use roadstead_spec::{
    NodeId,
    invariants::Broken,
    wire::{
        Header, Limits, MARKER_LEGACY_REQUEST, MessageType, RPC_REQ_HEADER_SIZE, StoreId, Version,
        negotiation::{Acceptor, Dialer, Link, Refusal},
    },
};

/// The limits of frames, small and yet larger than what is sent here.
pub(super) const LIMITS: Limits = Limits { frame_bytes_max: 1024, entry_bytes_max: 1024, legacy_bytes_max: 2048 };

/// Most room for one frame: a header and the largest body.
const ROOM_MAX: usize = 54 + 2048;

/// One end of one connection, while it takes bytes.
pub(super) struct Session<'a> {
    pub(super) world: &'a Negotiation,
    pub(super) state: &'a mut State,
    pub(super) at: usize,
    pub(super) place: usize,
    pub(super) seen: &'a mut Seen,
}

impl Session<'_> {
    fn conn(&mut self) -> &mut Conn {
        &mut self.state.conns[self.at]
    }

    fn half(&mut self) -> &mut Half {
        let place = self.place;
        &mut self.conn().halves[place]
    }

    /// Takes everything whole out of the buffer.
    pub(super) fn pump(mut self) -> Result<(), Broken> {
        loop {
            let going_on = match &self.half().phase {
                Phase::Dialing(_) => self.dial()?,
                Phase::Accepting(_) => self.accept()?,
                Phase::Foreign => self.foreign()?,
                Phase::Open(version) => {
                    let version = *version;
                    self.frame(version)?
                }
                Phase::Closed => false,
            };
            if !going_on {
                break;
            }
        }
        if let Phase::Open(version) = self.half().phase {
            let reserve = self.world.decisions.reserve;
            let room = reserve(version, &self.half().buffer, &LIMITS);
            if room > ROOM_MAX {
                return Err(broken("I-W7", format!("room for {room} bytes is made for one frame")));
            }
        }
        Ok(())
    }

    fn dial(&mut self) -> Result<bool, Broken> {
        let dial = self.world.decisions.dial;
        let half = self.half();
        let Phase::Dialing(dialer) = &mut half.phase else { return Ok(false) };
        let consumed = dial(dialer, &half.buffer);
        let Dialer::Done(outcome) = dialer.clone() else { return Ok(false) };
        match outcome {
            Ok(link) => {
                let taken = self.consume(consumed)?;
                if taken.is_some_and(|sent| sent.said == Said::Foreign) {
                    if link.version() == Version::Extended {
                        return Err(broken("I-W9", format!("an earlier connection's answer was taken: {link:?}")));
                    }
                    self.conn().nonceless = true;
                }
                self.open(&link)?;
                Ok(true)
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn accept(&mut self) -> Result<bool, Broken> {
        let accept = self.world.decisions.accept;
        let remembered = self.state.memory[ACCEPTOR].map(|store| StoreId(store.into()));
        let half = self.half();
        let Phase::Accepting(acceptor) = &mut half.phase else { return Ok(false) };
        let mut out = Vec::new();
        let consumed = accept(acceptor, &half.buffer, remembered, &mut out);
        let done = acceptor.clone();
        if !out.is_empty() {
            self.send(Said::Answer, &out);
            self.seen.note_if(sight::RECORDED, self.state.recorded.is_some());
        }
        let Acceptor::Done(outcome) = done else { return Ok(false) };
        match outcome {
            Ok(link) => {
                self.consume(consumed)?;
                self.open(&link)?;
                Ok(true)
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Both ends agree, as far as this one knows.
    fn open(&mut self, link: &Link) -> Result<(), Broken> {
        let (at, place) = (self.at, self.place);
        check::agreed(self.state, &self.state.conns[at], place, link)?;
        self.conn().halves[place].phase = Phase::Open(link.version());
        if let Link::Node(_) = link {
            let store = self.state.conns[at].ends[1 - place].0.store;
            self.seen.note_if(sight::SAME_STORE, self.state.memory[place] == Some(store));
            self.state.memory[place] = Some(store);
            self.state.met[place] = Some(store);
        }
        let ends = self.state.conns[at].ends;
        let speaks = (ends[DIALER].0.speaks, ends[ACCEPTOR].0.speaks);
        self.seen.note(if link.version() == Version::Extended { sight::EXTENDED } else { sight::LEGACY });
        self.seen.note_if(sight::CLIENT, speaks.0 == Speaks::Client);
        self.seen.note_if(sight::NURAFT, speaks.1 == Speaks::NuRaft);
        Ok(())
    }

    fn refuse(&mut self, refusal: &Refusal) -> Result<bool, Broken> {
        let (at, place) = (self.at, self.place);
        // What the other end refused was judged when it refused; what it knew then may be forgotten by now.
        if !matches!(refusal, Refusal::ByPeer(_)) {
            check::refused(self.state, &self.state.conns[at], place, &refusal.to_string())?;
        }
        let noted = match refusal {
            Refusal::WrongNonce { .. } => Some(sight::NONCE),
            Refusal::WrongStore { .. } => Some(sight::STORE),
            Refusal::WrongNode { .. } => Some(sight::NODE),
            Refusal::WrongCluster { .. } => Some(sight::CLUSTER),
            Refusal::ByPeer(_) => Some(sight::BY_PEER),
            Refusal::PeerIsLegacy | Refusal::NoCommonVersion { .. } => Some(sight::NO_VERSION),
            Refusal::Contradiction(_) | Refusal::Hello(_) => Some(sight::DAMAGED),
            Refusal::Frame(_) => Some(sight::BOUND),
            Refusal::UnknownNode(_) => Some(sight::STRANGER),
            Refusal::SameNode(_) | Refusal::Early(_) | Refusal::NotAPong(_) => None,
        };
        noted.into_iter().for_each(|sight| self.seen.note(sight));
        self.close();
        Ok(false)
    }

    /// Takes the next frame of an open connection.
    fn frame(&mut self, version: Version) -> Result<bool, Broken> {
        let next = self.world.decisions.next;
        let span = match next(version, &self.half().buffer, &LIMITS) {
            Ok(Some(span)) => span,
            Ok(None) => return Ok(false),
            Err(_) => {
                if !self.conn().faulty {
                    let (place, nonce) = (self.place, self.conn().nonce);
                    return Err(broken("I-W4", format!("connection {nonce}: end {place} cannot read undamaged bytes as {version:?}")));
                }
                let nonceless = self.conn().nonceless;
                self.seen.note(if nonceless { sight::NONCELESS } else { sight::DAMAGED });
                self.close();
                return Ok(false);
            }
        };
        let Some(sent) = self.consume(span.len())? else { return Ok(false) };
        match (self.place, &span.header, sent.said) {
            (ACCEPTOR, header, Said::Request { group, number }) => self.request(version, header, group, number),
            (DIALER, Header::LegacyResponse(header), Said::Reply { number }) => self.reply(header.message_type, number, header.next_index),
            // A policy of version 0 neither offers nor expects an answer; a pong is the answer to somebody's ping.
            (_, header, said) => {
                let values = format!("{header:?} was read where {said:?} was sent");
                if self.conn().faulty { Ok(true) } else { Err(broken("I-W4", values)) }
            }
        }
    }

    fn request(&mut self, version: Version, header: &Header, group: u8, number: u8) -> Result<bool, Broken> {
        let found = match header {
            Header::Extended(header) => (header.group.get(), header.term),
            Header::LegacyRequest(header) => (0, header.term),
            Header::LegacyResponse(header) => (0, header.term),
        };
        if version == Version::Legacy && group != 0 {
            return Err(broken("I-W3", format!("a request of group {group} was delivered to group 0")));
        }
        if found != (group.into(), bytes::TERMS + u64::from(number)) {
            let (group_found, term) = found;
            return Err(broken("I-W6", format!("request {number} of group {group} was read as one of group {group_found} in term {term}")));
        }
        self.seen.note(if group == 0 { sight::DEFAULT_GROUP } else { sight::OTHER_GROUP });
        if version == Version::Extended {
            return Ok(true);
        }
        let full_closes = self.world.decisions.full_closes;
        let half = self.half();
        match half.answers.received() {
            Some(place) => half.serving.push((place, number)),
            None if full_closes => {
                self.seen.note(sight::NO_PLACE);
                self.close();
            }
            None => {}
        }
        Ok(true)
    }

    fn reply(&mut self, answer: MessageType, number: u8, found: u64) -> Result<bool, Broken> {
        match self.half().waiting.answered(answer) {
            Ok(token) if token != number => Err(broken("I-W5", format!("the answer to request {number} was taken for request {token}'s"))),
            Ok(_) if found != u64::from(number) => Err(broken("I-W6", format!("the answer to request {number} was read as {found}"))),
            Ok(_) => {
                self.seen.note_if(sight::SECOND_ANSWER, number > 0);
                Ok(true)
            }
            Err(_) => {
                self.close();
                Ok(false)
            }
        }
    }

    /// A server of NuRaft: whole requests of version 0, answered at once; an unknown marker would cost the connection, or worse.
    fn foreign(&mut self) -> Result<bool, Broken> {
        let buffer = &self.half().buffer;
        let Some(&marker) = buffer.first() else { return Ok(false) };
        if marker != MARKER_LEGACY_REQUEST {
            return if self.conn().faulty {
                self.close();
                Ok(false)
            } else {
                Err(broken("I-W4", format!("a legacy peer was sent a frame that begins with {marker:#04x}")))
            };
        }
        let (length, kind) = match buffer.get(42..46).and_then(|size| size.try_into().ok()).map(i32::from_le_bytes) {
            Some(size) if buffer.len() >= RPC_REQ_HEADER_SIZE => (RPC_REQ_HEADER_SIZE.saturating_add_signed(size as isize), buffer[1]),
            _ => return Ok(false),
        };
        if length > ROOM_MAX {
            self.close();
            return Ok(false);
        }
        if buffer.len() < length {
            return Ok(false);
        }
        let is_damaged = self.conn().faulty;
        let Some(sent) = self.consume(length)? else { return Ok(false) };
        let nodes = self.nodes();
        let mut out = Vec::new();
        match sent.said {
            _ if is_damaged => self.close(),
            Said::Offer if kind == MessageType::Ping.number() => {
                bytes::pong(nodes, &mut out);
                self.send(Said::Answer, &out);
            }
            Said::Request { group: 0, number } => {
                bytes::reply(nodes, number, &mut out);
                self.seen.note(sight::DEFAULT_GROUP);
                self.send(Said::Reply { number }, &out);
            }
            Said::Request { group, .. } => return Err(broken("I-W3", format!("a request of group {group} was delivered to group 0"))),
            said => return Err(broken("I-W4", format!("a legacy peer read {said:?} as a request of type {kind}"))),
        }
        Ok(true)
    }

    /// The bytes that were consumed must be the front frame, whole.
    fn consume(&mut self, count: usize) -> Result<Option<Sent>, Broken> {
        if count == 0 {
            return Ok(None);
        }
        let (nonce, place, faulty) = (self.conn().nonce, self.place, self.conn().faulty);
        let front = self.conn().wires[place].sent.first().copied();
        let Some(sent) = front.filter(|sent| sent.length as usize == count || faulty) else {
            return Err(broken("I-W4", format!("connection {nonce}: end {place} consumed {count} bytes where {front:?} was sent")));
        };
        self.half().buffer.drain(..count);
        self.conn().wires[place].sent.remove(0);
        Ok(Some(sent))
    }

    /// What this end sends.
    fn send(&mut self, said: Said, bytes: &[u8]) {
        let place = self.place;
        push(self.conn(), 1 - place, said, bytes);
    }

    fn nodes(&mut self) -> (u8, u8) {
        let ends = self.conn().ends;
        (ends[DIALER].0.node, ends[ACCEPTOR].0.node)
    }

    fn close(&mut self) {
        let place = self.place;
        close(self.conn(), place);
    }
}

/// Puts a frame on its way to an end, unless that has closed.
pub(super) fn push(conn: &mut Conn, to: usize, said: Said, bytes: &[u8]) {
    if conn.halves[to].lives() && !conn.wires[to].ended {
        let header = bytes::header_size(bytes[0]);
        conn.wires[to].sent.push(Sent { length: bytes.len() as u32, header, said });
        conn.wires[to].bytes.extend_from_slice(bytes);
    }
}

/// An end closes: nothing reaches it any more, and what it sent before still arrives.
pub(super) fn close(conn: &mut Conn, place: usize) {
    conn.halves[place] = Half::new(Phase::Closed);
    conn.wires[place].bytes.clear();
    conn.wires[place].sent.clear();
    conn.wires[place].ended = true;
    conn.wires[1 - place].ended = true;
}

/// How the dialing end of a new connection begins, and what it sends.
pub(super) fn begin(world: &Negotiation, state: &State, out: &mut Vec<u8>) -> Option<Half> {
    let (end, boot) = state.ends[DIALER]?;
    let target = super::network::target(end, state.memory[DIALER]);
    let nonce = u64::from(state.dialled);
    let phase = match (end.caller(boot), end.speaks) {
        (Some(caller), _) => match (world.decisions.start)(caller, target, nonce, out) {
            Dialer::Done(Ok(link)) => Phase::Open(link.version()),
            Dialer::Done(Err(_)) => Phase::Closed,
            dialer => Phase::Dialing(dialer),
        },
        (None, Speaks::Hostile) => {
            bytes::boast(Version::Legacy, (end.node, WANTED), out);
            Phase::Open(Version::Legacy)
        }
        (None, _) => Phase::Open(Version::Legacy),
    };
    Some(Half::new(phase))
}

/// How the accepting end of a new connection begins.
pub(super) fn listen(state: &State) -> Option<Half> {
    let (end, boot) = state.ends[ACCEPTOR]?;
    Some(Half::new(end.local(boot).map_or(Phase::Foreign, |local| Phase::Accepting(Acceptor::new(local)))))
}

/// The dialer's node id of a frame's source; a client has none.
pub(super) fn source(speaks: Speaks, node: u8) -> NodeId {
    NodeId(if speaks == Speaks::Client { 0 } else { node.into() })
}
