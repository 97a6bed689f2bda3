//! Mistakes put back from outside: each overrides one decision, and a scenario that ends well under the papers' rules must break a law under it.

use crate::member::Build;
use crate::{read, script};
use roadstead_spec::outbox::{self, OutboxRules, Ticket, Tickets};
use roadstead_spec::raft::{self, Behind, Gate, Leader, LogShape, Message, PendingRead, Round, Rules};
use roadstead_spec::{Index, Term};

/// Under these rules the script must break this law.
fn check<R: Rules, O: OutboxRules>(name: &str, law: &str) {
    let outcome = script::run(&read(name), Build::of::<R, O>());
    let broken = outcome.broken.join("\n");
    assert!(broken.contains(law), "{name} should break {law} under this mutant, but it broke [{broken}]:\n{}", outcome.text);
}

/// Those that random walks find, too.
pub const FOR_WALKS: &[(&str, Build)] = &[
    ("next completion counts", Build::of::<raft::Paper, NextCompletionCounts>()),
    ("own step only", Build::of::<raft::Paper, OwnStepOnly>()),
    ("gates ignored", Build::of::<raft::Paper, GatesIgnored>()),
    ("apply before durable", Build::of::<raft::Paper, ApplyBeforeDurable>()),
    ("asks at once", Build::of::<AsksAtOnce, outbox::Paper>()),
    ("counts itself early", Build::of::<CountsItselfEarly, outbox::Paper>()),
    ("commits older terms", Build::of::<CommitsOlderTerms, outbox::Paper>()),
    ("old round confirms", Build::of::<OldRoundConfirms, outbox::Paper>()),
    ("answers before opening", Build::of::<AnswersBeforeOpening, outbox::Paper>()),
];

/// Any completed write opens the gates, not the one that the send belongs to.
struct NextCompletionCounts;
impl OutboxRules for NextCompletionCounts {
    fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
        match gate {
            Gate::Now => Ticket::NONE,
            Gate::AfterPersist => tickets.awaited.min(tickets.durable.next()),
        }
    }
}

#[test]
fn next_completion_counts() {
    check::<raft::Paper, NextCompletionCounts>("async_append_aba", "Leader Completeness");
}

/// A send waits for the writes of its own step, not for earlier ones.
struct OwnStepOnly;
impl OutboxRules for OwnStepOnly {
    fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
        if gate == Gate::AfterPersist && tickets.awaited > tickets.before_step { tickets.awaited } else { Ticket::NONE }
    }
}

#[test]
fn own_step_only() {
    check::<raft::Paper, OwnStepOnly>("duplicate_append", "Leader Completeness");
}

/// Nothing waits for the disk.
struct GatesIgnored;
impl OutboxRules for GatesIgnored {
    fn send_after(_: Gate, _: Tickets) -> Ticket {
        Ticket::NONE
    }
}

#[test]
fn gates_ignored() {
    check::<raft::Paper, GatesIgnored>("snapshot_install", "Durability");
    check::<raft::Paper, GatesIgnored>("candidate_crashes_before_its_disk_knows", "Leader Completeness");
    check::<raft::Paper, GatesIgnored>("duplicate_append", "Leader Completeness");
}

/// What is committed is applied, durable here or not.
struct ApplyBeforeDurable;
impl OutboxRules for ApplyBeforeDurable {
    fn apply_through(committed: Index, _: Index) -> Index {
        committed
    }
}

#[test]
fn apply_before_durable() {
    check::<raft::Paper, ApplyBeforeDurable>("election_and_write", "Apply");
}

/// A candidate asks before its disk knows.
struct AsksAtOnce;
impl Rules for AsksAtOnce {
    fn request_vote_gate() -> Gate {
        Gate::Now
    }
}

#[test]
fn asks_at_once() {
    check::<AsksAtOnce, outbox::Paper>("candidate_crashes_before_its_disk_knows", "Leader Completeness");
}

/// A leader counts its own copy when the write is issued.
struct CountsItselfEarly;
impl Rules for CountsItselfEarly {
    fn durable_after_append(_: Index, last: Index) -> Index {
        last
    }
}

#[test]
fn counts_itself_early() {
    check::<CountsItselfEarly, outbox::Paper>("leader_counts_itself_too_early", "Leader Completeness");
}

/// Copies alone commit, whatever the entry's term: figure 8.
struct CommitsOlderTerms;
impl Rules for CommitsOlderTerms {
    fn may_commit(_: &LogShape, _: Term, _: Index) -> bool {
        true
    }
}

#[test]
fn commits_older_terms() {
    check::<CommitsOlderTerms, outbox::Paper>("figure_8", "Leader Completeness");
}

/// A refused pre-vote teaches nothing.
struct RefusalIsIgnored;
impl Rules for RefusalIsIgnored {
    fn term_of(message: &Message) -> Option<Term> {
        if matches!(message, Message::PreVoteResponse { .. }) { None } else { raft::Paper::term_of(message) }
    }
}

#[test]
fn refusal_is_ignored() {
    check::<RefusalIsIgnored, outbox::Paper>("prevote_short_log_high_term", "Liveness");
}

/// A leader does not step down for an answer of a higher term.
struct LeaderIsDeaf;
impl Rules for LeaderIsDeaf {
    fn term_of(message: &Message) -> Option<Term> {
        if matches!(message, Message::AppendEntriesResponse { .. }) { None } else { raft::Paper::term_of(message) }
    }
}

#[test]
fn leader_is_deaf() {
    check::<LeaderIsDeaf, outbox::Paper>("prevote_persisted_then_crashed", "Liveness");
}

/// A read is content with the round that is under way when it arrives.
struct OldRoundConfirms;
impl Rules for OldRoundConfirms {
    fn read_round(leader: &Leader) -> Round {
        leader.round
    }
}

#[test]
fn old_round_confirms() {
    check::<OldRoundConfirms, outbox::Paper>("read_during_leader_change", "Linearizability");
}

/// A new leader answers reads before an entry of its own is committed.
struct AnswersBeforeOpening;
impl Rules for AnswersBeforeOpening {
    fn may_answer_reads(_: &Leader, _: Index) -> bool {
        true
    }

    fn read_index(_: &Leader, read: &PendingRead) -> Index {
        read.index
    }
}

#[test]
fn answers_before_opening() {
    check::<AnswersBeforeOpening, outbox::Paper>("read_before_opening_entry", "Linearizability");
}

/// A leader holds on although its disk does not answer.
struct LeadsWithoutDisk;
impl Rules for LeadsWithoutDisk {
    fn leads_on_stalled_disk() -> bool {
        true
    }
}

#[test]
fn leads_without_disk() {
    check::<LeadsWithoutDisk, outbox::Paper>("stalled_disk", "Liveness");
}

/// A fixed number of entries back per refusal.
struct FixedStepsBack;
impl Rules for FixedStepsBack {
    fn retry_at(_: &LogShape, _: u32, behind: &Behind) -> Index {
        Index(behind.last.0.saturating_sub(100))
    }
}

#[test]
fn fixed_steps_back() {
    check::<FixedStepsBack, outbox::Paper>("thousand_terms", "Catching up");
}
