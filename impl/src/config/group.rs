//! What a group is told at its birth, checked the same way whether it comes from a file, a request or code.

use std::{collections::BTreeSet, fmt};

use roadstead_spec::{GroupId, NodeId};

use super::error::{Invalid, Problem};

/// Members a group may have at most: the core keeps votes and progress for up to seven voters.
pub const MEMBERS_MAX: usize = 7;

/// Members below which a Byzantine protocol tolerates nothing: 3f + 1 with f = 1 (Castro & Liskov 1999, §2).
pub const PBFT_MEMBERS_MIN: usize = 4;

/// The protocol of a group. Only what is built can be named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Crash faults: any minority of the members may stop.
    Raft,
}

impl Protocol {
    /// The word in configuration, status and data folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raft => "raft",
        }
    }

    /// Chooses by the configured word (any letter case). Absent means `pbft`: a group that was never told otherwise must not get weaker
    /// guarantees than the word's absence promises, so there is no falling back.
    pub fn choose(word: Option<&str>, members: usize) -> Result<Self, Problem> {
        let asked = match word.map(str::to_ascii_lowercase).as_deref() {
            Some("raft") => return Ok(Self::Raft),
            Some("pbft") => "\"pbft\" is asked for",
            None => "absent means \"pbft\"",
            Some(_) => {
                let value = format!("{:?}", word.unwrap_or_default());
                return Err(Problem::OutOfRange { value, allowed: "\"raft\" (or \"pbft\" once it is built)".to_owned() });
            }
        };
        let because = if members < PBFT_MEMBERS_MIN {
            format!("pbft needs at least {PBFT_MEMBERS_MIN} members and this group has {members}")
        } else {
            format!("this version ({}) has no pbft yet", env!("CARGO_PKG_VERSION"))
        };
        Err(Problem::Protocol { asked, because })
    }
}

/// The state machine that a group replicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Keys and values with the semantics of etcd v3.
    Kv,
}

impl Service {
    /// What [`Service::parse`] understands.
    pub const ALLOWED: &'static str = "\"kv\"";

    /// The word in configuration and status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv",
        }
    }

    /// The service of this name.
    pub fn parse(word: &str) -> Option<Self> {
        (word == "kv").then_some(Self::Kv)
    }
}

/// A group as its members agreed on it. Two members that were told different things have different incarnations and never talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// Its number on the wire.
    pub id: GroupId,
    /// 1 at first; a higher one makes a new group under an id that was removed before.
    pub generation: u64,
    /// What it replicates.
    pub service: Service,
    /// How.
    pub protocol: Protocol,
    /// Who: ascending, each once, `1..=MEMBERS_MAX` of them.
    pub members: Vec<NodeId>,
}

/// A group as somebody wrote it: nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDraft<'d> {
    /// `id`.
    pub id: i64,
    /// `generation`, default 1.
    pub generation: Option<u64>,
    /// `service`, default `kv`.
    pub service: Option<&'d str>,
    /// `consensus_protocol`.
    pub protocol: Option<&'d str>,
    /// `members`, in any order.
    pub members: &'d [u32],
}

impl GroupDraft<'_> {
    /// Checks everything that does not depend on the node. The key of an error is the bare key, such as `members`.
    pub fn check(&self) -> Result<GroupConfig, Invalid> {
        let refuse = |key: &str, value: String, allowed: String| Invalid::new(key, Problem::OutOfRange { value, allowed });
        let id = i32::try_from(self.id).ok().and_then(GroupId::new);
        let id = id.ok_or_else(|| refuse("id", self.id.to_string(), format!("a whole number, 0 to {}", i32::MAX)))?;
        let generation = self.generation.unwrap_or(1);
        if generation == 0 {
            return Err(refuse("generation", "0".to_owned(), "a whole number from 1 on".to_owned()));
        }
        let word = self.service.unwrap_or("kv");
        let service = Service::parse(word).ok_or_else(|| refuse("service", format!("{word:?}"), Service::ALLOWED.to_owned()))?;
        let members = self.check_members()?;
        let protocol = Protocol::choose(self.protocol, members.len()).map_err(|problem| Invalid::new("consensus_protocol", problem))?;
        Ok(GroupConfig { id, generation, service, protocol, members })
    }

    fn check_members(&self) -> Result<Vec<NodeId>, Invalid> {
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            let value = format!("a list of {}", self.members.len());
            return Err(Invalid::new("members", Problem::OutOfRange { value, allowed: format!("1 to {MEMBERS_MAX} node ids") }));
        }
        let mut members = BTreeSet::new();
        for &member in self.members {
            if !NodeId(member).is_valid() {
                let allowed = format!("node ids, 1 to {}", i32::MAX);
                return Err(Invalid::new("members", Problem::OutOfRange { value: member.to_string(), allowed }));
            }
            if !members.insert(NodeId(member)) {
                return Err(Invalid::new("members", Problem::Duplicate { value: member.to_string() }));
            }
        }
        Ok(members.into_iter().collect())
    }
}

impl GroupConfig {
    /// Checks what depends on the node: it is a member, and it knows how to reach the others.
    pub fn check_on(&self, node: NodeId, has_address: impl Fn(NodeId) -> bool) -> Result<(), Invalid> {
        if !self.members.contains(&node) {
            let members = format!("{:?}", self.members.iter().map(|member| member.0).collect::<Vec<_>>());
            return Err(Invalid::new("members", Problem::NotAMember { node: node.0, members }));
        }
        match self.members.iter().find(|&&member| member != node && !has_address(member)) {
            Some(&member) => Err(Invalid::new("members", Problem::NoPeerAddress { member: member.0 })),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
