//! The papers' rules and the outbox's, counted.

use super::{Point, either, reach};
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    outbox::{self, OutboxRules, Ticket, Tickets, Write},
    raft::{
        Behind, Gate, HardState, Leader, LogShape, Mark, Message, NodeSet, Paper, Params, PendingRead, Round, Rules, Slice, State, TermAt,
    },
};

/// The papers' rules below those that a rule of [`Counting`] asks in turn.
struct Inner;

impl Rules for Inner {
    fn is_up_to_date(candidate: EntryId, own: EntryId) -> bool {
        let fact = Paper::is_up_to_date(candidate, own);
        either(fact, Point::UpToDate, Point::NotUpToDate, fact)
    }

    fn hard_after(hard: HardState, seen: Term) -> HardState {
        Counting::hard_after(hard, seen)
    }
}

/// The papers' rules, counted.
pub(super) struct Counting;

impl Rules for Counting {
    fn hears(params: &Params, id: NodeId, from: NodeId) -> bool {
        let fact = Paper::hears(params, id, from);
        either(fact, Point::Hears, Point::HearsNot, fact)
    }

    fn term_of(message: &Message) -> Option<Term> {
        let term = Paper::term_of(message);
        either(term.is_some(), Point::TermOf, Point::TermOfNone, term)
    }

    fn hard_after(hard: HardState, seen: Term) -> HardState {
        either(seen > hard.term, Point::HardNewer, Point::HardSame, Paper::hard_after(hard, seen))
    }

    fn grants_pre_vote(state: &State, from: NodeId, term: Term, last: EntryId) -> bool {
        let fact = Inner::grants_pre_vote(state, from, term, last);
        either(fact, Point::PreVoteGranted, Point::PreVoteRefused, fact)
    }

    fn heard_after_pre_vote(heard: bool) -> bool {
        reach(Point::HeardStays);
        Paper::heard_after_pre_vote(heard)
    }

    fn grants_vote(hard: HardState, log: &LogShape, from: NodeId, term: Term, last: EntryId) -> bool {
        let fact = Inner::grants_vote(hard, log, from, term, last);
        either(fact, Point::VoteGranted, Point::VoteRefused, fact)
    }

    fn counts_vote(asked: Term, answered: Term, granted: bool) -> bool {
        let fact = Paper::counts_vote(asked, answered, granted);
        either(fact, Point::VoteCounted, Point::VoteNotCounted, fact)
    }

    fn elects(params: &Params, granted: &NodeSet) -> bool {
        let fact = Paper::elects(params, granted);
        either(fact, Point::Elected, Point::NotElected, fact)
    }

    fn request_vote_gate() -> Gate {
        reach(Point::AsksGated);
        Paper::request_vote_gate()
    }

    fn vote_gate() -> Gate {
        reach(Point::VoteGated);
        Paper::vote_gate()
    }

    fn still_leads(params: &Params, leader: &Leader) -> bool {
        let fact = Paper::still_leads(params, leader);
        either(fact, Point::StillLeads, Point::LeadsNoMore, fact)
    }

    fn leads_on_stalled_disk() -> bool {
        reach(Point::Stalled);
        Paper::leads_on_stalled_disk()
    }

    fn opening_entries() -> u64 {
        reach(Point::Opening);
        Paper::opening_entries()
    }

    fn prev_matches(log: &LogShape, prev: EntryId) -> bool {
        let fact = Paper::prev_matches(log, prev);
        reach(match log.term_at(prev.index) {
            TermAt::Known(_) if fact => Point::PrevKnown,
            TermAt::Known(_) => Point::PrevOther,
            TermAt::Compacted => Point::PrevCompacted,
            TermAt::Beyond => Point::PrevBeyond,
        });
        fact
    }

    fn restarts_election_timer(matches: bool) -> bool {
        either(matches, Point::TimerMatches, Point::TimerRefused, Paper::restarts_election_timer(matches))
    }

    fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
        let first = Paper::first_missing(log, slice);
        reach(match first {
            None => Point::NothingMissing,
            Some(first) if first > log.last() => Point::AppendsBehind,
            Some(_) => Point::Truncates,
        });
        first
    }

    fn verified(log: &LogShape, slice: &Slice) -> Index {
        reach(Point::Verified);
        Paper::verified(log, slice)
    }

    fn follower_commit(state: &State, leader_commit: Index, verified: Index) -> Index {
        let commit = Paper::follower_commit(state, leader_commit, verified);
        either(commit > state.commit, Point::FollowerCommits, Point::FollowerKeeps, commit)
    }

    fn append_answer_gate() -> Gate {
        reach(Point::AppendGated);
        Paper::append_answer_gate()
    }

    fn durable_at_start(log: &LogShape) -> Index {
        reach(Point::DurableAtStart);
        Paper::durable_at_start(log)
    }

    fn durable_after_append(durable: Index, last: Index) -> Index {
        reach(Point::DurableAppended);
        Paper::durable_after_append(durable, last)
    }

    fn durable_after(durable: Index, term: Term, mark: Mark) -> Index {
        either(mark.term == term, Point::DurableRaised, Point::DurableOldTerm, Paper::durable_after(durable, term, mark))
    }

    fn matched_after(matched: Index, acknowledged: Index) -> Index {
        either(acknowledged > matched, Point::MatchedRaised, Point::MatchedKept, Paper::matched_after(matched, acknowledged))
    }

    fn quorum_index(params: &Params, leader: &Leader) -> Index {
        reach(Point::QuorumIndex);
        Paper::quorum_index(params, leader)
    }

    fn may_commit(log: &LogShape, term: Term, index: Index) -> bool {
        let fact = Paper::may_commit(log, term, index);
        either(fact, Point::Commits, Point::CommitsNot, fact)
    }

    fn retry_at(log: &LogShape, slice_entries_max: u32, behind: &Behind) -> Index {
        let at = Paper::retry_at(log, slice_entries_max, behind);
        either(at >= log.base().index, Point::Retries, Point::RetriesBelow, at)
    }

    fn beats_during_snapshot() -> bool {
        reach(Point::Beats);
        Paper::beats_during_snapshot()
    }

    fn read_round(leader: &Leader) -> Round {
        reach(Point::ReadNext);
        Paper::read_round(leader)
    }

    fn confirmed_round(params: &Params, leader: &Leader) -> Round {
        let round = Paper::confirmed_round(params, leader);
        either(round == leader.round, Point::RoundConfirmed, Point::RoundOpen, round)
    }

    fn may_answer_reads(leader: &Leader, commit: Index) -> bool {
        let fact = Paper::may_answer_reads(leader, commit);
        either(fact, Point::ReadsMay, Point::ReadsMayNot, fact)
    }

    fn read_index(leader: &Leader, read: &PendingRead) -> Index {
        either(read.index >= leader.opened_at, Point::ReadAtCommit, Point::ReadAtOpening, Paper::read_index(leader, read))
    }

    fn installs(state: &State, at: EntryId) -> bool {
        let fact = Paper::installs(state, at);
        either(fact, Point::Installs, Point::InstallsNot, fact)
    }

    fn keeps_suffix(log: &LogShape, at: EntryId) -> bool {
        let fact = Paper::keeps_suffix(log, at);
        either(fact, Point::KeepsSuffix, Point::KeepsNothing, fact)
    }

    fn applied_after(state: &State, through: Index) -> Index {
        let applied = Paper::applied_after(state, through);
        either(applied > state.applied, Point::AppliedRaised, Point::AppliedLate, applied)
    }

    fn compact_through(params: &Params, state: &State, at: Index) -> Index {
        let through = Paper::compact_through(params, state, at);
        either(through > state.log.base().index, Point::Compacts, Point::CompactsNothing, through)
    }
}

/// The outbox's rules, counted.
pub(super) struct CountingOutbox;

impl OutboxRules for CountingOutbox {
    fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
        let after = outbox::Paper::send_after(gate, tickets);
        reach(match gate {
            Gate::Now => Point::SendsNow,
            Gate::AfterPersist if after > tickets.durable => Point::SendsLater,
            Gate::AfterPersist => Point::SendsDurable,
        });
        after
    }

    fn gates_wait_for(write: &Write) -> bool {
        either(matches!(write, Write::Persist { .. }), Point::WaitsPersist, Point::WaitsInstall, outbox::Paper::gates_wait_for(write))
    }

    fn apply_through(committed: Index, settled: Index) -> Index {
        let through = outbox::Paper::apply_through(committed, settled);
        either(through == committed, Point::AppliesAll, Point::AppliesLess, through)
    }

    fn compact_after(tickets: Tickets) -> Ticket {
        let after = outbox::Paper::compact_after(tickets);
        either(after > tickets.durable, Point::CompactsLater, Point::CompactsNow, after)
    }
}
