//! Snapshots and compaction. "Paper": Ongaro & Ousterhout 2014, extended version, §7 and fig. 13; "dissertation": Ongaro 2014, chapter 5.

mod world;

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    raft::{
        BadShape, Behind, Effect, Event, Flow, Gate, HardState, INDEX_MAX, Limits, LogShape, Message, Round, Rules, Run, Unrecoverable,
        recover, step, step_with,
    },
};
use world::{
    Body, StepFn, World, Wrong, entry, id,
    member::{Member, accepted, append, appended, log_of, restarts_timer, sent},
};

fn keep(keep_entries: u64) -> Limits {
    Limits { keep_entries, keep_entries_transfer: keep_entries + 10, ..Limits::default() }
}

fn refusal(last: u64, runs: &[(u64, u64)]) -> Message {
    let runs = runs.iter().map(|&(term, first)| Run { term: Term(term), first: Index(first) }).collect();
    Message::AppendEntriesResponse { term: Term(2), result: Err(Box::new(Behind { last: Index(last), runs })), round: Round(0) }
}

fn received(at: EntryId) -> Event {
    Event::SnapshotReceived { from: id(2), term: Term(4), at }
}

/// A leader of term 2 with ten entries of term 1, all applied, and a log that begins behind entry 8.
fn compacted_leader() -> Member {
    let mut leader = Member::limited_leader(3, 2, &[1; 10], keep(2));
    leader.receive(3, Message::AppendEntriesResponse { term: Term(2), result: Ok(Index(11)), round: Round(0) });
    leader.step(Event::Applied { through: Index(11) });
    assert_eq!(leader.step(Event::SnapshotTaken { at: entry(1, 10) }), [Effect::Compact { through: Index(8) }]);
    leader
}

/// Paper §7: "Once a server completes writing a snapshot, it may delete all log entries up through the last included index"; here all but a trailing window.
#[test]
fn a_durable_snapshot_lets_entries_go() {
    let leader = compacted_leader();
    assert_eq!((leader.state.log.base(), leader.state.log.last()), (entry(1, 8), Index(11)));
    assert_eq!(leader.state.log.runs(), [Run { term: Term(1), first: Index(9) }, Run { term: Term(2), first: Index(11) }]);
}

/// A snapshot of what is not applied here (entry 14), of another history (term 9), from which nothing more follows (1:10 again), or older than the log, lets nothing go.
#[test]
fn other_snapshots_let_nothing_go() {
    let mut leader = compacted_leader();
    leader.step(Event::Propose { count: 3 });
    let others = [(1, 9), (2, 9), (1, 3), (1, 10), (2, 14), (2, 15), (9, 11), (9, u64::MAX), (0, 0)];
    for at in others.map(|(term, index)| entry(term, index)) {
        let before = leader.state.clone();
        assert_eq!(leader.step(Event::SnapshotTaken { at }), [], "{at}");
        assert_eq!(leader.state, before, "{at}");
    }
}

/// Paper §7: "the leader must occasionally send snapshots to followers that lag behind … when the leader has already discarded the next log entry that it needs to send".
#[test]
fn a_lagging_follower_gets_a_snapshot() {
    let mut leader = compacted_leader();
    assert_eq!(leader.receive(2, refusal(4, &[(1, 1)])), [Effect::SendSnapshot { to: id(2), at: entry(1, 8) }]);
    let flow = leader.state.as_leader().and_then(|leader| leader.peers.get(id(2))).map(|peer| peer.flow);
    assert_eq!(flow, Some(Flow::Snapshot { at: entry(1, 8) }));
    assert_eq!(appended(&leader.step(Event::Propose { count: 1 }), 2), [], "entries wait for it");
}

/// One that does not answer costs nothing: no snapshot is sent into the void.
#[test]
fn a_dead_follower_gets_no_snapshot() {
    let mut leader = compacted_leader();
    leader.step(Event::Unreachable { peer: id(2) });
    for _ in 0..3 {
        let effects = leader.step(Event::HeartbeatTimeout);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::SendSnapshot { .. })));
        assert_eq!(appended(&effects, 2).len(), 1);
    }
}

/// Paper §5.2 during §7: a peer that is being sent a snapshot still gets heartbeats, which ask whether it is installed; so a lost acknowledgement does not pin it, and a lost snapshot
/// is sent again.
#[test]
fn heartbeats_go_on_during_a_snapshot() {
    let mut leader = compacted_leader();
    leader.receive(2, refusal(4, &[(1, 1)]));
    assert_eq!(appended(&leader.step(Event::HeartbeatTimeout), 2), [(9, 8)]);
    assert_eq!(leader.receive(2, refusal(4, &[(1, 1)])), [Effect::SendSnapshot { to: id(2), at: entry(1, 8) }]);
    assert_eq!(appended(&leader.receive(2, accepted(2, 8)), 2), [(9, 11)]);
}

