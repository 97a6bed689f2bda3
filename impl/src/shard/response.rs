//! How a request ends.

use bytes::Bytes;
use roadstead_spec::{Index, NodeId, Term, wire::body};
use std::collections::BTreeMap;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// A write is durable on a quorum and applied here.
    Committed {
        /// Its entry's index.
        index: Index,
        /// Its entry's term.
        term: Term,
        /// The state machine's answer.
        answer: Bytes,
    },
    /// A query's answer.
    Answered {
        /// The state that answered had applied this far.
        applied: Index,
        /// Term of the entry there. Of a linearizable query it is the leader's: it confirms reads once an entry of its own is committed.
        term: Term,
        /// The state machine's answer.
        answer: Bytes,
    },
    /// Nothing has happened and nothing will: the request may be sent again.
    Rejected(Rejection),
    /// A write may have happened, or may still happen.
    Unknown {
        /// Why it is not known.
        why: String,
    },
}

/// Why nothing has happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Another node leads the group.
    #[error("this node does not lead the group; {}", leader.map_or("no leader is known, try again".into(), |id| format!("ask node {id}")))]
    NotLeader {
        /// Which, if this node knows.
        leader: Option<NodeId>,
    },
    /// The group is not on this node.
    #[error("the group is not on this node; `roadstead group list` shows what is")]
    NoSuchGroup,
    /// A queue is full.
    #[error("busy: {0}; try again")]
    Busy(&'static str),
    /// The command is larger than allowed.
    #[error("the command is larger than limits.max_entry_bytes ({limit})")]
    TooLarge {
        /// The most bytes that are allowed.
        limit: u32,
    },
    /// The group has stopped on this node.
    #[error("the group has stopped on this node: {0}")]
    GroupFailed(String),
    /// The node is about to end.
    #[error("the node is shutting down; ask another one")]
    ShuttingDown,
    /// The request makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// The time was over before anything was done.
    #[error("the deadline has passed; the group may have no leader, or its quorum may be out of reach")]
    DeadlineExceeded,
    /// Too little of a disk is free to take writes in. Reads go on.
    #[error("no space: node {node} keeps the rest of its disk as reserve; free room there, then try again (reads go on)")]
    NoSpace {
        /// The node whose disk it is.
        node: NodeId,
    },
    /// A quorum is out of reach because peers speak the legacy header, which carries group 0 only.
    #[error("{0}")]
    PeerIsLegacy(String),
}

impl Response {
    /// As it travels. `addresses` tells clients where the leader lives.
    pub(crate) fn as_wire<'a>(&'a self, addresses: &'a BTreeMap<NodeId, String>) -> body::ClientResponse<'a> {
        match self {
            Self::Committed { index, term, answer } => body::ClientResponse::Committed { index: *index, term: *term, bytes: answer },
            Self::Answered { applied, answer, .. } => body::ClientResponse::QueryResult { applied: *applied, bytes: answer },
            Self::Rejected(rejection) => body::ClientResponse::Rejected(rejection.as_wire(addresses)),
            Self::Unknown { why } => body::ClientResponse::Unknown { why },
        }
    }

    /// What became of a forwarded write, from a frame; `body` is the frame's, of which the answer becomes a part without a copy.
    pub(crate) fn from_wire(response: body::ClientResponse<'_>, body: &Bytes) -> Self {
        match response {
            body::ClientResponse::Committed { index, term, bytes } => Self::Committed { index, term, answer: body.slice_ref(bytes) },
            body::ClientResponse::QueryResult { .. } => Self::Unknown { why: "the leader answered a write as if it were a query".into() },
            body::ClientResponse::Rejected(rejection) => Self::Rejected(Rejection::from_wire(rejection)),
            body::ClientResponse::Unknown { why } => Self::Unknown { why: why.into() },
        }
    }
}

impl Rejection {
    /// These peers speak the legacy header: refused by name, with what to do.
    pub(crate) fn peer_is_legacy(peers: &[NodeId]) -> Self {
        let names: Vec<String> = peers.iter().map(ToString::to_string).collect();
        let (nodes, speak) = if peers.len() == 1 { ("node", "speaks") } else { ("nodes", "speak") };
        Self::PeerIsLegacy(format!(
            "PeerIsLegacy: {nodes} {} {speak} the legacy header, which carries group 0 only; set `header = \"auto\"` there \
             (docs/operate.md, Switching headers)",
            names.join(", ")
        ))
    }

    fn as_wire<'a>(&'a self, addresses: &'a BTreeMap<NodeId, String>) -> body::Rejection<'a> {
        match self {
            Self::NotLeader { leader: None } => body::Rejection::NoLeader,
            Self::NotLeader { leader: Some(node) } => {
                let address = addresses.get(node).map_or("", String::as_str);
                body::Rejection::NotLeader { leader: Some(body::LeaderHint { node: *node, address }) }
            }
            Self::NoSuchGroup => body::Rejection::NoSuchGroup,
            Self::Busy(_) => body::Rejection::Busy,
            Self::TooLarge { limit } => body::Rejection::TooLarge { limit: *limit },
            Self::GroupFailed(reason) => body::Rejection::GroupFailed(reason),
            Self::ShuttingDown => body::Rejection::ShuttingDown,
            Self::Malformed(why) => body::Rejection::Malformed(why),
            Self::DeadlineExceeded => body::Rejection::DeadlineExceeded,
            Self::NoSpace { node } => body::Rejection::NoSpace { node: *node },
            Self::PeerIsLegacy(why) => body::Rejection::PeerIsLegacy(why),
        }
    }

    fn from_wire(rejection: body::Rejection<'_>) -> Self {
        match rejection {
            body::Rejection::NotLeader { leader } => Self::NotLeader { leader: leader.map(|hint| hint.node) },
            body::Rejection::NoLeader => Self::NotLeader { leader: None },
            body::Rejection::NoSuchGroup => Self::NoSuchGroup,
            body::Rejection::Busy => Self::Busy("another node has no room"),
            body::Rejection::TooLarge { limit } => Self::TooLarge { limit },
            body::Rejection::GroupFailed(reason) => Self::GroupFailed(reason.into()),
            body::Rejection::ShuttingDown => Self::ShuttingDown,
            body::Rejection::Malformed(why) => Self::Malformed(why.into()),
            body::Rejection::DeadlineExceeded => Self::DeadlineExceeded,
            body::Rejection::NoSpace { node } => Self::NoSpace { node },
            body::Rejection::PeerIsLegacy(why) => Self::PeerIsLegacy(why.into()),
        }
    }
}
