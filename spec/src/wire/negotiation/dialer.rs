//! The end that opens the connection.

use super::{Caller, Identity, Link, Policy, Refusal, RefusalCode, VERSION, check_store, negotiation_limits};
use crate::NodeId;
use crate::wire::error::WireError;
use crate::wire::frame::next_frame;
use crate::wire::header::{FLAG_EXTENDED_HEADER, Header, LegacyRequest, LegacyResponse, Version};
use crate::wire::hello::{ClusterId, HELLO_BYTES, Hello, HelloKind, StoreId};
use crate::wire::legacy::{Entry, LegacyError, ResponseBody, ValueType, flags};
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;

/// Whom a dialer wants to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The node at that address; `None`: whoever listens (a client's first contact).
    pub node: Option<NodeId>,
    /// The data folder that this node had before; `None`: not met yet.
    pub store: Option<StoreId>,
}

/// The dialer's side of a negotiation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dialer {
    /// The offer is on its way.
    Offered {
        /// Who we are.
        caller: Caller,
        /// Whom we want.
        target: Target,
        /// This connection's nonce.
        nonce: u64,
    },
    /// Over: agreed, or to be closed.
    Done(Result<Link, Refusal>),
}

impl Dialer {
    /// Opens the negotiation: appends the offer to `out`. A node under [`Policy::Legacy`] is done at once and sends nothing.
    /// `nonce` is random, drawn for this connection.
    pub fn start(caller: impl Into<Caller>, target: Target, nonce: u64, out: &mut Vec<u8>) -> Self {
        let caller = caller.into();
        if matches!(caller, Caller::Node(local) if local.policy == Policy::Legacy) {
            return Self::Done(Ok(Link::Legacy));
        }
        let header = LegacyRequest {
            message_type: MessageType::Ping,
            src: caller.node().map_or(0, |node| node.0 as i32),
            dst: target.node.map_or(0, |node| node.0 as i32),
            term: 0,
            last_log_term: 0,
            last_log_index: 0,
            commit_index: 0,
            flags: flags::OFFER,
        };
        let mut hello = Vec::with_capacity(HELLO_BYTES);
        caller.hello(HelloKind::Offer, (lowest_offered(&caller), VERSION), nonce).encode(&mut hello);
        let entry = Entry::plain(0, ValueType::Custom, &hello);
        match header.encode(out, |body| entry.encode(flags::OFFER, body)) {
            Ok(()) => Self::Offered { caller, target, nonce },
            Err(LegacyError::Frame(error)) => Self::Done(Err(error.into())),
            Err(_) => Self::Done(Err(Refusal::Contradiction("the offer does not fit a frame"))),
        }
    }

    /// Takes all that has come on the connection and is not consumed yet; returns how much is consumed now.
    ///
    /// Call again with more bytes while the machine is [`Self::Offered`]. Once it is [`Self::Done`], the bytes behind what is consumed
    /// are frames of the link's version.
    pub fn receive(&mut self, buffer: &[u8]) -> usize {
        let Self::Offered { caller, target, nonce } = self else {
            return 0;
        };
        let (outcome, consumed) = match next_frame(Version::Legacy, buffer, &negotiation_limits()) {
            Ok(None) => return 0,
            Ok(Some(span)) => {
                let body = buffer.get(span.body.clone()).unwrap_or_default();
                (on_frame(caller, target, *nonce, span.header, body), span.len())
            }
            Err(error) => (Err(error.into()), 0),
        };
        *self = Self::Done(outcome);
        consumed
    }
}

/// Whoever would settle for version 0 says so. `extended` would not; nor would a client that means one cluster, since version 0 names none.
fn lowest_offered(caller: &Caller) -> u16 {
    match caller {
        Caller::Node(local) if local.policy != Policy::Extended => Version::Legacy as u16,
        Caller::Client { cluster: ClusterId::ANY, .. } => Version::Legacy as u16,
        Caller::Node(_) | Caller::Client { .. } => VERSION,
    }
}

fn on_frame(caller: &Caller, target: &Target, nonce: u64, header: Header, body: &[u8]) -> Result<Link, Refusal> {
    let Header::LegacyResponse(header) = header else {
        return Err(WireError::Marker { found: 0, version: Version::Legacy as u8 }.into());
    };
    if header.message_type != MessageType::PingResponse {
        return Err(Refusal::NotAPong(header.message_type));
    }
    let response =
        ResponseBody::decode(header.flags, body).map_err(|_| Refusal::Contradiction("the answer's flags and body do not fit together"))?;
    let says_extended = header.flags & FLAG_EXTENDED_HEADER != 0;
    match (says_extended, response.context.is_empty()) {
        (false, true) => on_legacy_answer(caller, target, &header),
        (true, false) => on_hello(caller, target, nonce, &header, response.context),
        (true, true) => Err(Refusal::Contradiction("the answer has flag 0x80 and no hello")),
        (false, false) => Err(Refusal::Contradiction("the answer has a body and not flag 0x80")),
    }
}

fn on_legacy_answer(caller: &Caller, target: &Target, header: &LegacyResponse) -> Result<Link, Refusal> {
    if lowest_offered(caller) > Version::Legacy as u16 {
        return Err(Refusal::PeerIsLegacy);
    }
    check_node(target, i64::from(header.src))?;
    Ok(Link::Legacy)
}

fn on_hello(caller: &Caller, target: &Target, nonce: u64, header: &LegacyResponse, context: &[u8]) -> Result<Link, Refusal> {
    let hello = Hello::decode(context).map_err(Refusal::Hello)?;
    match hello.kind {
        HelloKind::Offer => return Err(Refusal::Contradiction("the answer is itself an offer")),
        // Before the nonce: whoever could not read our hello cannot repeat it.
        HelloKind::Refusal(code) => return Err(Refusal::ByPeer(RefusalCode::from_u8(code))),
        HelloKind::Agreement => {}
    }
    if hello.nonce != nonce {
        return Err(Refusal::WrongNonce { offered: nonce, found: hello.nonce });
    }
    if !header.accepted || i64::from(header.src) != i64::from(hello.node) {
        return Err(Refusal::Contradiction("the answer's header and hello differ"));
    }
    if (hello.lowest, hello.highest) != (VERSION, VERSION) {
        return Err(Refusal::NoCommonVersion { lowest: hello.lowest, highest: hello.highest });
    }
    let ours = caller.cluster();
    if hello.cluster != ours && !(caller.node().is_none() && ours == ClusterId::ANY) {
        return Err(Refusal::WrongCluster { ours, theirs: hello.cluster });
    }
    check_node(target, hello.node.into())?;
    let node = NodeId(hello.node);
    if !node.is_valid() {
        return Err(Refusal::Contradiction("the acceptor says that it is a client"));
    }
    if caller.node() == Some(node) {
        return Err(Refusal::SameNode(node));
    }
    let store_is_new = check_store(node, hello.store, target.store)?;
    Ok(Link::Node(Identity { node, store: hello.store, store_is_new, boot: hello.boot, features: hello.features }))
}

fn check_node(target: &Target, found: i64) -> Result<(), Refusal> {
    match target.node {
        Some(node) if i64::from(node.0) != found => Err(Refusal::WrongNode { expected: node.0.into(), found }),
        _ => Ok(()),
    }
}
