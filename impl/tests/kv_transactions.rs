//! What etcd v3 does, case by case: transactions; and requests that nobody should send.

mod kv_member;
mod kv_script;

use kv_member::Member;
use kv_script::{parse, show, table};
use roadstead::service::kv::{Answer, COMMAND_BYTES_MAX, KvError, PutRequest, Request, RequestOp, TXN_DEPTH_MAX, TxnRequest, decode};

table! {
    txn_branches: r"
        > txn [] [] []
        @1 then []
        > txn [ver a = 0] [put a 1] [get a]
        @2 then [@2]
        > txn [ver a = 0] [put a 2] [get a]
        @2 else [@2 #1 a=1(2,2,1)]
        > txn [val a = 1; mod a = 2; create a = 2; ver a = 1; lease a = 0] [get a count] []
        @2 then [@2 #1]
        > txn [val a = 1; ver a = 2] [get a] []
        @2 else []"

    compares: r"
        > put a m
        @2
        > put a m
        @3
        > txn [ver a > 1; ver a < 3; ver a != 1; ver a = 2] [] []
        @3 then []
        > txn [ver a > 2] [] []
        @3 else []
        > txn [ver a < 2] [] []
        @3 else []
        > txn [create a = 2; create a < 3; create a > 1; create a != 3] [] []
        @3 then []
        > txn [mod a = 3; mod a < 4; mod a > 2; mod a != 2] [] []
        @3 then []
        > txn [val a = m; val a > l; val a < n; val a != mm; val a > ''] [] []
        @3 then []
        > txn [val a != m] [] []
        @3 else []
        > txn [lease a = 0; lease a < 1; lease a > -1; lease a != 7] [] []
        @3 then []
        > txn [ver a > -1] [] []
        @3 then []"

    /// A missing key has zeroes, but no value: no comparison of that holds.
    compares_of_missing_keys: r"
        > txn [ver a = 0; create a = 0; mod a = 0; lease a = 0; ver a < 1; mod a > -1] [] []
        @1 then []
        > txn [val a = ''] [] []
        @1 else []
        > txn [val a != x] [] []
        @1 else []
        > txn [val a < x] [] []
        @1 else []
        > put a 1
        @2
        > del a
        @3 deleted 1
        > txn [ver a = 0; mod a = 0] [] []
        @3 then []
        > txn [val a ..\0 != x] [] []
        @3 else []"

    /// A range compares as all of its keys; an empty one as one key that is missing.
    compares_of_ranges: r"
        > put a 1
        @2
        > put b 1
        @3
        > put b 1
        @4
        > txn [ver a ..z > 0] [] []
        @4 then []
        > txn [ver a ..z > 1] [] []
        @4 else []
        > txn [val a ..\0 = 1] [] []
        @4 then []
        > txn [mod b ..\0 = 4] [] []
        @4 then []
        > txn [ver x ..z = 0] [] []
        @4 then []
        > txn [ver x ..z > 0] [] []
        @4 else []
        > txn [lease a ..z = 0] [] []
        @4 then []
        > txn [create z ..a = 0] [] []
        @4 then []"

    /// One main revision; reads see the writes before them.
    txn_writes: r"
        > txn [] [get a; put a 1; get a; put b 2; del a ..b prev; get a ..z] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [get a; put a 1; get a; put b 2 prev; get a ..z; del c] []
        @2 then [@1 #0; @2; @2 #1 a=1(2,2,1); @2; @2 #2 a=1(2,2,1) b=2(2,2,1); @2 deleted 0]
        > txn [] [del a ..z prev; get a ..z count; put z 1] []
        @3 then [@3 deleted 2 prev a=1(2,2,1) b=2(2,2,1); @3 #0; @3]
        > txn [] [del x; get a] []
        @3 then [@3 deleted 0; @3 #0]
        > txn [] [put z 2 prev; put y '' prev] []
        @4 then [@4 prev z=1(3,3,1); @4]
        > get a ..\0 rev=2
        @4 #2 a=1(2,2,1) b=2(2,2,1)
        > get a ..\0
        @4 #2 y=(4,4,1) z=2(3,4,2)"

    /// What cannot be done is found out before anything is done, in the branch that is taken only.
    txn_refusals: r"
        > put a 1
        @2
        > put a 2
        @3
        > compact 3
        @3
        > txn [] [put b 1; put c '' ignore_value] []
        ! etcdserver: key not found
        > txn [] [put b 1; put c 1 lease=9] []
        ! etcdserver: requested lease not found
        > txn [] [put b 1; get a rev=4] []
        ! etcdserver: mvcc: required revision is a future revision
        > txn [] [put b 1; get a rev=2] []
        ! etcdserver: mvcc: required revision has been compacted
        > txn [] [txn [] [get a rev=9] []] []
        ! etcdserver: mvcc: required revision is a future revision
        > txn [] [put b '' ignore_lease ignore_value lease=1] []
        ! etcdserver: lease is provided
        > txn [] [get a rev=-5] []
        ! etcdserver: mvcc: required revision has been compacted
        > get b
        @3 #0
        > txn [] [get a rev=3] [get a rev=9; put c 1 lease=9]
        @3 then [@3 #1 a=2(2,3,2)]"

    /// All compares look at the data before the transaction, nested ones too.
    nested_txns: r"
        > txn [] [put a 1; txn [ver a = 0] [put b 1; get a] [put c 1]; get b] []
        @2 then [@2; @0 then [@2; @2 #1 a=1(2,2,1)]; @2 #1 b=1(2,2,1)]
        > txn [ver a = 1] [txn [ver z = 1] [] [txn [ver b = 1] [put d 1] []]; txn [ver b = 9] [] [del a]] []
        @3 then [@0 else [@0 then [@3]]; @0 else [@3 deleted 1]]
        > txn [] [txn [] [get d] []] []
        @3 then [@0 then [@3 #1 d=1(3,3,1)]]"

    duplicate_keys: r"
        > txn [] [put a 1; put a 2] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [] [put a 1; put a 2]
        ! etcdserver: duplicate key given in txn request
        > txn [] [put a 1] [put a 2]
        @2 then [@2]
        > txn [] [put a 1; del a] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del a ..c; put b 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del a ..b; put b 1] []
        @3 then [@3 deleted 1; @3]
        > txn [] [del b; del b; del a ..c] []
        @4 then [@4 deleted 1; @4 deleted 0; @4 deleted 0]
        > txn [] [put a 1; txn [] [put a 2] []] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [txn [] [put a 1] [put a 2]] []
        @5 then [@0 then [@5]]
        > txn [] [txn [] [put a 1] []; txn [] [] [put a 2]] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del a; txn [] [] [put a 2]] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [put a 1; txn [] [del a] []] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [txn [] [del a] []; txn [] [put a 2] []] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [txn [] [put a 2] []; txn [] [del a] []] []
        @6 then [@0 then [@6]; @0 then [@6 deleted 1]]
        > txn [] [del a ..z; del b; put x 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del b ..m; del a ..c; put k 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del c; del e; del a ..d; put c\0 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del b ..c; del a ..b; put b 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del d; del a ..d; del d\0 ..z; put d\0\0 1] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [del d ..a; put b 1] []
        @7 then [@6 deleted 0; @7]
        > get a ..\0
        @7 #1 b=1(7,7,1)"

    /// etcd does not see a put in a deletion 'from key', and does both in order; a put that would crash it is refused here.
    deletes_from_key: r"
        > put a 1
        @2
        > put b 1
        @3
        > txn [] [del a ..\0; put b 2; get a ..\0] []
        @4 then [@4 deleted 2; @4; @4 #1 b=2(4,4,1)]
        > txn [] [put c 3; del a ..\0; get a ..\0] []
        @5 then [@5; @5 deleted 2; @5 #0]
        > get a ..\0 rev=4
        @5 #1 b=2(4,4,1)
        > put b 5
        @6
        > txn [] [del a ..\0; put b '' ignore_value] []
        ! etcdserver: duplicate key given in txn request
        > txn [] [txn [] [del a ..\0] []; put b 1 ignore_lease] []
        ! etcdserver: duplicate key given in txn request
        > get a ..\0
        @6 #1 b=5(6,6,1)"
}

/// At most 128 compares or operations in a branch; nested transactions share what their parent leaves.
#[test]
fn transactions_are_bounded() {
    let put = |i: usize| RequestOp::Put(PutRequest::new(format!("k{i}"), "v"));
    let puts = |range: std::ops::Range<usize>| range.map(put).collect::<Vec<_>>();
    let nest = |ops: Vec<RequestOp>, inner: TxnRequest| TxnRequest {
        success: ops.into_iter().chain([RequestOp::Txn(inner)]).collect(),
        ..TxnRequest::default()
    };
    let only = |success| TxnRequest { success, ..TxnRequest::default() };
    for (txn, expected) in [
        (only(puts(0..128)), "then"),
        (only(puts(0..129)), "operations"),
        (TxnRequest { failure: puts(0..129), ..TxnRequest::default() }, "operations"),
        (nest(puts(0..99), only(puts(100..128))), "then"),
        (nest(puts(0..99), only(puts(100..129))), "operations"),
        (nest(puts(0..127), TxnRequest::default()), "then"),
    ] {
        let answer = show(&Member::default().propose(&Request::Txn(txn)));
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
}

/// Bytes that are no request, and nesting that would cost stack, are answered and change nothing; the sender learns why.
#[test]
fn malformed_requests_are_answered() {
    let mut member = Member::default();
    let whole = parse("txn [val a = 1] [put a 1; get a ..z limit=3] [del a]").encode();
    let mut damaged = vec![
        vec![],
        vec![0],
        vec![2],
        vec![1],
        vec![1, 99],
        [&whole[..], &[0]].concat(),
        [&[1, 3], &[0, 1, 3].repeat(1_000_000)[..]].concat(),
    ];
    damaged.extend((0..whole.len()).map(|end| whole[..end].to_vec()));
    for bytes in damaged {
        let answers = member.apply([bytes.clone().into()]);
        assert_eq!(decode::<Answer>(&answers[0]), Ok(Err(KvError::Malformed)), "{:?}", &bytes[..bytes.len().min(20)]);
        assert_eq!(member.query_bytes(&bytes), Err(KvError::Malformed));
    }
    assert_eq!(member.store.0.len(), 0);
    let deep = |levels: u8| {
        (1..levels).fold(TxnRequest::default(), |inner, _| TxnRequest { success: vec![RequestOp::Txn(inner)], ..TxnRequest::default() })
    };
    assert!(member.query(&Request::Txn(deep(TXN_DEPTH_MAX))).is_ok());
    assert_eq!(member.query(&Request::Txn(deep(TXN_DEPTH_MAX + 1))), Err(KvError::Malformed));
    assert!(member.query(&Request::Txn(deep(TXN_DEPTH_MAX))).is_ok(), "a refusal leaves no trace in the decoder");
}

/// A command of etcd's default size at most is carried out, a larger one is answered and changes nothing.
#[test]
fn commands_are_bounded() {
    let mut member = Member::default();
    let put = |len: usize| Request::Put(PutRequest::new("k", vec![b'v'; len]));
    let overhead = put(COMMAND_BYTES_MAX).encode().len() - COMMAND_BYTES_MAX;
    assert_eq!(member.propose(&put(COMMAND_BYTES_MAX - overhead + 1)), Err(KvError::TooLarge));
    assert_eq!(member.store.0.len(), 0);
    assert!(member.propose(&put(COMMAND_BYTES_MAX - overhead)).is_ok());
}

/// A query never writes, whatever the branch that would be taken.
#[test]
fn queries_do_not_write() {
    let mut member = Member::default();
    for line in ["put a 1", "del a", "compact 1", "sweep", "txn [ver a = 1] [put a 1] []", "txn [] [txn [] [] [del a]] []"] {
        assert_eq!(member.query(&parse(line)), Err(KvError::QueryWrites), "{line}");
        assert!(member.propose(&parse(line)).is_ok(), "{line}");
    }
}
