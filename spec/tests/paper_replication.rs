//! Log replication, sentence by sentence. "Paper": Ongaro & Ousterhout 2014, extended version; "dissertation": Ongaro 2014.

mod world;

use roadstead_spec::{
    Index, NodeId, Term,
    raft::{Behind, Effect, Event, Flow, INDEX_MAX, Law, Limits, Mark, Message, Refused, Round, Run, Slice},
};
use world::{
    entry, id,
    member::{Member, accepted, accepted_in, append, appended, applies, only, sent},
};

fn refused(effects: &[Effect]) -> Behind {
    match only(effects) {
        Message::AppendEntriesResponse { result: Err(behind), .. } => *behind,
        other => panic!("a refusal, not {other:?}"),
    }
}

fn verified(effects: &[Effect]) -> u64 {
    match only(effects) {
        Message::AppendEntriesResponse { result: Ok(index), .. } => index.0,
        other => panic!("an acknowledgement, not {other:?}"),
    }
}

fn written(effects: &[Effect]) -> Option<(Option<u64>, u64, u64)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Persist { truncate_from, append: Some(append), .. } => {
            Some((truncate_from.map(|from| from.0), append.runs.first()?.first.0, append.last.0))
        }
        _ => None,
    })
}

/// Paper §5.3: "The leader appends the command to its log as a new entry, then issues AppendEntries RPCs in parallel to each of the other servers to replicate the entry."
#[test]
fn a_command_is_appended_and_sent_to_everybody() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted(1, 1));
    leader.receive(3, accepted(1, 1));
    let effects = leader.step(Event::Propose { count: 3 });
    assert_eq!(written(&effects), Some((None, 2, 4)));
    assert_eq!((appended(&effects, 2), appended(&effects, 3)), (vec![(2, 4)], vec![(2, 4)]));
}

/// Paper §5.1: clients' requests go to the leader; others name it.
#[test]
fn others_refuse_commands_and_name_the_leader() {
    let mut member = Member::following(3, 1, &[]);
    let expected = Effect::Refuse { what: Refused::Propose, leader: Some(id(2)) };
    assert_eq!(member.step(Event::Propose { count: 1 }), [expected]);
    assert_eq!(member.step(Event::Propose { count: 0 }), []);
    let expected = Effect::Refuse { what: Refused::Propose, leader: None };
    assert_eq!(Member::of(3).step(Event::Propose { count: 1 }), [expected]);
}

/// Paper §5.3: "A log entry is committed once the leader that created the entry has replicated it on a majority of the servers. This also commits all preceding entries".
#[test]
fn a_majority_commits() {
    let mut leader = Member::leader(5, 2, &[1, 1]);
    leader.receive(2, accepted(2, 3));
    assert_eq!(leader.commit(), 0);
    assert_eq!(applies(&leader.receive(3, accepted(2, 3))), Some(3));
    leader.step(Event::Propose { count: 2 });
    leader.persisted();
    leader.receive(2, accepted(2, 5));
    assert_eq!(leader.commit(), 3);
    leader.receive(4, accepted(2, 4));
    assert_eq!(leader.commit(), 4, "what three of five hold");
}

/// Dissertation §10.2.1: the leader writes and sends in parallel, and "may even commit an entry before it has been written to the leader's own disk"; its own copy counts when durable.
#[test]
fn the_own_copy_counts_when_durable() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted(1, 1));
    leader.step(Event::Propose { count: 1 });
    leader.receive(2, accepted(1, 2));
    assert_eq!(leader.commit(), 1, "one durable copy of two written");
    assert_eq!(applies(&leader.persisted()), Some(2));
    leader.step(Event::Propose { count: 1 });
    leader.receive(2, accepted(1, 3));
    assert_eq!(applies(&leader.receive(3, accepted(1, 3))), Some(3), "two followers suffice");
}

/// The same: a write of an older term says nothing about entries of this one, nor does a new leader trust what it wrote before it was elected.
#[test]
fn older_writes_do_not_count() {
    let mut leader = Member::with(3, 1, &[1]);
    leader.win();
    leader.step(Event::Propose { count: 1 });
    leader.receive(2, accepted(2, 3));
    leader.step(Event::Persisted { mark: Mark { term: Term(1), index: Index(3) } });
    assert_eq!(leader.commit(), 0);
    leader.step(Event::Persisted { mark: Mark { term: Term(2), index: Index(2) } });
    assert_eq!(leader.commit(), 2);
    let effects = leader.step(Event::Persisted { mark: Mark { term: Term(2), index: Index(9) } });
    assert_eq!(effects, [Effect::Halt { law: Law::DurableBeyondLog }]);
}

