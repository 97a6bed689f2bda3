//! What groups do: vote, append, apply, compact, receive snapshots.

use super::{
    CANDIDATE, Storage,
    check::{self, broken},
    decisions::Applies,
    disk::{Change, Item, StateItem, changes, id},
    node::{Done, Member, Staging, State, Submission},
    sight,
};
use crate::Seen;
use roadstead_spec::{
    EntryId, Index,
    invariants::Broken,
    outbox::{Action as Out, Write},
    raft::{Append, Effect, Gate, HardState, Mark, Message, Origin, Round, Run},
};

impl Storage {
    pub(super) fn vote(&self, state: &mut State, local: u8, seen: &mut Seen) -> Result<(), Broken> {
        state.budget.votes -= 1;
        let Some(memory) = state.member(local).map(Member::memory) else { return Ok(()) };
        let hard = HardState { term: memory.hard.term.next(), vote: Some(CANDIDATE) };
        let mark = Mark { term: hard.term, index: Index(memory.last().into()) };
        let message = Message::RequestVoteResponse { term: hard.term, granted: true };
        let persist = Effect::Persist { hard: Some(hard), truncate_from: None, append: None, mark };
        self.drive(state, local, vec![persist, Effect::Send { to: CANDIDATE, message, gate: Gate::AfterPersist }], seen)
    }

    pub(super) fn append(&self, state: &mut State, local: u8, seen: &mut Seen) -> Result<(), Broken> {
        state.budget.appends -= 1;
        let Some(memory) = state.member(local).map(Member::memory) else { return Ok(()) };
        let entry = EntryId { term: memory.hard.term, index: Index(u64::from(memory.last()) + 1) };
        let mark = Mark { term: entry.term, index: entry.index };
        let persist = Effect::Persist { hard: None, truncate_from: None, append: Some(one_entry(entry)), mark };
        self.drive(state, local, vec![persist, acknowledge(entry)], seen)
    }

    pub(super) fn overwrite(&self, state: &mut State, local: u8, seen: &mut Seen) -> Result<(), Broken> {
        state.budget.overwrites -= 1;
        let Some(member) = state.member_mut(local) else { return Ok(()) };
        let memory = member.memory();
        let hard = HardState { term: memory.hard.term.next(), vote: None };
        let entry = EntryId { term: hard.term, index: Index(memory.last().into()) };
        if member.acked.index >= entry.index {
            // Its new leader takes back what it was told.
            member.acked = member.memory().entry(entry.index.0 as u8 - 1).unwrap_or_default();
        }
        seen.note(sight::OVERWRITTEN);
        let mark = Mark { term: entry.term, index: entry.index };
        let persist = Effect::Persist { hard: Some(hard), truncate_from: Some(entry.index), append: Some(one_entry(entry)), mark };
        self.drive(state, local, vec![persist, acknowledge(entry)], seen)
    }

    /// Gives effects to the group's outbox, and carries out what it says.
    pub(super) fn drive(&self, state: &mut State, local: u8, effects: Vec<Effect>, seen: &mut Seen) -> Result<(), Broken> {
        let Some(member) = state.member_mut(local) else { return Ok(()) };
        let mut out = Vec::new();
        (self.decisions.accept)(&mut member.outbox, effects, &mut out);
        self.carry_out(state, local, out, seen)
    }

    pub(super) fn carry_out(&self, state: &mut State, local: u8, actions: Vec<Out>, seen: &mut Seen) -> Result<(), Broken> {
        // Writes first: a send that a mistake lets out too early is judged by what is durable, not by where it stands in the list.
        for action in actions {
            match action {
                Out::Write { write, .. } => self.submit(state, local, &write),
                Out::Send(released) => {
                    let (to, message) = released.into_parts();
                    let Some(member) = state.member_mut(local) else { return Ok(()) };
                    check::told(member, to, &message, seen)?;
                }
                Out::Installed { at } => self.installed(state, local, at, seen)?,
                Out::Apply { through } => {
                    let Some(member) = state.member_mut(local) else { return Ok(()) };
                    member.released = through.0 as u8;
                }
                Out::Compact { through } => compact(state, local, through),
                Out::Persisted { .. }
                | Out::ReadReady { .. }
                | Out::Refuse { .. }
                | Out::SendSnapshot { .. }
                | Out::ResetElectionTimer
                | Out::Overflow { .. }
                | Out::Halt { .. } => {}
            }
        }
        Ok(())
    }

    pub(super) fn submit(&self, state: &mut State, local: u8, write: &Write) {
        let Some(member) = state.member_mut(local) else { return };
        let epoch = member.epoch + u8::from(self.decisions.beside);
        let list = changes(write, epoch);
        let mut image = member.memory().clone();
        list.iter().for_each(|change| image.take(change));
        member.path.push(image);
        let done = Done::Write { local, life: member.life };
        let urgent = list.iter().any(|change| matches!(change, Change::Hard(_)));
        let items = list.into_iter().map(|change| Item::Group { local, change }).collect();
        state.queue.push(Submission { items, urgent, done });
    }

