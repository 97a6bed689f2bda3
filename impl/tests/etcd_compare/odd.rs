//! Requests that no script can say: values outside of their enumerations, missing parts, sizes at the bounds.

use crate::language::Sent;
use bytes::Bytes;
use roadstead_proto::etcdserverpb::{self as pb, compare::TargetUnion, request_op::Request};

/// Named requests, each sent to the empty store in which `a` is `1`.
pub(crate) fn requests() -> Vec<(&'static str, Sent)> {
    let get = || pb::RangeRequest { key: "a".into(), ..pb::RangeRequest::default() };
    let txn = |compare: pb::Compare| {
        Sent::Txn(pb::TxnRequest { compare: vec![compare], success: vec![op(Request::RequestRange(get()))], failure: vec![] })
    };
    let compare = || pb::Compare { key: "a".into(), ..pb::Compare::default() };
    vec![
        ("an operation that is none", Sent::Txn(pb::TxnRequest { success: vec![pb::RequestOp { request: None }], ..Default::default() })),
        ("a compare without a value, version", txn(compare())),
        ("a compare without a value, create", txn(pb::Compare { target: 1, ..compare() })),
        ("a compare without a value, mod", txn(pb::Compare { target: 2, result: 1, ..compare() })),
        ("a compare without a value, value", txn(pb::Compare { target: 3, result: 1, ..compare() })),
        ("a compare without a value, lease", txn(pb::Compare { target: 4, ..compare() })),
        (
            "a compare with the value of another target",
            txn(pb::Compare { target: 0, target_union: Some(TargetUnion::Value("1".into())), ..compare() }),
        ),
        ("an unknown sort order", Sent::Range(pb::RangeRequest { sort_order: 9, ..get() })),
        ("an unknown compare target", txn(pb::Compare { target: 9, ..compare() })),
        ("an unknown compare result", txn(pb::Compare { result: 9, ..compare() })),
        ("128 operations", many(128, 0)),
        ("129 operations", many(129, 0)),
        ("129 compares", many(1, 129)),
        ("128 nested operations", nested(127, 1)),
        ("129 nested operations", nested(128, 1)),
        ("a value of 1 MiB", value(1 << 20)),
        ("a value of more than 1.5 MiB", value((3 << 19) + 1)),
        ("a message of more than 2 MiB", value((2 << 20) + 100_000)),
        ("a large key", Sent::Put(pb::PutRequest { key: vec![b'k'; 40_000].into(), ..Default::default() })),
        ("a transaction of more than 1.5 MiB", large_txn()),
    ]
}

fn op(request: Request) -> pb::RequestOp {
    pb::RequestOp { request: Some(request) }
}

fn put(key: String) -> pb::RequestOp {
    op(Request::RequestPut(pb::PutRequest { key: key.into(), value: "v".into(), ..Default::default() }))
}

fn many(operations: usize, compares: usize) -> Sent {
    let compare = (0..compares).map(|i| pb::Compare { key: format!("c{i}").into(), ..Default::default() }).collect();
    let success = (0..operations).map(|i| put(format!("k{i:03}"))).collect();
    Sent::Txn(pb::TxnRequest { compare, success, failure: vec![] })
}

fn nested(inner: usize, outer: usize) -> Sent {
    let within = pb::TxnRequest { success: (0..inner).map(|i| put(format!("k{i:03}"))).collect(), ..Default::default() };
    let mut success: Vec<_> = (1..outer).map(|i| put(format!("o{i:03}"))).collect();
    success.push(op(Request::RequestTxn(within)));
    Sent::Txn(pb::TxnRequest { success, ..Default::default() })
}

fn value(len: usize) -> Sent {
    Sent::Put(pb::PutRequest { key: "large".into(), value: Bytes::from(vec![b'v'; len]), ..Default::default() })
}

fn large_txn() -> Sent {
    let put = |key: &str| {
        op(Request::RequestPut(pb::PutRequest { key: key.to_owned().into(), value: vec![b'v'; 800_000].into(), ..Default::default() }))
    };
    Sent::Txn(pb::TxnRequest { success: vec![put("x"), put("y")], ..Default::default() })
}
