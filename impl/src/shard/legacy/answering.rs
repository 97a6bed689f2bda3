//! Requests to group 0 on version 0 connections that peers and clients dialled.

use super::{
    View,
    places::{Owed, Seat, round_of},
};
use crate::{
    applier::{Chunk, TransferId},
    port::{CloseReason, ConnId, Frame},
    shard::{
        Shard,
        context::Context,
        io::{Operation, ReplyTo, Request},
        note::received,
        replica::{Payloads, Replica},
        transfer::Arrived,
    },
    store::prefix::Local,
};
use roadstead_spec::{
    GroupId, Index, NodeId, Term,
    raft::{Event, Message},
    wire::{
        Header, LegacyRequest, MessageType,
        body::{PayloadSpan, SnapshotChunk, SnapshotResult},
        legacy::{
            ResultCode,
            translate::{Answer, Question, Standing, Untranslatable},
        },
    },
};

/// One request on its way through the shard.
struct Asked<'a> {
    seat: Seat,
    peer: Option<NodeId>,
    header: &'a LegacyRequest,
    frame: &'a Frame,
}

impl Shard {
    /// Requests of a peer (or, `None`, a client or stranger), in the order of the wire.
    pub(in crate::shard) fn legacy_request(&mut self, conn: ConnId, peer: Option<NodeId>, frame: &Frame) {
        let Header::LegacyRequest(header) = &frame.header else { return };
        if self.ctx.legacy.closing.contains(&conn) {
            return;
        }
        self.ctx.counters.frames_received += 1;
        let number = self.ctx.number();
        let outcome = match self.ctx.legacy.take_seat(conn, peer, number, header.src) {
            None => Err(CloseReason::SlowReader { queued: frame.body.len() }),
            Some(seat) => self.legacy_question(&Asked { seat, peer, header, frame }),
        };
        if let Err(reason) = outcome {
            self.ctx.counters.malformed += 1;
            let Context { legacy, out, .. } = &mut self.ctx;
            legacy.close(out, conn, reason);
        }
    }

    fn legacy_question(&mut self, asked: &Asked<'_>) -> Result<(), CloseReason> {
        let question = Question::read(asked.header, &asked.frame.body, round_of(asked.seat.number), &self.ctx.options.wire)?;
        let local = self.legacy_group();
        if let Some(local) = local {
            self.with(local, |_, _| {}); // the view is of this moment
        }
        let view = self.ctx.legacy.view;
        let asker = asked.seat.asker;
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
                ctx.legacy.ready(asked.seat, Answer::notice(asker, standing));
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

    /// Group 0 as version 0 means it: the mailbox of its first life.
    pub(in crate::shard) fn legacy_group(&mut self) -> Option<Local> {
        let local = self.registry.route_any(GroupId::DEFAULT, self.ctx.now.0).ok().copied();
        local.filter(|_| !self.ctx.legacy.later_life)
    }

    fn legacy_ready(&mut self, asked: &Asked<'_>, answer: Answer) {
        self.ctx.legacy.ready(asked.seat, answer);
    }

    fn legacy_write(&mut self, local: Local, asked: &Asked<'_>, command: &[u8]) {
        self.ctx.legacy.open(asked.seat, Owed::Write);
        let deadline = self.ctx.now.plus(self.ctx.options.timers.request_timeout.as_millis() as u64);
        let reply = ReplyTo::Legacy { conn: asked.seat.conn, number: asked.seat.number };
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
        self.note_whole(ctx, || received(peer, &message, spans, &asked.frame.body, true));
        let asker = asked.seat.asker;
        let (owed, first) = match &message {
            Message::PreVote { .. } => (Owed::PreVote(Term(asked.header.term)), Index(0)),
            Message::RequestVote { .. } => (Owed::Vote, Index(0)),
            Message::AppendEntries { .. } if self.outbox.is_congested() || self.leaves_out(ctx, &message, spans) => {
                ctx.counters.dropped += 1; // the disk is far behind, or full
                ctx.legacy.ready(asked.seat, Answer::postponed(asker, self.standing()));
                return Ok(());
            }
            Message::AppendEntries { slice, .. } => (Owed::Append, slice.prev.index.next()),
            Message::ReadIndex { id, .. } if id.node == peer => (Owed::Read(*id), Index(0)),
            _ => return Err(Untranslatable::Contradiction("a read came from another node than asks for it").into()),
        };
        if owed.is_of_core() {
            ctx.legacy.settle_clients(asked.seat.conn, self.standing());
        }
        ctx.legacy.open(asked.seat, owed);
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
        ctx.legacy.settle_clients(asked.seat.conn, self.standing());
        let (transfer, sequence) = (TransferId { sender: peer, number: chunk.transfer }, chunk.sequence);
        ctx.legacy.open(asked.seat, Owed::Chunk { transfer: transfer.number, sequence, since: ctx.now });
        let piece = Chunk::new(transfer, sequence, asked.frame.body.slice_ref(chunk.items), chunk.done);
        self.chunk_received(ctx, peer, Arrived { term: chunk.term, at: chunk.at, transfer, chunk: piece });
        Ok(())
    }
}
