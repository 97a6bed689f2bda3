//! What a replay finds.

use crate::coverage::Coverage;
use roadstead_spec::{GroupId, Incarnation, NodeId};
use serde::Serialize;
use std::fmt;

/// What a run is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Rule {
    /// The records of a boot follow each other without a gap.
    Stream,
    /// Executed again, a step gives the recorded effects and state.
    Step,
    /// The laws of `spec::invariants`, and those of whole histories.
    Law,
    /// A gated send leaves only when its ticket is durable.
    Duty1,
    /// Writes become durable in order, and a crash loses a suffix only.
    Duty2,
    /// `Persisted` reports a mark that was synced in this boot.
    Duty3,
    /// Bytes and ids belong together.
    Duty4,
    /// Each effect once; commands in index order.
    Duty5,
    /// What is received was sent.
    Duty6,
    /// The dispatcher's steps, executed again, are the same; who hears something is registered.
    Dispatch,
    /// Both ends of a link agree, and what is received comes over one.
    Link,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "STREAM (records without a gap)",
            Self::Step => "STEP (executed again, it is the same)",
            Self::Law => "LAW",
            Self::Duty1 => "DUTY-1 (no gated send before its write is durable)",
            Self::Duty2 => "DUTY-2 (writes durable in order, a crash loses a suffix only)",
            Self::Duty3 => "DUTY-3 (persisted means synced)",
            Self::Duty4 => "DUTY-4 (bytes and ids belong together)",
            Self::Duty5 => "DUTY-5 (each effect once, commands in order)",
            Self::Duty6 => "DUTY-6 (received means sent)",
            Self::Link => "LINK (both ends speak one version; only who is linked is heard)",
            Self::Dispatch => "DISPATCH (to registered groups, and refused for a reason)",
        })
    }
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: Rule,
    /// How.
    pub why: String,
}

/// Shorthand: the rule holds, or this breaks it.
pub(crate) fn ensure(rule: Rule, holds: bool, why: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { rule, why: why() }) }
}

/// Why a run is rejected, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Name of the file.
    pub file: String,
    /// Number of the record within its boot.
    pub record: u64,
    /// Whose record.
    pub node: NodeId,
    /// Which group, if it is about one.
    pub group: Option<(GroupId, Incarnation)>,
    /// Which rule.
    pub rule: Rule,
    /// How it is broken.
    pub why: String,
    /// The last records of this group on this node, the rejected one last.
    pub story: Vec<String>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: record {} (node {}", self.file, self.record, self.node)?;
        if let Some((group, _)) = self.group {
            write!(f, ", group {group}")?;
        }
        writeln!(f, ")\n  breaks {}\n  {}", self.rule, self.why)?;
        if !self.story.is_empty() {
            writeln!(f, "  what came before it there:")?;
        }
        self.story.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// Counts of a replay.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Records that were judged.
    pub records: u64,
    /// Bytes that they take on disk.
    pub bytes: u64,
    /// Steps that were executed again.
    pub steps: u64,
    /// Nodes.
    pub nodes: usize,
    /// Starts of nodes.
    pub boots: usize,
    /// Starts that were compared with what the boot before must have left on the disk.
    pub recoveries: u64,
    /// Boots that ended without a last word: killed, or still running.
    pub killed: usize,
    /// Messages received from nodes whose traces are not here: whether they were sent is unknown.
    pub unwitnessed: u64,
    /// Messages that came in NuRaft's bodies, which do not carry enough to compare them with what was sent.
    pub translated: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Figures {
    /// Records per second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds.max(1e-9)
    }
}

/// The outcome of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the run conforms.
    pub conforms: bool,
    /// Why not.
    pub rejection: Option<Rejection>,
    /// What was judged.
    pub figures: Figures,
    /// What is worth knowing and breaks nothing.
    pub notes: Vec<String>,
    /// What the run made use of.
    pub coverage: Coverage,
}
