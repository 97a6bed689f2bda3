//! What a run made use of: kinds of facts, events, messages and effects. A replay of a run in which nothing happened proves nothing.

mod page;

pub use page::page;

use roadstead_model::raft::coverage::Outcome;
use roadstead_spec::{
    dispatch::Unroutable,
    raft::{Effect, Event, Message},
    trace::{Dispatched, Fact, Linked},
    wire::Version,
};
use serde::{Serialize, ser::SerializeMap};
use std::fmt;

/// Declares the names of a type's variants, and how to get the name of a value: a new variant does not compile until it is listed.
macro_rules! kinds {
    ($name:ident, $all:ident, $type:ty, $($pattern:pat => $kind:literal),+ $(,)?) => {
        /// Every kind.
        pub const $all: &[&str] = &[$($kind),+];
        /// The kind's name.
        pub const fn $name(value: &$type) -> &'static str {
            match value { $($pattern => $kind),+ }
        }
    };
}

kinds!(fact_kind, FACTS, Fact,
    Fact::Recovered { .. } => "Recovered", Fact::Stepped { .. } => "Stepped", Fact::Issued { .. } => "Issued", Fact::Compacted { .. } => "Compacted",
    Fact::Durable { .. } => "Durable", Fact::Sent { .. } => "Sent", Fact::Dropped { .. } => "Dropped", Fact::Received { .. } => "Received",
    Fact::Applied { .. } => "Applied", Fact::Installed { .. } => "Installed");
kinds!(dispatched_kind, DISPATCHED, Dispatched,
    Dispatched::Register { refused: None, .. } => "Register", Dispatched::Register { refused: Some(_), .. } => "RegisterRefused",
    Dispatched::Remove { .. } => "Remove", Dispatched::Refuse { why: Unroutable::NoSuchGroup(_), .. } => "NoSuchGroup",
    Dispatched::Refuse { why: Unroutable::WrongIncarnation { .. }, .. } => "WrongIncarnation");
kinds!(linked_kind, LINKS, Linked,
    Linked { dialled: true, version: Version::Extended, .. } => "DialledExtended", Linked { dialled: true, version: Version::Legacy, .. } => "DialledLegacy",
    Linked { dialled: false, version: Version::Extended, .. } => "AcceptedExtended", Linked { dialled: false, version: Version::Legacy, .. } => "AcceptedLegacy");
kinds!(event_kind, EVENTS, Event,
    Event::Receive { .. } => "Receive", Event::Propose { .. } => "Propose", Event::Read { .. } => "Read", Event::ElectionTimeout => "ElectionTimeout",
    Event::MinimumTimeout => "MinimumTimeout", Event::HeartbeatTimeout => "HeartbeatTimeout", Event::Persisted { .. } => "Persisted",
    Event::Applied { .. } => "Applied", Event::SnapshotTaken { .. } => "SnapshotTaken", Event::SnapshotReceived { .. } => "SnapshotReceived",
    Event::SnapshotFailed { .. } => "SnapshotFailed", Event::Unreachable { .. } => "Unreachable", Event::DiskStalled => "DiskStalled");
kinds!(message_kind, MESSAGES, Message,
    Message::PreVote { .. } => "PreVote", Message::PreVoteResponse { .. } => "PreVoteResponse", Message::RequestVote { .. } => "RequestVote",
    Message::RequestVoteResponse { .. } => "RequestVoteResponse", Message::AppendEntries { .. } => "AppendEntries",
    Message::AppendEntriesResponse { .. } => "AppendEntriesResponse", Message::ReadIndex { .. } => "ReadIndex",
    Message::ReadIndexResponse { .. } => "ReadIndexResponse");
kinds!(effect_kind, EFFECTS, Effect,
    Effect::Persist { .. } => "Persist", Effect::InstallSnapshot { .. } => "InstallSnapshot", Effect::Send { .. } => "Send", Effect::Apply { .. } => "Apply",
    Effect::ReadReady { .. } => "ReadReady", Effect::Refuse { .. } => "Refuse", Effect::SendSnapshot { .. } => "SendSnapshot",
    Effect::Compact { .. } => "Compact", Effect::ResetElectionTimer => "ResetElectionTimer", Effect::Halt { .. } => "Halt");

