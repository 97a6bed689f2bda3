//! Errors as etcd tells them: gRPC code and text of `api/v3rpc/rpctypes/error.go`, since clients match on both. What etcd has no words for begins with
//! `roadstead:`.
//!
//! Two of them matter for writes. *Unavailable* `etcdserver: no leader`: nothing has happened. *Unavailable* `etcdserver: request timed out`: a write may have
//! happened or may still happen. etcd's own clients repeat neither for a write; whoever does must know that doing it twice does no harm.

use super::keyspace::NoGroup;
use crate::{
    service::kv::KvError,
    shard::{Rejection, Response},
};
use roadstead_spec::GroupId;
use tonic::{Code, Status};

/// Bytes of a request's message at most: etcd's `--max-request-bytes` and what it adds for the protocol. A request that fits and whose command is larger
/// than [`crate::service::kv::COMMAND_BYTES_MAX`] is refused in etcd's own words.
pub(super) const MESSAGE_BYTES_MAX: usize = (1536 + 512) << 10;

pub(super) const NO_LEADER: &str = "etcdserver: no leader";
pub(super) const TIMEOUT: &str = "etcdserver: request timed out";
pub(super) const REQUEST_TOO_LARGE: &str = "etcdserver: request is too large";
pub(super) const AUTH_NOT_ENABLED: &str = "etcdserver: authentication is not enabled";
const TOO_MANY_REQUESTS: &str = "etcdserver: too many requests";
const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";
const STOPPED: &str = "etcdserver: server stopped";
const KEY_NOT_FOUND: &str = "etcdserver: key not found";

/// What the service refused.
pub(super) fn of_service(error: KvError) -> Status {
    let code = match error {
        KvError::Compacted | KvError::FutureRevision => Code::OutOfRange,
        KvError::LeaseNotFound => Code::NotFound,
        KvError::EmptyKey
        | KvError::KeyNotFound
        | KvError::ValueProvided
        | KvError::LeaseProvided
        | KvError::TooManyOps
        | KvError::DuplicateKey
        | KvError::TooLarge
        | KvError::Malformed => Code::InvalidArgument,
        KvError::QueryWrites => Code::Internal,
    };
    Status::new(code, error.to_string())
}

/// What the group did not do, or may have done.
pub(super) fn of_group(group: GroupId, response: &Response) -> Status {
    match response {
        Response::Rejected(rejection) => rejected(group, rejection),
        Response::Unknown { .. } => Status::unavailable(TIMEOUT),
        // Neither comes without an answer; whoever asked has taken it.
        Response::Committed { .. } | Response::Answered { .. } => foreign_answer(group),
    }
}

fn rejected(group: GroupId, rejection: &Rejection) -> Status {
    match rejection {
        Rejection::NotLeader { .. } => Status::unavailable(NO_LEADER),
        Rejection::DeadlineExceeded => Status::unavailable(TIMEOUT),
        Rejection::ShuttingDown => stopped(),
        Rejection::Busy(_) => Status::resource_exhausted(TOO_MANY_REQUESTS),
        Rejection::NoSpace { .. } => Status::resource_exhausted(NO_SPACE),
        Rejection::TooLarge { .. } => Status::invalid_argument(REQUEST_TOO_LARGE),
        Rejection::NoSuchGroup => Status::not_found(format!(
            "roadstead: group {group} is not on this node; ask one of its members (`roadstead group list` shows what is where)"
        )),
        Rejection::GroupFailed(reason) => {
            Status::unavailable(format!("roadstead: group {group} has stopped on this node ({reason}); ask another member"))
        }
        Rejection::PeerIsLegacy(why) => Status::unavailable(format!("roadstead: group {group}: {why}")),
        Rejection::Malformed(why) => Status::internal(format!("roadstead: group {group}: {why}")),
    }
}

/// The node ends.
pub(super) fn stopped() -> Status {
    Status::unavailable(STOPPED)
}

