//! The service `KV`.

use super::{Etcd, answer, asked::Asked, shared::Answered, translate};
use crate::service::kv::{self, CompactRequest, Request};
use roadstead_proto::etcdserverpb::{self as pb, kv_server};
use tonic::{Response, Status, async_trait};

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl kv_server::Kv for Etcd {
    async fn range(&self, request: tonic::Request<pb::RangeRequest>) -> Answer<pb::RangeResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let request = request.into_inner();
        let group = self.0.group_of(asked, [(&request.key, &request.range_end)])?;
        let serializable = request.serializable;
        let answered = self.0.query(asked, group, &Request::Range(translate::range(request)?), serializable).await?;
        match answered.response()? {
            kv::Response::Range(range) => Ok(answered.respond(answer::range(answered.from.header(range.revision), range, &answered.bytes))),
            _ => Err(answered.foreign()),
        }
    }

    async fn put(&self, request: tonic::Request<pb::PutRequest>) -> Answer<pb::PutResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let request = request.into_inner();
        let group = self.0.group_of(asked, [(&request.key, &bytes::Bytes::new())])?;
        let answered = self.0.write(asked, group, &Request::Put(translate::put(request))).await?;
        match answered.response()? {
            kv::Response::Put(put) => Ok(answered.respond(answer::put(answered.from.header(put.revision), put, &answered.bytes))),
            _ => Err(answered.foreign()),
        }
    }

    async fn delete_range(&self, request: tonic::Request<pb::DeleteRangeRequest>) -> Answer<pb::DeleteRangeResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let request = request.into_inner();
        let group = self.0.group_of(asked, [(&request.key, &request.range_end)])?;
        let answered = self.0.write(asked, group, &Request::DeleteRange(translate::delete_range(request))).await?;
        match answered.response()? {
            kv::Response::DeleteRange(deleted) => {
                Ok(answered.respond(answer::delete_range(answered.from.header(deleted.revision), deleted, &answered.bytes)))
            }
            _ => Err(answered.foreign()),
        }
    }

    /// A transaction that only reads leaves no entry in the log.
    async fn txn(&self, request: tonic::Request<pb::TxnRequest>) -> Answer<pb::TxnResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let (txn, serializable) = translate::txn(request.into_inner())?;
        let group = self.0.group_of(asked, translate::ranges_of(&txn))?;
        let request = Request::Txn(txn);
        let answered = if request.is_read_only() {
            self.0.query(asked, group, &request, serializable).await?
        } else {
            self.0.write(asked, group, &request).await?
        };
        match answered.response()? {
            kv::Response::Txn(txn) => Ok(answered.respond(answer::txn(answered.from.header(txn.revision), txn, &answered.bytes))),
            _ => Err(answered.foreign()),
        }
    }

    /// With `physical` the answer waits until the superseded data is gone, or the client is.
    async fn compact(&self, request: tonic::Request<pb::CompactionRequest>) -> Answer<pb::CompactionResponse> {
        let asked = Asked::read(request.metadata(), self.0.timeout)?;
        let pb::CompactionRequest { revision, physical } = request.into_inner();
        let group = self.0.group_without_keys(asked)?;
        let answered = self.0.write(asked, group, &Request::Compact(CompactRequest { revision })).await?;
        let kv::Response::Compact(compacted) = answered.response()? else { return Err(answered.foreign()) };
        while physical && pending(&self.0.write(asked, group, &Request::Sweep).await?)? {}
        Ok(Response::new(pb::CompactionResponse { header: answered.from.header(compacted.revision) }))
    }
}

fn pending(answered: &Answered) -> Result<bool, Status> {
    match answered.response()? {
        kv::Response::Sweep(swept) => Ok(swept.pending),
        _ => Err(answered.foreign()),
    }
}
