//! What etcd v3 does, case by case. A case is a script of requests (`>`) and the answers that etcd gives to them, on an empty store.
//!
//! Every script runs three times: as commands; with a restart after each command; and with each read-only request asked as a query before
//! it is proposed. The answers must be those of the table each time.

mod kv_member;
mod kv_script;

use kv_member::Member;
use kv_script::{parse, show};
use roadstead::service::kv::{Answer, KvError, PutRequest, Request, RequestOp, TXN_DEPTH_MAX, TxnRequest, decode};

fn check(name: &str, script: &str) {
    for (mode, restart, query) in [("commands", false, false), ("restarts", true, false), ("queries", false, true)] {
        let mut member = Member::default();
        let mut answer = None;
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some(request) = line.strip_prefix('>') else {
                assert_eq!(answer.take().as_deref(), Some(line), "{name}, {mode}");
                continue;
            };
            assert_eq!(answer, None, "{name}, {mode}: an answer is missing before {line}");
            let request = parse(request);
            if query && request.is_read_only() {
                assert_eq!(member.query(&request), member.propose(&request), "{name}: query and command, {line}");
            }
            answer = Some(show(&member.propose(&request)));
            if restart {
                member.reopen();
            }
        }
        assert_eq!(answer, None, "{name}, {mode}: the last answer is missing");
    }
}

