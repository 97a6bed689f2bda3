//! Elections, sentence by sentence. "Paper": Ongaro & Ousterhout 2014, extended version; "dissertation": Ongaro 2014.

mod world;

use roadstead_spec::{
    NodeId, Term,
    raft::{Effect, Event, Gate, HardState, Message, Origin, Role},
};
use world::{
    entry, id,
    member::{Member, accepted, append, appended, gates, only, restarts_timer, sent},
};

fn request(term: u64, last: roadstead_spec::EntryId) -> Message {
    Message::RequestVote { term: Term(term), last }
}

fn pre_vote(term: u64, last: roadstead_spec::EntryId) -> Message {
    Message::PreVote { term: Term(term), last }
}

fn is_granted(message: &Message) -> bool {
    matches!(message, Message::RequestVoteResponse { granted: true, .. } | Message::PreVoteResponse { granted: true, .. })
}

/// Paper §5.2: "When servers start up, they begin as followers."
#[test]
fn servers_start_as_followers() {
    assert_eq!(Member::with(3, 4, &[1, 4]).state.role, Role::Follower { leader: None, heard: false });
}

/// Paper §5.1: "if one server's current term is smaller than the other's, then it updates its current term to the larger value."
#[test]
fn a_smaller_term_is_updated() {
    let mut member = Member::with(3, 2, &[]);
    let effects = member.receive(2, request(5, entry(0, 0)));
    assert_eq!(member.term(), 5);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Persist { hard: Some(HardState { term: Term(5), .. }), .. })));
}

/// Paper §5.1: "If a candidate or leader discovers that its term is out of date, it immediately reverts to follower state."
#[test]
fn an_out_of_date_candidate_or_leader_steps_down() {
    let mut candidate = Member::of(3);
    candidate.campaign();
    candidate.receive(2, Message::RequestVoteResponse { term: Term(9), granted: false });
    assert!(candidate.is_follower() && candidate.term() == 9);

    let mut leader = Member::leader(3, 1, &[]);
    let effects = leader.receive(3, accepted(7, 0));
    assert!(leader.is_follower() && leader.term() == 7 && restarts_timer(&effects));
}

/// Paper §5.1: "If a server receives a request with a stale term number, it rejects the request."
#[test]
fn stale_requests_are_rejected() {
    let mut member = Member::with(3, 5, &[1]);
    assert_eq!(only(&member.receive(2, request(4, entry(4, 9)))), Message::RequestVoteResponse { term: Term(5), granted: false });
    let Message::AppendEntriesResponse { term, result, .. } = only(&member.receive(2, append(4, entry(1, 1), &[4], 0))) else {
        panic!("an answer")
    };
    assert!(term == Term(5) && result.is_err() && member.terms() == [1]);
}

/// Paper §5.2: "A server remains in follower state as long as it receives valid RPCs from a leader": its timer starts anew, also when the entries
/// do not fit; a stale leader's do not count.
#[test]
fn a_leaders_word_restarts_the_timer() {
    let mut member = Member::with(3, 5, &[1]);
    assert!(restarts_timer(&member.receive(2, append(5, entry(1, 1), &[], 0))));
    assert!(restarts_timer(&member.receive(2, append(5, entry(4, 9), &[], 0))));
    assert!(!restarts_timer(&member.receive(3, append(4, entry(1, 1), &[], 0))));
}

/// Paper §5.2: "To begin an election, a follower increments its current term and transitions to candidate state. It then votes for itself and issues
/// RequestVote RPCs in parallel to each of the other servers in the cluster."
#[test]
fn an_election_begins() {
    let mut member = Member::with(3, 4, &[1, 4]);
    let effects = member.campaign();
    assert_eq!(member.state.hard, HardState { term: Term(5), vote: Some(id(1)) });
    assert_eq!(sent(&effects), [(2, request(5, entry(4, 2))), (3, request(5, entry(4, 2)))]);
    assert!(member.is_candidate() && restarts_timer(&effects));
}

/// Paper fig. 2, "persistent state … updated on stable storage before responding to RPCs", for the candidate's own vote: it is written first, and nobody
/// is asked before.
#[test]
fn a_candidate_asks_behind_its_own_vote() {
    let effects = Member::of(3).campaign();
    let written = effects.iter().position(|effect| matches!(effect, Effect::Persist { hard: Some(_), .. }));
    let asked = effects.iter().position(|effect| matches!(effect, Effect::Send { .. }));
    assert!(written.is_some() && written < asked);
    assert_eq!(gates(&effects), [Gate::AfterPersist, Gate::AfterPersist]);
}

