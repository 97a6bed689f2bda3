//! What the applier is asked and what it answers. Every job gets exactly one [`Done`], so that a caller may count what is in flight.

use bytes::Bytes;
use roadstead_spec::{EntryId, Incarnation, Index, NodeId, trace::Content};
use std::{fmt, time::Duration};

use super::{chunk::Chunk, failure::Failure};
use crate::{
    state_machine::StateMachine,
    store::{entry::Entry, prefix::Local},
};

/// One life of a group on this node: its number in the store, never reused, and its incarnation, which every completion echoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Number of the group in this node's store.
    pub local: Local,
    /// Which life of the group.
    pub incarnation: Incarnation,
}

/// A generation of a group's data: the snapshot being installed lies under a higher number than the data in use. The log database names the
/// one that counts; all others are leftovers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateEpoch(pub u64);

impl fmt::Display for StateEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one snapshot transfer for ever: two transfers cut their chunks at different places, so one must never be continued as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId {
    /// Who sends.
    pub sender: NodeId,
    /// Never used before by the sender, in any boot: its boot counter above a counter within the boot.
    pub number: u64,
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x} of node {}", self.number, self.sender)
    }
}

/// Names one query; chosen by the asker and echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// Something to do.
#[derive(Debug)]
pub enum Job {
    /// For one group.
    Group(GroupKey, Work),
    /// Make the state database durable, once for all groups, and tell each group's applied entry. Answer: [`Done::Checkpoint`].
    Checkpoint,
}

/// Something to do for one group.
pub enum Work {
    /// Start the group's machine on the data of `epoch`, and delete what other epochs left behind (in the background). Opening an open or
    /// failed group starts it anew. Answer: [`Outcome::Opened`].
    Open {
        /// The machine; nobody else has it.
        machine: Box<dyn StateMachine>,
        /// The epoch that the log database names.
        epoch: StateEpoch,
        /// The entry behind which the log begins: data that has applied less is lost data, and the group fails.
        log_base: Index,
    },
    /// Apply consecutive committed entries. Answer: [`Outcome::Applied`].
    Apply {
        /// Index of `entries[0]`; must be the one behind the last applied.
        first: Index,
        /// In order; no-ops advance the applied index only.
        entries: Vec<Entry>,
        /// Return the answers of commands from this index on; `None`: of none (nobody waits for them on a follower).
        answers_from: Option<Index>,
    },
    /// Ask the machine. It runs after all applies that came before it, and perhaps some that came later. Answer: [`Outcome::Answered`] or
    /// [`Outcome::Behind`].
    Query {
        /// Echoed.
        id: QueryId,
        /// Applied at least this far, else [`Outcome::Behind`].
        min_applied: Index,
        /// What to ask.
        query: Bytes,
    },
    /// Take a consistent view of the group's data at its applied entry, to be sent. Answer: [`Outcome::SnapshotOpened`] or
    /// [`Outcome::SnapshotGone`].
    SnapshotOpen {
        /// New name of the view.
        transfer: TransferId,
        /// Size of a chunk, at most [`super::CHUNK_BYTES_MAX`]; a larger single item makes a chunk of its own.
        chunk_bytes: usize,
    },
    /// Read a chunk. Any of the last [`super::RESUME_CHUNKS_MAX`] sequences may be asked for again, and gives the same bytes.
    /// Answer: [`Outcome::SnapshotChunk`] or [`Outcome::SnapshotGone`].
    SnapshotRead {
        /// Which view.
        transfer: TransferId,
        /// Which chunk; the first is 0.
        sequence: u64,
    },
    /// Give the view back. Answer: [`Outcome::SnapshotGone`] with [`Gone::Closed`].
    SnapshotClose {
        /// Which view.
        transfer: TransferId,
    },
    /// Begin to receive a snapshot beside the data in use; an unfinished reception of another transfer is thrown away. Beginning the same one
    /// again (after a broken connection) goes on where it stopped. Answer: [`Outcome::StageWants`] the sequence to begin with,
    /// [`Outcome::Staged`] if all is there already, or [`Outcome::StageRefused`].
    StageBegin {
        /// The sender's name of the transfer.
        transfer: TransferId,
        /// Last entry that the snapshot covers.
        at: EntryId,
    },
    /// Store a chunk. Answer: [`Outcome::StageWants`] the next sequence (a repeated chunk changes nothing, a damaged one or a gap is answered
    /// with the one that is missing); after the last chunk, when all is durable, [`Outcome::Staged`]; or [`Outcome::StageRefused`].
    StageChunk {
        /// Which transfer.
        transfer: TransferId,
        /// What the sender's [`Outcome::SnapshotChunk`] held.
        chunk: Chunk,
    },
    /// Throw the reception away, also a finished one that was not installed. Answer: [`Outcome::StageRefused`] with [`Refusal::Aborted`].
    StageAbort {
        /// Which transfer.
        transfer: TransferId,
    },
    /// The log database has recorded `epoch` (the commit point): use the staged data from now on. Answer: [`Outcome::Installed`].
    Install {
        /// What [`Outcome::Staged`] said.
        epoch: StateEpoch,
    },
    /// Drop machine, views and receptions; the data stays. Answer: [`Outcome::Closed`].
    Close,
    /// Close, then delete all the group's data in small pieces. Answer, when the last is gone: [`Outcome::Destroyed`]. A crash may leave some:
    /// ask again for every group whose answer was not recorded.
    Destroy,
}

