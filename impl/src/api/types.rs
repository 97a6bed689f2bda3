//! The JSON of the admin API, shared by the server and the command line.
//!
//! Names are protocol-neutral: a group has a `leader` and an `epoch` (Raft's term, PBFT's view). Fields are only ever added; numbers that may
//! pass 2^53 (ids, hashes) are strings. Times are seconds.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Answer of `GET /v1/status`: one node, its peers, its disk, its groups in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node.
    pub node: u32,
    /// Its cluster: `0x` and 32 hexadecimal digits.
    pub cluster: String,
    /// Version of the program.
    pub version: String,
    /// Operating system's id of the process.
    pub pid: u32,
    /// Seconds since the process began.
    pub uptime_seconds: f64,
    /// The address that the port is bound to.
    pub listen: String,
    /// The other nodes, ascending by id.
    pub peers: Vec<PeerStatus>,
    /// The disk.
    pub storage: StorageStatus,
    /// How many groups are in which state.
    pub groups: GroupCounts,
    /// What keeps it from its full service just now; empty when all is well. An alarm goes when its cause goes.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// Something that an operator must know of while it lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it is.
    pub kind: AlarmKind,
    /// Since when it lasts, in seconds.
    pub seconds: f64,
    /// What it is about, in words, and what to do.
    pub reason: String,
}

/// The kinds of alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// Less than the reserve of the data folder's disk is free: groups that this node leads take no writes. etcd's NOSPACE.
    NoSpace,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::NoSpace];

    /// The name in JSON, metrics and texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSpace => "no_space",
        }
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A peer as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The peer.
    pub id: u32,
    /// Where it is dialled.
    pub addr: String,
    /// How the connection to it stands.
    pub state: PeerState,
    /// The header that was negotiated: 0 legacy, 1 extended; absent while not connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_version: Option<u8>,
    /// Why it is not connected, with what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the connection to a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerState {
    /// Negotiated and carrying groups.
    Connected,
    /// Dialling, or waiting before the next attempt.
    Connecting,
    /// One end refuses the other; time alone will not mend it.
    Refused,
}

/// The storage thread since the process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// Median of the last syncs.
    pub sync_seconds_p50: f64,
    /// 99th percentile of the last syncs.
    pub sync_seconds_p99: f64,
    /// Rounds, each one batch and one sync.
    pub rounds: u64,
    /// Size of the data folder's disk.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Of it, free.
    #[serde(default)]
    pub disk_free_bytes: u64,
    /// Bytes that stay free: with less, writes are refused.
    #[serde(default)]
    pub reserve_bytes: u64,
}

/// How many groups of this node are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounts {
    /// All.
    pub total: u64,
    /// Of them, led by this node.
    pub leading: u64,
    /// Of them, without a leader that this node knows.
    pub leaderless: u64,
    /// Of them, failed.
    pub failed: u64,
}

/// Answer of `GET /v1/groups`: ascending by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupList {
    /// The answering node.
    pub node: u32,
    /// Its groups.
    pub groups: Vec<GroupStatus>,
}

/// Answer of `GET /v1/groups/ID`: one group as this node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// The group.
    pub id: i32,
    /// Its generation.
    pub generation: u64,
    /// Its incarnation: 16 hexadecimal digits.
    pub incarnation: String,
    /// What it replicates.
    pub service: String,
    /// How.
    pub consensus_protocol: String,
    /// Who, ascending.
    pub members: Vec<u32>,
    /// Whether it works here.
    #[serde(flatten)]
    pub state: GroupState,
    /// This node's part.
    pub role: Role,
    /// The leader that this node knows.
    pub leader: Option<u32>,
    /// Raft's term, PBFT's view.
    pub epoch: u64,
    /// First index that is still in the log.
    pub first: u64,
    /// Last index in the log.
    pub last: u64,
    /// Last index known to be on a quorum.
    pub commit: u64,
    /// Last index that the state machine has.
    pub applied: u64,
    /// Last index of the newest snapshot; 0: none.
    pub snapshot: u64,
    /// The other members; filled by the leader only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<MemberProgress>,
    /// What waits where.
    pub queues: Queues,
    /// Seconds since something of this group last happened on this node.
    pub idle_seconds: f64,
    /// Why it takes no writes just now, and what to do; absent when it takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

