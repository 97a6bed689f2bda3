//! What a node of many groups decides beside its groups, by name.

use super::state::{Frame, GROUPS, Node};
use roadstead_spec::{GroupId, wire::Version};

/// The decisions.
#[derive(Clone, Copy, Debug)]
pub struct Decisions {
    /// The group that a frame names on a connection; `None`: it is refused at the sender.
    pub names: fn(Version, group: u8) -> Option<u8>,
    /// The member that a frame is for.
    pub route: fn(&mut Node, Version, &Frame) -> Option<u8>,
    /// Which header the frames of one write get, from the groups that they are of.
    pub coalesces: fn(Vec<Frame>) -> Vec<Frame>,
    /// Which groups hear of a sync, from those that had written something.
    pub hears: fn(wrote: [bool; GROUPS]) -> [bool; GROUPS],
    /// Which groups stop when one does.
    pub stops: fn(group: u8) -> [bool; GROUPS],
    /// Whether a new term of one group becomes the term of the others on this node.
    pub shares_term: bool,
}

impl Decisions {
    /// As production decides (`impl/src/shard/frames.rs`, `impl/src/shard/send.rs`, `impl/src/store/rounds.rs`).
    pub const PRODUCTION: Self = Self {
        names: |version, group| match version {
            Version::Extended => Some(group),
            Version::Legacy => (group == 0).then_some(0),
        },
        route,
        coalesces: |frames| frames,
        hears: |wrote| wrote,
        stops: |group| std::array::from_fn(|other| other == usize::from(group)),
        shares_term: false,
    };
}

fn route(node: &mut Node, version: Version, frame: &Frame) -> Option<u8> {
    let group = group_id(frame.names);
    let found = match (version, frame.life) {
        (Version::Extended, Some(life)) => node.registry.route(group, life, 0),
        (Version::Extended, None) => return None,
        (Version::Legacy, _) => node.registry.route_any(GroupId::DEFAULT, 0),
    };
    found.ok().copied()
}

/// The group of this number.
pub(super) fn group_id(group: u8) -> GroupId {
    GroupId::new(group.into()).unwrap_or_default()
}
