//! Bounds that several configurations and hunts share.

use super::{Bounds, Budget, Pace, PreVotes};
use roadstead_spec::{Term, raft::Limits};

/// Bounds with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What they allow, in words.
    pub words: &'static str,
    /// The bounds.
    pub bounds: Bounds,
}

/// Nothing may happen.
const NOTHING: Budget = Bounds::SMALL.budget;

/// Elections alone, on late disks, with a crash.
pub const ELECTIONS: Scope = Scope {
    words: "3 members, 2 terms, 1 crash, late disk",
    bounds: Bounds { budget: Budget { timeouts: 2, crashes: 1, ..NOTHING }, disk: Pace::Late, ..Bounds::SMALL },
};

/// Elections alone.
pub const ELECTIONS_3: Scope =
    Scope { words: "3 members, 3 terms", bounds: Bounds { budget: Budget { timeouts: 3, ..NOTHING }, ..Bounds::SMALL } };

/// Pre-votes message by message.
pub const PRE_VOTES: Scope = Scope {
    words: "3 members, 3 timeouts, 1 heartbeat, pre-votes message by message, crowd of 2",
    bounds: Bounds { budget: Budget { timeouts: 3, heartbeats: 1, ..NOTHING }, crowd: 2, pre_votes: PreVotes::Steps, ..Bounds::SMALL },
};

/// Two leaders and some entries.
pub const REPLICATION: Scope = Scope {
    words: "3 members, 2 terms, 2 entries",
    bounds: Bounds { budget: Budget { timeouts: 2, proposals: 2, ..NOTHING }, ..Bounds::SMALL },
};

/// Three leaders and two entries.
pub const REPLICATION_3: Scope = Scope {
    words: "3 members, 3 terms, 2 entries, crowd of 2",
    bounds: Bounds { budget: Budget { timeouts: 3, proposals: 2, ..NOTHING }, crowd: 2, ..Bounds::SMALL },
};

/// Three leaders and an entry, a message twice.
pub const CONFLICTS: Scope = Scope {
    words: "3 members, 3 terms, 1 entry, 1 duplicate, crowd of 2",
    bounds: Bounds { budget: Budget { timeouts: 3, proposals: 1, duplicates: 1, ..NOTHING }, crowd: 2, ..Bounds::SMALL },
};

/// A crash that loses what was not synced.
pub const CRASH: Scope = Scope {
    words: "3 members, 2 terms, 1 entry, 1 crash, late disk, crowd of 1",
    bounds: Bounds { budget: Budget { timeouts: 2, proposals: 1, crashes: 1, ..NOTHING }, crowd: 1, disk: Pace::Late, ..Bounds::SMALL },
};

/// Two crashes of two members, each of which every decision needs.
pub const CRASHES_2: Scope = Scope {
    words: "2 members, 2 terms, 2 entries, 2 crashes, late disk, crowd of 2",
    bounds: Bounds {
        voters: 2,
        budget: Budget { timeouts: 2, proposals: 2, crashes: 2, ..NOTHING },
        crowd: 2,
        disk: Pace::Late,
        ..Bounds::SMALL
    },
};

/// As [`REPLICATION_3`], with a fuller network.
pub const DEEP_REPLICATION: Scope = Scope {
    words: "3 members, 3 terms, 2 entries",
    bounds: Bounds { budget: Budget { timeouts: 3, proposals: 2, ..NOTHING }, ..Bounds::SMALL },
};

/// Three leaders, an entry and a crash.
pub const DEEP_CRASH: Scope = Scope {
    words: "3 members, 3 terms, 1 entry, 1 crash, late disk",
    bounds: Bounds { budget: Budget { timeouts: 3, proposals: 1, crashes: 1, ..NOTHING }, disk: Pace::Late, ..Bounds::SMALL },
};

/// One member alone.
pub const ALONE: Scope = Scope {
    words: "1 member, 2 entries, 2 crashes, late disk and state machine",
    bounds: Bounds {
        voters: 1,
        budget: Budget { timeouts: 3, proposals: 2, reads: 1, crashes: 2, checkpoints: 1, calms: 1, ..NOTHING },
        disk: Pace::Late,
        machine: Pace::Late,
        clients: true,
        ..Bounds::SMALL
    },
};

/// Reads.
pub const READS: Scope = Scope {
    words: "3 members, 2 terms, 1 entry, 1 read, crowd of 2",
    bounds: Bounds { budget: Budget { timeouts: 2, proposals: 1, reads: 1, ..NOTHING }, crowd: 2, ..Bounds::SMALL },
};

/// Snapshots and compaction.
pub const SNAPSHOTS: Scope = Scope {
    words: "3 members, 2 terms, 1 entry, 1 checkpoint, 1 heartbeat, crowd of 2",
    bounds: Bounds { budget: Budget { timeouts: 2, proposals: 1, checkpoints: 1, heartbeats: 1, ..NOTHING }, crowd: 2, ..Bounds::SMALL },
};

