//! The transition function: which handler an event goes to, and what handlers share.

use super::{
    effect::{Append, Effect, Gate, Law, Mark},
    event::Event,
    message::Message,
    params::Params,
    rules::{Paper, Rules},
    state::{Role, State},
};
use crate::{Index, NodeId, Term};
use alloc::vec::Vec;
use core::{marker::PhantomData, mem};

/// The only way a [`State`] changes. Deterministic, total, never fails, never blocks.
/// Appends to `out` in order; the order is part of the meaning (see [`super::Gate`]).
pub fn step(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    step_with::<Paper>(params, state, event, out);
}

/// [`step`] under other rules: for mutants and for counting.
pub fn step_with<R: Rules>(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let mut step = Step::<R> { params, state, out, hard_changed: false, rules: PhantomData };
    // By reference: a message is large, and moving it into a handler would copy it.
    match &event {
        Event::Receive { from, message } => step.receive(*from, message),
        Event::Propose { count } => step.propose(*count),
        Event::Read { id } => step.read(*id),
        Event::ElectionTimeout => step.election_timeout(),
        Event::MinimumTimeout => step.minimum_timeout(),
        Event::HeartbeatTimeout => step.heartbeat_timeout(),
        Event::Persisted { mark } => step.persisted(*mark),
        Event::Applied { through } => step.state.applied = R::applied_after(step.state, *through),
        Event::SnapshotTaken { at } => step.snapshot_taken(*at),
        Event::SnapshotReceived { from, term, at } => step.snapshot_received(*from, *term, *at),
        Event::SnapshotFailed { to } => step.snapshot_failed(*to),
        Event::Unreachable { peer } => step.unreachable(*peer),
        Event::DiskStalled => step.disk_stalled(),
    }
    step.persist_term();
}

/// One event on its way through one state.
pub(super) struct Step<'a, R> {
    pub(super) params: &'a Params,
    pub(super) state: &'a mut State,
    pub(super) out: &'a mut Vec<Effect>,
    /// Term or vote differ from what was last told to the disk. A gated send must not be emitted while this is true.
    pub(super) hard_changed: bool,
    pub(super) rules: PhantomData<R>,
}

impl<R: Rules> Step<'_, R> {
    fn receive(&mut self, from: NodeId, message: &Message) {
        if !R::hears(self.params, self.state.id, from) {
            return;
        }
        if let Some(term) = R::term_of(message).filter(|term| *term > self.state.hard.term) {
            self.become_follower(term);
        }
        match message {
            Message::PreVote { term, last } => self.on_pre_vote(from, *term, *last),
            Message::PreVoteResponse { term, granted } => self.on_pre_vote_response(from, *term, *granted),
            Message::RequestVote { term, last } => self.on_request_vote(from, *term, *last),
            Message::RequestVoteResponse { term, granted } => self.on_request_vote_response(from, *term, *granted),
            Message::AppendEntries { term, slice, commit, round } => self.on_append_entries(from, *term, slice, *commit, *round),
            Message::AppendEntriesResponse { term, result, round } => {
                self.on_append_entries_response(from, *term, result.as_ref().map(|index| *index).map_err(|behind| &**behind), *round);
            }
            Message::ReadIndex { id, .. } => self.on_read_index(from, *id),
            Message::ReadIndexResponse { id, index, .. } => self.on_read_index_response(*id, *index),
        }
    }

    /// Enters a term (or stays in it) without a leader. A leader's unanswered reads are refused; its clients' entries stay in the log, and
    /// their fate is open.
    pub(super) fn become_follower(&mut self, term: Term) {
        let hard = R::hard_after(self.state.hard, term);
        self.hard_changed |= hard != self.state.hard;
        self.state.hard = hard;
        let before = mem::replace(&mut self.state.role, Role::Follower { leader: None, heard: false });
        if let Role::Leader(leader) = before {
            self.out.push(Effect::ResetElectionTimer);
            for read in leader.reads {
                self.refuse_read(read.id);
            }
        }
    }

    /// Follows a sender of appends or snapshots in the current term. False, and a halt, when somebody else leads it.
    pub(super) fn follow(&mut self, from: NodeId) -> bool {
        let other = match &self.state.role {
            Role::Follower { leader, .. } => leader.is_some_and(|leader| leader != from),
            Role::PreCandidate { .. } | Role::Candidate { .. } => false,
            Role::Leader(_) => true,
        };
        if other {
            self.halt(Law::TwoLeadersInOneTerm);
        } else {
            self.state.role = Role::Follower { leader: Some(from), heard: true };
        }
        !other
    }

    /// Writes entries, and term and vote with them if they changed.
    pub(super) fn persist(&mut self, truncate_from: Option<Index>, append: Append) {
        let hard = mem::take(&mut self.hard_changed).then_some(self.state.hard);
        self.out.push(Effect::Persist { hard, truncate_from, append: Some(append), mark: self.mark() });
    }

    /// Writes term and vote, if they changed.
    pub(super) fn persist_term(&mut self) {
        if mem::take(&mut self.hard_changed) {
            let mark = self.mark();
            self.out.push(Effect::Persist { hard: Some(self.state.hard), truncate_from: None, append: None, mark });
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { term: self.state.hard.term, index: self.state.log.last() }
    }

    pub(super) fn send(&mut self, to: NodeId, message: Message, gate: Gate) {
        self.out.push(Effect::Send { to, message, gate });
    }

    /// The same message to every other voter.
    pub(super) fn broadcast(&mut self, message: &Message, gate: Gate) {
        for to in self.params.voters().iter().filter(|&to| to != self.state.id) {
            self.out.push(Effect::Send { to, message: message.clone(), gate });
        }
    }

    pub(super) fn halt(&mut self, law: Law) {
        self.out.push(Effect::Halt { law });
    }

    /// Whether this node has a vote at all.
    pub(super) fn is_voter(&self) -> bool {
        self.params.voters().contains(self.state.id)
    }
}
