//! Every decision of the papers, named and cited.
//!
//! A handler gathers facts, asks a rule, and does what it says; so a mistake of the field can be put back from outside by overriding one
//! method, and a counting implementation shows which outcome of which rule was ever reached. Dispatch is static: [`Paper`] costs nothing.

use super::{
    catch_up,
    effect::{Gate, HardState, Mark},
    log::{LogShape, Slice, TermAt},
    message::{Behind, Message, Round},
    params::{NodeSet, Params},
    state::{Flow, Leader, PendingRead, Role, State},
};
use crate::{EntryId, Index, NodeId, Term};

/// The decisions of the papers as default methods: pure functions over what the deciding node knows.
pub trait Rules {
    // Terms and members.

    /// Whose messages count: other voters'. Paper §6 ("servers … not in the configuration").
    fn hears(params: &Params, id: NodeId, from: NodeId) -> bool {
        from != id && params.voters().contains(from)
    }

    /// How many voters are a majority. Paper §5.2.
    fn quorum(voters: usize) -> usize {
        voters / 2 + 1
    }

    /// The term that a message raises its receiver to, if it is higher. Paper fig. 2, "rules for servers": any RPC or answer does.
    /// A pre-vote does not (dissertation §9.6), nor does its grant, which names a term that nobody is in yet; a *refused* pre-vote names
    /// the refuser's own term: without that a short log in a high term and a long log in a low term refuse each other for ever.
    fn term_of(message: &Message) -> Option<Term> {
        match message {
            Message::PreVote { .. } | Message::PreVoteResponse { granted: true, .. } => None,
            Message::PreVoteResponse { term, granted: false }
            | Message::RequestVote { term, .. }
            | Message::RequestVoteResponse { term, .. }
            | Message::AppendEntries { term, .. }
            | Message::AppendEntriesResponse { term, .. }
            | Message::ReadIndex { term, .. }
            | Message::ReadIndexResponse { term, .. } => Some(*term),
        }
    }

    /// Term and vote after seeing a term: a higher one forgets the vote, the same one keeps it. Paper fig. 2 and §5.2.
    fn hard_after(hard: HardState, seen: Term) -> HardState {
        if seen > hard.term { HardState { term: seen, vote: None } } else { hard }
    }

    // Elections.

    /// "At least as up-to-date": the later last term, or the same one and a log that is no shorter. Paper §5.4.1.
    fn is_up_to_date(candidate: EntryId, own: EntryId) -> bool {
        candidate >= own
    }

    /// Whether to say "I would vote for you": no leader was heard within the minimum election timeout, and the vote would be given.
    /// Dissertation §9.6 and §4.2.3.
    fn grants_pre_vote(state: &State, from: NodeId, term: Term, last: EntryId) -> bool {
        let is_free = match &state.role {
            Role::Follower { heard, .. } => !heard,
            Role::PreCandidate { .. } | Role::Candidate { .. } => true,
            Role::Leader(_) => false,
        };
        is_free && Self::grants_vote(Self::hard_after(state.hard, term), &state.log, from, term, last)
    }

    /// Whether a pre-vote counts as a sign of life of a leader (it does not: nobody would ever campaign). Dissertation §9.6.
    fn heard_after_pre_vote(heard: bool) -> bool {
        heard
    }

    /// Whether to vote: in the own term, for at most one candidate, and only for a log that is up-to-date. Paper fig. 2, RequestVote.
    fn grants_vote(hard: HardState, log: &LogShape, from: NodeId, term: Term, last: EntryId) -> bool {
        term == hard.term && hard.vote.is_none_or(|vote| vote == from) && Self::is_up_to_date(last, log.last_id())
    }

    /// Whether an answer is a vote in the election that is on: older terms' answers are not. Paper §5.2.
    fn counts_vote(asked: Term, answered: Term, granted: bool) -> bool {
        granted && answered == asked
    }