/// After a failed transfer the next answer decides anew.
#[test]
fn a_failed_snapshot_is_decided_anew() {
    let mut leader = compacted_leader();
    leader.receive(2, refusal(4, &[(1, 1)]));
    assert_eq!(leader.step(Event::SnapshotFailed { to: id(2) }), []);
    assert_eq!(appended(&leader.step(Event::HeartbeatTimeout), 2), [(9, 8)]);
    assert_eq!(leader.receive(2, refusal(4, &[(1, 1)])), [Effect::SendSnapshot { to: id(2), at: entry(1, 8) }]);
    assert_eq!(leader.step(Event::SnapshotFailed { to: id(3) }), [], "nothing was sent to it");
}

/// Takes in more entries, which a quorum stores and everybody applies, and a snapshot of the last of them: where the log begins then.
fn compacted_behind(leader: &mut Member, count: u32) -> Index {
    leader.step(Event::Propose { count });
    leader.persisted();
    let last = leader.state.log.last();
    leader.receive(3, Message::AppendEntriesResponse { term: Term(2), result: Ok(last), round: Round(0) });
    leader.step(Event::Applied { through: last });
    leader.step(Event::SnapshotTaken { at: leader.state.log.last_id() });
    leader.state.log.base().index
}

/// Compaction keeps what a running transfer will need, up to a bound of its own.
#[test]
fn a_transfer_holds_compaction_back() {
    let mut leader = compacted_leader();
    leader.receive(2, refusal(4, &[(1, 1)]));
    for (count, base) in [(4, 8), (10, 13)] {
        assert_eq!(compacted_behind(&mut leader, count), Index(base), "{count} more");
    }
    let effects = leader.receive(2, accepted(2, 8));
    assert_eq!(appended(&effects, 2), [], "what it installed is not enough any more");
    assert_eq!(leader.receive(2, refusal(8, &[(1, 8)])), [Effect::SendSnapshot { to: id(2), at: entry(2, 13) }]);
}

/// A transfer that failed needs nothing any more, and holds nothing back.
#[test]
fn a_failed_transfer_lets_compaction_go_on() {
    let mut leader = compacted_leader();
    leader.receive(2, refusal(4, &[(1, 1)]));
    leader.step(Event::SnapshotFailed { to: id(2) });
    assert_eq!(compacted_behind(&mut leader, 4), Index(13), "two entries behind 15");
}

/// Paper fig. 13, 7 and 8: "Discard the entire log. Reset state machine using snapshot contents"; in one durable step with term and vote, which the acknowledgement waits for.
#[test]
fn a_snapshot_replaces_what_conflicts() {
    for log in [&[1, 1][..], &[1, 1, 2, 2, 2, 2, 2]] {
        let mut member = Member::with(3, 3, log);
        let effects = member.step(received(entry(3, 5)));
        assert_eq!((member.state.log.clone(), member.commit(), member.state.applied), (LogShape::new(entry(3, 5)), 5, Index(5)));
        let [Effect::ResetElectionTimer, Effect::InstallSnapshot { hard, at, keep_suffix, .. }, Effect::Send { message, gate, .. }] =
            effects.as_slice()
        else {
            panic!("{effects:?}")
        };
        assert_eq!((hard.term, *at, *keep_suffix, *gate), (Term(4), entry(3, 5), false, Gate::AfterPersist));
        assert!(matches!(message, Message::AppendEntriesResponse { result: Ok(Index(5)), .. }));
    }
}

/// Paper §7: "If … the follower receives a snapshot that describes a prefix of its log …, then log entries covered by the snapshot are deleted but entries following the snapshot are still valid and must be retained."
#[test]
fn a_snapshot_of_a_prefix_keeps_the_rest() {
    let mut member = Member::with(3, 4, &[1, 1, 3, 3]);
    let effects = member.step(received(entry(3, 3)));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::InstallSnapshot { keep_suffix: true, .. })));
    assert_eq!((member.state.log.base(), member.state.log.last_id(), member.commit()), (entry(3, 3), entry(3, 4), 3));
}

