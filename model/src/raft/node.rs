//! What the rest of a node does: outbox actions are carried out, the disk writes, the state machine applies, clients are answered.

use super::{
    Answers, Body, Change, Checkpoint, Job, Judge, Pace,
    group::{Asked, Live, Ready, id_at, place_of},
    history::{Committed, History},
    properties::{self, holds},
    sights::Sighted,
    turn::Turn,
};
use roadstead_spec::{
    EntryId, Index, NodeId,
    invariants::Broken,
    outbox::{Action, Write},
    raft::{Event, HardState, Message, ReadId, Refused, TermAt},
};

impl Turn<'_> {
    /// Carries out what the outbox says, in order; then steps what the core is to hear of it.
    pub(super) fn carry_out(&mut self, at: usize, actions: Vec<Action>) -> Result<(), Broken> {
        let mut applied = None;
        let mut persisted = None;
        for action in actions {
            match action {
                Action::Write { write, .. } => {
                    let environment = self.world.build.environment;
                    let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
                    (environment.split)(write, &mut live.jobs);
                    if environment.reports_when_issued {
                        self.report(at)?;
                    }
                }
                Action::Send(released) => {
                    let (to, message) = released.into_parts();
                    self.send(at, to, Body::Message(message))?;
                }
                Action::Persisted { mark } => persisted = Some(mark),
                Action::Installed { at: last } => {
                    if let Some(live) = self.group.members[at].live.as_deref_mut() {
                        live.machine = live.machine.max(last.index);
                        live.data = live.machine;
                    }
                    self.answer(at)?;
                }
                Action::Apply { through } => {
                    let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
                    live.applying.push_back(through);
                    if self.world.bounds.machine == Pace::AtOnce {
                        applied = self.apply(at)?.or(applied);
                    }
                }
                Action::Compact { through } => self.cut(at, through)?,
                Action::ReadReady { id, index } => self.read_ready(at, id, index)?,
                Action::Refuse { what: Refused::Read(id), .. } => {
                    if let Some(live) = self.group.members[at].live.as_deref_mut() {
                        live.asked.retain(|asked| asked.id != id);
                    }
                }
                Action::SendSnapshot { to, at: least } => self.stream(at, to, least)?,
                Action::ResetElectionTimer => self.timers |= 1 << at,
                // Its law was judged with the step; without it, nothing leaves this outbox any more.
                Action::Halt { .. } | Action::Overflow { .. } | Action::Refuse { what: Refused::Propose, .. } => {}
            }
        }
        if self.group.live(at).is_some_and(|live| live.outbox.held() > 0) {
            Sighted::GateHeld.note(self.seen);
        }
        if let Some(through) = applied {
            self.event(at, Event::Applied { through })?;
        }
        match persisted {
            Some(mark) => self.event(at, Event::Persisted { mark }),
            None => Ok(()),
        }
    }

    /// The oldest change on its way to the disk becomes durable.
    pub(super) fn sync_one(&mut self, at: usize) -> Result<(), Broken> {
        let member = &mut self.group.members[at];
        let Some(Job { reports, change }) = member.live.as_deref_mut().and_then(|live| live.jobs.pop_front()) else { return Ok(()) };
        let before = member.disk.hard;
        let may_lose = member.disk.change(&change);
        self.disk_changed(at, before, may_lose)?;
        if reports { self.report(at) } else { Ok(()) }
    }

    /// The outbox hears that its oldest write is durable.
    fn report(&mut self, at: usize) -> Result<(), Broken> {
        let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
        let mut out = Vec::with_capacity(4);
        let ticket = live.outbox.newest_durable().next();
        (self.world.build.durable)(&mut live.outbox, ticket, &mut out);
        self.carry_out(at, out)
    }

    /// Term and vote stay on a disk, and what was committed on a quorum of disks.
    fn disk_changed(&self, at: usize, before: HardState, may_lose: bool) -> Result<(), Broken> {
        if !self.judges_all() {
            return Ok(());
        }
        properties::promises_survive(id_at(at), before, self.group.members[at].disk.hard)?;
        if !may_lose {
            return Ok(());
        }
        for (index, Committed { term, .. }) in (1..).map(Index).zip(&self.group.history.committed) {
            properties::committed_is_durable(&self.group.members, EntryId { term: *term, index })?;
        }
        Ok(())
    }

    /// Finishes the oldest applying; what to report.
    pub(super) fn apply(&mut self, at: usize) -> Result<Option<Index>, Broken> {
        let judges_all = self.judges_all();
        let member = &mut self.group.members[at];
        let Some(live) = member.live.as_deref_mut() else { return Ok(None) };
        let Some(through) = live.applying.pop_front() else { return Ok(None) };
        if through <= live.machine {
            Sighted::LateApply.note(self.seen);
            return Ok(Some(through));
        }
        Sighted::Applied.note(self.seen);
        properties::applied_once(live)?;
        if judges_all {
            properties::applied_is_durable(&member.disk, id_at(at), through)?;
        }
        for index in (live.machine.0 + 1..=through.0).map(Index) {
            if let TermAt::Known(term) = live.state.log.term_at(index) {
                let entry = EntryId { term, index };
                properties::committed_is_unique(self.group.history.committed_at(index), entry, id_at(at))?;
            }
        }
        live.machine = through;
        live.data = through;
        self.answer(at)?;
        Ok(Some(through))
    }

    /// Answers clients as far as the state machine is.
    fn answer(&mut self, at: usize) -> Result<(), Broken> {
        let answers = self.world.build.environment.answers;
        let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
        while let Some(entry) = live.writes.first().copied().filter(|entry| entry.index <= live.machine) {
            live.writes.remove(0);
            let own = live.state.log.term_at(entry.index) == TermAt::Known(entry.term);
            Sighted::WriteReplaced.note_if(self.seen, !own);
            if own || answers == Answers::ByIndex {
                Sighted::WriteAnswered.note(self.seen);
                if let Some(clients) = &mut self.group.history.clients {
                    clients.written(entry)?;
                }
                properties::acknowledged_is_committed(self.group.history.committed_at(entry.index), entry)?;
            }
        }
        let (served, waiting) = live.ready.iter().partition(|ready| ready.index <= live.machine);
        live.ready = waiting;
        let served: Vec<Ready> = served;
        served.into_iter().try_for_each(|ready| self.serve(at, ready))
    }

    /// A client reads the state machine.
    fn serve(&mut self, at: usize, ready: Ready) -> Result<(), Broken> {
        let data = self.group.live(at).map_or(Index(0), |live| live.data);
        let History { clients, committed, .. } = &mut self.group.history;
        if let Some(clients) = clients {
            clients.read(ready.client, committed, data)?;
        }
        self.current(&ready, data)
    }

    fn current(&self, ready: &Ready, index: Index) -> Result<(), Broken> {
        if self.world.judge == Judge::Clients { Ok(()) } else { properties::read_is_current(ready.id, ready.began, index) }
    }

    /// The core says at which index a read is to be served.
    fn read_ready(&mut self, at: usize, id: ReadId, index: Index) -> Result<(), Broken> {
        let serves_unapplied = self.world.build.environment.serves_unapplied;
        let Some(live) = self.group.members[at].live.as_deref_mut() else { return Ok(()) };
        // An answer that comes twice, or to a life that ended.
        let Some(place) = live.asked.iter().position(|asked| asked.id == id) else { return Ok(()) };
        let Asked { began, client, .. } = live.asked.remove(place);
        let ready = Ready { id, index, began, client };
        Sighted::ReadAnswered.note(self.seen);
        Sighted::ReadAnsweredLater.note_if(self.seen, self.group.history.leaders.len() > 1);
        if serves_unapplied || index <= live.machine {
            return self.serve(at, ready);
        }
        live.ready.push(ready);
        self.current(&ready, index)
    }

    /// The log's beginning goes; like everything, on its way to the disk.
    fn cut(&mut self, at: usize, through: Index) -> Result<(), Broken> {
        let judges_all = self.judges_all();
        let member = &mut self.group.members[at];
        if judges_all {
            properties::cut_is_covered(&member.disk, id_at(at), through)?;
        }
        if let Some(live) = member.live.as_deref_mut() {
            live.jobs.push_back(Job { reports: false, change: Change::Compact { through } });
        }
        Ok(())
    }

    /// Streams the newest snapshot, unless one is on its way already.
    fn stream(&mut self, at: usize, to: NodeId, least: EntryId) -> Result<(), Broken> {
        let from = id_at(at);
        if self.group.network.carries_snapshot(from, to) {
            return Ok(());
        }
        let member = &self.group.members[at];
        let streamed = (self.world.build.environment.streams)(&member.disk);
        let Some(live) = member.live.as_deref() else { return Ok(()) };
        let Some(last) = streamed else { return Ok(()) };
        let term = live.state.hard.term;
        if self.judges_all() {
            properties::snapshot_is_committed(self.group.history.committed_at(last.index), last, from)?;
            holds("I-N3", last.index >= least.index, || format!("{from} has a snapshot through {last}, and a log behind {least}"))?;
        }
        self.send(at, to, Body::Snapshot { term, at: last })
    }

    /// A client writes.
    pub(super) fn propose(&mut self, at: usize) -> Result<(), Broken> {
        let before = self.group.live(at).map_or(Index(0), |live| live.state.log.last());
        // The entry is known before it can be applied: a group of one commits it within the step.
        if let Some(live) = self.group.members[at].live.as_deref_mut().filter(|_| self.world.bounds.clients) {
            let entry = EntryId { term: live.state.hard.term, index: before.next() };
            live.writes.push(entry);
            if let Some(clients) = &mut self.group.history.clients {
                clients.writes(entry);
            }
        }
        self.happen(at, Event::Propose { count: 1 })
    }

    /// A client reads.
    pub(super) fn read(&mut self, at: usize) -> Result<(), Broken> {
        let began = self.group.history.committed_through();
        let member = &mut self.group.members[at];
        let Some(live) = member.live.as_deref_mut() else { return Ok(()) };
        live.reads += 1;
        let id = ReadId { node: id_at(at), boot: member.boot, number: live.reads };
        let client = self.group.history.clients.as_mut().map_or(0, |clients| clients.reads());
        live.asked.push(Asked { id, began, client });
        self.happen(at, Event::Read { id })
    }

    /// The state machine becomes durable.
    pub(super) fn checkpoint(&mut self, at: usize) -> Result<(), Broken> {
        let member = &mut self.group.members[at];
        let Some(live) = member.live.as_deref() else { return Ok(()) };
        let TermAt::Known(term) = live.state.log.term_at(live.machine) else { return Ok(()) };
        let (last, data) = (EntryId { term, index: live.machine }, live.data);
        match self.world.build.environment.checkpoint {
            Checkpoint::Whole => member.disk.checkpoint(last, data),
            Checkpoint::IndexFirst => member.disk.snapshot = last,
            Checkpoint::DataFirst => {
                member.disk.data = data;
                return Ok(());
            }
            Checkpoint::CutFirst => {}
        }
        self.happen(at, Event::SnapshotTaken { at: last })
    }

    /// The process ends; all but the newest `lost` changes had reached the disk.
    pub(super) fn crash(&mut self, at: usize, lost: usize) -> Result<(), Broken> {
        let member = &mut self.group.members[at];
        let Some(live) = member.live.take() else { return Ok(()) };
        let Live { jobs, .. } = *live;
        let kept = jobs.len().saturating_sub(lost);
        let before = member.disk.hard;
        let mut may_lose = false;
        for (number, job) in jobs.iter().enumerate() {
            if number < kept {
                may_lose |= member.disk.change(&job.change);
            } else {
                Sighted::WriteLost.note(self.seen);
                let hard = match &job.change {
                    Change::Whole(Write::Persist { hard, .. }) => hard.is_some(),
                    Change::Whole(Write::InstallSnapshot { .. }) | Change::Term(_) | Change::Vote(_) => true,
                    Change::Compact { .. } | Change::Reset { .. } | Change::Nothing => false,
                };
                Sighted::VoteLost.note_if(self.seen, hard);
            }
        }
        self.disk_changed(at, before, may_lose)?;
        if self.world.bounds.stays_down { Ok(()) } else { self.restart(at).map(|_| ()) }
    }

    /// The process begins again, from its disk. False if it refuses to.
    pub(super) fn restart(&mut self, at: usize) -> Result<bool, Broken> {
        let environment = self.world.build.environment;
        let judges_all = self.judges_all();
        let member = &mut self.group.members[at];
        let disk = (environment.read_back)(&member.disk);
        let state = match (environment.recover)(id_at(at), &disk) {
            Ok(state) => state,
            Err(reason) if judges_all => return Err(Broken { law: "I-N4", values: format!("{} cannot start: {reason}", id_at(at)) }),
            Err(_) => return Ok(false),
        };
        if judges_all {
            properties::restart_is_faithful(&member.disk, &state)?;
        }
        Sighted::Recovered.note_if(self.seen, state.log.last() > Index(0));
        member.boot += 1;
        member.live = Some(Box::new(Live::new(state, disk.data)));
        let (before, may_lose) = (member.disk.hard, member.disk != disk);
        member.disk = disk;
        self.disk_changed(at, before, may_lose)?;
        Ok(true)
    }

    /// A message of a stranger arrives, if the environment lets it in; a member's name on it comes from another incarnation.
    pub(super) fn stranger(&mut self, from: NodeId, to: NodeId, message: Message) -> Result<(), Broken> {
        Sighted::StrangerHeard.note(self.seen);
        let is_member = place_of(from) < self.group.members.len();
        if is_member && !self.world.build.environment.lets_strangers_in {
            return Ok(());
        }
        self.happen(place_of(to), Event::Receive { from, message })
    }
}
