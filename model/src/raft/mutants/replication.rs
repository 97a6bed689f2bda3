//! Replication, commit, acknowledgement.

use super::{Hunt, Mistake, core, outbox, outbox_rules, rules};
use crate::raft::{Build, scopes::*, script};
use roadstead_spec::{
    EntryId, Index, Term,
    outbox::{Action, Outbox, Ticket, Write},
    raft::{
        Append, Behind, Effect, Event, Gate, Law, Leader, LogShape, Mark, Message, Origin, Paper, Params, Run, Slice, State, TermAt, step,
    },
};

rules! {
    CountsOlderTerms {
        fn may_commit(log: &LogShape, _: Term, index: Index) -> bool { matches!(log.term_at(index), TermAt::Known(_)) }
    }
    StopsAtOlderTerm {
        fn may_commit(log: &LogShape, term: Term, _: Index) -> bool { log.runs().iter().all(|run| run.term == term) }
    }
    TruncatesWhatMatches {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            let first = slice.prev.index.max(log.base().index).next();
            (first <= slice.last).then_some(first)
        }
    }
    TruncatesBehindEmpty {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            let first = slice.prev.index.max(log.base().index).next();
            (first <= slice.last && first <= log.last()).then_some(first).or_else(|| Paper::first_missing(log, slice))
        }
    }
    CommitGoesBack {
        fn follower_commit(_: &State, leader_commit: Index, verified: Index) -> Index { leader_commit.min(verified) }
    }
    CommitsUnverified {
        fn follower_commit(state: &State, leader_commit: Index, _: Index) -> Index { state.commit.max(leader_commit.min(state.log.last())) }
    }
    LateAckCounts {
        fn matched_after(_: Index, acknowledged: Index) -> Index { acknowledged }
    }
    UnsortedProgress {
        fn quorum_index(params: &Params, leader: &Leader) -> Index {
            let matched: Vec<Index> = leader.peers.iter().map(|(_, peer)| peer.matched).chain([leader.durable]).collect();
            matched[matched.len() - Self::quorum(params.voters().len())]
        }
    }
    OwnCopyTooEarly {
        fn durable_after_append(_: Index, last: Index) -> Index { last }
    }
    AcknowledgesBeforeDisk {
        fn append_answer_gate() -> Gate { Gate::Now }
    }
    GapsMatch {
        fn prev_matches(log: &LogShape, prev: EntryId) -> bool {
            match log.term_at(prev.index) {
                TermAt::Known(term) => term == prev.term,
                TermAt::Compacted | TermAt::Beyond => true,
            }
        }
    }
    NeverSendsSnapshots {
        fn retry_at(log: &LogShape, most: u32, behind: &Behind) -> Index { Paper::retry_at(log, most, behind).max(log.base().index) }
    }
    OpeningEntryCountsEarly {
        fn durable_after_append(durable: Index, last: Index) -> Index { if durable == Index(0) { last } else { durable } }
    }
    NeverComparesTerms {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> { (slice.last > log.last()).then(|| log.last().next()) }
    }
    OverwritesFromTheStart {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            (slice.last > slice.prev.index && slice.prev.index <= log.base().index).then(|| log.base().index.next())
                .or_else(|| Paper::first_missing(log, slice))
        }
    }
    AcknowledgesOwnLast {
        fn verified(log: &LogShape, _: &Slice) -> Index { log.last() }
    }
    AcknowledgesOneMore {
        fn verified(_: &LogShape, slice: &Slice) -> Index { slice.last.next() }
    }
    CannotCutTheFirst {
        fn first_missing(log: &LogShape, slice: &Slice) -> Option<Index> {
            Paper::first_missing(log, slice).filter(|first| *first > log.base().index.next() || *first > log.last())
        }
    }
    NoOpeningEntry {
        fn opening_entries() -> u64 { 0 }
    }
    AsksAtTheSamePlace {
        fn retry_at(log: &LogShape, _: u32, behind: &Behind) -> Index { behind.last.min(log.last()) }
    }
}

