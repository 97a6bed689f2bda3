//! The set of canonical states that were met.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

use crate::engine::random::mix;

/// Parts of the set. Each grows by itself, so that the memory for the old and the new table at once is needed for one part only; threads share them out.
const SHARDS: usize = 64;

/// Fingerprints, 8 bytes for each state and what the table needs beside.
pub(super) struct Visited {
    shards: Vec<Shard>,
}

/// One part of the set.
pub(super) type Shard = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// Fingerprints are mixed before they come here, so they are their own hashes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers of 64 bits are kept");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A fingerprint with its bits spread: a bijection, so nothing is lost, and a world may take any hash it likes.
pub(super) const fn spread(fingerprint: u64) -> u64 {
    mix(fingerprint)
}

/// The part in which a spread fingerprint belongs, by bits that the table inside does not look at.
const fn shard_of(fingerprint: u64) -> usize {
    (fingerprint >> 44) as usize % SHARDS
}

impl Visited {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    pub(super) fn contains(&self, fingerprint: u64) -> bool {
        self.shards[shard_of(fingerprint)].contains(&fingerprint)
    }

    /// The parts, shared out among `threads`.
    pub(super) fn share(&mut self, threads: usize) -> impl Iterator<Item = Share<'_>> {
        let each = SHARDS.div_ceil(threads);
        self.shards.chunks_mut(each).enumerate().map(move |(number, shards)| Share { first: number * each, shards })
    }
}

/// The parts of one thread.
pub(super) struct Share<'a> {
    first: usize,
    shards: &'a mut [Shard],
}

impl Share<'_> {
    /// Adds a fingerprint that belongs here and says whether it is new; one that belongs elsewhere is not.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        let shard = shard_of(fingerprint).wrapping_sub(self.first);
        self.shards.get_mut(shard).is_some_and(|shard| shard.insert(fingerprint))
    }
}
