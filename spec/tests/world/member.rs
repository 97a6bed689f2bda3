//! One member, stepped by hand; every law is checked after every step.

use super::entry;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::{Transition, check_transition},
    raft::{
        Effect, Event, Gate, HardState, Limits, LogShape, Mark, Message, Params, ReadId, Role, Round, Run, Slice, State, recover, step,
    },
};

pub struct Member {
    pub params: Params,
    pub state: State,
}

/// A log's terms, first entry first.
pub fn log_of(terms: &[u64]) -> LogShape {
    let mut runs: Vec<Run> = Vec::new();
    for (number, &term) in terms.iter().enumerate() {
        if runs.last().is_none_or(|run| run.term != Term(term)) {
            runs.push(Run { term: Term(term), first: Index(number as u64 + 1) });
        }
    }
    LogShape::from_runs(EntryId::default(), runs, Index(terms.len() as u64)).expect("a log")
}

/// The terms of a log that begins with entry 1.
pub fn terms_of(log: &LogShape) -> Vec<u64> {
    (1..=log.last().0).map(|index| log.slice(Index(index - 1), 1).map_or(0, |slice| slice.last_id().term.0)).collect()
}

/// An AppendEntries: entries of these terms behind `prev`.
pub fn append(term: u64, prev: EntryId, terms: &[u64], commit: u64) -> Message {
    let mut slice = Slice::empty(prev);
    for &term in terms {
        slice.last = slice.last.next();
        if slice.runs.last().is_none_or(|run| run.term != Term(term)) {
            slice.runs.push(Run { term: Term(term), first: slice.last });
        }
    }
    Message::AppendEntries { term: Term(term), slice, commit: Index(commit), round: Round(0) }
}

pub fn accepted(term: u64, index: u64) -> Message {
    accepted_in(term, index, 0)
}

pub fn accepted_in(term: u64, index: u64, round: u64) -> Message {
    Message::AppendEntriesResponse { term: Term(term), result: Ok(Index(index)), round: Round(round) }
}

pub fn read_of(node: u32, number: u64) -> ReadId {
    ReadId { node: NodeId(node), boot: 1, number }
}

impl Member {
    /// Node 1 of that many voters, with an empty log.
    pub fn of(voters: u32) -> Self {
        Self::with(voters, 0, &[])
    }

    /// Node 1 of that many voters in a term, with a log of these terms.
    pub fn with(voters: u32, term: u64, log: &[u64]) -> Self {
        Self::limited(voters, term, log, Limits::default())
    }

    pub fn limited(voters: u32, term: u64, log: &[u64], limits: Limits) -> Self {
        Self::from_shape(1, voters, term, log_of(log), limits)
    }

    pub fn from_shape(id: u32, voters: u32, term: u64, log: LogShape, limits: Limits) -> Self {
        let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        let hard = HardState { term: Term(term), vote: None };
        let applied = log.base().index;
        let state = recover(NodeId(id), hard, log, applied).expect("recoverable");
        Self { params: Params::new(&ids, limits).expect("valid"), state }
    }

    /// Node 1 as leader of `term`, elected by everybody, its log (opening entry included) durable.
    pub fn leader(voters: u32, term: u64, log: &[u64]) -> Self {
        Self::limited_leader(voters, term, log, Limits::default())
    }

