//! Who leads, as the nodes say it, over time.

use super::{admin, regroup};
use roadstead::api::types::{GroupStatus, Role};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// How often a node is asked.
const LOOK: Duration = Duration::from_millis(100);

/// A lead, as its node told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) group: i32,
    pub(super) node: u32,
    pub(super) epoch: u64,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Lead>>>);

impl Seen {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Lead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who was last seen to lead any group.
    pub(super) fn leader(&self) -> Option<u32> {
        self.lock().iter().max_by_key(|lead| lead.to).map(|lead| lead.node)
    }

    fn note(&self, node: u32, status: &GroupStatus, at: Duration) {
        let mut leads = self.lock();
        let same = |lead: &&mut Lead| (lead.group, lead.node, lead.epoch) == (status.id, node, status.epoch);
        match leads.iter_mut().rev().find(same) {
            Some(lead) => lead.to = at,
            None => leads.push(Lead { group: status.id, node, epoch: status.epoch, from: at, to: at }),
        }
    }

    /// Two nodes that led one group in one epoch.
    pub(super) fn two_in_one_epoch(&self) -> Option<(Lead, Lead)> {
        let mut first: BTreeMap<(i32, u64), Lead> = BTreeMap::new();
        self.lock().iter().find_map(|lead| {
            let other = *first.entry((lead.group, lead.epoch)).or_insert(*lead);
            (other.node != lead.node).then_some((other, *lead))
        })
    }
}

/// Asks a node again and again, until it is dropped.
pub(super) async fn watch(node: u32, address: SocketAddr, begun: Instant, seen: Seen) {
    loop {
        // Terms begin anew with each life of the group that comes and goes.
        let counts = |status: &&GroupStatus| status.role == Role::Leader && i64::from(status.id) != regroup::GROUP;
        for status in admin::groups(address).await.unwrap_or_default().iter().filter(counts) {
            seen.note(node, status, begun.elapsed());
        }
        sleep(LOOK).await;
    }
}
