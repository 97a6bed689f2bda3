//! What must be reached for the dispatcher's laws to mean something.

use crate::world::Sight;

/// All of them.
pub(super) const SIGHTS: &[Sight] = &[
    Sight { name: "a frame of an earlier life was refused while a later one was registered", twin_of: &["I-D1", "I-D7"] },
    Sight { name: "a frame was handled by a later life of its group", twin_of: &["I-D1"] },
    Sight { name: "a frame of an unknown group was answered", twin_of: &["I-D2"] },
    Sight { name: "a group stopped between the reading and the posting of its frame", twin_of: &["I-D7"] },
    Sight { name: "a group stopped while messages waited", twin_of: &["I-D7"] },
    Sight { name: "a message was handled while the call that stops its group was under way", twin_of: &["I-D7"] },
    Sight { name: "a mailbox was full", twin_of: &["I-D4"] },
    Sight { name: "a client heard that a group is busy", twin_of: &["I-D4"] },
    Sight { name: "a taken number was refused", twin_of: &["I-D3"] },
    Sight { name: "a removed life was refused", twin_of: &["I-D3"] },
    Sight { name: "a link without group numbers was refused an ordinary group", twin_of: &["I-W3"] },
    Sight { name: "a frame without an incarnation was handled", twin_of: &["I-W3"] },
    Sight { name: "a frame under a wrong name closed its connection", twin_of: &["DUTY-6"] },
    Sight { name: "a group failed beside a running one", twin_of: &["I-D4"] },
    Sight { name: "two messages of one stream were handled", twin_of: &["I-D6"] },
    Sight { name: "frames of the default group met its second life on a link without incarnations", twin_of: &["I-D1"] },
];

// Places in `SIGHTS`.

pub(super) const OLD_REFUSED: usize = 0;
pub(super) const LATER_LIFE: usize = 1;
pub(super) const UNKNOWN: usize = 2;
pub(super) const STOPPED_BEFORE_POST: usize = 3;
pub(super) const STOPPED_WITH_MAIL: usize = 4;
pub(super) const HANDLED_WHILE_STOPPING: usize = 5;
pub(super) const FULL: usize = 6;
pub(super) const BUSY: usize = 7;
pub(super) const TAKEN: usize = 8;
pub(super) const REMOVED: usize = 9;
pub(super) const NOT_CARRIED: usize = 10;
pub(super) const LEGACY: usize = 11;
pub(super) const FORGED: usize = 12;
pub(super) const FAILED: usize = 13;
pub(super) const STREAM: usize = 14;
pub(super) const LEGACY_OLD: usize = 15;
