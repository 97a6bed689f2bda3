//! Answers of the key-value service as answers of etcd's protocol. Keys and values stay parts of the answer's bytes: nothing is copied before the frame.

use bytes::Bytes;
use roadstead_proto::{
    etcdserverpb::{self as pb, response_op},
    mvccpb,
};

use crate::service::kv::{DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, ResponseOp, TxnResponse};

/// Who answers; the revision is the answer's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answerer {
    pub(super) cluster_id: u64,
    pub(super) member_id: u64,
    pub(super) raft_term: u64,
}

impl Answerer {
    pub(super) fn header(self, revision: i64) -> Option<pb::ResponseHeader> {
        let Self { cluster_id, member_id, raft_term } = self;
        Some(pb::ResponseHeader { cluster_id, member_id, revision, raft_term })
    }
}

/// Within a transaction headers have a revision only, and a nested transaction's has not even that.
fn inner_header(revision: i64) -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader { revision, ..pb::ResponseHeader::default() })
}

pub(super) fn range(header: Option<pb::ResponseHeader>, response: RangeResponse<&[u8]>, from: &Bytes) -> pb::RangeResponse {
    let RangeResponse { revision: _, kvs, more, count } = response;
    pb::RangeResponse { header, kvs: key_values(kvs, from), more, count }
}

pub(super) fn put(header: Option<pb::ResponseHeader>, response: PutResponse<&[u8]>, from: &Bytes) -> pb::PutResponse {
    pb::PutResponse { header, prev_kv: response.prev_kv.map(|kv| key_value(kv, from)) }
}

pub(super) fn delete_range(
    header: Option<pb::ResponseHeader>,
    response: DeleteRangeResponse<&[u8]>,
    from: &Bytes,
) -> pb::DeleteRangeResponse {
    pb::DeleteRangeResponse { header, deleted: response.deleted, prev_kvs: key_values(response.prev_kvs, from) }
}

pub(super) fn txn(header: Option<pb::ResponseHeader>, response: TxnResponse<&[u8]>, from: &Bytes) -> pb::TxnResponse {
    let operation = |op| {
        let response = match op {
            ResponseOp::Range(response) => response_op::Response::ResponseRange(range(inner_header(response.revision), response, from)),
            ResponseOp::Put(response) => response_op::Response::ResponsePut(put(inner_header(response.revision), response, from)),
            ResponseOp::DeleteRange(response) => {
                response_op::Response::ResponseDeleteRange(delete_range(inner_header(response.revision), response, from))
            }
            ResponseOp::Txn(response) => response_op::Response::ResponseTxn(txn(inner_header(response.revision), response, from)),
        };
        pb::ResponseOp { response: Some(response) }
    };
    pb::TxnResponse { header, succeeded: response.succeeded, responses: response.responses.into_iter().map(operation).collect() }
}

fn key_values(kvs: Vec<KeyValue<&[u8]>>, from: &Bytes) -> Vec<mvccpb::KeyValue> {
    kvs.into_iter().map(|kv| key_value(kv, from)).collect()
}

fn key_value(kv: KeyValue<&[u8]>, from: &Bytes) -> mvccpb::KeyValue {
    let KeyValue { key, create_revision, mod_revision, version, value, lease } = kv;
    mvccpb::KeyValue { key: from.slice_ref(key), create_revision, mod_revision, version, value: from.slice_ref(value), lease }
}
