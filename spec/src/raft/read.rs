//! Linearizable reads without a log entry: ReadIndex. Dissertation §6.4.
//!
//! A leader that is cut off may not know that another one has taken over; so before it answers, a quorum must confirm it, *after* the read
//! arrived. Confirmations are rounds of AppendEntries, numbered within a term and echoed by every answer. One round runs at a time and
//! serves every read that arrived before it started; those that arrive meanwhile share the next one.

use super::{
    effect::{Effect, Gate, Refused},
    message::{Message, ReadId},
    rules::Rules,
    state::{PendingRead, Role, State},
    step::Step,
};
use crate::{Index, NodeId};

impl<R: Rules> Step<'_, R> {
    /// A read of this node's clients.
    pub(super) fn read(&mut self, id: ReadId) {
        match self.state.leader() {
            Some(leader) if leader == self.state.id => self.confirm(id),
            Some(leader) => self.send(leader, Message::ReadIndex { term: self.state.hard.term, id }, Gate::Now),
            None => self.refuse_read(id),
        }
    }

    /// A read that another node forwards. Its answer goes where it comes from.
    pub(super) fn on_read_index(&mut self, from: NodeId, id: ReadId) {
        if id.node != from {
            return;
        }
        if self.state.as_leader().is_some() {
            self.confirm(id);
        } else {
            self.refuse_read(id);
        }
    }

    /// Valid in whatever term it arrives: it was confirmed after the read began, and read ids are never reused.
    pub(super) fn on_read_index_response(&mut self, id: ReadId, index: Option<Index>) {
        if id.node != self.state.id {
            return;
        }
        match index {
            Some(index) => self.out.push(Effect::ReadReady { id, index }),
            None => self.refuse_read(id),
        }
    }

    /// Queues a read behind the next round, and starts that if none is running.
    fn confirm(&mut self, id: ReadId) {
        let State { commit, role: Role::Leader(leader), .. } = &mut *self.state else { return };
        if leader.reads.len() >= self.params.limits().reads_max as usize {
            return self.refuse_read(id);
        }
        let is_idle = R::confirmed_round(self.params, leader) >= leader.round;
        let round = R::read_round(leader);
        leader.reads.push_back(PendingRead { id, index: *commit, round });
        if is_idle {
            leader.round = leader.round.max(round);
            self.replicate_to_all(true);
            self.release_reads();
        }
    }

    /// Answers what is confirmed, and starts the round that the rest waits for.
    pub(super) fn release_reads(&mut self) {
        let State { id, hard, commit, role: Role::Leader(leader), .. } = &mut *self.state else { return };
        if leader.reads.is_empty() {
            return;
        }
        let confirmed = R::confirmed_round(self.params, leader);
        if R::may_answer_reads(leader, *commit) {
            while let Some(read) = leader.reads.pop_front_if(|read| read.round <= confirmed) {
                let index = R::read_index(leader, &read);
                self.out.push(if read.id.node == *id {
                    Effect::ReadReady { id: read.id, index }
                } else {
                    let message = Message::ReadIndexResponse { term: hard.term, id: read.id, index: Some(index) };
                    Effect::Send { to: read.id.node, message, gate: Gate::Now }
                });
            }
        }
        let waits_for = leader.reads.back().map(|read| read.round);
        if confirmed >= leader.round
            && let Some(round) = waits_for.filter(|round| *round > leader.round)
        {
            leader.round = round;
            self.replicate_to_all(true);
        }
    }

    /// Tells whoever asked that this read will not be answered here.
    pub(super) fn refuse_read(&mut self, id: ReadId) {
        let effect = if id.node == self.state.id {
            Effect::Refuse { what: Refused::Read(id), leader: self.state.leader() }
        } else {
            let message = Message::ReadIndexResponse { term: self.state.hard.term, id, index: None };
            Effect::Send { to: id.node, message, gate: Gate::Now }
        };
        self.out.push(effect);
    }
}
