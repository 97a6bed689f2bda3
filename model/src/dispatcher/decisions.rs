//! What the world around the registry decides, by name: each decision can be replaced by a mistake without touching the registry.

use super::state::{Frame, Held, Link, Local, Source, State, incarnation};
use roadstead_spec::{
    GroupId, Incarnation,
    dispatch::{Registry, Unroutable},
};

/// The decisions of whoever reads frames, keeps mailboxes and starts and stops groups.
#[derive(Clone, Copy, Debug)]
pub struct Decisions {
    /// The group that a frame of `group` names on this link; `None`: it is refused at the sender, since the link cannot carry it.
    pub names: fn(link: Link, group: u8) -> Option<u8>,
    /// Whether a frame that claims to come from `claimed` may come on a connection of `proven`.
    pub admits: fn(claimed: Source, proven: Source) -> bool,
    /// The mailbox of a frame.
    pub route: fn(&mut Registry<Local>, &Frame) -> Result<Local, Unroutable>,
    /// What becomes of a frame whose group is not here.
    pub unroutable: Unrouted,
    /// The mailbox that a found frame is put into; `None`: it is closed.
    pub posts_to: fn(&State, &Held) -> Option<Local>,
    /// What becomes of a frame whose mailbox is full.
    pub full: Full,
    /// Which of the messages that wait is handled next.
    pub takes: fn(waiting: usize) -> usize,
    /// What becomes of a group's messages when it stops.
    pub stop: Stop,
    /// Whether the tombstone stands before the removal has returned.
    pub buries: bool,
    /// Whether stopping a group and starting it are never under way at the same time.
    pub serial: bool,
    /// How a group comes into the registry.
    pub registration: Registration,
    /// Whether a group may begin another life while this link may still carry frames without an incarnation for it.
    pub opens_anew: fn(group: u8, legacy_link: bool) -> bool,
    /// What one group's failure does.
    pub failure: Failure,
}

/// What becomes of a frame whose group is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// It is counted and answered, and the connection lives.
    Answered,
    /// The connection is closed.
    Closes,
    /// Nothing.
    Forgotten,
    /// It goes to the default group.
    Default,
}

/// What becomes of a frame whose mailbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// A peer's is dropped and counted, a client's is answered as busy.
    Refused,
    /// The reader waits for room.
    Waits,
    /// It goes in all the same.
    Grows,
    /// The oldest message gives way, without a word.
    Displaces,
}

/// What becomes of a group's messages when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The mailbox is closed before the call returns; what waited in it is counted.
    Closes,
    /// The call returns at once, and the handler works off what waits.
    WorksOff,
    /// The next life of the group finds what waits.
    Inherited,
}

/// How a group comes into the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// In one step.
    Atomic,
    /// The number is looked up first, and taken later, whoever has it then.
    LooksFirst,
}

/// What one group's failure does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// That group stops handling; its frames are counted.
    StaysAlone,
    /// The connection is closed.
    Closes,
    /// Every group fails.
    Spreads,
}

impl Decisions {
    /// As production decides (`impl/src/shard/frames.rs`, `impl/src/shard/mod.rs`, `impl/src/port/session.rs`, `impl/src/node/control.rs`).
    pub const PRODUCTION: Self = Self {
        names: |link, group| match link {
            Link::Extended | Link::Client => Some(group),
            Link::Legacy => (group == 0).then_some(0),
        },
        admits: |claimed, proven| claimed == proven,
        route: route_by_incarnation,
        unroutable: Unrouted::Answered,
        posts_to: |state, held| state.is_open(held.mailbox).then_some(held.mailbox),
        full: Full::Refused,
        takes: |_| 0,
        stop: Stop::Closes,
        buries: true,
        serial: true,
        registration: Registration::Atomic,
        opens_anew: |group, legacy_link| group != 0 || !legacy_link,
        failure: Failure::StaysAlone,
    };
}

/// A version 1 frame of a node names its incarnation; a client's means whichever lives now; one of version 0 means the default group's first life,
/// the only one that a group of another implementation can be.
pub(super) fn route_by_incarnation(registry: &mut Registry<Local>, frame: &Frame) -> Result<Local, Unroutable> {
    let group = group_id(frame.names);
    match frame.link {
        Link::Extended => registry.route(group, frame.life_id(), 0).copied(),
        Link::Client => registry.route_any(group, 0).copied(),
        Link::Legacy => registry.route(GroupId::DEFAULT, FIRST_LIFE, 0).copied(),
    }
}

/// The first life of the default group.
const FIRST_LIFE: Incarnation = incarnation(0, 1);

/// The group of this number.
pub(super) fn group_id(group: u8) -> GroupId {
    GroupId::new(group.into()).unwrap_or_default()
}
