//! A key-value store with the semantics of etcd v3.

mod codec;
mod command;
mod response;

pub use codec::{Malformed, decode};
pub use command::{
    CompactRequest, Compare, CompareResult, CompareTarget, DeleteRangeRequest, HashKvRequest,
    PutRequest, RangeRequest, Request, RequestOp, SortOrder, SortTarget, TXN_DEPTH_MAX,
    TXN_OPS_MAX, TxnRequest, prefix_end,
};
pub use response::{
    Answer, CompactResponse, DeleteRangeResponse, HashKvResponse, KeyValue, KvError, PutResponse,
    RangeResponse, Response, ResponseOp, SweepResponse, TxnResponse,
};

/// Most superseded items that one [`Request::Sweep`] removes, and most keys it looks at.
pub const SWEEP_COMMAND_MAX: usize = 10_000;
