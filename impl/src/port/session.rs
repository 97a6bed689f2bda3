//! One connection's protocol, without its socket: bytes in; frames, an introduction and bytes out.
//!
//! A session is a plain struct that is told the time, so production wraps it in a task and a simulation calls it directly. It decides who the other end is (by
//! `spec::wire::negotiation`), which frames may come from it, and when a silent one is given up. What it hands out does not depend on how
//! the bytes were cut into reads.

use super::close::CloseReason;
use super::event::{Frame, PeerIdentity};
use bytes::{Buf, BytesMut};
use roadstead_spec::NodeId;
use roadstead_spec::wire::negotiation::{Acceptor, Dialer, Identity, Known, Link, Local, Refusal, Target};
use roadstead_spec::wire::{
    ExtendedHeader, FrameSpan, Header, LegacyRequest, Limits, MessageType, StoreId, Version, bytes_wanted, next_frame,
};
use std::time::Duration;

/// A frame that has begun must bring this much more, or its end, within the read timeout: one byte now and then is no progress.
pub const PROGRESS_BYTES_MIN: usize = 4096;

/// What bounds a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Sizes of frames.
    pub frames: Limits,
    /// How long the negotiation may take.
    pub handshake: Duration,
    /// How long a begun frame may stand still.
    pub read: Duration,
}

/// Who is at the other end, once that is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A peer.
    Node {
        /// Its node id.
        peer: NodeId,
        /// What a version 1 peer says about itself; `None` for a legacy peer.
        identity: Option<PeerIdentity>,
        /// The header version for the connection's life.
        version: Version,
    },
    /// A client: a native one, always of version 1, or somebody with version 0 who is no peer.
    Client,
}

/// What one call brought about. To be carried out in this order.
#[derive(Debug, Default)]
pub struct Turn {
    /// Bytes to send, also the reason of a refusal.
    pub write: Vec<u8>,
    /// The other end is settled now: before any frame of it.
    pub opened: Option<Remote>,
    /// Whole frames, in the order of the wire.
    pub frames: Vec<Frame>,
    /// The connection is to be closed, once `write` is written.
    pub close: Option<CloseReason>,
}

/// One connection's protocol state.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    local: Local,
    limits: SessionLimits,
    /// End of the negotiation's time.
    introduce_by: Duration,
    partial: Option<Partial>,
    /// Reused from read to read.
    spans: Vec<FrameSpan>,
}

#[derive(Debug)]
enum Phase {
    Accepting(Acceptor),
    Dialing { dialer: Dialer, peer: NodeId },
    Open(Rule),
    Over,
}

/// Which frames may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Version 1, dialled by the peer: whatever it says.
    FromNode(NodeId),
    /// Version 1, dialled by us: nothing, the peer answers on its own connection.
    ToNode,
    /// Version 1, dialled by a client: requests.
    FromClient,
    /// Version 0, dialled by somebody whose first frame will say who.
    FromLegacyStranger,
    /// Version 0, dialled by the peer: requests.
    FromLegacy(NodeId),
    /// Version 0, dialled by somebody who is no peer and says this number; 0: a client.
    FromLegacyVisitor(i32),
    /// Version 0, dialled by us: answers.
    ToLegacy(NodeId),
}

/// A frame that has begun.
#[derive(Clone, Copy, Debug)]
struct Partial {
    since: Duration,
    bytes: usize,
}

impl Session {
    /// A session for a connection that was accepted at `now`. `local` is a node.
    pub const fn accept(now: Duration, local: Local, limits: SessionLimits) -> Self {
        Self::new(now, Phase::Accepting(Acceptor::new(local)), local, limits)
    }

    /// A session for a connection to `peer`, established at `now`, and what it begins with. `nonce` is drawn for this connection.
    pub fn dial(now: Duration, local: Local, limits: SessionLimits, peer: NodeId, store: Option<StoreId>, nonce: u64) -> (Self, Turn) {
        let mut turn = Turn::default();
        let dialer = Dialer::start(local, Target { node: Some(peer), store }, nonce, &mut turn.write);
        let mut session = Self::new(now, Phase::Dialing { dialer, peer }, local, limits);
        session.settle_dialer(&mut turn);
        (session, turn)
    }

    const fn new(now: Duration, phase: Phase, local: Local, limits: SessionLimits) -> Self {
        Self { phase, local, limits, introduce_by: now.saturating_add(limits.handshake), partial: None, spans: Vec::new() }
    }

    /// Takes everything whole out of `buffer`, which holds all that has come and was not taken yet.
    ///
    /// `known` tells of a node id whether it is a peer, and which data folder it had before.
    pub fn on_bytes(&mut self, now: Duration, buffer: &mut BytesMut, known: impl Fn(NodeId) -> Known) -> Turn {
        let mut turn = Turn::default();
        let had = buffer.len();
        self.negotiate(buffer, &known, &mut turn);
        if turn.close.is_none()
            && let Phase::Open(rule) = self.phase
            && let Err(reason) = self.take_frames(rule, buffer, &known, &mut turn)
        {
            turn.close = Some(reason);
        }
        self.note_progress(now, had, buffer.len());
        if turn.close.is_some() {
            self.phase = Phase::Over;
        }
        turn
    }

