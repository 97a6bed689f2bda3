//! Changes that are no mistakes: nothing may convict them.

use super::{Hunt, Mistake, core, rules};
use crate::raft::{Build, Change, Environment, Job, Jobs, scopes::*};
use roadstead_spec::{
    Index, Term,
    outbox::Write,
    raft::{Behind, Effect, Event, Gate, LogShape, Mark, Message, Params, Slice, State, TermAt, step},
};

rules! {
    OneStepBack {
        fn retry_at(log: &LogShape, _: u32, behind: &Behind) -> Index { behind.last.min(log.last()).prev() }
    }
    NeverCompacts {
        fn compact_through(_: &Params, _: &State, _: Index) -> Index { Index(0) }
    }
    EntryByEntry {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            let first = slice.prev.index.next().max(log.base().index);
            (first.0..=slice.last.0).map(Index).find(|index| match (log.term_at(*index), slice.term_of(*index)) {
                (TermAt::Known(own), Some(new)) => own != new,
                (TermAt::Compacted, _) | (TermAt::Known(_), None) => false,
                (TermAt::Beyond, _) => true,
            })
        }
    }
    TailCountsAsFlushed {
        fn durable_at_start(log: &LogShape) -> Index { log.last() }
    }
    OldDurabilityCounts {
        fn durable_after(durable: Index, _: Term, mark: Mark) -> Index { durable.max(mark.index) }
    }
    TwoOpeningEntries {
        fn opening_entries() -> u64 { 2 }
    }
}

/// A halt is not noticed: no law that it guards is ever in danger while everybody follows the protocol.
fn never_halts(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    step(params, state, event, out);
    out.retain(|effect| !matches!(effect, Effect::Halt { .. }));
}

/// Appends wait for the leader's disk: slower, as safe.
fn appends_wait(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    step(params, state, event, out);
    for effect in out {
        if let Effect::Send { gate, message: Message::AppendEntries { .. }, .. } = effect {
            *gate = Gate::AfterPersist;
        }
    }
}

/// Term and vote are two writes, the term first: a vote that is left from an older term binds more than it has to.
fn term_before_vote(write: Write, jobs: &mut Jobs) {
    if let Write::Persist { hard: Some(hard), .. } | Write::InstallSnapshot { hard, .. } = &write {
        jobs.push_back(Job { reports: false, change: Change::Term(hard.term) });
    }
    jobs.push_back(Job { reports: true, change: Change::Whole(write) });
}

const EVERYWHERE: &[Hunt] = &[Hunt::Walks(WIDE_3, 7, 1_500), Hunt::Walks(STEPS_5, 7, 500), Hunt::Breadth(CONFLICTS, 200)];

/// Changes that are no mistakes.
pub(super) const CONTROLS: &[Mistake] = &[
    Mistake {
        id: "B-S04",
        mechanism: "a snapshot or an append that conflicts with what is committed is let pass: unreachable while everybody follows the protocol",
        source: "openraft#1892, as its maintainer shows",
        laws: &[],
        build: Build::PAPER.stepping(never_halts),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-C27",
        mechanism: "a new leader takes the end of its log for flushed; here it is: its RequestVote waited for everything that it had written before",
        source: "openraft#2118",
        laws: &[],
        build: core::<TailCountsAsFlushed>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-old-durability",
        mechanism: "a completed write of an older term counts for the leader's own log; none is left when it is elected, for the same reason",
        source: "openraft#2118, the neighbouring change",
        laws: &[],
        build: core::<OldDurabilityCounts>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-asks-itself",
        mechanism: "a request for votes is sent to its sender, too",
        source: "a harmless variation",
        laws: &[],
        build: Build::PAPER.within(Environment { asks_itself: true, ..Environment::DUTIFUL }),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-one-step-back",
        mechanism: "a refused leader goes back one entry at a time, as in the paper's figure 2",
        source: "Raft paper §5.3, unoptimized",
        laws: &[],
        build: core::<OneStepBack>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-entry-by-entry",
        mechanism: "logs are compared entry by entry instead of run by run",
        source: "Raft paper fig. 2, word by word",
        laws: &[],
        build: core::<EntryByEntry>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-never-compacts",
        mechanism: "nothing is ever cut from a log",
        source: "a harmless variation",
        laws: &[],
        build: core::<NeverCompacts>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-two-opening-entries",
        mechanism: "a term opens with two empty entries",
        source: "a harmless variation",
        laws: &[],
        build: core::<TwoOpeningEntries>(),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-appends-wait",
        mechanism: "appends leave only when the leader's own write is durable",
        source: "Raft paper, before dissertation §10.2.1",
        laws: &[],
        build: Build::PAPER.stepping(appends_wait),
        hunts: EVERYWHERE,
    },
    Mistake {
        id: "B-0-term-before-vote",
        mechanism: "term and vote are two writes, the term first",
        source: "hashicorp/raft#661, the harmless order",
        laws: &[],
        build: Build::PAPER.within(Environment { split: term_before_vote, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Harm(WIDE_3, 7, 3_000)],
    },
];
