//! Snapshots and compaction.

use super::{Hunt, Mistake, core, rules};
use crate::raft::{Build, Checkpoint, Environment, scopes::*};
use roadstead_spec::{
    EntryId, Index,
    raft::{LogShape, Params, State},
};

rules! {
    KeepsAnySuffix {
        fn keeps_suffix(log: &LogShape, at: EntryId) -> bool { at.index <= log.last() }
    }
    InstallsAnything {
        fn installs(_: &State, _: EntryId) -> bool { true }
    }
    LateApplyGoesBack {
        fn applied_after(_: &State, through: Index) -> Index { through }
    }
    StoresNothing {
        fn installs(_: &State, _: EntryId) -> bool { false }
    }
    SilentDuringSnapshot {
        fn beats_during_snapshot() -> bool { false }
    }
    CutsBeyondTheSnapshot {
        fn compact_through(_: &Params, state: &State, _: Index) -> Index { state.commit }
    }
}

/// What was done wrong with snapshots.
pub(super) const MISTAKES: &[Mistake] = &[
    Mistake {
        id: "B-S01",
        mechanism: "an installed snapshot keeps entries behind it that conflict with it",
        source: "hashicorp/raft#697/#704; openraft#559, #753",
        laws: &["I-N2", "I-R3", "I-R5"],
        build: core::<KeepsAnySuffix>(),
        hunts: &[Hunt::Harm(WIDE_3, 1, 20_000), Hunt::Harm(STEPS_3, 1, 20_000)],
    },
    Mistake {
        id: "B-S02",
        mechanism: "a snapshot that is older than the log truncates newer entries",
        source: "camunda/camunda#6092; etcd-io/etcd#1763",
        laws: &["I-N2", "I-R7"],
        build: core::<InstallsAnything>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-S03.raft",
        mechanism: "applying that ends after a snapshot was installed moves the applied index back",
        source: "openraft@eed681d5",
        laws: &["I-R17", "I-N2"],
        build: core::<LateApplyGoesBack>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 20_000), Hunt::Walks(STEPS_3, 1, 50_000)],
    },
    Mistake {
        id: "B-S11",
        mechanism: "an empty snapshot is taken for a real one and streamed",
        source: "nats-io/nats-server#3844",
        laws: &["I-N1"],
        build: Build::PAPER.within(Environment { streams: |_| Some(EntryId::default()), ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-S17.raft",
        mechanism: "the applied index is durable before the data: a restart skips entries",
        source: "etcd-io/etcd#13766",
        laws: &["I-L4"],
        build: Build::PAPER.within(Environment { checkpoint: Checkpoint::IndexFirst, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Breadth(ALONE, 1_000), Hunt::Walks(WIDE_1, 1, 5_000)],
    },
    Mistake {
        id: "B-F19.raft",
        mechanism: "the data is durable apart from its applied index: a restart applies entries twice",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-L4"],
        build: Build::PAPER.within(Environment { checkpoint: Checkpoint::DataFirst, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Breadth(ALONE, 1_000), Hunt::Walks(WIDE_1, 1, 5_000)],
    },
    Mistake {
        id: "B-S18.raft",
        mechanism: "the log is cut before the snapshot that covers it is durable",
        source: "openraft@1a781e1b",
        laws: &["I-N3", "I-N4"],
        build: Build::PAPER.within(Environment { checkpoint: Checkpoint::CutFirst, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(WIDE_1, 1, 5_000)],
    },
    Mistake {
        id: "B-S18b",
        mechanism: "the log is cut beyond its snapshot",
        source: "openraft@1a781e1b",
        laws: &["I-N3", "I-R17"],
        build: core::<CutsBeyondTheSnapshot>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 5_000)],
    },
    Mistake {
        id: "B-F07",
        mechanism: "a snapshot is acknowledged, and nothing is stored",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-R12", "I-R19"],
        build: core::<StoresNothing>(),
        hunts: &[Hunt::Walks(WIDE_3, 1, 10_000)],
    },
    Mistake {
        id: "B-F08",
        mechanism: "no code sends a snapshot",
        source: "apache/incubator-resilientdb#212",
        laws: &["I-V1", "I-V2", "I-V3"],
        build: Build::PAPER.within(Environment { streams: |_| None, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
    Mistake {
        id: "B-O04",
        mechanism: "sending a snapshot is an empty function: who is behind the log's beginning stays behind",
        source: "ResilientDB's Raft branch",
        laws: &["I-V1", "I-V2", "I-V3"],
        build: Build::PAPER.within(Environment { streams: |_| None, ..Environment::DUTIFUL }),
        hunts: &[Hunt::Walks(WIDE_3, 2, 50_000)],
    },
    Mistake {
        id: "B-O06",
        mechanism: "a peer that is being sent a snapshot gets no heartbeats, and campaigns",
        source: "ResilientDB's Raft branch",
        laws: &["I-V1"],
        build: core::<SilentDuringSnapshot>(),
        hunts: &[Hunt::Walks(CALM_3, 1, 20_000)],
    },
];