    pub(super) fn apply(&self, state: &mut State, local: u8) -> Result<(), Broken> {
        let Some(member) = state.member_mut(local) else { return Ok(()) };
        let late = member.late.take();
        let Some(entry) = late.or_else(|| member.memory().entry(member.released)) else { return Ok(()) };
        if entry.index <= member.applied.index {
            let values = format!("group {}: entry {entry} was applied behind {}", member.group, member.applied);
            return Err(broken("I-N2", values));
        }
        member.applied = entry;
        let key = (local, member.epoch);
        let (data, record) = (StateItem::Data(key, entry), StateItem::Applied(key, entry));
        let batches = match self.decisions.applies {
            Applies::Together => vec![vec![data, record]],
            Applies::RecordFirst => vec![vec![record], vec![data]],
            Applies::DataFirst => vec![vec![data], vec![record]],
        };
        state.disk.states_written.extend(batches);
        Ok(())
    }

    pub(super) fn stage(&self, state: &mut State, local: u8) {
        let is_new = state.member(local).is_some_and(|member| member.staging == Staging::Idle);
        state.budget.installs -= u8::from(is_new);
        let beside = self.decisions.beside;
        let Some(member) = state.member_mut(local) else { return };
        let at = match member.staging {
            Staging::Begun(at) => at,
            _ => EntryId { term: member.memory().hard.term, index: Index(u64::from(member.memory().last()) + 1) },
        };
        let key = (local, member.epoch + u8::from(beside));
        let (data, record) = (StateItem::Data(key, at), StateItem::Applied(key, at));
        let item = match (is_new, beside) {
            (true, true) | (false, false) => data,
            (false, true) | (true, false) => record,
        };
        member.staging = if is_new { Staging::Begun(at) } else { Staging::Whole(at) };
        state.disk.states_written.push(vec![item]);
    }

    pub(super) fn install(&self, state: &mut State, local: u8, seen: &mut Seen) -> Result<(), Broken> {
        let Some(member) = state.member_mut(local) else { return Ok(()) };
        let (Staging::Ready(at) | Staging::Whole(at)) = member.staging else { return Ok(()) };
        if at.index.0 <= u64::from(member.commit) {
            member.staging = Staging::Idle;
            let key = (local, member.epoch + 1);
            state.disk.states_written.push(vec![StateItem::Sweep(key)]);
            return Ok(());
        }
        member.staging = Staging::Installing(at);
        member.commit = at.index.0 as u8;
        member.compacted = at;
        let hard = member.memory().hard;
        let keep_suffix = member.memory().entry(at.index.0 as u8) == Some(at);
        let mark = Mark { term: hard.term, index: at.index };
        self.drive(state, local, vec![Effect::InstallSnapshot { hard, at, keep_suffix, mark }], seen)
    }

    /// The log database names the new epoch: the state machine goes on from there.
    pub(super) fn installed(&self, state: &mut State, local: u8, at: EntryId, seen: &mut Seen) -> Result<(), Broken> {
        let Some(member) = state.member_mut(local) else { return Ok(()) };
        if at.index < member.applied.index {
            return Err(broken("I-N2", format!("a snapshot of {at} was installed behind {}", member.applied)));
        }
        let replaced = (local, member.epoch);
        if self.decisions.applies_late && u64::from(member.released) > member.applied.index.0 {
            member.late = member.path[0].entry(member.released).or_else(|| Some(id(1, member.released)));
        }
        member.epoch += u8::from(self.decisions.beside);
        (member.applied, member.durable, member.released) = (at, at, at.index.0 as u8);
        member.staging = Staging::Idle;
        seen.note(sight::INSTALLED);
        if self.decisions.beside {
            state.disk.states_written.push(vec![StateItem::Sweep(replaced)]);
        }
        Ok(())
    }
}

pub(super) fn acknowledge(entry: EntryId) -> Effect {
    // The round carries the entry's term, so that an acknowledgement names its entry.
    let message = Message::AppendEntriesResponse { term: entry.term, result: Ok(entry.index), round: Round(entry.term.0) };
    Effect::Send { to: CANDIDATE, message, gate: Gate::AfterPersist }
}

pub(super) fn one_entry(entry: EntryId) -> Append {
    let run = Run { term: entry.term, first: entry.index };
    Append { runs: std::iter::once(run).collect(), last: entry.index, origin: Origin::Received }
}

pub(super) fn compact(state: &mut State, local: u8, through: Index) {
    let Some(member) = state.member(local) else { return };
    let Some(at) = member.memory().entry(through.0 as u8) else { return };
    let list = [Change::Drop(through.0 as u8), Change::Base { at, keep: true }];
    let items = list.map(|change| Item::Group { local, change }).to_vec();
    state.queue.push(Submission { items, urgent: false, done: Done::Compacted });
}
