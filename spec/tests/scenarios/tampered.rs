//! Traces that were tampered with: what a runtime that neglects a duty would write. The replay must reject each, by the duty's name.

use crate::member::Build;
use crate::replay::check;
use crate::{read, script};
use roadstead_spec::outbox::{self, Ticket};
use roadstead_spec::raft::{self, Event, LogShape, Mark, State};
use roadstead_spec::trace::{Digest, Fact, Record, What, Written};
use roadstead_spec::{Index, Term};

fn fact(record: &Record) -> Option<&Fact> {
    match &record.what {
        What::Group { fact, .. } => Some(fact),
        What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => None,
    }
}

fn fact_mut(record: &mut Record) -> Option<&mut Fact> {
    match &mut record.what {
        What::Group { fact, .. } => Some(fact),
        What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => None,
    }
}

/// Numbers the records anew: somebody who tampers would.
fn renumber(records: &mut [Record]) {
    let mut next = std::collections::BTreeMap::new();
    for record in records {
        let sequence = next.entry((record.node, record.boot)).or_insert(0);
        record.sequence = *sequence;
        *sequence += 1;
    }
}

fn find(records: &[Record], is_it: impl Fn(&Fact) -> bool) -> usize {
    records.iter().position(|record| fact(record).is_some_and(&is_it)).expect("the scenario has such a fact")
}

/// The trace of a normal election and write, tampered with, must be rejected for this reason.
fn rejected(reason: &str, tamper: impl FnOnce(&mut Vec<Record>)) {
    rejected_in("election_and_write", reason, tamper);
}

fn rejected_in(name: &str, reason: &str, tamper: impl FnOnce(&mut Vec<Record>)) {
    let build = Build::of::<raft::Paper, outbox::Paper>();
    let mut records = script::run(&read(name), build).records;
    assert_eq!(check(&records, build), Ok(()));
    tamper(&mut records);
    let broken = check(&records, build).expect_err("it was tampered with");
    assert!(broken.contains(reason), "{broken}");
}

#[test]
fn a_send_before_its_write_is_durable() {
    rejected("DUTY-1", |records| {
        let durable = find(records, |fact| matches!(fact, Fact::Durable { .. }));
        let node = records[durable].node;
        let sent = |record: &Record| record.node == node && matches!(fact(record), Some(Fact::Sent { after, .. }) if *after > Ticket::NONE);
        let early = records.iter().position(sent).expect("a gated send");
        let record = records.remove(early);
        records.insert(durable, record);
        renumber(records);
    });
}

#[test]
fn two_sends_in_the_wrong_order() {
    rejected("DUTY-1", |records| {
        let both = records.windows(2).position(|pair| pair.iter().all(|record| matches!(fact(record), Some(Fact::Sent { .. }))));
        let first = both.expect("two sends after each other");
        records.swap(first, first + 1);
        renumber(records);
    });
}

#[test]
fn a_write_that_was_never_made() {
    rejected("DUTY-2", |records| {
        records.remove(find(records, |fact| matches!(fact, Fact::Issued { .. })));
        renumber(records);
    });
}

#[test]
fn a_write_that_forgot_its_vote() {
    rejected("DUTY-2", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Issued { .. }));
        if let Some(Fact::Issued { write: Written::Persist { hard, .. }, .. }) = fact_mut(&mut records[place]) {
            *hard = None;
        }
    });
}

#[test]
fn a_state_that_the_step_does_not_leave() {
    rejected("another state", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Stepped { .. }));
        if let Some(Fact::Stepped { after, .. }) = fact_mut(&mut records[place]) {
            *after = Digest(0);
        }
    });
}

/// What the last boot found on its disk.
fn last_boot(records: &mut [Record]) -> &mut State {
    let recovered = records.iter_mut().rev().find_map(|record| match fact_mut(record) {
        Some(Fact::Recovered { state, .. }) => Some(state),
        _ => None,
    });
    recovered.expect("something recovers")
}

#[test]
fn a_vote_that_a_crash_took_back() {
    rejected_in("duplicate_append", "DUTY-2", |records| last_boot(records).hard.vote = None);
}

#[test]
fn an_entry_that_a_crash_took_back() {
    rejected_in("duplicate_append", "DUTY-2", |records| last_boot(records).log = LogShape::default());
}

#[test]
fn a_mark_that_is_not_durable() {
    rejected("DUTY-3", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Stepped { event: Event::Persisted { .. }, .. }));
        if let Some(Fact::Stepped { event, .. }) = fact_mut(&mut records[place]) {
            *event = Event::Persisted { mark: Mark { term: Term(1), index: Index(99) } };
        }
    });
}

#[test]
fn bytes_of_another_entry() {
    rejected("DUTY-4", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Applied { .. }));
        if let Some(Fact::Applied { content }) = fact_mut(&mut records[place]) {
            content.entries[0].1 = Digest(0);
        }
    });
}

#[test]
fn a_command_that_is_applied_twice() {
    rejected("DUTY-5", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Applied { .. }));
        records.insert(place, records[place].clone());
        renumber(records);
    });
}

#[test]
fn a_message_from_nowhere() {
    rejected("DUTY-6", |records| {
        records.remove(find(records, |fact| matches!(fact, Fact::Sent { .. })));
        renumber(records);
    });
}

#[test]
fn an_effect_that_the_step_does_not_have() {
    rejected("other effects", |records| {
        let place = find(records, |fact| matches!(fact, Fact::Stepped { effects, .. } if effects.len() > 1));
        if let Some(Fact::Stepped { effects, .. }) = fact_mut(&mut records[place]) {
            effects.swap(0, 1);
        }
    });
}

#[test]
fn a_record_that_is_missing() {
    rejected("missing", |records| {
        records.remove(5);
    });
}
