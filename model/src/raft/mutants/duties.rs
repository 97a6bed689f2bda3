//! Duties of the runtime that were not done.

use super::{Hunt, Mistake, outbox, outbox_rules};
use crate::raft::{Answers, Build, Change, Disk, Environment, Job, Jobs, scopes::*};
use roadstead_spec::{
    outbox::{Ticket, Tickets, Write},
    raft::{Gate, HardState, LogShape},
};

outbox_rules! {
    NothingWaits {
        fn send_after(_: Gate, _: Tickets) -> Ticket { Ticket::NONE }
    }
    NextCompletionCounts {
        fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
            match gate {
                Gate::Now => Ticket::NONE,
                Gate::AfterPersist => tickets.awaited.min(tickets.durable.next()),
            }
        }
    }
    OwnStepOnly {
        fn send_after(gate: Gate, tickets: Tickets) -> Ticket {
            if gate == Gate::AfterPersist && tickets.awaited > tickets.before_step { tickets.awaited } else { Ticket::NONE }
        }
    }
    SnapshotsAreNotAwaited {
        fn gates_wait_for(write: &Write) -> bool { !matches!(write, Write::InstallSnapshot { .. }) }
    }
}

const fn doing(environment: Environment) -> Build {
    Build::PAPER.within(environment)
}

const fn reading_back(read_back: fn(&Disk) -> Disk) -> Build {
    doing(Environment { read_back, ..Environment::DUTIFUL })
}

const fn splitting(split: fn(Write, &mut Jobs)) -> Build {
    doing(Environment { split, ..Environment::DUTIFUL })
}

fn term_of_the_log(disk: &Disk) -> Disk {
    Disk { hard: HardState { term: disk.log.last_id().term, vote: None }, ..disk.clone() }
}

fn everything_is_gone(_: &Disk) -> Disk {
    Disk::default()
}

fn log_is_gone(disk: &Disk) -> Disk {
    Disk { log: LogShape::new(disk.snapshot), ..disk.clone() }
}

fn last_entry_is_gone(disk: &Disk) -> Disk {
    let last = disk.log.last().prev().max(disk.snapshot.index).max(disk.log.base().index);
    let runs = disk.log.runs().iter().copied().filter(|run| run.first <= last).collect();
    let log = LogShape::from_runs(disk.log.base(), runs, last).unwrap_or_else(|_| disk.log.clone());
    Disk { log, ..disk.clone() }
}

fn vote_before_term(write: Write, jobs: &mut Jobs) {
    if let Write::Persist { hard: Some(hard), .. } | Write::InstallSnapshot { hard, .. } = &write {
        jobs.push_back(Job { reports: false, change: Change::Vote(hard.vote) });
    }
    jobs.push_back(Job { reports: true, change: Change::Whole(write) });
}

fn fails_unnoticed(write: Write, jobs: &mut Jobs) {
    let change = if matches!(write, Write::Persist { hard: Some(_), append: None, .. }) { Change::Nothing } else { Change::Whole(write) };
    jobs.push_back(Job { reports: true, change });
}

fn entries_fail_unnoticed(write: Write, jobs: &mut Jobs) {
    let change = match write {
        Write::Persist { hard, truncate_from, append: Some(_) } => Change::Whole(Write::Persist { hard, truncate_from, append: None }),
        other => Change::Whole(other),
    };
    jobs.push_back(Job { reports: true, change });
}

fn log_before_term(write: Write, jobs: &mut Jobs) {
    match write {
        Write::Persist { hard: Some(hard), truncate_from, append: Some(append) } => {
            let log = Write::Persist { hard: None, truncate_from, append: Some(append) };
            jobs.push_back(Job { reports: false, change: Change::Whole(log) });
            let hard = Write::Persist { hard: Some(hard), truncate_from: None, append: None };
            jobs.push_back(Job { reports: true, change: Change::Whole(hard) });
        }
        other => jobs.push_back(Job { reports: true, change: Change::Whole(other) }),
    }
}

