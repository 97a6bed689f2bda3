//! One group's life on one node: its core and outbox executed again, and what the runtime did beside what they allowed.

use super::{disk::Disk, sends::Sends};
use crate::{
    print,
    verdict::{Broken, Rule, ensure},
};
use roadstead_model::raft::Build;
use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::{Transition, check_state, check_transition},
    outbox::{Action, Outbox, Ticket, Write},
    raft::{self, Effect, Event, Mark, Message, Params, State, TermAt},
    trace::{Content, Digest, Fact, Written},
};
use std::collections::VecDeque;

/// A group on a node, in its newest boot.
#[derive(Debug)]
pub(super) struct Member {
    build: Build,
    params: Params,
    state: State,
    outbox: Outbox,
    disk: Disk,
    lost_entries: bool,
    sends: Sends,
    up: bool,
    halted: bool,
    /// What the outbox let out and was not done yet, each in its order.
    writes: VecDeque<(Ticket, Write)>,
    compactions: VecDeque<Index>,
    installing: VecDeque<EntryId>,
    persisted: Option<Mark>,
    apply_through: Index,
    /// What the state machine has applied, and of that what was said to be durable.
    applied: Index,
    applied_durably: Index,
    /// The message that came last and was not stepped yet.
    received: Option<(NodeId, Message)>,
    effects: Vec<Effect>,
    actions: Vec<Action>,
}

impl Member {
    /// A group that comes up for the first time here.
    pub(super) fn new(build: Build, node: NodeId, params: &Params, state: &State) -> Result<Self, Broken> {
        let member = Self {
            build,
            params: params.clone(),
            state: state.clone(),
            outbox: Outbox::new(state.applied),
            disk: Disk::found(state),
            lost_entries: false,
            sends: Sends::default(),
            up: true,
            halted: false,
            writes: VecDeque::new(),
            compactions: VecDeque::new(),
            installing: VecDeque::new(),
            persisted: None,
            apply_through: state.applied,
            applied: state.applied,
            applied_durably: state.log.base().index,
            received: None,
            effects: Vec::new(),
            actions: Vec::new(),
        };
        let again = raft::recover(node, state.hard, state.log.clone(), state.applied);
        ensure(Rule::Step, again.as_ref() == Ok(state), || {
            "the group did not come up as a follower that knows its disk and nothing else".into()
        })?;
        check_state(params, state).map_err(|broken| Broken { rule: Rule::Law, why: broken.to_string() })?;
        Ok(member)
    }

    /// The group comes up again: from exactly what its last boot must, and may, have left behind.
    pub(super) fn recover(&mut self, node: NodeId, params: &Params, state: &State) -> Result<(), Broken> {
        ensure(Rule::Stream, !self.up, || "the group recovers a second time in one boot".into())?;
        ensure(Rule::Duty2, self.disk.may_leave(state), || {
            format!("the boot before left {}; this one found {}", self.disk.describe(), Disk::found(state).describe())
        })?;
        let applied = state.applied;
        let possible = self.applied_durably <= applied && applied <= self.apply_through.max(state.log.base().index);
        ensure(Rule::Duty5, possible, || {
            format!(
                "the state machine comes up with {applied} applied; {} was durable, and {} the last that it was allowed to apply",
                self.applied_durably, self.apply_through
            )
        })?;
        ensure(Rule::Step, self.params.voters() == params.voters(), || "the group comes up with other members".into())?;
        *self = Self::new(self.build, node, params, state)?;
        Ok(())
    }

    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    pub(super) fn go_down(&mut self) {
        self.up = false;
    }

