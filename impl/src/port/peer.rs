//! What the port keeps per peer.

use super::close::CloseReason;
use super::connection::{Connection, Traffic};
use super::event::{ConnId, PeerIdentity};
use super::options::PeerOptions;
use super::status::{LinkState, PeerStatus};
use roadstead_spec::NodeId;
use roadstead_spec::wire::StoreId;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tokio::sync::Notify;

/// One peer: its two links and what is remembered of it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) address: String,
    pub(crate) store: Cell<Option<StoreId>>,
    pub(crate) state: Cell<LinkState>,
    /// The link that we dialled; `Some` while frames can be sent.
    pub(crate) dialled: RefCell<Option<Rc<Connection>>>,
    /// The link that it dialled.
    pub(crate) accepted: RefCell<Option<(ConnId, Rc<Connection>)>>,
    /// Ends the wait before the next attempt: the peer was just heard of.
    pub(crate) nudge: Notify,
    /// No longer configured: its dialer ends.
    pub(crate) removed: Cell<bool>,
    identity: Cell<Option<PeerIdentity>>,
    last_error: RefCell<Option<CloseReason>>,
    links: Cell<u64>,
    past: Cell<Traffic>,
}

impl Peer {
    pub(crate) fn new(options: PeerOptions) -> Self {
        Self {
            node: options.node,
            address: options.address,
            store: Cell::new(options.store),
            state: Cell::new(LinkState::Connecting),
            dialled: RefCell::new(None),
            accepted: RefCell::new(None),
            nudge: Notify::new(),
            removed: Cell::new(false),
            identity: Cell::new(None),
            last_error: RefCell::new(None),
            links: Cell::new(0),
            past: Cell::new(Traffic::default()),
        }
    }

    /// A link with it was negotiated. The first data folder seen is remembered, so that another one is refused from now on.
    pub(crate) fn on_up(&self, identity: Option<PeerIdentity>) {
        self.links.set(self.links.get() + 1);
        if let Some(identity) = identity {
            self.identity.set(Some(identity));
            if self.store.get().is_none() {
                self.store.set(Some(identity.store));
            }
        }
    }

    /// A link ended; its traffic is kept in the sums.
    pub(crate) fn on_link_over(&self, link: &Connection) {
        let mut past = self.past.get();
        past.add(&link.traffic.get());
        self.past.set(past);
    }

    /// Why the last link or attempt ended. Returns whether that is news: the same failure again is not worth a log line.
    pub(crate) fn note_error(&self, reason: &CloseReason) -> bool {
        self.last_error.replace(Some(reason.clone())).as_ref() != Some(reason)
    }

    /// Both links are closed and it is not dialled again.
    pub(crate) fn remove(&self) {
        self.removed.set(true);
        self.close(&CloseReason::Removed);
        self.nudge.notify_one();
    }

    /// Closes both links.
    pub(crate) fn close(&self, reason: &CloseReason) {
        if let Some(link) = self.dialled.borrow().as_ref() {
            link.close(reason.clone());
        }
        if let Some((_, link)) = self.accepted.borrow().as_ref() {
            link.close(reason.clone());
        }
    }

    pub(crate) fn status(&self) -> PeerStatus {
        let mut traffic = self.past.get();
        let dialled = self.dialled.borrow();
        let accepted = self.accepted.borrow();
        for link in dialled.iter().chain(accepted.iter().map(|(_, link)| link)) {
            traffic.add(&link.traffic.get());
        }
        PeerStatus {
            node: self.node,
            address: self.address.clone(),
            state: self.state.get(),
            accepted: accepted.is_some(),
            identity: self.identity.get(),
            last_error: self.last_error.borrow().as_ref().map(ToString::to_string),
            links: self.links.get(),
            traffic,
            queued_bytes: dialled.as_ref().map_or(0, |link| link.queued_bytes()),
        }
    }
}
