//! What nodes say to each other about one group. The group itself is not named here: it lives in the frame header.

use super::log::{Run, Slice};
use crate::{EntryId, Index, NodeId, Term};
use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// A confirmation round of a leader: numbered by the core within a term, echoed by every append answer, so that a read can wait for
/// a round that started after it arrived. Source: dissertation §6.4, "exchanges heartbeats with a majority".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Round(pub u64);

/// Names one read request for ever: the asking node, that node's boot nonce and a counter within the boot, so that a restarted node never
/// takes an old answer for a new question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadId {
    /// Node on which the read arrived.
    pub node: NodeId,
    /// Boot nonce of that node.
    pub boot: u64,
    /// Counter within the boot; never reused.
    pub number: u64,
}

/// Most runs that a refusal carries.
pub const BEHIND_RUNS_MAX: usize = 8;

/// Where a follower's log ends and which terms it holds, at exponentially growing distance from the end,
/// so that divergence over a thousand terms costs at most six round trips.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behind {
    /// The follower's last index.
    pub last: Index,
    /// Some of its runs, newest first.
    pub runs: ArrayVec<Run, BEHIND_RUNS_MAX>,
}

/// A message between two members of a group. The sender is known from the connection, the group from the frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// "Would you vote for me in `term`?" Changes nothing at the receiver. Dissertation §9.6.
    PreVote {
        /// The term that the asker would campaign in: its own plus one.
        term: Term,
        /// The asker's last entry.
        last: EntryId,
    },
    /// Answer to [`Message::PreVote`].
    PreVoteResponse {
        /// Granted: the term asked for. Refused: the receiver's own term, which the asker adopts when it is higher.
        term: Term,
        /// Whether the receiver would vote for the asker.
        granted: bool,
    },
    /// RequestVote RPC, Raft paper fig. 2.
    RequestVote {
        /// The candidate's term.
        term: Term,
        /// The candidate's last entry.
        last: EntryId,
    },
    /// Answer to [`Message::RequestVote`].
    RequestVoteResponse {
        /// The voter's term.
        term: Term,
        /// Whether the voter gave its vote in `term`.
        granted: bool,
    },
    /// AppendEntries RPC, Raft paper fig. 2; an empty slice is a heartbeat.
    AppendEntries {
        /// The leader's term.
        term: Term,
        /// The entries' header; their bytes travel beside it.
        slice: Slice,
        /// The leader's commit index.
        commit: Index,
        /// The confirmation round that this message belongs to.
        round: Round,
    },
    /// Answer to [`Message::AppendEntries`], also sent when a snapshot has been installed.
    AppendEntriesResponse {
        /// The follower's term.
        term: Term,
        /// Last index known to match the leader's log, or where the follower's log stands.
        result: Result<Index, Behind>,
        /// The request's round.
        round: Round,
    },
    /// A follower forwards a linearizable read. Dissertation §6.4.
    ReadIndex {
        /// The asker's term.
        term: Term,
        /// Which read.
        id: ReadId,
    },
    /// Answer to [`Message::ReadIndex`].
    ReadIndexResponse {
        /// The answerer's term.
        term: Term,
        /// Which read.
        id: ReadId,
        /// Apply at least this far before reading; `None`: not the leader (any more), ask again.
        index: Option<Index>,
    },
}
