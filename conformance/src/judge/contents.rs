//! DUTY-4: an entry has one content, on every node, wherever it is seen.

use crate::verdict::{Broken, Rule, ensure};
use roadstead_spec::{
    Index, Term,
    trace::{Content, Digest},
};
use std::collections::{BTreeMap, VecDeque};

/// Entries that are remembered, per group. Older ones are applied nearly everywhere; one that comes again is taken as it is.
const REMEMBERED_MAX: usize = 1 << 18;

/// The contents of one group's entries.
#[derive(Debug, Default)]
pub(super) struct Contents {
    first: Index,
    /// By index from `first` on: the entry seen last.
    newest: VecDeque<Option<(Term, Digest)>>,
    /// Others with the same index, and another term.
    others: BTreeMap<(Index, Term), Digest>,
}

impl Contents {
    /// Sees consecutive entries.
    pub(super) fn see(&mut self, content: &Content) -> Result<(), Broken> {
        (content.first.0..).zip(&content.entries).try_for_each(|(index, (term, digest))| self.see_one(Index(index), *term, *digest))
    }

    fn see_one(&mut self, index: Index, term: Term, digest: Digest) -> Result<(), Broken> {
        if self.newest.is_empty() {
            self.first = index;
        }
        if index < self.first {
            return Ok(());
        }
        let place = index.0 - self.first.0;
        if place >= (self.newest.len() + REMEMBERED_MAX) as u64 {
            // Far ahead, as behind a snapshot: nothing in between will be compared.
            *self = Self { first: index, ..Self::default() };
            self.newest.push_back(Some((term, digest)));
            return Ok(());
        }
        let place = place as usize;
        if place >= self.newest.len() {
            self.newest.resize(place + 1, None);
        }
        let known = match self.newest.get_mut(place) {
            Some(Some((known, other))) if *known == term => *other,
            Some(slot) => {
                if let Some((other_term, other)) = slot.replace((term, digest)) {
                    self.others.insert((index, other_term), other);
                }
                self.others.remove(&(index, term)).unwrap_or(digest)
            }
            None => digest,
        };
        ensure(Rule::Duty4, known == digest, || format!("entry {index}@{term} was {:016x} before and is {:016x} now", known.0, digest.0))?;
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        while self.newest.len() > REMEMBERED_MAX {
            self.newest.pop_front();
            self.first = self.first.next();
            while self.others.first_key_value().is_some_and(|((index, _), _)| *index < self.first) {
                self.others.pop_first();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(contents: &mut Contents, first: u64, entries: &[(u64, u64)]) -> bool {
        let entries = entries.iter().map(|(term, digest)| (Term(*term), Digest(*digest)));
        contents.see(&Content::new(Index(first), entries)).is_ok()
    }

    #[test]
    fn one_id_has_one_content_and_one_index_may_have_many() {
        let mut contents = Contents::default();
        assert!(see(&mut contents, 5, &[(1, 50), (1, 60), (1, 70)]));
        assert!(see(&mut contents, 6, &[(2, 61), (2, 71)]), "another leader's entries");
        assert!(see(&mut contents, 6, &[(1, 60)]), "the old ones come again");
        assert!(!see(&mut contents, 6, &[(2, 60)]) && !see(&mut contents, 5, &[(1, 51)]));
        assert!(see(&mut contents, 100, &[(3, 1)]) && !see(&mut contents, 7, &[(1, 71)]), "a gap forgets nothing");
    }

    #[test]
    fn memory_is_bounded() {
        let mut contents = Contents::default();
        for index in 1..=REMEMBERED_MAX as u64 + 5 {
            assert!(see(&mut contents, index, &[(1, index)]));
        }
        assert_eq!((contents.newest.len(), contents.first), (REMEMBERED_MAX, Index(6)));
        assert!(see(&mut contents, 3, &[(1, 999)]), "forgotten");
        assert!(see(&mut contents, 1 << 40, &[(9, 1)]) && contents.newest.len() == 1);
    }
}
