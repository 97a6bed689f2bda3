//! Places: requests on connections that others dialled, and who owes the answer that belongs there.

use super::{Links, View};
use crate::{
    port::ConnId,
    shard::{
        Rejection, Response,
        io::{LegacyFrames, Outputs},
        timers::Millis,
    },
};
use roadstead_spec::{
    EntryId, NodeId, Term,
    raft::{Message, ReadId, Round},
    wire::{
        AnswerQueue, Place,
        body::SnapshotResult,
        legacy::{
            ResultCode,
            translate::{Answer, Standing, Untranslatable},
        },
    },
};
use std::collections::VecDeque;

/// Requests of one connection without an answer. Peers of this release stop far below, clients are not read from any more before.
const REQUESTS_MAX: usize = 16 << 10;

/// Marks rounds that name a place: no leader counts that far.
const ROUND_MARK: u64 = 1 << 63;

/// Whether the core's answer of this round belongs to a version 0 request.
pub(crate) const fn is_legacy_round(round: Round) -> bool {
    round.0 & ROUND_MARK != 0
}

/// The round that names the place of the request with this number.
pub(super) const fn round_of(number: u64) -> Round {
    Round(ROUND_MARK | number)
}

/// A request that was read: where its answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) conn: ConnId,
    place: Place,
    /// Names the request within this node.
    pub(super) number: u64,
    /// Its source.
    pub(super) asker: i32,
}

/// A connection that somebody else dialled.
#[derive(Debug)]
pub(super) struct Answering {
    /// `None`: a client, or a stranger.
    pub(super) peer: Option<NodeId>,
    queue: AnswerQueue<Answer>,
    /// Requests whose answers others owe, in order.
    open: VecDeque<Open>,
}

/// A request whose answer somebody owes.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: Place,
    number: u64,
    asker: i32,
    what: Owed,
}

/// Who owes the answer, and what tells it apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owed {
    /// The core, in the order of the questions. The term is the request's.
    PreVote(Term),
    /// The core, in the order of the questions.
    Vote,
    /// The core, which echoes the number as round.
    Append,
    /// The applier, by way of the transfer.
    Chunk { transfer: u64, sequence: u64, since: Millis },
    /// The core, when a round has confirmed it.
    Read(ReadId),
    /// Whoever applies the write.
    Write,
}

impl Owed {
    /// What the core is sure to answer, or the applier to bring about. Clients' matters may take as long as their group has no quorum.
    pub(super) const fn is_of_core(self) -> bool {
        matches!(self, Self::PreVote(_) | Self::Vote | Self::Append | Self::Chunk { .. })
    }
}

impl Answering {
    const fn new(peer: Option<NodeId>) -> Self {
        Self { peer, queue: AnswerQueue::new(REQUESTS_MAX), open: VecDeque::new() }
    }

    pub(super) fn waits_for_core(&self) -> bool {
        self.open.iter().any(|open| open.what.is_of_core())
    }

    /// Fills the place of the first request that `is_it`.
    fn settle(&mut self, is_it: impl Fn(&Open) -> bool, answer: impl FnOnce(&Open) -> Answer) -> bool {
        let Some(open) = self.open.iter().position(is_it).and_then(|at| self.open.remove(at)) else { return false };
        let answer = answer(&open);
        self.queue.ready(open.place, answer)
    }

    /// No request of the core waits behind a client's: those before it are answered with what is known, which is nothing.
    fn answer_clients(&mut self, standing: Standing, term: Term, leader: Option<NodeId>) {
        while self.settle(
            |open| !open.what.is_of_core(),
            |open| match open.what {
                Owed::Read(id) => read_answer(open.asker, term, id, standing),
                _ => Answer::unknown(leader),
            },
        ) {}
    }

    pub(super) fn flush(&mut self, conn: ConnId, node: NodeId, term: Term, out: &mut Outputs) {
        let mut frames = Vec::new();
        while let Some(answer) = self.queue.pop() {
            let buffer = if self.peer.is_some() { &mut frames } else { out.client(conn) };
            if let Err(error) = answer.encode(node, term, buffer) {
                tracing::error!(%error, "an answer could not be said in version 0; this is a defect of Roadstead, please report it");
                out.closes.push((conn, Untranslatable::from(error).into()));
            }
        }
        if let Some(peer) = self.peer.filter(|_| !frames.is_empty()) {
            out.legacy_answers.push(LegacyFrames { peer, conn, frames });
        }
    }
}

/// "Not confirmed": ask again.
fn read_answer(asker: i32, term: Term, id: ReadId, standing: Standing) -> Answer {
    let message = Message::ReadIndexResponse { term, id, index: None };
    Answer::of(&message, asker, term, standing).unwrap_or_else(|| Answer::notice(asker, standing))
}

