//! Addresses for tests.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// An address that is free now, and that the system gives to no connection and no listener of another test: it lies below those that it chooses from,
/// and each is handed out once.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 1_000) as u16 * 16;
    let mut candidates = (0..1_000).map(|_| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let port = candidates.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("one of a thousand ports is free")))
}
