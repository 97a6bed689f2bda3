//! Every local law as a named function that *returns* what is broken.
//!
//! The model, the tests and the replay of recorded runs call all of them ([`ALL`]); production keeps those that cost nothing, as `Effect::Halt`. There is no assertion
//! in this crate: inside a checker it would kill the thread and lose the path. Laws of whole histories (one leader per term ever, linearizability) belong
//! to those who hold a history.

mod pair;
mod state;
mod transition;

pub use pair::{election_safety, log_matching, match_is_truthful, state_machine_safety};
pub use state::{
    applied_before_committed_before_last, election_is_own, log_is_well_formed, progress_is_in_bounds, reads_are_ordered, terms_are_ordered,
    votes_go_to_voters,
};
pub use transition::{
    commit_only_own_term_by_quorum, committed_survives, disk_follows_state, follower_commits_only_verified, gates_are_kept,
    install_never_rewinds, leader_append_only, leader_hears_a_quorum, leader_restarts_the_timer, leader_with_followers_is_not_disrupted,
    matches_grow, messages_are_of_the_past, pre_vote_is_pure, reads_are_confirmed, term_is_monotonic, truncates_only_on_conflict,
    vote_is_kept, votes_follow_the_log,
};

use crate::raft::{Effect, Event, Params, State};
use alloc::string::String;
use core::fmt;

/// A law that does not hold, and by which values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The law's id, for example `I-R2`.
    pub law: &'static str,
    /// The values.
    pub values: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.law, self.values)
    }
}

impl core::error::Error for Broken {}

/// One transition, as [`crate::raft::step`] made it.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The group's parameters.
    pub params: &'a Params,
    /// The state before.
    pub before: &'a State,
    /// What happened.
    pub event: &'a Event,
    /// The state after.
    pub after: &'a State,
    /// What is to be done.
    pub effects: &'a [Effect],
}

