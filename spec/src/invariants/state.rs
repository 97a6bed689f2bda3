//! Laws of one state.

use super::{Broken, holds};
use crate::{
    Term,
    raft::{LogShape, Params, Role, State},
};
use alloc::format;

/// I-R17, Raft paper fig. 2: `base <= applied <= commit <= last`.
pub fn applied_before_committed_before_last(_: &Params, state: &State) -> Result<(), Broken> {
    let order = [state.log.base().index, state.applied, state.commit, state.log.last()];
    holds("I-R17", order.is_sorted(), || format!("base, applied, commit, last = {order:?}"))
}

/// I-N3, Raft paper §7: a log begins right behind its base, its runs increase and end before its last index.
pub fn log_is_well_formed(_: &Params, state: &State) -> Result<(), Broken> {
    let rebuilt = LogShape::from_runs(state.log.base(), state.log.runs().to_vec(), state.log.last());
    holds("I-N3", rebuilt.as_ref() == Ok(&state.log), || format!("{:?} of {:?}", rebuilt, state.log))
}

/// I-R16, Raft paper §5.3: terms in a log never decrease and never exceed the node's; a candidate has no entry of its term.
pub fn terms_are_ordered(_: &Params, state: &State) -> Result<(), Broken> {
    let newest = state.log.last_id().term;
    let runs = state.log.runs();
    let ordered = runs.windows(2).all(|pair| matches!(pair, [older, newer] if older.term < newer.term));
    let bounded = match state.role {
        Role::Candidate { .. } => newest < state.hard.term,
        Role::Follower { .. } | Role::PreCandidate { .. } | Role::Leader(_) => newest <= state.hard.term,
    };
    holds("I-R16", ordered && bounded, || format!("term {}, runs {runs:?}, role {:?}", state.hard.term, state.role))
}

/// I-R9b, Raft paper §5.2: a candidate and a leader voted for themselves; who elected them are voters.
pub fn election_is_own(params: &Params, state: &State) -> Result<(), Broken> {
    let own_vote = state.hard.vote == Some(state.id) && state.hard.term > Term(0);
    let fact = match &state.role {
        Role::Follower { leader, .. } => *leader != Some(state.id),
        Role::PreCandidate { granted } => granted.iter().all(|id| params.voters().contains(id)),
        Role::Candidate { granted } => own_vote && granted.iter().all(|id| params.voters().contains(id)),
        Role::Leader(_) => own_vote,
    };
    holds("I-R9b", fact, || format!("{:?} of node {} with {:?}", state.role, state.id, state.hard))
}

/// I-R9c, Raft paper §6: a vote is given to a voter of the group.
pub fn votes_go_to_voters(params: &Params, state: &State) -> Result<(), Broken> {
    holds("I-R9c", state.hard.vote.is_none_or(|vote| params.voters().contains(vote)), || format!("{:?} of node {}", state.hard, state.id))
}

/// I-R11, Raft paper fig. 2: `matched < next <= last + 1` for every peer; every other voter is a peer.
pub fn progress_is_in_bounds(params: &Params, state: &State) -> Result<(), Broken> {
    let Some(leader) = state.as_leader() else { return Ok(()) };
    let last = state.log.last();
    let peers = leader.peers.iter().map(|(id, _)| id).eq(params.voters().iter().filter(|&id| id != state.id));
    let bounds = leader
        .peers
        .iter()
        .all(|(_, peer)| peer.matched < peer.next && peer.matched <= last && peer.next <= last.next() && peer.round <= leader.round);
    let own = leader.durable <= last && leader.opened_at <= last;
    holds("I-R11", peers && bounds && own, || format!("last {last}, {leader:?}"))
}

/// I-L2b, dissertation §6.4: waiting reads are bounded, in the order of their rounds, and wait for at most the next round.
pub fn reads_are_ordered(params: &Params, state: &State) -> Result<(), Broken> {
    let Some(leader) = state.as_leader() else { return Ok(()) };
    let bounded = leader.reads.len() <= params.limits().reads_max as usize;
    let ordered = leader.reads.iter().is_sorted_by_key(|read| read.round);
    let next = leader.reads.back().is_none_or(|read| read.round.0 <= leader.round.0 + 1);
    holds("I-L2b", bounded && ordered && next, || format!("round {:?}, {:?}", leader.round, leader.reads))
}
