//! Laws of a group's whole history, over all nodes and boots.

use crate::verdict::{Broken, Rule, ensure};
use roadstead_spec::{EntryId, Index, NodeId, Term, trace::Content};
use std::collections::{BTreeMap, VecDeque};

/// Applied entries that are remembered.
const REMEMBERED_MAX: usize = 1 << 18;

/// Who led and what was applied.
#[derive(Debug, Default)]
pub(super) struct History {
    leaders: BTreeMap<Term, NodeId>,
    first: Index,
    /// Terms of applied entries, by index from `first` on.
    applied: VecDeque<Term>,
}

impl History {
    /// I-R1, Election Safety (Raft paper fig. 3), over all time.
    pub(super) fn leads(&mut self, term: Term, node: NodeId) -> Result<(), Broken> {
        let first = *self.leaders.entry(term).or_insert(node);
        ensure(Rule::Law, first == node, || format!("I-R1 is broken: nodes {first} and {node} both led term {term}"))
    }

    /// I-R5, State Machine Safety (Raft paper fig. 3): one entry per index, on every node.
    pub(super) fn applied(&mut self, content: &Content) -> Result<(), Broken> {
        for (index, (term, _)) in (content.first.0..).map(Index).zip(&content.entries) {
            if self.applied.is_empty() {
                self.first = index;
            }
            if index < self.first {
                continue;
            }
            match self.applied.get((index.0 - self.first.0) as usize) {
                Some(known) => {
                    ensure(Rule::Law, known == term, || {
                        format!("I-R5 is broken: entry {index}@{known} was applied before, and {index}@{term} is now")
                    })?;
                }
                None if index.0 - self.first.0 == self.applied.len() as u64 => self.applied.push_back(*term),
                // Behind a gap, as behind a snapshot.
                None => {
                    (self.first, self.applied) = (index, VecDeque::from([*term]));
                }
            }
            if self.applied.len() > REMEMBERED_MAX {
                self.applied.pop_front();
                self.first = self.first.next();
            }
        }
        Ok(())
    }

    /// The same, of the last entry that a snapshot covers.
    pub(super) fn installed(&self, at: EntryId) -> Result<(), Broken> {
        let known = at.index.0.checked_sub(self.first.0).and_then(|place| self.applied.get(usize::try_from(place).ok()?));
        ensure(Rule::Law, known.is_none_or(|known| *known == at.term), || {
            format!("I-R5 is broken: a snapshot ends with {at}, and another entry was applied there")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roadstead_spec::trace::Digest;

    #[test]
    fn a_term_has_one_leader_for_ever() {
        let mut history = History::default();
        assert!(history.leads(Term(2), NodeId(1)).is_ok() && history.leads(Term(3), NodeId(2)).is_ok());
        assert!(history.leads(Term(2), NodeId(1)).is_ok() && history.leads(Term(2), NodeId(2)).is_err());
    }

    #[test]
    fn an_index_is_applied_once_in_all_places() {
        let mut history = History::default();
        let mut apply = |first: u64, terms: &[u64]| {
            history.applied(&Content::new(Index(first), terms.iter().map(|term| (Term(*term), Digest(0))))).is_ok()
        };
        assert!(apply(1, &[1, 1, 2]) && apply(2, &[1, 2, 2]));
        assert!(!apply(3, &[1]));
        assert!(apply(50, &[3]), "behind a snapshot");
        assert!(apply(1, &[9]), "forgotten");
        let snapshot = |term, index| history.installed(EntryId { term: Term(term), index: Index(index) }).is_ok();
        assert!(snapshot(3, 50) && !snapshot(2, 50) && snapshot(7, 49) && snapshot(7, 51));
    }
}
