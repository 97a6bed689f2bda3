//! Compaction in small steps over many keys: nothing that can be seen depends on how far the steps are.

mod kv_member;

use bytes::Bytes;
use kv_member::Member;
use roadstead::service::kv::*;

const KEYS: usize = 1_000;

/// A bound on what one ordinary command may remove. The machine's own step is smaller or equal.
const REMOVALS_PER_COMMAND_MAX: usize = 64;

/// Among so many commands one makes a step.
const STEP_EVERY: usize = 16;

fn put(key: usize, value: usize) -> Request {
    Request::Put(PutRequest::new(format!("key {key:04}"), format!("value {value}")))
}

fn compact(revision: i64) -> Request {
    Request::Compact(CompactRequest { revision })
}

/// Every key put four times, every tenth then deleted.
fn filled() -> (Member, i64) {
    let mut member = Member::default();
    member.apply((0..4).flat_map(|round| (0..KEYS).map(move |key| put(key, round).encode())));
    let deletes = (0..KEYS).step_by(10).map(|key| Request::DeleteRange(DeleteRangeRequest::key(format!("key {key:04}"))).encode());
    member.apply(deletes);
    let revision = 1 + 4 * KEYS as i64 + KEYS as i64 / 10;
    (member, revision)
}

fn visible(member: &Member, revision: i64) -> (Answer, Answer) {
    let range = RangeRequest { revision, ..RangeRequest::prefix("") };
    (member.query(&Request::Range(range)), member.query(&Request::HashKv(HashKvRequest { revision })))
}

fn items(member: &Member) -> usize {
    member.store.0.keys().filter(|key| key[0] == 1).count()
}

fn sweep_to_the_end(member: &mut Member) -> usize {
    let mut sweeps = 1;
    while let Ok(Response::Sweep(SweepResponse { pending: true, .. })) = member.propose(&Request::Sweep) {
        sweeps += 1;
    }
    sweeps
}

/// Reads and hashes are the same before the first step, after each, and after the last, with restarts between them.
#[test]
fn steps_are_small_and_invisible() {
    let (mut member, revision) = filled();
    let compacted = revision - 500;
    assert!(member.propose(&compact(compacted)).is_ok());
    let (first, last) = (visible(&member, compacted), visible(&member, revision));
    assert!(first.0.is_ok() && first.1.is_ok() && last.0.is_ok());
    let mut steps = 0;
    loop {
        let mut removed = 0;
        for _ in 0..STEP_EVERY {
            let before = items(&member);
            assert!(member.propose(&Request::Range(RangeRequest::key("x"))).is_ok());
            assert!(before - items(&member) <= REMOVALS_PER_COMMAND_MAX, "{} items in one command", before - items(&member));
            removed += before - items(&member);
        }
        if removed == 0 {
            break;
        }
        steps += 1;
        if steps % 3 == 0 {
            member.reopen();
        }
        assert_eq!((visible(&member, compacted), visible(&member, revision)), (first.clone(), last.clone()), "after step {steps}");
    }
    assert!(steps > 4, "{steps} steps only: this does not test what it says");
    // At the compact revision 3,600 puts and no deletion lay behind: 600 of the fourth round, 400 of the third; after it 400 puts and 100 deletions.
    assert_eq!(items(&member), KEYS + 500);
}

/// Sweeps by command end the work at once, and leave the store as the small steps do.
#[test]
fn sweep_commands_finish_the_work() {
    let (mut small, revision) = filled();
    let (mut large, _) = filled();
    for member in [&mut small, &mut large] {
        assert!(member.propose(&compact(revision)).is_ok());
    }
    assert!(sweep_to_the_end(&mut large) <= 1 + 5 * KEYS / SWEEP_COMMAND_MAX);
    small.apply((0..5 * KEYS).map(|_| Request::Range(RangeRequest::key("x")).encode()));
    assert_eq!(small.store, large.store);
    // The last deletion has the compact revision itself and stays until the next compaction.
    assert_eq!(items(&large), KEYS - KEYS / 10 + 1);
}

/// A compaction during a sweep also reaches the keys that the sweep has passed.
#[test]
fn compactions_during_a_sweep_are_complete() {
    let (mut member, revision) = filled();
    let wait = |commands: usize| (0..commands).map(|_| Request::Range(RangeRequest::key("x")).encode());
    assert!(member.propose(&compact(revision)).is_ok());
    member.apply(wait(10 * STEP_EVERY));
    member.apply((0..20).map(|key| put(key, 9).encode()));
    assert!(items(&member) > 2 * KEYS, "the sweep is still under way");
    assert!(member.propose(&compact(revision + 20)).is_ok());
    member.apply(wait(100 * STEP_EVERY));
    // Of the deleted keys, 0 and 10 are there again.
    assert_eq!(items(&member), KEYS - KEYS / 10 + 2);
}

/// Compactions that come more often than a round over all keys takes do not keep the last keys from being swept.
#[test]
fn frequent_compactions_reach_the_last_keys() {
    let (mut member, mut revision) = filled();
    let start = items(&member);
    for i in 0..1_500 {
        member.apply([put(i % 5, i).encode()]);
        revision += 1;
        if i % 4 == 0 {
            assert_eq!(member.propose(&compact(revision)), Ok(Response::Compact(CompactResponse { revision })));
        }
    }
    assert!(items(&member) < KEYS + 400, "{} items of {start} are left", items(&member));
}

/// Members that were restarted in the middle of a sweep, or got other batches, have the same bytes.
#[test]
fn restarts_and_batches_leave_no_trace() {
    let (mut plain, revision) = filled();
    let (mut restarted, _) = filled();
    let commands: Vec<Bytes> =
        [compact(revision - 9)].into_iter().chain((0..40).map(|i| put(i * 7, i))).map(|request| request.encode()).collect();
    let answers = plain.apply(commands.clone());
    for (i, command) in commands.into_iter().enumerate() {
        assert_eq!(restarted.apply([command]), answers[i..=i]);
        restarted.reopen();
    }
    assert!(items(&plain) > KEYS + 500, "the sweep is still under way");
    assert_eq!(plain.store, restarted.store);
}

/// A store whose bytes make no sense does not open; the error says what to do.
#[test]
fn damaged_stores_are_refused() {
    let damaged = |key: &'static [u8], value: &'static [u8]| {
        let mut member = Member::default();
        member.propose(&put(1, 1)).expect("a put");
        member.store.0.insert(Bytes::from_static(key), Bytes::from_static(value));
        member.try_reopen().expect_err("damage").to_string()
    };
    for (key, value) in [
        (&b"\x01short"[..], &b"\x01k"[..]),
        (b"\x01\0\0\0\0\0\0\0\x09\0\0\0\0", b"\xff"),
        (b"\0compaction", b"\x01"),
        (b"\0compaction", b"\x09\x04\0\0"),
    ] {
        let error = damaged(key, value);
        assert!(error.contains("damaged") && error.contains("remove this group's data"), "{error}");
    }
}
