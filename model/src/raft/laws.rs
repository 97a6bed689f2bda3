//! Every law of this world: those of `spec::invariants`, and those of whole histories.

use crate::Law;
use roadstead_spec::invariants::ALL;

/// Laws of whole histories and of disks. Those that have the id of a local law say the same over all time, or of the disk instead of the memory.
pub const OF_HISTORIES: [Law; 13] = [
    Law {
        id: "I-R4",
        statement: "a leader has every entry that was committed in an earlier term",
        source: "Raft paper fig. 3, Leader Completeness",
    },
    Law { id: "I-R6", statement: "what was committed is on a quorum of disks", source: "Raft paper §5.3" },
    Law {
        id: "I-R10",
        statement: "a vote that leaves is on the voter's disk, so nobody votes twice in a term",
        source: "Raft paper §5.2 and fig. 2",
    },
    Law { id: "I-R17b", statement: "nothing is applied that the local disk's log could lose", source: "Raft paper fig. 2" },
    Law { id: "I-N1", statement: "a snapshot that is streamed is a prefix of what was committed", source: "Raft paper §7" },
    Law { id: "I-N4", statement: "a restart begins with exactly what the disk holds", source: "Raft paper fig. 2, persistent state" },
    Law {
        id: "I-L1",
        statement: "what clients were told has a legal order: the register is linearizable",
        source: "Dissertation §6.3 and §6.4; Herlihy and Wing 1990",
    },
    Law {
        id: "I-L4",
        statement: "every entry is applied once and in order; what a client was refused is never committed",
        source: "Dissertation §6.3",
    },
    Law { id: "I-L5", statement: "a write that a client was told about is committed", source: "Dissertation §6.3" },
    Law {
        id: "I-V1",
        statement: "when faults stop, everybody soon follows one leader, and nobody's timer runs out any more",
        source: "Dissertation §9.6",
    },
    Law { id: "I-V2", statement: "when faults stop, a write is soon committed", source: "Raft paper §5.3" },
    Law {
        id: "I-V3",
        statement: "when faults stop, everybody soon applies what is committed, by log or by snapshot",
        source: "Raft paper §5.3 and §7",
    },
    Law { id: "I-V9", statement: "messages do not feed themselves: without timers they end", source: "Dissertation §9.6" },
];

const COUNT: usize = ALL.len() + OF_HISTORIES.len();

const JOINED: [Law; COUNT] = {
    let mut laws = [OF_HISTORIES[0]; COUNT];
    let mut at = 0;
    while at < ALL.len() {
        laws[at] = Law::of(&ALL[at]);
        at += 1;
    }
    while at < COUNT {
        laws[at] = OF_HISTORIES[at - ALL.len()];
        at += 1;
    }
    laws
};

/// Every law of this world.
pub const LAWS: &[Law] = &JOINED;
