//! Hashing under other names: what a state's hash would be if its members were called otherwise, without making that state.
//!
//! In every hashed type of the core a node id, and nothing else, is a `u32`. So a hasher that replaces each `u32` by the node's name sees the renamed
//! state through derived `Hash`. Only where order comes from ids (sets of nodes, a leader's peers) is that not enough: `fingerprint` takes those apart.

use roadstead_spec::NodeId;
use std::hash::{Hash, Hasher};

/// Most nodes that a world names; ids are below it.
pub const IDS_MAX: usize = 16;

/// What each node is called, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names(pub [u64; IDS_MAX]);

impl Names {
    /// Everybody by its own id.
    pub const OWN: Self = {
        let mut names = [0; IDS_MAX];
        let mut id = 0;
        while id < IDS_MAX {
            names[id] = id as u64;
            id += 1;
        }
        Self(names)
    };

    /// A node's name.
    pub fn of(&self, id: NodeId) -> u64 {
        self.0.get(id.0 as usize).copied().unwrap_or(u64::MAX)
    }

    /// Calls a node something else.
    pub fn call(&mut self, id: NodeId, name: u64) {
        self.0[id.0 as usize] = name;
    }
}

/// Mixes two numbers: a 128-bit product folded (wyhash; Wang Yi).
#[inline]
pub const fn mix(a: u64, b: u64) -> u64 {
    let product = ((a ^ 0x9e37_79b9_7f4a_7c15) as u128).wrapping_mul((b ^ 0xe703_7ed1_a0b4_28db) as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A hasher under names. In order; what has no order is summed up by its caller.
pub struct Naming<'a> {
    names: &'a Names,
    hash: u64,
}

impl<'a> Naming<'a> {
    /// Begins a hash.
    pub const fn new(names: &'a Names) -> Self {
        Self { names, hash: 0x5bd1_e995_1234_5678 }
    }

    /// A node, by its name.
    pub fn node(&mut self, id: NodeId) {
        self.put(self.names.of(id));
    }

    /// A number as it is.
    #[inline]
    pub fn put(&mut self, number: u64) {
        self.hash = mix(self.hash.rotate_left(23), number);
    }
}

impl Hasher for Naming<'_> {
    fn finish(&self) -> u64 {
        mix(self.hash, 0x2545_f491_4f6c_dd1d)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.put(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.put(number.into());
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.put(number.into());
    }

    #[inline]
    fn write_u32(&mut self, id: u32) {
        self.node(NodeId(id));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.put(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.put(number as u64);
    }

    #[inline]
    fn write_isize(&mut self, number: isize) {
        self.put(number as u64);
    }
}

/// The hash of a value under names.
pub fn hash_of(names: &Names, value: &impl Hash) -> u64 {
    let mut naming = Naming::new(names);
    value.hash(&mut naming);
    naming.finish()
}
