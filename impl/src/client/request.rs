//! One request from its first attempt to its end: where to, whether to try again, when to stop.
//!
//! A write is sent again only when the attempt before certainly did nothing: the node said so, or not one byte of it left. A query is sent again in any case.

use super::link::{InFlight, Link, NotBegun, Reply};
use super::nodes::Nodes;
use super::outcome::{Answer, Outcome, Rejected, Unknown};
use super::target::Target;
use crate::port::Backoff;
use bytes::Bytes;
use roadstead_spec::wire::body::{ClientRequest, ClientResponse, Operation, Rejection};
use roadstead_spec::wire::legacy::ResultCode;
use roadstead_spec::wire::legacy::translate::{Asked, Heard, WriteOutcome};
use roadstead_spec::wire::{ExtendedHeader, LegacyResponse, WireError};
use roadstead_spec::{GroupId, Index, Term};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// First wait before another attempt.
const RETRY_MIN: Duration = Duration::from_millis(2);
/// Longest such wait: a new leader is found at most this late.
const RETRY_MAX: Duration = Duration::from_millis(200);

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) group: GroupId,
    pub(super) operation: Operation<'a>,
    pub(super) deadline: Instant,
}

/// How a request ended, whatever it was.
#[derive(Debug)]
pub(super) enum End {
    Committed { index: Index, term: Term, answer: Bytes },
    Answered(Answer),
    Rejected(Rejected),
    Unknown(Unknown),
}

/// What follows from one attempt.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Try the same node again, later.
    Again(String),
    /// Try another node: at once if it is `named` the leader, else later.
    Elsewhere { why: String, named: bool },
    /// This node does not have the group.
    NotHere,
    /// This node, or its peers, speak version 0, which has no room for the request.
    Legacy(String),
}

impl From<End> for Outcome {
    fn from(end: End) -> Self {
        match end {
            End::Committed { index, term, answer } => Self::Committed { index, term, answer },
            End::Rejected(reason) => Self::Rejected { reason },
            End::Unknown(why) => Self::Unknown { why },
            End::Answered(_) => Self::Unknown { why: Unknown::Malformed("a query's answer to a write".to_owned()) },
        }
    }
}

