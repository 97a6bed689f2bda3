//! The dispatcher's laws, and how its steps are told.

use super::{Action, Dispatcher, Frame, Full, Link, MAILBOX_MAX, Phase, State, decisions::group_id};
use crate::world::Law;
use roadstead_spec::invariants::Broken;
use std::fmt::Write;

pub(super) const LAWS: &[Law] = &[
    Law { id: "I-D1", statement: "a group handles only what was sent in it, to this life of it", source: "docs/wire.md, dispatch" },
    Law {
        id: "I-D2",
        statement: "a frame of a registered group is taken, every other one is answered and counted, and the connection lives",
        source: "docs/wire.md, dispatch",
    },
    Law {
        id: "I-D3",
        statement: "a number is registered once at a time, a removed life never again; every refusal has a reason; a life has one handler",
        source: "spec/src/dispatch.rs, register",
    },
    Law {
        id: "I-D4",
        statement: "no group waits for another group's mailbox or handler, and mailboxes are bounded",
        source: "docs/wire.md, dispatch",
    },
    Law {
        id: "I-D6",
        statement: "what one connection carries for one life of a group is handled in the order in which it was sent",
        source: "docs/wire.md, connections",
    },
    Law {
        id: "I-D7",
        statement: "when the call that stops a group has returned, no message of it is handled",
        source: "spec/src/dispatch.rs, deregister",
    },
    Law { id: "I-W3", statement: "over version 0 nothing but the default group's is sent or handled", source: "docs/wire.md, version 0" },
    Law {
        id: "DUTY-6",
        statement: "every message that is handled was sent by the node that it names",
        source: "impl/src/port/session.rs, admit",
    },
];

pub(super) fn broken(law: &'static str, values: String) -> Broken {
    Broken { law, values }
}

/// Keeps count of frames: each has one fate, and none vanishes without one.
pub(super) struct Fates {
    before: usize,
    met: Vec<Frame>,
}

impl Fates {
    pub(super) fn begin(state: &State) -> Self {
        Self { before: state.under_way().count(), met: Vec::new() }
    }

    /// The frame was handled, answered, or counted as dropped.
    pub(super) fn met(&mut self, frame: Frame) {
        self.met.push(frame);
    }

    /// Nothing is gone but what met a fate.
    pub(super) fn settle(self, state: &mut State) -> Result<(), Broken> {
        let after = state.under_way().count();
        if after + self.met.len() < self.before {
            return Err(broken("I-D2", "a frame is gone, and nobody was told and nothing counted".to_owned()));
        }
        let mut ages: Vec<u8> = self.met.iter().map(|frame| frame.age).collect();
        ages.sort_unstable();
        ages.into_iter().rev().for_each(|age| state.close_ranks(age));
        Ok(())
    }
}

/// A message was handled by this life: may it have been?
pub(super) fn delivered(state: &State, frame: &Frame, (group, life, phase): (u8, u8, Phase)) -> Result<(), Broken> {
    let whom = format!("{frame:?} was handled by group {group} life {life} ({phase:?})");
    let law = if frame.group != group && frame.link == Link::Legacy {
        Some("I-W3")
    } else if frame.group != group || (frame.life != 0 && frame.life != life) {
        Some("I-D1")
    } else if phase == Phase::Stopped {
        Some("I-D7")
    } else if frame.claims != frame.link.proven() {
        Some("DUTY-6")
    } else {
        state.overtaken_by(frame).map(|_| "I-D6")
    };
    law.map_or(Ok(()), |law| Err(broken(law, whom)))
}

/// A registration succeeded: might it?
pub(super) fn registered(state: &State, group: u8, life: u8) -> Result<(), Broken> {
    let has = |what: &str| Err(broken("I-D3", format!("group {group} life {life} was registered, {what}")));
    if let Some(other) = state.registered[usize::from(group)] {
        return has(&format!("and life {other} is, too"));
    }
    if state.removed[usize::from(group)] >> life & 1 == 1 {
        return has("and it was removed for good");
    }
    if state.lives.iter().any(|other| other.group == group && other.life == life) {
        return has("and its handler from before still runs");
    }
    Ok(())
}

