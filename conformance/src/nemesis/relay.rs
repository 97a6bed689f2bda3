//! The wires between nodes: whatever a node says to another passes a relay, which can hold it back, deliver it later, or break the connection.
//!
//! Node `from` finds node `to` under an address of its own, the *face* that `to` shows to `from`; there the relay listens, and from the face that `from` shows to
//! `to` it goes on. So each way can be told from every other by addresses alone, and be cut by a route as well as here.

use super::fault::Way;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    io,
    net::SocketAddr,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    select, spawn,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// Pieces of one connection's one direction that are under way, each up to [`PIECE_BYTES`].
const PIECES_MAX: usize = 64;
const PIECE_BYTES: usize = 16 << 10;

/// What holds for all wires.
#[derive(Clone, Debug, Default)]
struct Wires {
    held: BTreeSet<Way>,
    delay: Duration,
    /// Counts the breaks of all connections.
    breaks: u64,
}

/// All wires between the nodes.
pub(super) struct Relay {
    wires: watch::Sender<Wires>,
}

impl Relay {
    /// Listens at every face. `faces` has for each pair what the second shows to the first; `nodes` is where they really are.
    pub(super) async fn start(faces: &BTreeMap<Way, SocketAddr>, nodes: &BTreeMap<u32, SocketAddr>) -> io::Result<Self> {
        let (wires, watched) = watch::channel(Wires::default());
        for ((dialer, target), face) in faces {
            let listener = TcpListener::bind(face).await?;
            let back = faces.get(&(*target, *dialer)).map_or(*face, |face| SocketAddr::new(face.ip(), 0));
            let wire = Wire { ways: [(*dialer, *target), (*target, *dialer)], wires: watched.clone() };
            if let Some(node) = nodes.get(target) {
                spawn(listen(listener, back, *node, wire));
            }
        }
        Ok(Self { wires })
    }

    /// Holds back what flows these ways, and nothing else.
    pub(super) fn hold(&self, held: BTreeSet<Way>) {
        self.wires.send_modify(|wires| wires.held = held);
    }

    /// Everything that comes in from now on takes this long.
    pub(super) fn delay(&self, delay: Duration) {
        self.wires.send_modify(|wires| wires.delay = delay);
    }

    /// Breaks all connections.
    pub(super) fn reset(&self) {
        self.wires.send_modify(|wires| wires.breaks += 1);
    }
}

/// What a connection is to know: its way there and back.
#[derive(Clone)]
struct Wire {
    ways: [Way; 2],
    wires: watch::Receiver<Wires>,
}

async fn listen(listener: TcpListener, back: SocketAddr, node: SocketAddr, wire: Wire) {
    loop {
        // What fails here are sockets that went away at once.
        let Ok((near, _)) = listener.accept().await else { continue };
        spawn(join(near, back, node, wire.clone()));
    }
}

/// Connects both ends until one closes. Who cannot be reached is seen by the dialer as one that closes at once.
async fn join(near: TcpStream, back: SocketAddr, node: SocketAddr, wire: Wire) -> io::Result<()> {
    let breaks = wire.wires.borrow().breaks;
    let socket = TcpSocket::new_v4()?;
    socket.bind(back)?;
    let far = socket.connect(node).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let [there, back] = wire.ways;
    let mut broken = wire.wires.clone();
    select! {
        () = pass(near_in, far_out, there, wire.wires.clone()) => {}
        () = pass(far_in, near_out, back, wire.wires.clone()) => {}
        _ = broken.wait_for(|wires| wires.breaks != breaks) => {}
    }
    Ok(())
}

/// Copies one direction until it ends.
async fn pass(from: OwnedReadHalf, to: OwnedWriteHalf, way: Way, wires: watch::Receiver<Wires>) {
    let (put, take) = mpsc::channel(PIECES_MAX);
    // What was sent before the end still arrives.
    let reading = async {
        read(from, put, wires.clone()).await;
        pending().await
    };
    select! {
        () = reading => {}
        () = write(to, take, way, wires.clone()) => {}
    }
}

async fn read(mut from: OwnedReadHalf, put: mpsc::Sender<(Instant, Vec<u8>)>, wires: watch::Receiver<Wires>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if !matches!(from.read_buf(&mut piece).await, Ok(1..)) {
            return;
        }
        let due = Instant::now() + wires.borrow().delay;
        if put.send((due, piece)).await.is_err() {
            return;
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut take: mpsc::Receiver<(Instant, Vec<u8>)>, way: Way, mut wires: watch::Receiver<Wires>) {
    while let Some((due, piece)) = take.recv().await {
        sleep_until(due).await;
        if wires.wait_for(|wires| !wires.held.contains(&way)).await.is_err() || to.write_all(&piece).await.is_err() {
            return;
        }
    }
}