/// Counts per kind, in the order of the lists above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    tables: [(&'static str, Vec<(&'static str, u64)>); 6],
    /// How often each rule decided how, in which role; empty unless that was counted.
    pub outcomes: Vec<(Outcome, u64)>,
}

impl Default for Coverage {
    fn default() -> Self {
        let table = |name, kinds: &[&'static str]| (name, kinds.iter().map(|kind| (*kind, 0)).collect());
        let tables = [
            table("facts", FACTS),
            table("events", EVENTS),
            table("messages received", MESSAGES),
            table("effects", EFFECTS),
            table("dispatcher", DISPATCHED),
            table("links", LINKS),
        ];
        Self { tables, outcomes: Vec::new() }
    }
}

impl Coverage {
    pub(crate) fn count(&mut self, fact: &Fact) {
        self.add(0, fact_kind(fact));
        if let Fact::Stepped { event, effects, .. } = fact {
            self.add(1, event_kind(event));
            if let Event::Receive { message, .. } = event {
                self.add(2, message_kind(message));
            }
            effects.iter().for_each(|effect| self.add(3, effect_kind(effect)));
        }
    }

    pub(crate) fn count_dispatched(&mut self, step: &Dispatched) {
        self.add(4, dispatched_kind(step));
    }

    pub(crate) fn count_linked(&mut self, linked: &Linked) {
        self.add(5, linked_kind(linked));
    }

    /// How often a kind appeared, in any of the tables.
    pub fn of(&self, kind: &str) -> u64 {
        self.tables.iter().flat_map(|(_, table)| table).filter(|(name, _)| *name == kind).map(|(_, count)| *count).sum()
    }

    /// Adds what another run made use of.
    pub fn join(&mut self, other: &Self) {
        for ((_, mine), (_, theirs)) in self.tables.iter_mut().zip(&other.tables) {
            mine.iter_mut().zip(theirs).for_each(|((_, count), (_, more))| *count += more);
        }
        if self.outcomes.is_empty() {
            self.outcomes.clone_from(&other.outcomes);
        } else {
            self.outcomes.iter_mut().zip(&other.outcomes).for_each(|((_, count), (_, more))| *count += more);
        }
    }

    fn add(&mut self, table: usize, kind: &'static str) {
        if let Some((_, count)) = self.tables[table].1.iter_mut().find(|(name, _)| std::ptr::eq(*name, kind) || *name == kind) {
            *count += 1;
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, table) in &self.tables {
            let seen = table.iter().filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>();
            let missing = table.iter().filter(|(_, count)| *count == 0).map(|(kind, _)| *kind).collect::<Vec<_>>();
            write!(f, "  {name}: {}", seen.join(", "))?;
            writeln!(f, "{}", if missing.is_empty() { String::new() } else { format!("; none: {}", missing.join(", ")) })?;
        }
        if self.outcomes.is_empty() {
            return Ok(());
        }
        let of = |fits: fn(&(Outcome, u64)) -> bool| self.outcomes.iter().filter(|one| fits(one)).count();
        let (all, met, excused) =
            (self.outcomes.len(), of(|(_, count)| *count > 0), of(|(one, count)| *count == 0 && one.excuse.is_some()));
        write!(f, "  outcomes of rules by role: {met} of {all} met, {excused} cannot be")?;
        let missing: Vec<_> = self.outcomes.iter().filter(|(one, count)| *count == 0 && one.excuse.is_none()).collect();
        let missing: Vec<_> = missing.iter().map(|(one, _)| format!("{} ({}, {})", one.rule, one.outcome, one.role)).collect();
        writeln!(f, "{}", if missing.is_empty() { String::new() } else { format!("; not met: {}", missing.join(", ")) })
    }
}

impl Serialize for Coverage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = |table: &[(&'static str, u64)]| table.iter().copied().collect::<std::collections::BTreeMap<_, _>>();
        let mut map = serializer.serialize_map(None)?;
        self.tables.iter().try_for_each(|(name, kinds)| map.serialize_entry(name, &table(kinds)))?;
        if !self.outcomes.is_empty() {
            map.serialize_entry("outcomes", &self.outcomes)?;
        }
        map.end()
    }
}