/// Paper §5.3: "The leader keeps track of the highest index it knows to be committed, and it includes that index in future AppendEntries RPCs (including heartbeats)".
#[test]
fn the_commit_index_travels() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted(1, 1));
    let effects = leader.step(Event::HeartbeatTimeout);
    assert!(sent(&effects).iter().all(|(_, message)| matches!(message, Message::AppendEntries { commit: Index(1), .. })));
    assert_eq!(sent(&effects).len(), 2);
}

/// Paper §5.3: "Once a follower learns that a log entry is committed, it applies the entry to its local state machine"; the write comes first.
#[test]
fn a_follower_applies_what_is_committed() {
    let mut member = Member::of(3);
    let effects = member.receive(2, append(1, entry(0, 0), &[1, 1, 1], 2));
    assert_eq!((applies(&effects), member.commit()), (Some(2), 2));
    let order: Vec<bool> = effects
        .iter()
        .filter(|effect| !matches!(effect, Effect::ResetElectionTimer))
        .map(|effect| matches!(effect, Effect::Persist { .. }))
        .collect();
    assert_eq!(order, [true, false, false]);
}

/// Paper fig. 2, AppendEntries 5: "set commitIndex = min(leaderCommit, index of last new entry)": never what this message did not verify, never back.
#[test]
fn a_follower_commits_only_what_was_verified() {
    let mut member = Member::with(3, 1, &[1, 1, 1, 1]);
    assert_eq!(verified(&member.receive(2, append(2, entry(1, 1), &[1], 4))), 2);
    assert_eq!(member.commit(), 2, "entries 3 and 4 may conflict");
    assert_eq!(verified(&member.receive(2, append(2, entry(1, 1), &[], 4))), 1);
    assert_eq!(member.commit(), 2, "and not back");
}

/// Paper §5.3: "If the follower does not find an entry in its log with the same index and term, then it refuses the new entries."
#[test]
fn a_follower_refuses_what_does_not_follow() {
    for prev in [entry(1, 3), entry(2, 2)] {
        let mut member = Member::with(3, 2, &[1, 1]);
        let behind = refused(&member.receive(2, append(2, prev, &[2], 0)));
        assert_eq!((behind.last, behind.runs.as_slice()), (Index(2), [Run { term: Term(1), first: Index(1) }].as_slice()));
        assert_eq!(member.terms(), [1, 1]);
    }
}

/// Paper fig. 2, AppendEntries 3: "If an existing entry conflicts with a new one (same index but different terms), delete the existing entry and all that follow it".
#[test]
fn conflicting_entries_are_replaced() {
    let mut member = Member::with(3, 4, &[1, 1, 2, 2, 3]);
    let effects = member.receive(2, append(4, entry(1, 2), &[2, 4], 0));
    assert_eq!(member.terms(), [1, 1, 2, 4]);
    assert_eq!(written(&effects), Some((Some(4), 4, 4)), "entry 3 stays untouched");
}

/// Paper §5.3, "AppendEntries RPCs are idempotent" (§5.5), fig. 2 AppendEntries 4: "Append any new entries not already in the log": a late or doubled one deletes nothing.
#[test]
fn a_late_append_deletes_nothing() {
    let mut member = Member::with(3, 1, &[1, 1, 1, 1]);
    for message in [append(1, entry(0, 0), &[1], 0), append(1, entry(1, 1), &[1, 1], 0), append(1, entry(1, 4), &[], 0)] {
        let effects = member.receive(2, message);
        assert_eq!((written(&effects), member.terms()), (None, vec![1, 1, 1, 1]));
    }
}

/// An acknowledgement speaks of what the message carried, not of what else lies here: an old tail may conflict.
#[test]
fn an_old_tail_is_not_acknowledged() {
    let mut member = Member::with(3, 2, &[1, 1, 1, 1]);
    assert_eq!(verified(&member.receive(2, append(2, entry(1, 1), &[1], 0))), 2);
}

/// Paper §5.4.3, Leader Completeness: a leader that contradicts a committed entry is a broken law, and the group stops.
#[test]
fn a_contradiction_of_the_committed_halts() {
    for message in [append(3, entry(1, 1), &[3], 0), append(3, entry(3, 2), &[], 0)] {
        let mut member = Member::of(3);
        member.receive(2, append(1, entry(0, 0), &[1, 1], 2));
        let effects = member.receive(3, message);
        assert!(effects.contains(&Effect::Halt { law: Law::CommittedEntryChanged }), "{effects:?}");
        assert_eq!(member.terms(), [1, 1]);
    }
}

/// Paper §5.3: "When a leader first comes to power, it initializes all nextIndex values to the index just after the last one in its log."
#[test]
fn a_new_leader_begins_at_its_end() {
    let mut member = Member::with(3, 1, &[1, 1]);
    member.win();
    let leader = member.state.as_leader().expect("leads");
    assert!(leader.peers.iter().all(|(_, peer)| peer.next == Index(3) && peer.matched == Index(0)));
}

