//! Linearizable reads without a log entry. "Paper": Ongaro & Ousterhout 2014, extended version, §8; "dissertation": Ongaro 2014, §6.4.

mod world;

use roadstead_spec::{
    Index, Term,
    raft::{Effect, Event, Gate, Leader, Limits, Message, Params, ReadId, Refused, Round, Rules, step, step_with},
};
use world::{
    StepFn, World, Wrong, id,
    member::{Member, accepted, accepted_in, only, read_of, sent},
};

fn ready(effects: &[Effect]) -> Vec<(ReadId, u64)> {
    let ready = effects.iter().filter_map(|effect| match effect {
        Effect::ReadReady { id, index } => Some((*id, index.0)),
        _ => None,
    });
    ready.collect()
}

/// Rounds of the AppendEntries among these effects.
fn rounds(effects: &[Effect]) -> Vec<u64> {
    let rounds = sent(effects).into_iter().filter_map(|(_, message)| match message {
        Message::AppendEntries { round, .. } => Some(round.0),
        _ => None,
    });
    rounds.collect()
}

fn read(leader: &mut Member, number: u64) -> Vec<Effect> {
    leader.step(Event::Read { id: read_of(1, number) })
}

/// A leader of term 2 that committed its opening entry, number 2.
fn open_leader(voters: u32) -> Member {
    let mut leader = Member::leader(voters, 2, &[1]);
    for peer in 2..=voters {
        leader.receive(peer, accepted(2, 2));
    }
    assert_eq!(leader.commit(), 2);
    leader
}

/// Dissertation §6.4: "The leader needs to make sure it has not been superseded by a newer leader of which it is unaware. It issues a new round of heartbeats and waits for their acknowledgments from a majority".
#[test]
fn a_read_waits_for_a_round_of_its_own() {
    let mut leader = open_leader(5);
    let effects = read(&mut leader, 1);
    assert_eq!((rounds(&effects), ready(&effects)), (vec![1; 4], vec![]));
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 2, 1))), []);
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 2, 1))), [], "one peer, twice");
    assert_eq!(ready(&leader.receive(3, accepted_in(2, 2, 1))), [(read_of(1, 1), 2)]);
    assert_eq!(ready(&leader.receive(4, accepted_in(2, 2, 1))), []);
}

/// Paper §8: "a leader must have the latest information on which entries are committed": until its opening entry is committed, reads wait for that too.
#[test]
fn a_read_waits_for_an_entry_of_the_term() {
    let mut leader = Member::leader(3, 2, &[1]);
    read(&mut leader, 1);
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 1, 1))), [], "confirmed, but nothing is known to be committed");
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 2, 1))), [(read_of(1, 1), 2)]);
}

/// The answer to a message that was sent before the read arrived confirms nothing. etcd-io/etcd#20418
#[test]
fn an_older_round_does_not_confirm() {
    let mut leader = open_leader(3);
    leader.step(Event::HeartbeatTimeout);
    read(&mut leader, 1);
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 2, 0))), []);
    let effects = read(&mut leader, 2);
    assert_eq!(rounds(&effects), [], "one round at a time");
    let effects = leader.receive(2, accepted_in(2, 2, 1));
    assert_eq!((ready(&effects), rounds(&effects)), (vec![(read_of(1, 1), 2)], vec![2, 2]), "the second waits for the second");
    assert_eq!(ready(&leader.receive(3, accepted_in(2, 2, 1))), []);
    assert_eq!(ready(&leader.receive(3, accepted_in(2, 2, 2))), [(read_of(1, 2), 2)]);
}

/// Dissertation §6.4: "the leader can … use a single round of heartbeats for any number of read-only queries that it has accumulated".
#[test]
fn one_round_serves_many_reads() {
    let mut leader = open_leader(3);
    read(&mut leader, 0);
    let during: Vec<Effect> = (1..=100).flat_map(|number| read(&mut leader, number)).collect();
    assert_eq!(during, []);
    leader.receive(2, accepted_in(2, 2, 1));
    assert_eq!(ready(&leader.receive(2, accepted_in(2, 2, 2))).len(), 100);
}

