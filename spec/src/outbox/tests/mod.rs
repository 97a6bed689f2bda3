//! Sentences of the module documentation, one test each; [`property`] compares with a model that keeps everything.

extern crate std;

mod property;

use super::*;
use crate::Term;
use crate::raft::{Gate, HardState, Law, Origin, ReadId, Refused, Round, Run};
use alloc::vec::Vec;
use core::hash::BuildHasher;

const PEER: NodeId = NodeId(2);

fn mark(index: u64) -> Mark {
    Mark { term: Term(1), index: Index(index) }
}

/// Appends `first..=last`, cutting off whatever was there.
fn write(first: u64, last: u64) -> Effect {
    let runs = [Run { term: Term(1), first: Index(first) }].into_iter().collect();
    let append = Append { runs, last: Index(last), origin: Origin::Received };
    Effect::Persist { hard: None, truncate_from: Some(Index(first)), append: Some(append), mark: mark(last) }
}

fn vote(mark: Mark) -> Effect {
    Effect::Persist { hard: Some(HardState { term: mark.term, vote: None }), truncate_from: None, append: None, mark }
}

fn install(index: u64) -> Effect {
    let at = EntryId { term: Term(1), index: Index(index) };
    Effect::InstallSnapshot { hard: HardState::default(), at, keep_suffix: false, mark: mark(index) }
}

/// A message that a test recognizes by its number.
fn message(number: u64) -> Message {
    Message::AppendEntriesResponse { term: Term(1), result: Ok(Index(number)), round: Round(0) }
}

fn send(number: u64, gate: Gate) -> Effect {
    Effect::Send { to: PEER, message: message(number), gate }
}

fn apply(through: u64) -> Effect {
    Effect::Apply { through: Index(through) }
}

fn accept(outbox: &mut Outbox, effects: &[Effect]) -> Vec<Seen> {
    let mut out = Vec::new();
    outbox.accept(effects.iter().cloned(), &mut out);
    out.into_iter().map(seen).collect()
}

fn durable(outbox: &mut Outbox, ticket: u64) -> Vec<Seen> {
    let mut out = Vec::new();
    outbox.durable(Ticket(ticket), &mut out);
    out.into_iter().map(seen).collect()
}

/// An action, as far as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Write(u64),
    Send { number: u64, after: u64 },
    Persisted(u64),
    Installed(u64),
    Apply(u64),
    Compact(u64),
    Overflow,
    Other,
}

fn seen(action: Action) -> Seen {
    match action {
        Action::Write { ticket, .. } => Seen::Write(ticket.0),
        Action::Send(released) => {
            let after = released.after().0;
            assert_eq!(released.to(), PEER);
            let (_, Message::AppendEntriesResponse { result: Ok(Index(number)), .. }) = released.into_parts() else {
                panic!("tests send numbered messages only")
            };
            Seen::Send { number, after }
        }
        Action::Persisted { mark } => Seen::Persisted(mark.index.0),
        Action::Installed { at } => Seen::Installed(at.index.0),
        Action::Apply { through } => Seen::Apply(through.0),
        Action::Compact { through } => Seen::Compact(through.0),
        Action::Overflow { to } => {
            assert_eq!(to, PEER);
            Seen::Overflow
        }
        Action::ReadReady { .. }
        | Action::Refuse { .. }
        | Action::SendSnapshot { .. }
        | Action::ResetElectionTimer
        | Action::Halt { .. } => Seen::Other,
    }
}

#[test]
fn a_gated_send_leaves_at_once_when_nothing_is_pending() {
    let mut outbox = Outbox::new(Index(0));
    assert_eq!(accept(&mut outbox, &[send(1, Gate::AfterPersist)]), [Seen::Send { number: 1, after: 0 }]);
    accept(&mut outbox, &[write(1, 1)]);
    durable(&mut outbox, 1);
    assert_eq!(accept(&mut outbox, &[send(2, Gate::AfterPersist)]), [Seen::Send { number: 2, after: 1 }]);
}

