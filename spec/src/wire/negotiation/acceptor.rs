//! The end that listens.

use super::{
    Identity, Known, Link, Local, NEGOTIATION_BODY_BYTES_MAX, Policy, Refusal, RefusalCode, VERSION, check_store, negotiation_limits,
};
use crate::NodeId;
use crate::wire::error::WireError;
use crate::wire::frame::next_frame;
use crate::wire::header::{FLAG_EXTENDED_HEADER, LegacyRequest, LegacyResponse, MARKER_LEGACY_REQUEST, RPC_REQ_HEADER_SIZE, Version};
use crate::wire::hello::{ClusterId, Hello, HelloError, HelloKind};
use crate::wire::legacy::{RequestBody, ValueType, flags};
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;

/// The acceptor's side of a negotiation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Acceptor {
    /// Nothing decided yet.
    Listening {
        /// Who we are.
        local: Local,
    },
    /// Over: agreed, or to be closed once what was appended to `out` is written.
    Done(Result<Link, Refusal>),
}

/// What the first frame is.
enum Opening {
    /// An ordinary version 0 request: the session's, from its first byte.
    Ordinary,
    /// An offer, whole or damaged, in a frame of `size` bytes.
    Offer { header: LegacyRequest, hello: Result<Hello, Refusal>, size: usize },
}

impl Acceptor {
    /// Waits for the first frame.
    pub const fn new(local: Local) -> Self {
        Self::Listening { local }
    }

    /// Takes all that has come on the connection and is not consumed yet; appends what is to be sent to `out` (the reason of a refusal too, to
    /// be written before closing); returns how much is consumed now.
    ///
    /// `known` tells whether a node is a peer and which data folder it had before (see [`Known`]). Call again with more bytes while the machine is [`Self::Listening`]. Once it
    /// is [`Self::Done`], the bytes behind what is consumed are frames of the link's version.
    pub fn receive<K: Into<Known>>(&mut self, buffer: &[u8], known: impl FnOnce(NodeId) -> K, out: &mut Vec<u8>) -> usize {
        let Self::Listening { local } = self else {
            return 0;
        };
        let (outcome, consumed) = match open(buffer) {
            Ok(None) => return 0,
            Ok(Some(Opening::Ordinary)) => (on_ordinary(local.policy), 0),
            Ok(Some(Opening::Offer { header, hello, size })) => {
                let early = buffer.len() - size;
                let answer = on_offer(local, &header, hello, early, |node| known(node).into());
                (answer.send(local, &header, out), size)
            }
            Err(refusal) => (Err(refusal), 0),
        };
        *self = Self::Done(outcome);
        consumed
    }
}

/// Looks at the first frame: `None` while too little of it is there to tell.
fn open(buffer: &[u8]) -> Result<Option<Opening>, Refusal> {
    if buffer.len() < RPC_REQ_HEADER_SIZE {
        // The marker alone may convict it already; an answer's, too, however few bytes come at once: nobody has asked anything.
        return match buffer.first() {
            Some(&found) if found != MARKER_LEGACY_REQUEST => Err(WireError::Marker { found, version: Version::Legacy as u8 }.into()),
            _ => Ok(None),
        };
    }
    let (header, pending) = LegacyRequest::peek(buffer)?;
    let offers = header.flags & flags::OFFER != 0;
    let is_small = pending.body_size <= NEGOTIATION_BODY_BYTES_MAX;
    if header.message_type != MessageType::Ping || (!is_small && !offers) {
        return Ok(Some(Opening::Ordinary));
    }
    let Some(span) = next_frame(Version::Legacy, buffer, &negotiation_limits())? else {
        return Ok(None);
    };
    let hello = hello_bytes(header.flags, buffer.get(span.body.clone()).unwrap_or_default());
    let hello = match (offers, hello) {
        (false, None) => return Ok(Some(Opening::Ordinary)),
        (true, Some(bytes)) => Hello::decode(bytes).map_err(Refusal::Hello),
        (true, None) => Err(Refusal::Hello(HelloError::Magic)),
        (false, Some(_)) => Err(Refusal::Contradiction("a hello came without the OFFER flag")),
    };
    Ok(Some(Opening::Offer { header, hello, size: span.len() }))
}

/// The first custom entry that begins with a hello's magic.
fn hello_bytes(flags: u32, body: &[u8]) -> Option<&[u8]> {
    let body = RequestBody::decode(flags, body).ok()?;
    body.entries
        .iter()
        .filter(|entry| entry.value_type == ValueType::Custom.number())
        .map(|entry| entry.value)
        .find(|value| Hello::begins(value))
}

