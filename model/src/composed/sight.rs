//! What must be reached for the composed world's laws to mean something.

use crate::world::Sight;

/// All of them.
pub(super) const SIGHTS: &[Sight] = &[
    Sight { name: "both groups have a leader", twin_of: &["I-F2", "I-R1", "I-R9b", "I-R11", "I-R12"] },
    Sight { name: "two groups are led by different nodes", twin_of: &["I-F2"] },
    Sight { name: "one write carried frames of both groups", twin_of: &["I-F2", "I-D1"] },
    Sight { name: "one sync was for both groups", twin_of: &["I-F2"] },
    Sight { name: "a group committed", twin_of: &["I-F2", "I-R3", "I-R5", "I-R16", "I-R17", "I-N3"] },
    Sight { name: "a frame of another group was refused on a link of version 0", twin_of: &["I-W3"] },
    Sight { name: "a message came over version 0", twin_of: &["I-W3"] },
    Sight { name: "a frame found its member stopped", twin_of: &["I-D1"] },
    Sight { name: "a group went on after the other one had stopped on its node", twin_of: &["I-F2", "I-D4"] },
    Sight { name: "a connection broke with frames of both groups", twin_of: &["I-F2"] },
];

// Places in `SIGHTS`.

pub(super) const BOTH_LED: usize = 0;
pub(super) const APART: usize = 1;
pub(super) const COALESCED: usize = 2;
pub(super) const ONE_SYNC: usize = 3;
pub(super) const COMMITTED: usize = 4;
pub(super) const REFUSED: usize = 5;
pub(super) const LEGACY: usize = 6;
pub(super) const STOPPED: usize = 7;
pub(super) const WENT_ON: usize = 8;
pub(super) const BROKE: usize = 9;