outbox_rules! {
    RewritesCountAsDurable {
        fn gates_wait_for(write: &Write) -> bool { !matches!(write, Write::Persist { truncate_from: Some(_), .. }) }
    }
    AppliesBeforeDurable {
        fn apply_through(committed: Index, _: Index) -> Index { committed }
    }
}

/// A leader that steps down rolls its uncommitted entries back.
fn rolls_back(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let led = state.as_leader().is_some();
    step(params, state, event, out);
    if led && state.as_leader().is_none() && state.log.last() > state.commit {
        let from = state.commit.next();
        let runs = state.log.runs().iter().copied().filter(|run| run.first < from).collect();
        let mark = Mark { term: state.hard.term, index: state.commit };
        state.log = LogShape::from_runs(state.log.base(), runs, state.commit).unwrap_or_else(|_| state.log.clone());
        out.push(Effect::Persist { hard: Some(state.hard), truncate_from: Some(from), append: None, mark });
    }
}

/// A client's entry is accepted by a leader and stamped after it stepped down, with the term of another leader.
fn stamps_late(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let led = state.as_leader().is_some();
    step(params, state, event, out);
    if led && state.as_leader().is_none() && state.log.last_id().term < state.hard.term {
        let term = state.hard.term;
        let first = state.log.last().next();
        let run = Run { term, first };
        let runs = state.log.runs().iter().copied().chain([run]).collect();
        if let Ok(log) = LogShape::from_runs(state.log.base(), runs, first) {
            state.log = log;
            let append = Append { runs: [run].into_iter().collect(), last: first, origin: Origin::Proposed };
            out.push(Effect::Persist { hard: None, truncate_from: None, append: Some(append), mark: Mark { term, index: first } });
        }
    }
}

/// A late refusal of a probe long answered is taken for a log that went back, and ends the process.
fn late_refusal_panics(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let reverts = match (&event, state.as_leader()) {
        (Event::Receive { from, message: Message::AppendEntriesResponse { term, result: Err(behind), .. } }, Some(leader)) => {
            *term == state.hard.term && leader.peers.get(*from).is_some_and(|peer| behind.last < peer.matched)
        }
        _ => false,
    };
    step(params, state, event, out);
    if reverts {
        out.push(Effect::Halt { law: Law::MatchedBeyondLog });
    }
}

/// Entries leave only when a client writes; every other append is empty.
fn sends_entries_with_writes_only(params: &Params, state: &mut State, event: Event, out: &mut Vec<Effect>) {
    let writes = matches!(event, Event::Propose { .. });
    step(params, state, event, out);
    for effect in out.iter_mut().filter(|_| !writes) {
        if let Effect::Send { message: Message::AppendEntries { slice, .. }, .. } = effect {
            *slice = Slice::empty(slice.prev);
        }
    }
}

/// What becomes committed before it is durable is never looked at again.
fn forgets_to_apply(outbox: &mut Outbox, ticket: Ticket, out: &mut Vec<Action>) {
    outbox.durable(ticket, out);
    out.retain(|action| !matches!(action, Action::Apply { .. }));
}