/// Dissertation §6.4: "readIndex" is the commit index when the read arrives: entries committed later need not be waited for.
#[test]
fn a_read_waits_for_what_was_committed_when_it_came() {
    let mut leader = open_leader(3);
    leader.step(Event::Propose { count: 5 });
    read(&mut leader, 1);
    leader.receive(2, accepted(2, 7));
    leader.persisted();
    assert_eq!(leader.commit(), 7);
    assert_eq!(ready(&leader.receive(3, accepted_in(2, 2, 1))), [(read_of(1, 1), 2)]);
}

/// A lost round is repeated by the next heartbeat, which confirms those that came meanwhile as well. A refusal confirms too: it acknowledges the leader.
#[test]
fn a_lost_round_is_repeated() {
    let mut leader = open_leader(3);
    read(&mut leader, 1);
    read(&mut leader, 2);
    assert_eq!(rounds(&leader.step(Event::HeartbeatTimeout)), [2, 2]);
    let behind = Message::AppendEntriesResponse { term: Term(2), result: Err(Box::default()), round: Round(2) };
    assert_eq!(ready(&leader.receive(3, behind)), [(read_of(1, 1), 2), (read_of(1, 2), 2)]);
}

/// A group of one is its own quorum.
#[test]
fn a_single_voter_reads_at_once() {
    let mut leader = Member::leader(1, 2, &[1]);
    assert_eq!(ready(&read(&mut leader, 1)), [(read_of(1, 1), 2)]);
    let mut opening = Member::with(1, 1, &[1]);
    opening.win();
    assert_eq!(ready(&read(&mut opening, 1)), []);
    assert_eq!(ready(&opening.persisted()), [(read_of(1, 1), 2)]);
}

/// Dissertation §6.4: "followers can … issue a request to the leader that just asks for the leader's current readIndex".
#[test]
fn a_follower_forwards_reads() {
    let mut follower = Member::following(3, 2, &[1]);
    let asked = Message::ReadIndex { term: Term(2), id: read_of(1, 7) };
    assert_eq!(read(&mut follower, 7), [Effect::Send { to: id(2), message: asked, gate: Gate::Now }]);
    let answer = Message::ReadIndexResponse { term: Term(2), id: read_of(1, 7), index: Some(Index(5)) };
    assert_eq!(ready(&follower.receive(2, answer)), [(read_of(1, 7), 5)]);
    let refusal = Message::ReadIndexResponse { term: Term(2), id: read_of(1, 8), index: None };
    assert_eq!(follower.receive(2, refusal), [Effect::Refuse { what: Refused::Read(read_of(1, 8)), leader: Some(id(2)) }]);
    let anothers = Message::ReadIndexResponse { term: Term(2), id: read_of(3, 9), index: Some(Index(5)) };
    assert_eq!(follower.receive(2, anothers), []);
}

/// The leader confirms a forwarded read like its own, and tells who asked; who asks in another's name is not answered.
#[test]
fn a_forwarded_read_is_confirmed() {
    let mut leader = open_leader(3);
    let asked = |node| Message::ReadIndex { term: Term(2), id: read_of(node, 7) };
    assert_eq!(leader.receive(2, asked(3)), []);
    assert_eq!(rounds(&leader.receive(3, asked(3))), [1, 1]);
    let answer = Message::ReadIndexResponse { term: Term(2), id: read_of(3, 7), index: Some(Index(2)) };
    assert_eq!(sent(&leader.receive(2, accepted_in(2, 2, 1))), [(3, answer)]);
}