/// Something is done.
#[derive(Debug)]
pub enum Done {
    /// For one group.
    Group(GroupKey, Outcome),
    /// Everything that was applied when the checkpoint was asked for is durable.
    Checkpoint {
        /// Applied and durable entry of each open group, failed ones included. Becomes [`roadstead_spec::raft::Event::SnapshotTaken`].
        durable: Vec<(GroupKey, EntryId)>,
    },
}

impl Done {
    /// Bytes of the answer, if it is one to a query.
    pub fn answer_bytes(&self) -> usize {
        match self {
            Self::Group(_, Outcome::Answered { answer, .. }) => answer.len(),
            Self::Group(..) | Self::Checkpoint { .. } => 0,
        }
    }
}

/// What became of a [`Work`].
#[derive(Debug)]
pub enum Outcome {
    /// The machine is ready.
    Opened {
        /// Last entry that the data has applied; the default (0) for a new group.
        applied: EntryId,
    },
    /// The entries are applied and committed, in memory at least: the log recovers them.
    Applied {
        /// The last of them.
        through: EntryId,
        /// One per command from `answers_from` on.
        answers: Vec<(Index, Bytes)>,
        /// All of them, as their bytes were, if the run is recorded; otherwise nothing.
        content: Content,
    },
    /// The machine's answer.
    Answered {
        /// Which query.
        id: QueryId,
        /// What the machine said.
        answer: Bytes,
        /// Applied at least this far when it was asked.
        applied: EntryId,
    },
    /// The query's `min_applied` is not reached; nothing was asked.
    Behind {
        /// Which query.
        id: QueryId,
        /// How far the group is.
        applied: EntryId,
    },
    /// A view is held.
    SnapshotOpened {
        /// Its name.
        transfer: TransferId,
        /// Last entry that it covers.
        at: EntryId,
    },
    /// A chunk of a view.
    SnapshotChunk {
        /// Which view.
        transfer: TransferId,
        /// The chunk.
        chunk: Chunk,
    },
    /// There is no such view (any more).
    SnapshotGone {
        /// Which view.
        transfer: TransferId,
        /// Why.
        why: Gone,
    },
    /// The reception goes on.
    StageWants {
        /// Which transfer.
        transfer: TransferId,
        /// The chunk to send next; everything before it is stored (not yet durable).
        sequence: u64,
    },
    /// The whole snapshot is stored and durable, beside the data in use.
    Staged {
        /// Which transfer.
        transfer: TransferId,
        /// Last entry that it covers.
        at: EntryId,
        /// To be recorded in the log database, then installed.
        epoch: StateEpoch,
    },
    /// There is no such reception (any more).
    StageRefused {
        /// Which transfer.
        transfer: TransferId,
        /// Why.
        why: Refusal,
    },
    /// The machine works on the snapshot's data.
    Installed {
        /// The epoch in use.
        epoch: StateEpoch,
        /// Last entry that the snapshot covered.
        applied: EntryId,
    },
    /// The group is closed.
    Closed,
    /// Nothing of the group is left.
    Destroyed,
    /// The group cannot go on, or is not open. Every further job of the group gets the same answer until it is opened again or closed.
    Failed {
        /// Why, and what to do.
        reason: Failure,
        /// What a waiting client or peer is told apart by.
        of: JobName,
    },
}

