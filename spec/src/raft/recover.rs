//! The state after a restart, from what the disk holds. Raft paper fig. 2, "persistent state".

use super::{
    effect::HardState,
    log::LogShape,
    state::{Role, State},
};
use crate::{EntryId, Index, NodeId, Term};
use core::fmt;

/// The state of a follower that knows no leader: the driver starts its election timer and minimum timer.
///
/// The commit index is not read from disk (Raft paper fig. 2 keeps it volatile): `applied` is committed for sure, and everything else
/// is learnt from the next leader. A group that was never started is `recover(id, HardState::default(), LogShape::default(), Index(0))`.
///
/// # Errors
/// When log, hard state and state machine contradict each other: something that was durable is gone, and the node must not vote.
pub fn recover(id: NodeId, hard: HardState, log: LogShape, applied: Index) -> Result<State, Unrecoverable> {
    let newest = log.last_id();
    if newest.term > hard.term {
        return Err(Unrecoverable::TermBehindLog { term: hard.term, newest });
    }
    if applied > log.last() {
        return Err(Unrecoverable::AppliedBeyondLog { applied, last: log.last() });
    }
    if applied < log.base().index {
        return Err(Unrecoverable::AppliedBehindLog { applied, base: log.base() });
    }
    Ok(State { id, hard, log, commit: applied, applied, role: Role::Follower { leader: None, heard: false } })
}

/// Why a group cannot be recovered from its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecoverable {
    /// The log holds an entry of a term that the hard state never reached: a term, and perhaps a vote, was forgotten.
    TermBehindLog {
        /// The stored term.
        term: Term,
        /// The newest entry.
        newest: EntryId,
    },
    /// The state machine applied an entry that the log does not hold: a synced log entry is gone.
    AppliedBeyondLog {
        /// The state machine's applied index.
        applied: Index,
        /// The log's last index.
        last: Index,
    },
    /// The log begins behind what the state machine applied: entries between them are gone.
    AppliedBehindLog {
        /// The state machine's applied index.
        applied: Index,
        /// The log begins behind this entry.
        base: EntryId,
    },
}

impl fmt::Display for Unrecoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TermBehindLog { term, newest } => {
                write!(f, "the stored term is {term}, but the log holds entry {newest}: a term or a vote was lost")
            }
            Self::AppliedBeyondLog { applied, last } => {
                write!(f, "the state machine applied entry {applied}, but the log ends with {last}: synced entries were lost")
            }
            Self::AppliedBehindLog { applied, base } => {
                write!(f, "the state machine applied entries through {applied}, but the log begins behind {base}: applied data was lost")
            }
        }?;
        f.write_str("; this member must not vote: remove its data of this group, and add it again as a new member")
    }
}

impl core::error::Error for Unrecoverable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Term;
    use alloc::string::ToString;

    /// Goal: whoever reads it knows what was lost, and that the member must not vote.
    #[test]
    fn a_refused_start_says_what_was_lost() {
        let base = EntryId { term: Term(2), index: Index(8) };
        let texts = [
            (Unrecoverable::TermBehindLog { term: Term(1), newest: base }, "a term or a vote was lost"),
            (Unrecoverable::AppliedBeyondLog { applied: Index(9), last: Index(8) }, "synced entries were lost"),
            (Unrecoverable::AppliedBehindLog { applied: Index(7), base }, "applied data was lost"),
        ];
        for (error, words) in texts {
            let text = error.to_string();
            assert!(text.contains(words) && text.contains("must not vote"), "{text}");
        }
    }
}