/// Paper §5.2: "A candidate wins an election if it receives votes from a majority of the servers in the full cluster for the same term." Dissent, doubled
/// votes and votes for other terms do not help.
#[test]
fn a_majority_elects() {
    for (voters, needed) in [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3)] {
        let mut member = Member::with(voters, 3, &[]);
        member.campaign();
        for term in [3, 5] {
            let mut stranger = Member { params: member.params.clone(), state: member.state.clone() };
            stranger.receive(2, Message::RequestVoteResponse { term: Term(term), granted: true });
            assert!(stranger.state.as_leader().is_none(), "a vote of term {term}");
        }
        for from in 2..2 + needed {
            assert!(member.is_candidate(), "{} votes of {voters}", from - 1);
            member.receive(from, Message::RequestVoteResponse { term: Term(4), granted: false });
            member.receive(from, member.vote());
            if member.is_candidate() {
                member.receive(from, member.vote());
            }
        }
        assert!(member.state.as_leader().is_some(), "{voters} voters");
    }
}

/// Paper §5.2: "Each server will vote for at most one candidate in a given term, on a first-come-first-served basis"; fig. 2: the same candidate may ask again.
#[test]
fn one_vote_per_term() {
    let mut member = Member::of(3);
    assert!(is_granted(&only(&member.receive(2, request(1, entry(0, 0))))));
    assert!(!is_granted(&only(&member.receive(3, request(1, entry(0, 0))))));
    assert!(is_granted(&only(&member.receive(2, request(1, entry(0, 0))))));
    assert!(is_granted(&only(&member.receive(3, request(2, entry(0, 0))))));
    assert_eq!(member.state.hard, HardState { term: Term(2), vote: Some(id(3)) });
}

/// Paper §5.2, the same: stepping down within the term does not give the vote back.
#[test]
fn stepping_down_keeps_the_vote() {
    let mut member = Member::leader(3, 1, &[]);
    member.step(Event::DiskStalled);
    assert!(member.is_follower() && member.term() == 1);
    assert!(!is_granted(&only(&member.receive(3, request(1, entry(9, 9))))));
}

