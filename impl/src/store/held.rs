//! Completions that wait for the witness: those of rounds that carried a term or a vote, and what the same groups completed after them.

use super::{prefix::Local, rounds::Committed, submission::Completion};
use std::collections::{BTreeSet, VecDeque};

/// Pure bookkeeping; order within a group is kept.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// By the batch that the witness must remember first.
    rounds: VecDeque<(u64, Vec<Completion>)>,
    /// Groups with a completion in `rounds`.
    groups: BTreeSet<Local>,
}

impl Held {
    /// Takes a committed round and returns the completions that need not wait.
    pub(crate) fn route(&mut self, committed: Committed) -> Vec<Completion> {
        let Committed { completions, mark, urgent } = committed;
        if urgent {
            self.groups.extend(completions.iter().map(|completion| completion.local));
            self.rounds.push_back((mark.batch, completions));
            return Vec::new();
        }
        if self.groups.is_empty() {
            return completions;
        }
        let (wait, now): (Vec<_>, Vec<_>) = completions.into_iter().partition(|completion| self.groups.contains(&completion.local));
        if !wait.is_empty() {
            self.rounds.push_back((mark.batch, wait));
        }
        now
    }

    /// Whether somebody waits.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// The witness remembers this batch: returns what waited for it.
    pub(crate) fn release(&mut self, batch: u64) -> Vec<Completion> {
        let mut released = Vec::new();
        while let Some((_, completions)) = self.rounds.pop_front_if(|(waits_for, _)| *waits_for <= batch) {
            released.extend(completions);
        }
        self.groups = self.rounds.iter().flat_map(|(_, completions)| completions).map(|completion| completion.local).collect();
        released
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::witness::Mark;
    use roadstead_spec::Incarnation;

    fn completion(local: u32, ticket: u64) -> Completion {
        Completion { local: Local(local), incarnation: Incarnation(1), ticket }
    }

    fn committed(batch: u64, urgent: bool, completions: &[(u32, u64)]) -> Committed {
        let completions = completions.iter().map(|(local, ticket)| completion(*local, *ticket)).collect();
        Committed { completions, mark: Mark { boot: 1, batch, digest: 0 }, urgent }
    }

    /// A vote of group 1 waits; group 2 does not wait for it, what group 1 completes next does.
    #[test]
    fn a_vote_holds_back_its_group_and_no_other() {
        let mut held = Held::default();
        assert_eq!(held.route(committed(1, false, &[(1, 1), (2, 1)])).len(), 2);
        assert_eq!(held.route(committed(2, true, &[(1, 2)])), []);
        assert_eq!(held.route(committed(3, false, &[(1, 3), (2, 2)])), [completion(2, 2)]);
        assert!(held.is_urgent());
        assert_eq!(held.release(1), []);
        assert_eq!(held.release(2), [completion(1, 2)]);
        assert_eq!(held.route(committed(4, false, &[(1, 4)])), [], "ticket 3 has not left yet");
        assert_eq!(held.release(4), [completion(1, 3), completion(1, 4)]);
        assert!(!held.is_urgent());
        assert_eq!(held.route(committed(5, false, &[(1, 5)])), [completion(1, 5)]);
    }
}
