//! How members agree on a group's life without talking: each computes the same number from what it was told.

use super::hello::ClusterId;
use crate::{GroupId, Incarnation, NodeId};
use alloc::vec::Vec;

/// FNV-1a, 64 bits: offset basis and prime of Fowler, Noll and Vo.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The incarnation of a group: FNV-1a (64 bits) over cluster (16 bytes), group (4), generation (8), number of members (4) and their ids in
/// ascending order (4 each), all little-endian.
///
/// It tells honest mistakes apart (two members configured differently, a group that was created anew); it is no defence against a forger.
/// `members` may come in any order; a repeated id counts once.
pub fn incarnation(cluster: ClusterId, group: GroupId, generation: u64, members: &[NodeId]) -> Incarnation {
    let mut members: Vec<NodeId> = members.to_vec();
    members.sort_unstable();
    members.dedup();
    let mut hash = fnv(FNV_BASIS, &cluster.0.to_le_bytes());
    hash = fnv(hash, &group.get().to_le_bytes());
    hash = fnv(hash, &generation.to_le_bytes());
    hash = fnv(hash, &(members.len() as u32).to_le_bytes());
    Incarnation(members.iter().fold(hash, |hash, member| fnv(hash, &member.0.to_le_bytes())))
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv(FNV_BASIS, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(FNV_BASIS, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(FNV_BASIS, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn members_agree_whatever_order_they_were_told_in_and_differ_on_anything_else() {
        let group = |id| GroupId::new(id).unwrap();
        let three = [NodeId(1), NodeId(2), NodeId(3)];
        let of = |cluster, id, generation, members: &[NodeId]| incarnation(ClusterId(cluster), group(id), generation, members);
        assert_eq!(of(1, 17, 0, &three), of(1, 17, 0, &[NodeId(3), NodeId(1), NodeId(2), NodeId(1)]));
        assert_eq!(of(1, 17, 0, &three), Incarnation(GOLDEN));
        let different = [
            of(1, 17, 0, &three),
            of(2, 17, 0, &three),
            of(1, 18, 0, &three),
            of(1, 17, 1, &three),
            of(1, 17, 0, &three[..2]),
            of(1, 17, 0, &[NodeId(1), NodeId(2), NodeId(4)]),
        ];
        assert_eq!(BTreeSet::from(different).len(), different.len());
    }

    /// Stored and sent: changing it separates a cluster from its own disks.
    const GOLDEN: u64 = 0x7c67_c303_91f5_6326;
}
