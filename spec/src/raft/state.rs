//! What a member of a group knows. Data only: small, comparable, hashable; a role's data lives in its variant.

use super::{
    effect::HardState,
    log::LogShape,
    message::{ReadId, Round},
    params::{NodeSet, Params, VOTERS_MAX},
};
use crate::{EntryId, Index, NodeId, Term};
use alloc::{boxed::Box, collections::VecDeque};
use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

/// One member's state. Changed by [`super::step()`] only; a follower's takes about 128 bytes.
///
/// Law: `log.base().index <= commit <= log.last()`, `applied <= commit`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Who this is.
    pub id: NodeId,
    /// Term and vote. Raft paper fig. 2, `currentTerm` and `votedFor`.
    pub hard: HardState,
    /// Shape of the log. Raft paper fig. 2, `log[]`.
    pub log: LogShape,
    /// Highest index known to be committed; monotone in one life of the process. Raft paper fig. 2, `commitIndex`.
    pub commit: Index,
    /// Highest index that the state machine reported as applied; monotone. Raft paper fig. 2, `lastApplied`.
    pub applied: Index,
    /// What it is doing.
    pub role: Role,
}

impl State {
    /// The current term.
    pub fn term(&self) -> Term {
        self.hard.term
    }

    /// Who leads this term, as far as this member knows.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower { leader, .. } => *leader,
            Role::PreCandidate { .. } | Role::Candidate { .. } => None,
            Role::Leader(_) => Some(self.id),
        }
    }

    /// This member's leadership, if it leads.
    pub fn as_leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Follower { .. } | Role::PreCandidate { .. } | Role::Candidate { .. } => None,
        }
    }
}

/// Raft paper fig. 4, with the pre-candidate of dissertation §9.6.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Answers requests.
    Follower {
        /// The leader of the current term, once it was heard.
        leader: Option<NodeId>,
        /// Whether a leader was heard within the minimum election timeout: then pre-votes are refused (dissertation §4.2.3).
        heard: bool,
    },
    /// Asks whether an election could be won, without raising its term. Dissertation §9.6.
    PreCandidate {
        /// Who would vote for it; itself included.
        granted: NodeSet,
    },
    /// Asks for votes in its term.
    Candidate {
        /// Who voted for it; itself included.
        granted: NodeSet,
    },
    /// Leads its term. Boxed: ten thousand idle followers should not pay for it.
    Leader(Box<Leader>),
}

/// What only a leader knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// Index of the entry that opened this term: once it is committed, so is everything older (Raft paper §8).
    pub opened_at: Index,
    /// How far the own log is known to be durable: what the own copy counts for. Dissertation §10.2.1.
    pub durable: Index,
    /// The other voters.
    pub peers: Peers,
    /// The newest confirmation round that was started; 0 before the first.
    pub round: Round,
    /// Reads that wait, oldest first; their rounds never decrease. Bounded by `Limits::reads_max`.
    pub reads: VecDeque<PendingRead>,
}

/// A linearizable read that a leader is confirming. Dissertation §6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PendingRead {
    /// Which read; `id.node` says who asked.
    pub id: ReadId,
    /// The commit index when it arrived: `readIndex` of the dissertation.
    pub index: Index,
    /// A quorum must confirm this round or a later one.
    pub round: Round,
}

/// How far another voter is, as its leader sees it.
///
/// Law: `matched < next`, `matched <= log.last()`, `next <= log.last() + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Progress {
    /// Highest index that is known to be durable there; monotone. Raft paper fig. 2, `matchIndex`.
    pub matched: Index,
    /// The next entry to send; optimistic. Raft paper fig. 2, `nextIndex`.
    pub next: Index,
    /// The newest round that it confirmed.
    pub round: Round,
    /// Whether it was heard in this term since the last check of the quorum. Dissertation §6.2.
    pub heard: bool,
    /// How it is being sent to.
    pub flow: Flow,
}

/// How entries flow to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flow {
    /// Where its log matches is unknown: one AppendEntries at a time.
    Probe {
        /// One is on its way; the next goes with an answer or a heartbeat.
        sent: bool,
    },
    /// Its log matches: entries are pipelined. Dissertation §10.2.1.
    Replicate {
        /// AppendEntries with entries that were sent and not answered. An upper bound: lost answers are counted until everything sent is
        /// matched, which a heartbeat's answer reveals.
        inflight: u16,
    },
    /// It needs what the log no longer holds: a snapshot is on its way. It still gets heartbeats, and an answer that matches ends this.
    Snapshot {
        /// The snapshot covers at least this entry.
        at: EntryId,
    },
}

/// The other voters of a leader, ascending by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Peers(ArrayVec<(NodeId, Progress), { VOTERS_MAX - 1 }>);

impl Peers {
    /// Every voter but `id`, each with the same progress.
    pub(crate) fn new(params: &Params, id: NodeId, progress: Progress) -> Self {
        // A node that is no voter would have seven peers; it never leads, and `take` keeps this total.
        Self(params.voters().iter().filter(|&peer| peer != id).take(VOTERS_MAX - 1).map(|peer| (peer, progress)).collect())
    }

    /// This peer's progress.
    pub fn get(&self, id: NodeId) -> Option<&Progress> {
        self.0.iter().find(|(peer, _)| *peer == id).map(|(_, progress)| progress)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Progress> {
        self.0.iter_mut().find(|(peer, _)| *peer == id).map(|(_, progress)| progress)
    }

    /// Every peer with its progress.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, &Progress)> + Clone + '_ {
        self.0.iter().map(|(peer, progress)| (*peer, progress))
    }

    pub(crate) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (NodeId, &mut Progress)> + '_ {
        self.0.iter_mut().map(|(peer, progress)| (*peer, progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_is_small() {
        assert!(size_of::<State>() <= 128, "{}", size_of::<State>());
    }
}