/// A snapshot at or below the commit index changes nothing, but is answered: its sender may not know.
#[test]
fn an_old_snapshot_is_only_answered() {
    for at in [entry(1, 2), entry(3, 4)] {
        let mut member = Member::with(3, 4, &[]);
        member.receive(2, append(4, entry(0, 0), &[1, 1, 3, 3], 4));
        let before = member.state.log.clone();
        let effects = member.step(received(at));
        assert_eq!((member.state.log.clone(), member.commit()), (before, 4), "{at}");
        assert!(matches!(sent(&effects).as_slice(), [(2, Message::AppendEntriesResponse { result: Ok(index), .. })] if *index == at.index));
    }
}

/// Paper fig. 13, 1: "Reply immediately if term < currentTerm"; and what no leader sends, or nobody known, is dropped.
#[test]
fn a_deposed_leaders_snapshot_is_refused() {
    let mut member = Member::with(3, 6, &[1]);
    let effects = member.step(received(entry(3, 5)));
    assert!(matches!(sent(&effects).as_slice(), [(2, Message::AppendEntriesResponse { term: Term(6), result: Err(_), .. })]));
    assert_eq!(member.state.log, log_of(&[1]));
    let stranger = Event::SnapshotReceived { from: NodeId(9), term: Term(7), at: entry(3, 5) };
    assert_eq!(member.step(stranger), []);
    for at in [entry(8, 5), entry(3, INDEX_MAX.0 + 1)] {
        let liar = Event::SnapshotReceived { from: id(2), term: Term(7), at };
        assert_eq!((member.step(liar), member.term()), (vec![], 6), "{at}");
    }
    member.step(Event::SnapshotReceived { from: id(2), term: Term(7), at: entry(3, INDEX_MAX.0) });
    assert_eq!(member.state.log, LogShape::new(entry(3, INDEX_MAX.0)), "the last index there is");
}

/// Paper §7: an AppendEntries that begins below the snapshot: what it covers is committed, so it matches; the rest is judged as ever.
#[test]
fn an_append_across_the_snapshots_end_fits() {
    let mut member = Member::with(3, 3, &[]);
    let effects = member.step(received(entry(3, 5)));
    assert!(restarts_timer(&effects));
    let effects = member.receive(2, append(4, entry(1, 3), &[3, 3, 4], 6));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Persist { append: Some(append), .. } if append.last == Index(6) && append.runs[0].first == Index(6))));
    assert_eq!((member.state.log.last_id(), member.commit()), (entry(4, 6), 6));
    member.receive(2, append(4, entry(1, 1), &[1], 6));
    assert_eq!((member.state.log.last_id(), member.commit()), (entry(4, 6), 6));
}

/// The acknowledgement of a snapshot is lost, and so is a whole snapshot: both end well, but only if the peer is spoken to meanwhile.
fn lost_acknowledgement(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::with_disks(&[(1, &[1; 9]), (1, &[1; 9]), (1, &[1])], keep(0), step);
    let is_snapshot = |body: &Body| matches!(body, Body::Snapshot { .. });
    world.time_out(id(1))?;
    world.settle_with(|packet| packet.to != id(3) && packet.from != id(3))?;
    world.checkpoint(id(1))?;
    world.heartbeat(id(1))?;
    while !world.network.iter().any(|packet| is_snapshot(&packet.body)) {
        if world.network.is_empty() {
            return Err("no snapshot is sent".to_owned());
        }
        world.deliver(0, false)?;
        for node in 1..=3 {
            world.sync(id(node))?;
        }
    }
    // It arrives, is installed, and nobody hears of it.
    world.network.retain(|packet| is_snapshot(&packet.body));
    world.deliver(0, false)?;
    world.sync(id(3))?;
    world.network.clear();
    world.propose(id(1), 1)?;
    for _ in 0..3 {
        world.heartbeat(id(1))?;
        world.settle()?;
    }
    let state = world.state(id(3));
    if state.applied == Index(11) { Ok(()) } else { Err(format!("node 3 is pinned at {}", state.applied)) }
}

/// As above; the mistake is that of ResilientDB's Raft branch: who is behind the snapshot gets no heartbeats.
#[test]
fn a_lost_acknowledgement_does_not_pin_a_peer() {
    struct Silent;
    impl Rules for Silent {
        fn beats_during_snapshot() -> bool {
            false
        }
    }
    lost_acknowledgement(step).expect("the papers' rules");
    lost_acknowledgement(step_with::<Silent>).expect_err("the mistake shows");
}

