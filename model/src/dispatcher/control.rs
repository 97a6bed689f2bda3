//! Groups: registered, stopped, failing.

use super::{
    Dispatcher,
    check::{self, Fates, broken},
    decisions::{Failure, Registration, Stop, group_id},
    sight,
    state::{Frame, Life, Link, Local, Phase, State, incarnation},
};
use crate::{Moved, Seen};
use roadstead_spec::invariants::Broken;

impl Dispatcher {
    pub(super) fn register(&self, state: &mut State, group: u8, life: u8, seen: &mut Seen) -> Result<Moved, Broken> {
        let legacy_link = state.wires[Link::Legacy as usize].is_some();
        if life > 1 && !(self.decisions.opens_anew)(group, legacy_link) {
            return Ok(Moved::No);
        }
        if self.decisions.registration == Registration::LooksFirst {
            if state.registry.contains(group_id(group)) || state.registry.is_buried(group_id(group), incarnation(group, life)) {
                return Ok(Moved::No);
            }
            state.budget.registrations -= 1;
            state.looked.push((group, life));
            return Ok(Moved::Yes);
        }
        let removed = state.removed[usize::from(group)] >> life & 1 == 1;
        let taken = state.registered[usize::from(group)].is_some();
        let mailbox = Local(state.next);
        match state.registry.register(group_id(group), incarnation(group, life), mailbox, 0) {
            Ok(()) => {
                state.budget.registrations -= 1;
                check::registered(state, group, life)?;
                self.begin(state, group, life);
                Ok(Moved::Yes)
            }
            Err(_) if taken || removed => {
                seen.note(if removed { sight::REMOVED } else { sight::TAKEN });
                Ok(Moved::No)
            }
            Err(why) => Err(broken("I-D3", format!("group {group} life {life} was refused, and nobody has it: {why}"))),
        }
    }

    /// The second half of a registration that looked first: whoever has the number loses it.
    pub(super) fn take(&self, state: &mut State, at: usize) -> Result<Moved, Broken> {
        let (group, life) = state.looked.remove(at);
        if state.registry.contains(group_id(group)) {
            let _ = state.registry.deregister(group_id(group));
        }
        if state.registry.register(group_id(group), incarnation(group, life), Local(state.next), 0).is_err() {
            return Ok(Moved::Yes);
        }
        check::registered(state, group, life)?;
        self.begin(state, group, life);
        Ok(Moved::Yes)
    }

    pub(super) fn begin(&self, state: &mut State, group: u8, life: u8) {
        let (mine, others) = std::mem::take(&mut state.inherited).into_iter().partition(|frame: &Frame| frame.names == group);
        state.inherited = others;
        state.lives.push(Life { local: Local(state.next), group, life, mailbox: mine, state: false, phase: Phase::Running });
        state.registered[usize::from(group)] = Some(life);
        state.next += 1;
    }

    pub(super) fn stop(&self, state: &mut State, group: u8, remove: bool, seen: &mut Seen) -> Moved {
        let Ok((_, mailbox)) = state.registry.deregister(group_id(group)) else { return Moved::No };
        state.budget.stops -= 1;
        let Some(number) = state.registered[usize::from(group)].take() else { return Moved::Yes };
        if remove {
            state.removed[usize::from(group)] |= 1 << number;
            if self.decisions.buries {
                state.registry.bury(group_id(group), incarnation(group, number));
            }
        }
        if let Some(life) = state.life_mut(mailbox) {
            life.phase = Phase::Stopping;
            seen.note_if(sight::STOPPED_WITH_MAIL, !life.mailbox.is_empty());
        }
        Moved::Yes
    }

    pub(super) fn finish_stop(&self, state: &mut State, mailbox: Local, fates: &mut Fates, seen: &mut Seen) -> Moved {
        let Some(at) = state.lives.iter().position(|life| life.local == mailbox) else { return Moved::No };
        seen.note_if(sight::STOPPED_WITH_MAIL, !state.lives[at].mailbox.is_empty());
        match self.decisions.stop {
            Stop::WorksOff if !state.lives[at].mailbox.is_empty() => state.lives[at].phase = Phase::Stopped,
            Stop::Inherited => {
                let life = state.lives.remove(at);
                state.inherited.extend(life.mailbox);
            }
            Stop::Closes | Stop::WorksOff => {
                let life = state.lives.remove(at);
                life.mailbox.into_iter().for_each(|frame| fates.met(frame));
            }
        }
        Moved::Yes
    }

    pub(super) fn fail(&self, state: &mut State, mailbox: Local, fates: &mut Fates, seen: &mut Seen) -> Result<Moved, Broken> {
        state.budget.failures -= 1;
        let before: Vec<Life> = state.lives.iter().filter(|life| life.local != mailbox).cloned().collect();
        let fail = |life: &mut Life, fates: &mut Fates| {
            life.phase = Phase::Failed;
            life.mailbox.drain(..).for_each(|frame| fates.met(frame));
        };
        match self.decisions.failure {
            Failure::StaysAlone => {}
            Failure::Closes => {
                self.close(state, Link::Extended, fates);
            }
            Failure::Spreads => state.lives.iter_mut().for_each(|life| fail(life, fates)),
        }
        if let Some(life) = state.life_mut(mailbox).filter(|life| life.phase == Phase::Running) {
            fail(life, fates);
        }
        seen.note_if(sight::FAILED, before.iter().any(|life| life.phase == Phase::Running));
        if !state.lives.iter().filter(|life| life.local != mailbox).eq(&before) {
            return Err(broken("I-D4", "one group's failure changed another group".to_owned()));
        }
        Ok(Moved::Yes)
    }
}
