//! What a walk prefers.

use crate::engine::random::Random;

/// The weight of each kind of action in one walk; a kind of weight 0 is left out.
pub(super) struct Swarm(Vec<u32>);

/// Weights are powers of two from 1 to 2^SPREAD: what is rare in one walk is the rule in another.
const SPREAD: u32 = 6;

impl Swarm {
    pub(super) fn of(kinds: usize) -> Self {
        Self(vec![1; kinds])
    }

    /// Draws anew. Half of the walks take every kind; the others leave out each kind with a chance of one in four, so that a budget which the missing kinds
    /// would use up is left to the rest.
    pub(super) fn draw(&mut self, random: &mut Random) {
        let complete = random.below(2) == 0;
        for weight in &mut self.0 {
            *weight = 1 << random.below(SPREAD + 1);
            if random.below(4) == 0 && !complete {
                *weight = 0;
            }
        }
    }

    /// Picks one of the actions of these kinds, by weight; none if all of them are left out.
    pub(super) fn pick(&self, random: &mut Random, kinds: impl Iterator<Item = usize> + Clone) -> Option<usize> {
        let total: u32 = kinds.clone().map(|kind| self.0[kind]).sum();
        if total == 0 {
            return None;
        }
        let mut left = random.below(total);
        kinds.into_iter().position(|kind| {
            let weight = self.0[kind];
            let picked = left < weight;
            left = left.wrapping_sub(weight);
            picked
        })
    }
}