/// Messages of strangers.
pub const STRANGERS: Scope = Scope {
    words: "3 members, 2 terms, 2 messages of strangers",
    bounds: Bounds { budget: Budget { timeouts: 2, strangers: 2, ..NOTHING }, ..Bounds::SMALL },
};

/// Limits for walks: small, but not as small as can be.
const SNUG: Limits = Limits {
    inflight_messages_max: 2,
    inflight_entries_max: 4,
    slice_entries_max: 2,
    keep_entries: 1,
    keep_entries_transfer: 2,
    reads_max: 2,
};

/// Everything may happen, several times.
const WIDE_BUDGET: Budget = Budget {
    timeouts: 12,
    heartbeats: 16,
    proposals: 10,
    reads: 6,
    crashes: 4,
    drops: 10,
    duplicates: 6,
    checkpoints: 4,
    troubles: 2,
    strangers: 1,
    calms: 1,
};

const fn wide(voters: u8, words: &'static str) -> Scope {
    Scope {
        words,
        bounds: Bounds {
            voters,
            limits: SNUG,
            budget: WIDE_BUDGET,
            crowd: 10,
            disk: Pace::Late,
            machine: Pace::Late,
            clients: true,
            ..Bounds::SMALL
        },
    }
}

/// Walks of three members; pre-votes are answered at once, so that walks spend their steps elsewhere.
pub const WIDE_3: Scope = wide(3, "3 members, 12 timeouts, 10 entries, 4 crashes, everything late");
/// Walks of five.
pub const WIDE_5: Scope = wide(5, "5 members, 12 timeouts, 10 entries, 4 crashes, everything late");
/// Walks of four: half is no majority.
pub const WIDE_4: Scope = wide(4, "4 members, 12 timeouts, 10 entries, 4 crashes, everything late");
/// Walks of two.
pub const WIDE_2: Scope = wide(2, "2 members, 12 timeouts, 10 entries, 4 crashes, everything late");
/// Walks of one.
pub const WIDE_1: Scope = wide(1, "1 member, 12 timeouts, 10 entries, 4 crashes, everything late");

/// Pre-votes message by message, the smallest limits, members that stay down.
pub const STEPS_3: Scope = {
    let mut scope = wide(3, "3 members, pre-votes message by message, smallest limits, members stay down");
    scope.bounds.pre_votes = PreVotes::Steps;
    scope.bounds.limits = super::TIGHT;
    scope.bounds.stays_down = true;
    scope
};

/// The same with five members.
pub const STEPS_5: Scope = {
    let mut scope = wide(5, "5 members, pre-votes message by message, smallest limits, members stay down");
    scope.bounds.pre_votes = PreVotes::Steps;
    scope.bounds.limits = super::TIGHT;
    scope.bounds.stays_down = true;
    scope
};

/// Few elections, then faults stop: for mistakes that only block.
pub const CALM_3: Scope = {
    let mut scope = wide(3, "3 members, 4 timeouts, 4 entries, 2 crashes, then faults stop");
    scope.bounds.budget = Budget { timeouts: 4, proposals: 4, crashes: 2, drops: 8, heartbeats: 6, checkpoints: 3, calms: 1, ..NOTHING };
    scope.bounds.limits = super::TIGHT;
    scope
};

/// Terms that need more than 32 bits.
pub const LATE_TERMS: Scope = {
    let mut scope = REPLICATION;
    scope.words = "3 members, 2 terms from 2^32 on, 2 entries";
    scope.bounds.first_term = Term(u32::MAX as u64);
    scope
};

/// Figure 8's ground: several terms, few entries, the smallest appends. Disks take no time, so that the story is about nothing else.
pub const FIGURE_8: Scope = Scope {
    words: "3 members, 6 timeouts, 2 entries, one entry per append",
    bounds: Bounds {
        budget: Budget { timeouts: 6, proposals: 2, heartbeats: 4, drops: 6, ..NOTHING },
        limits: Limits { slice_entries_max: 1, ..super::TIGHT },
        crowd: 10,
        ..Bounds::SMALL
    },
};

/// Room for known stories.
pub const STORY: Scope = Scope {
    words: "3 members, 6 timeouts, 3 entries, 1 read, 2 crashes, late disk",
    bounds: Bounds {
        budget: Budget { timeouts: 6, proposals: 3, reads: 1, crashes: 2, heartbeats: 3, drops: 3, ..NOTHING },
        crowd: 12,
        disk: Pace::Late,
        ..Bounds::SMALL
    },
};

/// Histories of clients, judged as a whole.
pub const HISTORIES: Scope = {
    let mut scope = wide(3, "3 members, 8 timeouts, 5 writes, 5 reads, histories judged as a whole");
    scope.bounds.budget = Budget { proposals: 5, reads: 5, timeouts: 8, calms: 0, ..WIDE_BUDGET };
    scope.bounds.histories = true;
    scope
};
