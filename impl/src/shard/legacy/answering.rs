//! Requests to group 0 on version 0 connections that peers and clients dialled, and the places of their answers.

use super::{Links, View};
use crate::{
    applier::{Chunk, TransferId},
    port::{CloseReason, ConnId, Frame},
    shard::{
        Rejection, Response, Shard,
        context::Context,
        io::{LegacyFrames, Operation, Outputs, ReplyTo, Request},
        replica::{Payloads, Replica},
        timers::Millis,
        transfer::Arrived,
    },
    store::prefix::Local,
};
use roadstead_spec::{
    EntryId, GroupId, Index, NodeId, Term,
    raft::{Event, Message, ReadId, Round},
    wire::{
        AnswerQueue, Header, LegacyRequest, MessageType, Place,
        body::{PayloadSpan, SnapshotChunk, SnapshotResult},
        legacy::{
            ResultCode,
            translate::{Answer, Question, Standing, Untranslatable},
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
    /// Names it within this node.
    number: u64,
    asker: i32,
    what: Owed,
}

/// Who owes the answer, and what tells it apart.
#[derive(Clone, Copy, Debug)]
enum Owed {
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
    const fn is_of_core(self) -> bool {
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
    fn settle_clients(&mut self, standing: Standing, term: Term, leader: Option<NodeId>) {
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
    fn answer(&mut self, peer: NodeId, message: &Message, standing: Standing) -> bool {
        let is_it = |open: &Open| match (message, open.what) {
            (Message::PreVoteResponse { .. }, Owed::PreVote(_)) | (Message::RequestVoteResponse { .. }, Owed::Vote) => true,
            (Message::AppendEntriesResponse { round, .. }, Owed::Append) => round.0 == ROUND_MARK | open.number,
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

    fn answer_chunk(&mut self, peer: NodeId, transfer: u64, next: u64, result: SnapshotResult, standing: Standing) -> bool {
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
            Rejection::Busy(_) => Answer::refused(leader, ResultCode::CANCELLED),
            Rejection::DeadlineExceeded => Answer::refused(leader, ResultCode::TIMEOUT),
            Rejection::TooLarge { .. } | Rejection::Malformed(_) => Answer::refused(leader, ResultCode::BAD_REQUEST),
            Rejection::NoSuchGroup | Rejection::GroupFailed(_) | Rejection::PeerIsLegacy(_) => Answer::refused(leader, ResultCode::FAILED),
        },
    }
}

/// One request on its way through the shard.
struct Asked<'a> {
    conn: ConnId,
    peer: Option<NodeId>,
    header: &'a LegacyRequest,
    frame: &'a Frame,
    number: u64,
    place: Place,
}

impl Shard {
    /// Requests of a peer (or, `None`, a client or stranger), in the order of the wire.
    pub(in crate::shard) fn legacy_request(&mut self, conn: ConnId, peer: Option<NodeId>, frame: &Frame) {
        let Header::LegacyRequest(header) = &frame.header else { return };
        if self.ctx.legacy.closing.contains(&conn) {
            return;
        }
        self.ctx.counters.frames_received += 1;
        let answering = self.ctx.legacy.answering.entry(conn).or_insert_with(|| Answering::new(peer));
        let outcome = match answering.queue.received() {
            None => Err(CloseReason::SlowReader { queued: frame.body.len() }),
            Some(place) => {
                let number = self.ctx.number();
                self.legacy_question(&Asked { conn, peer, header, frame, number, place })
            }
        };
        if let Err(reason) = outcome {
            self.ctx.counters.malformed += 1;
            tracing::warn!(peer = peer.map(|peer| peer.0), %reason, "the connection with the legacy header is closed");
            let Context { legacy, out, .. } = &mut self.ctx;
            legacy.close(out, conn, reason);
        }
    }

    fn legacy_question(&mut self, asked: &Asked<'_>) -> Result<(), CloseReason> {
        let question = Question::read(asked.header, &asked.frame.body, Round(ROUND_MARK | asked.number), &self.ctx.options.wire)?;
        let local = self.registry.route_any(GroupId::DEFAULT, self.ctx.now.0).ok().copied();
        if let Some(local) = local {
            self.with(local, |_, _| {}); // the view is of this moment
        }
        let view = self.ctx.legacy.view;
        let asker = asked.header.src;
        let leader = view.and_then(|view| view.leader);
        match (question, local.filter(|_| view.is_some()), asked.peer) {
            (Question::Ping, ..) => self.legacy_ready(asked, Answer::ping(asker)),
            (Question::Write(command), Some(local), _) => self.legacy_write(local, asked, command),
            (Question::Write(_), None, _) => self.legacy_ready(asked, Answer::refused(None, ResultCode::FAILED)),
            (Question::NotOneCommand, ..) => self.legacy_ready(asked, Answer::refused(leader, ResultCode::BAD_REQUEST)),
            (Question::Membership(server), ..) => {
                let answer = self.legacy_membership(local, asked.header.message_type, server);
                self.legacy_ready(asked, answer);
            }
            (Question::Message { message: Message::PreVote { .. }, .. }, _, None) => {
                self.legacy_ready(asked, Answer::stranger(asker, Term(asked.header.term)));
            }
            (Question::Notice, Some(local), Some(_)) => self.with(local, |replica, ctx| {
                let standing = replica.standing();
                ctx.legacy.ready(asked.conn, asked.place, Answer::notice(asker, standing));
            }),
            (Question::Message { message, payloads }, Some(local), Some(peer)) => {
                self.legacy_message(local, asked, peer, message, &payloads)?
            }
            (Question::Chunk { chunk, members }, Some(local), Some(peer)) => self.legacy_chunk(local, asked, peer, &chunk, &members)?,
            (Question::Message { .. } | Question::Chunk { .. } | Question::Notice, None, Some(_)) => return Err(CloseReason::NoGroupZero),
            (Question::Message { .. } | Question::Chunk { .. } | Question::Notice, _, None) => {
                return Err(CloseReason::UnknownPeer(asker.into()));
            }
        }
        Ok(())
    }

    fn legacy_ready(&mut self, asked: &Asked<'_>, answer: Answer) {
        self.ctx.legacy.ready(asked.conn, asked.place, answer);
    }

    fn legacy_write(&mut self, local: Local, asked: &Asked<'_>, command: &[u8]) {
        self.ctx.legacy.open(asked, Owed::Write);
        let deadline = self.ctx.now.plus(self.ctx.options.timers.request_timeout.as_millis() as u64);
        let reply = ReplyTo::Legacy { conn: asked.conn, number: asked.number };
        let operation = Operation::Write(asked.frame.body.slice_ref(command));
        self.request_at(GroupId::DEFAULT, local, Request { operation, deadline, reply });
    }

    /// Members are what the group was founded with: only the refusals that NuRaft would give, too, have codes of their own.
    fn legacy_membership(&mut self, local: Option<Local>, request: MessageType, server: i32) -> Answer {
        let mut answer = Answer::membership(request, None, ResultCode::FAILED);
        let Some(local) = local else { return answer };
        self.with(local, |replica, _| {
            let leader = replica.state.leader();
            let is_member = replica.params.voters().iter().any(|voter| i64::from(voter.0) == i64::from(server));
            let code = match (replica.leads(), request, is_member) {
                (false, ..) => ResultCode::NOT_LEADER,
                (true, MessageType::AddServer, true) => ResultCode::SERVER_ALREADY_EXISTS,
                (true, MessageType::RemoveServer, false) => ResultCode::SERVER_NOT_FOUND,
                (true, ..) => ResultCode::FAILED,
            };
            answer = Answer::membership(request, leader, code);
        });
        answer
    }

    /// A message for the core.
    fn legacy_message(
        &mut self,
        local: Local,
        asked: &Asked<'_>,
        peer: NodeId,
        message: Message,
        payloads: &[PayloadSpan],
    ) -> Result<(), CloseReason> {
        let mut outcome = Ok(());
        self.with(local, |replica, ctx| outcome = replica.legacy_message(ctx, asked, peer, message, payloads));
        outcome
    }

    fn legacy_chunk(
        &mut self,
        local: Local,
        asked: &Asked<'_>,
        peer: NodeId,
        chunk: &SnapshotChunk<'_>,
        members: &[i32],
    ) -> Result<(), CloseReason> {
        let mut outcome = Ok(());
        self.with(local, |replica, ctx| outcome = replica.legacy_chunk(ctx, asked, peer, chunk, members));
        outcome
    }

    /// Group 0 as the next answers tell of it.
    pub(in crate::shard) fn legacy_flush(&mut self) {
        if self.ctx.legacy.is_idle() {
            return;
        }
        let node = self.ctx.options.node;
        let Context { legacy, out, .. } = &mut self.ctx;
        if legacy.view.is_none() {
            legacy.close_waiting(out);
        }
        legacy.flush(node, out);
    }
}

impl Links {
    fn ready(&mut self, conn: ConnId, place: Place, answer: Answer) {
        if let Some(answering) = self.answering.get_mut(&conn) {
            answering.queue.ready(place, answer);
        }
    }

    fn open(&mut self, asked: &Asked<'_>, what: Owed) {
        if let Some(answering) = self.answering.get_mut(&asked.conn) {
            answering.open.push_back(Open { place: asked.place, number: asked.number, asker: asked.header.src, what });
        }
    }

    fn settle_clients(&mut self, conn: ConnId, standing: Standing) {
        let View { term, leader } = self.view.unwrap_or(View { term: Term(0), leader: None });
        if let Some(answering) = self.answering.get_mut(&conn) {
            answering.settle_clients(standing, term, leader);
        }
    }
}

impl Replica {
    pub(crate) fn view(&self) -> View {
        View { term: self.state.hard.term, leader: self.state.leader() }
    }

    fn standing(&self) -> Standing {
        Standing { last: self.state.log.last(), receives_snapshot: self.transfers.is_receiving() }
    }

    /// Gives an answer of the core to the version 0 request that waits for it; false if there is none.
    pub(crate) fn answer_legacy(&self, ctx: &mut Context, to: NodeId, message: &Message) -> bool {
        self.group == GroupId::DEFAULT && !ctx.legacy.answering.is_empty() && ctx.legacy.answer(to, message, self.standing())
    }

    /// Gives an answer of the transfer to the version 0 request that waits for it; false if there is none.
    pub(crate) fn answer_legacy_chunk(
        &self,
        ctx: &mut Context,
        to: NodeId,
        transfer: TransferId,
        next: u64,
        result: SnapshotResult,
    ) -> bool {
        self.group == GroupId::DEFAULT && ctx.legacy.answer_chunk(to, transfer.number, next, result, self.standing())
    }

    fn check_member(&self, peer: NodeId) -> Result<(), CloseReason> {
        let why = "a request came from a node that is no member of group 0";
        if self.params.voters().contains(peer) { Ok(()) } else { Err(Untranslatable::Contradiction(why).into()) }
    }

    fn legacy_message(
        &mut self,
        ctx: &mut Context,
        asked: &Asked<'_>,
        peer: NodeId,
        message: Message,
        spans: &[PayloadSpan],
    ) -> Result<(), CloseReason> {
        self.check_member(peer)?;
        let asker = asked.header.src;
        let (owed, first) = match &message {
            Message::PreVote { .. } => (Owed::PreVote(Term(asked.header.term)), Index(0)),
            Message::RequestVote { .. } => (Owed::Vote, Index(0)),
            Message::AppendEntries { .. } if self.outbox.is_congested() => {
                ctx.counters.dropped += 1; // the disk is far behind
                ctx.legacy.ready(asked.conn, asked.place, Answer::postponed(asker, self.standing()));
                return Ok(());
            }
            Message::AppendEntries { slice, .. } => (Owed::Append, slice.prev.index.next()),
            Message::ReadIndex { id, .. } if id.node == peer => (Owed::Read(*id), Index(0)),
            _ => return Err(Untranslatable::Contradiction("a read came from another node than asks for it").into()),
        };
        if owed.is_of_core() {
            ctx.legacy.settle_clients(asked.conn, self.standing());
        }
        ctx.legacy.open(asked, owed);
        self.present_at(peer);
        let payloads = Payloads::Received { first, spans, body: &asked.frame.body };
        self.step(ctx, Event::Receive { from: peer, message }, payloads);
        Ok(())
    }

    fn legacy_chunk(
        &mut self,
        ctx: &mut Context,
        asked: &Asked<'_>,
        peer: NodeId,
        chunk: &SnapshotChunk<'_>,
        members: &[i32],
    ) -> Result<(), CloseReason> {
        self.check_member(peer)?;
        let known = |id: &i32| self.params.voters().iter().any(|voter| i64::from(voter.0) == i64::from(*id));
        if members.len() != self.params.voters().len() || !members.iter().all(known) {
            return Err(Untranslatable::Contradiction("a snapshot came whose members are not those of group 0").into());
        }
        ctx.legacy.settle_clients(asked.conn, self.standing());
        let (transfer, sequence) = (TransferId { sender: peer, number: chunk.transfer }, chunk.sequence);
        ctx.legacy.open(asked, Owed::Chunk { transfer: transfer.number, sequence, since: ctx.now });
        let piece = Chunk::new(transfer, sequence, asked.frame.body.slice_ref(chunk.items), chunk.done);
        self.chunk_received(ctx, peer, Arrived { term: chunk.term, at: chunk.at, transfer, chunk: piece });
        Ok(())
    }
}
