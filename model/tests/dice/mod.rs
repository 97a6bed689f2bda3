//! Randomness from a seed: the same seed, the same test.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Below `bound`, which is at least 1.
    pub(crate) fn roll(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// The numbers below `count` in some order.
    pub(crate) fn permutation(&mut self, count: u8) -> Vec<u8> {
        let mut order: Vec<u8> = (0..count).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, self.roll(at + 1));
        }
        order
    }
}