#[test]
fn a_gated_send_waits_for_writes_of_earlier_steps_and_an_ungated_one_does_not() {
    let mut outbox = Outbox::new(Index(0));
    assert_eq!(accept(&mut outbox, &[write(1, 5), send(1, Gate::AfterPersist)]), [Seen::Write(1)]);
    assert_eq!(accept(&mut outbox, &[send(2, Gate::AfterPersist)]), [], "the duplicate's answer must not overtake the write");
    assert_eq!(accept(&mut outbox, &[send(3, Gate::Now)]), [Seen::Send { number: 3, after: 0 }]);
    let released = [Seen::Send { number: 1, after: 1 }, Seen::Send { number: 2, after: 1 }, Seen::Persisted(5)];
    assert_eq!(durable(&mut outbox, 1), released);
}

#[test]
fn a_send_emitted_before_a_write_of_the_same_step_does_not_wait_for_it() {
    let mut outbox = Outbox::new(Index(0));
    let actions = accept(&mut outbox, &[send(1, Gate::AfterPersist), write(1, 1), send(2, Gate::AfterPersist)]);
    assert_eq!(actions, [Seen::Send { number: 1, after: 0 }, Seen::Write(1)]);
    assert_eq!(outbox.held(), 1);
}

#[test]
fn several_tickets_complete_at_once_and_report_the_newest_mark() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 1), send(1, Gate::AfterPersist)]);
    accept(&mut outbox, &[write(2, 2), send(2, Gate::AfterPersist)]);
    accept(&mut outbox, &[write(3, 3), send(3, Gate::AfterPersist)]);
    let released = [Seen::Send { number: 1, after: 1 }, Seen::Send { number: 2, after: 2 }, Seen::Persisted(2)];
    assert_eq!(durable(&mut outbox, 2), released);
    assert_eq!(durable(&mut outbox, 2), [], "a ticket completes once");
    assert_eq!(durable(&mut outbox, 99), [Seen::Send { number: 3, after: 3 }, Seen::Persisted(3)], "never beyond what was issued");
    assert_eq!(outbox.newest_durable(), Ticket(3));
}

#[test]
fn entries_are_applied_only_through_what_is_durable() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 4)]);
    accept(&mut outbox, &[write(5, 9)]);
    assert_eq!(accept(&mut outbox, &[apply(7)]), []);
    assert_eq!(durable(&mut outbox, 1), [Seen::Apply(4), Seen::Persisted(4)]);
    assert_eq!(durable(&mut outbox, 2), [Seen::Apply(7), Seen::Persisted(9)]);
    assert_eq!(accept(&mut outbox, &[apply(9)]), [Seen::Apply(9)]);
}

/// The write that is durable holds the old entry 3; the new one, committed, is still on its way.
#[test]
fn a_rewritten_entry_is_durable_only_with_its_newest_write() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 3)]);
    accept(&mut outbox, &[write(3, 3), apply(3)]);
    assert_eq!(durable(&mut outbox, 1), [Seen::Apply(2), Seen::Persisted(3)]);
    assert_eq!(durable(&mut outbox, 2), [Seen::Apply(3), Seen::Persisted(3)]);
}

#[test]
fn a_vote_on_its_way_holds_no_entry_back() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 3)]);
    durable(&mut outbox, 1);
    assert_eq!(accept(&mut outbox, &[vote(mark(3)), apply(3)]), [Seen::Write(2), Seen::Apply(3)]);
}

#[test]
fn nothing_is_applied_and_no_gate_opens_until_the_snapshot_is_in_place() {
    let mut outbox = Outbox::new(Index(2));
    accept(&mut outbox, &[write(3, 4), apply(3)]);
    accept(&mut outbox, &[install(10), send(1, Gate::AfterPersist)]);
    accept(&mut outbox, &[write(11, 12), send(2, Gate::AfterPersist), apply(11)]);
    assert_eq!(durable(&mut outbox, 1), [Seen::Persisted(4)], "entry 3 lies within the snapshot");
    assert_eq!(durable(&mut outbox, 2), [Seen::Installed(10), Seen::Send { number: 1, after: 2 }, Seen::Persisted(10)]);
    assert_eq!(durable(&mut outbox, 3), [Seen::Send { number: 2, after: 3 }, Seen::Apply(11), Seen::Persisted(12)]);
}