/// Whether a group works on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum GroupState {
    /// It takes part.
    Running,
    /// It opens its data, or installs a snapshot.
    Recovering,
    /// It stopped for good on this node; the others go on.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
    /// It is being removed.
    Removing,
}

/// A node's part in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It orders the writes.
    Leader,
    /// It follows the leader.
    Follower,
    /// It seeks votes.
    Candidate,
    /// The group does not run here.
    None,
}

/// How far another member is, as the leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberProgress {
    /// The member.
    pub node: u32,
    /// Last index known to be in its log.
    pub matched: u64,
    /// Entries that it lacks.
    pub behind: u64,
    /// How it is being fed.
    pub flow: Flow,
}

/// How a leader feeds a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// One message at a time, until the logs are known to agree.
    Probe,
    /// A pipeline.
    Replicate,
    /// It lacks what the log no longer has.
    Snapshot,
}

/// What waits where, for one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Writes without an outcome.
    pub writes: u64,
    /// Bytes of those writes.
    pub write_bytes: u64,
    /// Reads that wait for their confirmation.
    pub reads: u64,
    /// Messages of peers that wait for the group's turn.
    pub mailbox: u64,
    /// Entries of the log that are not durable here yet.
    pub persist: u64,
    /// Committed entries that are not applied here yet.
    pub apply: u64,
}

/// Body of `POST /v1/groups`. To be sent to every member, with the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// The group's number, `0..=i32::MAX`; wider here, so that a wrong number gets an answer that says what is allowed.
    pub id: i64,
    /// Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Default `kv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Node ids.
    pub members: Vec<u32>,
    /// `raft`; absent means `pbft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus_protocol: Option<String>,
}

/// Answer of `POST /v1/groups` and `DELETE /v1/groups/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChanged {
    /// The group.
    pub id: i32,
    /// The incarnation that was added or removed.
    pub incarnation: String,
}

/// Answer of `POST /v1/groups/ID/snapshot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTaken {
    /// The group.
    pub id: i32,
    /// Last index that the snapshot covers.
    pub index: u64,
}

/// Answer of `GET /v1/groups/ID/log?from=&to=`: entries `from..=to`, as far as they are in the log; at most [`LOG_ENTRIES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The group.
    pub id: i32,
    /// First index that is still in the log.
    pub first: u64,
    /// Last index in the log.
    pub last: u64,
    /// Last index known to be on a quorum.
    pub commit: u64,
    /// Ascending.
    pub entries: Vec<LogEntry>,
}

/// Entries of a [`LogPage`] at most; ask again from behind the last one.
pub const LOG_ENTRIES_MAX: u64 = 1_000;

/// Bytes of a payload that a [`LogEntry`] shows at most.
pub const LOG_PREVIEW_BYTES: usize = 64;

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its place.
    pub index: u64,
    /// The term that made it.
    pub epoch: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of its payload.
    pub size: u64,
    /// The payload's first bytes, hexadecimal, at most [`LOG_PREVIEW_BYTES`] of them.
    pub preview: String,
    /// What the service says about it, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The empty entry at the start of a term.
    Noop,
    /// A command for the state machine.
    Command,
}

/// Body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What failed, on which object, why.
    pub error: String,
    /// For programs.
    pub code: ErrorCode,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong.
    BadRequest,
    /// It changes something, and comes neither from loopback nor with the token.
    Forbidden,
    /// No such path.
    NotFound,
    /// The path does not know this method.
    MethodNotAllowed,
    /// No such group on this node.
    NoSuchGroup,
    /// The group is there already.
    AlreadyRegistered,
    /// This incarnation was removed; a higher generation makes a new group.
    Removed,
    /// Something is full; try again.
    Busy,
    /// Not now: no leader, recovering, stopping.
    Unavailable,
    /// A write may have happened, or may still happen: read before writing again.
    OutcomeUnknown,
    /// Data on disk is not what was written, or cannot be read.
    Damaged,
    /// Too little of a disk is free; try again when there is room.
    NoSpace,
    /// A fault of the node.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that goes with it.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound | Self::NoSuchGroup => 404,
            Self::MethodNotAllowed => 405,
            Self::AlreadyRegistered | Self::Removed => 409,
            Self::Busy => 429,
            Self::Unavailable => 503,
            Self::Internal | Self::Damaged => 500,
            Self::OutcomeUnknown => 504,
            Self::NoSpace => 507,
        }
    }
}