/// Paper fig. 2: a vote is durable before it is told.
#[test]
fn a_vote_is_told_behind_its_write() {
    let effects = Member::of(3).receive(2, request(1, entry(0, 0)));
    let [Effect::ResetElectionTimer, Effect::Persist { hard: Some(hard), .. }, Effect::Send { gate, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((hard.vote, *gate), (Some(id(2)), Gate::AfterPersist));
}

/// Paper fig. 2, followers: the timer starts anew when a vote is given, not when it is refused.
#[test]
fn only_a_given_vote_restarts_the_timer() {
    let mut member = Member::with(3, 1, &[1, 1]);
    assert!(!restarts_timer(&member.receive(2, request(2, entry(1, 1)))));
    assert!(restarts_timer(&member.receive(3, request(2, entry(1, 2)))));
}

/// Paper §5.4.1: "the voter denies its vote if its own log is more up-to-date than that of the candidate"; "If the logs have last entries with different terms, then the
/// log with the later term is more up-to-date. If the logs end with the same term, then whichever log is longer is more up-to-date."
#[test]
fn only_up_to_date_candidates_get_votes() {
    for (last, granted) in [
        (entry(0, 0), false),
        (entry(1, 1), false),
        (entry(1, 9), false),
        (entry(2, 2), false),
        (entry(2, 3), true),
        (entry(2, 4), true),
        (entry(3, 1), true),
    ] {
        let mut member = Member::with(3, 3, &[1, 2, 2]);
        assert_eq!(is_granted(&only(&member.receive(2, request(4, last)))), granted, "{last}");
    }
}

/// Paper §5.2: "Once a candidate wins an election, it becomes leader. It then sends heartbeat messages to all of the other servers"; §8: "a no-op entry into the log at
/// the start of its term". Here they are one message.
#[test]
fn a_winner_opens_its_term_and_tells_everybody() {
    let mut member = Member::with(3, 4, &[1, 4]);
    let effects = member.win();
    assert_eq!(member.terms(), [1, 4, 5]);
    let noop = |effect: &Effect| matches!(effect, Effect::Persist { append: Some(append), .. } if append.origin == Origin::Noop);
    assert!(effects.iter().any(noop));
    assert_eq!((appended(&effects, 2), appended(&effects, 3)), (vec![(3, 3)], vec![(3, 3)]));
    assert_eq!(gates(&effects), [Gate::Now, Gate::Now]);
}

/// Paper §5.2: "If the leader's term … is at least as large as the candidate's current term, then the candidate recognizes the leader as legitimate and returns to follower state."
#[test]
fn a_candidate_recognizes_a_leader() {
    for term in [1, 2] {
        let mut member = Member::of(3);
        member.campaign();
        member.receive(2, append(term, entry(0, 0), &[term], 0));
        assert_eq!((member.state.leader(), member.term()), (Some(id(2)), term));
    }
}

/// Paper §5.2: "If the term in the RPC is smaller than the candidate's current term, then the candidate rejects the RPC and continues in candidate state."
#[test]
fn a_candidate_rejects_an_older_leader() {
    let mut member = Member::with(3, 4, &[]);
    member.campaign();
    member.receive(2, append(4, entry(0, 0), &[4], 0));
    assert!(member.is_candidate() && member.terms().is_empty());
}

/// Paper §5.2, split votes: "each candidate will time out and start a new election by incrementing its term".
#[test]
fn a_candidate_times_out_and_starts_again() {
    let mut member = Member::of(4);
    member.campaign();
    member.receive(2, member.vote());
    member.campaign();
    assert!(member.is_candidate() && member.term() == 2, "and last term's vote is forgotten");
    member.receive(3, member.vote());
    assert!(member.is_candidate());
}

/// Dissertation §9.6: "a candidate only increments its term if it first learns from a majority of the cluster that they would be willing to grant the candidate their votes".
#[test]
fn a_pre_vote_comes_first() {
    let mut member = Member::with(5, 3, &[2]);
    let effects = member.step(Event::ElectionTimeout);
    assert_eq!(member.term(), 3);
    assert!(sent(&effects).iter().all(|(_, message)| *message == pre_vote(4, entry(2, 1))) && sent(&effects).len() == 4);
    for (from, term, granted) in [(2, 4, true), (2, 4, true), (3, 3, false), (4, 3, true), (5, 9, true)] {
        member.receive(from, Message::PreVoteResponse { term: Term(term), granted });
        assert_eq!(member.term(), 3, "not yet a majority for term 4");
    }
    member.receive(3, Message::PreVoteResponse { term: Term(4), granted: true });
    assert!(member.is_candidate() && member.term() == 4);
}

/// Dissertation §9.6: the request changes nothing at the receiver (a law, checked at each step), and is judged by the log like a vote.
#[test]
fn a_pre_vote_is_judged_by_the_log() {
    for (term, last, granted) in [(4, entry(1, 9), false), (4, entry(2, 2), true), (3, entry(2, 2), true), (2, entry(2, 2), false)] {
        let mut member = Member::with(3, 3, &[1, 2]);
        let answer = only(&member.receive(2, pre_vote(term, last)));
        assert_eq!(is_granted(&answer), granted, "term {term}, {last}");
        let told = if granted { term } else { 3 };
        assert!(matches!(answer, Message::PreVoteResponse { term, .. } if term == Term(told)));
    }
}

/// Dissertation §4.2.3: "if a server receives a RequestVote request within the minimum election timeout of hearing from a current leader, it does not update its
/// term or grant its vote" (for pre-votes; a real request comes only from who was granted a majority of them). A leader is not asked either.
#[test]
fn a_heard_leader_is_not_disturbed() {
    let mut member = Member::following(3, 3, &[1]);
    assert!(!is_granted(&only(&member.receive(3, pre_vote(4, entry(1, 1))))));
    member.step(Event::MinimumTimeout);
    assert!(is_granted(&only(&member.receive(3, pre_vote(4, entry(1, 1))))));
    assert!(is_granted(&only(&member.receive(3, pre_vote(4, entry(1, 1))))), "a granted pre-vote is no sign of a leader");
    assert!(!is_granted(&only(&Member::leader(3, 3, &[]).receive(3, pre_vote(4, entry(9, 9))))));
}

/// A refused pre-vote names the refuser's term, and the asker adopts a higher one; otherwise a short log in a high term and a long log in a low one wait for ever.
#[test]
fn a_refused_pre_vote_teaches_the_term() {
    let mut member = Member::with(3, 2, &[1, 2]);
    member.step(Event::ElectionTimeout);
    let effects = member.receive(2, Message::PreVoteResponse { term: Term(7), granted: false });
    assert!(member.is_follower() && member.term() == 7 && !restarts_timer(&effects));
    member.step(Event::ElectionTimeout);
    member.receive(2, Message::PreVoteResponse { term: Term(8), granted: true });
    assert!(member.is_candidate() && member.term() == 8);
}

/// Dissertation §6.2: "a leader in Raft steps down if an election timeout elapses without a successful round of heartbeats to a majority of its cluster".
#[test]
fn a_leader_without_a_quorum_steps_down() {
    let mut member = Member::leader(5, 1, &[]);
    member.receive(2, accepted(1, 1));
    member.receive(3, accepted(1, 1));
    member.step(Event::ElectionTimeout);
    assert!(member.state.as_leader().is_some(), "two of four answered");
    member.receive(2, accepted(1, 1));
    member.receive(2, accepted(1, 1));
    let effects = member.step(Event::ElectionTimeout);
    assert!(member.is_follower() && member.term() == 1 && restarts_timer(&effects), "only one did");
}

/// A leader whose disk does not answer steps down: it can take part in no decision, and would keep others from leading.
#[test]
fn a_stalled_disk_ends_a_leadership() {
    let mut member = Member::leader(3, 1, &[]);
    assert!(restarts_timer(&member.step(Event::DiskStalled)) && member.is_follower());
    let before = member.state.clone();
    assert!(member.step(Event::DiskStalled).is_empty() && member.state == before, "a follower's changes nothing");
}

/// A group of one leads at its first timeout, without a message; its entries are committed when its disk has them.
#[test]
fn a_single_voter_leads_at_once() {
    let mut member = Member::of(1);
    let effects = member.step(Event::ElectionTimeout);
    assert!(member.state.as_leader().is_some() && sent(&effects).is_empty() && member.commit() == 0);
    member.persisted();
    assert_eq!(member.commit(), 1);
    member.step(Event::ElectionTimeout);
    assert!(member.state.as_leader().is_some(), "it is a quorum");
}

/// Paper §6: votes and words of servers outside of the configuration do not count, nor does one's own echo.
#[test]
fn strangers_are_not_heard() {
    let mut member = Member::of(3);
    for from in [0, 1, 4, u32::MAX] {
        let before = member.state.clone();
        assert!(member.receive(from, request(9, entry(9, 9))).is_empty() && member.state == before, "{from}");
        assert!(member.receive(from, append(9, entry(0, 0), &[9], 1)).is_empty() && member.state == before, "{from}");
    }
    let mut outsider = Member::of(3);
    outsider.state.id = NodeId(9);
    outsider.step(Event::ElectionTimeout);
    assert!(outsider.is_follower(), "who has no vote does not campaign");
}

/// Paper §5.2, Election Safety: a second leader in one term is a broken law, and the group stops; whether it sends entries or a snapshot.
#[test]
fn two_leaders_in_one_term_halt() {
    let appends = Event::Receive { from: id(3), message: append(3, entry(0, 0), &[], 0) };
    let installs = Event::SnapshotReceived { from: id(3), term: Term(3), at: entry(2, 5) };
    for event in [appends, installs] {
        for mut member in [Member::following(3, 3, &[]), Member::leader(3, 3, &[])] {
            let effects = member.step(event.clone());
            assert_eq!(effects, [Effect::Halt { law: roadstead_spec::raft::Law::TwoLeadersInOneTerm }]);
        }
    }
}

/// The last term there is cannot be left: no overflow, no campaign.
#[test]
fn the_last_term_ends_quietly() {
    let mut member = Member::of(3);
    member.receive(2, request(u64::MAX, entry(0, 0)));
    assert_eq!(member.term(), u64::MAX);
    member.step(Event::ElectionTimeout);
    assert!(member.is_follower());
}
