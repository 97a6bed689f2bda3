//! What the store and the state machines' side decide, by name.

use super::{
    disk::{Change, Item},
    node::Member,
};
use roadstead_spec::{
    EntryId, Index,
    outbox::{Action, Outbox, OutboxRules, Paper, Ticket, Tickets},
    raft::{Effect, Gate},
};

/// The decisions.
#[derive(Clone, Copy, Debug)]
pub struct Decisions {
    /// Production's outbox takes effects.
    pub accept: fn(&mut Outbox, Vec<Effect>, &mut Vec<Action>),
    /// Production's outbox hears of a durable write.
    pub durable: fn(&mut Outbox, Ticket, &mut Vec<Action>),
    /// How a round's changes are cut into batches; each of them is atomic.
    pub batches: fn(Vec<Item>) -> Vec<Vec<Item>>,
    /// Whether completions wait for the sync.
    pub syncs: bool,
    /// Whether a sync makes the name of a new journal file durable, too.
    pub syncs_names: bool,
    /// Whether a failed sync ends the node.
    pub failure_ends: bool,
    /// Whether a batch that is half there is cut off (or read as far as it goes).
    pub cuts_torn: bool,
    /// Which slot of the witness is written next.
    pub slot: fn(slots: [Option<u8>; 2]) -> usize,
    /// Whether the slot of a round is written after the round's sync.
    pub slot_behind: bool,
    /// Whether rounds with a term or a vote wait for the witness.
    pub votes_wait: bool,
    /// Rounds that the witness may lag behind.
    pub lag_max: u8,
    /// Whether a log that ends behind the witness is refused (or taken as it is).
    pub asks_witness: bool,
    /// How data and the record of the applied entry are cut into batches: what comes first, and whether the other one comes with it.
    pub applies: Applies,
    /// How far a log may be compacted.
    pub compacts: fn(&Member) -> EntryId,
    /// Whether a snapshot is installed only when all of it is durable.
    pub stages: bool,
    /// Whether a snapshot is received beside the data in use.
    pub beside: bool,
    /// Whether an apply that was under way when a snapshot came is still finished behind it.
    pub applies_late: bool,
    /// Whether a removal leaves a tombstone on the disk.
    pub tombstones: bool,
    /// Whether data is destroyed only when the tombstone is durable.
    pub destroys_behind: bool,
    /// Whether one group's end deletes what lies under another number.
    pub destroys: fn(gone: u8, other: u8) -> bool,
    /// The number of the next group, from the highest one in use and the next one as stored.
    pub number: fn(in_use: u8, stored: u8) -> u8,
}

/// How data and the record of the applied entry reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// In one batch.
    Together,
    /// The record first.
    RecordFirst,
    /// The data first.
    DataFirst,
}

impl Decisions {
    /// As production decides (`impl/src/store/rounds.rs`, `impl/src/store/progress.rs`, `impl/src/store/open.rs`, `impl/src/applier/host.rs`,
    /// `impl/src/node/control.rs`).
    pub const PRODUCTION: Self = Self {
        accept: |outbox, effects, out| outbox.accept(effects, out),
        durable: |outbox, ticket, out| outbox.durable(ticket, out),
        batches: |items| vec![items],
        syncs: true,
        syncs_names: true,
        failure_ends: true,
        cuts_torn: true,
        slot: |slots| if slots[0] >= slots[1] { 1 } else { 0 },
        slot_behind: true,
        votes_wait: true,
        lag_max: LAG_MAX,
        asks_witness: true,
        applies: Applies::Together,
        compacts: |member| member.durable,
        stages: true,
        beside: true,
        applies_late: false,
        tombstones: true,
        destroys_behind: true,
        destroys: |gone, other| gone == other,
        number: |_, stored| stored,
    };
}

/// Rounds that the witness may lag behind; 64 in production.
pub const LAG_MAX: u8 = 2;

/// Outbox rules under which nothing waits for the disk.
pub(super) enum Eager {}

impl OutboxRules for Eager {
    fn send_after(_gate: Gate, _tickets: Tickets) -> Ticket {
        Ticket::NONE
    }
}

/// Outbox rules under which a send waits for the writes of its own step only.
pub(super) enum OwnStep {}

impl OutboxRules for OwnStep {
    fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
        if tickets.awaited == tickets.before_step { Ticket::NONE } else { Paper::send_after(gate, tickets) }
    }
}

/// Outbox rules under which everything committed is applied at once, durable here or not.
pub(super) enum AppliesAhead {}

impl OutboxRules for AppliesAhead {
    fn apply_through(committed: Index, _settled: Index) -> Index {
        committed
    }
}

/// Splits off what `is_apart` says, each into a batch of its own, in front of the rest or behind it.
pub(super) fn apart(items: Vec<Item>, is_apart: fn(&Change) -> bool) -> Vec<Vec<Item>> {
    let (apart, rest): (Vec<Item>, Vec<Item>) =
        items.into_iter().partition(|item| matches!(item, Item::Group { change, .. } if is_apart(change)));
    [apart, rest].into_iter().filter(|batch| !batch.is_empty()).collect()
}
