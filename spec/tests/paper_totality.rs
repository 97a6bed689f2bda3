//! `step` is total: whatever arrives, in whatever state, it neither panics (overflow included: tests check it) nor breaks a local law.
//! What peers say need not be true here, so laws of several members do not apply.

mod world;

use roadstead_spec::{
    EntryId, Index, NodeId, Term,
    invariants::{Transition, check_transition},
    raft::{Behind, Effect, Event, HardState, LogShape, Mark, Message, Params, ReadId, Round, Run, Slice, recover, step},
};
use world::random::{Random, tight_limits};

/// Mostly small numbers, which meet; some at the end of the range, which overflow.
fn number(random: &mut Random) -> u64 {
    match random.below(12) {
        0 => u64::MAX - random.below(3) as u64,
        1 => random.next(),
        _ => random.below(12) as u64,
    }
}

fn entry(random: &mut Random) -> EntryId {
    EntryId { term: Term(number(random)), index: Index(number(random)) }
}

fn run_of(random: &mut Random) -> Run {
    Run { term: Term(number(random)), first: Index(number(random)) }
}

fn read(random: &mut Random) -> ReadId {
    ReadId { node: NodeId(random.below(6) as u32), boot: 1, number: number(random) }
}

/// Lawful in half of the cases.
fn slice(random: &mut Random) -> Slice {
    let prev = entry(random);
    if random.one_in(4) {
        let runs = (0..random.below(4)).map(|_| run_of(random)).collect();
        return Slice { prev, runs, last: Index(number(random)) };
    }
    let mut slice = Slice::empty(prev);
    let mut term = prev.term;
    for _ in 0..random.below(4) {
        term = Term(term.0.saturating_add(random.below(2) as u64));
        if slice.runs.last().is_none_or(|run| run.term != term) {
            slice.runs.push(Run { term, first: slice.last.next() });
        }
        slice.last = slice.last.plus(1 + random.below(2) as u64);
    }
    slice
}

fn message(random: &mut Random) -> Message {
    let term = Term(number(random));
    let granted = random.one_in(2);
    match random.below(10) {
        0 => Message::PreVote { term, last: entry(random) },
        1 => Message::PreVoteResponse { term, granted },
        2 => Message::RequestVote { term, last: entry(random) },
        3 => Message::RequestVoteResponse { term, granted },
        4 | 5 => Message::AppendEntries { term, slice: slice(random), commit: Index(number(random)), round: Round(number(random)) },
        6 => Message::AppendEntriesResponse { term, result: Ok(Index(number(random))), round: Round(number(random)) },
        7 => {
            let runs = (0..random.below(5)).map(|_| run_of(random)).collect();
            let behind = Behind { last: Index(number(random)), runs };
            Message::AppendEntriesResponse { term, result: Err(Box::new(behind)), round: Round(number(random)) }
        }
        8 => Message::ReadIndex { term, id: read(random) },
        _ => Message::ReadIndexResponse { term, id: read(random), index: granted.then_some(Index(number(random))) },
    }
}

fn event(random: &mut Random) -> Event {
    let peer = NodeId(random.below(5) as u32);
    match random.below(24) {
        0 => Event::Propose { count: u32::try_from(number(random)).unwrap_or(u32::MAX) },
        1 => Event::Read { id: ReadId { node: NodeId(1), ..read(random) } },
        2 | 3 => Event::ElectionTimeout,
        4 => Event::MinimumTimeout,
        5 => Event::HeartbeatTimeout,
        6 => Event::Persisted { mark: Mark { term: Term(number(random)), index: Index(number(random)) } },
        7 => Event::Applied { through: Index(number(random)) },
        8 => Event::SnapshotTaken { at: entry(random) },
        9 => Event::SnapshotReceived { from: peer, term: Term(number(random)), at: entry(random) },
        10 => Event::SnapshotFailed { to: peer },
        11 => Event::Unreachable { peer },
        12 if random.one_in(4) => Event::DiskStalled,
        _ => Event::Receive { from: peer, message: message(random) },
    }
}

/// What would help this member on: the answers that it waits for, so that it also gets to lead and to commit.
fn kind_event(random: &mut Random, term: Term, last: Index) -> Event {
    let from = NodeId(2 + random.below(2) as u32);
    let message = match random.below(4) {
        0 => Message::PreVoteResponse { term: term.next(), granted: true },
        1 => Message::RequestVoteResponse { term, granted: true },
        2 => Message::AppendEntriesResponse { term, result: Ok(last), round: Round(random.below(4) as u64) },
        _ => return Event::Persisted { mark: Mark { term, index: last } },
    };
    Event::Receive { from, message }
}

#[test]
fn any_event_in_any_state_keeps_every_local_law() {
    let (mut led, mut committed, mut halts) = (0, 0, 0);
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let params = Params::new(&[NodeId(1), NodeId(2), NodeId(3)], tight_limits(&mut random)).expect("valid");
        let mut state = recover(NodeId(1), HardState::default(), LogShape::default(), Index(0)).expect("empty");
        for _ in 0..120 {
            let is_kind = random.one_in(3);
            let event = if is_kind { kind_event(&mut random, state.hard.term, state.log.last()) } else { event(&mut random) };
            let before = state.clone();
            let mut effects = Vec::new();
            step(&params, &mut state, event.clone(), &mut effects);
            let transition = Transition { params: &params, before: &before, event: &event, after: &state, effects: &effects };
            if let Err(broken) = check_transition(&transition) {
                panic!("seed {seed}: {broken} by {event:?} in {before:?}");
            }
            led += usize::from(before.as_leader().is_none() && state.as_leader().is_some());
            committed += usize::from(state.commit > before.commit);
            if effects.iter().any(|effect| matches!(effect, Effect::Halt { .. })) {
                halts += 1;
                break;
            }
        }
    }
    println!("{led} times leader, {committed} commits, {halts} halts");
    assert!(led > 100 && committed > 100 && halts > 20, "the interesting states were reached");
}
