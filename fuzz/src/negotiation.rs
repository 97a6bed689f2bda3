//! The negotiation. Input: policies, the size of pieces, flipped bits, then bytes that come from a stranger.
//!
//! A machine that hears bytes in pieces must come to what it comes to when it hears them at once; and two machines that hear each other through a wire that
//! flips bits never speak different versions.

use super::byte;
use roadstead_spec::{
    NodeId,
    wire::{
        ClusterId, StoreId, Version,
        negotiation::{Acceptor, Dialer, FEATURES, Known, Link, Local, Policy, Refusal, Target},
    },
};

const NEW: Known = Known::Peer { store: None };
const NONCE: u64 = 0x0bad_cafe;

type Outcome = Option<Result<Link, Refusal>>;

pub(crate) fn target(mut data: &[u8]) {
    let policies = byte(&mut data);
    let piece = usize::from(byte(&mut data) % 80) + 1;
    let (dialing, accepting) = (local(1, policies), local(2, policies / 3));
    stranger_dials(accepting, piece, data);
    stranger_answers(dialing, piece, data);
    through_a_bad_wire(dialing, accepting, piece, data);
}

fn local(node: u32, policy: u8) -> Local {
    let policy = [Policy::Auto, Policy::Legacy, Policy::Extended][usize::from(policy) % 3];
    Local { node: NodeId(node), cluster: ClusterId(1), store: StoreId(node.into()), boot: 3, features: FEATURES, policy }
}

fn stranger_dials(local: Local, piece: usize, bytes: &[u8]) {
    let (whole, in_pieces) = (accept(local, bytes, bytes.len().max(1)), accept(local, bytes, piece));
    // Who speaks behind an offer before it is answered is refused, if what it said has come by then: that depends on the pieces.
    if !matches!(whole.0, Some(Err(Refusal::Early(_)))) {
        assert_eq!(in_pieces, whole, "in pieces of {piece}");
    }
}

/// What becomes of it, and what is answered.
fn accept(local: Local, bytes: &[u8], piece: usize) -> (Outcome, Vec<u8>) {
    let (mut machine, mut answer) = (Acceptor::new(local), Vec::new());
    let mut heard = 0;
    for end in (piece..bytes.len() + piece).step_by(piece) {
        let buffer = &bytes[heard..end.min(bytes.len())];
        let consumed = machine.receive(buffer, |_| NEW, &mut answer);
        assert!(consumed <= buffer.len());
        heard += consumed;
        if let Acceptor::Done(outcome) = machine {
            return (Some(outcome), answer);
        }
    }
    (None, answer)
}

fn stranger_answers(local: Local, piece: usize, bytes: &[u8]) {
    assert_eq!(dial(local, bytes, piece), dial(local, bytes, bytes.len().max(1)), "in pieces of {piece}");
}

fn dial(local: Local, bytes: &[u8], piece: usize) -> (Outcome, usize) {
    let mut machine = Dialer::start(local, Target { node: Some(NodeId(2)), store: None }, NONCE, &mut Vec::new());
    let mut heard = 0;
    for end in (piece..bytes.len() + piece).step_by(piece) {
        let buffer = &bytes[heard..end.min(bytes.len())];
        heard += machine.receive(buffer);
        if let Dialer::Done(outcome) = machine {
            return (Some(outcome), heard);
        }
    }
    (None, heard)
}

fn through_a_bad_wire(dialing: Local, accepting: Local, piece: usize, flips: &[u8]) {
    let mut offer = Vec::new();
    let mut dialer = Dialer::start(dialing, Target { node: Some(NodeId(2)), store: None }, NONCE, &mut offer);
    if offer.is_empty() {
        return; // a legacy dialer asks nothing
    }
    let (first, second) = flips.split_at(flips.len() / 2);
    flip(&mut offer, first);
    let (mut acceptor, mut answer) = (Acceptor::new(accepting), Vec::new());
    feed(&offer, piece, |buffer| acceptor.receive(buffer, |_| NEW, &mut answer));
    flip(&mut answer, second);
    feed(&answer, piece, |buffer| dialer.receive(buffer));
    if let (Acceptor::Done(Ok(accepted)), Dialer::Done(Ok(dialed))) = (&acceptor, &dialer) {
        let versions = (accepted.version(), dialed.version());
        assert_eq!(versions.0, versions.1, "both ends speak one version");
        assert!(versions.0 == Version::Legacy || [dialing.policy, accepting.policy].iter().all(|policy| *policy != Policy::Legacy));
    }
}

/// Each pair of bytes flips one bit; two bits at most, which a CRC-32 always notices.
fn flip(bytes: &mut [u8], flips: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    for pair in flips.chunks_exact(2).take(2) {
        let at = usize::from(pair[0]) % bytes.len();
        bytes[at] ^= 1 << (pair[1] % 8);
    }
}

fn feed(bytes: &[u8], piece: usize, mut receive: impl FnMut(&[u8]) -> usize) {
    let mut heard = 0;
    for end in (piece..bytes.len() + piece).step_by(piece) {
        heard += receive(&bytes[heard..end.min(bytes.len())]);
    }
}
