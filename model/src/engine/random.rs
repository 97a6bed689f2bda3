//! Random numbers that stay the same for ever: a seed in a document means the same walk with every version of every dependency.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): one addition and one finalizer per number.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The numbers of one walk of a run.
    pub(super) const fn of(seed: u64, walk: u64) -> Self {
        // Finalized twice, so that neighbouring seeds and neighbouring walks do not walk along the same sequence.
        Self(mix(mix(seed.wrapping_add(GOLDEN_GAMMA)) ^ walk.wrapping_mul(GOLDEN_GAMMA)))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mix(self.0)
    }

    /// A number in `0..end`, by multiplication: its bias, `end` in 2^32, is far below what a walk can notice.
    pub(super) const fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * end as u64) >> 32) as u32
    }
}

/// The finalizer: a bijection of 64 bits, each bit of the result depends on all bits of the argument.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
