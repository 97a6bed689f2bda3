//! One turn of the world: an action, and everything that follows from it at once.
//!
//! A turn ends where something else could come between: at a packet in flight, a change on its way to the disk, a timer. What touches one member only and
//! waits for nothing is merged into the turn: the effects of a step, the outbox's answers, the report of a durable write, and, where a
//! configuration says so, the disk and the state machine. That is sound: nobody else could see a difference.

use super::{
    Answers, Body, Group, Judge, Pace, Packet, RaftWorld,
    group::{Live, id_at, place_of},
    history::{Committed, History},
    properties::{self, holds},
    sights::{self, Sighted},
};
use crate::Seen;
use roadstead_spec::{
    EntryId, Index, NodeId,
    invariants::{Broken, Transition, check_pair, check_transition},
    raft::{Effect, Event, Law, Message, State, TermAt},
};

/// An action on its way through the world.
pub(super) struct Turn<'a> {
    pub(super) world: &'a RaftWorld,
    pub(super) group: &'a mut Group,
    pub(super) seen: &'a mut Seen,
    /// Where what is sent goes.
    pub(super) sending: Sending,
    /// Members whose election timer was started anew, a bit each.
    pub(super) timers: u8,
}

/// Where what is sent goes.
pub(super) enum Sending {
    /// Into the network.
    Network,
    /// Nowhere: too much is in flight already.
    Lost,
    /// Into the hands of whoever carries a conversation out at once.
    Captured(Vec<Packet>),
}

impl<'a> Turn<'a> {
    pub(super) fn new(world: &'a RaftWorld, group: &'a mut Group, seen: &'a mut Seen) -> Self {
        Self { world, group, seen, sending: Sending::Network, timers: 0 }
    }

    /// Whether laws of single steps, disks and pairs judge, too.
    pub(super) fn judges_all(&self) -> bool {
        self.world.judge == Judge::Everything
    }

    /// Steps an event at a member and, if its disk takes no time, makes durable whatever comes of it. Nothing happens at a member that is down.
    pub(super) fn happen(&mut self, at: usize, event: Event) -> Result<(), Broken> {
        self.event(at, event)?;
        self.settle(at)
    }

    /// Makes a fast disk durable.
    pub(super) fn settle(&mut self, at: usize) -> Result<(), Broken> {
        while self.world.bounds.disk == Pace::AtOnce && self.group.live(at).is_some_and(|live| !live.jobs.is_empty()) {
            self.sync_one(at)?;
        }
        Ok(())
    }

    pub(super) fn event(&mut self, at: usize, event: Event) -> Result<(), Broken> {
        let judges_all = self.judges_all();
        let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
        let before = live.state.clone();
        let mut effects = Vec::with_capacity(4);
        (self.world.build.step)(&self.world.params, &mut live.state, event.clone(), &mut effects);
        let step = Transition { params: &self.world.params, before: &before, event: &event, after: &live.state, effects: &effects };
        sights::of_step(&step, self.seen);
        if judges_all {
            check_transition(&step)?;
            if let Some(Effect::Halt { law }) = effects.iter().find(|effect| matches!(effect, Effect::Halt { .. })) {
                return Err(Broken { law: law_of(*law), values: format!("{} halts by {event:?}: {law:?}", live.state.id) });
            }
        }
        let mut out = Vec::with_capacity(effects.len());
        (self.world.build.accept)(&mut live.outbox, &mut effects, &mut out);
        self.observe(at, &before, &event)?;
        self.carry_out(at, out)
    }