/// Paper §5.3: "After a rejection, the leader decrements nextIndex and retries … Eventually nextIndex will reach a point where the leader and follower logs match"; here by terms: at once.
#[test]
fn a_refused_leader_retries_where_logs_part() {
    let mut leader = Member::leader(3, 5, &[1, 1, 1, 3, 3, 4]);
    let runs = [Run { term: Term(2), first: Index(4) }, Run { term: Term(1), first: Index(1) }].into_iter().collect();
    let result = Err(Box::new(Behind { last: Index(6), runs }));
    let effects = leader.receive(2, Message::AppendEntriesResponse { term: Term(5), result, round: Round(0) });
    assert_eq!(appended(&effects, 2), [(4, 7)], "entries 1 to 3 are of term 1 in both");
}

/// Paper fig. 3, Leader Append-Only (a law, checked at each step): also a new leader keeps what it does not know to be committed.
#[test]
fn a_leader_keeps_what_is_uncommitted() {
    assert_eq!(Member::leader(3, 9, &[1, 4, 7]).terms(), [1, 4, 7, 9]);
}

/// Paper §5.3 with dissertation §10.2.1, pipelining: the window bounds messages and entries, and an answer lets the rest go, slice by slice.
#[test]
fn the_window_fills_and_empties() {
    let limits = Limits { inflight_messages_max: 3, inflight_entries_max: 8, slice_entries_max: 3, ..Limits::default() };
    let mut leader = Member::limited_leader(2, 1, &[], limits);
    leader.receive(2, accepted(1, 1));
    let effects = leader.step(Event::Propose { count: 20 });
    assert_eq!(appended(&effects, 2), [(2, 4), (5, 7), (8, 9)], "three messages, eight entries");
    assert_eq!(appended(&leader.step(Event::Propose { count: 1 }), 2), []);
    assert_eq!(appended(&leader.receive(2, accepted(1, 4)), 2), [(10, 12)]);
    assert_eq!(appended(&leader.receive(2, accepted(1, 12)), 2), [(13, 15), (16, 18), (19, 20)], "an answer may stand for several");
}

/// The same with small messages: there are no more of them under way than the window allows, however few entries they bring, and each answer lets one go.
#[test]
fn the_window_counts_messages_too() {
    let limits = Limits { inflight_messages_max: 2, inflight_entries_max: 100, slice_entries_max: 10, ..Limits::default() };
    let mut leader = Member::limited_leader(2, 1, &[], limits);
    leader.receive(2, accepted(1, 1));
    let propose = |leader: &mut Member| appended(&leader.step(Event::Propose { count: 1 }), 2);
    assert_eq!((propose(&mut leader), propose(&mut leader)), (vec![(2, 2)], vec![(3, 3)]));
    assert_eq!((propose(&mut leader), propose(&mut leader)), (vec![], vec![]), "two are under way");
    assert_eq!(appended(&leader.receive(2, accepted(1, 2)), 2), [(4, 5)]);
    assert_eq!(propose(&mut leader), []);
    assert_eq!(appended(&leader.receive(2, accepted(1, 2)), 2), [], "an answer that says nothing new frees no place");
    assert_eq!(appended(&leader.receive(2, accepted(1, 5)), 2), [(6, 6)], "nothing is under way any more");
}

/// A lost message shows at the next heartbeat, and the gap is closed without any other sign.
#[test]
fn a_lost_append_is_sent_again() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted(1, 1));
    leader.step(Event::Propose { count: 4 });
    let beat = leader.step(Event::HeartbeatTimeout);
    assert_eq!(appended(&beat, 2), [(6, 5)], "it asks about entry 5");
    let mut follower = Member::with(3, 1, &[1]);
    follower.state.id = NodeId(2);
    let slice = match sent(&beat).remove(0).1 {
        Message::AppendEntries { slice, .. } => slice,
        other => panic!("an append, not {other:?}"),
    };
    let message = Message::AppendEntries { term: Term(1), slice, commit: Index(1), round: Round(0) };
    let answer = sent(&follower.receive(1, message)).remove(0).1;
    assert_eq!(appended(&leader.receive(2, answer), 2), [(2, 5)]);
}

/// A broken connection may have lost what was in flight: the leader goes back to what is known.
#[test]
fn an_unreachable_peer_is_probed() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted(1, 1));
    leader.step(Event::Propose { count: 4 });
    assert_eq!(leader.step(Event::Unreachable { peer: id(2) }), []);
    assert_eq!(appended(&leader.step(Event::HeartbeatTimeout), 2), [(2, 5)]);
    assert_eq!(appended(&leader.step(Event::HeartbeatTimeout), 2), [(2, 1)], "a probe is not repeated with its entries");
    assert_eq!(leader.step(Event::Unreachable { peer: id(9) }), []);
}

