//! Keys as the index holds them.

use std::{borrow::Borrow, cmp::Ordering};

/// Longest key that needs no allocation of its own.
const INLINE_MAX: usize = 22;

/// A key of 24 bytes, the bytes themselves in it if they are few: a search in the index then reads the nodes it passes and nothing else. Measured
/// with 16-byte keys, an allocation per key made puts a third slower and the index a third larger.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// Length, then the bytes; the rest is zero.
    Inline(u8, [u8; INLINE_MAX]),
    /// Copied, as a slice of the command's payload would keep all of that alive.
    Long(Box<[u8]>),
}

impl Key {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            // The length was taken from a slice that fitted.
            Self::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Self::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        let mut bytes = [0; INLINE_MAX];
        match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(inline), Ok(len)) => {
                inline.copy_from_slice(key);
                Self::Inline(len, bytes)
            }
            _ => Self::Long(key.into()),
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

// Equality and order are those of the bytes, as `Borrow` demands.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of all lengths around the bound are what they were made of, and sort as bytes.
    #[test]
    fn keys_are_their_bytes() {
        assert_eq!(size_of::<Key>(), 24);
        let mut keys: Vec<Vec<u8>> = (0..30).flat_map(|len| [vec![0; len], vec![1; len], vec![255; len]]).collect();
        keys.sort();
        for pair in keys.windows(2) {
            let [a, b] = [Key::from(&pair[0][..]), Key::from(&pair[1][..])];
            assert_eq!(a.as_bytes(), pair[0]);
            assert_eq!((a == b, a < b), (pair[0] == pair[1], pair[0] < pair[1]), "{pair:?}");
        }
    }
}
