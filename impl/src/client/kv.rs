//! The key-value service, typed.

use super::{Consistency, GroupClient, Outcome, Rejected, Unknown};
use crate::service::kv::{
    Answer, CompactRequest, CompactResponse, DeleteRangeRequest, DeleteRangeResponse, HashKvRequest, HashKvResponse, KvError, PutRequest,
    PutResponse, RangeRequest, RangeResponse, Request, Response, SweepResponse, TxnRequest, TxnResponse, decode,
};
use bytes::Bytes;
use thiserror::Error;

/// A group whose service is `kv`. The requests are those of etcd v3.
#[derive(Clone, Debug)]
pub struct KvClient {
    group: GroupClient,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KvFailure {
    /// It has not happened.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A change may have happened.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The service refused the request; nothing has changed. The text is etcd's.
    #[error(transparent)]
    Refused(#[from] KvError),
    /// The answer is none of the key-value service's, or one to another request.
    #[error("group {0} answered in another language; check that its service is `kv` and that client and node are of one release")]
    NotKv(roadstead_spec::GroupId),
}

macro_rules! expect {
    ($self:ident, $response:expr, $variant:ident) => {
        match $response {
            Response::$variant(response) => Ok(response),
            _ => Err(KvFailure::NotKv($self.group.id())),
        }
    };
}

impl KvClient {
    /// Speaks with this group.
    pub const fn new(group: GroupClient) -> Self {
        Self { group }
    }

    /// Sets a key.
    pub async fn put(&self, request: PutRequest) -> Result<PutResponse, KvFailure> {
        expect!(self, self.change(&Request::Put(request)).await?, Put)
    }

    /// Deletes a key or a range.
    pub async fn delete(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse, KvFailure> {
        expect!(self, self.change(&Request::DeleteRange(request)).await?, DeleteRange)
    }

    /// Makes the revisions below one unreadable.
    pub async fn compact(&self, request: CompactRequest) -> Result<CompactResponse, KvFailure> {
        expect!(self, self.change(&Request::Compact(request)).await?, Compact)
    }

    /// Removes some superseded data; call it again while the response says `pending`.
    pub async fn sweep(&self) -> Result<SweepResponse, KvFailure> {
        expect!(self, self.change(&Request::Sweep).await?, Sweep)
    }

    /// Several operations, atomically. One that changes nothing is a linearizable query and leaves no entry in the log.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, KvFailure> {
        let request = Request::Txn(request);
        let response =
            if request.is_read_only() { self.ask(&request, Consistency::Linearizable).await? } else { self.change(&request).await? };
        expect!(self, response, Txn)
    }

    /// Reads one key or a range.
    pub async fn range(&self, request: RangeRequest, consistency: Consistency) -> Result<RangeResponse, KvFailure> {
        expect!(self, self.ask(&Request::Range(request), consistency).await?, Range)
    }

    /// A hash over everything visible at a revision; [`Consistency::Stale`] asks one member, whichever it is.
    pub async fn hash(&self, request: HashKvRequest, consistency: Consistency) -> Result<HashKvResponse, KvFailure> {
        expect!(self, self.ask(&Request::HashKv(request), consistency).await?, HashKv)
    }

    /// Reads the value of one key, linearizably; `None` if there is no such key.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Bytes>, KvFailure> {
        let response = self.range(RangeRequest::key(key), Consistency::Linearizable).await?;
        Ok(response.kvs.into_iter().next().map(|item| item.value))
    }

    /// Any request that changes something.
    async fn change(&self, request: &Request) -> Result<Response, KvFailure> {
        match self.group.write(request.encode()).await {
            Outcome::Committed { answer, .. } => self.read(&answer),
            Outcome::Rejected { reason } => Err(reason.into()),
            Outcome::Unknown { why } => Err(why.into()),
        }
    }

    async fn ask(&self, request: &Request, consistency: Consistency) -> Result<Response, KvFailure> {
        let answer = self.group.query(request.encode(), consistency).await?;
        self.read(&answer.bytes)
    }

    fn read(&self, answer: &[u8]) -> Result<Response, KvFailure> {
        let answer: Answer = decode(answer).map_err(|_| KvFailure::NotKv(self.group.id()))?;
        Ok(answer?)
    }
}