    /// What it knew last.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Its voters, itself among them.
    pub(super) fn voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.params.voters().iter()
    }

    /// What is durable of it.
    pub(super) const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether the last record made a write durable that may have taken entries away.
    pub(super) fn lost_entries(&mut self) -> bool {
        std::mem::take(&mut self.lost_entries)
    }

    /// The term that it leads.
    pub(super) fn leads(&self) -> Option<Term> {
        self.state.as_leader().map(|_| self.state.hard.term)
    }

    pub(super) fn hear(&mut self, fact: Fact) -> Result<(), Broken> {
        match fact {
            Fact::Stepped { event, effects, after } => self.stepped(event, &effects, after),
            Fact::Issued { ticket, write, content } => self.issued(ticket, write, &content),
            Fact::Durable { through } => self.durable(through),
            Fact::Compacted { through } => {
                let allowed = self.compactions.pop_front_if(|next| *next == through).is_some();
                self.disk.give_up(through);
                ensure(Rule::Duty5, allowed, || format!("the outbox has not let the log be compacted through {through}"))?;
                ensure(Rule::Law, through <= self.applied_durably, || {
                    format!(
                        "I-N3 is broken: the log is compacted through {through}, and the state machine is durable through {}",
                        self.applied_durably
                    )
                })
            }
            Fact::Sent { to, message, after, .. } => self.sends.sent(to, &message, after),
            Fact::Dropped { to, message, after } => self.sends.dropped(to, &message, after),
            Fact::Received { from, message, .. } => {
                self.received = Some((from, message));
                Ok(())
            }
            Fact::Applied { content } => self.apply(&content),
            Fact::Installed { at } => {
                let expected = self.installing.pop_front_if(|next| *next == at).is_some();
                self.applied = at.index;
                self.applied_durably = self.applied_durably.max(at.index);
                ensure(Rule::Duty5, expected, || {
                    format!("the state machine went over to snapshot {at}, which is not durably installed, or was before")
                })
            }
            Fact::Recovered { .. } => Ok(()),
        }
    }

    /// Whether everything is done that the outbox let out, but for what may take its time.
    pub(super) fn settled(&self) -> Result<(), Broken> {
        if self.halted {
            return Ok(());
        }
        if let Some((ticket, write)) = self.writes.front() {
            return Err(Broken { rule: Rule::Duty2, why: format!("write {ticket} was let out and not issued: {}", print::write(write)) });
        }
        if let Some(late) = self.sends.late() {
            return Err(Broken { rule: Rule::Duty5, why: late });
        }
        if let Some(through) = self.compactions.front() {
            return Err(Broken { rule: Rule::Duty5, why: format!("the log was to be compacted through {through}, and was not") });
        }
        let owed = self.persisted.map(|mark| format!("the core is owed the news that {}@{} is durable", mark.index, mark.term));
        owed.map_or(Ok(()), |why| Err(Broken { rule: Rule::Duty3, why }))
    }

    fn stepped(&mut self, event: Event, effects: &[Effect], after: Digest) -> Result<(), Broken> {
        self.expects(&event)?;
        self.settled()?;
        let before = self.state.clone();
        self.effects.clear();
        (self.build.step)(&self.params, &mut self.state, event.clone(), &mut self.effects);
        ensure(Rule::Step, self.effects == effects, || {
            format!("{} gives [{}]; the node recorded [{}]", print::event(&event), print::effects(&self.effects), print::effects(effects))
        })?;
        ensure(Rule::Step, Digest::of_state(&self.state) == after, || {
            format!(
                "{} leaves a state with digest {:016x}; the node recorded {:016x}",
                print::event(&event),
                Digest::of_state(&self.state).0,
                after.0
            )
        })?;
        let transition = Transition { params: &self.params, before: &before, event: &event, after: &self.state, effects: &self.effects };
        check_transition(&transition).map_err(|broken| Broken { rule: Rule::Law, why: broken.to_string() })?;
        (self.build.accept)(&mut self.outbox, &mut self.effects, &mut self.actions);
        self.allow();
        Ok(())
    }

    /// Whether the runtime may say this to the core.
    fn expects(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Persisted { mark } => {
                let owed = self.persisted.take_if(|owed| owed == mark).is_some();
                ensure(Rule::Duty3, owed, || format!("mark {}@{} is not durable, or was reported before", mark.index, mark.term))
            }
            Event::Receive { from, message } => {
                let came = self.received.take_if(|(sender, came)| sender == from && came == message).is_some();
                ensure(Rule::Duty6, came, || {
                    format!("the core heard {} of node {from}, which did not come in just then", print::message(message))
                })
            }
            Event::Applied { through } => {
                ensure(Rule::Duty5, *through == self.applied, || format!("the core heard that {through} is applied; {} is", self.applied))
            }
            Event::SnapshotTaken { at } => {
                self.applied_durably = self.applied_durably.max(at.index);
                ensure(Rule::Duty5, at.index <= self.applied, || format!("a snapshot at {at} was taken; only {} is applied", self.applied))
            }
            _ => Ok(()),
        }
    }

    fn issued(&mut self, ticket: Ticket, write: Written, content: &Content) -> Result<(), Broken> {
        let released = self.writes.pop_front();
        let (due, released) =
            released.ok_or_else(|| Broken { rule: Rule::Duty2, why: format!("write {ticket} was issued and not let out") })?;
        ensure(Rule::Duty2, due == ticket, || format!("write {due} was due, and {ticket} was issued"))?;
        ensure(Rule::Duty2, Written::from(&released) == write, || {
            format!("{} was let out, and {} issued", print::write(&released), print::written(&write))
        })?;
        let terms_fit = match &released {
            Write::Persist { append: Some(append), .. } => {
                let first = append.runs.first().map_or(append.last, |run| run.first);
                let term_of = |index: u64| append.runs.iter().rev().find(|run| run.first.0 <= index).map(|run| run.term);
                let terms = (first.0..).zip(&content.entries).all(|(index, (term, _))| term_of(index) == Some(*term));
                content.first == first && first.0 + content.entries.len() as u64 == append.last.0 + 1 && terms
            }
            Write::Persist { append: None, .. } | Write::InstallSnapshot { .. } => content.entries.is_empty(),
        };
        ensure(Rule::Duty4, terms_fit, || {
            format!("{} was let out, and {} issued with it", print::write(&released), print::content(content))
        })?;
        self.disk.issue(ticket, write, content);
        Ok(())
    }

    fn durable(&mut self, through: Ticket) -> Result<(), Broken> {
        self.settled()?;
        let (issued, durable) = (self.outbox.issued(), self.outbox.newest_durable());
        ensure(Rule::Duty2, durable < through && through <= issued, || {
            format!("write {through} is said to be durable; {durable} was before, and {issued} is the last that was issued")
        })?;
        self.lost_entries = self.disk.durable(through);
        (self.build.durable)(&mut self.outbox, through, &mut self.actions);
        self.allow();
        Ok(())
    }

    fn apply(&mut self, content: &Content) -> Result<(), Broken> {
        ensure(Rule::Duty5, content.first == self.applied.next(), || {
            format!("entries from {} on were applied behind {}", content.first, self.applied)
        })?;
        self.applied = self.applied.plus(content.entries.len() as u64);
        ensure(Rule::Duty5, self.applied <= self.apply_through, || {
            format!("entries through {} were applied; the outbox has let out {}", self.applied, self.apply_through)
        })?;
        let other = (content.first.0..).map(Index).zip(&content.entries).find(|(index, (term, _))| match self.state.log.term_at(*index) {
            TermAt::Known(known) => known != *term,
            TermAt::Compacted => false,
            TermAt::Beyond => true,
        });
        other.map_or(Ok(()), |(index, (term, _))| {
            Err(Broken {
                rule: Rule::Duty4,
                why: format!("entry {index}@{term} was applied; the log holds {:?} there", self.state.log.term_at(index)),
            })
        })
    }

    fn allow(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                Action::Write { ticket, write } => self.writes.push_back((ticket, write)),
                Action::Send(released) => self.sends.release(released),
                Action::Persisted { mark } => self.persisted = Some(mark),
                Action::Installed { at } => {
                    self.installing.push_back(at);
                    self.apply_through = self.apply_through.max(at.index);
                }
                Action::Apply { through } => self.apply_through = through,
                Action::Compact { through } => self.compactions.push_back(through),
                Action::Halt { .. } => self.halted = true,
                Action::ReadReady { .. }
                | Action::Refuse { .. }
                | Action::SendSnapshot { .. }
                | Action::ResetElectionTimer
                | Action::Overflow { .. } => {}
            }
        }
    }
}
