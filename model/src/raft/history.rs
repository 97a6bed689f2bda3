//! What nobody in the world knows: who ever led, and what was ever committed. Only as much as the laws of whole histories need.

use super::clients::Clients;
use roadstead_spec::{EntryId, Index, NodeId, Term};

/// An observer's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// Who led each term, ascending.
    pub leaders: Vec<(Term, NodeId)>,
    /// By index, the first at place 0: what was committed there.
    pub committed: Vec<Committed>,
    /// Entries whose client was told that nothing happened.
    pub refused: Vec<EntryId>,
    /// What clients asked and were told, in configurations that keep it.
    pub clients: Option<Box<Clients>>,
}

/// An entry that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Committed {
    /// Its term.
    pub term: Term,
    /// The term of the member that first knew it to be committed.
    pub by: Term,
}

impl History {
    /// The last index that was ever committed.
    pub fn committed_through(&self) -> Index {
        Index(self.committed.len() as u64)
    }

    /// What was committed at an index.
    pub fn committed_at(&self, index: Index) -> Option<Committed> {
        self.committed.get((index.0 as usize).wrapping_sub(1)).copied()
    }

    /// Who led a term.
    pub fn leader_of(&self, term: Term) -> Option<NodeId> {
        self.leaders.iter().find(|(led, _)| *led == term).map(|(_, leader)| *leader)
    }

    /// The newest term that was led.
    pub fn newest_term(&self) -> Term {
        self.leaders.last().map_or(Term(0), |(term, _)| *term)
    }

    /// Notes a leader: whoever led this term first.
    pub fn lead(&mut self, term: Term, leader: NodeId) -> NodeId {
        let at = self.leaders.partition_point(|(led, _)| *led < term);
        match self.leaders.get(at) {
            Some((led, first)) if *led == term => *first,
            _ => {
                self.leaders.insert(at, (term, leader));
                leader
            }
        }
    }
}
