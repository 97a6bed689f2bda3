//! Who leads, as the nodes say it, over time.

use roadstead::api::types::{GroupList, GroupStatus, Role};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How often a node is asked.
const LOOK: Duration = Duration::from_millis(100);
/// A node that stands still does not answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);

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
        for status in groups(address).await.unwrap_or_default().iter().filter(|status| status.role == Role::Leader) {
            seen.note(node, status, begun.elapsed());
        }
        sleep(LOOK).await;
    }
}

/// What a node says of its groups.
pub(super) async fn groups(address: SocketAddr) -> io::Result<Vec<GroupStatus>> {
    let ask = async {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET /v1/groups HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        socket.read_to_string(&mut text).await?;
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str::<GroupList>(body).map_err(io::Error::other)?.groups)
    };
    timeout(ANSWER_MAX, ask).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