    /// When to call [`Self::on_timer`] unless bytes come first.
    pub fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Accepting(_) | Phase::Dialing { .. } => Some(self.introduce_by),
            Phase::Open(Rule::FromLegacyStranger) => Some(self.introduce_by),
            Phase::Open(_) => self.partial.map(|partial| partial.since.saturating_add(self.limits.read)),
            Phase::Over => None,
        }
    }

    /// Whether time is up, and for what.
    pub fn on_timer(&mut self, now: Duration) -> Option<CloseReason> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let introduced = matches!(self.phase, Phase::Open(rule) if rule != Rule::FromLegacyStranger);
        self.phase = Phase::Over;
        Some(if introduced { CloseReason::ReadTimeout } else { CloseReason::HandshakeTimeout })
    }

    /// Bytes that the frame at the front of `buffer` still lacks: 0 if it does not even have a header.
    pub fn bytes_lacking(&self, buffer: &[u8]) -> usize {
        let Phase::Open(rule) = self.phase else { return 0 };
        bytes_wanted(rule.version(), buffer, &self.limits.frames).map_or(0, |wanted| wanted.saturating_sub(buffer.len()))
    }

    fn negotiate(&mut self, buffer: &mut BytesMut, known: &impl Fn(NodeId) -> Known, turn: &mut Turn) {
        match &mut self.phase {
            Phase::Accepting(acceptor) => {
                let consumed = acceptor.receive(buffer, known, &mut turn.write);
                buffer.advance(consumed.min(buffer.len()));
                self.settle_acceptor(turn);
            }
            Phase::Dialing { dialer, .. } => {
                let consumed = dialer.receive(buffer);
                buffer.advance(consumed.min(buffer.len()));
                self.settle_dialer(turn);
            }
            Phase::Open(_) | Phase::Over => {}
        }
    }

    fn settle_acceptor(&mut self, turn: &mut Turn) {
        let Phase::Accepting(Acceptor::Done(outcome)) = &self.phase else { return };
        let rule = match outcome {
            Err(refusal) => return turn.close = Some(refusal.clone().into()),
            Ok(Link::Node(identity)) => {
                turn.opened = Some(Remote::Node { peer: identity.node, identity: Some(identity.into()), version: Version::Extended });
                Rule::FromNode(identity.node)
            }
            Ok(Link::Client { .. }) => {
                turn.opened = Some(Remote::Client);
                Rule::FromClient
            }
            Ok(Link::Legacy) => Rule::FromLegacyStranger,
        };
        self.phase = Phase::Open(rule);
    }

    fn settle_dialer(&mut self, turn: &mut Turn) {
        let Phase::Dialing { dialer: Dialer::Done(outcome), peer } = &self.phase else { return };
        let peer = *peer;
        let (rule, identity, version) = match outcome {
            Err(refusal) => return turn.close = Some(refusal.clone().into()),
            Ok(Link::Node(identity)) => (Rule::ToNode, Some(identity.into()), Version::Extended),
            Ok(Link::Legacy) => (Rule::ToLegacy(peer), None, Version::Legacy),
            Ok(Link::Client { .. }) => return turn.close = Some(Refusal::Contradiction("a client was dialled").into()),
        };
        turn.opened = Some(Remote::Node { peer, identity, version });
        self.phase = Phase::Open(rule);
    }

    /// Cuts all whole frames off in one piece; the bodies are views into it. Frames before a broken one still count.
    fn take_frames(
        &mut self,
        mut rule: Rule,
        buffer: &mut BytesMut,
        known: &impl Fn(NodeId) -> Known,
        turn: &mut Turn,
    ) -> Result<(), CloseReason> {
        let mut spans = std::mem::take(&mut self.spans);
        let mut taken = 0;
        let outcome = loop {
            let rest = buffer.get(taken..).unwrap_or_default();
            let mut span = match next_frame(rule.version(), rest, &self.limits.frames) {
                Ok(Some(span)) => span,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            match self.admit(rule, &span.header, known, turn) {
                Ok(next) => {
                    rule = next;
                    span.body = span.body.start + taken..span.body.end + taken;
                    taken = span.body.end;
                    spans.push(span);
                }
                Err(reason) => break Err(reason),
            }
        };
        let block = buffer.split_to(taken).freeze();
        turn.frames = spans.drain(..).map(|span| Frame { header: span.header, body: block.slice(span.body) }).collect();
        self.spans = spans;
        self.phase = Phase::Open(rule);
        outcome
    }

    /// Whether a frame may come here, and what the rule is from now on.
    fn admit(&self, rule: Rule, header: &Header, known: &impl Fn(NodeId) -> Known, turn: &mut Turn) -> Result<Rule, CloseReason> {
        match (rule, header) {
            (Rule::FromNode(peer), Header::Extended(header)) => {
                expect_source(peer.0.into(), number(header.src))?;
                self.expect_here(number(header.dst))?;
            }
            (Rule::FromClient, Header::Extended(header)) => self.admit_client(header)?,
            (Rule::FromLegacyStranger, Header::LegacyRequest(header)) => {
                let Some(peer) = legacy_peer(header, known) else {
                    self.admit_visitor(header)?;
                    turn.opened = Some(Remote::Client);
                    return Ok(Rule::FromLegacyVisitor(header.src));
                };
                self.expect_here(header.dst.into())?;
                turn.opened = Some(Remote::Node { peer, identity: None, version: Version::Legacy });
                return Ok(Rule::FromLegacy(peer));
            }
            (Rule::FromLegacyVisitor(visitor), Header::LegacyRequest(header)) => {
                expect_source(visitor.into(), header.src.into())?;
                self.admit_visitor(header)?;
            }
            (Rule::FromLegacy(peer), Header::LegacyRequest(header)) => {
                expect_source(peer.0.into(), header.src.into())?;
                self.expect_here(header.dst.into())?;
            }
            (Rule::ToLegacy(peer), Header::LegacyResponse(header)) => expect_source(peer.0.into(), header.src.into())?,
            (rule, header) => return Err(CloseReason::OutOfPlace { what: message_type(header), place: rule.place() }),
        }
        Ok(rule)
    }

    fn admit_client(&self, header: &ExtendedHeader) -> Result<(), CloseReason> {
        expect_source(0, number(header.src))?;
        if header.dst.is_some() {
            self.expect_here(number(header.dst))?;
        }
        // A client that could send a vote would be a member of every group.
        if header.message_type == MessageType::ClientRequest {
            Ok(())
        } else {
            Err(CloseReason::OutOfPlace { what: header.message_type, place: Rule::FromClient.place() })
        }
    }

    /// What somebody who is no peer may ask: nothing that could change a term, a vote or a log without the leader.
    fn admit_visitor(&self, header: &LegacyRequest) -> Result<(), CloseReason> {
        // NuRaft's clients do not say whom they mean.
        if header.dst != 0 {
            self.expect_here(header.dst.into())?;
        }
        match (header.src, header.message_type) {
            (_, MessageType::Ping) | (0, MessageType::ClientRequest | MessageType::AddServer | MessageType::RemoveServer) => Ok(()),
            (0, what) => Err(CloseReason::OutOfPlace { what, place: Rule::FromLegacyVisitor(0).place() }),
            (_, MessageType::PreVote) => Ok(()),
            (src, _) => Err(CloseReason::UnknownPeer(src.into())),
        }
    }

    fn expect_here(&self, found: i64) -> Result<(), CloseReason> {
        let this = self.local.node;
        if found == i64::from(this.0) { Ok(()) } else { Err(CloseReason::WrongDestination { this, found }) }
    }

    fn note_progress(&mut self, now: Duration, had: usize, left: usize) {
        self.partial = match self.partial {
            _ if left == 0 => None,
            // Nothing was taken and too little came: the clock goes on.
            Some(partial) if left == had && left < partial.bytes.saturating_add(PROGRESS_BYTES_MIN) => Some(partial),
            _ => Some(Partial { since: now, bytes: left }),
        };
    }
}

