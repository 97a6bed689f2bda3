//! When each sight was first seen.

use crate::Seen;

/// Sights that a [`Seen`] can hold.
const SIGHTS_MAX: usize = 64;
/// Stands for a sight that was not seen.
const NEVER: u32 = u32::MAX;

/// The least number of steps after which each sight was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSeen([u32; SIGHTS_MAX]);

impl Default for FirstSeen {
    fn default() -> Self {
        Self([NEVER; SIGHTS_MAX])
    }
}

impl FirstSeen {
    /// Notes what the step to `depth` saw.
    pub fn note(&mut self, seen: Seen, depth: u32) {
        let mut bits = seen.0;
        while bits != 0 {
            let sight = bits.trailing_zeros() as usize;
            self.0[sight] = self.0[sight].min(depth);
            bits &= bits - 1;
        }
    }

    /// Adds what another part of the search saw.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).min(theirs);
        }
    }

    /// The depth at which a sight was first seen.
    pub fn depth(&self, sight: usize) -> Option<u32> {
        self.0.get(sight).copied().filter(|depth| *depth != NEVER)
    }
}