fn log_before_snapshot(write: Write, jobs: &mut Jobs) {
    if let Write::InstallSnapshot { at, keep_suffix, .. } = &write {
        jobs.push_back(Job { reports: false, change: Change::Reset { at: *at, keep_suffix: *keep_suffix, named: false } });
    }
    jobs.push_back(Job { reports: true, change: Change::Whole(write) });
}

fn name_before_data(write: Write, jobs: &mut Jobs) {
    if let Write::InstallSnapshot { at, keep_suffix, hard } = &write {
        let hard = Write::Persist { hard: Some(*hard), truncate_from: None, append: None };
        jobs.push_back(Job { reports: false, change: Change::Whole(hard) });
        jobs.push_back(Job { reports: false, change: Change::Reset { at: *at, keep_suffix: *keep_suffix, named: true } });
    }
    jobs.push_back(Job { reports: true, change: Change::Whole(write) });
}

fn entries_overtake_snapshots(write: Write, jobs: &mut Jobs) {
    let overtakes = matches!(jobs.back(), Some(Job { change: Change::Whole(Write::InstallSnapshot { .. }), .. }));
    let at = jobs.len() - usize::from(overtakes);
    jobs.insert(at, Job { reports: true, change: Change::Whole(write) });
}

/// Duties that were not done.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        id: "B-E03.raft",
        mechanism: "the file of term and vote is lost in a crash: the term is taken from the log, and the vote is gone",
        source: "ClickHouse/ClickHouse#113654",
        laws: &["I-R1", "I-R4"],
        build: reading_back(term_of_the_log),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-E04.raft",
        mechanism: "vote and term are two writes, the vote first: a crash between them changes the vote of the old term",
        source: "hashicorp/raft#661; willemt/raft#47",
        laws: &["I-R9"],
        build: splitting(vote_before_term),
        hunts: &[Hunt::Walks(WIDE_3, 1, 5_000)],
    },
    Mistake {
        id: "B-F15",
        mechanism: "nobody looks whether term and vote were written: the vote is sent anyway",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R10", "I-R19"],
        build: splitting(fails_unnoticed),
        hunts: &[Hunt::Breadth(ELECTIONS, 1_000)],
    },
    Mistake {
        id: "B-O08",
        mechanism: "a failed write of term and vote is logged, and the vote stands",
        source: "ResilientDB's Raft branch",
        laws: &["I-R1", "I-R4"],
        build: splitting(fails_unnoticed),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C14.raft",
        mechanism: "a failed write of entries is logged, and goes for done",
        source: "MartinKalema/horizontal-scaling-convex#156",
        laws: &["I-R4", "I-R5"],
        build: splitting(entries_fail_unnoticed),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-O13.raft",
        mechanism: "a short write goes for a whole one",
        source: "ResilientDB's Raft branch",
        laws: &["I-R19", "I-R6", "I-R12", "I-R17b"],
        build: splitting(entries_fail_unnoticed),
        hunts: &[Hunt::Breadth(REPLICATION, 1_000)],
    },
    Mistake {
        id: "B-F16",
        mechanism: "put into a batch goes for durable; a power failure takes it",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R1", "I-R4", "I-R5"],
        build: doing(Environment { reports_when_issued: true, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F17.raft",
        mechanism: "storage that cannot be read is a warning: the member starts with term 0, no vote and an empty log",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R1", "I-R4", "I-R5"],
        build: reading_back(everything_is_gone),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-M15.raft",
        mechanism: "a member's id is used again with an empty disk, and votes again",
        source: "etcd-io/etcd#3504, #10254; lni/dragonboat#354",
        laws: &["I-R1", "I-R4", "I-R5"],
        build: reading_back(everything_is_gone),
        hunts: &[Hunt::Harm(WIDE_3, 2, 20_000)],
    },
    Mistake {
        id: "B-O07",
        mechanism: "recovery is an option that is off",
        source: "ResilientDB's Raft branch",
        laws: &["I-N4"],
        build: reading_back(everything_is_gone),
        hunts: &[Hunt::Breadth(CRASH, 1_000)],
    },
    Mistake {
        id: "B-F18",
        mechanism: "a damaged index of the log falls back to a default: the log is empty",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R4", "I-R5"],
        build: reading_back(log_is_gone),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-S16",
        mechanism: "a flipped bit in its last record makes a member drop healthy entries",
        source: "nats-io/nats-server#7549, #7556",
        laws: &["I-N4", "I-R6"],
        build: reading_back(last_entry_is_gone),
        hunts: &[Hunt::Breadth(CRASH, 1_000)],
    },
    Mistake {
        id: "B-F20.raft",
        mechanism: "entries are one write, term and vote another: a crash between them leaves entries of a term that was never reached",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-N4"],
        build: splitting(log_before_term),
        hunts: &[Hunt::Walks(WIDE_3, 1, 5_000)],
    },
    Mistake {
        id: "B-S07.raft",
        mechanism: "a snapshot's log and its data are two transactions: after a crash between them the member cannot start",
        source: "nexi-lab/nexus#4226; RedisLabs/redisraft#43",
        laws: &["I-N4"],
        build: splitting(log_before_snapshot),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-F31.raft",
        mechanism: "a snapshot is named before its chunks are there: after a crash the state machine goes on from old data",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-L4"],
        build: splitting(name_before_data),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-S06",
        mechanism: "snapshot and entries are handed out together, in no order: the snapshot takes the entries behind it away",
        source: "etcd-io/etcd#14721",
        laws: &["I-R19", "I-R6", "I-R12", "I-N4", "I-R17b"],
        build: splitting(entries_overtake_snapshots),
        hunts: &[Hunt::Walks(WIDE_3, 1, 50_000)],
    },
    Mistake {
        id: "B-S15.raft",
        mechanism: "promises leave before they are synced; a whole cluster that crashes loses them",
        source: "nats-io/nats-server#7564, #7567",
        laws: &["I-R4", "I-R5", "I-R1"],
        build: outbox::<NothingWaits>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C10b",
        mechanism: "any completed write opens every gate",
        source: "the ABA story of asynchronous appends, etcd-io/raft",
        laws: &["I-R19", "I-R10", "I-R12"],
        build: outbox::<NextCompletionCounts>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-C10c",
        mechanism: "a promise waits for the writes of its own step only: a duplicate's acknowledgement overtakes the write",
        source: "openraft@ee460f37, the neighbouring mistake",
        laws: &["I-R19", "I-R10", "I-R12"],
        build: outbox::<OwnStepOnly>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-S15b",
        mechanism: "promises do not wait for an installed snapshot",
        source: "etcd-io/etcd#14721, the neighbouring mistake",
        laws: &["I-R19", "I-R12", "I-R10"],
        build: outbox::<SnapshotsAreNotAwaited>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-C24",
        mechanism: "a leader that steps down tells its clients that nothing happened; their entries are committed, and written again",
        source: "openraft#2095",
        laws: &["I-L4"],
        build: doing(Environment { answers: Answers::RefusedOnStepDown, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(WIDE_3, 1, 5_000)],
    },
    Mistake {
        id: "B-F23",
        mechanism: "clients wait by index alone: another leader's entry there answers them",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-L5"],
        build: doing(Environment { answers: Answers::ByIndex, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-Q10.raft",
        mechanism: "messages of an earlier incarnation of the group reach its successor",
        source: "lni/dragonboat's DeploymentID; tikv/tikv#10352; eBay/NuRaft#504, #640",
        laws: &["I-R1", "I-R4", "I-R5"],
        build: doing(Environment { lets_strangers_in: true, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Harm(STRANGERS, 1, 20_000)],
    },
];
