//! What the port's tasks share; all on one thread.

use super::HttpHandler;
use super::close::CloseReason;
use super::connection::{Connection, Traffic};
use super::event::{ConnId, PortEvent};
use super::options::{PortLimits, PortTimers};
use super::peer::Peer;
use super::session::SessionLimits;
use super::slots::Slots;
use super::throttle::Throttle;
use rand::rngs::StdRng;
use roadstead_spec::NodeId;
use roadstead_spec::wire::negotiation::{Known, Local};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// State of the port. Its cells are borrowed for the length of a statement and never across an `await`.
pub(crate) struct Inner {
    pub(crate) local_addr: SocketAddr,
    pub(crate) local: Local,
    pub(crate) timers: PortTimers,
    pub(crate) limits: PortLimits,
    /// Zero of the sessions' clock.
    pub(crate) origin: Instant,
    pub(crate) events: mpsc::Sender<PortEvent>,
    pub(crate) http: Option<HttpHandler>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) peers: RefCell<BTreeMap<NodeId, Rc<Peer>>>,
    pub(crate) clients: RefCell<HashMap<ConnId, Rc<Connection>>>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) rng: RefCell<StdRng>,
    pub(crate) throttle: RefCell<Throttle>,
    pub(crate) closed: RefCell<BTreeMap<&'static str, u64>>,
    /// Traffic of clients that are gone.
    pub(crate) client_traffic: Cell<Traffic>,
    pub(crate) conns: Cell<u64>,
    tasks: RefCell<JoinSet<()>>,
}

/// What [`Inner::new`] cannot make up itself.
pub(crate) struct Parts {
    pub(crate) local_addr: SocketAddr,
    pub(crate) events: mpsc::Sender<PortEvent>,
    pub(crate) http: Option<HttpHandler>,
}

impl Inner {
    pub(crate) fn new(parts: Parts, options: &super::PortOptions, rng: StdRng) -> Self {
        Self {
            local_addr: parts.local_addr,
            local: options.local,
            timers: options.timers,
            limits: options.limits,
            origin: Instant::now(),
            events: parts.events,
            http: parts.http,
            slots: Slots::new(options.limits.connections_max),
            peers: RefCell::default(),
            clients: RefCell::default(),
            stopping: watch::Sender::new(false),
            rng: RefCell::new(rng),
            throttle: RefCell::default(),
            closed: RefCell::default(),
            client_traffic: Cell::default(),
            conns: Cell::new(0),
            tasks: RefCell::default(),
        }
    }

    /// Time since the port was opened: the sessions' clock.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    pub(crate) const fn session_limits(&self) -> SessionLimits {
        SessionLimits { frames: self.limits.frames, handshake: self.timers.handshake, read: self.timers.read }
    }

    /// Whether a node is a peer, and the data folder it had before.
    pub(crate) fn known(&self, node: NodeId) -> Known {
        self.peers.borrow().get(&node).map_or(Known::Stranger, |peer| Known::Peer { store: peer.store.get() })
    }

    pub(crate) fn next_conn(&self) -> ConnId {
        let number = self.conns.get();
        self.conns.set(number + 1);
        ConnId(number)
    }

    /// Runs a task until it ends or the port is shut down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(task);
    }

    /// All tasks, to be awaited or aborted.
    pub(crate) fn take_tasks(&self) -> JoinSet<()> {
        self.tasks.take()
    }

    pub(crate) fn count_closed(&self, reason: &CloseReason) {
        *self.closed.borrow_mut().entry(reason.label()).or_default() += 1;
    }

    pub(crate) fn note_client_traffic(&self, connection: &Connection) {
        let mut traffic = self.client_traffic.get();
        traffic.add(&connection.traffic.get());
        self.client_traffic.set(traffic);
    }

    /// An accepted connection ended: a line in the log if it is worth one, at most once per address and minute.
    pub(crate) fn log_accepted(&self, remote: SocketAddr, reason: &CloseReason) {
        if reason.is_ordinary() {
            tracing::debug!(%remote, %reason, "connection closed");
        } else if self.throttle.borrow_mut().admits(self.now(), remote.ip()) {
            tracing::warn!(%remote, %reason, "connection closed; further ones of this address are not logged for a minute");
        }
    }
}
