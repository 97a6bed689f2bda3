//! Frames in: whose they are, and what they say. Nothing that a stranger sends can do more than be counted and answered.

use super::{
    Shard,
    context::{Context, encoded},
    io::{Operation, ReplyTo, Request},
    note::received,
    replica::{Payloads, Replica},
    response::{Rejection, Response},
    transfer::Arrived,
};
use crate::{
    applier::{Chunk, TransferId},
    port::{ConnId, Frame},
    store::prefix::Local,
};
use roadstead_spec::{
    Index, NodeId,
    dispatch::Unroutable,
    raft::{Event, Message},
    trace::Dispatched,
    wire::{
        self, ExtendedHeader, MessageType, WireError,
        body::{self, ClientRequest, Forward, ForwardResponse, NoSpace, NotTaken, RaftBody, Route, SnapshotAnswer, SnapshotChunk},
    },
};

impl Shard {
    pub(super) fn peer_frame(&mut self, peer: NodeId, frame: Frame) {
        let wire::Header::Extended(header) = frame.header else {
            // Version 0 frames come as inputs of their own.
            self.ctx.counters.malformed += 1;
            return;
        };
        let Some(incarnation) = body::incarnation_of(header.message_type, &frame.body) else {
            self.ctx.counters.malformed += 1;
            return;
        };
        if matches!(header.message_type, MessageType::NoSuchGroup | MessageType::Busy) {
            return self.not_taken(peer, &header);
        }
        let local = match self.registry.route(header.group, incarnation, self.ctx.now.0) {
            Ok(&local) => local,
            Err(unroutable) => return self.unroutable(peer, &header, incarnation, &unroutable),
        };
        self.ctx.counters.frames_received += 1;
        let decoded = match header.message_type {
            MessageType::Forward => self.forward(peer, &header, &frame, local),
            MessageType::ForwardResponse => self.forward_response(&header, &frame),
            _ => self.group_frame(peer, &header, &frame, local),
        };
        if let Err(error) = decoded {
            self.ctx.counters.malformed += 1;
            tracing::warn!(%peer, group = %header.group, %error, "a peer's frame makes no sense and is dropped; the peer may run another version");
        }
    }

    fn group_frame(&mut self, peer: NodeId, header: &ExtendedHeader, frame: &Frame, local: Local) -> Result<(), WireError> {
        let mut result = Ok(());
        self.with(local, |replica, ctx| result = replica.frame(ctx, peer, header, frame));
        result
    }

    /// The frame's group is not here. The sender is told, and the connection with all its other groups lives on.
    fn unroutable(&mut self, peer: NodeId, header: &ExtendedHeader, incarnation: roadstead_spec::Incarnation, unroutable: &Unroutable) {
        self.ctx.records.dispatched(|| Dispatched::Refuse { from: peer, group: header.group, incarnation, why: *unroutable });
        match unroutable {
            Unroutable::NoSuchGroup(_) => self.ctx.counters.no_such_group += 1,
            Unroutable::WrongIncarnation { .. } => self.ctx.counters.wrong_incarnation += 1,
        }
        if self.ctx.links.contains(&peer) {
            let route = Route { from: self.ctx.options.node, to: peer, group: header.group, incarnation };
            let answer = NotTaken { refused: header.message_type, index: header.index };
            encoded(answer.encode_no_such_group(&route, self.ctx.out.peer(peer)));
        }
    }

    fn not_taken(&mut self, peer: NodeId, header: &ExtendedHeader) {
        if let Ok(&local) = self.registry.route_any(header.group, self.ctx.now.0) {
            self.with(local, |replica, _| replica.absent_at(peer));
        }
    }

    /// A member passes a write of one of its clients on to us.
    fn forward(&mut self, peer: NodeId, header: &ExtendedHeader, frame: &Frame, local: Local) -> Result<(), WireError> {
        let (incarnation, forward) = Forward::decode(header, &frame.body)?;
        let request = Request {
            operation: Operation::Write(frame.body.slice_ref(forward.command)),
            deadline: self.ctx.now.plus(forward.timeout_ms.into()),
            reply: ReplyTo::Peer { node: peer, boot: forward.origin_boot, request: forward.request, incarnation },
        };
        self.request_at(header.group, local, request);
        Ok(())
    }