/// What was done wrong in replication.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        id: "B-C01",
        mechanism: "a leader commits an entry of an older term by counting its copies (figure 8)",
        source: "logcabin/logcabin#44; bakwc/PySyncObj#169",
        laws: &["I-R4", "I-R5"],
        build: core::<CountsOlderTerms>(),
        hunts: &[Hunt::Harm(FIGURE_8, 1, 50_000)],
    },
    Mistake {
        id: "B-N1",
        mechanism: "a leader commits the quorum-th largest matched index without a look at the entry's term",
        source: "NuRaft, reproduced",
        laws: &["I-R4", "I-R5"],
        build: core::<CountsOlderTerms>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C02",
        mechanism: "the search for what can be committed stops at the first entry of an older term",
        source: "zhebrak/raftos#30",
        laws: &["I-V2", "I-V3"],
        build: core::<StopsAtOlderTerm>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C03",
        mechanism: "a late append truncates a suffix that matches",
        source: "openraft@9540c904; zhebrak/raftos#26",
        laws: &["I-R15", "I-R7"],
        build: core::<TruncatesBehindEmpty>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-C04",
        mechanism: "a follower's commit index follows the leader's, even back",
        source: "bakwc/PySyncObj#166",
        laws: &["I-R7", "I-R17"],
        build: core::<CommitGoesBack>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-C05",
        mechanism: "a follower commits entries that this append did not verify",
        source: "SandTable, WRaft#118.2; etcd-io/etcd#16220",
        laws: &["I-R5", "I-R4"],
        build: core::<CommitsUnverified>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C06",
        mechanism: "a late acknowledgement takes the match index back",
        source: "bakwc/PySyncObj#167; zhebrak/raftos#25",
        laws: &["I-R11b"],
        build: core::<LateAckCounts>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 1_000)],
    },
    Mistake {
        id: "B-C08",
        mechanism: "the progress of peers is taken for sorted when it is not: an index is committed without a quorum",
        source: "openraft#1802",
        laws: &["I-R4", "I-R5"],
        build: core::<UnsortedProgress>(),
        hunts: &[Hunt::Harm(WIDE_5, 1, 20_000)],
    },
    Mistake {
        id: "B-C09",
        mechanism: "a leader counts its own copy before its disk has it",
        source: "etcd-io/etcd#14370; openraft@a9f696a9",
        laws: &["I-R4", "I-R5"],
        build: core::<OwnCopyTooEarly>(),
        hunts: &[Hunt::Harm(ALONE, 1, 5_000), Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C09b",
        mechanism: "the same in a group of three: the second story that searches missed",
        source: "openraft@a9f696a9",
        laws: &["I-R4"],
        build: core::<OwnCopyTooEarly>(),
        hunts: &[Hunt::Told(script::COUNTS_ITSELF_TOO_EARLY)],
    },
    Mistake {
        id: "B-C10",
        mechanism: "a follower acknowledges before its entries are durable",
        source: "openraft@ee460f37; lni/dragonboat#360; cloud-software-foundation/c5#263",
        laws: &["I-R4", "I-R5"],
        build: core::<AcknowledgesBeforeDisk>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C11",
        mechanism: "what is durable is remembered by index and not taken back by a truncation: the rewrite is acknowledged before it is durable",
        source: "ClickHouse/ClickHouse#102629",
        laws: &["I-R19", "I-R12", "I-R6"],
        build: outbox::<RewritesCountAsDurable>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-C19",
        mechanism: "a late refusal is read as a log that went back, and ends the leader's process",
        source: "openraft#1500",
        laws: &["I-R11"],
        build: Build::PAPER.stepping(late_refusal_panics),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E11",
        mechanism: "a client's entry is accepted by a leader, and stamped after another thread made it step down: two entries of one name",
        source: "hashicorp/raft#695",
        laws: &["I-R3", "I-R5", "I-R4", "I-R12"],
        build: Build::PAPER.stepping(stamps_late),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C20",
        mechanism: "a peer that needs what the log no longer holds is asked again and again, and never sent a snapshot",
        source: "openraft#1828",
        laws: &["I-V1", "I-V2", "I-V3"],
        build: core::<NeverSendsSnapshots>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C22.raft",
        mechanism: "an entry is applied before the local log has it durably: the applied index outlives the log",
        source: "rabbitmq/ra#562; tikv/tikv#4560",
        laws: &["I-R17b", "I-N4"],
        build: outbox::<AppliesBeforeDurable>(),
        hunts: &[Hunt::Breadth(ALONE, 500), Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-C23",
        mechanism: "a leader that steps down rolls back entries that a quorum may hold",
        source: "microsoft/CCF#5674",
        laws: &["I-R4", "I-R5"],
        build: Build::PAPER.stepping(rolls_back),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C28",
        mechanism: "a new leader's opening entry is counted before it is flushed",
        source: "openraft#1125",
        laws: &["I-R6", "I-R4"],
        build: core::<OpeningEntryCountsEarly>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-C29",
        mechanism: "what was committed before it was flushed is not looked at again after the flush",
        source: "redpanda-data/redpanda#31642",
        laws: &["I-V3"],
        build: Build { durable: forgets_to_apply, ..Build::PAPER },
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F01",
        mechanism: "appended entries are never compared: what conflicts stays, and an old tail survives behind new entries",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R3", "I-R14", "I-R5", "I-R12"],
        build: core::<NeverComparesTerms>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F02",
        mechanism: "an append from the beginning overwrites what is committed",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R7", "I-R15"],
        build: core::<OverwritesFromTheStart>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F03",
        mechanism: "an acknowledgement names the follower's last index, not what the append verified",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R4", "I-R5"],
        build: core::<AcknowledgesOwnLast>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-O01",
        mechanism: "a follower's own last index counts as its match, old entries included",
        source: "ResilientDB's Raft branch",
        laws: &["I-R12", "I-R14", "I-R11"],
        build: core::<AcknowledgesOwnLast>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F04",
        mechanism: "a follower commits the lesser of the leader's commit index and its own last index",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R14"],
        build: core::<CommitsUnverified>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-O02",
        mechanism: "the same on heartbeats, with an unverified tail behind the previous index",
        source: "ResilientDB's Raft branch",
        laws: &["I-R14"],
        build: core::<CommitsUnverified>(),
        hunts: &[Hunt::Walks(WIDE_5, 1, 10_000)],
    },
    Mistake {
        id: "B-F05",
        mechanism: "a missing entry's term is 0, and so matches: an append behind a gap is accepted",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-N3", "I-R19b", "I-R16", "I-R19"],
        build: core::<GapsMatch>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F09",
        mechanism: "the log takes entries behind a gap, and loading skips what is missing",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R4", "I-R5", "I-R1", "I-L5"],
        build: core::<GapsMatch>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-F11",
        mechanism: "a log cannot be cut at its first entry",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R3", "I-R12", "I-R14", "I-R5", "I-R19"],
        build: core::<CannotCutTheFirst>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F13",
        mechanism: "the match index is assigned, not raised: reordered answers move it back",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R11b"],
        build: core::<LateAckCounts>(),
        hunts: &[Hunt::Breadth(CONFLICTS, 1_000), Hunt::Walks(WIDE_5, 1, 1_000)],
    },
    Mistake {
        id: "B-F22",
        mechanism: "entries leave only with a client's write: a follower that missed one never catches up",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-V2", "I-V3"],
        build: Build::PAPER.stepping(sends_entries_with_writes_only),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F26",
        mechanism: "a term begins without an entry: older entries wait for the next write",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R11"],
        build: core::<NoOpeningEntry>(),
        hunts: &[Hunt::Breadth(REPLICATION, 1_000)],
    },
    Mistake {
        id: "B-O11",
        mechanism: "no entry at the start of a term: what older leaders left waits for the next write, and reads with it",
        source: "ResilientDB's Raft branch",
        laws: &["I-R11"],
        build: core::<NoOpeningEntry>(),
        hunts: &[Hunt::Walks(WIDE_5, 1, 1_000)],
    },
    Mistake {
        id: "B-O03",
        mechanism: "after a refusal the leader asks at the follower's end: an equally long divergent log is asked at the same place for ever",
        source: "ResilientDB's Raft branch",
        laws: &["I-V1", "I-V2", "I-V3"],
        build: core::<AsksAtTheSamePlace>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-N6",
        mechanism: "an acknowledgement beyond the leader's log ends the leader's process",
        source: "NuRaft, reproduced",
        laws: &["I-R11", "I-R19"],
        build: core::<AcknowledgesOneMore>(),
        hunts: &[Hunt::Breadth(REPLICATION, 1_000)],
    },
    Mistake {
        id: "B-C03b",
        mechanism: "every append rewrites what it carries, and a crash before the rewrite is durable loses what was acknowledged",
        source: "openraft@9540c904",
        laws: &["I-R4", "I-R5"],
        build: core::<TruncatesWhatMatches>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 50_000)],
    },
];
