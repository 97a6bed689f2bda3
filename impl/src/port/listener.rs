//! The one listener: accepts, looks at the first byte without taking it, and hands the connection to whom it belongs.

use super::HttpConnection;
use super::close::{BindError, CloseReason};
use super::inner::Inner;
use super::link::{Origin, Task, tune};
use super::session::{Session, Turn};
use super::slots::{Class, ConnectionSlot};
use roadstead_spec::wire::{Traffic, sniff};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// Connections that the system holds for us while we are busy.
const BACKLOG: u32 = 1024;
/// Wait after a failed accept: when file descriptors have run out, trying again at once would only burn the core.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Fatal alert `handshake_failure` (RFC 8446 §6.2) in a TLS 1.2 record.
const TLS_ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];
/// Most of a ClientHello that is read before the alert goes out.
const TLS_HELLO_BYTES_MAX: usize = 16 << 10;

/// Opens the port.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted node must not wait until its old connections have left TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        _ => BindError::Io { address, source },
    })
}

/// Accepts until the port stops.
pub(crate) async fn accept(inner: Rc<Inner>, listener: TcpListener) {
    let mut stopping = inner.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, remote)) => match inner.slots.stranger() {
                Some(slot) => inner.spawn(serve(Rc::clone(&inner), stream, remote, slot)),
                None => refuse(&inner, remote, &CloseReason::TooManyConnections),
            },
            Err(error) => {
                if inner.throttle.borrow_mut().admits(inner.now(), inner.local_addr.ip()) {
                    tracing::error!(%error, "cannot accept connections; trying on, and silent about it for a minute: raise the limit of open files");
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn serve(inner: Rc<Inner>, mut stream: TcpStream, remote: SocketAddr, slot: ConnectionSlot) {
    // Whatever it carries: an answer over HTTP/2 is often two small writes, too, and the second must not wait for the first one's acknowledgement.
    if let Err(error) = tune(&stream) {
        return refuse(&inner, remote, &error.into());
    }
    let accepted_at = inner.now();
    let mut stopping = inner.stopping.subscribe();
    let first = tokio::select! {
        first = timeout(inner.timers.handshake, first_byte(&stream)) => first.unwrap_or(Err(CloseReason::HandshakeTimeout)),
        _ = stopping.wait_for(|stopping| *stopping) => Err(CloseReason::Shutdown),
    };
    let reason = match first {
        Err(reason) => reason,
        Ok(Traffic::Http) => match (&inner.http, slot.promote(Class::Http)) {
            (Some(http), Some(slot)) => return http(HttpConnection { stream, remote, slot }),
            (None, _) => CloseReason::NoHttp,
            (Some(_), None) => CloseReason::TooManyConnections,
        },
        Ok(Traffic::Frames) => {
            let session = Session::accept(accepted_at, inner.local, inner.session_limits());
            let origin = Origin::Accepted { conn: inner.next_conn(), slot };
            let reason = Task::run(Rc::clone(&inner), stream, session, Turn::default(), origin).await;
            return inner.log_accepted(remote, &reason);
        }
        Ok(Traffic::Tls) => {
            refuse_tls(&mut stream, inner.timers.handshake).await;
            CloseReason::Tls
        }
        Ok(Traffic::ExtendedBeforeHello) => CloseReason::ExtendedBeforeHello,
        Ok(Traffic::PortSharingDraft) => CloseReason::PortSharingDraft,
        Ok(Traffic::Unknown(byte)) => CloseReason::UnknownFirstByte(byte),
    };
    refuse(&inner, remote, &reason);
}

async fn first_byte(stream: &TcpStream) -> Result<Traffic, CloseReason> {
    let mut first = [0; 1];
    match stream.peek(&mut first).await? {
        0 => Err(CloseReason::Ended),
        _ => Ok(sniff(first[0])),
    }
}

fn refuse(inner: &Inner, remote: SocketAddr, reason: &CloseReason) {
    inner.count_closed(reason);
    inner.log_accepted(remote, reason);
}

/// Says no in TLS, so that the other end's error names the handshake. What it sent is read first: closing over unread bytes resets the
/// connection, and the alert would be lost.
async fn refuse_tls(stream: &mut TcpStream, patience: Duration) {
    let talk = async {
        let mut hello = vec![0; TLS_HELLO_BYTES_MAX];
        let _ = stream.read(&mut hello).await?;
        stream.write_all(&TLS_ALERT).await?;
        stream.shutdown().await
    };
    // It is refused either way; whether it hears why is its own affair.
    let _ = timeout(patience, talk).await;
}
