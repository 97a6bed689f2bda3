//! Reads.

use super::{Hunt, Mistake, core, rules};
use crate::raft::{Build, Environment, scopes::*, script};
use roadstead_spec::{
    Index,
    raft::{Leader, Paper, Params, PendingRead, Round},
};

rules! {
    ReadsBeforeOpening {
        fn may_answer_reads(_: &Leader, _: Index) -> bool { true }
        fn read_index(_: &Leader, read: &PendingRead) -> Index { read.index }
    }
    OlderRoundConfirms {
        fn read_round(leader: &Leader) -> Round { leader.round }
    }
    NoQuorumConfirms {
        fn confirmed_round(_: &Params, _: &Leader) -> Round { Round(u64::MAX) }
    }
    RoleIsALease {
        fn confirmed_round(params: &Params, leader: &Leader) -> Round {
            if Self::still_leads(params, leader) { Round(u64::MAX) } else { Paper::confirmed_round(params, leader) }
        }
    }
    ServesWhatItHas {
        fn read_index(_: &Leader, _: &PendingRead) -> Index { Index(0) }
    }
    Unconfirmed {
        fn confirmed_round(_: &Params, _: &Leader) -> Round { Round(u64::MAX) }
        fn may_answer_reads(_: &Leader, _: Index) -> bool { true }
        fn read_index(_: &Leader, read: &PendingRead) -> Index { read.index }
    }
}

/// What was done wrong in reads.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        id: "B-R01",
        mechanism: "a leader answers a read before an entry of its own term is committed",
        source: "etcd-io/etcd#7331; RedisLabs/redisraft#18/#22",
        laws: &["I-L2"],
        build: core::<ReadsBeforeOpening>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-R02",
        mechanism: "answers to a round that began before the read confirm it",
        source: "etcd-io/etcd#20418; etcd-io/raft#397",
        laws: &["I-L2"],
        build: core::<OlderRoundConfirms>(),
        hunts: &[Hunt::Told(script::READS_AT_A_FORMER_LEADER)],
    },
    Mistake {
        id: "B-R03",
        mechanism: "a read is served first, and the quorum asked afterwards",
        source: "deventlab/d-engine#381",
        laws: &["I-L1", "I-L2"],
        build: core::<NoQuorumConfirms>(),
        hunts: &[Hunt::Told(script::READS_AT_A_FORMER_LEADER)],
    },
    Mistake {
        id: "B-R04",
        mechanism: "to lead counts as a lease, which a timer checks now and then",
        source: "sofastack/sofa-jraft#25, #34; hashicorp/raft#108; tikv/raft-rs#140; etcd-io/etcd#8450",
        laws: &["I-L2"],
        build: core::<RoleIsALease>(),
        hunts: &[Hunt::Told(script::READS_AT_A_FORMER_LEADER)],
    },
    Mistake {
        id: "B-R07",
        mechanism: "a leader that was restarted serves before it has applied again what clients saw",
        source: "openraft#1511, #1246; RedisLabs/redisraft#18",
        laws: &["I-L2"],
        build: core::<ServesWhatItHas>(),
        hunts: &[Hunt::Harm(ALONE, 1, 5_000), Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-R09",
        mechanism: "leadership is verified, and then the state machine is read as it is",
        source: "hashicorp/raft#603",
        laws: &["I-L1", "I-L2"],
        build: Build::PAPER.within(Environment { serves_unapplied: true, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Clients(1, 5_000), Hunt::Harm(WIDE_3, 1, 20_000)],
    },
    Mistake {
        id: "B-R11",
        mechanism: "whoever leads serves what it has applied, confirmed or not",
        source: "redpanda-data/redpanda#5090",
        laws: &["I-L1", "I-L2"],
        build: core::<Unconfirmed>(),
        hunts: &[Hunt::Clients(1, 5_000), Hunt::Harm(WIDE_3, 1, 20_000)],
    },
];
