//! The ledger of key prefixes in use: it refuses equal, nested and cross-group claims, so that no group can read or sweep away what is another's.
//! The layout of [`super::prefix`] cannot produce such claims; the ledger and its tests say so, and keep saying so when a purpose is added.

use super::{
    engine::Space,
    prefix::{self, Local, NODE, PEERS, Prefix, Purpose, REGISTRY, TOMBSTONES},
};
use std::collections::BTreeMap;

/// Why a claim was refused. A mistake of the program, never of its user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// Somebody owns exactly these keys.
    #[error("key prefix {claimed:02x?} is owned by {owner:?} already")]
    Equal {
        /// What was claimed.
        claimed: Vec<u8>,
        /// Who has it.
        owner: Owner,
    },
    /// One of the two lies within the other.
    #[error("key prefix {claimed:02x?} is nested with {taken:02x?} of {owner:?}")]
    Nested {
        /// What was claimed.
        claimed: Vec<u8>,
        /// What is there.
        taken: Vec<u8>,
        /// Who has it.
        owner: Owner,
    },
    /// The prefix names another group than the one that claims it.
    #[error("group number {claimant} claims key prefix {claimed:02x?} of group number {named}")]
    CrossGroup {
        /// What was claimed.
        claimed: Vec<u8>,
        /// Who claims.
        claimant: Local,
        /// Whose it is.
        named: Local,
    },
    /// No purpose has such a prefix.
    #[error("key prefix {claimed:02x?} belongs to no purpose")]
    Unknown {
        /// What was claimed.
        claimed: Vec<u8>,
    },
}

/// Who owns a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The group, or [`Local::NODE`].
    pub local: Local,
    /// What for.
    pub purpose: Purpose,
}

/// The ledger of all prefixes in use.
#[derive(Clone, Debug, Default)]
pub struct Prefixes {
    taken: BTreeMap<(Space, Vec<u8>), Owner>,
}

impl Prefixes {
    /// A ledger with the node's own prefixes.
    pub fn new() -> Self {
        let node = [NODE, REGISTRY, TOMBSTONES, PEERS];
        let taken = node.into_iter().map(|prefix| {
            let owner = Owner { local: Local::NODE, purpose: prefix.purpose() };
            ((prefix.space(), prefix.as_slice().to_vec()), owner)
        });
        Self { taken: taken.collect() }
    }

    /// Claims all prefixes of a group and of the state epoch under which its data lies. On an error nothing is claimed.
    pub fn claim_group(&mut self, local: Local, epoch: u64) -> Result<(), Clash> {
        let wanted = [
            prefix::hard_state(local),
            prefix::snapshot_meta(local),
            prefix::log(local),
            prefix::state_data(local, epoch),
            prefix::state_applied(local, epoch),
            prefix::staging(local, epoch),
        ];
        for (at, prefix) in wanted.iter().enumerate() {
            if let Err(clash) = self.claim(local, prefix.space(), prefix.as_slice()) {
                for done in wanted.iter().take(at) {
                    self.taken.remove(&(done.space(), done.as_slice().to_vec()));
                }
                return Err(clash);
            }
        }
        Ok(())
    }

    /// Claims the keys of `space` that begin with `bytes` for a group.
    pub fn claim(&mut self, local: Local, space: Space, bytes: &[u8]) -> Result<(), Clash> {
        let claimed = bytes.to_vec();
        if let Some(owner) = self.taken.get(&(space, claimed.clone())) {
            return Err(Clash::Equal { claimed, owner: *owner });
        }
        if let Some((taken, owner)) = self.nested(space, bytes) {
            return Err(Clash::Nested { claimed, taken, owner });
        }
        let Some(prefix) = Prefix::of_key(bytes).filter(|prefix| prefix.as_slice() == bytes && prefix.space() == space) else {
            return Err(Clash::Unknown { claimed });
        };
        if prefix.local() != local {
            return Err(Clash::CrossGroup { claimed, claimant: local, named: prefix.local() });
        }
        self.taken.insert((space, claimed), Owner { local, purpose: prefix.purpose() });
        Ok(())
    }

    /// Gives back everything of a group.
    pub fn release_group(&mut self, local: Local) {
        self.taken.retain(|_, owner| owner.local != local);
    }

    /// A claim that contains these bytes, or that lies within them.
    fn nested(&self, space: Space, bytes: &[u8]) -> Option<(Vec<u8>, Owner)> {
        let outer = (0..bytes.len()).filter_map(|end| bytes.get(..end)).find_map(|head| {
            let key = (space, head.to_vec());
            self.taken.get(&key).map(|owner| (key.1, *owner))
        });
        // Keys inside `bytes` sort right behind it.
        outer.or_else(|| {
            let next = self.taken.range((space, bytes.to_vec())..).next()?;
            (next.0.0 == space && next.0.1.starts_with(bytes)).then(|| (next.0.1.clone(), *next.1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::prefix::{hard_state, log, state_data};
    use proptest::prelude::*;

    #[test]
    fn equal_nested_and_cross_group_claims_are_refused() {
        let mut ledger = Prefixes::new();
        ledger.claim_group(Local(1), 7).unwrap();
        assert!(matches!(ledger.claim_group(Local(1), 7), Err(Clash::Equal { .. })));

        let log_of_1 = log(Local(1));
        let inside = log_of_1.key(&[0]);
        assert!(matches!(ledger.claim(Local(1), Space::Log, &inside), Err(Clash::Nested { .. })));
        assert!(matches!(ledger.claim(Local(1), Space::Log, &log_of_1.as_slice()[..3]), Err(Clash::Nested { .. })));
        assert!(matches!(ledger.claim(Local(2), Space::Log, log(Local(3)).as_slice()), Err(Clash::CrossGroup { .. })));
        assert!(matches!(ledger.claim(Local(2), Space::Log, &[0x7f]), Err(Clash::Unknown { .. })));
        assert!(
            matches!(ledger.claim(Local(2), Space::Log, hard_state(Local(2)).as_slice()), Err(Clash::Unknown { .. })),
            "wrong keyspace"
        );

        // A refused claim leaves nothing behind, a released one is free again.
        ledger.claim(Local(2), Space::State, state_data(Local(2), 1).as_slice()).unwrap();
        assert!(ledger.claim_group(Local(2), 1).is_err());
        ledger.claim(Local(2), Space::Log, log(Local(2)).as_slice()).unwrap();
        ledger.release_group(Local(1));
        ledger.claim_group(Local(1), 7).unwrap();
    }

    proptest! {
        /// Groups with different numbers never clash.
        #[test]
        fn groups_are_disjoint(locals in proptest::collection::btree_set(1u32.., 1..30), epoch in any::<u64>()) {
            let mut ledger = Prefixes::new();
            for local in locals {
                prop_assert_eq!(ledger.claim_group(Local(local), epoch), Ok(()));
            }
        }
    }
}