#[test]
fn a_compaction_waits_like_a_gated_send_and_only_the_newest_is_kept() {
    let mut outbox = Outbox::new(Index(9));
    assert_eq!(accept(&mut outbox, &[Effect::Compact { through: Index(3) }]), [Seen::Compact(3)]);
    accept(&mut outbox, &[write(10, 10), Effect::Compact { through: Index(4) }]);
    accept(&mut outbox, &[Effect::Compact { through: Index(5) }]);
    assert_eq!(durable(&mut outbox, 1), [Seen::Compact(5), Seen::Persisted(10)]);
}

#[test]
fn what_has_no_gate_passes_through_at_once_and_in_order() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 1)]);
    let id = ReadId { node: PEER, boot: 1, number: 1 };
    let at = EntryId { term: Term(1), index: Index(1) };
    let effects = [
        Effect::ResetElectionTimer,
        Effect::ReadReady { id, index: Index(1) },
        Effect::Refuse { what: Refused::Propose, leader: Some(PEER) },
        Effect::SendSnapshot { to: PEER, at },
    ];
    let mut out = Vec::new();
    outbox.accept(effects, &mut out);
    let expected = [
        Action::ResetElectionTimer,
        Action::ReadReady { id, index: Index(1) },
        Action::Refuse { what: Refused::Propose, leader: Some(PEER) },
        Action::SendSnapshot { to: PEER, at },
    ];
    assert_eq!(out, expected);
}

/// What a model sees of the gated sends: behind how many more writes each leaves, in order of emission.
#[test]
fn a_model_sees_what_waits() {
    let mut outbox = Outbox::new(Index(0));
    let (gated, later) = (send(1, Gate::AfterPersist), send(2, Gate::AfterPersist));
    accept(&mut outbox, &[write(1, 1), gated, write(1, 2), later]);
    let waits = |outbox: &Outbox| outbox.waiting_sends().map(|(after, to, _)| (after, to)).collect::<Vec<_>>();
    assert_eq!(waits(&outbox), [(1, PEER), (2, PEER)]);
    durable(&mut outbox, 1);
    assert_eq!(waits(&outbox), [(1, PEER)]);
}

#[test]
fn nothing_leaves_after_a_halt() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 1), send(1, Gate::AfterPersist), apply(1)]);
    let mut out = Vec::new();
    outbox.accept([Effect::Halt { law: Law::TwoLeadersInOneTerm }, send(2, Gate::Now)], &mut out);
    assert_eq!(out, [Action::Halt { law: Law::TwoLeadersInOneTerm }]);
    assert_eq!(durable(&mut outbox, 1), []);
    assert_eq!(accept(&mut outbox, &[send(3, Gate::Now), write(2, 2)]), []);
}

#[test]
fn one_held_send_too_many_is_dropped_and_reported() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 1)]);
    for number in 0..HELD_MAX as u64 {
        assert_eq!(accept(&mut outbox, &[send(number, Gate::AfterPersist)]), []);
    }
    assert_eq!(accept(&mut outbox, &[send(0, Gate::AfterPersist)]), [Seen::Overflow]);
    assert_eq!(durable(&mut outbox, 1).len(), HELD_MAX + 1);
}

#[test]
fn too_many_pending_writes_are_announced() {
    let mut outbox = Outbox::new(Index(0));
    for index in 1..=PENDING_WRITES_MAX as u64 {
        assert!(!outbox.is_congested());
        accept(&mut outbox, &[write(index, index)]);
    }
    assert!(outbox.is_congested());
    durable(&mut outbox, 1);
    assert!(!outbox.is_congested());
}

/// Looks at private capacities, since a counting allocator cannot be written without `unsafe`.
#[test]
fn a_busy_group_allocates_nothing_and_a_resting_one_holds_nothing() {
    assert!(size_of::<Outbox>() <= 136, "ten thousand of them: {} bytes each", size_of::<Outbox>());
    let mut outbox = Outbox::new(Index(0));
    let mut out = Vec::with_capacity(16);
    let mut capacities = None;
    for round in 0..1000 {
        let first = 3 * round + 1;
        outbox.accept([write(first, first + 1), send(1, Gate::AfterPersist), apply(first)], &mut out);
        outbox.accept([write(first + 2, first + 2), send(2, Gate::AfterPersist)], &mut out);
        outbox.durable(outbox.issued(), &mut out);
        out.clear();
        let now = (outbox.pending.capacity(), outbox.held.capacity(), out.capacity());
        assert_eq!(*capacities.get_or_insert(now), now);
    }
    outbox.rest();
    assert_eq!((outbox.pending.capacity(), outbox.held.capacity()), (0, 0));
}

