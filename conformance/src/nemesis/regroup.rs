//! A group beside those of the clients, which is removed and added anew, node after node: frames of one life meet nodes that have another life of it, or none.

use super::admin;
use roadstead::api::types::GroupSpec;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

/// Its number; those of the clients' groups count up from 1.
pub(super) const GROUP: i64 = 1_000;

/// Long enough for members of the new life to ask those of the old one for votes.
const PAUSE: Duration = Duration::from_millis(250);

/// Lets the group come and go.
#[derive(Debug, Default)]
pub(super) struct Regroup {
    generation: Arc<AtomicU64>,
    running: JoinSet<()>,
}

impl Regroup {
    /// From now on.
    pub(super) fn begin(&mut self, addresses: Vec<SocketAddr>) {
        self.running.spawn(come_and_go(addresses, Arc::clone(&self.generation)));
    }

    /// Until now. The nodes keep whatever life of it they have.
    pub(super) fn end(&mut self) {
        self.running.abort_all();
    }
}

async fn come_and_go(addresses: Vec<SocketAddr>, generation: Arc<AtomicU64>) {
    let members: Vec<u32> = (1..).take(addresses.len()).collect();
    loop {
        let generation = generation.fetch_add(1, Ordering::Relaxed) + 1;
        let (service, protocol) = (None, Some("raft".to_owned()));
        let spec = GroupSpec { id: GROUP, generation: Some(generation), service, members: members.clone(), consensus_protocol: protocol };
        for address in &addresses {
            // A node that is down, stands still or has no room is asked in the next round again.
            let _ = admin::remove(*address, GROUP).await;
            let _ = admin::add(*address, &spec).await;
            sleep(PAUSE).await;
        }
    }
}
