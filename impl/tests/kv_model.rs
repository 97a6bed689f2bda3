//! Random histories against the naive model: every answer, with compactions and restarts at any point, on members that got the same commands
//! in different batches.

mod kv_member;
mod kv_naive;

use bytes::Bytes;
use kv_member::Member;
use kv_naive::Naive;
use proptest::{collection::vec, prelude::*};
use roadstead::service::kv::*;

/// Few keys, so that histories meet; among them neighbours and, rarely, the empty one.
fn key() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        30 => prop::sample::select(vec!["a", "a\0", "aa", "b", "c", "d"]),
        1 => Just(""),
    ]
    .prop_map(text)
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn range_end() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "", "", "\0", "a", "b", "c", "z"]).prop_map(text)
}

fn value() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "1", "2", "33"]).prop_map(text)
}

fn revision() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 6 => 1..60_i64, 1 => -2..0_i64]
}

fn filter() -> impl Strategy<Value = i64> {
    prop_oneof![8 => Just(0), 1 => 1..40_i64, 1 => Just(-1)]
}

fn range() -> impl Strategy<Value = RangeRequest> {
    let order = prop::sample::select(vec![SortOrder::None, SortOrder::None, SortOrder::Ascend, SortOrder::Descend]);
    let target = prop::sample::select(vec![
        SortTarget::Key,
        SortTarget::Key,
        SortTarget::Version,
        SortTarget::Create,
        SortTarget::Mod,
        SortTarget::Value,
    ]);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let filters = (filter(), filter(), filter(), filter());
    (key(), range_end(), -1..5_i64, revision(), (order, target), flags, filters).prop_map(
        |(key, range_end, limit, revision, sort, flags, filters)| RangeRequest {
            key,
            range_end,
            limit,
            revision,
            sort_order: sort.0,
            sort_target: sort.1,
            keys_only: flags.0,
            count_only: flags.1,
            min_mod_revision: filters.0,
            max_mod_revision: filters.1,
            min_create_revision: filters.2,
            max_create_revision: filters.3,
        },
    )
}

fn put() -> impl Strategy<Value = PutRequest> {
    let rarely = || prop::bool::weighted(0.07);
    let lease = prop_oneof![30 => Just(0), 1 => Just(7_i64)];
    (key(), value(), lease, any::<bool>(), rarely(), rarely()).prop_map(|(key, value, lease, prev_kv, ignore_value, ignore_lease)| {
        PutRequest {
            key,
            // Mostly a request that etcd accepts.
            value: if ignore_value && lease == 0 { Bytes::new() } else { value },
            lease,
            prev_kv,
            ignore_value,
            ignore_lease,
        }
    })
}

fn delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (key(), range_end(), any::<bool>()).prop_map(|(key, range_end, prev_kv)| DeleteRangeRequest { key, range_end, prev_kv })
}

fn compare() -> impl Strategy<Value = Compare> {
    let result = prop::sample::select(vec![CompareResult::Equal, CompareResult::NotEqual, CompareResult::Less, CompareResult::Greater]);
    let target = prop_oneof![
        (-1..4_i64).prop_map(CompareTarget::Version),
        (0..30_i64).prop_map(CompareTarget::Create),
        (0..30_i64).prop_map(CompareTarget::Mod),
        (-1..2_i64).prop_map(CompareTarget::Lease),
        value().prop_map(CompareTarget::Value),
    ];
    (key(), range_end(), result, target).prop_map(|(key, range_end, result, target)| Compare { key, range_end, result, target })
}

fn txn() -> impl Strategy<Value = TxnRequest> {
    let leaf = prop_oneof![
        4 => put().prop_map(RequestOp::Put),
        2 => delete().prop_map(RequestOp::DeleteRange),
        2 => range().prop_map(RequestOp::Range),
    ];
    let op = leaf.prop_recursive(3, 12, 3, |inner| {
        (vec(compare(), 0..2), vec(inner.clone(), 0..3), vec(inner, 0..3))
            .prop_map(|(compare, success, failure)| RequestOp::Txn(TxnRequest { compare, success, failure }))
    });
    (vec(compare(), 0..3), vec(op.clone(), 0..4), vec(op, 0..4)).prop_map(|(compare, success, failure)| TxnRequest {
        compare,
        success,
        failure,
    })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => put().prop_map(Request::Put),
        2 => delete().prop_map(Request::DeleteRange),
        4 => range().prop_map(Request::Range),
        5 => txn().prop_map(Request::Txn),
        1 => (-1..60_i64).prop_map(|revision| Request::Compact(CompactRequest { revision })),
    ]
}

/// More keys than one step of a sweep looks at, each put twice.
fn filler() -> impl Iterator<Item = Request> {
    let puts = |round: usize| (0..90).map(move |i| RequestOp::Put(PutRequest::new(format!("a{i:02}"), format!("{round}"))));
    (0..2).map(move |round| Request::Txn(TxnRequest { success: puts(round).collect(), ..TxnRequest::default() }))
}

/// Every readable state, one revision after the other, and one beyond each end.
fn everything_is_as_in(model: &mut Naive, member: &Member) -> Result<(), TestCaseError> {
    for revision in 1..=model.current + 1 {
        let request = Request::Range(RangeRequest { revision, ..RangeRequest::prefix("") });
        prop_assert_eq!(member.query(&request), model.answer(&request), "at revision {}", revision);
    }
    Ok(())
}

fn hash(member: &Member, revision: i64) -> Answer {
    member.query(&Request::HashKv(HashKvRequest { revision }))
}

proptest! {
    #[test]
    fn answers_are_those_of_the_naive_model(
        filled in any::<bool>(),
        requests in vec((request(), prop::bool::weighted(0.1)), 1..60),
    ) {
        let mut model = Naive::default();
        let (mut single, mut batched) = (Member::default(), Member::default());
        let history = filler().filter(|_| filled).map(|request| (request, false)).chain(requests);
        let (mut payloads, mut answers) = (Vec::new(), Vec::new());
        for (request, reopen) in history {
            if request.is_read_only() {
                prop_assert_eq!(single.query(&request), model.answer(&request));
            }
            let payload = request.encode();
            let answer = single.apply([payload.clone()]).remove(0);
            let decoded = decode::<Answer>(&answer).expect("an answer");
            prop_assert_eq!(decoded, model.answer(&request), "{:?}", request);
            payloads.push(payload);
            answers.push(answer);
            if reopen {
                single.reopen();
            }
        }
        everything_is_as_in(&mut model, &single)?;

        prop_assert_eq!(batched.apply(payloads), answers);
        prop_assert_eq!(&batched.store, &single.store);
        single.reopen();
        everything_is_as_in(&mut model, &single)?;

        while let Ok(Response::Sweep(SweepResponse { pending: true, .. })) = single.propose(&Request::Sweep) {}
        everything_is_as_in(&mut model, &single)?;
        let meta_items = usize::from(model.compacted >= 0);
        prop_assert_eq!(single.store.0.len(), model.items() + meta_items);
        for revision in 0..=model.current + 1 {
            prop_assert_eq!(hash(&single, revision), hash(&batched, revision), "hash at {}, swept and not", revision);
        }
        single.reopen();
        everything_is_as_in(&mut model, &single)?;
    }
}