impl Links {
    /// Takes what the core or the transfer says to `peer` for an answer, if a request of it waits for just that.
    pub(super) fn answer(&mut self, peer: NodeId, message: &Message, standing: Standing) -> bool {
        let is_it = |open: &Open| match (message, open.what) {
            (Message::PreVoteResponse { .. }, Owed::PreVote(_)) | (Message::RequestVoteResponse { .. }, Owed::Vote) => true,
            (Message::AppendEntriesResponse { round, .. }, Owed::Append) => *round == round_of(open.number),
            (Message::ReadIndexResponse { id, .. }, Owed::Read(read)) => *id == read,
            _ => false,
        };
        let answer = |open: &Open| {
            let asked = if let Owed::PreVote(term) = open.what { term } else { Term(0) };
            Answer::of(message, open.asker, asked, standing).unwrap_or_else(|| Answer::ping(open.asker))
        };
        let of_peer = self.answering.values_mut().filter(|answering| answering.peer == Some(peer));
        of_peer.into_iter().any(|answering| answering.settle(is_it, answer))
    }

    pub(super) fn answer_chunk(&mut self, peer: NodeId, transfer: u64, next: u64, result: SnapshotResult, standing: Standing) -> bool {
        let is_it = |open: &Open| matches!(open.what, Owed::Chunk { transfer: asked, .. } if asked == transfer);
        let Some(answering) = self.answering.values_mut().find(|it| it.peer == Some(peer) && it.open.iter().any(is_it)) else {
            return false;
        };
        let is_early = |open: &Open| matches!(open.what, Owed::Chunk { sequence, .. } if sequence == next);
        if result == SnapshotResult::Continue && answering.open.iter().any(|open| is_it(open) && is_early(open)) {
            return true; // the piece itself is still under way to the applier, which speaks again when it has it
        }
        let answer = |open: &Open| {
            let sequence = if let Owed::Chunk { sequence, .. } = open.what { sequence } else { 0 };
            Answer::chunk(open.asker, sequence, next, result, standing)
        };
        answering.settle(is_it, answer)
    }

    /// Pieces that are staged for too long are asked for again: behind them wait the answers to heartbeats.
    pub(super) fn ask_again_for_chunks(&mut self, now: Millis, patience: u64) {
        for answering in self.answering.values_mut() {
            let is_late = |open: &Open| matches!(open.what, Owed::Chunk { since, .. } if now.since(since) > patience);
            let again = |open: &Open| {
                let sequence = if let Owed::Chunk { sequence, .. } = open.what { sequence } else { 0 };
                Answer::chunk(open.asker, sequence, sequence, SnapshotResult::Continue, Standing::default())
            };
            while answering.settle(is_late, again) {}
        }
    }

    /// Answers a write.
    pub(crate) fn reply(&mut self, conn: ConnId, number: u64, response: &Response) {
        let leader = self.view.and_then(|view| view.leader);
        if let Some(answering) = self.answering.get_mut(&conn) {
            answering.settle(|open| open.number == number, |_| write_answer(response, leader));
        }
    }
}

/// In NuRaft's words: accepted from the moment that the entry is in the log.
fn write_answer(response: &Response, leader: Option<NodeId>) -> Answer {
    match response {
        Response::Committed { index, term, answer } => Answer::committed(leader, EntryId { term: *term, index: *index }, answer),
        Response::Unknown { .. } | Response::Answered { .. } => Answer::unknown(leader),
        Response::Rejected(rejection) => match rejection {
            Rejection::NotLeader { leader } => Answer::refused(*leader, ResultCode::NOT_LEADER),
            Rejection::ShuttingDown => Answer::refused(None, ResultCode::NOT_LEADER),
            Rejection::Busy(_) | Rejection::NoSpace { .. } => Answer::refused(leader, ResultCode::CANCELLED),
            Rejection::DeadlineExceeded => Answer::refused(leader, ResultCode::TIMEOUT),
            Rejection::TooLarge { .. } | Rejection::Malformed(_) => Answer::refused(leader, ResultCode::BAD_REQUEST),
            Rejection::NoSuchGroup | Rejection::GroupFailed(_) | Rejection::PeerIsLegacy(_) => Answer::refused(leader, ResultCode::FAILED),
        },
    }
}

impl Links {
    /// Takes a place for a request that was just read; `None`: too many wait.
    pub(super) fn take_seat(&mut self, conn: ConnId, peer: Option<NodeId>, number: u64, asker: i32) -> Option<Seat> {
        let answering = self.answering.entry(conn).or_insert_with(|| Answering::new(peer));
        let place = answering.queue.received()?;
        Some(Seat { conn, place, number, asker })
    }

    /// The answer is known at once.
    pub(super) fn ready(&mut self, seat: Seat, answer: Answer) {
        if let Some(answering) = self.answering.get_mut(&seat.conn) {
            answering.queue.ready(seat.place, answer);
        }
    }

    /// Somebody owes the answer.
    pub(super) fn open(&mut self, seat: Seat, what: Owed) {
        if let Some(answering) = self.answering.get_mut(&seat.conn) {
            let Seat { place, number, asker, .. } = seat;
            answering.open.push_back(Open { place, number, asker, what });
        }
    }

    /// A request of the core came on this connection: clients' matters before it are answered with what is known.
    pub(super) fn settle_clients(&mut self, conn: ConnId, standing: Standing) {
        let View { term, leader } = self.view.unwrap_or(View { term: Term(0), leader: None });
        if let Some(answering) = self.answering.get_mut(&conn) {
            answering.answer_clients(standing, term, leader);
        }
    }
}