/// How a law is checked.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// On every state.
    State(fn(&Params, &State) -> Result<(), Broken>),
    /// On every transition.
    Transition(fn(&Transition<'_>) -> Result<(), Broken>),
    /// On every ordered pair of members of one group at one moment.
    Pair(fn(&State, &State) -> Result<(), Broken>),
}

/// A law with its statement and source.
#[derive(Clone, Copy, Debug)]
pub struct Law {
    /// Its id, the same in documents and reports.
    pub id: &'static str,
    /// What holds.
    pub statement: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// How it is checked.
    pub check: Check,
}

/// Checks every law of one state.
///
/// # Errors
/// The first law that does not hold.
pub fn check_state(params: &Params, state: &State) -> Result<(), Broken> {
    ALL.iter().try_for_each(|law| match law.check {
        Check::State(check) => check(params, state),
        Check::Transition(_) | Check::Pair(_) => Ok(()),
    })
}

/// Checks every law of one transition, and of the state that it leads to.
///
/// # Errors
/// The first law that does not hold.
pub fn check_transition(transition: &Transition<'_>) -> Result<(), Broken> {
    check_state(transition.params, transition.after)?;
    ALL.iter().try_for_each(|law| match law.check {
        Check::Transition(check) => check(transition),
        Check::State(_) | Check::Pair(_) => Ok(()),
    })
}

/// Checks every law of two members of a group, in both orders.
///
/// # Errors
/// The first law that does not hold.
pub fn check_pair(one: &State, other: &State) -> Result<(), Broken> {
    ALL.iter().try_for_each(|law| match law.check {
        Check::Pair(check) => check(one, other).and_then(|()| check(other, one)),
        Check::State(_) | Check::Transition(_) => Ok(()),
    })
}

/// Every law.
pub const ALL: &[Law] = &[
    Law {
        id: "I-R1",
        statement: "at any moment at most one member leads a term",
        source: "Raft paper fig. 3, Election Safety",
        check: Check::Pair(election_safety),
    },
    Law {
        id: "I-R2",
        statement: "a leader never changes or deletes entries of its log",
        source: "Raft paper fig. 3, Leader Append-Only",
        check: Check::Transition(leader_append_only),
    },
    Law {
        id: "I-R3",
        statement: "logs that agree in term and index agree in everything before",
        source: "Raft paper fig. 3, Log Matching",
        check: Check::Pair(log_matching),
    },
    Law {
        id: "I-R4b",
        statement: "a vote or pre-vote is granted only to a log that is at least as up-to-date",
        source: "Raft paper §5.4.1",
        check: Check::Transition(votes_follow_the_log),
    },
    Law {
        id: "I-R5",
        statement: "members agree on what both know to be committed",
        source: "Raft paper fig. 3, State Machine Safety",
        check: Check::Pair(state_machine_safety),
    },
    Law {
        id: "I-R7",
        statement: "the commit index never decreases, and entries up to it never change",
        source: "Raft paper fig. 2, commitIndex; fig. 3, Leader Completeness",
        check: Check::Transition(committed_survives),
    },
    Law {
        id: "I-R8",
        statement: "the term never decreases",
        source: "Raft paper fig. 2, currentTerm",
        check: Check::Transition(term_is_monotonic),
    },
    Law {
        id: "I-R9",
        statement: "within a term a vote, once given, is neither changed nor taken back",
        source: "Raft paper §5.2",
        check: Check::Transition(vote_is_kept),
    },
    Law {
        id: "I-R11",
        statement: "matched < next <= last + 1 for every peer, and the quorum counts every voter once",
        source: "Raft paper fig. 2, nextIndex and matchIndex",
        check: Check::State(progress_is_in_bounds),
    },
    Law {
        id: "I-R11b",
        statement: "while a term is led, match indices and durable index never decrease",
        source: "Raft paper fig. 2, matchIndex",
        check: Check::Transition(matches_grow),
    },
    Law {
        id: "I-R12",
        statement: "what a leader believes a peer holds, the peer holds, unless the peer is in a later term",
        source: "Raft paper §5.3",
        check: Check::Pair(match_is_truthful),
    },
    Law {
        id: "I-R13",
        statement: "a leader commits an entry of its own term that a quorum holds durably",
        source: "Raft paper §5.4.2",
        check: Check::Transition(commit_only_own_term_by_quorum),
    },
    Law {
        id: "I-R14",
        statement: "a follower commits at most what the leader committed and this message verified",
        source: "Raft paper fig. 2, AppendEntries 5",
        check: Check::Transition(follower_commits_only_verified),
    },
    Law {
        id: "I-R15",
        statement: "entries are deleted only where a leader's entry of another term takes their place",
        source: "Raft paper fig. 2, AppendEntries 3",
        check: Check::Transition(truncates_only_on_conflict),
    },
    Law {
        id: "I-R16",
        statement: "terms in a log never decrease and never exceed the node's; a candidate has no entry of its term",
        source: "Raft paper §5.3",
        check: Check::State(terms_are_ordered),
    },
    Law {
        id: "I-R17",
        statement: "base <= applied <= commit <= last",
        source: "Raft paper fig. 2",
        check: Check::State(applied_before_committed_before_last),
    },
    Law {
        id: "I-R18",
        statement: "no message names a term later than its sender's; a vote goes to whom it was given",
        source: "Raft paper fig. 2",
        check: Check::Transition(messages_are_of_the_past),
    },
    Law {
        id: "I-R19",
        statement: "votes, requests for votes and acknowledgements leave only behind the write that they rest on",
        source: "Raft paper fig. 2, \"updated on stable storage before responding\"",
        check: Check::Transition(gates_are_kept),
    },
    Law {
        id: "I-R19b",
        statement: "what is written is exactly what changed: replaying the writes over the old state gives the new one",
        source: "Raft paper fig. 2, persistent state",
        check: Check::Transition(disk_follows_state),
    },
    Law {
        id: "I-R20",
        statement: "a pre-vote request changes nothing at its receiver",
        source: "Dissertation §9.6",
        check: Check::Transition(pre_vote_is_pure),
    },
    Law {
        id: "I-R21",
        statement: "a follower that hears a leader grants no pre-vote",
        source: "Dissertation §4.2.3",
        check: Check::Transition(leader_with_followers_is_not_disrupted),
    },
    Law {
        id: "I-R9b",
        statement: "a candidate and a leader voted for themselves; who elected them are voters",
        source: "Raft paper §5.2",
        check: Check::State(election_is_own),
    },
    Law {
        id: "I-R9c",
        statement: "a vote is given to a voter of the group",
        source: "Raft paper §6",
        check: Check::State(votes_go_to_voters),
    },
    Law {
        id: "I-R22",
        statement: "a word of the current leader restarts the election timer, whether or not its entries fit",
        source: "Raft paper §5.2",
        check: Check::Transition(leader_restarts_the_timer),
    },
    Law {
        id: "I-R24",
        statement: "a leader goes on after an election timeout only if it heard a quorum",
        source: "Dissertation §6.2",
        check: Check::Transition(leader_hears_a_quorum),
    },
    Law {
        id: "I-N2",
        statement: "installing a snapshot never moves commit or applied index back, and happens only for news",
        source: "Raft paper §7",
        check: Check::Transition(install_never_rewinds),
    },
    Law {
        id: "I-N3",
        statement: "a log begins right behind its base, its runs increase and end before its last index",
        source: "Raft paper §7",
        check: Check::State(log_is_well_formed),
    },
    Law {
        id: "I-L2",
        statement: "a read is answered by a leader with a committed entry of its term, after a quorum confirmed a round that began after the read",
        source: "Dissertation §6.4",
        check: Check::Transition(reads_are_confirmed),
    },
    Law {
        id: "I-L2b",
        statement: "waiting reads are bounded, in the order of their rounds, and wait for at most the next round",
        source: "Dissertation §6.4",
        check: Check::State(reads_are_ordered),
    },
];

/// Shorthand: the law holds, or these values break it.
fn holds(law: &'static str, fact: bool, values: impl FnOnce() -> String) -> Result<(), Broken> {
    if fact { Ok(()) } else { Err(Broken { law, values: values() }) }
}
