//! Safety, told as the stories of the papers' figures and of mistakes that search missed. Each story is a script that the papers' rules
//! survive, and in which one named mistake is caught by what was ever committed, not by a local law.

mod world;

use roadstead_spec::{
    Index, Term,
    raft::{Event, Gate, Limits, LogShape, Message, Paper, Rules, TermAt, step, step_with},
};
use world::{Body, Packet, StepFn, World, Wrong, disk::Entry, id, member::terms_of};

/// The papers' rules survive a story; a mistake does not.
fn check(story: fn(StepFn) -> Result<(), Wrong>, mistake: StepFn) {
    story(step).expect("the papers' rules");
    let wrong = story(mistake).expect_err("the mistake shows");
    println!("caught: {wrong}");
}

fn demand(fact: bool, what: &str) -> Result<(), Wrong> {
    if fact { Ok(()) } else { Err(format!("the story went another way: {what}")) }
}

fn is_among(packet: &Packet, nodes: &[u32]) -> bool {
    nodes.contains(&packet.from.0) && nodes.contains(&packet.to.0)
}

/// Whether a packet carries or asks about no entry behind `last`.
fn is_through(packet: &Packet, last: u64) -> bool {
    !matches!(&packet.body, Body::Message { message: Message::AppendEntries { slice, .. }, .. } if slice.last > Index(last))
}

const FIGURE_7: [&[u64]; 7] = [
    &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
    &[1, 1, 1, 4, 4, 5, 5, 6, 6],
    &[1, 1, 1, 4],
    &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    &[1, 1, 1, 4, 4, 4, 4],
    &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
];

/// Paper figure 7: a leader of term 8 meets followers that lack entries, have extra ones, or both. §5.3: "the leader must find the latest log entry where the
/// two logs agree, delete any entries in the follower's log after that point, and send the follower all of the leader's entries after that point."
#[test]
fn figure_7_every_log_becomes_the_leaders() {
    for slice_entries_max in [1, 2, 100] {
        let limits = Limits { slice_entries_max, ..Limits::default() };
        let mut world = World::with_disks(&FIGURE_7.map(|log| (7, log)), limits, step);
        world.elect(id(1)).expect("no law is broken");
        assert_eq!(world.leader(), Some(id(1)));
        world.heartbeat(id(1)).expect("no law is broken");
        world.settle().expect("no law is broken");
        for node in &world.nodes {
            let state = world.state(node.id);
            assert_eq!((terms_of(&state.log), state.commit), (vec![1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8], Index(11)), "node {}", node.id);
        }
    }
}

/// Paper §5.4.1 with figure 7: "a candidate must contact a majority of the cluster in order to be elected", and its log must be up-to-date with it.
#[test]
fn figure_7_who_can_win() {
    for (node, wins) in [(1, true), (2, true), (3, false), (4, true), (5, true), (6, false), (7, false)] {
        let mut world = World::with_disks(&FIGURE_7.map(|log| (7, log)), Limits::default(), step);
        world.elect(id(node)).expect("no law is broken");
        assert_eq!(world.leader() == Some(id(node)), wins, "node {node}");
    }
}

/// Paper figure 8, from (b) on: S1 and S2 hold an entry of term 2, S5 one of term 3 in its place. (c) S5 is down, S1 leads term 4, and its old entry reaches S3: a majority holds it.
/// (d) S5 is elected by S2, S3 and S4 and overwrites it. So S1 must not have committed it in (c).
fn figure_8(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::with_disks(&[(3, &[1, 2]), (3, &[1, 2]), (3, &[1]), (3, &[1]), (3, &[1, 3])], Limits::default(), step);
    world.local_laws = false;
    let limits = Limits { slice_entries_max: 1, ..Limits::default() };
    world.params = roadstead_spec::raft::Params::new(&[1, 2, 3, 4, 5].map(id), limits).map_err(|error| error.to_string())?;
    world.crash(id(5), 0);
    world.time_out(id(1))?;
    let part = |packet: &Packet| is_among(packet, &[1, 2, 3]) && is_through(packet, 2);
    world.settle_with(part)?;
    world.heartbeat(id(1))?;
    world.settle_with(part)?;
    let copies = world.nodes.iter().filter(|node| node.disk.entries.get(&2).is_some_and(|entry| entry.term == Term(2))).count();
    demand(world.leader() == Some(id(1)) && copies == 3, "a majority holds the entry of term 2")?;
    world.crash(id(1), 9);
    world.restart(id(5))?;
    for _ in 0..2 {
        world.time_out(id(5))?;
        world.settle()?;
    }
    demand(world.leader() == Some(id(5)), "S5 leads")?;
    world.heartbeat(id(5))?;
    world.settle()?;
    demand(terms_of(&world.state(id(2)).log) == [1, 3, 5], "the entry of term 2 is gone")
}

/// Paper §5.4.2: "Raft never commits log entries from previous terms by counting replicas."
#[test]
fn figure_8_no_commit_by_counting_older_entries() {
    struct ByCounting;
    impl Rules for ByCounting {
        fn may_commit(log: &LogShape, _: Term, index: Index) -> bool {
            matches!(log.term_at(index), TermAt::Known(_))
        }
    }
    check(figure_8, step_with::<ByCounting>);
}