    /// Whether those who voted elect. Paper §5.2.
    fn elects(params: &Params, granted: &NodeSet) -> bool {
        granted.iter().filter(|&id| params.voters().contains(id)).count() >= Self::quorum(params.voters().len())
    }

    /// When RequestVote may leave: not before the own term and vote are durable. A candidate that asks, crashes and forgets could otherwise
    /// count an answer to its first life in the same term of its second one. Paper §5.2 with fig. 2 ("updated on stable storage before responding").
    fn request_vote_gate() -> Gate {
        Gate::AfterPersist
    }

    /// When a vote may leave: not before it is durable. Paper fig. 2.
    fn vote_gate() -> Gate {
        Gate::AfterPersist
    }

    /// Whether a leader goes on after an election timeout: it heard a quorum, itself included. Dissertation §6.2.
    fn still_leads(params: &Params, leader: &Leader) -> bool {
        let heard = leader.peers.iter().filter(|(_, progress)| progress.heard).count() + 1;
        heard >= Self::quorum(params.voters().len())
    }

    /// Whether a leader steps down when its disk does not answer: it can take part in no decision, yet would block all others.
    fn leads_on_stalled_disk() -> bool {
        false
    }

    /// How many empty entries open a term: only an entry of its own tells a leader which older entries are committed. Paper §8.
    fn opening_entries() -> u64 {
        1
    }

    // Replication, follower.

    /// Whether the entry before the new ones is the leader's. What the snapshot covers is committed, so every leader has it. Paper §5.3.
    fn prev_matches(log: &LogShape, prev: EntryId) -> bool {
        match log.term_at(prev.index) {
            TermAt::Known(term) => term == prev.term,
            TermAt::Compacted => true,
            TermAt::Beyond => false,
        }
    }

    /// Whether an AppendEntries of the current leader restarts the election timer, also when its entries do not fit. Paper §5.2.
    fn restarts_election_timer(_matches: bool) -> bool {
        true
    }

