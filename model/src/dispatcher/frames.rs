//! Frames: sent, read, put into mailboxes, handled.

use super::{
    Dispatcher, MAILBOX_MAX,
    check::{self, Fates, broken},
    decisions::{Full, Unrouted, group_id},
    sight,
    state::{Frame, Held, Link, Local, Phase, Source, State},
};
use crate::{Moved, Seen};
use roadstead_spec::invariants::Broken;

impl Dispatcher {
    /// Whether what was read waits for room.
    pub(super) fn waits(&self, state: &State, held: &Held) -> bool {
        self.decisions.full == Full::Waits && state.life(held.mailbox).is_some_and(|life| life.mailbox.len() >= MAILBOX_MAX)
    }

    pub(super) fn send(
        &self,
        state: &mut State,
        link: Link,
        (group, life): (u8, u8),
        claims: Source,
        seen: &mut Seen,
    ) -> Result<Moved, Broken> {
        let Some(names) = (self.decisions.names)(link, group) else {
            seen.note(sight::NOT_CARRIED);
            return Ok(Moved::No);
        };
        if link == Link::Legacy && group != 0 {
            return Err(broken("I-W3", format!("a frame of group {group} leaves over version 0")));
        }
        match (claims == link.proven(), link) {
            (false, _) => {}
            (true, Link::Extended) => state.budget.frames -= 1,
            (true, Link::Legacy) => state.budget.legacy -= 1,
            (true, Link::Client) => state.budget.requests -= 1,
        }
        let age = state.under_way().count() as u8;
        if let Some(wire) = &mut state.wires[link as usize] {
            wire.push(Frame { link, names, group, life, claims, age });
        }
        Ok(Moved::Yes)
    }

    pub(super) fn read(&self, state: &mut State, link: Link, fates: &mut Fates, seen: &mut Seen) -> Result<Moved, Broken> {
        let Some(wire) = &mut state.wires[link as usize] else { return Ok(Moved::No) };
        let frame = wire.remove(0);
        if !(self.decisions.admits)(frame.claims, link.proven()) {
            seen.note(sight::FORGED);
            fates.met(frame);
            return Ok(self.close(state, link, fates));
        }
        let registered = state.registered[usize::from(frame.group)];
        let expected = registered.filter(|life| frame.life == 0 || frame.life == *life).is_some();
        seen.note_if(sight::OLD_REFUSED, registered.is_some_and(|life| life > frame.life && frame.life != 0));
        seen.note_if(sight::LEGACY_OLD, link == Link::Legacy && registered == Some(2));
        match (self.decisions.route)(&mut state.registry, &frame) {
            Ok(mailbox) => state.held[link as usize] = Some(Held { frame, mailbox }),
            Err(unroutable) if expected => {
                return Err(broken("I-D2", format!("{frame:?} is for a registered group and was refused: {unroutable}")));
            }
            Err(_) => self.unrouted(state, frame, fates, seen),
        }
        Ok(Moved::Yes)
    }

    pub(super) fn unrouted(&self, state: &mut State, frame: Frame, fates: &mut Fates, seen: &mut Seen) {
        match self.decisions.unroutable {
            Unrouted::Answered => {
                seen.note(sight::UNKNOWN);
                fates.met(frame);
            }
            Unrouted::Forgotten => {}
            Unrouted::Closes => {
                fates.met(frame);
                self.close(state, frame.link, fates);
            }
            Unrouted::Default => match state.registry.route_any(group_id(0), 0).copied() {
                Ok(mailbox) => state.held[frame.link as usize] = Some(Held { frame, mailbox }),
                Err(_) => fates.met(frame),
            },
        }
    }

    pub(super) fn post(&self, state: &mut State, link: Link, fates: &mut Fates, seen: &mut Seen) -> Result<Moved, Broken> {
        let Some(held) = state.held[link as usize].take() else { return Ok(Moved::No) };
        let frame = held.frame;
        let Some(mailbox) = (self.decisions.posts_to)(state, &held) else {
            seen.note(sight::STOPPED_BEFORE_POST);
            fates.met(frame);
            return Ok(Moved::Yes);
        };
        let Some(life) = state.life_mut(mailbox) else { return Ok(Moved::No) };
        let full = life.mailbox.len() >= MAILBOX_MAX;
        if life.phase == Phase::Failed {
            fates.met(frame);
            return Ok(Moved::Yes);
        }
        match self.decisions.full {
            Full::Refused if full => {
                seen.note(if link == Link::Client { sight::BUSY } else { sight::FULL });
                fates.met(frame);
            }
            Full::Displaces if full => {
                life.mailbox.remove(0);
                life.mailbox.push(frame);
            }
            Full::Refused | Full::Displaces | Full::Waits | Full::Grows => life.mailbox.push(frame),
        }
        if life.mailbox.len() > MAILBOX_MAX {
            return Err(broken("I-D4", format!("the mailbox of group {} holds {} messages", life.group, life.mailbox.len())));
        }
        Ok(Moved::Yes)
    }

    pub(super) fn handle(&self, state: &mut State, mailbox: Local, fates: &mut Fates, seen: &mut Seen) -> Result<Moved, Broken> {
        let takes = self.decisions.takes;
        let Some(life) = state.life_mut(mailbox) else { return Ok(Moved::No) };
        let frame = life.mailbox.remove(takes(life.mailbox.len()));
        life.state = !life.state;
        let (group, number, phase) = (life.group, life.life, life.phase);
        check::delivered(state, &frame, (group, number, phase))?;
        seen.note_if(sight::LATER_LIFE, number > 1);
        seen.note_if(sight::HANDLED_WHILE_STOPPING, phase == Phase::Stopping);
        seen.note_if(sight::LEGACY, frame.link == Link::Legacy);
        seen.note_if(
            sight::STREAM,
            state.under_way().any(|other| other.age > frame.age && other.link == frame.link && other.group == group),
        );
        fates.met(frame);
        if phase == Phase::Stopped {
            state.lives.retain(|life| life.local != mailbox || !life.mailbox.is_empty());
        }
        Ok(Moved::Yes)
    }

    /// What a connection carries is lost with it; what was read of it is not.
    pub(super) fn close(&self, state: &mut State, link: Link, fates: &mut Fates) -> Moved {
        let lost = state.wires[link as usize].take();
        lost.into_iter().flatten().for_each(|frame| fates.met(frame));
        Moved::Yes
    }
}
