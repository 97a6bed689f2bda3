//! What the key-value service answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec;

/// The answer to every command and query.
pub type Answer<B = Bytes> = Result<Response<B>, KvError>;

/// A request that was carried out. `revision` is in each of them the content of etcd's response header: the newest revision of the data when the
/// answer was made.
///
/// The order of the variants is part of the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response<B = Bytes> {
    /// To [`super::Request::Range`].
    Range(RangeResponse<B>),
    /// To [`super::Request::Put`].
    Put(PutResponse<B>),
    /// To [`super::Request::DeleteRange`].
    DeleteRange(DeleteRangeResponse<B>),
    /// To [`super::Request::Txn`].
    Txn(#[serde(deserialize_with = "codec::nested")] TxnResponse<B>),
    /// To [`super::Request::Compact`].
    Compact(CompactResponse),
    /// To [`super::Request::Sweep`].
    Sweep(SweepResponse),
    /// To [`super::Request::HashKv`].
    HashKv(HashKvResponse),
}

/// A key with its value and history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue<B = Bytes> {
    /// The key.
    pub key: B,
    /// Revision of the put that created it (after the last deletion).
    pub create_revision: i64,
    /// Revision of its last put.
    pub mod_revision: i64,
    /// Number of puts since it was created; the first is 1.
    pub version: i64,
    /// The value; empty if the request said `keys_only`.
    pub value: B,
    /// The attached lease; 0: none.
    pub lease: i64,
}

/// The keys of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeResponse<B = Bytes> {
    /// Newest revision (not the one read at).
    pub revision: i64,
    /// What was found; empty if the request said `count_only`.
    pub kvs: Vec<KeyValue<B>>,
    /// Whether the limit cut something off.
    pub more: bool,
    /// Number of keys in the range, whatever limit and filters say.
    pub count: i64,
}

/// A key was set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutResponse<B = Bytes> {
    /// The put's revision.
    pub revision: i64,
    /// What was there before, if asked for and if there was something.
    pub prev_kv: Option<KeyValue<B>>,
}

/// A range was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRangeResponse<B = Bytes> {
    /// The deletion's revision; if nothing was there, the newest one.
    pub revision: i64,
    /// Number of keys deleted.
    pub deleted: i64,
    /// What was there before, if asked for.
    pub prev_kvs: Vec<KeyValue<B>>,
}

/// A transaction was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnResponse<B = Bytes> {
    /// Newest revision afterwards; 0 in a nested transaction (etcd leaves that header empty).
    pub revision: i64,
    /// Whether all compares held.
    pub succeeded: bool,
    /// One for each operation of the branch that was done.
    pub responses: Vec<ResponseOp<B>>,
}

/// The answer to one operation of a transaction. The order of the variants is part of the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseOp<B = Bytes> {
    /// To [`super::RequestOp::Range`].
    Range(RangeResponse<B>),
    /// To [`super::RequestOp::Put`].
    Put(PutResponse<B>),
    /// To [`super::RequestOp::DeleteRange`].
    DeleteRange(DeleteRangeResponse<B>),
    /// To [`super::RequestOp::Txn`].
    Txn(#[serde(deserialize_with = "codec::nested")] TxnResponse<B>),
}

/// Revisions were made unreadable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactResponse {
    /// Newest revision.
    pub revision: i64,
}

/// Superseded data was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepResponse {
    /// Newest revision.
    pub revision: i64,
    /// Whether there is more to remove.
    pub pending: bool,
}

/// The hash of all visible revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashKvResponse {
    /// Newest revision.
    pub revision: i64,
    /// CRC-32 (IEEE) over the visible items in revision order: 12 bytes of revision, then the stored item.
    pub hash: u32,
    /// The revision hashed at.
    pub hash_revision: i64,
    /// The compact revision hashed from; -1 if there never was a compaction.
    pub compact_revision: i64,
}

impl Response {
    /// The bytes of an answer: the format byte, then the answer in postcard.
    pub fn encode(answer: &Answer) -> Bytes {
        codec::encode(answer)
    }
}

/// Why a request was not carried out; nothing was changed. The texts that begin with `etcdserver:` are etcd's own: clients match on them.
///
/// The order of the variants is part of the wire format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum KvError {
    /// A read, hash or compaction at a revision that is gone.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// A read, hash or compaction at a revision that is yet to come.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// An empty key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// `ignore_value` or `ignore_lease` for a key that does not exist.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// A value together with `ignore_value`.
    #[error("etcdserver: value is provided")]
    ValueProvided,
    /// A lease together with `ignore_lease`.
    #[error("etcdserver: lease is provided")]
    LeaseProvided,
    /// A put with a lease that does not exist.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// More than [`super::TXN_OPS_MAX`] compares or operations in a branch.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    /// A transaction that puts a key twice, or puts and deletes it.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// Bytes that are no request.
    #[error(
        "roadstead: the bytes are no key-value request (format 1, transactions at most 16 deep); use the same version on client and server"
    )]
    Malformed,
    /// A command of more than [`super::COMMAND_BYTES_MAX`].
    #[error("etcdserver: request is too large")]
    TooLarge,
    /// A query that writes.
    #[error("roadstead: a query must not write; propose it as a command")]
    QueryWrites,
    /// A read whose answer would have more than [`super::ANSWER_BYTES_MAX`].
    #[error("roadstead: the answer is too large; ask for less, with a limit and from the last key on")]
    AnswerTooLarge,
}
