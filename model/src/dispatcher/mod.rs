//! The dispatcher's world: the production registry between three connections and the mailboxes of two or three groups.
//!
//! Groups are stubs with two states. They are registered, stopped, removed for good and registered again in new lives while frames of old and new lives,
//! of unknown groups and of header version 0 are on their way. Reading a frame, putting it into a mailbox and handling it are steps of their own, so
//! that every one of them races with a group's end.
//!
//! What it over-approximates: production's event loop routes and handles a peer's frame in one turn; here others may get in between.

mod bounds;
mod check;
mod control;
mod decisions;
mod frames;
pub mod mutants;
mod sight;
mod state;

pub use bounds::register;
pub use decisions::{Decisions, Failure, Full, Registration, Stop, Unrouted};
pub use state::{Budget, Frame, Held, Life, Link, Local, Phase, Source, State};

use crate::world::{Law, Moved, Seen, Sight, World};
use check::Fates;
use decisions::group_id;
use roadstead_spec::invariants::Broken;
use serde::{Deserialize, Serialize};
use state::incarnation;

/// Messages that a mailbox holds.
pub const MAILBOX_MAX: usize = 2;

/// The world and its bounds.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    /// How many groups there are: the default one and one or two ordinary ones.
    pub groups: u8,
    /// How many lives each of them may have, at most 3.
    pub lives: u8,
    /// What may happen how often.
    pub budget: Budget,
    /// Production's decisions, or with a mistake.
    pub decisions: Decisions,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A frame of a group's life leaves on a connection; life 0 is a client's.
    Send {
        /// On which connection.
        link: Link,
        /// The group.
        group: u8,
        /// The life of it that the sender means.
        life: u8,
    },
    /// Peer A sends a frame in another node's name.
    Forge {
        /// The group.
        group: u8,
        /// Which life of it.
        life: u8,
    },
    /// The next frame of a connection is read, and its mailbox found.
    Read(Link),
    /// What was read is put into the mailbox.
    Post(Link),
    /// A handler takes a message out of its mailbox.
    Handle(u8),
    /// A group is registered.
    Register {
        /// The group.
        group: u8,
        /// Which life of it.
        life: u8,
    },
    /// A registration that has looked takes the number.
    Take(u8),
    /// A group is taken out of the registry.
    Stop {
        /// The group.
        group: u8,
        /// Whether for good.
        remove: bool,
    },
    /// The call that stops a group returns.
    Return(u8),
    /// A group's handler fails.
    Fail(u8),
    /// A connection breaks; what it carries is lost.
    Break(Link),
    /// A connection is made again.
    Dial(Link),
}

impl World for Dispatcher {
    type State = State;
    type Action = Action;

    const KINDS: &'static [&'static str] =
        &["send", "forge", "read", "post", "handle", "register", "take", "stop", "return", "fail", "break", "dial"];

    fn initial(&self) -> State {
        State::new(self.budget)
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        self.sends(state, out);
        for link in Link::ALL {
            let at = link as usize;
            if state.held[at].is_none() && state.wires[at].as_ref().is_some_and(|wire| !wire.is_empty()) {
                out.push(Action::Read(link));
            }
            if let Some(held) = &state.held[at]
                && !self.waits(state, held)
            {
                out.push(Action::Post(link));
            }
            match &state.wires[at] {
                None => out.push(Action::Dial(link)),
                // Any connection may break; only with the one of version 0 does something depend on it.
                Some(_) if link == Link::Legacy => out.push(Action::Break(link)),
                Some(_) => {}
            }
        }
        for life in &state.lives {
            if life.phase != Phase::Failed && !life.mailbox.is_empty() {
                out.push(Action::Handle(life.local.0));
            }
            if life.phase == Phase::Running && state.budget.failures > 0 {
                out.push(Action::Fail(life.local.0));
            }
            if life.phase == Phase::Stopping {
                out.push(Action::Return(life.local.0));
            }
        }
        self.controls(state, out);
    }

    fn kind(&self, action: Action) -> usize {
        match action {
            Action::Send { .. } => 0,
            Action::Forge { .. } => 1,
            Action::Read(_) => 2,
            Action::Post(_) => 3,
            Action::Handle(_) => 4,
            Action::Register { .. } => 5,
            Action::Take(_) => 6,
            Action::Stop { .. } => 7,
            Action::Return(_) => 8,
            Action::Fail(_) => 9,
            Action::Break(_) => 10,
            Action::Dial(_) => 11,
        }
    }

    fn step(&self, state: &mut State, action: Action, seen: &mut Seen) -> Result<Moved, Broken> {
        let mut fates = Fates::begin(state);
        let guarded = check::guarded(state, action);
        let moved = match action {
            Action::Send { link, group, life } => self.send(state, link, (group, life), link.proven(), seen)?,
            Action::Forge { group, life } => {
                state.budget.forged -= 1;
                self.send(state, Link::Extended, (group, life), Source::B, seen)?
            }
            Action::Read(link) => self.read(state, link, &mut fates, seen)?,
            Action::Post(link) => self.post(state, link, &mut fates, seen)?,
            Action::Handle(mailbox) => self.handle(state, Local(mailbox), &mut fates, seen)?,
            Action::Register { group, life } => self.register(state, group, life, seen)?,
            Action::Take(at) => self.take(state, usize::from(at))?,
            Action::Stop { group, remove } => self.stop(state, group, remove, seen),
            Action::Return(mailbox) => self.finish_stop(state, Local(mailbox), &mut fates, seen),
            Action::Fail(mailbox) => self.fail(state, Local(mailbox), &mut fates, seen)?,
            Action::Break(link) => self.close(state, link, &mut fates),
            Action::Dial(link) => {
                state.wires[link as usize] = Some(Vec::new());
                Moved::Yes
            }
        };
        fates.settle(state)?;
        check::connected(action, guarded, state)?;
        check::isolated(self, state)?;
        Ok(moved)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        state.canonical(self.groups)
    }

    fn laws(&self) -> &'static [Law] {
        check::LAWS
    }

    fn sights(&self) -> &'static [Sight] {
        sight::SIGHTS
    }

    fn tell(&self, before: &State, action: Action, after: &State) -> String {
        check::tell(before, action, after)
    }
}

impl Dispatcher {
    fn sends(&self, state: &State, out: &mut Vec<Action>) {
        for group in 0..self.groups {
            for life in 1..=self.lives {
                if state.budget.frames > 0 {
                    out.push(Action::Send { link: Link::Extended, group, life });
                }
                if state.budget.forged > 0 && state.wires[Link::Extended as usize].is_some() {
                    out.push(Action::Forge { group, life });
                }
            }
            if state.budget.legacy > 0 {
                out.push(Action::Send { link: Link::Legacy, group, life: 1 });
            }
            if state.budget.requests > 0 {
                out.push(Action::Send { link: Link::Client, group, life: 0 });
            }
        }
        out.retain(|action| !matches!(action, Action::Send { link, .. } if state.wires[*link as usize].is_none()));
    }

    fn controls(&self, state: &State, out: &mut Vec<Action>) {
        if self.decisions.serial && state.lives.iter().any(|life| life.phase == Phase::Stopping) {
            return;
        }
        for group in 0..self.groups {
            if state.budget.registrations > 0 {
                out.extend((1..=self.lives).map(|life| Action::Register { group, life }));
            }
            if state.budget.stops > 0 && state.registry.contains(group_id(group)) {
                out.extend([false, true].map(|remove| Action::Stop { group, remove }));
            }
        }
        out.extend((0..state.looked.len()).map(|at| Action::Take(at as u8)));
    }
}
