//! What must be reached for the store's laws to mean something.

use crate::world::Sight;

/// All of them.
pub(super) const SIGHTS: &[Sight] = &[
    Sight { name: "a crash lost a whole round", twin_of: &["I-F4"] },
    Sight { name: "a crash left a round that nobody had heard of", twin_of: &["I-F4"] },
    Sight { name: "a torn batch was cut off", twin_of: &["I-F4"] },
    Sight { name: "one round carried writes of two groups", twin_of: &["I-F4"] },
    Sight { name: "a vote was told", twin_of: &["DUTY-1", "DUTY-3"] },
    Sight { name: "an entry was told to be durable", twin_of: &["DUTY-1", "DUTY-3"] },
    Sight { name: "a vote waited for the witness", twin_of: &["I-S1"] },
    Sight { name: "another group went on while a vote waited for the witness", twin_of: &["I-S1"] },
    Sight { name: "a slot of the witness was torn, and the other one testified", twin_of: &["I-S1", "I-N4"] },
    Sight { name: "the witness refused a journal that had lost its tail", twin_of: &["I-S1"] },
    Sight { name: "a journal lost a round that the witness did not remember yet", twin_of: &["I-S1"] },
    Sight { name: "applied data was lost and recovered from the log", twin_of: &["DUTY-5"] },
    Sight { name: "a start found applied data", twin_of: &["DUTY-5"] },
    Sight { name: "a log was compacted", twin_of: &["I-N4"] },
    Sight { name: "a start found a compacted log", twin_of: &["I-N4"] },
    Sight { name: "a snapshot was installed", twin_of: &["I-N2"] },
    Sight { name: "a start completed an installation", twin_of: &["I-N2", "I-N4"] },
    Sight { name: "a start threw a staged snapshot away", twin_of: &["I-N4"] },
    Sight { name: "a group was removed", twin_of: &["I-D3", "I-D5"] },
    Sight { name: "a crash brought a group back whose tombstone was not durable", twin_of: &["I-D3"] },
    Sight { name: "a removed life was refused", twin_of: &["I-D3"] },
    Sight { name: "a later life began", twin_of: &["I-D5"] },
    Sight { name: "a removed group's data was deleted beside another group's", twin_of: &["I-D5"] },
    Sight { name: "an entry took another one's place", twin_of: &["I-F4"] },
];

// Places in `SIGHTS`.

pub(super) const LOST: usize = 0;
pub(super) const LEFT: usize = 1;
pub(super) const TORN: usize = 2;
pub(super) const TWO: usize = 3;
pub(super) const VOTED: usize = 4;
pub(super) const ACKED: usize = 5;
pub(super) const HELD: usize = 6;
pub(super) const NOT_HELD: usize = 7;
pub(super) const TORN_SLOT: usize = 8;
pub(super) const REFUSED: usize = 9;
pub(super) const UNNOTICED: usize = 10;
pub(super) const REAPPLIED: usize = 11;
pub(super) const APPLIED: usize = 12;
pub(super) const COMPACTED: usize = 13;
pub(super) const COMPACTED_START: usize = 14;
pub(super) const INSTALLED: usize = 15;
pub(super) const COMPLETED: usize = 16;
pub(super) const UNSTAGED: usize = 17;
pub(super) const REMOVED: usize = 18;
pub(super) const BACK: usize = 19;
pub(super) const BURIED: usize = 20;
pub(super) const NEW_LIFE: usize = 21;
pub(super) const DESTROYED: usize = 22;
pub(super) const OVERWRITTEN: usize = 23;
