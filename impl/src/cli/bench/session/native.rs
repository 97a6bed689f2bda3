//! Requests through the native client.

use std::time::Duration;

use crate::{
    GroupId,
    client::{Client, ClientOptions, Consistency, KvClient, KvFailure, Rejected, Unknown},
    config::HostPort,
    service::kv::{PutRequest, RangeRequest},
};

use super::{
    super::{options::ReadConsistency, workload::Workload},
    Ask, Failed, Request, Sessions,
};

/// A client of this project's own per connection; each finds the leaders by itself.
#[derive(Debug)]
pub(in super::super) struct NativeSessions {
    clients: Vec<Client>,
    group: i32,
    groups: u32,
}

impl NativeSessions {
    /// Nothing is connected before the first request.
    pub(in super::super) fn new(endpoints: &[HostPort], workload: &Workload, timeout: Duration) -> Self {
        let client = || {
            let endpoints = endpoints.iter().map(ToString::to_string).collect();
            Client::new(ClientOptions { endpoints, timeout, ..ClientOptions::default() })
        };
        let clients = (0..workload.connections).map(|_| client()).collect();
        Self { clients, group: workload.group.unwrap_or(1), groups: workload.groups }
    }
}

impl Sessions for NativeSessions {
    type Session = KvClient;

    fn session(&self, number: u64) -> KvClient {
        let client = &self.clients[(number % self.clients.len() as u64) as usize];
        // The workload was checked: the last group's id is one.
        let group = self.group.saturating_add((number % u64::from(self.groups)) as i32);
        KvClient::new(client.group(GroupId::new(group).unwrap_or(GroupId::DEFAULT)))
    }
}

impl Ask for KvClient {
    async fn ask(&self, request: Request) -> Result<(), Failed> {
        match request {
            Request::Put { key, value } => self.put(PutRequest::new(key, value)).await.map(|_| ()),
            Request::Get { key, consistency } => {
                let consistency = match consistency {
                    ReadConsistency::Linearizable => Consistency::Linearizable,
                    ReadConsistency::Serializable => Consistency::Stale,
                };
                self.range(RangeRequest::key(key), consistency).await.map(|_| ())
            }
        }
        .map_err(|failure| Failed {
            kind: kind(&failure),
            unknown: matches!(failure, KvFailure::Unknown(_)),
            text: failure.to_string(),
        })
    }
}

fn kind(failure: &KvFailure) -> &'static str {
    match failure {
        KvFailure::Rejected(reason) => match reason {
            Rejected::TimedOut { .. } => "timed_out",
            Rejected::NoSuchGroup { .. } => "no_such_group",
            Rejected::TooLarge { .. } => "too_large",
            Rejected::Malformed { .. } => "malformed",
            Rejected::DeadlineExceeded { .. } => "deadline_exceeded",
            Rejected::NoEndpoints => "no_endpoints",
            Rejected::NoSpace { .. } => "no_space",
            Rejected::PeerIsLegacy { .. } => "peer_is_legacy",
        },
        KvFailure::Unknown(why) => match why {
            Unknown::Node(_) => "unknown_node_does_not_know",
            Unknown::ConnectionLost(_) => "unknown_connection_lost",
            Unknown::TimedOut => "unknown_timed_out",
            Unknown::Malformed(_) => "unknown_malformed_answer",
        },
        KvFailure::Refused(_) => "refused",
        KvFailure::NotKv(_) => "not_kv",
    }
}
