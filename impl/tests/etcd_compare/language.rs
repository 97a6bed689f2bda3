//! Cases in text, and requests of the scripts as messages of etcd's protocol.

use roadstead::service::kv::*;
use roadstead_proto::etcdserverpb::{self as pb, compare, request_op};

/// A request as it is sent.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    Range(pb::RangeRequest),
    Put(pb::PutRequest),
    DeleteRange(pb::DeleteRangeRequest),
    Txn(pb::TxnRequest),
    Compact(pb::CompactionRequest),
    HashKv(pb::HashKvRequest),
}

/// A name and its requests, one a line.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
}

/// The cases of `cases.txt`.
pub(crate) fn own_cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => cases.push(Case { name: name.to_owned(), lines: Vec::new() }),
            None => cases.last_mut().expect("a name before the first request").lines.push(line.to_owned()),
        }
    }
    cases
}

/// The scripts that the state machine's own tests run with written answers: what etcd answers now is compared with ours, not with what is written.
pub(crate) fn scripts(source: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut rest = source;
    while let Some((head, tail)) = rest.split_once(": r\"") {
        let (script, after) = tail.split_once('"').expect("the end of a script");
        let name = head.rsplit(char::is_whitespace).next().expect("a name").to_owned();
        let requests = script.lines().filter_map(|line| line.trim().strip_prefix("> "));
        // A sweep is no request of etcd's.
        cases.push(Case { name, lines: requests.filter(|line| *line != "sweep").map(str::to_owned).collect() });
        rest = after;
    }
    cases
}

/// The request of a line. `shift` is what the script's revisions are behind the server's.
pub(crate) fn sent(line: &str, shift: i64) -> Sent {
    if let Some(revision) = line.strip_prefix("hash ") {
        let revision = shifted(revision.parse().expect("a revision"), shift);
        return Sent::HashKv(pb::HashKvRequest { revision });
    }
    let stale = line.strip_prefix("stale ");
    match crate::kv_script::parse(stale.unwrap_or(line)) {
        Request::Range(request) => Sent::Range(range(request, stale.is_some(), shift)),
        Request::Put(request) => Sent::Put(put(request)),
        Request::DeleteRange(request) => Sent::DeleteRange(delete_range(request)),
        Request::Txn(request) => Sent::Txn(txn(request, shift)),
        Request::Compact(CompactRequest { revision }) => {
            Sent::Compact(pb::CompactionRequest { revision: shifted(revision, shift), physical: true })
        }
        request => panic!("etcd has no {request:?}"),
    }
}

/// Revision 0 and those below mean something of their own.
fn shifted(revision: i64, shift: i64) -> i64 {
    if revision > 0 { revision + shift } else { revision }
}

fn range(request: RangeRequest, serializable: bool, shift: i64) -> pb::RangeRequest {
    pb::RangeRequest {
        key: request.key,
        range_end: request.range_end,
        limit: request.limit,
        revision: shifted(request.revision, shift),
        sort_order: request.sort_order as i32,
        sort_target: request.sort_target as i32,
        serializable,
        keys_only: request.keys_only,
        count_only: request.count_only,
        min_mod_revision: shifted(request.min_mod_revision, shift),
        max_mod_revision: shifted(request.max_mod_revision, shift),
        min_create_revision: shifted(request.min_create_revision, shift),
        max_create_revision: shifted(request.max_create_revision, shift),
    }
}

fn put(request: PutRequest) -> pb::PutRequest {
    let PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = request;
    pb::PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
}

fn delete_range(request: DeleteRangeRequest) -> pb::DeleteRangeRequest {
    let DeleteRangeRequest { key, range_end, prev_kv } = request;
    pb::DeleteRangeRequest { key, range_end, prev_kv }
}

fn txn(request: TxnRequest, shift: i64) -> pb::TxnRequest {
    let ops = |ops: Vec<RequestOp>| ops.into_iter().map(|op| operation(op, shift)).collect();
    pb::TxnRequest {
        compare: request.compare.into_iter().map(|compare| compare_of(compare, shift)).collect(),
        success: ops(request.success),
        failure: ops(request.failure),
    }
}

fn operation(op: RequestOp, shift: i64) -> pb::RequestOp {
    let request = match op {
        RequestOp::Range(request) => request_op::Request::RequestRange(range(request, false, shift)),
        RequestOp::Put(request) => request_op::Request::RequestPut(put(request)),
        RequestOp::DeleteRange(request) => request_op::Request::RequestDeleteRange(delete_range(request)),
        RequestOp::Txn(request) => request_op::Request::RequestTxn(txn(request, shift)),
    };
    pb::RequestOp { request: Some(request) }
}

fn compare_of(compare: Compare, shift: i64) -> pb::Compare {
    let (target, given) = match compare.target {
        CompareTarget::Version(number) => (0, compare::TargetUnion::Version(number)),
        CompareTarget::Create(revision) => (1, compare::TargetUnion::CreateRevision(shifted(revision, shift))),
        CompareTarget::Mod(revision) => (2, compare::TargetUnion::ModRevision(shifted(revision, shift))),
        CompareTarget::Value(value) => (3, compare::TargetUnion::Value(value)),
        CompareTarget::Lease(lease) => (4, compare::TargetUnion::Lease(lease)),
    };
    let result = compare.result as i32;
    pb::Compare { key: compare.key, range_end: compare.range_end, result, target, target_union: Some(given) }
}