/// Paper figure 8 (e): "if S1 replicates an entry from its current term on a majority of the servers before crashing …, then this entry is committed (S5 cannot win an election). At this
/// point all preceding entries in the log are committed as well."
#[test]
fn figure_8_e_an_own_entry_commits_everything_before() {
    let mut world = World::with_disks(&[(3, &[1, 2]), (3, &[1, 2]), (3, &[1]), (3, &[1]), (3, &[1, 3])], Limits::default(), step);
    world.crash(id(5), 0);
    world.time_out(id(1)).expect("no law is broken");
    world.settle_with(|packet| is_among(packet, &[1, 2, 3])).expect("no law is broken");
    assert_eq!(world.state(id(1)).commit, Index(3));
    world.crash(id(1), 9);
    world.restart(id(5)).expect("it starts");
    for _ in 0..3 {
        world.elect(id(5)).expect("no law is broken");
    }
    assert_eq!(world.leader(), None, "S2 and S3 hold a later entry than S5");
    world.elect(id(3)).expect("no law is broken");
    assert_eq!((world.leader(), world.state(id(3)).log.slice(Index(1), 2).map(|slice| slice.last_id().term)), (Some(id(3)), Some(Term(4))));
}

/// A candidate asks before its disk knows. A leads term 1, its entry is durable on A and B: committed. C has it in memory only, times out, takes term 2 and asks; B grants. C crashes and
/// forgets term, vote and entry. It starts again, takes term 2 once more, and B's grant to its first life arrives: C leads term 2 without the entry.
fn asks_too_early(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::new(3, Limits::default(), step);
    world.local_laws = false;
    let (a, b, c) = (id(1), id(2), id(3));
    world.time_out(a)?;
    world.settle_with(|packet| is_among(packet, &[1, 2]))?;
    demand(world.state(a).commit == Index(1), "the entry is committed on A and B")?;
    world.heartbeat(a)?;
    world.deliver_first(a, c, false, |_| true)?;
    world.sync(c)?;
    world.deliver_first(c, a, false, |_| true)?;
    world.deliver_first(a, c, false, |_| true)?;
    demand(world.state(c).log.last() == Index(1) && world.node(c).disk.entries.is_empty(), "C holds it in memory")?;
    world.time_out(c)?;
    let is_pre_vote = |message: &Message| matches!(message, Message::PreVote { .. } | Message::PreVoteResponse { .. });
    world.deliver_first(c, b, false, is_pre_vote)?;
    world.deliver_first(b, c, true, is_pre_vote)?;
    // Under the papers' rules there is no request on its way, since C's disk did not answer.
    let is_vote = |message: &Message| matches!(message, Message::RequestVote { .. } | Message::RequestVoteResponse { .. });
    world.deliver_first(c, b, false, is_vote)?;
    world.sync(b)?;
    world.crash(c, 0);
    world.restart(c)?;
    demand(world.state(c).log.last() == Index(0), "C forgot")?;
    world.time_out(c)?;
    world.deliver_first(b, c, false, is_pre_vote)?;
    world.deliver_first(b, c, false, is_vote)?;
    demand(world.state(c).as_leader().is_none(), "C does not lead")
}

/// Paper fig. 2, "updated on stable storage before responding to RPCs", also for a candidate's own vote.
#[test]
fn a_candidate_asks_behind_its_disk() {
    struct AsksTooEarly;
    impl Rules for AsksTooEarly {
        fn request_vote_gate() -> Gate {
            Gate::Now
        }
    }
    check(asks_too_early, step_with::<AsksTooEarly>);
}

/// A leader counts what its disk does not know. A leads term 1 and sends its first entry to B while it writes it; B acknowledges. A crashes before its write; B is slow. C takes term 2 with A's vote,
/// whose log is empty again, and leads without the entry: had A committed it, it would be lost.
fn counts_too_early(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::new(3, Limits::default(), step);
    world.local_laws = false;
    world.ghost.counts_copies = false;
    let (a, b, c) = (id(1), id(2), id(3));
    let is_election = |packet: &Packet| match &packet.body {
        Body::Message { message, .. } => !matches!(message, Message::AppendEntries { .. }),
        Body::Snapshot { .. } => false,
    };
    world.time_out(a)?;
    for _ in 0..3 {
        for node in [a, b, c] {
            if world.state(a).as_leader().is_none() {
                world.sync(node)?;
            }
        }
        while let Some(number) = world.network.iter().position(is_election) {
            world.deliver(number, false)?;
        }
    }
    demand(world.state(a).as_leader().is_some() && world.node(a).disk.entries.is_empty(), "A leads, and its entry is not durable")?;
    world.deliver_first(a, b, false, |_| true)?;
    world.sync(b)?;
    world.deliver_first(b, a, false, |_| true)?;
    world.crash(a, 0);
    world.restart(a)?;
    world.network.clear();
    world.time_out(c)?;
    world.settle_with(|packet| is_among(packet, &[1, 3]))?;
    demand(world.leader() == Some(c), "C leads")
}