/// Names the job that a failure answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobName {
    /// [`Work::Open`].
    Open,
    /// [`Work::Apply`].
    Apply,
    /// [`Work::Query`] of this name.
    Query(QueryId),
    /// A snapshot job of this transfer, sending side.
    Snapshot(TransferId),
    /// A snapshot job of this transfer, receiving side.
    Stage(TransferId),
    /// [`Work::Install`].
    Install,
    /// [`Work::Destroy`] under another incarnation than the open one.
    Destroy,
}

/// Why a view is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// As asked.
    #[error("the transfer is closed")]
    Closed,
    /// Never opened here, or the node has restarted since.
    #[error("no such transfer; open a new one")]
    Unknown,
    /// At most [`super::VIEWS_MAX`] views at a time: each keeps old data from being reclaimed.
    #[error("too many snapshot transfers at once; try again when one has ended")]
    TooMany,
    /// Not read for [`super::VIEW_IDLE_MAX`], or older than [`super::VIEW_AGE_MAX`].
    #[error("the view was held for {0:?} and given back; open a new one")]
    TooOld(Duration),
    /// The disk gave an error, which the log tells. The group goes on with what it can read.
    #[error("the state database cannot be read; check the disk of the sender")]
    Unreadable,
    /// The sequence lies before the ones that can be repeated, or was never reached.
    #[error("chunk {wanted} cannot be read again (next is {next}); open a new transfer")]
    OutOfReach {
        /// What was asked for.
        wanted: u64,
        /// The newest that can be.
        next: u64,
    },
}

/// Why a reception is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As asked.
    #[error("the reception is thrown away")]
    Aborted,
    /// Never begun here, or the node has restarted since.
    #[error("no such reception; begin a new transfer")]
    Unknown,
    /// A complete snapshot waits for its installation.
    #[error("the snapshot of transfer {0} waits to be installed; install or abort it first")]
    Installing(TransferId),
    /// The snapshot is not newer than what is applied.
    #[error("the snapshot ends at {at}, but {applied} is applied already; send entries instead")]
    Stale {
        /// Where the snapshot ends.
        at: EntryId,
        /// Where the group is.
        applied: EntryId,
    },
    /// Earlier data of the group waits to be deleted.
    #[error("earlier data of the group is still being deleted; begin again later")]
    Cleaning,
    /// A chunk with a right checksum that cannot be decoded: the sender has another format.
    #[error("chunk {0} does not decode; sender and receiver disagree about the format of snapshots")]
    Malformed(u64),
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { epoch, log_base, .. } => write!(f, "Open(epoch {epoch}, log from {log_base})"),
            Self::Apply { first, entries, .. } => {
                write!(f, "Apply({} from {first})", entries.len())
            }
            Self::Query { id, min_applied, .. } => write!(f, "Query({}, at {min_applied})", id.0),
            Self::SnapshotOpen { transfer, .. } => write!(f, "SnapshotOpen({transfer})"),
            Self::SnapshotRead { transfer, sequence } => {
                write!(f, "SnapshotRead({transfer}, chunk {sequence})")
            }
            Self::SnapshotClose { transfer } => write!(f, "SnapshotClose({transfer})"),
            Self::StageBegin { transfer, at } => write!(f, "StageBegin({transfer}, at {at})"),
            Self::StageChunk { transfer, chunk } => {
                write!(f, "StageChunk({transfer}, chunk {})", chunk.sequence)
            }
            Self::StageAbort { transfer } => write!(f, "StageAbort({transfer})"),
            Self::Install { epoch } => write!(f, "Install(epoch {epoch})"),
            Self::Close => f.write_str("Close"),
            Self::Destroy => f.write_str("Destroy"),
        }
    }
}
