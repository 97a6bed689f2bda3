//! What goes into a turn and what comes out of it.

use super::{response::Response, timers::Millis};
use crate::{
    applier::{self, GroupKey},
    port::{CloseReason, ConnId},
    store::{self, entry::Entry, submission::Submission},
    trace::Dump,
};
use bytes::Bytes;
use roadstead_spec::{GroupId, Incarnation, Index, NodeId, trace::Linked, wire::body::Consistency};

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyTo {
    /// A native client of this node's port.
    Client {
        /// Its connection.
        conn: ConnId,
        /// The request's number on that connection.
        request: u64,
    },
    /// A member that forwarded a request of one of its clients.
    Peer {
        /// The member.
        node: NodeId,
        /// Its boot nonce when it asked.
        boot: u64,
        /// The life of the group that it asked.
        incarnation: Incarnation,
        /// Its number for the request.
        request: u64,
    },
    /// A caller in this process.
    Local(u64),
    /// Somebody with the legacy header: a client, or a member that forwarded a write.
    Legacy {
        /// The connection that the request came on, and the answer goes back on.
        conn: ConnId,
        /// Names the request within this node.
        number: u64,
    },
}

/// What a client wants, in bytes of the group's state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Replicate a command and apply it.
    Write(Bytes),
    /// Ask the state machine; changes nothing.
    Query {
        /// The question.
        bytes: Bytes,
        /// How fresh the answer is.
        consistency: Consistency,
    },
}

/// A request of a client, whichever way it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// When the client stops waiting.
    pub deadline: Millis,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Entries that were asked of the log reader.
#[derive(Debug)]
pub struct LogRead {
    /// Whose log.
    pub key: GroupKey,
    /// What for.
    pub purpose: ReadFor,
    /// First index.
    pub from: Index,
    /// Most entries.
    pub entries_max: usize,
    /// Most payload bytes (at least one entry comes, however large).
    pub bytes_max: usize,
}

/// What log entries are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFor {
    /// To apply them.
    Apply,
    /// To send them to this member.
    Send(NodeId),
}

/// An input of a turn.
#[derive(Debug)]
pub enum Input {
    /// Frames of a peer that arrived with one read.
    PeerFrames {
        /// The peer.
        peer: NodeId,
        /// In order.
        frames: Vec<crate::port::Frame>,
    },
    /// The connection to a peer stands.
    PeerUp(NodeId),
    /// A connection with a peer was negotiated, whichever side dialled; before anything that it carries. For the records only.
    Linked(Linked),
    /// It broke: what was in flight may be lost.
    PeerDown(NodeId),
    /// Requests of a native client that arrived with one read.
    ClientFrames {
        /// Its connection.
        conn: ConnId,
        /// In order.
        frames: Vec<crate::port::Frame>,
    },
    /// A connection to a peer stands that speaks version 0: it carries group 0.
    LegacyUp {
        /// The peer.
        peer: NodeId,
        /// The connection, which we dialled.
        conn: ConnId,
    },
    /// It broke: what was in flight may be lost.
    LegacyDown {
        /// The peer.
        peer: NodeId,
        /// The connection.
        conn: ConnId,
    },
    /// Version 0 requests of a peer that arrived with one read.
    LegacyRequests {
        /// The peer.
        peer: NodeId,
        /// The connection, which it dialled: the answers go back on it.
        conn: ConnId,
        /// In order.
        frames: Vec<crate::port::Frame>,
    },
    /// Version 0 answers of a peer that arrived with one read.
    LegacyAnswers {
        /// The peer.
        peer: NodeId,
        /// The connection, which we dialled.
        conn: ConnId,
        /// In order.
        frames: Vec<crate::port::Frame>,
    },
    /// A connection that somebody else dialled is gone.
    Gone(ConnId),
    /// A request from within this process.
    Local {
        /// Whose group.
        group: GroupId,
        /// What to do.
        request: Request,
    },
    /// Writes that are durable.
    Durable(Vec<store::submission::Completion>),
    /// What the applier did.
    Done(Vec<applier::Done>),
    /// Entries that were read.
    LogRead {
        /// The question.
        read: LogRead,
        /// The entries from `read.from` on, possibly fewer than asked for.
        entries: Result<Vec<Entry>, String>,
    },
}

/// What a turn wants done, in this order: `trace` before anything that it tells of, then `submissions` (the disk works while frames travel), then frames,
/// then jobs.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Records of what happened, for the trace file; empty if there is none.
    pub trace: Vec<u8>,
    /// For the storage thread.
    pub submissions: Vec<Submission>,
    /// One buffer of frames per peer.
    pub peers: Vec<(NodeId, Vec<u8>)>,
    /// Answers, one buffer per client connection.
    pub clients: Vec<(ConnId, Answers)>,
    /// Version 0 requests, one buffer per connection that we dialled.
    pub legacy_requests: Vec<LegacyFrames>,
    /// Version 0 answers, one buffer per connection that a peer dialled.
    pub legacy_answers: Vec<LegacyFrames>,
    /// Connections to be closed, after what is sent.
    pub closes: Vec<(ConnId, CloseReason)>,
    /// For the applier.
    pub jobs: Vec<applier::Job>,
    /// For the log reader.
    pub log_reads: Vec<LogRead>,
    /// Answers for callers in this process.
    pub local: Vec<(u64, Response)>,
    /// Lifecycle changes for the launcher.
    pub lifecycle: Vec<Lifecycle>,
    /// The last records, when a group has failed; they tell the turn up to there.
    pub dump: Option<Dump>,
}

/// Version 0 frames for one connection, and for no other: answers are matched by order.
#[derive(Debug)]
pub struct LegacyFrames {
    /// The peer.
    pub peer: NodeId,
    /// The connection.
    pub conn: ConnId,
    /// Whole frames.
    pub frames: Vec<u8>,
}

/// Answers for one client connection.
#[derive(Debug, Default)]
pub struct Answers {
    /// Whole frames.
    pub frames: Vec<u8>,
    /// How many.
    pub count: usize,
}

/// What became of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It runs.
    Opened(GroupId),
    /// It stopped for good, with the reason.
    Failed(GroupId, String),
    /// The state through this index is durable and the log compacted behind it, as somebody asked.
    SnapshotTaken(GroupId, Index),
    /// It is removed, and all its data is gone.
    Destroyed(GroupKey),
}

impl Outputs {
    /// The buffer of frames for `peer`.
    pub(crate) fn peer(&mut self, peer: NodeId) -> &mut Vec<u8> {
        buffer(&mut self.peers, peer)
    }

    /// The buffer for one more answer to a client.
    pub(crate) fn client(&mut self, conn: ConnId) -> &mut Vec<u8> {
        let answers = buffer(&mut self.clients, conn);
        answers.count += 1;
        &mut answers.frames
    }

    /// Gives a job of `key` to the applier.
    pub(crate) fn job(&mut self, key: GroupKey, work: applier::Work) {
        self.jobs.push(applier::Job::Group(key, work));
    }
}

/// Few peers and few clients have frames in one turn: the newest buffer is usually the right one, so the search runs backwards.
fn buffer<K: PartialEq, B: Default>(buffers: &mut Vec<(K, B)>, key: K) -> &mut B {
    let place = buffers.iter().rposition(|(other, _)| *other == key).unwrap_or_else(|| {
        buffers.push((key, B::default()));
        buffers.len() - 1
    });
    &mut buffers[place].1
}
