//! Short names of bytes and states, to compare what should be the same.

use crate::raft::State;
use core::hash::{Hash, Hasher};
use serde::{Deserialize, Serialize};

/// Names the bytes of one entry (kind and payload), or a state. Against mix-ups, not against forgers.
///
/// FNV-1a, 64 bits, over words of eight bytes instead of bytes, so that it costs little beside the copy that the bytes go through anyway; each step also turns
/// the high bits, which a multiplication leaves alone, to where the next one reaches them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub u64);

impl Digest {
    /// Digest of an entry: its kind's number, its payload in little-endian words (the last one filled up with zeros), and the payload's length.
    pub fn of(kind: u8, payload: &[u8]) -> Self {
        let mut fold = Fold::default();
        fold.write_u8(kind);
        fold.write(payload);
        Self(fold.finish())
    }

    /// Digest of a state. The same in every build whose types are the same.
    pub fn of_state(state: &State) -> Self {
        let mut fold = Fold::default();
        state.hash(&mut fold);
        Self(fold.finish())
    }
}

/// The digest's arithmetic. Every number is one word whatever its width and the machine's byte order.
struct Fold(u64);

impl Default for Fold {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.write_u64(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let last = words.remainder().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(last);
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn a_digest_names_kind_and_bytes() {
        let different: &[(u8, &[u8])] =
            &[(0, b""), (1, b""), (1, b"\0"), (1, b"\0\0"), (1, b"12345678"), (1, b"12345678\0"), (1, b"12345679"), (1, b"\x0012345678")];
        let digests: BTreeSet<_> = different.iter().map(|(kind, payload)| Digest::of(*kind, payload)).collect();
        assert_eq!(digests.len(), different.len());
    }

    /// Recorded runs hold these: raise `FORMAT` with a change.
    #[test]
    fn the_arithmetic_is_fixed() {
        assert_eq!(Digest::of(1, b"twelve bytes"), Digest(0x531e_b144_dd2b_66c0));
    }

    /// "Every number is one word whatever its width."
    #[test]
    fn the_width_of_a_number_does_not_count() {
        let fold = |write: &dyn Fn(&mut Fold)| {
            let mut fold = Fold::default();
            write(&mut fold);
            fold.finish()
        };
        let word = fold(&|fold| fold.write_u64(200));
        assert_ne!(word, fold(&|_| ()));
        let narrow: [&dyn Fn(&mut Fold); 5] = [
            &|fold| fold.write_u8(200),
            &|fold| fold.write_u16(200),
            &|fold| fold.write_u32(200),
            &|fold| fold.write_usize(200),
            &|fold| fold.write_isize(200),
        ];
        assert!(narrow.iter().all(|write| fold(write) == word));
    }
}
