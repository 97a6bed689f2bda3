//! How requests end. Three ways for a write, and the difference matters: "no" may be tried again, "unknown" must be thought about.

use bytes::Bytes;
use roadstead_spec::wire::negotiation::Refusal;
use roadstead_spec::{GroupId, Index, NodeId, Term};
use thiserror::Error;

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a write that was rejected has not happened"]
pub enum Outcome {
    /// It is committed on a quorum of disks and applied.
    Committed {
        /// Its entry's index.
        index: Index,
        /// Its entry's term.
        term: Term,
        /// The state machine's answer.
        answer: Bytes,
    },
    /// It has not happened and never will.
    Rejected {
        /// Why.
        reason: Rejected,
    },
    /// It may have happened, or may still happen. The client does not send it again: whether that does harm only its caller knows.
    Unknown {
        /// Why it is not known.
        why: Unknown,
    },
}

/// A query's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The state that answered had applied this far.
    pub applied: Index,
    /// The state machine's answer. It shares its memory with other answers of the same read: copy what is small and kept for long.
    pub bytes: Bytes,
}

/// Why nothing has happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejected {
    /// The time was over, and no attempt was under way.
    #[error("group {group}: there is no outcome in time, and nothing has happened; the last attempt: {last}")]
    TimedOut {
        /// The group asked.
        group: GroupId,
        /// What the last attempt ended with, in words.
        last: String,
    },
    /// No node has the group.
    #[error("group {group} is on none of the nodes; list them with `roadstead group list`, or add it with `roadstead group add`")]
    NoSuchGroup {
        /// The group asked.
        group: GroupId,
    },
    /// The request is larger than allowed.
    #[error("group {group}: the request is larger than the {limit} bytes allowed; split it, or raise `limits.max_entry_bytes`")]
    TooLarge {
        /// The group asked.
        group: GroupId,
        /// The most bytes that are allowed.
        limit: u32,
    },
    /// The request makes no sense to the node.
    #[error("group {group}: the node cannot read the request ({why}); check that client and node are of one release")]
    Malformed {
        /// The group asked.
        group: GroupId,
        /// The node's words.
        why: String,
    },
    /// The node gave the request up before proposing it.
    #[error(
        "group {group}: the request waited on the node until its time was over, and it has not happened; the cluster is overloaded or has no quorum"
    )]
    DeadlineExceeded {
        /// The group asked.
        group: GroupId,
    },
    /// Too little of a disk is free to take writes in. It says so at once and is not tried again: room does not come within a request's time.
    #[error("group {group}: no space: node {node} keeps the rest of its disk as reserve; free room there, then write again (reads go on)")]
    NoSpace {
        /// The group asked.
        group: GroupId,
        /// The node whose disk it is.
        node: NodeId,
    },
    /// The nodes reached speak version 0, the legacy header, or their peers do: it carries writes to group 0 and nothing else.
    #[error("group {group}: {why}")]
    PeerIsLegacy {
        /// The group asked.
        group: GroupId,
        /// Which nodes, and what to do.
        why: String,
    },
    /// The client was told of no node.
    #[error("the client has no endpoints; give it HOST:PORT of at least one node")]
    NoEndpoints,
}

/// Why it is not known whether a write happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unknown {
    /// The node says that it does not know.
    #[error("the node does not know whether the write happened: {0}; read the state before you write again")]
    Node(String),
    /// The connection ended while the request was under way.
    #[error("the connection ended while the write was under way ({0}); read the state before you write again")]
    ConnectionLost(String),
    /// No answer came in time.
    #[error("no answer came in time; the write may still happen: read the state before you write again")]
    TimedOut,
    /// An answer came that makes no sense.
    #[error(
        "the node's answer makes no sense ({0}); read the state before you write again, and check that client and node are of one release"
    )]
    Malformed(String),
}

/// Why there is no connection to a node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoLink {
    #[error("cannot connect to {address}: {why}")]
    Connect { address: String, why: String },
    #[error("{address} refused the client, or the client it: {refusal}")]
    Refused { address: String, refusal: Refusal },
}
