//! What clients ask of the key-value service.
//!
//! The requests, their defaults and their odd corners are those of etcd v3 (`etcdserverpb` in `rpc.proto`), with the same integer types, so that a
//! gRPC front end translates field by field. Consistency (`serializable`) is no field: the caller chooses it when it hands a request to the group.
//!
//! Every type is generic over its byte strings: writers build `Request<Bytes>`, and the state machine decodes `Request<&[u8]>`, whose keys and
//! values lie in the command's payload without a copy.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec;

/// Most compares, success operations or failure operations in one transaction; a nested transaction has what its parent left.
/// Source: etcd `--max-txn-ops`, default 128.
pub const TXN_OPS_MAX: usize = 128;

/// Deepest nesting of transactions, the outermost counted as 1. At the bound decoding fails (the bytes come from clients, decoding recurses, and
/// the stack is finite); etcd has no such limit.
pub const TXN_DEPTH_MAX: u8 = 16;

/// Largest command in bytes, so that the item of any put fits a store. Source: etcd `--max-request-bytes`, default 1.5 MiB.
pub const COMMAND_BYTES_MAX: usize = 1536 * 1024;

/// Most bytes that an answer to a request that only reads may take: a range of that size is to be read in parts. A write is never refused for what it
/// also reads, since it would be halfway through; its operations are bounded by [`TXN_OPS_MAX`]. etcd stops at 2 GiB, the largest message of gRPC.
pub const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Any request. As a command it goes through the log; a [read-only](Request::is_read_only) one may also be a query.
///
/// The order of the variants is part of the stored format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<B = Bytes> {
    /// Reads one key or a range of keys.
    Range(RangeRequest<B>),
    /// Sets one key.
    Put(PutRequest<B>),
    /// Deletes one key or a range of keys.
    DeleteRange(DeleteRangeRequest<B>),
    /// Several operations, atomically, depending on comparisons.
    Txn(#[serde(deserialize_with = "codec::nested")] TxnRequest<B>),
    /// Makes all revisions below one unreadable, and their superseded data removable.
    Compact(CompactRequest),
    /// Removes superseded data of the last compaction, up to a bound ([`super::SWEEP_COMMAND_MAX`]). Commands do a little of that as they come; a caller
    /// that must wait until the data is gone (etcd's `physical`) proposes sweeps until [`super::SweepResponse::pending`] is false.
    Sweep,
    /// A hash over all revisions that are visible at a revision; equal on all members.
    HashKv(HashKvRequest),
}

impl<B> Request<B> {
    /// Whether the request changes nothing, so that it may be a query.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Range(_) | Self::HashKv(_) => true,
            Self::Txn(txn) => txn.is_read_only(),
            Self::Put(_) | Self::DeleteRange(_) | Self::Compact(_) | Self::Sweep => false,
        }
    }
}

impl Request {
    /// The bytes of a command or query: the format byte, then the request in postcard.
    pub fn encode(&self) -> Bytes {
        codec::encode(self)
    }
}

/// Reads the keys of a range at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeRequest<B = Bytes> {
    /// First key. Never empty.
    pub key: B,
    /// End of the half-open range. Empty: `key` alone. A single zero byte: every key from `key` on. [`prefix_end`] makes a prefix's end.
    pub range_end: B,
    /// Most keys to return; 0 or less: all.
    pub limit: i64,
    /// Read as of this revision; 0 or less: the newest.
    pub revision: i64,
    /// Order of the answer.
    pub sort_order: SortOrder,
    /// What the order looks at.
    pub sort_target: SortTarget,
    /// Leave values out.
    pub keys_only: bool,
    /// Return the number of keys in the range only.
    pub count_only: bool,
    /// Leave out keys modified before this revision; 0: no filter.
    pub min_mod_revision: i64,
    /// Leave out keys modified after this revision; 0: no filter.
    pub max_mod_revision: i64,
    /// Leave out keys created before this revision; 0: no filter.
    pub min_create_revision: i64,
    /// Leave out keys created after this revision; 0: no filter.
    pub max_create_revision: i64,
}

impl RangeRequest {
    /// Reads one key at the newest revision.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Reads all keys with a prefix at the newest revision; an empty prefix means all keys.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let (key, range_end) = prefix_range(prefix.into());
        Self { key, range_end, ..Self::default() }
    }
}

/// Order of a range's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortOrder {
    /// By key: key order. By another target: of the first `limit + 1` keys in key order, the lowest `limit` (an oddity of etcd's).
    #[default]
    None,
    /// Lowest first.
    Ascend,
    /// Highest first.
    Descend,
}