/// Dissertation §10.2.1: a leader counts its own copy when it is durable.
#[test]
fn a_leader_counts_its_disk_not_its_memory() {
    struct CountsTooEarly;
    impl Rules for CountsTooEarly {
        fn durable_after_append(_: Index, last: Index) -> Index {
            last
        }
    }
    check(counts_too_early, step_with::<CountsTooEarly>);
}

/// A short log in a high term beside a long log in a low term, and nobody else: the one has no votes for its log, the other for its term, until the refusal teaches it.
fn short_log_in_a_high_term(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::with_disks(&[(5, &[1]), (2, &[1, 2]), (5, &[1])], Limits::default(), step);
    world.crash(id(3), 0);
    for node in [1, 2, 1, 2, 1, 2] {
        if world.leader().is_none() {
            world.elect(id(node))?;
        }
    }
    demand(world.leader() == Some(id(2)), "the long log leads")
}

/// Dissertation §9.6 with openraft#1796, etcd-io/etcd#8501: a refused pre-vote's term is adopted.
#[test]
fn a_short_log_in_a_high_term_does_not_block() {
    struct IgnoresRefusals;
    impl Rules for IgnoresRefusals {
        fn term_of(message: &Message) -> Option<Term> {
            Paper::term_of(message).filter(|_| !matches!(message, Message::PreVoteResponse { .. }))
        }
    }
    check(short_log_in_a_high_term, step_with::<IgnoresRefusals>);
}

/// A candidate persisted its term and crashed before it asked anybody. The others lead a lower term and hear each other, so they refuse its pre-votes; it refuses their appends.
fn crashed_before_asking(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::with_disks(&[(2, &[1]), (2, &[1]), (5, &[1])], Limits::default(), step);
    world.time_out(id(1))?;
    world.settle_with(|packet| is_among(packet, &[1, 2]))?;
    demand(world.leader() == Some(id(1)), "the others have a leader")?;
    for _ in 0..3 {
        if let Some(leader) = world.leader() {
            world.heartbeat(leader)?;
        } else {
            world.time_out(id(1))?;
        }
        world.settle()?;
        world.event(id(3), Event::ElectionTimeout, Vec::new())?;
        world.settle()?;
    }
    let leader = world.leader().ok_or("nobody leads")?;
    demand(world.state(id(3)).log.last_id() == world.state(leader).log.last_id(), "the one in a high term follows")
}

/// Paper §5.1 under pre-vote: an append of a lower term is answered with the own one, and the leader steps down, although its voters hear it.
#[test]
fn a_lonely_high_term_does_not_block() {
    struct IgnoresAnswers;
    impl Rules for IgnoresAnswers {
        fn term_of(message: &Message) -> Option<Term> {
            Paper::term_of(message).filter(|_| !matches!(message, Message::AppendEntriesResponse { .. }))
        }
    }
    check(crashed_before_asking, step_with::<IgnoresAnswers>);
}

/// Paper §5.5: "If a server crashes after completing an RPC but before responding, then it will receive the same RPC again after it restarts"; and the leader notices by itself.
#[test]
fn a_crashed_follower_catches_up() {
    let mut world = World::new(3, Limits::default(), step);
    world.elect(id(1)).expect("no law is broken");
    world.propose(id(1), 5).expect("no law is broken");
    world.deliver_first(id(1), id(3), false, |_| true).expect("no law is broken");
    world.crash(id(3), 0);
    world.settle().expect("no law is broken");
    assert_eq!(world.state(id(1)).commit, Index(6), "a minority of slow servers need not impact the performance (paper §2)");
    world.restart(id(3)).expect("it starts");
    world.heartbeat(id(1)).expect("no law is broken");
    world.settle().expect("no law is broken");
    world.heartbeat(id(1)).expect("no law is broken");
    world.settle().expect("no law is broken");
    assert_eq!(world.state(id(3)).applied, Index(6));
}

/// Paper §5.4, Leader Completeness: what a majority acknowledged is in every later leader's log, whoever of the rest crashes and whatever they forgot.
#[test]
fn what_is_committed_stays() {
    let mut world = World::new(5, Limits::default(), step);
    world.elect(id(1)).expect("no law is broken");
    world.propose(id(1), 4).expect("no law is broken");
    world.settle_with(|packet| is_among(packet, &[1, 2, 3])).expect("no law is broken");
    assert_eq!(world.state(id(1)).commit, Index(5));
    for node in 1..=5 {
        world.crash(id(node), 0);
    }
    let kept: Vec<Entry> = world.node(id(2)).disk.entries.values().copied().collect();
    for node in 2..=5 {
        world.restart(id(node)).expect("it starts");
    }
    for node in [4, 5, 4, 5, 3] {
        world.elect(id(node)).expect("no law is broken");
    }
    assert_eq!(world.leader(), Some(id(3)), "four and five lack what is committed");
    let now: Vec<Entry> = world.node(id(4)).disk.entries.values().copied().take(kept.len()).collect();
    assert_eq!(now, kept);
}
