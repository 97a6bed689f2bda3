//! Mistakes of a node that hosts many groups.

use super::{decisions::Decisions, state::GROUPS};
use crate::mistake::Mistake;
use roadstead_spec::wire::Version;

const OURS: &str = "the port's own class";

/// All of them; those without laws are controls.
pub const ALL: &[Mistake<Decisions>] = &[
    Mistake {
        id: "B-W1-composed",
        mechanism: "over version 0 every group's frames go out, as the default group's",
        source: OURS,
        laws: &["I-W3"],
        put_in: |decisions| decisions.names = |version, group| Some(if version == Version::Legacy { 0 } else { group }),
    },
    Mistake {
        id: "B-Q10-composed",
        mechanism: "a frame goes to the first group, whatever its header says",
        source: "dragonboat's replica ids; NuRaft#504, #640",
        laws: &["I-F2"],
        put_in: |decisions| decisions.route = |_, _, _| Some(0),
    },
    Mistake {
        id: "B-F21-coalesced",
        mechanism: "all frames of one write get the first one's header",
        source: "ResilientDB pull request 212 (a message with another's header; class)",
        laws: &["I-D1"],
        put_in: |decisions| {
            decisions.coalesces = |mut frames| {
                let first = frames.first().map(|frame| (frame.names, frame.life));
                for frame in &mut frames {
                    (frame.names, frame.life) = first.unwrap_or((frame.names, frame.life));
                }
                frames
            }
        },
    },
    Mistake {
        id: "B-Q08-composed",
        mechanism: "one group that stops takes the others with it",
        source: "dragonboat#191; openraft#1810; sofa-jraft#830",
        laws: &["I-D4"],
        put_in: |decisions| decisions.stops = |_| [true; GROUPS],
    },
    Mistake {
        id: "B-C14-composed",
        mechanism: "one group's sync is not told to the others that wrote in the same round",
        source: "MartinKalema/horizontal-scaling-convex#156 (class)",
        laws: &["I-F2"],
        put_in: |decisions| decisions.hears = |wrote| [wrote[0], wrote[1] && !wrote[0]],
    },
    Mistake {
        id: "B-E04-composed",
        mechanism: "groups of a node share one term",
        source: "hashicorp/raft#661 (class)",
        laws: &["I-F2", "I-R16"],
        put_in: |decisions| decisions.shares_term = true,
    },
    Mistake {
        id: "control-sorted-writes",
        mechanism: "a write carries its frames group by group",
        source: "order between groups means nothing",
        laws: &[],
        put_in: |decisions| {
            decisions.coalesces = |mut frames| {
                frames.sort_by_key(|frame| frame.group);
                frames
            }
        },
    },
];