impl Rule {
    const fn version(self) -> Version {
        match self {
            Self::FromNode(_) | Self::ToNode | Self::FromClient => Version::Extended,
            Self::FromLegacyStranger | Self::FromLegacy(_) | Self::FromLegacyVisitor(_) | Self::ToLegacy(_) => Version::Legacy,
        }
    }

    /// For the text of a refusal.
    const fn place(self) -> &'static str {
        match self {
            Self::FromNode(_) => "from a peer",
            Self::ToNode => "on a version 1 connection that we dialled",
            Self::FromClient | Self::FromLegacyVisitor(_) => "from a client",
            Self::FromLegacyStranger | Self::FromLegacy(_) => "on a version 0 connection that a peer dialled",
            Self::ToLegacy(_) => "on a version 0 connection that we dialled",
        }
    }
}

impl From<&Identity> for PeerIdentity {
    fn from(identity: &Identity) -> Self {
        Self { store: identity.store, store_is_new: identity.store_is_new, boot: identity.boot, features: identity.features }
    }
}

fn legacy_peer(header: &LegacyRequest, known: &impl Fn(NodeId) -> Known) -> Option<NodeId> {
    let peer = u32::try_from(header.src).ok().filter(|id| *id > 0).map(NodeId)?;
    (known(peer) != Known::Stranger).then_some(peer)
}

fn expect_source(expected: i64, found: i64) -> Result<(), CloseReason> {
    if expected == found { Ok(()) } else { Err(CloseReason::WrongSource { expected, found }) }
}

fn number(node: Option<NodeId>) -> i64 {
    node.map_or(0, |node| node.0.into())
}

const fn message_type(header: &Header) -> MessageType {
    match header {
        Header::LegacyRequest(header) => header.message_type,
        Header::LegacyResponse(header) => header.message_type,
        Header::Extended(header) => header.message_type,
    }
}