    /// The first entry of the slice that the log lacks; what the log has instead goes, and only then. Paper fig. 2, AppendEntries 3 and 4.
    fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
        catch_up::first_missing(log, slice)
    }

    /// What an accepted append proves to match the leader's log: what it carried, not what else lies here. Paper §5.3.
    fn verified(_log: &LogShape, slice: &Slice) -> Index {
        slice.last
    }

    /// The follower's commit index: never back, never beyond what this message proved. Paper fig. 2, AppendEntries 5
    /// ("index of last new entry").
    fn follower_commit(state: &State, leader_commit: Index, verified: Index) -> Index {
        state.commit.max(leader_commit.min(verified))
    }

    /// When the acknowledgement of an append may leave: not before everything that was written is durable. Paper fig. 2.
    fn append_answer_gate() -> Gate {
        Gate::AfterPersist
    }

    // Replication, leader.

    /// How far a new leader's own log counts as durable: nothing is known until its first write returns. Dissertation §10.2.1.
    fn durable_at_start(_log: &LogShape) -> Index {
        Index(0)
    }

    /// How far it counts after an append that was only issued: no further. Dissertation §10.2.1.
    fn durable_after_append(durable: Index, _last: Index) -> Index {
        durable
    }

    /// How far it counts after a completed write: leaders never truncate, so within a term an index is unambiguous; older terms' writes
    /// say nothing. Dissertation §10.2.1.
    fn durable_after(durable: Index, term: Term, mark: Mark) -> Index {
        if mark.term == term { durable.max(mark.index) } else { durable }
    }

    /// A peer's match index after an acknowledgement: late ones do not take it back. Paper §5.3.
    fn matched_after(matched: Index, acknowledged: Index) -> Index {
        matched.max(acknowledged)
    }

    /// The highest index that a quorum holds durably. Paper §5.3.
    fn quorum_index(params: &Params, leader: &Leader) -> Index {
        let matched = leader.peers.iter().map(|(_, progress)| progress.matched);
        nth_highest(matched.chain([leader.durable]), Self::quorum(params.voters().len()))
    }

    /// Whether an index may be committed by counting: only if its entry is of the leader's own term. Paper §5.4.2, figure 8.
    fn may_commit(log: &LogShape, term: Term, index: Index) -> bool {
        log.term_at(index) == TermAt::Known(term)
    }

    /// Where a refused leader asks next: the `prev` of its next probe, below the refused one. Paper §5.3 ("the protocol can be optimized").
    fn retry_at(log: &LogShape, slice_entries_max: u32, behind: &Behind) -> Index {
        catch_up::retry_at(log, slice_entries_max, behind)
    }

    /// Whether a peer that is being sent a snapshot gets heartbeats: otherwise it starts elections. Paper §5.2 and §7.
    fn beats_during_snapshot() -> bool {
        true
    }

    // Reads.

    /// The round that a new read waits for: one that starts after it arrived. Dissertation §6.4.
    fn read_round(leader: &Leader) -> Round {
        Round(leader.round.0.saturating_add(1))
    }

    /// The newest round that a quorum confirmed, the leader included. Dissertation §6.4.
    fn confirmed_round(params: &Params, leader: &Leader) -> Round {
        let rounds = leader.peers.iter().map(|(_, progress)| progress.round);
        nth_highest(rounds.chain([leader.round]), Self::quorum(params.voters().len()))
    }

    /// Whether the commit index covers everything that older leaders committed. Paper §8.
    fn may_answer_reads(leader: &Leader, commit: Index) -> bool {
        commit >= leader.opened_at
    }

    /// How far the state machine must be before the read: everything committed when it arrived. Dissertation §6.4.
    fn read_index(leader: &Leader, read: &PendingRead) -> Index {
        read.index.max(leader.opened_at)
    }

    // Snapshots.

    /// Whether a received snapshot tells anything new. Paper §7 ("if … describes a prefix of its log … retained").
    fn installs(state: &State, at: EntryId) -> bool {
        at.index > state.commit
    }

    /// Whether entries behind the snapshot stay: only if the log holds the snapshot's last entry. Paper fig. 13, InstallSnapshot 6 and 7.
    fn keeps_suffix(log: &LogShape, at: EntryId) -> bool {
        log.holds(at)
    }

    /// The applied index after a report, which may be late: never back, never beyond the commit index. Paper fig. 2.
    fn applied_after(state: &State, through: Index) -> Index {
        state.applied.max(through.min(state.commit))
    }

    /// How far the log may be compacted when a snapshot through `at` is durable: behind it by a trailing window, a longer one for a peer
    /// that is being sent a snapshot. Paper §7, dissertation §5.1.
    fn compact_through(params: &Params, state: &State, at: Index) -> Index {
        let limits = params.limits();
        let usual = Index(at.0.saturating_sub(limits.keep_entries));
        let transfers = state.as_leader().into_iter().flat_map(|leader| leader.peers.iter());
        let pinned = transfers.filter_map(|(_, progress)| match progress.flow {
            Flow::Snapshot { at } => Some(at.index),
            Flow::Probe { .. } | Flow::Replicate { .. } => None,
        });
        match pinned.min() {
            Some(pinned) => usual.min(pinned.max(Index(at.0.saturating_sub(limits.keep_entries_transfer)))),
            None => usual,
        }
    }
}

/// The highest value that at least `count` of the values reach; the lowest possible if there is none. Quadratic, but for seven at most,
/// and cheaper than sorting a copy.
fn nth_highest<T: Ord + Copy + Default>(values: impl Iterator<Item = T> + Clone, count: usize) -> T {
    let reached = |value: &T| values.clone().filter(|other| other >= value).count() >= count;
    values.clone().filter(reached).max().unwrap_or_default()
}

/// The papers, unchanged: overrides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper;

impl Rules for Paper {}
