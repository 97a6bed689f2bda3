//! Keeps one outgoing link per peer: looks up, connects, negotiates, runs it, waits, again.

use super::backoff::Backoff;
use super::close::CloseReason;
use super::inner::Inner;
use super::link::{Origin, Task, tune};
use super::peer::Peer;
use super::session::Session;
use super::status::LinkState;
use rand::RngExt;
use std::io;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Dials a peer until it is removed or the port stops.
pub(crate) async fn dial(inner: Rc<Inner>, peer: Rc<Peer>) {
    let mut stopping = inner.stopping.subscribe();
    let mut backoff = Backoff::new(inner.timers.reconnect_min, inner.timers.reconnect_max);
    while !peer.removed.get() && !*stopping.borrow() {
        peer.state.set(LinkState::Connecting);
        let began = Instant::now();
        let reason = attempt(&inner, &peer).await;
        // A link that is closed as soon as it is up is no success: do not knock at the fastest rate for ever.
        if began.elapsed() > inner.timers.reconnect_max {
            backoff.reset();
        }
        note(&peer, &reason);
        let wait = backoff.next(&mut *inner.rng.borrow_mut());
        tokio::select! {
            () = sleep(wait) => {}
            () = peer.nudge.notified() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// One attempt and the life of the link that comes of it.
async fn attempt(inner: &Rc<Inner>, peer: &Rc<Peer>) -> CloseReason {
    let mut stopping = inner.stopping.subscribe();
    let connected = tokio::select! {
        connected = timeout(inner.timers.connect, connect(&peer.address)) => connected,
        _ = stopping.wait_for(|stopping| *stopping) => return CloseReason::Shutdown,
    };
    let failed = |why: String| CloseReason::Connect { address: peer.address.clone(), why };
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return count(inner, failed(error.to_string())),
        Err(_) => return count(inner, failed(format!("no answer within {:?}", inner.timers.connect))),
    };
    let nonce = inner.rng.borrow_mut().random();
    let (session, first) = Session::dial(inner.now(), inner.local, inner.session_limits(), peer.node, peer.store.get(), nonce);
    Task::run(Rc::clone(inner), stream, session, first, Origin::Dialled(Rc::clone(peer))).await
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    tune(&stream)?;
    Ok(stream)
}

fn count(inner: &Inner, reason: CloseReason) -> CloseReason {
    inner.count_closed(&reason);
    reason
}

/// A line in the log when something changed, not at each attempt.
fn note(peer: &Peer, reason: &CloseReason) {
    let refused = matches!(reason, CloseReason::Refused(_));
    peer.state.set(if refused { LinkState::Refused } else { LinkState::Waiting });
    if !peer.note_error(reason) {
        return;
    }
    let (node, address) = (peer.node, &peer.address);
    if refused {
        tracing::error!(peer = %node, %address, %reason, "link refused");
    } else if !matches!(reason, CloseReason::Shutdown | CloseReason::Removed) {
        tracing::warn!(peer = %node, %address, %reason, "no link to the peer; dialling again");
    }
}
