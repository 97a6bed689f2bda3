//! Mistakes of the store and of the state machines' side.

use super::{
    decisions::{Applies, AppliesAhead, Decisions, Eager, OwnStep, apart},
    disk::{Change, Item},
};
use crate::mistake::Mistake;
use roadstead_spec::{NodeId, raft::HardState};

/// All of them; those without laws are controls.
pub const ALL: &[Mistake<Decisions>] = &[
    Mistake {
        id: "B-E02",
        mechanism: "term and vote are told before they are durable",
        source: "NodeDB-Lab/nodedb#161; bakwc/PySyncObj#202; ongardie/raft.tla#5; wenweihu86/raft-java#57",
        laws: &["DUTY-1"],
        put_in: |decisions| decisions.accept = |outbox, effects, out| outbox.accept_with::<Eager>(effects, out),
    },
    Mistake {
        id: "B-C10-duplicate",
        mechanism: "an acknowledgement waits for the writes of its own step only: a duplicate overtakes the first one's write",
        source: "openraft@ee460f37; lni/dragonboat#360; cloud-software-foundation/c5#263",
        laws: &["DUTY-1"],
        put_in: |decisions| decisions.accept = |outbox, effects, out| outbox.accept_with::<OwnStep>(effects, out),
    },
    Mistake {
        id: "B-E03",
        mechanism: "term and vote are rewritten by deleting them first: a crash resets to term 0 under a full log",
        source: "ClickHouse/ClickHouse#113654",
        laws: &["I-F4", "I-N4"],
        put_in: |decisions| decisions.batches = deletes_hard_first,
    },
    Mistake {
        id: "B-E04",
        mechanism: "term and vote are two writes: a vote is left from an older term",
        source: "hashicorp/raft#661; willemt/raft#47",
        laws: &["I-F4"],
        put_in: |decisions| decisions.batches = term_before_vote,
    },
    Mistake {
        id: "B-S15",
        mechanism: "completions do not wait for the sync",
        source: "nats-io/nats-server#7564, #7567; ResilientDB pull request 212 and its Raft branch (durability is off by default)",
        laws: &["DUTY-3"],
        put_in: |decisions| decisions.syncs = false,
    },
    Mistake {
        id: "B-S12",
        mechanism: "a new journal file is synced and its folder is not: the file's name is lost with what was written",
        source: "etcd-io/etcd#6368, #6378; tikv/raft-engine#219",
        laws: &["I-F4", "I-N4", "DUTY-1"],
        put_in: |decisions| decisions.syncs_names = false,
    },
    Mistake {
        id: "B-C14",
        mechanism: "a failed sync is logged, and the loop goes on",
        source: "MartinKalema/horizontal-scaling-convex#156; ResilientDB pull request 212 and its Raft branch (term and vote)",
        laws: &["DUTY-3"],
        put_in: |decisions| decisions.failure_ends = false,
    },
    Mistake {
        id: "B-O13",
        mechanism: "records have no checksum: a batch that is half there is read as far as it goes",
        source: "ResilientDB's Raft branch",
        laws: &["I-F4", "I-N4"],
        put_in: |decisions| decisions.cuts_torn = false,
    },
    Mistake {
        id: "B-F20",
        mechanism: "entries, last index and term are separate writes, not one batch",
        source: "ResilientDB pull request 212",
        laws: &["I-F4", "I-N4"],
        put_in: |decisions| decisions.batches = |items| items.into_iter().map(|item| vec![item]).collect(),
    },
    Mistake {
        id: "B-F9",
        mechanism: "writes reach the disk in another order than they were made: a log with a hole",
        source: "ResilientDB pull request 212; etcd-io/etcd#6368",
        laws: &["I-F4", "I-N4"],
        put_in: |decisions| decisions.batches = |items| items.into_iter().rev().map(|item| vec![item]).collect(),
    },
    Mistake {
        id: "B-F17",
        mechanism: "what cannot be read is taken as never written: the node starts with less than it had",
        source: "ResilientDB pull request 212; fjall 3.1 behind a damaged record",
        laws: &["I-S1"],
        put_in: |decisions| decisions.asks_witness = false,
    },
    Mistake {
        id: "B-S16-unwitnessed",
        mechanism: "a vote is told before the witness remembers its round",
        source: "docs/decisions/0007-witness.md",
        laws: &["I-S1"],
        put_in: |decisions| decisions.votes_wait = false,
    },
    Mistake {
        id: "B-S16-early",
        mechanism: "the witness is told of a round before its sync: a healthy store is refused",
        source: "docs/decisions/0007-witness.md",
        laws: &["I-N4"],
        put_in: |decisions| decisions.slot_behind = false,
    },
    Mistake {
        id: "B-S16-slot",
        mechanism: "the witness has one slot: a torn write leaves none",
        source: "docs/decisions/0007-witness.md",
        laws: &["I-N4"],
        put_in: |decisions| decisions.slot = |_| 0,
    },
    Mistake {
        id: "B-S16-lag",
        mechanism: "the witness lags without a bound: any number of synced rounds can vanish",
        source: "docs/decisions/0007-witness.md",
        laws: &["I-S1"],
        put_in: |decisions| decisions.lag_max = u8::MAX,
    },
    Mistake {
        id: "B-C22",
        mechanism: "entries are applied that the local log does not hold durably: the applied index outlives them",
        source: "rabbitmq/ra#562; tikv/tikv#4560",
        laws: &["I-N4", "DUTY-5"],
        put_in: |decisions| {
            decisions.accept = |outbox, effects, out| outbox.accept_with::<AppliesAhead>(effects, out);
            decisions.durable = |outbox, ticket, out| outbox.durable_with::<AppliesAhead>(ticket, out);
        },
    },
    Mistake {
        id: "B-S17",
        mechanism: "the record of the applied entry reaches the disk before its data: entries are skipped after a crash",
        source: "etcd-io/etcd#13766",
        laws: &["DUTY-5"],
        put_in: |decisions| decisions.applies = Applies::RecordFirst,
    },
    Mistake {
        id: "B-F19",
        mechanism: "data reaches the disk before the record of the applied entry: entries are applied twice after a crash",
        source: "ResilientDB pull request 212",
        laws: &["DUTY-5"],
        put_in: |decisions| decisions.applies = Applies::DataFirst,
    },
    Mistake {
        id: "B-S18",
        mechanism: "the log is compacted behind a state that is not durable",
        source: "openraft@1a781e1b",
        laws: &["I-N4"],
        put_in: |decisions| decisions.compacts = |member| member.applied,
    },
    Mistake {
        id: "B-S13",
        mechanism: "deleting and moving the log's beginning are two writes: a crash between them leaves a hole",
        source: "raft-engine 0.4.0, changelog",
        laws: &["I-F4", "I-N4"],
        put_in: |decisions| decisions.batches = |items| apart(items, |change| matches!(change, Change::Drop(_))),
    },
    Mistake {
        id: "B-S07",
        mechanism: "a snapshot is recorded in the log before its data is durable",
        source: "nexi-lab/nexus#4226; RedisLabs/redisraft#43",
        laws: &["I-N4"],
        put_in: |decisions| decisions.stages = false,
    },
    Mistake {
        id: "B-F31",
        mechanism: "a snapshot is written over the data in use, its record first: a crash leaves a mixture",
        source: "ResilientDB pull request 212",
        laws: &["DUTY-5", "I-N4"],
        put_in: |decisions| decisions.beside = false,
    },
    Mistake {
        id: "B-S03",
        mechanism: "an apply that ends after a snapshot was installed moves the applied entry back",
        source: "openraft@eed681d5",
        laws: &["I-N2"],
        put_in: |decisions| decisions.applies_late = true,
    },
    Mistake {
        id: "B-M15-disk",
        mechanism: "no tombstone: after a restart a removed life is created again, empty",
        source: "etcd-io/etcd#3504, #10254; dragonboat#354; tikv/tikv#10352",
        laws: &["I-D3"],
        put_in: |decisions| decisions.tombstones = false,
    },
    Mistake {
        id: "B-M14-destroys",
        mechanism: "a group's data is deleted before its tombstone is durable: a crash brings it back without its data",
        source: "ClickHouse/ClickHouse#118740 (class)",
        laws: &["I-N4", "DUTY-5"],
        put_in: |decisions| decisions.destroys_behind = false,
    },
    Mistake {
        id: "B-F32",
        mechanism: "keys begin with a number that is used again: a new life finds its predecessor's data",
        source: "ResilientDB pull request 212",
        laws: &["I-D5"],
        put_in: |decisions| decisions.number = |in_use, _| in_use + 1,
    },
    Mistake {
        id: "B-F33",
        mechanism: "one group's key prefix lies within another's: the end of one deletes both",
        source: "ResilientDB pull request 212",
        laws: &["I-D5"],
        put_in: |decisions| decisions.destroys = |gone, other| other >= gone,
    },
    Mistake {
        id: "control-items-reordered",
        mechanism: "within one batch the changes of groups stand in another order",
        source: "a batch is atomic",
        laws: &[],
        put_in: |decisions| {
            decisions.batches = |mut items| {
                items.sort_by_key(|item| match item {
                    Item::Group { local, .. } | Item::Create { local, .. } | Item::Remove { local, .. } => *local,
                });
                vec![items]
            }
        },
    },
];

/// Term and vote vanish in a batch of their own, and come back in the next one.
fn deletes_hard_first(items: Vec<Item>) -> Vec<Vec<Item>> {
    let gone: Vec<Item> = items
        .iter()
        .filter_map(|item| match item {
            Item::Group { local, change: Change::Hard(_) } => {
                Some(Item::Group { local: *local, change: Change::Hard(HardState::default()) })
            }
            _ => None,
        })
        .collect();
    if gone.is_empty() { vec![items] } else { vec![gone, items] }
}

/// The term goes first, with the vote that was there before (for itself, say); the vote follows.
fn term_before_vote(items: Vec<Item>) -> Vec<Vec<Item>> {
    let terms: Vec<Item> = items
        .iter()
        .filter_map(|item| match item {
            Item::Group { local, change: Change::Hard(hard) } => {
                let hard = HardState { term: hard.term, vote: Some(NodeId(1)) };
                Some(Item::Group { local: *local, change: Change::Hard(hard) })
            }
            _ => None,
        })
        .collect();
    if terms.is_empty() { vec![items] } else { vec![terms, items] }
}