/// Who does not lead answers so, and who knows no leader refuses.
#[test]
fn reads_without_a_leader_are_refused() {
    assert_eq!(read(&mut Member::of(3), 1), [Effect::Refuse { what: Refused::Read(read_of(1, 1)), leader: None }]);
    let mut candidate = Member::of(3);
    candidate.campaign();
    assert_eq!(read(&mut candidate, 1), [Effect::Refuse { what: Refused::Read(read_of(1, 1)), leader: None }]);
    let asked = Message::ReadIndex { term: Term(2), id: read_of(2, 7) };
    let answer = Message::ReadIndexResponse { term: Term(2), id: read_of(2, 7), index: None };
    assert_eq!(only(&Member::following(3, 2, &[]).receive(2, asked)), answer);
}

/// Leadership lost, by whichever way: every waiting read is refused, one's own and others'.
#[test]
fn reads_are_refused_when_leadership_is_lost() {
    let losses = [
        Event::DiskStalled,
        Event::Receive { from: id(2), message: accepted(9, 0) },
        Event::Receive { from: id(3), message: Message::RequestVote { term: Term(9), last: world::entry(0, 0) } },
    ];
    for loss in losses {
        let mut leader = open_leader(3);
        read(&mut leader, 1);
        leader.receive(3, Message::ReadIndex { term: Term(2), id: read_of(3, 7) });
        let effects = leader.step(loss);
        assert!(effects.contains(&Effect::Refuse { what: Refused::Read(read_of(1, 1)), leader: None }), "{effects:?}");
        let told = |(to, message): &(u32, Message)| *to == 3 && matches!(message, Message::ReadIndexResponse { index: None, .. });
        assert!(sent(&effects).iter().any(told), "{effects:?}");
    }
}

/// The queue of waiting reads is bounded; at the bound reads are refused and may be repeated.
#[test]
fn waiting_reads_are_bounded() {
    let mut leader = Member::limited_leader(3, 1, &[], Limits { reads_max: 2, ..Limits::default() });
    read(&mut leader, 1);
    read(&mut leader, 2);
    assert_eq!(read(&mut leader, 3), [Effect::Refuse { what: Refused::Read(read_of(1, 3)), leader: Some(id(1)) }]);
}

/// A leader that was deposed without knowing it is asked, while answers to its last heartbeat, older than the read, are still on their way.
fn stale_read(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::new(3, Limits::default(), step);
    world.local_laws = false;
    world.elect(id(1))?;
    world.heartbeat(id(1))?;
    for node in [2, 3] {
        world.deliver_first(id(1), id(node), false, |_| true)?;
        world.sync(id(node))?;
    }
    let late = std::mem::take(&mut world.network);
    let is_apart = |from, to| from != id(1) && to != id(1);
    world.time_out(id(2))?;
    world.settle_with(|packet| is_apart(packet.from, packet.to))?;
    world.propose(id(2), 1)?;
    world.settle_with(|packet| is_apart(packet.from, packet.to))?;
    if world.ghost.committed_through() != Index(3) || world.state(id(1)).as_leader().is_none() || late.len() != 2 {
        return Err("the story went another way".to_owned());
    }
    world.read(id(1))?;
    world.network = late;
    world.settle()
}

/// Dissertation §6.4: "if it did [lose leadership], the read would be stale". The mistakes: an older round confirms (etcd-io/etcd#20418), or none is needed (deventlab/d-engine#381).
#[test]
fn a_deposed_leader_answers_no_read() {
    struct OlderRound;
    impl Rules for OlderRound {
        fn read_round(leader: &Leader) -> Round {
            leader.round
        }
    }
    struct NoRound;
    impl Rules for NoRound {
        fn confirmed_round(_: &Params, leader: &Leader) -> Round {
            leader.round
        }
    }
    stale_read(step).expect("the papers' rules");
    for mistake in [step_with::<OlderRound>, step_with::<NoRound>] {
        let wrong = stale_read(mistake).expect_err("the mistake shows");
        assert!(wrong.contains("was committed when it began"), "{wrong}");
    }
}