fn on_ordinary(policy: Policy) -> Result<Link, Refusal> {
    match policy {
        Policy::Extended => Err(Refusal::PeerIsLegacy),
        Policy::Auto | Policy::Legacy => Ok(Link::Legacy),
    }
}

/// How an offer is answered.
enum Answer {
    /// As NuRaft would, whatever comes of it.
    Plain(Result<Link, Refusal>),
    /// With our hello: version 1 from here on.
    Agree { link: Link, nonce: u64 },
    /// With our hello and a code.
    Refuse { code: RefusalCode, nonce: u64, why: Refusal },
}

fn on_offer(
    local: &Local,
    header: &LegacyRequest,
    hello: Result<Hello, Refusal>,
    early: usize,
    known: impl FnOnce(NodeId) -> Known,
) -> Answer {
    let hello = match hello {
        Ok(hello) => hello,
        Err(why) => {
            return Answer::Refuse { code: RefusalCode::MalformedHello, nonce: 0, why };
        }
    };
    let refuse = |code, why| Answer::Refuse { code, nonce: hello.nonce, why };
    if early > 0 {
        return refuse(RefusalCode::MalformedHello, Refusal::Early(early));
    }
    if hello.kind != HelloKind::Offer || i64::from(header.src) != i64::from(hello.node) {
        return refuse(RefusalCode::MalformedHello, Refusal::Contradiction("the offer's header and hello differ"));
    }
    let speaks_extended = (hello.lowest..=hello.highest).contains(&VERSION);
    let unlike = Refusal::NoCommonVersion { lowest: hello.lowest, highest: hello.highest };
    if hello.node != 0 && local.policy == Policy::Legacy {
        return Answer::Plain(if hello.lowest == Version::Legacy as u16 { Ok(Link::Legacy) } else { Err(unlike) });
    }
    if !speaks_extended {
        return refuse(RefusalCode::NoCommonVersion, unlike);
    }
    match identify(local, header, &hello, known) {
        Ok(link) => Answer::Agree { link, nonce: hello.nonce },
        Err((code, why)) => refuse(code, why),
    }
}

/// Rule 4 of the negotiation: the right cluster, the right node, the data folder that it always had.
fn identify(
    local: &Local,
    header: &LegacyRequest,
    hello: &Hello,
    known: impl FnOnce(NodeId) -> Known,
) -> Result<Link, (RefusalCode, Refusal)> {
    let is_client = hello.node == 0;
    if hello.cluster != local.cluster && !(is_client && hello.cluster == ClusterId::ANY) {
        return Err((RefusalCode::WrongCluster, Refusal::WrongCluster { ours: local.cluster, theirs: hello.cluster }));
    }
    let says_whoever = is_client && header.dst == 0;
    if i64::from(header.dst) != i64::from(local.node.0) && !says_whoever {
        let why = Refusal::WrongNode { expected: header.dst.into(), found: local.node.0.into() };
        return Err((RefusalCode::WrongNode, why));
    }
    if is_client {
        return Ok(Link::Client { boot: hello.boot, features: hello.features });
    }
    let node = NodeId(hello.node);
    if node == local.node {
        return Err((RefusalCode::SameNode, Refusal::SameNode(node)));
    }
    let Known::Peer { store: remembered } = known(node) else {
        return Err((RefusalCode::UnknownNode, Refusal::UnknownNode(node)));
    };
    let store_is_new = check_store(node, hello.store, remembered).map_err(|why| (RefusalCode::WrongStore, why))?;
    Ok(Link::Node(Identity { node, store: hello.store, store_is_new, boot: hello.boot, features: hello.features }))
}

impl Answer {
    /// Appends the answer's frame and tells how the negotiation ended.
    fn send(self, local: &Local, header: &LegacyRequest, out: &mut Vec<u8>) -> Result<Link, Refusal> {
        let (hello, outcome) = match self {
            Self::Plain(outcome) => (None, outcome),
            Self::Agree { link, nonce } => (Some(local.caller().hello(HelloKind::Agreement, (VERSION, VERSION), nonce)), Ok(link)),
            Self::Refuse { code, nonce, why } => {
                let hello = local.caller().hello(HelloKind::Refusal(code as u8), (VERSION, VERSION), nonce);
                (Some(hello), Err(why))
            }
        };
        let response = LegacyResponse {
            message_type: MessageType::PingResponse,
            src: local.node.0 as i32,
            dst: header.src,
            term: 0,
            next_index: 0,
            accepted: hello.is_some() && outcome.is_ok(),
            flags: if hello.is_some() { FLAG_EXTENDED_HEADER } else { 0 },
        };
        response.encode(out, |body| {
            if let Some(hello) = hello {
                hello.encode(body);
            }
            Ok::<(), Refusal>(())
        })?;
        outcome
    }
}