/// Connections that an action has no right to close, and the law that forbids it: only the network closes any, and a frame under a wrong name its own.
pub(super) fn guarded(state: &State, action: Action) -> (&'static str, Vec<Link>) {
    let open = |link: &Link| state.wires[*link as usize].is_some();
    let guarded = match action {
        Action::Break(_) => Vec::new(),
        Action::Read(link) => {
            let next = state.wires[link as usize].as_ref().and_then(|wire| wire.first());
            let forged = next.is_some_and(|frame| frame.claims != link.proven());
            Link::ALL.into_iter().filter(|other| !forged || *other != link).filter(open).collect()
        }
        _ => Link::ALL.into_iter().filter(open).collect(),
    };
    (if matches!(action, Action::Fail(_)) { "I-D4" } else { "I-D2" }, guarded)
}

/// None of the guarded connections was closed.
pub(super) fn connected(action: Action, (law, guarded): (&'static str, Vec<Link>), state: &State) -> Result<(), Broken> {
    match guarded.into_iter().find(|link| state.wires[*link as usize].is_none()) {
        Some(link) => Err(broken(law, format!("{action:?} closed the connection {link:?}, and with it every group's"))),
        None => Ok(()),
    }
}

/// Nobody waits behind another group's full mailbox; and the registry says what an observer says.
pub(super) fn isolated(world: &Dispatcher, state: &State) -> Result<(), Broken> {
    for (held, wire) in state.held.iter().zip(&state.wires) {
        let Some(held) = held.as_ref().filter(|held| world.decisions.full == Full::Waits && waits(state, held.mailbox)) else { continue };
        let has_room = |group: u8| !state.lives.iter().any(|life| life.group == group && life.mailbox.len() >= MAILBOX_MAX);
        if let Some(behind) = wire.iter().flatten().find(|frame| frame.group != held.frame.group && has_room(frame.group)) {
            return Err(broken("I-D4", format!("{behind:?} waits behind the full mailbox of group {}", held.frame.group)));
        }
    }
    for group in 0..world.groups {
        let observed = state.registered[usize::from(group)].map(|life| super::incarnation(group, life));
        let found = state.registry.incarnation(group_id(group));
        if observed != found {
            return Err(broken("I-D3", format!("group {group}: the registry has {found:?}, an observer of all calls {observed:?}")));
        }
    }
    Ok(())
}

fn waits(state: &State, mailbox: super::Local) -> bool {
    state.life(mailbox).is_some_and(|life| life.mailbox.len() >= MAILBOX_MAX)
}

/// An action, and what came of it.
pub(super) fn tell(before: &State, action: Action, after: &State) -> String {
    let mut told = match action {
        Action::Send { link, group, life: 0 } => format!("a client asks group {group} ({link:?})"),
        Action::Send { link, group, life } => format!("a frame of group {group} life {life} leaves ({link:?})"),
        Action::Forge { group, life } => format!("peer A sends a frame of group {group} life {life} in B's name"),
        Action::Read(link) => format!("{link:?}: the next frame is read"),
        Action::Post(link) => format!("{link:?}: the frame is put into its mailbox"),
        Action::Handle(mailbox) => match before.life(super::Local(mailbox)) {
            Some(life) => format!("group {} life {} handles {:?}", life.group, life.life, life.mailbox.first()),
            None => "nobody handles anything".to_owned(),
        },
        Action::Register { group, life } => format!("group {group} life {life} is registered"),
        Action::Take(at) => format!("a registration takes its number: {:?}", before.looked.get(usize::from(at))),
        Action::Stop { group, remove } => format!("group {group} is {}", if remove { "removed for good" } else { "stopped" }),
        Action::Return(mailbox) => format!("the call that stops mailbox {mailbox} returns"),
        Action::Fail(mailbox) => format!("the group with mailbox {mailbox} fails"),
        Action::Break(link) => format!("{link:?}: the connection breaks"),
        Action::Dial(link) => format!("{link:?}: connected again"),
    };
    if before == after {
        told.push_str("; nothing changes");
    }
    let (was, is) = (before.under_way().count(), after.under_way().count());
    if was != is {
        let _ = write!(told, " ({was} -> {is} frames under way)");
    }
    if before.registered != after.registered {
        let _ = write!(told, "; registered: {:?}", after.registered);
    }
    told
}
