//! What a request costs outside consensus: native client, loopback TCP, port, and back. The node answers each write with its own bytes.
//!
//! Client and node share one thread, as two processes share one core at worst; no disk, no log. Payload 116 bytes (a 16-byte key and a 100-byte value).

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use roadstead::client::{Client, ClientOptions, GroupClient, Outcome};
use roadstead::port::{ConnId, Frame, Port, PortEvent, PortLimits, PortOptions, PortTimers};
use roadstead_spec::wire::body::{ClientRequest, ClientResponse, Operation};
use roadstead_spec::wire::negotiation::{FEATURES, Local, Policy};
use roadstead_spec::wire::{ClusterId, Header, StoreId};
use roadstead_spec::{GroupId, Index, NodeId, Term};
use std::net::SocketAddr;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const NODE: NodeId = NodeId(1);
const PAYLOAD: [u8; 116] = [7; 116];
/// Events that are taken at once.
const EVENTS_MAX: usize = 64;

/// Answers everything, one buffer per client and turn.
async fn echo(port: Port, mut events: mpsc::Receiver<PortEvent>) {
    let mut turn = Vec::with_capacity(EVENTS_MAX);
    while events.recv_many(&mut turn, EVENTS_MAX).await > 0 {
        for event in turn.drain(..) {
            if let PortEvent::ClientFrames { conn, frames } = event {
                answer(&port, conn, &frames);
            }
        }
    }
}

fn answer(port: &Port, conn: ConnId, frames: &[Frame]) {
    let mut out = Vec::with_capacity(frames.len() * 256);
    for frame in frames {
        let Header::Extended(header) = frame.header else { continue };
        let request = ClientRequest::decode(&header, &frame.body).expect("the client's own");
        let (Operation::Write(bytes) | Operation::Query { bytes, .. }) = request.operation;
        let response = ClientResponse::Committed { index: Index(1), term: Term(1), bytes };
        response.encode(NODE, header.group, header.index, &mut out).expect("it is as small as the request");
    }
    port.send_client(conn, out.into(), frames.len()).expect("the client reads");
}

fn start() -> GroupClient {
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let options = PortOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        local: Local { node: NODE, cluster: ClusterId(1), store: StoreId(1), boot: 1, features: FEATURES, policy: Policy::Auto },
        peers: Vec::new(),
        timers: PortTimers::default(),
        limits: PortLimits::default(),
        seed: 1,
    };
    let port = Port::bind(options, sender, None).expect("a port");
    port.start();
    let address = port.local_addr();
    tokio::task::spawn_local(echo(port, events));
    Client::new(ClientOptions::of([address.to_string()])).group(GroupId::DEFAULT)
}

async fn write(group: &GroupClient) {
    let outcome = group.write(PAYLOAD).await;
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
}

fn round_trips(c: &mut Criterion) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    let group = local.block_on(&runtime, async {
        let group = start();
        write(&group).await;
        group
    });
    let mut bench = c.benchmark_group("client_echo");
    for writers in [1_u64, 64, 256] {
        bench.throughput(Throughput::Elements(writers));
        bench.bench_function(format!("{writers} at once"), |b| {
            b.iter_batched(
                || group.clone(),
                |group| {
                    local.block_on(&runtime, async {
                        let writes: Vec<_> = (0..writers)
                            .map(|_| {
                                let group = group.clone();
                                tokio::task::spawn_local(async move { write(&group).await })
                            })
                            .collect();
                        for write in writes {
                            write.await.expect("it ends");
                        }
                    });
                },
                BatchSize::SmallInput,
            );
        });
    }
    bench.finish();
}

criterion_group!(benches, round_trips);
criterion_main!(benches);
