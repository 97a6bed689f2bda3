//! The dispatcher's world as a run of `tla/TraceDispatcher.tla`.
//!
//! The grain: a group that is stopped is `Deregister`, one that is removed `Entomb`, `Leave` and, when the call returns, `Wipe`. The module closes the mailbox in
//! the same step; so no path handles a message while the call is under way. A frame of version 0 means the default group's first life, and is told as a frame that
//! names it. What has no word there is left out: clients, which name no incarnation, failures, forged frames, connections that break.

use super::written::{
    Event, Run,
    path::{Teller, Way, past},
    text,
};
use roadstead_model::{
    Moved,
    dispatcher::{Action, Budget, Decisions, Dispatcher, Link, Local, MAILBOX_MAX, Phase, State},
};

const GROUPS: u8 = 2;
const LIVES: u8 = 2;

/// Frames under way at a time: those of a full mailbox, and one more.
const UNDER_WAY_MAX: usize = MAILBOX_MAX + 1;

const WORLD: Dispatcher = Dispatcher {
    groups: GROUPS,
    lives: LIVES,
    budget: Budget { frames: 10, legacy: 1, requests: 0, forged: 0, registrations: 5, stops: 3, failures: 0 },
    decisions: Decisions::PRODUCTION,
};

/// What the run passes, in this order.
const SIGHTS: &[&str] = &[
    "a frame of an unknown group was answered",
    "a frame without an incarnation was handled",
    "a taken number was refused",
    "a mailbox was full",
    "two messages of one stream were handled",
    "a group stopped while messages waited",
    "a group stopped between the reading and the posting of its frame",
    "a removed life was refused",
    "a frame was handled by a later life of its group",
    "a frame of an earlier life was refused while a later one was registered",
];

/// Frames are numbered by their leaving; the world knows their order among those under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Frames {
    sent: usize,
    under_way: Vec<usize>,
    /// The life whose data lie on the disk, by group; 0 if none do.
    data: [u8; GROUPS as usize],
    lives: usize,
}

pub(crate) fn run() -> Run {
    let Way { teller, legs, .. } = past(WORLD, Frames::default(), SIGHTS);
    let begin = [
        ("RunGroups", format!("0 .. {}", GROUPS - 1)),
        ("RunConnections", format!("{{{}, {}}}", connection(Link::Extended), connection(Link::Legacy))),
        ("RunIncarnations", LIVES.to_string()),
        ("RunLives", teller.lives.to_string()),
        ("RunCapacity", MAILBOX_MAX.to_string()),
    ];
    let begin = begin.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Run { file: "TraceDispatcher.world", by: "model/tests/runs/dispatcher.rs", begin, legs }
}

impl Teller<Dispatcher> for Frames {
    fn tell(&mut self, before: &State, action: Action, after: &State, moved: Moved) -> Option<Vec<Event>> {
        match action {
            Action::Register { group, life } => self.registers(before, (group, life), moved),
            _ if moved == Moved::No => None,
            Action::Send { link, group, life } if link != Link::Client && self.under_way.len() < UNDER_WAY_MAX => {
                self.sent += 1;
                self.under_way.push(self.sent);
                let event = Event::new("Send").with("connection", connection(link)).with("group", group).with("incarnation", life);
                Some(vec![event.with("frame", self.sent)])
            }
            Action::Read(link) => {
                let age = before.wires[link as usize].as_ref()?.first()?.age;
                let end = if after.held[link as usize].is_some() { "" } else { "refused" };
                Some(vec![self.met(Event::new("Lookup").with("connection", connection(link)), age, end)])
            }
            Action::Post(link) => {
                let held = before.held[link as usize]?;
                let waiting = |state: &State| state.life(held.mailbox).map_or(0, |life| life.mailbox.len());
                let end = if !before.is_open(held.mailbox) {
                    "refused"
                } else if waiting(after) > waiting(before) {
                    ""
                } else {
                    "dropped"
                };
                Some(vec![self.met(Event::new("Put").with("connection", connection(link)), held.frame.age, end)])
            }
            Action::Handle(mailbox) => {
                let life = before.life(Local(mailbox)).filter(|life| life.phase == Phase::Running)?;
                let age = life.mailbox.first()?.age;
                Some(vec![self.met(Event::new("Deliver").with("group", life.group), age, "delivered")])
            }
            Action::Stop { group, remove } => {
                let names: &[&str] = if remove { &["Entomb", "Leave"] } else { &["Deregister"] };
                Some(names.iter().map(|name| Event::new(name).with("group", group)).collect())
            }
            Action::Return(mailbox) => {
                let life = before.life(Local(mailbox))?;
                let mut ages: Vec<u8> = life.mailbox.iter().map(|frame| frame.age).collect();
                ages.sort_unstable();
                for age in ages.into_iter().rev() {
                    self.under_way.remove(age.into());
                }
                if before.removed[usize::from(life.group)] >> life.life & 1 == 0 {
                    return Some(Vec::new());
                }
                self.data[usize::from(life.group)] = 0;
                Some(vec![Event::new("Wipe").with("group", life.group)])
            }
            Action::Send { .. } | Action::Forge { .. } | Action::Take(_) | Action::Fail(_) | Action::Break(_) | Action::Dial(_) => None,
        }
    }
}

impl Frames {
    /// A stopped group's data are of one life, and the module starts no other one on them.
    fn registers(&mut self, before: &State, (group, life): (u8, u8), moved: Moved) -> Option<Vec<Event>> {
        let at = usize::from(group);
        let name = match moved {
            Moved::Yes if self.data[at] != 0 && self.data[at] != life => return None,
            Moved::Yes => "Register",
            Moved::No if before.registered[at].is_some() || before.removed[at] >> life & 1 == 1 => "Refuse",
            Moved::No => return None,
        };
        if moved == Moved::Yes {
            self.data[at] = life;
            self.lives += 1;
        }
        Some(vec![Event::new(name).with("group", group).with("incarnation", life)])
    }

    /// What became of the frame of this age.
    fn met(&mut self, event: Event, age: u8, end: &str) -> Event {
        let age = usize::from(age);
        let frame = if end.is_empty() { self.under_way[age] } else { self.under_way.remove(age) };
        event.with("frame", frame).with("end", text(end))
    }
}

fn connection(link: Link) -> String {
    text(&format!("{link:?}").to_lowercase())
}
