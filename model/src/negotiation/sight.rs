//! What must be reached for the negotiation's laws to mean something.

use crate::world::Sight;

/// All of them.
pub(super) const SIGHTS: &[Sight] = &[
    Sight { name: "version 1 was agreed", twin_of: &["I-W1", "I-W2", "I-W8"] },
    Sight { name: "version 0 was agreed", twin_of: &["I-W1", "I-W2"] },
    Sight { name: "a client got version 1", twin_of: &["I-W2"] },
    Sight { name: "NuRaft answered an offer", twin_of: &["I-W4"] },
    Sight { name: "ends without a common version parted", twin_of: &["I-W2"] },
    Sight { name: "another nonce was refused", twin_of: &["I-W9"] },
    Sight { name: "another data folder was refused", twin_of: &["I-W8"] },
    Sight { name: "a remembered data folder was met again", twin_of: &["I-W8"] },
    Sight { name: "another node was refused", twin_of: &["I-W8"] },
    Sight { name: "another cluster was refused", twin_of: &["I-W8"] },
    Sight { name: "the other end's refusal was heard", twin_of: &["I-W10"] },
    Sight { name: "damage was noticed", twin_of: &["I-W6"] },
    Sight { name: "a frame that is too large was refused", twin_of: &["I-W7"] },
    Sight { name: "a request of the default group arrived", twin_of: &["I-W3", "I-W4", "I-W6"] },
    Sight { name: "a request of another group arrived", twin_of: &["I-W3", "I-W6"] },
    Sight { name: "a request of another group was refused at its sender", twin_of: &["I-W3"] },
    Sight { name: "a second answer of version 0 arrived", twin_of: &["I-W5"] },
    Sight { name: "answers became ready in another order than their requests", twin_of: &["I-W5"] },
    Sight { name: "a later connection was answered while an earlier answer is known", twin_of: &["I-W9"] },
    Sight { name: "two connections lived at once", twin_of: &["I-W9"] },
    Sight { name: "a hello was cut", twin_of: &["I-W4"] },
    Sight { name: "a connection on which an answer without a nonce was mixed up ended with its first frame", twin_of: &["I-W9"] },
    Sight { name: "a node that is no peer was refused", twin_of: &["I-W8"] },
    Sight { name: "a request of version 0 that found no place ended its connection", twin_of: &["I-W5"] },
];

// Places in `SIGHTS`.

pub(super) const EXTENDED: usize = 0;
pub(super) const LEGACY: usize = 1;
pub(super) const CLIENT: usize = 2;
pub(super) const NURAFT: usize = 3;
pub(super) const NO_VERSION: usize = 4;
pub(super) const NONCE: usize = 5;
pub(super) const STORE: usize = 6;
pub(super) const SAME_STORE: usize = 7;
pub(super) const NODE: usize = 8;
pub(super) const CLUSTER: usize = 9;
pub(super) const BY_PEER: usize = 10;
pub(super) const DAMAGED: usize = 11;
pub(super) const BOUND: usize = 12;
pub(super) const DEFAULT_GROUP: usize = 13;
pub(super) const OTHER_GROUP: usize = 14;
pub(super) const NOT_CARRIED: usize = 15;
pub(super) const SECOND_ANSWER: usize = 16;
pub(super) const OUT_OF_ORDER: usize = 17;
pub(super) const RECORDED: usize = 18;
pub(super) const TWO: usize = 19;
pub(super) const CUT: usize = 20;
pub(super) const NONCELESS: usize = 21;
pub(super) const STRANGER: usize = 22;
pub(super) const NO_PLACE: usize = 23;