/// What a range's order looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortTarget {
    /// The key, bytewise.
    #[default]
    Key,
    /// Number of puts since the key was created.
    Version,
    /// Revision at which the key was created.
    Create,
    /// Revision of the last put.
    Mod,
    /// The value, bytewise.
    Value,
}

/// Sets a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutRequest<B = Bytes> {
    /// The key. Never empty.
    pub key: B,
    /// Its new value; empty with `ignore_value`.
    pub value: B,
    /// The lease to attach; 0: none.
    pub lease: i64,
    /// Return what was there before.
    pub prev_kv: bool,
    /// Keep the value that is there; the key must exist.
    pub ignore_value: bool,
    /// Keep the lease that is there; the key must exist.
    pub ignore_lease: bool,
}

impl PutRequest {
    /// Sets a key to a value.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), ..Self::default() }
    }
}

/// Deletes a range of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRangeRequest<B = Bytes> {
    /// First key. Never empty.
    pub key: B,
    /// As in [`RangeRequest::range_end`].
    pub range_end: B,
    /// Return what was deleted.
    pub prev_kv: bool,
}

impl DeleteRangeRequest {
    /// Deletes one key.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Deletes all keys with a prefix; an empty prefix means all keys.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let (key, range_end) = prefix_range(prefix.into());
        Self { key, range_end, prev_kv: false }
    }
}

/// If all compares hold, does `success`, else `failure`, as one revision.
///
/// The compares of the whole tree, nested transactions included, look at the data before the transaction; the operations see the writes of
/// the operations before them. A key may be put once only, and not both put and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxnRequest<B = Bytes> {
    /// All must hold; none: holds.
    pub compare: Vec<Compare<B>>,
    /// What to do if they hold.
    pub success: Vec<RequestOp<B>>,
    /// What to do otherwise.
    pub failure: Vec<RequestOp<B>>,
}

impl<B> TxnRequest<B> {
    /// Whether neither branch writes.
    pub fn is_read_only(&self) -> bool {
        self.success.iter().chain(&self.failure).all(|op| match op {
            RequestOp::Range(_) => true,
            RequestOp::Put(_) | RequestOp::DeleteRange(_) => false,
            RequestOp::Txn(txn) => txn.is_read_only(),
        })
    }
}

/// One operation of a transaction. The order of the variants is part of the stored format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestOp<B = Bytes> {
    /// As [`Request::Range`].
    Range(RangeRequest<B>),
    /// As [`Request::Put`].
    Put(PutRequest<B>),
    /// As [`Request::DeleteRange`].
    DeleteRange(DeleteRangeRequest<B>),
    /// As [`Request::Txn`], at most [`TXN_DEPTH_MAX`] deep.
    Txn(#[serde(deserialize_with = "codec::nested")] TxnRequest<B>),
}

/// A comparison of a key, or of every key of a range (an empty range compares as one key that does not exist).
///
/// A key that does not exist has version, create revision, mod revision and lease 0; a comparison of its value never holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare<B = Bytes> {
    /// First key. Never empty.
    pub key: B,
    /// As in [`RangeRequest::range_end`].
    pub range_end: B,
    /// How what is stored must compare with `target`.
    pub result: CompareResult,
    /// What is compared, with what.
    pub target: CompareTarget<B>,
}

/// How what is stored compares with what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareResult {
    /// Stored = given.
    Equal,
    /// Stored > given.
    Greater,
    /// Stored < given.
    Less,
    /// Stored ≠ given.
    NotEqual,
}

/// What a comparison looks at, and the value given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareTarget<B = Bytes> {
    /// Number of puts since the key was created.
    Version(i64),
    /// Revision at which the key was created.
    Create(i64),
    /// Revision of the last put.
    Mod(i64),
    /// The value, bytewise.
    Value(B),
    /// The attached lease.
    Lease(i64),
}

/// Makes all revisions below `revision` unreadable. For each key the newest of them stays if it is the key's state at `revision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactRequest {
    /// Oldest revision that stays readable.
    pub revision: i64,
}

/// Asks for [`Request::HashKv`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashKvRequest {
    /// Hash what is visible at this revision; 0 or less: the newest.
    pub revision: i64,
}

/// The `range_end` under which a range from `prefix` holds exactly the keys with that prefix: the prefix with its last byte that is not 0xff raised
/// and the rest cut off, or a single zero byte ("to the last key") if there is none.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(&[0])
}

fn prefix_range(prefix: Bytes) -> (Bytes, Bytes) {
    if prefix.is_empty() { (Bytes::from_static(&[0]), Bytes::from_static(&[0])) } else { (prefix.clone(), prefix_end(&prefix)) }
}