    pub fn limited_leader(voters: u32, term: u64, log: &[u64], limits: Limits) -> Self {
        let mut member = Self::limited(voters, term - 1, log, limits);
        member.win();
        member.persisted();
        member
    }

    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let before = self.state.clone();
        let mut effects = Vec::new();
        step(&self.params, &mut self.state, event.clone(), &mut effects);
        let transition = Transition { params: &self.params, before: &before, event: &event, after: &self.state, effects: &effects };
        if let Err(broken) = check_transition(&transition) {
            panic!("{broken} by {event:?}");
        }
        effects
    }

    pub fn receive(&mut self, from: u32, message: Message) -> Vec<Effect> {
        self.step(Event::Receive { from: NodeId(from), message })
    }

    /// Reports everything as durable.
    pub fn persisted(&mut self) -> Vec<Effect> {
        let mark = Mark { term: self.state.hard.term, index: self.state.log.last() };
        self.step(Event::Persisted { mark })
    }

    /// Campaigns: asks everybody, and is told by everybody to go ahead.
    pub fn campaign(&mut self) -> Vec<Effect> {
        let mut effects = self.step(Event::ElectionTimeout);
        let asked = self.state.hard.term.next();
        for from in 2..=self.params.voters().len() as u32 {
            if matches!(self.state.role, Role::PreCandidate { .. }) {
                effects = self.receive(from, Message::PreVoteResponse { term: asked, granted: true });
            }
        }
        effects
    }

    /// Campaigns and is elected by everybody; the effects of the winning step.
    pub fn win(&mut self) -> Vec<Effect> {
        let mut effects = self.campaign();
        for from in 2..=self.params.voters().len() as u32 {
            if self.is_candidate() {
                effects = self.receive(from, self.vote());
            }
        }
        assert!(self.state.as_leader().is_some(), "elected");
        effects
    }

    /// A vote for this candidate.
    pub fn vote(&self) -> Message {
        Message::RequestVoteResponse { term: self.state.hard.term, granted: true }
    }

    pub fn is_candidate(&self) -> bool {
        matches!(self.state.role, Role::Candidate { .. })
    }

    pub fn is_follower(&self) -> bool {
        matches!(self.state.role, Role::Follower { .. })
    }

    pub fn term(&self) -> u64 {
        self.state.hard.term.0
    }

    pub fn commit(&self) -> u64 {
        self.state.commit.0
    }

    pub fn terms(&self) -> Vec<u64> {
        terms_of(&self.state.log)
    }

    pub fn matched(&self, peer: u32) -> u64 {
        self.state.as_leader().and_then(|leader| leader.peers.get(NodeId(peer))).expect("a peer").matched.0
    }

    /// A follower that follows node 2 in `term`.
    pub fn following(voters: u32, term: u64, log: &[u64]) -> Self {
        let mut member = Self::with(voters, term, log);
        let last = log.len() as u64;
        let prev = entry(log.last().copied().unwrap_or(0), last);
        member.receive(2, append(term, prev, &[], 0));
        member
    }
}

/// What is sent, in order.
pub fn sent(effects: &[Effect]) -> Vec<(u32, Message)> {
    let sends = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to, message, .. } => Some((to.0, message.clone())),
        _ => None,
    });
    sends.collect()
}

/// The only message that is sent.
pub fn only(effects: &[Effect]) -> Message {
    match sent(effects).as_slice() {
        [(_, message)] => message.clone(),
        other => panic!("one message, not {other:?}"),
    }
}

pub fn gates(effects: &[Effect]) -> Vec<Gate> {
    let gates = effects.iter().filter_map(|effect| match effect {
        Effect::Send { gate, .. } => Some(*gate),
        _ => None,
    });
    gates.collect()
}

pub fn applies(effects: &[Effect]) -> Option<u64> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Apply { through } => Some(through.0),
        _ => None,
    })
}

pub fn restarts_timer(effects: &[Effect]) -> bool {
    effects.contains(&Effect::ResetElectionTimer)
}

/// Indices of the entries of each append, as (first, last); an empty one is (next, last) with next = last + 1.
pub fn appended(effects: &[Effect], to: u32) -> Vec<(u64, u64)> {
    let appends = sent(effects).into_iter().filter(|(peer, _)| *peer == to);
    let slices = appends.filter_map(|(_, message)| match message {
        Message::AppendEntries { slice, .. } => Some((slice.prev.index.0 + 1, slice.last.0)),
        _ => None,
    });
    slices.collect()
}