/// A follower with a longer log that conflicts with the snapshot. Dissertation §5.3; hashicorp/raft#697: kept, its tail would follow another history.
fn conflicting_suffix(step: StepFn) -> Result<(), Wrong> {
    let mut world = World::with_disks(&[(3, &[1, 3, 3, 3]), (3, &[1, 3, 3, 3]), (3, &[1, 2, 2, 2, 2, 2, 2])], keep(0), step);
    world.local_laws = false;
    world.crash(id(3), 0);
    world.elect(id(1))?;
    world.checkpoint(id(1))?;
    world.restart(id(3))?;
    for _ in 0..4 {
        world.heartbeat(id(1))?;
        world.settle()?;
    }
    let (one, three) = (world.state(id(1)), world.state(id(3)));
    if one.log.last_id() == three.log.last_id() && three.applied == Index(5) {
        Ok(())
    } else {
        Err(format!("{:?} beside {:?}", one.log, three.log))
    }
}

/// Paper fig. 13, 6: only "if existing log entry has same index and term as snapshot's last included entry, retain log entries following it".
#[test]
fn a_conflicting_suffix_goes() {
    struct Keeps;
    impl Rules for Keeps {
        fn keeps_suffix(log: &LogShape, at: EntryId) -> bool {
            log.last() > at.index
        }
    }
    conflicting_suffix(step).expect("the papers' rules");
    conflicting_suffix(step_with::<Keeps>).expect_err("the mistake shows");
}

/// Paper fig. 2, persistent state: after a restart a member knows its term, vote, log and what was applied; its commit index it learns again. What contradicts itself is refused, since something durable was lost.
#[test]
fn a_restart_believes_only_what_fits() {
    let log = |base: EntryId, last: u64| {
        let runs = if last > base.index.0 { vec![Run { term: Term(3), first: base.index.next() }] } else { vec![] };
        LogShape::from_runs(base, runs, Index(last)).expect("a log")
    };
    let with = |term: u64, log: LogShape, applied: u64| {
        let hard = HardState { term: Term(term), vote: Some(id(2)) };
        recover(id(1), hard, log, Index(applied)).map(|state| (state.hard, state.commit.0, state.leader()))
    };
    let hard = HardState { term: Term(3), vote: Some(id(2)) };
    assert_eq!(with(3, log(entry(2, 4), 9), 4), Ok((hard, 4, None)));
    assert_eq!(with(3, log(entry(2, 4), 9), 7), Ok((hard, 7, None)));
    assert_eq!(with(2, log(entry(2, 4), 9), 7), Err(Unrecoverable::TermBehindLog { term: Term(2), newest: entry(3, 9) }));
    assert_eq!(with(3, log(entry(2, 4), 9), 10), Err(Unrecoverable::AppliedBeyondLog { applied: Index(10), last: Index(9) }));
    assert_eq!(with(3, log(entry(2, 4), 9), 3), Err(Unrecoverable::AppliedBehindLog { applied: Index(3), base: entry(2, 4) }));
}

/// What a damaged disk may claim to be a log.
#[test]
fn only_logs_are_logs() {
    let shape = |base: EntryId, runs: &[(u64, u64)], last: u64| {
        let runs = runs.iter().map(|&(term, first)| Run { term: Term(term), first: Index(first) }).collect();
        LogShape::from_runs(base, runs, Index(last)).map(|log| log.last_id())
    };
    assert_eq!(shape(entry(2, 4), &[(2, 5), (3, 7)], 7), Ok(entry(3, 7)));
    assert_eq!(shape(entry(2, 4), &[], 4), Ok(entry(2, 4)));
    assert!(matches!(shape(entry(2, 4), &[], 3), Err(BadShape::EndsBeforeBase { .. })));
    assert!(matches!(shape(entry(2, 4), &[], 5), Err(BadShape::Gap { .. })));
    assert!(matches!(shape(entry(2, 4), &[(2, 6)], 7), Err(BadShape::Gap { .. })));
    assert!(matches!(shape(entry(2, 4), &[(1, 5)], 7), Err(BadShape::Disorder { .. })));
    assert!(matches!(shape(entry(0, 0), &[(0, 1)], 7), Err(BadShape::Disorder { .. })));
    assert!(matches!(shape(entry(2, 4), &[(2, 5), (2, 6)], 7), Err(BadShape::Disorder { .. })));
    assert!(matches!(shape(entry(2, 4), &[(2, 5), (3, 5)], 7), Err(BadShape::Disorder { .. })));
    assert!(matches!(shape(entry(2, 4), &[(2, 5), (3, 8)], 7), Err(BadShape::EndsBeforeRun { .. })));
    assert!(matches!(shape(entry(2, u64::MAX), &[(2, u64::MAX)], u64::MAX), Err(BadShape::Endless { .. })));
    let last = 1 << 63;
    assert!(
        matches!(shape(entry(2, last - 1), &[(2, last)], last), Err(BadShape::Endless { .. })),
        "any two indices add up without running over"
    );
}