/// The group's state machine is not the key-value service.
pub(super) fn foreign_answer(group: GroupId) -> Status {
    Status::failed_precondition(format!("roadstead: group {group} does not replicate the service \"kv\""))
}

/// The request's keys tell no group, or two.
pub(super) fn no_group(why: &NoGroup) -> Status {
    let code = match why {
        NoGroup::Spans { .. } => Code::InvalidArgument,
        NoGroup::Unrouted(_) | NoGroup::NoDefault => Code::FailedPrecondition,
    };
    Status::new(code, why.to_string())
}

/// An operation of a transaction that is none. Source: etcd's `checkRequestOp`.
pub(super) fn empty_operation() -> Status {
    Status::invalid_argument(KEY_NOT_FOUND)
}

/// An enumeration has no such value.
pub(super) fn unknown_value(what: &str, value: i32) -> Status {
    Status::invalid_argument(format!("roadstead: {what} has no value {value}"))
}

/// The method is not served, whether etcd has it or not.
pub(super) fn not_served(path: &str) -> Status {
    Status::unimplemented(format!("roadstead does not serve {}", path.trim_start_matches('/')))
}

/// A message that is larger than the service takes, in the words of gRPC's Go implementation, which is etcd's.
pub(super) fn message_too_large(found: &str) -> Status {
    Status::resource_exhausted(format!("grpc: received message larger than max ({found} vs. {MESSAGE_BYTES_MAX})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::NodeId;

    /// Goal: every way to fail has etcd's code and text. Source: etcd's `rpctypes/error.go`.
    #[test]
    fn failures_have_etcds_codes_and_texts() {
        use Code::{FailedPrecondition, Internal, InvalidArgument, NotFound, OutOfRange, ResourceExhausted, Unavailable};
        let group = GroupId::DEFAULT;
        let rejected = |rejection| of_group(group, &Response::Rejected(rejection));
        let cases = [
            (of_service(KvError::Compacted), OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            (of_service(KvError::FutureRevision), OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            (of_service(KvError::EmptyKey), InvalidArgument, "etcdserver: key is not provided"),
            (of_service(KvError::KeyNotFound), InvalidArgument, "etcdserver: key not found"),
            (of_service(KvError::ValueProvided), InvalidArgument, "etcdserver: value is provided"),
            (of_service(KvError::LeaseProvided), InvalidArgument, "etcdserver: lease is provided"),
            (of_service(KvError::LeaseNotFound), NotFound, "etcdserver: requested lease not found"),
            (of_service(KvError::TooManyOps), InvalidArgument, "etcdserver: too many operations in txn request"),
            (of_service(KvError::DuplicateKey), InvalidArgument, "etcdserver: duplicate key given in txn request"),
            (of_service(KvError::TooLarge), InvalidArgument, "etcdserver: request is too large"),
            (rejected(Rejection::TooLarge { limit: 7 }), InvalidArgument, "etcdserver: request is too large"),
            (rejected(Rejection::NotLeader { leader: None }), Unavailable, "etcdserver: no leader"),
            (rejected(Rejection::DeadlineExceeded), Unavailable, "etcdserver: request timed out"),
            (of_group(group, &Response::Unknown { why: "lost".into() }), Unavailable, "etcdserver: request timed out"),
            (rejected(Rejection::ShuttingDown), Unavailable, "etcdserver: server stopped"),
            (rejected(Rejection::Busy("full")), ResourceExhausted, "etcdserver: too many requests"),
            (rejected(Rejection::NoSpace { node: NodeId(2) }), ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            (rejected(Rejection::Malformed("why".into())), Internal, "roadstead: group 0: why"),
            (foreign_answer(group), FailedPrecondition, "roadstead: group 0 does not replicate the service \"kv\""),
        ];
        for (status, code, text) in cases {
            assert_eq!((status.code(), status.message()), (code, text));
        }
    }
}
