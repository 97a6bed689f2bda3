//! Requests of etcd's protocol as requests of the key-value service, field by field; and the ranges of keys that tell their group.

use super::error;
use crate::service::kv::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, SortOrder, SortTarget, TXN_DEPTH_MAX,
    TxnRequest,
};
use bytes::Bytes;
use roadstead_proto::etcdserverpb::{self as pb, compare::TargetUnion, request_op};
use tonic::Status;

pub(super) fn range(request: pb::RangeRequest) -> Result<RangeRequest, Status> {
    Ok(RangeRequest {
        sort_order: match request.sort_order {
            0 => SortOrder::None,
            1 => SortOrder::Ascend,
            2 => SortOrder::Descend,
            other => return Err(error::unknown_value("sort_order", other)),
        },
        sort_target: match request.sort_target {
            0 => SortTarget::Key,
            1 => SortTarget::Version,
            2 => SortTarget::Create,
            3 => SortTarget::Mod,
            4 => SortTarget::Value,
            other => return Err(error::unknown_value("sort_target", other)),
        },
        key: request.key,
        range_end: request.range_end,
        limit: request.limit,
        revision: request.revision,
        keys_only: request.keys_only,
        count_only: request.count_only,
        min_mod_revision: request.min_mod_revision,
        max_mod_revision: request.max_mod_revision,
        min_create_revision: request.min_create_revision,
        max_create_revision: request.max_create_revision,
    })
}

pub(super) fn put(request: pb::PutRequest) -> PutRequest {
    let pb::PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease } = request;
    PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
}

pub(super) fn delete_range(request: pb::DeleteRangeRequest) -> DeleteRangeRequest {
    let pb::DeleteRangeRequest { key, range_end, prev_kv } = request;
    DeleteRangeRequest { key, range_end, prev_kv }
}

/// A transaction, with whether all that it does is read what one member has: etcd's `isTxnSerializable`.
pub(super) fn txn(request: pb::TxnRequest) -> Result<(TxnRequest, bool), Status> {
    let serializable = request.success.iter().chain(&request.failure).all(|op| match &op.request {
        Some(request_op::Request::RequestRange(range)) => range.serializable,
        _ => false,
    });
    Ok((nested_txn(request, TXN_DEPTH_MAX)?, serializable))
}

fn nested_txn(request: pb::TxnRequest, depth_left: u8) -> Result<TxnRequest, Status> {
    let depth_left = depth_left.checked_sub(1).ok_or_else(|| {
        Status::invalid_argument(format!("roadstead: transactions may be nested {TXN_DEPTH_MAX} deep; this one is nested deeper"))
    })?;
    let operations = |ops: Vec<pb::RequestOp>| ops.into_iter().map(|op| operation(op, depth_left)).collect::<Result<_, _>>();
    Ok(TxnRequest {
        compare: request.compare.into_iter().map(compare).collect::<Result<_, _>>()?,
        success: operations(request.success)?,
        failure: operations(request.failure)?,
    })
}

fn operation(op: pb::RequestOp, depth_left: u8) -> Result<RequestOp, Status> {
    Ok(match op.request.ok_or_else(error::empty_operation)? {
        request_op::Request::RequestRange(request) => RequestOp::Range(range(request)?),
        request_op::Request::RequestPut(request) => RequestOp::Put(put(request)),
        request_op::Request::RequestDeleteRange(request) => RequestOp::DeleteRange(delete_range(request)),
        request_op::Request::RequestTxn(request) => RequestOp::Txn(nested_txn(request, depth_left)?),
    })
}

/// A value that is missing or of another target than named counts as zero or empty, as in etcd's `applyCompare`.
fn compare(compare: pb::Compare) -> Result<Compare, Status> {
    let given = compare.target_union;
    let number = |of: fn(&TargetUnion) -> Option<i64>| given.as_ref().and_then(of).unwrap_or_default();
    let target = match compare.target {
        0 => CompareTarget::Version(number(|given| if let TargetUnion::Version(number) = given { Some(*number) } else { None })),
        1 => CompareTarget::Create(number(|given| if let TargetUnion::CreateRevision(number) = given { Some(*number) } else { None })),
        2 => CompareTarget::Mod(number(|given| if let TargetUnion::ModRevision(number) = given { Some(*number) } else { None })),
        3 => CompareTarget::Value(match given {
            Some(TargetUnion::Value(value)) => value,
            _ => Bytes::new(),
        }),
        4 => CompareTarget::Lease(number(|given| if let TargetUnion::Lease(number) = given { Some(*number) } else { None })),
        other => return Err(error::unknown_value("target of a compare", other)),
    };
    let result = match compare.result {
        0 => CompareResult::Equal,
        1 => CompareResult::Greater,
        2 => CompareResult::Less,
        3 => CompareResult::NotEqual,
        other => return Err(error::unknown_value("result of a compare", other)),
    };
    Ok(Compare { key: compare.key, range_end: compare.range_end, result, target })
}

/// Every key and range that a transaction touches, nested ones included: its compares count, too.
pub(super) fn ranges_of(txn: &TxnRequest) -> Vec<(&Bytes, &Bytes)> {
    static ALONE: Bytes = Bytes::new();
    let mut ranges: Vec<_> = txn.compare.iter().map(|compare| (&compare.key, &compare.range_end)).collect();
    for op in txn.success.iter().chain(&txn.failure) {
        match op {
            RequestOp::Range(request) => ranges.push((&request.key, &request.range_end)),
            RequestOp::Put(request) => ranges.push((&request.key, &ALONE)),
            RequestOp::DeleteRange(request) => ranges.push((&request.key, &request.range_end)),
            RequestOp::Txn(request) => ranges.extend(ranges_of(request)),
        }
    }
    ranges
}
