//! The configurations under which the two are compared: bounds of the world, and `tla/Agree.*.cfg`, which says the same to TLC.

use super::{
    judge::modules,
    module::BATCH_MAX,
    vector::{Member, Vector},
};
use roadstead_model::raft::{Bounds, Budget, Pace, PreVotes, TIGHT};
use roadstead_spec::{Term, raft::Limits};
use std::fs;

/// Bounds of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration {
    /// `tla/Agree.NAME.cfg`.
    pub(crate) name: &'static str,
    pub(crate) term_max: Term,
    /// Worlds under these bounds. What wants many timeouts and what wants a full network are reached by different ones: one that has both is too large.
    pub(crate) scopes: &'static [Bounds],
    /// Actions of the module that no transition makes under these bounds.
    pub(crate) absent: &'static [&'static str],
    /// What only the module reaches.
    pub(crate) unreached: &'static [Unreached],
}

/// Vectors that the module reaches and the world does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreached {
    /// The action of the module that makes them.
    pub(crate) action: &'static str,
    /// Why the world does not.
    pub(crate) why: &'static str,
    pub(crate) count: usize,
    pub(crate) is: fn(&Vector) -> bool,
}

pub(crate) const NOTHING: Budget = Bounds::SMALL.budget;

/// One entry per message, as `MaxBatch` has it; and a checkpoint cuts nothing off a log.
pub(crate) const LIMITS: Limits = Limits { slice_entries_max: BATCH_MAX as u32, keep_entries: 10, keep_entries_transfer: 10, ..TIGHT };

/// Two members, pre-votes message by message, disks that take as long as they like.
const TWO: Bounds =
    Bounds { voters: 2, limits: LIMITS, budget: NOTHING, crowd: 2, disk: Pace::Late, pre_votes: PreVotes::Steps, ..Bounds::SMALL };

/// Elections and their opening entries, in two terms.
pub(crate) const ELECTIONS: Configuration = Configuration {
    name: "elections",
    term_max: Term(2),
    scopes: &[
        Bounds { budget: Budget { timeouts: 4, heartbeats: 1, ..NOTHING }, ..TWO },
        Bounds { budget: Budget { timeouts: 3, heartbeats: 2, ..NOTHING }, crowd: 3, ..TWO },
    ],
    absent: &["Propose", "Restart"],
    unreached: &[],
};

/// One leader and two requests.
pub(crate) const REPLICATION: Configuration = Configuration {
    name: "replication",
    term_max: Term(1),
    scopes: &[Bounds { budget: Budget { timeouts: 2, heartbeats: 1, proposals: 2, ..NOTHING }, ..TWO }],
    absent: &["Restart"],
    unreached: &[],
};

/// A crash, after which a member knows what its state machine has stored.
pub(crate) const CRASH: Configuration = Configuration {
    name: "crash",
    term_max: Term(1),
    scopes: &[Bounds { budget: Budget { timeouts: 3, heartbeats: 1, crashes: 1, checkpoints: 1, ..NOTHING }, ..TWO }],
    absent: &["Propose", "RefuseAppend"],
    unreached: &[Unreached {
        action: "LearnTermOf",
        why: "a term that a crash took is told to nobody but who asks for a pre-vote that is refused; the module has it told to anybody",
        count: 1,
        is: |vector| vector.0.iter().all(|member| member.term == 1 && member.role == "Follower" && member.vote.is_none()),
    }],
};

/// Three members, whose pre-votes are asked and answered at once, on disks that take no time.
pub(crate) const THREE: Configuration = Configuration {
    name: "three",
    term_max: Term(1),
    scopes: &[Bounds { limits: LIMITS, budget: Budget { timeouts: 3, heartbeats: 1, ..NOTHING }, ..Bounds::SMALL }],
    absent: &["Propose", "Restart", "RefuseAppend", "LearnTermOf"],
    unreached: &[
        Unreached {
            action: "AskPreVote",
            why: "in this world who asks is answered at once: nobody is left asking while others could still grant",
            count: 12,
            is: |vector| vector.0.iter().any(is_asking),
        },
        Unreached {
            action: "Campaign",
            why: "for the same reason nobody campaigns on grants that were given before the granter campaigned itself",
            count: 1,
            is: |vector| vector.0.iter().all(|member| member.role == "Candidate"),
        },
    ],
};

/// Three members in two terms: the entries of two leaders conflict. Only steps are judged; TLC would take a quarter of an hour.
pub(crate) const CONFLICTS: Configuration = Configuration {
    name: "conflicts",
    term_max: Term(2),
    scopes: &[Bounds { limits: LIMITS, budget: Budget { timeouts: 2, proposals: 1, ..NOTHING }, crowd: 2, ..Bounds::SMALL }],
    absent: &["Restart"],
    unreached: &[],
};

fn is_asking(member: &Member) -> bool {
    member.role == "PreCandidate"
}

impl Configuration {
    /// Panics unless TLC's bounds are these.
    pub(crate) fn is_told_to_tlc(&self) {
        let path = modules().join(format!("Agree.{}.cfg", self.name));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let constant = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("= "));
            line.unwrap_or_else(|| panic!("{} names no {name}", path.display()))
        };
        for bounds in self.scopes {
            let Budget { proposals, crashes, .. } = bounds.budget;
            assert_eq!(constant("Node").split(',').count(), usize::from(bounds.voters), "{}", self.name);
            let expected = [
                ("PreVote", "TRUE".to_owned()),
                ("MaxBatch", bounds.limits.slice_entries_max.to_string()),
                ("MaxTerm", self.term_max.to_string()),
                ("MaxRequests", proposals.to_string()),
                ("MaxCrashes", crashes.to_string()),
                // A step down is judged, and not followed any further.
                ("MaxStepDowns", "0".to_owned()),
                ("MaxCompactions", "0".to_owned()),
                ("MaxReads", "0".to_owned()),
            ];
            for (name, value) in expected {
                assert_eq!(constant(name), value, "{name} of {}", path.display());
            }
        }
    }
}
