//! The storage thread: rounds, syncs, the witness, and who hears of them.

use super::{
    LAG_MAX, Storage, check,
    disk::{Disk, Image, Item},
    node::{Done, Member, Staging, State, Submission},
    sight,
};
use crate::Seen;
use roadstead_spec::invariants::Broken;
use std::collections::BTreeSet;

impl Storage {
    /// The round that the witness may be told of.
    pub(super) fn testimony(&self, disk: &Disk) -> u8 {
        disk.log.round + u8::from(!self.decisions.slot_behind && !disk.written.is_empty())
    }

    /// One round: what all groups want durable, in one batch.
    pub(super) fn write(&self, state: &mut State, seen: &mut Seen) -> Result<(), Broken> {
        let round = std::mem::take(&mut state.queue);
        let alive = |submission: &Submission| match submission.done {
            Done::Write { local, life } => state.member(local).is_some_and(|member| member.life == life),
            Done::Compacted | Done::Created(_) | Done::Removed(_) => true,
        };
        // What a group had under way when it was removed is dropped.
        let round: Vec<Submission> = round.into_iter().filter(alive).collect();
        let urgent = round.iter().any(|submission| submission.urgent);
        let locals: BTreeSet<u8> = round.iter().filter_map(|submission| named(&submission.done)).collect();
        seen.note_if(sight::TWO, locals.len() > 1);
        state.round = round.iter().map(|submission| (submission.done, urgent)).collect();
        let items: Vec<Item> = round.into_iter().flat_map(|submission| submission.items).collect();
        state.disk.written = (self.decisions.batches)(items);
        if !self.decisions.syncs {
            let heard = std::mem::take(&mut state.round);
            heard.into_iter().try_for_each(|(done, _)| self.hear(state, done, seen))?;
        }
        Ok(())
    }

    pub(super) fn sync(&self, state: &mut State, seen: &mut Seen) -> Result<(), Broken> {
        if state.budget.rots > 0 || !self.decisions.syncs_names {
            let earlier = &mut state.disk.earlier;
            earlier.push(state.disk.log.clone());
            let too_old = earlier.len().saturating_sub(usize::from(LAG_MAX) + 1);
            earlier.drain(..too_old);
        }
        let written = std::mem::take(&mut state.disk.written);
        written.iter().for_each(|batch| state.disk.log.take(batch));
        state.disk.log.round += 1;
        let number = state.disk.log.round;
        let round = std::mem::take(&mut state.round);
        for (done, _) in &round {
            if let Done::Write { local, .. } = done
                && let Some(member) = state.member_mut(*local)
            {
                member.synced += 1;
            }
        }
        let urgent = self.decisions.votes_wait && round.iter().any(|(_, urgent)| *urgent);
        let waiting: BTreeSet<u8> = state.held.iter().filter_map(|(_, done)| named(done)).collect();
        seen.note_if(sight::HELD, urgent);
        for (done, _) in round {
            let waits = urgent || (self.decisions.votes_wait && named(&done).is_some_and(|local| waiting.contains(&local)));
            if waits {
                state.held.push((number, done));
            } else {
                seen.note_if(sight::NOT_HELD, !state.held.is_empty());
                self.hear(state, done, seen)?;
            }
        }
        self.release(state, seen)
    }

    /// The witness may remember what completions wait for.
    pub(super) fn release(&self, state: &mut State, seen: &mut Seen) -> Result<(), Broken> {
        let newest = state.disk.witness.newest();
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut state.held).into_iter().partition(|(round, _)| newest >= Some(*round));
        state.held = later;
        now.into_iter().try_for_each(|(_, done)| self.hear(state, done, seen))
    }

    /// The node hears that something is durable.
    pub(super) fn hear(&self, state: &mut State, done: Done, seen: &mut Seen) -> Result<(), Broken> {
        match done {
            Done::Write { local, life } => {
                let Some(member) = state.member_mut(local).filter(|member| member.life == life) else { return Ok(()) };
                check::heard(member)?;
                member.path.remove(0);
                member.synced -= 1;
                let ticket = member.outbox.newest_durable().next();
                let mut out = Vec::new();
                (self.decisions.durable)(&mut member.outbox, ticket, &mut out);
                self.carry_out(state, local, out, seen)
            }
            Done::Compacted => Ok(()),
            Done::Created(local) => {
                let Some(at) = state.creating.iter().position(|(other, ..)| *other == local) else { return Ok(()) };
                let (_, group, life) = state.creating.remove(at);
                seen.note_if(sight::NEW_LIFE, life > 1);
                let applied = check::fresh(self, state, (local, group, life))?;
                let place = state.members.partition_point(|member| member.local < local);
                state.members.insert(place, Member::new((local, group, life), Image::default(), applied));
                Ok(())
            }
            Done::Removed(local) => {
                let Some(at) = state.removing.iter().position(|(other, ..)| *other == local) else { return Ok(()) };
                let (_, group, life) = state.removing.remove(at);
                seen.note(sight::REMOVED);
                if self.decisions.destroys_behind {
                    state.destroying.push(local);
                }
                check::removed(state, (local, group, life))
            }
        }
    }

    pub(super) fn checkpoint(&self, state: &mut State) {
        state.budget.checkpoints -= 1;
        let written = std::mem::take(&mut state.disk.states_written);
        written.iter().for_each(|batch| state.disk.states.take(batch, self.decisions.destroys));
        for member in &mut state.members {
            member.durable = member.applied;
            if let Staging::Whole(at) = member.staging {
                member.staging = Staging::Ready(at);
            }
        }
    }
}

/// The group that a completion belongs to.
pub(super) const fn named(done: &Done) -> Option<u8> {
    match done {
        Done::Write { local, .. } => Some(*local),
        Done::Compacted | Done::Created(_) | Done::Removed(_) => None,
    }
}