    /// What an outside observer notes and judges after a step.
    fn observe(&mut self, at: usize, before: &State, event: &Event) -> Result<(), Broken> {
        let judges_all = self.judges_all();
        let Group { members, history, .. } = &mut *self.group;
        if before.as_leader().is_some() && self.world.build.environment.answers == Answers::RefusedOnStepDown {
            refuse_waiting(members[at].live.as_deref_mut(), history);
        }
        let Some(state) = members[at].live.as_deref().map(|live| &live.state) else { return Ok(()) };
        let led = before.as_leader().is_some() && before.hard.term == state.hard.term;
        if state.as_leader().is_some() && !led {
            properties::one_leader_per_term(history, state)?;
            properties::leader_is_complete(&history.committed, state)?;
            Sighted::Elected.note(self.seen);
            Sighted::ElectedTwice.note_if(self.seen, history.leaders.len() > 1);
            let others = members.iter().filter_map(|member| member.live.as_deref()).filter(|live| live.state.as_leader().is_some()).count();
            Sighted::TwoLead.note_if(self.seen, others > 1);
        }
        let mut news = false;
        for index in (before.commit.0 + 1..=state.commit.0).map(Index) {
            // What an installed snapshot covers has no terms any more; its last entry has.
            let TermAt::Known(term) = state.log.term_at(index) else { continue };
            let entry = EntryId { term, index };
            properties::committed_is_unique(history.committed_at(index), entry, state.id)?;
            if index == history.committed_through().next() {
                news = true;
                history.committed.push(Committed { term, by: state.hard.term });
                holds("I-L4", !history.refused.contains(&entry), || format!("{entry} is committed; its client was told that it was not"))?;
                if judges_all {
                    properties::committed_is_durable(members, entry)?;
                }
                Sighted::Committed.note(self.seen);
                Sighted::CommittedAgain.note_if(self.seen, history.committed.first().is_some_and(|first| first.by < state.hard.term));
                Sighted::OlderCommitted.note_if(self.seen, term < state.hard.term);
            }
        }
        if news {
            for live in members.iter().filter_map(|member| member.live.as_deref()) {
                if live.state.as_leader().is_some() && live.state.hard.term > state.hard.term {
                    properties::leader_is_complete(&history.committed, &live.state)?;
                }
            }
        }
        if !judges_all {
            return Ok(());
        }
        if let (Some(leader), Event::Receive { from, message: Message::AppendEntriesResponse { .. } }) = (state.as_leader(), event)
            && let (Some(progress), Some(peer)) = (leader.peers.get(*from), members.get(place_of(*from)))
        {
            properties::match_is_on_disk(state, *from, progress.matched, &peer.disk)?;
        }
        if before.log != state.log || before.commit != state.commit || before.as_leader().is_some() != state.as_leader().is_some() {
            for live in members.iter().filter_map(|member| member.live.as_deref()).filter(|live| live.state.id != state.id) {
                check_pair(state, &live.state)?;
            }
        }
        Ok(())
    }

    /// What is sent goes where this turn's sends go.
    pub(super) fn send(&mut self, at: usize, to: NodeId, body: Body) -> Result<(), Broken> {
        let from = id_at(at);
        if let Body::Message(message) = &body {
            if self.judges_all() {
                properties::promise_is_on_disk(&self.group.members[at].disk, from, to, message)?;
            }
            if matches!(message, Message::RequestVote { .. }) && self.world.build.environment.asks_itself {
                let copy = Packet::new(from, from, body.clone());
                self.transmit(copy);
            }
        }
        self.transmit(Packet::new(from, to, body));
        Ok(())
    }

    /// Whoever is no member is not in this world: what is sent to it is gone.
    fn transmit(&mut self, packet: Packet) {
        if place_of(packet.to) >= self.group.members.len() {
            return;
        }
        match &mut self.sending {
            Sending::Network => self.group.network.send(packet),
            Sending::Lost => {}
            Sending::Captured(packets) => packets.push(packet),
        }
    }

    /// A packet arrives. At a member that is down it is lost.
    pub(super) fn arrive(&mut self, packet: Packet) -> Result<(), Broken> {
        let Packet { from, to, body, .. } = packet;
        let at = place_of(to);
        match body {
            Body::Message(message) => self.happen(at, Event::Receive { from, message }),
            Body::Snapshot { term, at: last } => self.happen(at, Event::SnapshotReceived { from, term, at: last }),
        }
    }
}

/// A leader that steps down tells its clients that nothing happened: a mistake, since their entries may still be committed.
fn refuse_waiting(live: Option<&mut Live>, history: &mut History) {
    if let Some(live) = live.filter(|live| live.state.as_leader().is_none()) {
        history.refused.append(&mut live.writes);
    }
}

/// The law that a halt is about.
const fn law_of(law: Law) -> &'static str {
    match law {
        Law::CommittedEntryChanged => "I-R7",
        Law::TwoLeadersInOneTerm => "I-R1",
        Law::MatchedBeyondLog => "I-R11",
        Law::DurableBeyondLog => "I-R19b",
    }
}
