//! What the services share: the way from a request to its group and back.

use super::{
    answer::Answerer,
    asked::Asked,
    budget::Budget,
    error,
    keyspace::Keyspace,
    memory::{self, Held},
};
use crate::{
    launcher::Group,
    node::Handle,
    service::kv::{self, Answer, COMMAND_BYTES_MAX, RangeRequest, Request},
    shard::{Operation, Rejection, Response},
};
use bytes::Bytes;
use roadstead_spec::{GroupId, wire::body::Consistency};
use std::{path::PathBuf, time::Duration};
use tonic::Status;

/// What the services share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) budget: Budget,
    pub(super) keyspace: Keyspace,
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    /// How long a request may wait for its outcome.
    pub(super) timeout: Duration,
    /// The data folder, if the node has one.
    pub(super) folder: Option<PathBuf>,
}

/// What a group answered.
pub(super) struct Answered {
    group: GroupId,
    pub(super) from: Answerer,
    pub(super) bytes: Bytes,
    held: Option<Held>,
}

impl Answered {
    /// The service's answer: what it did, or why it refused.
    pub(super) fn response(&self) -> Result<kv::Response<&[u8]>, Status> {
        let answer: Answer<&[u8]> = kv::decode(&self.bytes).map_err(|_| error::foreign_answer(self.group))?;
        answer.map_err(error::of_service)
    }

    /// The answer to the client.
    pub(super) fn respond<T>(&self, message: T) -> tonic::Response<T> {
        let mut response = tonic::Response::new(message);
        if let Some(held) = &self.held {
            response.extensions_mut().insert(held.clone());
        }
        response
    }

    /// The answer is one to another request.
    pub(super) fn foreign(&self) -> Status {
        error::foreign_answer(self.group)
    }
}

impl Shared {
    /// The group of a request without keys.
    pub(super) fn group_without_keys(&self, asked: Asked) -> Result<GroupId, Status> {
        asked.group.map_or_else(|| self.keyspace.default_group(), Ok).map_err(|why| error::no_group(&why))
    }

    /// The group of a request with keys.
    pub(super) fn group_of<'a>(&self, asked: Asked, ranges: impl IntoIterator<Item = (&'a Bytes, &'a Bytes)>) -> Result<GroupId, Status> {
        asked.group.map_or_else(|| self.keyspace.group_of(ranges), Ok).map_err(|why| error::no_group(&why))
    }

    /// Replicates a request.
    pub(super) async fn write(&self, asked: Asked, group: GroupId, request: &Request) -> Result<Answered, Status> {
        let command = request.encode();
        if command.len() > COMMAND_BYTES_MAX {
            return Err(Status::invalid_argument(error::REQUEST_TOO_LARGE));
        }
        self.ask(asked, group, Operation::Write(command)).await
    }

    /// Asks without changing anything.
    pub(super) async fn query(&self, asked: Asked, group: GroupId, request: &Request, serializable: bool) -> Result<Answered, Status> {
        let consistency = if serializable { Consistency::Stale } else { Consistency::Linearizable };
        self.ask(asked, group, Operation::Query { bytes: request.encode(), consistency }).await
    }

    /// Waits for a leader while there is none, unless the client does not want to.
    async fn ask(&self, asked: Asked, group: GroupId, operation: Operation) -> Result<Answered, Status> {
        let response = if asked.require_leader {
            self.handle.request(group, operation, asked.timeout).await
        } else {
            Group::of(self.handle.clone(), group, asked.timeout).request(operation).await
        };
        match response {
            Response::Committed { term, answer, .. } | Response::Answered { term, answer, .. } => {
                let held = memory::take_answer(&self.budget, answer.len())?;
                Ok(Answered { group, from: self.answerer(term.0), bytes: answer, held })
            }
            refused => Err(error::of_group(group, &refused)),
        }
    }

    /// Who answers, in a term.
    pub(super) fn answerer(&self, raft_term: u64) -> Answerer {
        Answerer { cluster_id: self.cluster_id, member_id: self.member_id, raft_term }
    }

    /// The newest revision of the group's data on this node, and its term.
    pub(super) async fn revision(&self, asked: Asked, group: GroupId, serializable: bool) -> Result<(i64, Answerer), Status> {
        let nothing = RangeRequest { key: Bytes::from_static(&[0]), count_only: true, ..RangeRequest::default() };
        let answered = self.query(asked, group, &Request::Range(nothing), serializable).await?;
        match answered.response()? {
            kv::Response::Range(range) => Ok((range.revision, answered.from)),
            _ => Err(answered.foreign()),
        }
    }

    /// How the group stands on this node.
    pub(super) async fn status(&self, group: GroupId) -> Result<crate::api::types::GroupStatus, Status> {
        let status = self.handle.group(group).await;
        status.ok_or_else(|| error::of_group(group, &Response::Rejected(Rejection::NoSuchGroup)))
    }
}
