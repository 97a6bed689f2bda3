//! Catching up: however far a follower lags or diverges, where the logs part is found in six round trips. Paper §5.3, "the protocol can be optimized to
//! reduce the number of rejected AppendEntries RPCs".

mod world;

use roadstead_spec::{
    EntryId, Index, Term,
    raft::{Limits, LogShape, Message, Run},
};
use world::{
    member::{Member, sent},
    random::Random,
};

/// Terms with how many entries each has, oldest first.
type Terms = Vec<(u64, u64)>;

fn shape(terms: &[(u64, u64)]) -> LogShape {
    let mut next = 1;
    let mut runs: Vec<Run> = Vec::new();
    for &(term, count) in terms {
        if runs.last().is_none_or(|run| run.term != Term(term)) {
            runs.push(Run { term: Term(term), first: Index(next) });
        }
        next += count;
    }
    LogShape::from_runs(EntryId::default(), runs, Index(next - 1)).expect("a log")
}

fn entries(terms: &[(u64, u64)]) -> u64 {
    terms.iter().map(|(_, count)| count).sum()
}

/// Lets a new leader talk to one follower. Returns the round trips until the first acknowledgement, and how many entries were sent again.
fn check(common: &[(u64, u64)], leaders: &[(u64, u64)], followers: &[(u64, u64)], slice_entries_max: u32) -> (usize, u64) {
    let log = |rest: &[(u64, u64)]| shape(&[common, rest].concat());
    let limits = Limits { slice_entries_max, ..Limits::default() };
    let term = 1 + leaders.iter().chain(followers).chain(common).map(|(term, _)| *term).max().unwrap_or(0);
    let mut leader = Member::from_shape(1, 2, term - 1, log(leaders), limits);
    let mut follower = Member::from_shape(2, 2, term - 1, log(followers), limits);
    let mut message = sent(&leader.win()).remove(0).1;
    for round_trips in 1..=20 {
        let Message::AppendEntries { slice, .. } = &message else { panic!("an append, not {message:?}") };
        let again = entries(common).saturating_sub(slice.prev.index.0);
        let answer = sent(&follower.receive(1, message.clone())).remove(0).1;
        if matches!(answer, Message::AppendEntriesResponse { result: Ok(_), .. }) {
            return (round_trips, again);
        }
        let effects = leader.receive(2, answer);
        message = sent(&effects).remove(0).1;
    }
    panic!("twenty round trips, and no end");
}

fn alternating(from: u64, count: u64, entries: u64) -> Terms {
    (0..count).map(|number| (from + 2 * number, entries)).collect()
}

#[test]
fn a_follower_that_lags_by_a_million_entries_costs_one_refusal() {
    assert_eq!(check(&[(1, 1_000)], &[(1, 1_000_000)], &[], 100), (2, 0));
    assert_eq!(check(&[(1, 1_000)], &alternating(3, 1_000, 1_000), &[], 100), (2, 0));
    assert_eq!(check(&[], &[(1, 1_000_000)], &[], 100), (2, 0), "an empty one");
}

#[test]
fn a_follower_that_diverges_by_a_million_entries_costs_one_refusal() {
    assert_eq!(check(&[(1, 1_000)], &[(3, 10)], &[(2, 1_000_000)], 100), (2, 0));
    assert_eq!(check(&[(1, 1_000_000)], &[(3, 10)], &[(2, 10)], 100), (2, 0));
    assert_eq!(check(&[(1, 1_000_000)], &[(1, 10), (3, 10)], &[(2, 5)], 100), (2, 0), "the leader has more of the shared term");
    assert_eq!(check(&[(1, 1_000_000)], &[(3, 10)], &[(1, 10), (2, 5)], 100), (2, 0), "the follower has more of the shared term");
}

#[test]
fn a_follower_that_diverges_by_a_few_terms_costs_one_refusal() {
    for count in 1..=15 {
        assert_eq!(check(&[(1, 1_000_000)], &alternating(3, count, 7), &alternating(2, count, 7), 100), (2, 0), "{count} terms");
    }
}

#[test]
fn a_thousand_terms_cost_at_most_six_round_trips() {
    for entries in [1, 3, 1_000] {
        for slice_entries_max in [1, 100, 4_096] {
            for count in [16, 17, 100, 333, 500, 777, 1_000] {
                for leaders in [alternating(3, count, entries), vec![(5_000, 10)], alternating(2_003, 3, entries)] {
                    let (round_trips, again) = check(&[(1, 1_000_000)], &leaders, &alternating(2, count, entries), slice_entries_max);
                    assert!(round_trips <= 6, "{count} terms of {entries}: {round_trips}");
                    assert!(again <= u64::from(slice_entries_max), "{again} entries were sent again");
                }
            }
        }
    }
}

#[test]
fn random_divergence_costs_at_most_six_round_trips() {
    let mut random = Random(7);
    let mut most = 0;
    for _ in 0..200 {
        let mut terms = |count: usize, from: u64| -> Terms {
            let mut term = from;
            (0..count)
                .map(|_| {
                    term += 1 + random.below(3) as u64;
                    (term, 1 + random.below(50) as u64)
                })
                .collect()
        };
        let shared = terms(200, 0);
        let last = shared.last().map_or(0, |(term, _)| *term);
        let (mut leaders, mut followers) = (terms(1_000, last), terms(1_000, last));
        leaders.truncate(random.below(1_000));
        followers.truncate(random.below(1_000));
        // A term belongs to one leader: it is in one history only.
        leaders.retain(|(term, _)| term % 2 == 0);
        followers.retain(|(term, _)| term % 2 == 1);
        let slice_entries_max = [1, 30, 1_000][random.below(3)];
        let (round_trips, again) = check(&shared, &leaders, &followers, slice_entries_max);
        most = most.max(round_trips);
        assert!(round_trips <= 6 && again <= u64::from(slice_entries_max), "{round_trips} round trips, {again} again");
    }
    println!("at most {most} round trips");
}
