//! The table of what is planted: which mistake, with which seed, and as what it must be noticed.

use super::bug::Bug;

/// A mistake, and the run that must notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planted {
    /// What is wrong.
    pub bug: Bug,
    /// Its number among the mistakes of real systems, as `docs/mutants.md` uses it; empty if it is none of them.
    pub rows: &'static str,
    /// Who made it, if somebody is known to have.
    pub source: &'static str,
    /// A seed whose faults meet it.
    pub seed: u64,
    /// Part of the words in which the run must break; `None` for a control, whose run must hold.
    pub sign: Option<&'static str>,
}

const fn mutant(bug: Bug, rows: &'static str, source: &'static str, seed: u64, sign: &'static str) -> Planted {
    Planted { bug, rows, source, seed, sign: Some(sign) }
}

const fn control(bug: Bug, seed: u64) -> Planted {
    Planted { bug, rows: "", source: "", seed, sign: None }
}

/// Mistakes. Some stand here more than once: they are noticed in more than one way.
pub const MUTANTS: &[Planted] = &[
    mutant(Bug::LogSyncLies, "B-F16, B-S15", "apache/incubator-resilientdb#212; nats-io/nats-server#7564", 3, "DUTY-2"),
    mutant(Bug::LogSyncLies, "B-F16, B-S15", "apache/incubator-resilientdb#212; nats-io/nats-server#7564", 7, "the witness remembers"),
    mutant(Bug::LogSyncLies, "B-F16, B-S15", "apache/incubator-resilientdb#212; nats-io/nats-server#7564", 11, "synced entries were lost"),
    mutant(Bug::LogWriteLost, "B-C14, B-O13", "MartinKalema/horizontal-scaling-convex#156", 1, "should follow, the next item begins at"),
    mutant(Bug::LogWriteLost, "B-C14, B-O13", "MartinKalema/horizontal-scaling-convex#156", 2, "do not add up"),
    mutant(Bug::LogWriteLost, "B-C14, B-O13", "MartinKalema/horizontal-scaling-convex#156", 3, "the witness remembers"),
    mutant(Bug::LogDeletesLost, "B-F11", "apache/incubator-resilientdb#212", 3, "should follow, the next item begins at"),
    mutant(Bug::LogBatchTorn, "B-F20", "apache/incubator-resilientdb#212", 83, "do not add up"),
    mutant(Bug::LogScanShort, "", "", 1, "do not add up"),
    mutant(Bug::LogScanBackShort, "", "", 2, "took no write in"),
    mutant(Bug::HardStateUnread, "B-F17, B-F18", "apache/incubator-resilientdb#212", 1, "the log database lost data"),
    mutant(Bug::WitnessUnwritten, "", "", 1, "both slots of the witness file are damaged"),
    mutant(Bug::AllSyncsLie, "B-E02", "NodeDB-Lab/nodedb#161; bakwc/PySyncObj#202", 3, "DUTY-2"),
    mutant(Bug::StateSyncLies, "B-S18", "openraft@1a781e1b", 14, "data is missing"),
    mutant(Bug::StateWriteLost, "", "", 2, "data is damaged"),
    mutant(Bug::StateBatchTorn, "B-S17", "etcd-io/etcd#13766", 10, "hold different data"),
    mutant(Bug::StateScanShort, "", "", 1, "hold different data"),
    mutant(Bug::AppliedAhead, "B-F19, B-S17", "apache/incubator-resilientdb#212; etcd-io/etcd#13766", 1, "data is damaged"),
    mutant(Bug::AppliedBehind, "B-F19, B-S17", "apache/incubator-resilientdb#212; etcd-io/etcd#13766", 1, "data is missing"),
    mutant(Bug::KeysShared, "B-F32, B-F33", "apache/incubator-resilientdb#212", 1, "hold different data"),
    mutant(Bug::WipedDisk, "B-M15", "etcd-io/etcd#3504, #10254; dragonboat#354", 5, "DUTY-2"),
    mutant(Bug::OldBackup, "", "", 2, "DUTY-2"),
    mutant(Bug::OtherNodesId, "", "", 1, "belongs to node"),
    mutant(Bug::EarlyDurable, "B-C09, B-C10", "etcd-io/etcd#14370; openraft@ee460f37", 6, "DUTY-2"),
    mutant(
        Bug::ErrorPassedOver,
        "B-C14, B-F15, B-O08",
        "MartinKalema/horizontal-scaling-convex#156; apache/incubator-resilientdb#212",
        1,
        "to a log that ends at",
    ),
    mutant(Bug::SubmissionsReversed, "", "", 1, "to a log that ends at"),
    mutant(Bug::SubmissionLost, "", "", 1, "to a log that ends at"),
    mutant(Bug::SubmissionTwice, "", "", 1, "DUTY-2"),
    mutant(Bug::HardStateLost, "B-F15, B-O08", "apache/incubator-resilientdb#212", 1, "a term or a vote was lost"),
    mutant(Bug::VoteLost, "B-E04", "hashicorp/raft#661; willemt/raft#47", 1, "DUTY-2"),
    mutant(Bug::TruncationLost, "B-F01, B-F11", "apache/incubator-resilientdb#212", 2, "to a log that ends at"),
    mutant(Bug::SuffixKept, "B-S01", "hashicorp/raft#697, #704; openraft#559, #753", 7, "is not in the log"),
    mutant(Bug::CompactedFurther, "B-S18", "openraft@1a781e1b", 1, "DUTY-2"),
    mutant(Bug::RegistryLost, "", "", 1, "took no write in"),
    mutant(Bug::CommandsExchanged, "B-F32", "apache/incubator-resilientdb#212", 3, "DUTY-4"),
    mutant(Bug::DurableTwice, "", "", 1, "DUTY-2"),
    mutant(Bug::DurableLost, "B-C13", "openraft#1960", 1, "took no write in"),
    mutant(Bug::DurableReversed, "B-C13", "openraft#1960", 1, "DUTY-2"),
    mutant(Bug::DurableElsewhere, "", "", 1, "DUTY-2"),
    mutant(Bug::DoneLost, "", "", 2, "DUTY-5"),
    mutant(Bug::DoneReversed, "B-S03", "openraft@eed681d5", 1, "DUTY-5"),
    mutant(Bug::ApplyTwice, "B-F19", "apache/incubator-resilientdb#212", 1, "came a second time"),
    mutant(Bug::EntrySkipped, "B-C17", "etcd-io/raft@8ecce32; cockroachdb/cockroach#28918", 1, "DUTY-4"),
    mutant(Bug::EntriesReversed, "", "", 1, "DUTY-4"),
    mutant(Bug::ReadTooEarly, "B-R07, B-R09", "openraft#1511, #1246; hashicorp/raft#603", 1, "not linearizable"),
    mutant(Bug::CheckpointAhead, "B-C22", "rabbitmq/ra#562; tikv/tikv#4560", 1, "DUTY-5"),
    mutant(Bug::SnapshotNamedLater, "B-S17", "etcd-io/etcd#13766", 7, "hold different data"),
    mutant(Bug::SnapshotNamedLater, "B-S17", "etcd-io/etcd#13766", 9, "MatchedBeyondLog"),
    mutant(Bug::ChunkEmpty, "B-F31, B-S11", "apache/incubator-resilientdb#212; nats-io/nats-server#3844", 7, "hold different data"),
    mutant(Bug::ChunkForged, "", "", 7, "hold different data"),
    mutant(Bug::ChunkSaysLast, "B-F31", "apache/incubator-resilientdb#212", 7, "hold different data"),
    mutant(Bug::ChunkNeverComes, "B-F08, B-O04", "apache/incubator-resilientdb#212", 7, "did not become the same"),
    mutant(Bug::InstallOmitted, "B-F07", "apache/incubator-resilientdb#212", 7, "is missing: 169 came instead"),
    mutant(Bug::AnswersExchanged, "B-F23", "apache/incubator-resilientdb#212", 1, "answers"),
    mutant(Bug::RepliesExchanged, "B-F23", "apache/incubator-resilientdb#212", 1, "answers"),
    mutant(Bug::RequestEchoed, "B-F24", "apache/incubator-resilientdb#212", 1, "are no key-value message"),
    mutant(Bug::RequestTwice, "B-C25, B-F25", "sorock#317; nebula#3109; rabbitmq/ra#145", 1, "not linearizable"),
    mutant(Bug::UnknownIsRefused, "B-C24", "openraft#2095", 5, "not linearizable"),
    mutant(Bug::UnknownIsDone, "B-F23", "apache/incubator-resilientdb#212", 1, "not linearizable"),
    mutant(Bug::StaleReads, "B-R03", "deventlab/d-engine#381", 3, "not linearizable"),
    mutant(Bug::NoRoom, "B-C18", "etcd-io/raft@a370b6f; cockroachdb/cockroach#31618", 1, "took no write in"),
    mutant(Bug::ClockStands, "", "", 1, "took no write in"),
    mutant(Bug::ClockRaces, "B-E24", "fluree/db#1373", 1, "took no write in"),
    mutant(Bug::FramesTwice, "", "", 1, "DUTY-6"),
    mutant(Bug::WrongSender, "B-F28, B-W12", "apache/incubator-resilientdb#212", 1, "DUTY-6"),
    mutant(Bug::FrameFlipped, "B-W9", "", 1, "DUTY-6"),
    mutant(Bug::UpUntold, "", "", 1, "took no write in"),
    mutant(Bug::ReadsShifted, "B-F21", "apache/incubator-resilientdb#212", 2, "DUTY-4"),
    mutant(Bug::ReadsLost, "", "", 2, "took no write in"),
    mutant(Bug::ReadsTorn, "", "", 1, "DUTY-4"),
    mutant(Bug::RecordLost, "", "", 1, "STREAM"),
];

/// What nodes must stand.
pub const CONTROLS: &[Planted] = &[
    control(Bug::FramesLost, 1),
    control(Bug::FramesLost, 2),
    control(Bug::FramesElsewhere, 2),
    control(Bug::FramesReversed, 2),
    control(Bug::BytesFlipped, 1),
    control(Bug::DownUntold, 2),
    control(Bug::ChunkDamaged, 7),
    control(Bug::WitnessSyncLies, 7),
];
