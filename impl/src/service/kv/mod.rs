//! A key-value store with the semantics of etcd v3, as a [state machine](crate::state_machine::StateMachine).
//!
//! Every change has a revision; a command's changes share the main one. The store holds one item per change, by revision; memory holds,
//! by key, which revisions there are. A read finds its revisions in memory and fetches the items. What etcd does is the specification
//! (3.5, `server/etcdserver/txn` and `server/storage/mvcc`); where we differ, the type or function concerned says so.
//!
//! Leases, watches and alarms are not part of it: `lease` is always 0, and a put that names another is refused as etcd refuses an unknown lease.

mod check;
mod codec;
mod command;
mod compaction;
mod index;
mod item;
mod key;
mod machine;
mod response;
mod txn;
mod view;
mod write;

pub use codec::{Malformed, decode};
pub use command::{
    ANSWER_BYTES_MAX, COMMAND_BYTES_MAX, CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, HashKvRequest,
    PutRequest, RangeRequest, Request, RequestOp, SortOrder, SortTarget, TXN_DEPTH_MAX, TXN_OPS_MAX, TxnRequest, prefix_end,
};
pub use compaction::SWEEP_COMMAND_MAX;
pub use machine::Kv;
pub use response::{
    Answer, CompactResponse, DeleteRangeResponse, HashKvResponse, KeyValue, KvError, PutResponse, RangeResponse, Response, ResponseOp,
    SweepResponse, TxnResponse,
};
