//! What a configuration allows.

use super::{Budget, group};
use roadstead_spec::{
    NodeId, Term,
    raft::{Limits, Params},
};

/// Size, limits and budgets of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many members; all vote.
    pub voters: u8,
    /// The group's limits.
    pub limits: Limits,
    /// What may happen how often.
    pub budget: Budget,
    /// While so many packets are in flight, all that a step sends is lost: as a network loses it, and whatever the step.
    pub crowd: u8,
    /// When writes become durable.
    pub disk: Pace,
    /// When what is released for applying is applied.
    pub machine: Pace,
    /// How pre-votes are asked.
    pub pre_votes: PreVotes,
    /// A crashed member stays down until it is started; otherwise it starts at once, which is the same as to hear nothing for a while, but for the packets that
    /// a dead member loses.
    pub stays_down: bool,
    /// Clients wait for their writes.
    pub clients: bool,
    /// The history of what clients asked and were told is kept, and judged as a whole.
    pub histories: bool,
    /// Every member's term before the first election.
    pub first_term: Term,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// No time. Sound where no member crashes: a slow disk is then a slow network, but for the leader's own copy.
    AtOnce,
    /// As long as it likes.
    Late,
}

/// How pre-votes are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreVotes {
    /// Message by message.
    Steps,
    /// By [`super::Action::Campaign`]: those that are asked answer at once, others never. Each is a path of the full world; others are left out.
    AtOnce,
}

/// Limits under which windows fill and logs are compacted away within a few entries.
pub const TIGHT: Limits = Limits {
    inflight_messages_max: 1,
    inflight_entries_max: 2,
    slice_entries_max: 2,
    keep_entries: 0,
    keep_entries_transfer: 0,
    reads_max: 2,
};

impl Bounds {
    /// Three members on disks that take no time, and nothing may happen: for configurations to change.
    pub const SMALL: Self = Self {
        voters: 3,
        limits: TIGHT,
        budget: Budget {
            timeouts: 0,
            heartbeats: 0,
            proposals: 0,
            reads: 0,
            crashes: 0,
            drops: 0,
            duplicates: 0,
            checkpoints: 0,
            troubles: 0,
            strangers: 0,
            calms: 0,
        },
        crowd: 3,
        disk: Pace::AtOnce,
        machine: Pace::AtOnce,
        pre_votes: PreVotes::AtOnce,
        stays_down: false,
        clients: false,
        histories: false,
        first_term: Term(0),
    };

    /// The group's parameters.
    ///
    /// # Panics
    /// When the bounds name no group.
    pub fn params(&self) -> Params {
        let voters: Vec<NodeId> = (0..usize::from(self.voters)).map(group::id_at).collect();
        Params::new(&voters, self.limits).expect("a configuration names 1 to 7 voters and limits above 0")
    }
}
