//! Mistakes that real systems made, each put back from outside: one rule overridden, one duty failed, or one step of the core done otherwise.
//!
//! A mutant is convicted by a law. Where a law of single steps would catch it before it does harm, the hunt under laws of whole histories
//! ([`Judge::History`](super::Judge::History)) shows the harm itself. Those that no search finds have a script. What cannot be put back today is listed in
//! [`absent`].

pub mod absent;
mod controls;
mod duties;
mod elections;
mod reads;
mod replication;
mod snapshots;

use super::{Build, scopes::Scope};
use crate::raft::script::Script;

/// A mistake, and how it is hunted.
#[derive(Clone, Copy, Debug)]
pub struct Mistake {
    /// The id of its row in the list of bugs.
    pub id: &'static str,
    /// What it does wrong, in one line.
    pub mechanism: &'static str,
    /// Who made it.
    pub source: &'static str,
    /// Which laws may convict it. None: it is no mistake, and must not be convicted.
    pub laws: &'static [&'static str],
    /// Production, with the mistake.
    pub build: Build,
    /// How it is hunted, in this order.
    pub hunts: &'static [Hunt],
}

/// One way to hunt a mistake.
#[derive(Clone, Copy, Debug)]
pub enum Hunt {
    /// Breadth-first, up to so many thousand states, all laws.
    Breadth(Scope, u64),
    /// Random walks of so many thousand steps from this seed, all laws.
    Walks(Scope, u64, u64),
    /// The same, under laws of whole histories only.
    Harm(Scope, u64, u64),
    /// Histories of clients alone, from this seed, so many thousand steps.
    Clients(u64, u64),
    /// A known story; under all laws, or those of histories only.
    Told(Script),
}

/// Every mistake of this world, by topic, and what is none.
pub fn all() -> impl Iterator<Item = &'static Mistake> {
    [elections::MISTAKES, replication::MISTAKES, reads::MISTAKES, snapshots::MISTAKES, duties::MISTAKES, controls::CONTROLS]
        .into_iter()
        .flatten()
}

/// Implements rules that differ from the papers' in what is written here.
macro_rules! rules {
    ($($(#[doc = $doc:literal])* $name:ident { $($rule:item)* })*) => {$(
        $(#[doc = $doc])*
        struct $name;
        impl roadstead_spec::raft::Rules for $name { $($rule)* }
    )*};
}

/// Implements outbox rules that differ from the papers' in what is written here.
macro_rules! outbox_rules {
    ($($name:ident { $($rule:item)* })*) => {$(
        struct $name;
        impl roadstead_spec::outbox::OutboxRules for $name { $($rule)* }
    )*};
}

use {outbox_rules, rules};

/// Production under these rules of the core.
const fn core<R: roadstead_spec::raft::Rules>() -> Build {
    Build::of::<R, roadstead_spec::outbox::Paper>()
}

/// Production under these rules of the outbox.
const fn outbox<O: roadstead_spec::outbox::OutboxRules>() -> Build {
    Build::of::<roadstead_spec::raft::Paper, O>()
}
