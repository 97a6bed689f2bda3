//! What etcd v3 does, case by case: reads, writes, revisions and compaction.

mod kv_member;
mod kv_script;

use kv_script::table;

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
