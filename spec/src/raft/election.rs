//! Elections: pre-vote, vote, check of the quorum. Paper §5.2 and §5.4.1; dissertation §4.2.3, §6.2 and §9.6.
//!
//! ```text
//!             election timeout                quorum would vote              quorum voted
//!   Follower ────────────────▶ PreCandidate ───────────────────▶ Candidate ───────────────▶ Leader
//!      ▲                         term stays                   term + 1, own vote          opens its term
//!      └────────── a leader's word, a higher term, a quorum unheard, a stalled disk ──────────┘
//! ```

use super::{
    effect::{Append, Effect, Gate, HardState, Origin},
    log::Run,
    message::{Message, Round},
    params::NodeSet,
    rules::Rules,
    state::{Flow, Leader, Peers, Progress, Role},
    step::Step,
};
use crate::{EntryId, Index, NodeId, Term};
use alloc::{boxed::Box, collections::VecDeque};

impl<R: Rules> Step<'_, R> {
    /// A leader checks that it still hears a quorum; everybody else asks whether it could win.
    pub(super) fn election_timeout(&mut self) {
        if let Role::Leader(leader) = &mut self.state.role {
            if R::still_leads(self.params, leader) {
                leader.peers.iter_mut().for_each(|(_, progress)| progress.heard = false);
                self.out.push(Effect::ResetElectionTimer);
            } else {
                self.become_follower(self.state.hard.term);
            }
            return;
        }
        self.out.push(Effect::ResetElectionTimer);
        let granted = NodeSet::of(self.state.id);
        let next = self.state.hard.term.next();
        if !self.is_voter() || next == self.state.hard.term {
            return;
        }
        if R::elects(self.params, &granted) {
            self.campaign();
            return;
        }
        self.state.role = Role::PreCandidate { granted };
        self.broadcast(&Message::PreVote { term: next, last: self.state.log.last_id() }, Gate::Now);
    }

    /// No word of a leader for the minimum election timeout.
    pub(super) fn minimum_timeout(&mut self) {
        if let Role::Follower { heard, .. } = &mut self.state.role {
            *heard = false;
        }
    }

    pub(super) fn disk_stalled(&mut self) {
        if matches!(self.state.role, Role::Leader(_)) && !R::leads_on_stalled_disk() {
            self.become_follower(self.state.hard.term);
        }
    }

    /// Changes nothing here: neither term nor vote nor timer.
    pub(super) fn on_pre_vote(&mut self, from: NodeId, term: Term, last: EntryId) {
        let granted = R::grants_pre_vote(self.state, from, term, last);
        if let Role::Follower { heard, .. } = &mut self.state.role {
            *heard = R::heard_after_pre_vote(*heard);
        }
        let term = if granted { term } else { self.state.hard.term };
        self.send(from, Message::PreVoteResponse { term, granted }, Gate::Now);
    }

    pub(super) fn on_pre_vote_response(&mut self, from: NodeId, term: Term, granted: bool) {
        let asked = self.state.hard.term.next();
        if let Role::PreCandidate { granted: votes } = &mut self.state.role
            && R::counts_vote(asked, term, granted)
        {
            votes.insert(from);
            if R::elects(self.params, votes) {
                self.campaign();
            }
        }
    }

    /// Raises the term, votes for itself, and asks once both are durable.
    fn campaign(&mut self) {
        let id = self.state.id;
        self.state.hard = HardState { term: self.state.hard.term.next(), vote: Some(id) };
        self.hard_changed = true;
        let granted = NodeSet::of(id);
        let elected = R::elects(self.params, &granted);
        self.state.role = Role::Candidate { granted };
        if elected {
            self.become_leader();
            return;
        }
        self.persist_term();
        self.out.push(Effect::ResetElectionTimer);
        let message = Message::RequestVote { term: self.state.hard.term, last: self.state.log.last_id() };
        self.broadcast(&message, R::request_vote_gate());
    }

    pub(super) fn on_request_vote(&mut self, from: NodeId, term: Term, last: EntryId) {
        let granted = R::grants_vote(self.state.hard, &self.state.log, from, term, last);
        if granted {
            let hard = HardState { vote: Some(from), ..self.state.hard };
            self.hard_changed |= hard != self.state.hard;
            self.state.hard = hard;
            self.out.push(Effect::ResetElectionTimer);
        }
        self.persist_term();
        self.send(from, Message::RequestVoteResponse { term: self.state.hard.term, granted }, R::vote_gate());
    }

    pub(super) fn on_request_vote_response(&mut self, from: NodeId, term: Term, granted: bool) {
        let asked = self.state.hard.term;
        if let Role::Candidate { granted: votes } = &mut self.state.role
            && R::counts_vote(asked, term, granted)
        {
            votes.insert(from);
            if R::elects(self.params, votes) {
                self.become_leader();
            }
        }
    }

    /// Opens the term with an entry of its own and tells everybody.
    fn become_leader(&mut self) {
        let last = self.state.log.last();
        let progress = Progress { matched: Index(0), next: last.next(), round: Round(0), heard: false, flow: Flow::Probe { sent: false } };
        self.state.role = Role::Leader(Box::new(Leader {
            opened_at: last.next(),
            durable: R::durable_at_start(&self.state.log),
            peers: Peers::new(self.params, self.state.id, progress),
            round: Round(0),
            reads: VecDeque::new(),
        }));
        self.out.push(Effect::ResetElectionTimer);
        self.append_own(R::opening_entries(), Origin::Noop);
        self.replicate_to_all(true);
    }

    /// Appends entries of the own term, as a leader.
    pub(super) fn append_own(&mut self, count: u64, origin: Origin) {
        let (term, before) = (self.state.hard.term, self.state.log.last());
        self.state.log.append(term, count);
        let last = self.state.log.last();
        if last == before {
            return;
        }
        if let Role::Leader(leader) = &mut self.state.role {
            leader.durable = R::durable_after_append(leader.durable, last);
        }
        let runs = [Run { term, first: before.next() }].into_iter().collect();
        self.persist(None, Append { runs, last, origin });
    }
}