macro_rules! table {
    ($($(#[doc = $doc:literal])* $name:ident: $script:literal)*) => { $(
        $(#[doc = $doc])*
        #[test]
        fn $name() {
            check(stringify!($name), $script);
        }
    )* };
}

table! {
    /// The empty store is at revision 1; each put makes the next.
    revisions: r"
        > get a
        @1 #0
        > put a 1
        @2
        > put a 2
        @3
        > get a
        @3 #1 a=2(2,3,2)
        > put b 1
        @4
        > get a
        @4 #1 a=2(2,3,2)"

    /// A deleted key that is put again starts a new life.
    lives: r"
        > put a 1
        @2
        > put a 2
        @3
        > del a
        @4 deleted 1
        > get a
        @4 #0
        > put a 3
        @5
        > get a
        @5 #1 a=3(5,5,1)
        > get a rev=3
        @5 #1 a=2(2,3,2)
        > get a rev=4
        @5 #0"

    /// Deleting nothing makes no revision.
    delete_nothing: r"
        > del a
        @1 deleted 0
        > put b 1
        @2
        > del c ..z prev
        @2 deleted 0
        > del b
        @3 deleted 1
        > del b
        @3 deleted 0"

    delete_ranges: r"
        > put a 1
        @2
        > put b 2
        @3
        > put c 3
        @4
        > put d 4
        @5
        > del a ..c prev
        @6 deleted 2 prev a=1(2,2,1) b=2(3,3,1)
        > get a ..\0
        @6 #2 c=3(4,4,1) d=4(5,5,1)
        > del d ..b
        @6 deleted 0
        > del c ..\0
        @7 deleted 2
        > get \0 ..\0
        @7 #0"

    /// `range_end`: empty, a key, a prefix's end, a zero byte.
    ranges: r"
        > put a 1
        @2
        > put aa 2
        @3
        > put b 3
        @4
        > put b\0 4
        @5
        > put c 5
        @6
        > get a
        @6 #1 a=1(2,2,1)
        > get a ..b
        @6 #2 a=1(2,2,1) aa=2(3,3,1)
        > get a ..b\0
        @6 #3 a=1(2,2,1) aa=2(3,3,1) b=3(4,4,1)
        > get b ..\0
        @6 #3 b=3(4,4,1) b\0=4(5,5,1) c=5(6,6,1)
        > get \0 ..\0 keys
        @6 #5 a=(2,2,1) aa=(3,3,1) b=(4,4,1) b\0=(5,5,1) c=(6,6,1)
        > get c ..a
        @6 #0
        > get c ..c
        @6 #0
        > get x ..y
        @6 #0"

    limits: r"
        > put a 1
        @2
        > put b 2
        @3
        > put c 3
        @4
        > get a ..z limit=2
        @4 #3 a=1(2,2,1) b=2(3,3,1) more
        > get a ..z limit=3
        @4 #3 a=1(2,2,1) b=2(3,3,1) c=3(4,4,1)
        > get a ..z limit=-1 keys
        @4 #3 a=(2,2,1) b=(3,3,1) c=(4,4,1)
        > get a ..z count
        @4 #3
        > get a ..z count limit=1
        @4 #3
        > get a ..z limit=1 sort=descend
        @4 #3 c=3(4,4,1) more
        > get a ..z limit=1 rev=3
        @4 #2 a=1(2,2,1) more
        > get a ..z limit=9223372036854775807 count
        @4 #3"

    /// All five targets; without an order, one key more than the limit is taken in key order, sorted, and then cut.
    sorting: r"
        > put a 3
        @2
        > put b 1
        @3
        > put c 2
        @4
        > put a 3
        @5
        > put b 1
        @6
        > put b 1
        @7
        > get a ..z sort=ascend
        @7 #3 a=3(2,5,2) b=1(3,7,3) c=2(4,4,1)
        > get a ..z sort=descend
        @7 #3 c=2(4,4,1) b=1(3,7,3) a=3(2,5,2)
        > get a ..z sort=ascend by=version
        @7 #3 c=2(4,4,1) a=3(2,5,2) b=1(3,7,3)
        > get a ..z sort=descend by=version
        @7 #3 b=1(3,7,3) a=3(2,5,2) c=2(4,4,1)
        > get a ..z sort=descend by=create
        @7 #3 c=2(4,4,1) b=1(3,7,3) a=3(2,5,2)
        > get a ..z sort=ascend by=mod
        @7 #3 c=2(4,4,1) a=3(2,5,2) b=1(3,7,3)
        > get a ..z sort=descend by=value limit=1
        @7 #3 a=3(2,5,2) more
        > get a ..z by=value
        @7 #3 b=1(3,7,3) c=2(4,4,1) a=3(2,5,2)
        > get a ..z sort=ascend by=value limit=2
        @7 #3 b=1(3,7,3) c=2(4,4,1) more
        > get a ..z by=mod limit=2
        @7 #3 c=2(4,4,1) a=3(2,5,2) more"

    /// Filters leave the count alone.
    filters: r"
        > put a 1
        @2
        > put b 2
        @3
        > put a 3
        @4
        > put c 4
        @5
        > get a ..z minmod=4
        @5 #3 a=3(2,4,2) c=4(5,5,1)
        > get a ..z maxmod=4
        @5 #3 a=3(2,4,2) b=2(3,3,1)
        > get a ..z minmod=4 maxmod=4
        @5 #3 a=3(2,4,2)
        > get a ..z mincreate=3
        @5 #3 b=2(3,3,1) c=4(5,5,1)
        > get a ..z maxcreate=2
        @5 #3 a=3(2,4,2)
        > get a ..z maxcreate=3 minmod=4
        @5 #3 a=3(2,4,2)
        > get a ..z minmod=3 limit=1
        @5 #3 a=3(2,4,2) more
        > get a ..z maxmod=1
        @5 #3
        > get a ..z maxmod=-1
        @5 #3
        > get a ..z minmod=-1 keys
        @5 #3 a=(2,4,2) b=(3,3,1) c=(5,5,1)"

    /// Reads of the past, of the future, and revision 0 or less as the newest.
    revision_reads: r"
        > put a 1
        @2
        > put a 2
        @3
        > put b 1
        @4
        > get a ..z rev=2
        @4 #1 a=1(2,2,1)
        > get a ..z rev=1
        @4 #0
        > get a ..z rev=4 count
        @4 #2
        > get a rev=5
        ! etcdserver: mvcc: required revision is a future revision
        > get a rev=0
        @4 #1 a=2(2,3,2)
        > get a rev=-7
        @4 #1 a=2(2,3,2)"

    put_options: r"
        > put a 1 prev
        @2
        > put a 2 prev
        @3 prev a=1(2,2,1)
        > put a '' ignore_value prev
        @4 prev a=2(2,3,2)
        > get a
        @4 #1 a=2(2,4,3)
        > put a 5 ignore_lease
        @5
        > put b '' ignore_value
        ! etcdserver: key not found
        > put b 1 ignore_lease
        ! etcdserver: key not found
        > put a 1 ignore_value
        ! etcdserver: value is provided
        > put a 1 ignore_lease lease=7
        ! etcdserver: lease is provided
        > put a 1 lease=7
        ! etcdserver: requested lease not found
        > put a ''
        @6
        > get a
        @6 #1 a=(2,6,5)"

    /// A key must not be empty, wherever it stands, and that is found out first.
    empty_keys: r"
        > get ''
        ! etcdserver: key is not provided
        > get '' ..\0
        ! etcdserver: key is not provided
        > put '' 1 ignore_value
        ! etcdserver: key is not provided
        > del '' ..\0
        ! etcdserver: key is not provided
        > txn [ver '' = 0] [] []
        ! etcdserver: key is not provided
        > txn [] [] [get '']
        ! etcdserver: key is not provided
        > txn [] [put a 1; txn [] [] [del '']] []
        ! etcdserver: key is not provided
        > get a
        @1 #0"

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

    compaction: r"
        > compact 2
        ! etcdserver: mvcc: required revision is a future revision
        > put a 1
        @2
        > put a 2
        @3
        > put b 1
        @4
        > del b
        @5 deleted 1
        > compact 4
        @5
        > get a rev=3
        ! etcdserver: mvcc: required revision has been compacted
        > get a ..z rev=4
        @5 #2 a=2(2,3,2) b=1(4,4,1)
        > get a ..z rev=5
        @5 #1 a=2(2,3,2)
        > compact 4
        ! etcdserver: mvcc: required revision has been compacted
        > compact 3
        ! etcdserver: mvcc: required revision has been compacted
        > compact 6
        ! etcdserver: mvcc: required revision is a future revision
        > compact 5
        @5
        > get b rev=5
        @5 #0
        > put a 3
        @6
        > get a
        @6 #1 a=3(2,6,3)
        > sweep
        @6"

    /// The newest revision outlives the items that had it.
    compaction_of_everything: r"
        > put a 1
        @2
        > del a
        @3 deleted 1
        > compact 3
        @3
        > sweep
        @3
        > put b 1
        @4
        > del b
        @5 deleted 1
        > compact 5
        @5
        > sweep
        @5
        > get a ..\0
        @5 #0
        > put c 1
        @6"

    compaction_at_zero: r"
        > compact -1
        ! etcdserver: mvcc: required revision has been compacted
        > compact 0
        @1
        > compact 0
        ! etcdserver: mvcc: required revision has been compacted
        > compact 1
        @1
        > get a
        @1 #0"
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

/// A query never writes, whatever the branch that would be taken.
#[test]
fn queries_do_not_write() {
    let mut member = Member::default();
    for line in ["put a 1", "del a", "compact 1", "sweep", "txn [ver a = 1] [put a 1] []", "txn [] [txn [] [] [del a]] []"] {
        assert_eq!(member.query(&parse(line)), Err(KvError::QueryWrites), "{line}");
        assert!(member.propose(&parse(line)).is_ok(), "{line}");
    }
}