/// Equality forgets how many writes came before, and nothing else.
#[test]
fn outboxes_are_equal_when_they_behave_alike() {
    let mut old = Outbox::new(Index(0));
    accept(&mut old, &[write(1, 1), apply(1)]);
    durable(&mut old, 1);
    let mut young = Outbox::new(Index(1));
    assert_eq!(old, young);
    let step = [write(2, 2), send(1, Gate::AfterPersist)];
    accept(&mut old, &step);
    assert_ne!(old, young);
    accept(&mut young, &step);
    assert_eq!(old, young);
    let state = std::hash::RandomState::new();
    assert_eq!(state.hash_one(&old), state.hash_one(&young));
    accept(&mut young, &[send(1, Gate::AfterPersist)]);
    assert_ne!(old, young);
}

/// A mutant from outside: gates are ignored.
#[test]
fn rules_can_be_overridden_from_outside() {
    struct NoGates;
    impl OutboxRules for NoGates {
        fn send_after(_: Gate, _: Tickets) -> Ticket {
            Ticket::NONE
        }
    }
    let mut out = Vec::new();
    Outbox::new(Index(0)).accept_with::<NoGates>([write(1, 1), send(1, Gate::AfterPersist)], &mut out);
    assert!(matches!(out[..], [Action::Write { .. }, Action::Send(_)]));
}

#[test]
fn what_waits_is_counted() {
    let mut outbox = Outbox::new(Index(0));
    accept(&mut outbox, &[write(1, 1), send(1, Gate::AfterPersist), send(2, Gate::AfterPersist)]);
    assert_eq!((outbox.pending(), outbox.held()), (1, 2));
    durable(&mut outbox, 1);
    assert_eq!((outbox.pending(), outbox.held()), (0, 0));
}

/// Goal: a model may forget the order of sends that wait, and nothing else.
#[test]
fn the_hash_without_sends_sees_all_but_sends() {
    let hash = |effects: &[Effect]| {
        let mut outbox = Outbox::new(Index(0));
        accept(&mut outbox, effects);
        let mut hasher = std::hash::DefaultHasher::new();
        outbox.hash_without_sends(&mut hasher);
        hasher.finish()
    };
    let compact = |through| Effect::Compact { through: Index(through) };
    let writes = [write(1, 3)];
    let plain = hash(&writes);
    assert_eq!(plain, hash(&[write(1, 3), send(1, Gate::AfterPersist)]));
    assert_ne!(plain, hash(&[write(1, 4)]));
    assert_ne!(plain, hash(&[write(1, 3), compact(1)]));
    assert_ne!(hash(&[write(1, 3), compact(1)]), hash(&[write(1, 3), compact(2)]));
}

/// Goal: two outboxes that a model takes for one are one: what waits, and behind what, is part of the hash.
#[test]
fn the_hash_sees_what_waits() {
    let hash = |effects: &[Effect]| {
        let mut outbox = Outbox::new(Index(0));
        accept(&mut outbox, effects);
        let mut hasher = std::hash::DefaultHasher::new();
        outbox.hash(&mut hasher);
        hasher.finish()
    };
    let waiting = [write(1, 3), send(1, Gate::AfterPersist)];
    assert_eq!(hash(&waiting), hash(&waiting));
    assert_ne!(hash(&waiting), hash(&waiting[..1]));
    assert_ne!(hash(&waiting), hash(&[write(1, 3), send(2, Gate::AfterPersist)]));
    assert_ne!(hash(&waiting), hash(&[write(1, 3), write(4, 4), send(1, Gate::AfterPersist)]), "behind another write");
}

#[test]
fn tickets_count_on_and_say_so() {
    assert_eq!((Ticket(9).since(Ticket(4)), Ticket(4).since(Ticket(9)), Ticket(4).since(Ticket(4))), (5, 0, 0));
    assert_eq!(std::format!("{}", Ticket(9)), "9");
}
