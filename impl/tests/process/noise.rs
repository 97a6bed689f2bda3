//! Rubbish on the real port while load runs: it is closed, counted, and costs the others nothing.

use crate::{cluster::Cluster, meter::peak_mib, writers::Load};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// A connection that is not closed by then is kept for ever.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a liar may send before somebody stops him: far more than any bound of the port.
const FLOOD_BYTES: usize = 64 << 20;
/// Memory that no node may ever have needed.
const MEMORY_MAX_MIB: u64 = 1 << 10;

fn connect(endpoint: &str) -> TcpStream {
    let stream = TcpStream::connect(endpoint).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the node closes; what it said.
fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => said,
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => said,
        Err(error) => panic!("the node does not close the connection: {error}"),
    }
}

/// Sends `head` and then `piece` for ever; how much of it the node took before it closed.
fn flood(endpoint: &str, head: &[u8], piece: &[u8]) -> usize {
    let mut stream = connect(endpoint);
    let mut sent = 0;
    let mut next = head;
    while sent < FLOOD_BYTES {
        match stream.write(next) {
            Ok(count) => sent += count,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => break,
            Err(error) => panic!("the node neither reads nor closes: {error}"),
        }
        next = piece;
    }
    sent
}

#[test]
fn rubbish_on_the_port_is_closed_and_disturbs_nobody() {
    let mut cluster = Cluster::start(&[1, 2], "");
    let mut load = Load::new(&cluster, &[1, 2], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(20);
    let epochs = |cluster: &Cluster| [1, 2].map(|group| cluster.nodes[0].group(group).unwrap()["epoch"].clone());
    let before = epochs(&cluster);
    let mut rng = StdRng::seed_from_u64(7);
    for endpoint in cluster.endpoints() {
        // A header without end: refused within a few of its KiB, whatever the sender promises.
        let taken = flood(&endpoint, b"GET / HTTP/1.1\r\nX: ", &[b'a'; 64 << 10]);
        assert!(taken < FLOOD_BYTES / 2, "the node swallowed {taken} bytes of one header");
        let taken = flood(&endpoint, b"GET / HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n", &[b'a'; 64 << 10]);
        assert!(taken < FLOOD_BYTES / 2, "the node swallowed {taken} bytes that nobody asked for");
        // A TLS ClientHello.
        let mut tls = connect(&endpoint);
        tls.write_all(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 3]).unwrap();
        tls.shutdown(Shutdown::Write).unwrap();
        until_closed(tls);
        // Every first byte, and rubbish behind it: some are whole headers of frames that make no sense.
        for first in 0..=u8::MAX {
            let mut bytes: Vec<u8> = (0..rng.random_range(1..600)).map(|_| rng.random()).collect();
            bytes[0] = first;
            let mut stream = connect(&endpoint);
            // The node may have closed already.
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            until_closed(stream);
        }
        // One that begins and then says nothing more is not kept, either.
        let mut silent = connect(&endpoint);
        silent.write_all(&[0]).unwrap();
        until_closed(silent);
        load.acknowledged(20);
    }
    load.stop();
    cluster.wait_until_level();
    load.check_all();
    assert_eq!(epochs(&cluster), before, "no leader was lost");
    for id in [1, 2, 3] {
        let pid = cluster.node(id).process().pid();
        let peak = peak_mib(pid);
        assert!(peak < MEMORY_MAX_MIB, "node {id} needed {peak} MiB");
        assert!(!cluster.node(id).log().contains("panicked"));
    }
}