/// A request that is worked on.
pub(super) struct Attempts<'a> {
    nodes: &'a Nodes,
    target: &'a Target,
    request: Request<'a>,
    backoff: Backoff,
    /// Redirections in a row: the first is followed at once, then nodes that name each other are given time.
    redirected: u32,
    /// Nodes in a row that do not have the group, or cannot be asked for it.
    not_here: usize,
    /// Why the last of those that cannot be asked could not.
    legacy: Option<String>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(nodes: &'a Nodes, target: &'a Target, request: Request<'a>) -> Self {
        Self { nodes, target, request, backoff: Backoff::new(RETRY_MIN, RETRY_MAX), redirected: 0, not_here: 0, legacy: None }
    }

    /// Attempts until the end or the deadline.
    pub(super) async fn run(mut self) -> End {
        loop {
            let (wait, why) = match self.attempt().await {
                Ok(end) => return end,
                Err(Verdict::Legacy(why)) => {
                    self.legacy = Some(why);
                    match self.not_here() {
                        Some(end) => return end,
                        None => continue,
                    }
                }
                Err(Verdict::NotHere) => match self.not_here() {
                    Some(end) => return end,
                    None => continue,
                },
                Err(Verdict::Elsewhere { named: true, why }) => {
                    self.redirected += 1;
                    (self.redirected > 1, why)
                }
                Err(Verdict::Again(why) | Verdict::Elsewhere { why, .. }) => {
                    self.redirected = 0;
                    (true, why)
                }
            };
            (self.not_here, self.legacy) = (0, None);
            if wait {
                let until = Instant::now() + self.nodes.wait(&mut self.backoff);
                sleep(until.min(self.request.deadline).saturating_duration_since(Instant::now())).await;
            }
            if Instant::now() >= self.request.deadline {
                return self.timed_out(why);
            }
        }
    }

    /// One node more that cannot serve the request; the end once that is true of all.
    fn not_here(&mut self) -> Option<End> {
        self.not_here += 1;
        let group = self.request.group;
        (self.not_here >= self.nodes.len()).then(|| {
            End::Rejected(match self.legacy.take() {
                Some(why) => Rejected::PeerIsLegacy { group, why },
                None => Rejected::NoSuchGroup { group },
            })
        })
    }

    /// One attempt at the node that the group's target points at.
    async fn attempt(&self) -> Result<End, Verdict> {
        let Some((place, endpoint)) = self.nodes.at(self.target) else { return Ok(End::Rejected(Rejected::NoEndpoints)) };
        let link = match timeout_at(self.request.deadline, self.nodes.link(&endpoint)).await {
            Ok(Ok(link)) => link,
            Ok(Err(failure)) => return Err(self.leave(place, failure.to_string())),
            Err(_) => {
                // Or requests with little time would all end at the one node that does not answer.
                self.nodes.rotate(self.target, place);
                return Ok(self.timed_out("connecting to a node".to_owned()));
            }
        };
        let began = Instant::now();
        let mut inflight = match self.begin(&link) {
            Ok(inflight) => inflight,
            Err(NotBegun::Gone(why)) => return Err(self.leave(place, why)),
            Err(NotBegun::Legacy(why)) => {
                self.nodes.rotate(self.target, place);
                return Err(Verdict::Legacy(why));
            }
            Err(NotBegun::Wire(error)) => return Ok(self.unreadable(&error)),
        };
        match timeout_at(self.request.deadline, inflight.reply()).await {
            Ok(Reply::Answer(header, body)) => self.judge(place, &header, &body),
            Ok(Reply::Legacy(header, body)) => self.judge_legacy(place, &header, &body),
            Ok(Reply::Lost { sent: false, why }) => Err(self.leave(place, why)),
            Ok(Reply::Lost { sent: true, why }) => self.interrupted(place, Unknown::ConnectionLost(why)),
            Err(_) => Ok(self.unanswered(place, inflight, began)),
        }
    }

    fn begin(&self, link: &Arc<Link>) -> Result<InFlight, NotBegun> {
        let left = self.request.deadline.saturating_duration_since(Instant::now());
        let timeout_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1);
        link.begin(self.request.group, &ClientRequest { timeout_ms, operation: self.request.operation })
    }

    /// What an answer means.
    fn judge(&self, place: usize, header: &ExtendedHeader, body: &Bytes) -> Result<End, Verdict> {
        match ClientResponse::decode(header, body) {
            Ok(ClientResponse::Committed { index, term, bytes }) if self.is_write() => {
                Ok(End::Committed { index, term, answer: body.slice_ref(bytes) })
            }
            Ok(ClientResponse::QueryResult { applied, bytes }) if !self.is_write() => {
                Ok(End::Answered(Answer { applied, bytes: body.slice_ref(bytes) }))
            }
            Ok(ClientResponse::Rejected(rejection)) => self.on_rejection(place, rejection),
            Ok(ClientResponse::Unknown { why }) => self.interrupted(place, Unknown::Node(why.to_owned())),
            Ok(ClientResponse::Committed { .. } | ClientResponse::QueryResult { .. }) => {
                self.interrupted(place, Unknown::Malformed("the answer is one to another kind of request".to_owned()))
            }
            Err(error) => self.interrupted(place, Unknown::Malformed(error.to_string())),
        }
    }

    /// What an answer of version 0 means: only writes are asked there.
    fn judge_legacy(&self, place: usize, header: &LegacyResponse, body: &Bytes) -> Result<End, Verdict> {
        let group = self.request.group;
        let outcome = match (Asked::Write { request: 0 }).read(header, body) {
            Ok(Heard::Write { outcome, .. }) => outcome,
            Ok(_) => return self.interrupted(place, Unknown::Malformed("the answer is one to another kind of request".to_owned())),
            Err(error) => return self.interrupted(place, Unknown::Malformed(error.to_string())),
        };
        match outcome {
            WriteOutcome::Committed { index, term, bytes } => Ok(End::Committed { index, term, answer: body.slice_ref(bytes) }),
            WriteOutcome::NotLeader(Some(leader)) => {
                let why = format!("node {leader} leads");
                let named = self.nodes.follow(self.target, place, leader, "");
                if named { Err(Verdict::Elsewhere { why, named }) } else { Err(self.leave(place, why)) }
            }
            WriteOutcome::NotLeader(None) => Err(self.leave(place, "no leader is known".to_owned())),
            WriteOutcome::Refused(ResultCode::BAD_REQUEST) => {
                Ok(End::Rejected(Rejected::Malformed { group, why: "NuRaft's result code -4, bad request".to_owned() }))
            }
            WriteOutcome::Refused(code) => Err(Verdict::Again(format!("the node refused the write with NuRaft's result code {}", code.0))),
            WriteOutcome::Unknown(code) => {
                let code = code.map_or("none".to_owned(), |code| code.0.to_string());
                self.interrupted(place, Unknown::Node(format!("NuRaft's result code: {code}")))
            }
        }
    }

    /// The node says that nothing has happened and nothing will.
    fn on_rejection(&self, place: usize, rejection: Rejection<'_>) -> Result<End, Verdict> {
        let group = self.request.group;
        match rejection {
            Rejection::NotLeader { leader: Some(leader) } => {
                let why = format!("node {} leads", leader.node);
                let named = self.nodes.follow(self.target, place, leader.node, leader.address);
                if named { Err(Verdict::Elsewhere { why, named }) } else { Err(self.leave(place, why)) }
            }
            Rejection::NotLeader { leader: None } | Rejection::NoLeader => Err(self.leave(place, "no leader is known".to_owned())),
            Rejection::ShuttingDown => Err(self.leave(place, "the node shuts down".to_owned())),
            Rejection::GroupFailed(why) => Err(self.leave(place, format!("the group has stopped on the node: {why}"))),
            Rejection::Busy => Err(Verdict::Again("the node is busy".to_owned())),
            Rejection::NoSuchGroup => {
                self.nodes.rotate(self.target, place);
                Err(Verdict::NotHere)
            }
            Rejection::PeerIsLegacy(why) => {
                self.nodes.rotate(self.target, place);
                Err(Verdict::Legacy(why.to_owned()))
            }
            Rejection::TooLarge { limit } => Ok(End::Rejected(Rejected::TooLarge { group, limit })),
            Rejection::Malformed(why) => Ok(End::Rejected(Rejected::Malformed { group, why: why.to_owned() })),
            Rejection::DeadlineExceeded => Ok(End::Rejected(Rejected::DeadlineExceeded { group })),
            Rejection::NoSpace { node } => Ok(End::Rejected(Rejected::NoSpace { group, node })),
        }
    }

    /// Nothing has happened at this node: the next one, later.
    fn leave(&self, place: usize, why: String) -> Verdict {
        self.nodes.rotate(self.target, place);
        Verdict::Elsewhere { why, named: false }
    }

    /// The attempt may have had an effect: the end of a write, and another attempt of a query, which has none.
    fn interrupted(&self, place: usize, why: Unknown) -> Result<End, Verdict> {
        if self.is_write() { Ok(End::Unknown(why)) } else { Err(self.leave(place, why.to_string())) }
    }

    /// The deadline passed while the attempt was under way.
    fn unanswered(&self, place: usize, inflight: InFlight, began: Instant) -> End {
        inflight.give_up(began);
        self.nodes.rotate(self.target, place);
        if self.is_write() { End::Unknown(Unknown::TimedOut) } else { self.timed_out("the node did not answer".to_owned()) }
    }

    fn timed_out(&self, last: String) -> End {
        End::Rejected(Rejected::TimedOut { group: self.request.group, last })
    }

    /// The request cannot be put on the wire.
    fn unreadable(&self, error: &WireError) -> End {
        let group = self.request.group;
        End::Rejected(match error {
            WireError::BodyTooLarge { limit, .. } => Rejected::TooLarge { group, limit: u32::try_from(*limit).unwrap_or(u32::MAX) },
            other => Rejected::Malformed { group, why: other.to_string() },
        })
    }

    const fn is_write(&self) -> bool {
        matches!(self.request.operation, Operation::Write(_))
    }
}