/// Paper §5.3: matchIndex "increases monotonically" (fig. 2): a late acknowledgement does not take it back, a doubled one changes nothing.
#[test]
fn late_acknowledgements_change_nothing() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.step(Event::Propose { count: 5 });
    leader.receive(2, accepted(1, 6));
    for late in [3, 6, 0] {
        leader.receive(2, accepted(1, late));
        assert_eq!(leader.matched(2), 6);
    }
    let late = Err(Box::new(Behind { last: Index(2), ..Behind::default() }));
    let effects = leader.receive(2, Message::AppendEntriesResponse { term: Term(1), result: late, round: Round(0) });
    assert_eq!((effects, leader.matched(2)), (vec![], 6));
    leader.receive(2, accepted(0, 99));
    assert_eq!(leader.matched(2), 6, "an older term's");
}

/// An answer that claims what was never sent is a broken law.
#[test]
fn an_impossible_acknowledgement_halts() {
    let mut leader = Member::leader(3, 1, &[]);
    assert_eq!(leader.receive(2, accepted(1, 2)), [Effect::Halt { law: Law::MatchedBeyondLog }]);
}

/// What no leader sends is dropped, whatever it claims.
#[test]
fn impossible_appends_are_dropped() {
    let mut backwards = Slice::empty(entry(1, 5));
    backwards.last = Index(3);
    let mut gap = Slice::empty(entry(0, 0));
    gap.runs.push(Run { term: Term(1), first: Index(7) });
    gap.last = Index(9);
    let mut endless = Slice::empty(entry(0, u64::MAX));
    endless.runs.push(Run { term: Term(1), first: Index(u64::MAX) });
    endless.last = Index(u64::MAX);
    for slice in [backwards, gap, endless] {
        let mut member = Member::with(3, 1, &[1, 1]);
        let effects = member.receive(2, Message::AppendEntries { term: Term(1), slice, commit: Index(u64::MAX), round: Round(u64::MAX) });
        assert_eq!((effects, member.terms()), (vec![], vec![1, 1]));
    }
    let mut member = Member::with(3, 1, &[1, 1]);
    assert_eq!(member.receive(2, append(1, entry(1, 2), &[2], 0)), [], "an entry of a later term than its leader's");
    let mut longest = Slice::empty(entry(1, 2));
    longest.runs.push(Run { term: Term(1), first: Index(3) });
    longest.last = INDEX_MAX;
    member.receive(2, Message::AppendEntries { term: Term(1), slice: longest.clone(), commit: Index(0), round: Round(0) });
    assert_eq!(member.state.log.last(), INDEX_MAX);
    longest.last = INDEX_MAX.next();
    assert_eq!(member.receive(2, Message::AppendEntries { term: Term(1), slice: longest, commit: Index(0), round: Round(0) }), []);
}

/// Rounds that were never begun confirm nothing.
#[test]
fn a_round_from_the_future_confirms_nothing() {
    let mut leader = Member::leader(3, 1, &[]);
    leader.receive(2, accepted_in(1, 1, 9));
    let progress = *leader.state.as_leader().expect("leads").peers.get(id(2)).expect("a peer");
    assert_eq!((progress.round, progress.flow), (Round(0), Flow::Replicate { inflight: 0 }));
}

/// A refusal is only a hint: whatever it claims, the leader goes on within its own log.
#[test]
fn an_impossible_refusal_is_survived() {
    for (last, runs) in
        [(u64::MAX, &[][..]), (9, &[(0, 0)]), (9, &[(u64::MAX, u64::MAX), (0, 1)]), (0, &[(7, 7)]), (2, &[(2, 1), (2, 1), (9, 1)])]
    {
        let mut leader = Member::leader(3, 2, &[1, 1]);
        let runs = runs.iter().map(|&(term, first)| Run { term: Term(term), first: Index(first) }).collect();
        let result = Err(Box::new(Behind { last: Index(last), runs }));
        leader.receive(2, Message::AppendEntriesResponse { term: Term(2), result, round: Round(0) });
        let effects = leader.step(Event::HeartbeatTimeout);
        assert_eq!(appended(&effects, 2).len(), 1, "it is asked again");
    }
}

/// While a probe is on its way, an answer to something older tells how far the peer is, but not where the logs part: the probe's own answer does.
#[test]
fn a_probe_waits_for_its_own_answer() {
    let mut leader = Member::leader(3, 2, &[1; 9]);
    assert_eq!((leader.receive(2, accepted(2, 3)), leader.matched(2)), (vec![], 3));
    leader.step(Event::Propose { count: 1 });
    assert_eq!(appended(&leader.receive(2, accepted(2, 10)), 2), [(11, 11)]);
}
