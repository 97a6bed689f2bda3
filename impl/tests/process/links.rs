//! The network between the nodes, one way at a time: each node reaches each peer through a proxy of the test, which can hold back what flows in one direction.
//! What was held back is delivered when the link heals, late, as by a network that comes back: a node must stand that, too.

use crate::{cluster::Cluster, free_port::free_address};
use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How often a waiting thread looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// What may flow from one end to another, whoever dialled.
#[derive(Default)]
pub(crate) struct Way {
    cut: AtomicBool,
}

impl Way {
    /// Holds back what flows, or lets it go.
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

/// A proxy that a test puts before one node; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) address: String,
    /// What the node says.
    pub(crate) answers: Arc<Way>,
    over: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn before(target: &str) -> Self {
        let (answers, over) = (Arc::<Way>::default(), Arc::<AtomicBool>::default());
        let address = listen(target.to_owned(), [Arc::default(), Arc::clone(&answers)], Arc::clone(&over));
        Self { address, answers, over }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// All ways between three nodes.
pub(crate) struct Links {
    ways: BTreeMap<(u32, u32), Arc<Way>>,
    over: Arc<AtomicBool>,
}

impl Links {
    /// A cluster, not started, whose nodes reach each other through these links.
    pub(crate) fn cluster(groups: &[i32], extra: &str) -> (Cluster, Self) {
        let pairs = (1..=3).flat_map(|from| (1..=3).map(move |to| (from, to)));
        let ways: BTreeMap<_, _> = pairs.filter(|(from, to)| from != to).map(|pair| (pair, Arc::<Way>::default())).collect();
        let links = Self { ways, over: Arc::default() };
        let cluster = Cluster::linked(groups, extra, |from, to, target| links.proxy(from, to, target));
        (cluster, links)
    }

    /// Holds back what `from` says to `to`.
    pub(crate) fn cut(&self, from: u32, to: u32) {
        self.ways[&(from, to)].cut(true);
    }

    /// Everything flows again.
    pub(crate) fn heal(&self) {
        self.ways.values().for_each(|way| way.cut(false));
    }

    fn proxy(&self, dialler: u32, other: u32, target: &str) -> String {
        listen(target.to_owned(), [self.way(dialler, other), self.way(other, dialler)], Arc::clone(&self.over))
    }

    fn way(&self, from: u32, to: u32) -> Arc<Way> {
        Arc::clone(&self.ways[&(from, to)])
    }
}

impl Drop for Links {
    /// The threads end.
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Listens, and passes on to `target` over the first way and back over the second.
fn listen(target: String, ways: [Arc<Way>; 2], over: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind(free_address()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            let Ok((near, _)) = listener.accept() else {
                thread::sleep(LOOK);
                continue;
            };
            // A refused connection is seen by the dialler as one that is closed at once.
            let Ok(far) = TcpStream::connect(&target) else { continue };
            for ((from, to), way) in [(&near, &far), (&far, &near)].into_iter().zip(&ways) {
                let (from, to, way, over) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(way), Arc::clone(&over));
                thread::spawn(move || pass(from, to, &way, &over));
            }
        }
    });
    address
}

/// Copies one direction of a connection until either end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, way: &Way, over: &AtomicBool) {
    from.set_nonblocking(false).unwrap();
    from.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    while !over.load(Ordering::SeqCst) {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        while way.cut.load(Ordering::SeqCst) && !over.load(Ordering::SeqCst) {
            thread::sleep(LOOK); // held back
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
