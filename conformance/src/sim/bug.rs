//! Mistakes that are put into what lies around the nodes' machines, to show that a run notices them. Production code has no switch for any of them: the
//! disk of a simulation (`engine.rs`) and its host (`spoil.rs`) make them.

/// The kinds, each with the words that tell it: those of its documentation.
macro_rules! bugs {
    ($(#[doc = $words:literal] $name:ident,)*) => {
        /// A mistake put into what lies around the nodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $(#[doc = $words] $name,)*
        }

        impl Bug {
            /// All of them, the controls included.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What is wrong, in words.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words.trim(),)*
                }
            }
        }
    };
}

bugs! {
    /// a sync of the log database does nothing
    LogSyncLies,
    /// one of fifty batches is not written into the log database, and nobody hears of it
    LogWriteLost,
    /// nothing is deleted from the log database: no truncation, no compaction
    LogDeletesLost,
    /// a batch of the log database is written change by change, and the power may fail between them
    LogBatchTorn,
    /// whoever reads several items of the log database does not get the last one
    LogScanShort,
    /// whoever reads the log database from behind does not get the last item
    LogScanBackShort,
    /// a record of term and vote that is there is not found
    HardStateUnread,
    /// nothing is written into the witness file
    WitnessUnwritten,
    /// neither the sync of the log database nor that of the witness file does anything
    AllSyncsLie,
    /// a sync of the state database does nothing
    StateSyncLies,
    /// one of fifty batches is not written into the state database
    StateWriteLost,
    /// a batch of the state database is written change by change
    StateBatchTorn,
    /// whoever reads several items of the state database does not get the last one
    StateScanShort,
    /// data and applied index are not one batch: one of fifty times the data is lost
    AppliedAhead,
    /// data and applied index are not one batch: the applied index is lost
    AppliedBehind,
    /// all groups of a node keep their data under the same keys
    KeysShared,
    /// the disk of a node is wiped at a restart, and the node comes back under its old id and store
    WipedDisk,
    /// a node is given a copy of its whole disk that was made at its previous end
    OldBackup,
    /// a node is started with the id of another one
    OtherNodesId,
    /// writes are reported durable before they are made so
    EarlyDurable,
    /// an error of the disk is passed over: one of fifty rounds is reported durable and was not written
    ErrorPassedOver,
    /// what the disk is given in one round it does in the wrong order
    SubmissionsReversed,
    /// of several writes in one round the first is forgotten
    SubmissionLost,
    /// what the disk is given it does twice
    SubmissionTwice,
    /// new terms and votes are not written
    HardStateLost,
    /// votes are not written, only terms
    VoteLost,
    /// a conflicting suffix of the log is not cut off before the entries that replace it are written
    TruncationLost,
    /// a snapshot is installed, and what the log holds behind it stays although it does not follow
    SuffixKept,
    /// the log is compacted one entry further than was said
    CompactedFurther,
    /// the registry of groups and peers is not written
    RegistryLost,
    /// two groups write in one round, and each gets the other's commands
    CommandsExchanged,
    /// completions of the disk come twice
    DurableTwice,
    /// the last completion of each round is forgotten
    DurableLost,
    /// completions of a round come in the wrong order
    DurableReversed,
    /// completions of a round go to the wrong groups
    DurableElsewhere,
    /// one of fifty answers of the applier is forgotten
    DoneLost,
    /// answers of the applier come in the wrong order
    DoneReversed,
    /// committed entries are given to the applier twice
    ApplyTwice,
    /// of committed entries that are to be applied one in fifty is passed over
    EntrySkipped,
    /// entries are applied in the wrong order within a job
    EntriesReversed,
    /// reads are answered from what is applied, before their index is
    ReadTooEarly,
    /// a checkpoint reports one entry more than it made durable
    CheckpointAhead,
    /// a snapshot is named after an entry that it does not hold yet
    SnapshotNamedLater,
    /// chunks of a snapshot arrive empty, with a right checksum
    ChunkEmpty,
    /// a bit of a snapshot's chunk is flipped before its checksum is made
    ChunkForged,
    /// the first chunk of a snapshot says that it is the last
    ChunkSaysLast,
    /// chunks of snapshots are never read
    ChunkNeverComes,
    /// a snapshot counts as installed, and the machine goes on with its old data
    InstallOmitted,
    /// answers of the state machine are exchanged between the requests of a batch
    AnswersExchanged,
    /// answers are exchanged between the clients of a node
    RepliesExchanged,
    /// the state machine's answer is lost, and the request is sent back in its place
    RequestEchoed,
    /// each write of a client is done twice
    RequestTwice,
    /// who does not know whether a write happens says that it does not
    UnknownIsRefused,
    /// who does not know whether a write happens says that it did
    UnknownIsDone,
    /// linearizable reads are asked as stale ones
    StaleReads,
    /// a counter leaks: the node always says that it has no room
    NoRoom,
    /// clocks stand still, so no timer fires
    ClockStands,
    /// clocks are fifty times too fast, so timers fire before anybody can answer
    ClockRaces,
    /// frames are handed over twice
    FramesTwice,
    /// frames are taken for those of another peer
    WrongSender,
    /// in one of fifty batches of frames a bit of the first is flipped behind the checksum
    FrameFlipped,
    /// nodes are not told that a connection stands
    UpUntold,
    /// whoever reads back from the log gets what follows instead
    ReadsShifted,
    /// whoever reads back from the log gets nothing
    ReadsLost,
    /// of what is read back from the log the commands are cut off in the middle
    ReadsTorn,
    /// one of a thousand pieces of the records is missing
    RecordLost,
    /// one of fifty batches of frames is lost
    FramesLost,
    /// one of fifty batches of frames names another group
    FramesElsewhere,
    /// frames that came with one read are handed over in the wrong order
    FramesReversed,
    /// while faults last, one of five hundred pieces of a connection's bytes has a flipped bit
    BytesFlipped,
    /// nodes are not told that a connection broke
    DownUntold,
    /// one of three chunks of snapshots is damaged before it is stored
    ChunkDamaged,
    /// a sync of the witness file does nothing
    WitnessSyncLies,
}

/// For mistakes that happen now and then.
const OFTEN: u64 = 50;

impl Bug {
    /// Whether a mistake that happens now and then happens the `count`th time.
    pub(super) const fn is_due(count: u64) -> bool {
        count % OFTEN == OFTEN - 1
    }

    /// The bug of this name, as `Debug` writes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| format!("{bug:?}") == name)
    }
}