    fn forward_response(&mut self, header: &ExtendedHeader, frame: &Frame) -> Result<(), WireError> {
        let (_, response) = ForwardResponse::decode(header, &frame.body)?;
        if response.origin_boot == self.ctx.options.boot
            && let Some(forwarded) = self.ctx.forwarded.remove(&response.request)
        {
            self.ctx.reply(forwarded.group, forwarded.reply, Response::from_wire(response.outcome, &frame.body));
        }
        Ok(())
    }

    pub(super) fn client_frame(&mut self, conn: ConnId, frame: Frame) {
        let wire::Header::Extended(header) = frame.header else { return self.legacy_request(conn, None, &frame) };
        let reply = ReplyTo::Client { conn, request: header.index };
        let request = match ClientRequest::decode(&header, &frame.body) {
            Ok(request) => request,
            Err(error) => {
                self.ctx.counters.malformed += 1;
                return self.ctx.reply(header.group, reply, Response::Rejected(Rejection::Malformed(error.to_string())));
            }
        };
        let operation = match request.operation {
            body::Operation::Write(command) => Operation::Write(frame.body.slice_ref(command)),
            body::Operation::Query { bytes, consistency } => Operation::Query { bytes: frame.body.slice_ref(bytes), consistency },
        };
        let deadline = self.ctx.now.plus(request.timeout_ms.into());
        self.request(header.group, Request { operation, deadline, reply });
    }
}

impl Replica {
    fn frame(&mut self, ctx: &mut Context, from: NodeId, header: &ExtendedHeader, frame: &Frame) -> Result<(), WireError> {
        match header.message_type {
            MessageType::InstallSnapshot => {
                let (_, chunk) = SnapshotChunk::decode(header, &frame.body)?;
                let items = frame.body.slice_ref(chunk.items);
                let transfer = TransferId { sender: from, number: chunk.transfer };
                let (term, at) = (chunk.term, chunk.at);
                let chunk = Chunk::new(transfer, chunk.sequence, items, chunk.done);
                self.chunk_received(ctx, from, Arrived { term, at, transfer, chunk });
                Ok(())
            }
            MessageType::InstallSnapshotResponse => {
                let (_, answer) = SnapshotAnswer::decode(header, &frame.body)?;
                self.snapshot_answer(ctx, from, answer);
                Ok(())
            }
            MessageType::NoSpace => {
                let (_, complaint) = NoSpace::decode(header, &frame.body)?;
                ctx.complained(from, complaint);
                Ok(())
            }
            _ => self.message(ctx, from, header, frame),
        }
    }

    fn message(&mut self, ctx: &mut Context, from: NodeId, header: &ExtendedHeader, frame: &Frame) -> Result<(), WireError> {
        let body = RaftBody::decode(header, &frame.body, &ctx.options.wire)?;
        let spans: Vec<_> = body.payloads(&frame.body).collect();
        self.note_whole(ctx, || received(from, &body.message, &spans, &frame.body, false));
        if self.outbox.is_congested() {
            ctx.counters.dropped += 1; // as a network may; the disk is far behind
            return Ok(());
        }
        self.present_at(from);
        let first = match &body.message {
            Message::AppendEntries { slice, .. } => slice.prev.index.next(),
            _ => Index(0),
        };
        if self.leaves_out(ctx, &body.message, &spans) {
            ctx.counters.dropped += 1;
            return Ok(());
        }
        let heartbeat = matches!(&body.message, Message::AppendEntries { slice, .. } if slice.is_empty());
        let event = Event::Receive { from, message: body.message };
        self.step(ctx, event, Payloads::Received { first, spans: &spans, body: &frame.body });
        if heartbeat {
            self.complain(ctx, from);
        }
        Ok(())
    }
}
