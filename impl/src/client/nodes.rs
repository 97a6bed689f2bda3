//! The nodes that a client knows, its link to each, and who is believed to lead which group.

use super::link::Link;
use super::options::ClientOptions;
use super::outcome::NoLink;
use super::target::Target;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use roadstead_spec::wire::negotiation::{Caller, FEATURES};
use roadstead_spec::{GroupId, NodeId};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// Addresses that are learned from answers, beside the configured ones; further ones are not followed.
const LEARNED_MAX: usize = 64;

/// One address.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: String,
    /// Which node answered there; 0: not met yet.
    node: AtomicU32,
    link: Mutex<Option<Arc<Link>>>,
    /// Held while connecting, so that many requests make one connection; what the last attempt ended with, if it failed.
    connecting: tokio::sync::Mutex<Option<(Instant, NoLink)>>,
}

/// Everything that the clones of a client share.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) options: ClientOptions,
    caller: Caller,
    endpoints: RwLock<Vec<Arc<Endpoint>>>,
    groups: Mutex<HashMap<GroupId, Arc<Target>>>,
    rng: Mutex<StdRng>,
}

impl Nodes {
    pub(super) fn new(options: ClientOptions) -> Self {
        // The standard library's hash keys are random: enough for jitter and for nonces, which only tell connections apart.
        let mut rng = StdRng::seed_from_u64(RandomState::new().hash_one(()));
        let caller = Caller::Client { cluster: options.cluster, boot: rng.random(), features: FEATURES };
        let endpoints = options.endpoints.iter().map(|address| Arc::new(Endpoint::new(address.clone()))).collect();
        Self { options, caller, endpoints: RwLock::new(endpoints), groups: Mutex::default(), rng: Mutex::new(rng) }
    }

    /// The place where it is remembered who leads a group; the same for all handles of the group.
    pub(super) fn target(&self, group: GroupId) -> Arc<Target> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(group).or_insert_with(|| Arc::new(Target::new())))
    }

    /// How many addresses are known.
    pub(super) fn len(&self) -> usize {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The address that `target` points at, with its place; `None` if there is none at all.
    pub(super) fn at(&self, target: &Target) -> Option<(usize, Arc<Endpoint>)> {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let place = target.place(endpoints.len())?;
        endpoints.get(place).map(|endpoint| (place, Arc::clone(endpoint)))
    }

    /// Points `target` at the next address, unless another request has moved it already.
    pub(super) fn rotate(&self, target: &Target, from: usize) {
        target.rotate(from, self.len());
    }

    /// Points `target` at the leader that a node named. Returns whether that is another address than `from`.
    pub(super) fn follow(&self, target: &Target, from: usize, leader: NodeId, address: &str) -> bool {
        let Some(place) = self.place_of(leader, address) else { return false };
        target.follow(place);
        place != from
    }

    fn place_of(&self, node: NodeId, address: &str) -> Option<usize> {
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        let is_it = |endpoint: &Arc<Endpoint>| endpoint.node.load(Ordering::Relaxed) == node.0;
        let known = endpoints.iter().position(is_it).or_else(|| endpoints.iter().position(|endpoint| endpoint.address == address));
        if known.is_some() || address.is_empty() || endpoints.len() >= self.options.endpoints.len() + LEARNED_MAX {
            return known;
        }
        endpoints.push(Arc::new(Endpoint::new(address.to_owned())));
        Some(endpoints.len() - 1)
    }

    /// The link to an address: the open one, or a new one.
    pub(super) async fn link(&self, endpoint: &Endpoint) -> Result<Arc<Link>, NoLink> {
        if let Some(link) = endpoint.open_link() {
            return Ok(link);
        }
        let began = Instant::now();
        let mut last_failure = endpoint.connecting.lock().await;
        if let Some(link) = endpoint.open_link() {
            return Ok(link);
        }
        // Whoever waited while an attempt failed shares its outcome: a crowd of requests does not knock one after the other.
        if let Some((at, failure)) = last_failure.as_ref().filter(|(at, _)| *at >= began) {
            tracing::trace!(?at, "sharing the failure of another request's attempt to connect");
            return Err(failure.clone());
        }
        let patience = self.options.connect_timeout;
        match Link::open(&endpoint.address, self.caller, self.draw(|rng| rng.random()), self.options.frames, patience).await {
            Ok(link) => {
                *last_failure = None;
                endpoint.node.store(link.node.0, Ordering::Relaxed);
                endpoint.set_link(Arc::clone(&link));
                Ok(link)
            }
            Err(failure) => {
                *last_failure = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    pub(super) fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A wait of `backoff`, with jitter.
    pub(super) fn wait(&self, backoff: &mut crate::port::Backoff) -> Duration {
        self.draw(|rng| backoff.next(rng))
    }
}

impl Drop for Nodes {
    /// The last clone is gone: the links' tasks end.
    fn drop(&mut self) {
        for endpoint in self.endpoints.get_mut().unwrap_or_else(PoisonError::into_inner) {
            if let Some(link) = endpoint.open_link() {
                link.close("the client was dropped");
            }
        }
    }
}

impl Endpoint {
    fn new(address: String) -> Self {
        Self { address, node: AtomicU32::new(0), link: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    fn open_link(&self) -> Option<Arc<Link>> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().filter(|link| link.is_open()).cloned()
    }

    fn set_link(&self, link: Arc<Link>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
    }
}
