//! A whole handshake as bytes, both ends: offer, answer, agreement. What a reconnect costs besides the network.

use criterion::{Criterion, criterion_group, criterion_main};
use roadstead_benches::clock::{ThreadTime, criterion};
use roadstead_spec::{
    NodeId,
    wire::{
        ClusterId, StoreId, Version,
        negotiation::{Acceptor, Caller, Dialer, FEATURES, Known, Link, Local, Policy, Target},
    },
};

const CLUSTER: ClusterId = ClusterId(0xc1);
const KNOWN: Known = Known::Peer { store: Some(StoreId(101)) };

fn local(node: u32, policy: Policy) -> Local {
    Local { node: NodeId(node), cluster: CLUSTER, store: StoreId(100 + u128::from(node)), boot: node.into(), features: FEATURES, policy }
}

/// The version that both ends agree on.
fn handshake(caller: impl Into<Caller>, acceptor: Local, nonce: u64, bytes: &mut (Vec<u8>, Vec<u8>)) -> Option<Version> {
    let (offer, answer) = bytes;
    offer.clear();
    answer.clear();
    let mut dialer = Dialer::start(caller, Target { node: Some(NodeId(2)), store: Some(StoreId(102)) }, nonce, offer);
    let mut acceptor = Acceptor::new(acceptor);
    let taken = acceptor.receive(offer, |_| KNOWN, answer);
    let answered = dialer.receive(answer);
    match (dialer, acceptor) {
        (Dialer::Done(Ok(dialed)), Acceptor::Done(Ok(accepted))) if (taken, answered) == (offer.len(), answer.len()) => {
            (dialed.version() == accepted.version()).then_some(Link::version(&dialed))
        }
        _ => None,
    }
}

fn handshakes(c: &mut Criterion<ThreadTime>) {
    let client = Caller::Client { cluster: CLUSTER, boot: 9, features: FEATURES };
    let cases = [
        ("node, extended", Caller::from(local(1, Policy::Auto)), local(2, Policy::Auto), Version::Extended),
        ("node, legacy acceptor", local(1, Policy::Auto).into(), local(2, Policy::Legacy), Version::Legacy),
        ("client", client, local(2, Policy::Auto), Version::Extended),
    ];
    let mut group = c.benchmark_group("negotiation");
    for (name, caller, acceptor, expected) in cases {
        let (mut bytes, mut nonce) = Default::default();
        assert_eq!(handshake(caller, acceptor, 7, &mut bytes), Some(expected), "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                nonce += 1;
                handshake(caller, acceptor, nonce, &mut bytes)
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = criterion(); targets = handshakes }
criterion_main!(benches);
