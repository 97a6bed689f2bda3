//! How records are damaged.

use crate::tape::{At, Tape};
use roadstead_conformance::verdict::Rule;
use roadstead_spec::{
    EntryId, Index,
    outbox::Ticket,
    raft::{Event, LogShape, Run, State},
    trace::{Digest, Fact, Written},
};

/// Name, the rules by which it may be rejected, and how it is done.
pub(crate) type Mutant = (&'static str, &'static [Rule], Damage);

/// Damage: `None` where there is nothing to damage in this way.
pub(crate) type Damage = fn(&mut Tape, Share) -> Option<()>;

/// Which of the places that could be damaged, in percent.
#[derive(Clone, Copy)]
pub(crate) struct Share(pub(crate) usize);

impl Share {
    pub(crate) fn of(self, places: &[At]) -> Option<At> {
        places.get((places.len() * self.0 / 100).min(places.len().saturating_sub(1))).copied()
    }
}

/// Lets `edit` change one fact.
pub(crate) fn edit(tape: &mut Tape, share: Share, is_it: fn(&Fact) -> bool, edit: fn(&mut Fact)) -> Option<()> {
    let at = share.of(&tape.find(is_it))?;
    edit(tape.fact_mut(at));
    Some(())
}

/// Takes one record out.
pub(crate) fn drop_one(tape: &mut Tape, share: Share, is_it: fn(&Fact) -> bool) -> Option<()> {
    let at = share.of(&tape.find(is_it))?;
    tape.records(at).remove(at.1);
    tape.renumber();
    Some(())
}

/// Records something a second time.
pub(crate) fn repeat(tape: &mut Tape, share: Share, is_it: fn(&Fact) -> bool) -> Option<()> {
    let at = share.of(&tape.find(is_it))?;
    let record = tape.records(at)[at.1].clone();
    tape.records(at).insert(at.1, record);
    tape.renumber();
    Some(())
}

/// Starts that come behind an earlier boot.
pub(crate) fn restarts(tape: &Tape) -> Vec<At> {
    let later = |boot: usize| boot > 0 && tape.boots[boot - 1].header.node == tape.boots[boot].header.node;
    tape.find(|fact| matches!(fact, Fact::Recovered { .. })).into_iter().filter(|at| later(at.0)).collect()
}

/// Changes what a later boot found. (What was on its way when the process was killed may be lost: then it is the next step that gives it away.)
pub(crate) fn recovered(tape: &mut Tape, share: Share, edit: fn(&mut State) -> Option<()>) -> Option<()> {
    let at = share.of(&restarts(tape))?;
    match tape.fact_mut(at) {
        Fact::Recovered { state, .. } => edit(state),
        _ => None,
    }
}

pub(crate) fn with_log(state: &mut State, base: EntryId, runs: Vec<Run>, last: Index) -> Option<()> {
    state.log = LogShape::from_runs(base, runs, last).ok()?;
    Some(())
}

pub(crate) fn with_last(state: &mut State, last: u64) -> Option<()> {
    let base = state.log.base();
    let runs = state.log.runs().iter().copied().filter(|run| run.first.0 <= last).collect();
    with_log(state, base, runs, Index(last))
}

pub(crate) fn stepped(fact: &Fact, is_it: impl Fn(&Event) -> bool) -> bool {
    matches!(fact, Fact::Stepped { event, .. } if is_it(event))
}

pub(crate) fn gated(fact: &Fact) -> bool {
    matches!(fact, Fact::Sent { after, .. } if *after > Ticket::NONE)
}

pub(crate) fn brings_entries(fact: &Fact) -> bool {
    matches!(fact, Fact::Sent { content, .. } | Fact::Received { content, .. } if !content.entries.is_empty())
}

pub(crate) fn with_two_effects(fact: &Fact) -> bool {
    matches!(fact, Fact::Stepped { effects, .. } if effects.len() > 1 && effects[0] != effects[1])
}

pub(crate) fn writes_hard(fact: &Fact) -> bool {
    matches!(fact, Fact::Issued { write: Written::Persist { hard: Some(_), .. }, .. })
}

pub(crate) fn other_digest(fact: &mut Fact) {
    if let Fact::Issued { content, .. } | Fact::Sent { content, .. } | Fact::Received { content, .. } | Fact::Applied { content } = fact {
        content.entries[0].1 = Digest(!content.entries[0].1.0);
    }
}

pub(crate) const ANY: &[Rule] =
    &[Rule::Stream, Rule::Step, Rule::Law, Rule::Duty1, Rule::Duty2, Rule::Duty3, Rule::Duty4, Rule::Duty5, Rule::Duty6];
