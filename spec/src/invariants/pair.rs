//! Laws of two members of one group at one moment.

use super::{Broken, holds};
use crate::{
    EntryId, Index, Term,
    raft::{Message, State, TermAt},
};
use alloc::format;

/// I-R1, Raft paper fig. 3, Election Safety, as far as one moment shows it: two leaders never share a term.
pub fn election_safety(one: &State, other: &State) -> Result<(), Broken> {
    let both_lead = one.as_leader().is_some() && other.as_leader().is_some();
    holds("I-R1", !(both_lead && one.hard.term == other.hard.term && one.id != other.id), || {
        format!("{} and {} lead term {}", one.id, other.id, one.hard.term)
    })
}

/// I-R3, Raft paper fig. 3, Log Matching: where two logs agree in term and index, they agree in everything before.
pub fn log_matching(one: &State, other: &State) -> Result<(), Broken> {
    let agreed = last_agreement(one, other);
    let parted = agreed.and_then(|agreed| first_difference(one, other, agreed));
    holds("I-R3", parted.is_none(), || format!("{} and {} agree at {agreed:?}, but differ at {parted:?}", one.id, other.id))
}

/// I-R5, Raft paper fig. 3, State Machine Safety: members agree on what both know to be committed.
pub fn state_machine_safety(one: &State, other: &State) -> Result<(), Broken> {
    let parted = first_difference(one, other, one.commit.min(other.commit));
    holds("I-R5", parted.is_none(), || {
        format!("{} committed {}, {} committed {}, but they differ at {parted:?}", one.id, one.commit, other.id, other.commit)
    })
}

/// I-R12, Raft paper §5.3: what a leader believes a peer holds, the peer holds, unless the peer is in a later term.
pub fn match_is_truthful(one: &State, other: &State) -> Result<(), Broken> {
    let Some(matched) = one.as_leader().and_then(|leader| leader.peers.get(other.id)).map(|peer| peer.matched) else { return Ok(()) };
    if other.hard.term > one.hard.term {
        return Ok(());
    }
    let parted = first_difference(one, other, matched);
    holds("I-R12", other.log.last() >= matched && parted.is_none(), || {
        format!("{} believes {} holds {matched}, which ends with {}; they differ at {parted:?}", one.id, other.id, other.log.last())
    })
}

/// The first index at or below `through` where both logs know the term and differ. Terms change at few indices: only those are looked at.
fn first_difference(one: &State, other: &State, through: Index) -> Option<Index> {
    let low = one.log.base().index.max(other.log.base().index);
    let starts = one.log.runs().iter().chain(other.log.runs()).map(|run| run.first).filter(|first| *first > low);
    let looked_at = starts.chain([low]).filter(|index| *index <= through);
    looked_at
        .filter(|&index| matches!((one.log.term_at(index), other.log.term_at(index)), (TermAt::Known(a), TermAt::Known(b)) if a != b))
        .min()
}

/// The last index where both logs have an entry of the same term.
fn last_agreement(one: &State, other: &State) -> Option<Index> {
    one.log.runs().iter().rev().find_map(|run| {
        let end = end_of_run(one, run.term).min(end_of_run(other, run.term));
        let shared = EntryId { term: run.term, index: end };
        (end >= run.first && other.log.holds(shared)).then_some(end)
    })
}

fn end_of_run(state: &State, term: Term) -> Index {
    let newer = state.log.runs().iter().find(|run| run.term > term);
    newer.map_or(state.log.last(), |run| run.first.prev())
}

/// The term that a message names, if its sender must be in it.
pub(super) fn named_term(message: &Message) -> Option<Term> {
    match message {
        // These two name a term that nobody is in yet.
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
