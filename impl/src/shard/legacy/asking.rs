//! Requests of group 0 on a version 0 connection that we dialled, and their answers.

use super::Links;
use crate::{
    port::{CloseReason, ConnId, Frame},
    shard::{
        Rejection, Response, Shard,
        context::Context,
        io::{LegacyFrames, Outputs},
        note::received,
        replica::Payloads,
        timers::Millis,
    },
    store::prefix::Local,
};
use roadstead_spec::{
    Index, NodeId,
    raft::{Event, Message},
    wire::{
        Correlator, Header,
        body::{EntryKind, SnapshotChunk},
        legacy::{
            NulFree, ResultCode, Server,
            translate::{Asked, Ends, Heard, Untranslatable, WriteOutcome},
        },
    },
};

/// Requests on one connection that wait for their answers; beyond it they are dropped, as a network may, before they have a place.
const WAITING_MAX: usize = 1024;

/// A connection that we dialled.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) conn: ConnId,
    waiting: Correlator<Sent>,
    frames: Vec<u8>,
}

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    asked: Asked,
    at: Millis,
}

impl Asking {
    pub(super) const fn new(conn: ConnId) -> Self {
        Self { conn, waiting: Correlator::new(WAITING_MAX), frames: Vec::new() }
    }

    /// Puts a request on its way: `encode` appends its frame. False: it was dropped, and its answer is not awaited.
    pub(super) fn ask(&mut self, now: Millis, encode: impl FnOnce(&mut Vec<u8>) -> Result<Asked, Untranslatable>) -> bool {
        let start = self.frames.len();
        let sent = encode(&mut self.frames).map_err(|error| {
            tracing::error!(%error, "a request could not be said in version 0; this is a defect of Roadstead, please report it");
        });
        let kept = sent.is_ok_and(|asked| self.waiting.sent(asked.message_type(), Sent { asked, at: now }).is_ok());
        if !kept {
            self.frames.truncate(start);
        }
        kept
    }

    pub(super) fn flush(&mut self, peer: NodeId, out: &mut Outputs) {
        if !self.frames.is_empty() {
            out.legacy_requests.push(LegacyFrames { peer, conn: self.conn, frames: std::mem::take(&mut self.frames) });
        }
    }

    /// Whether one of the core's requests has waited for longer than `patience`. Clients' wait for as long as their leader pleases.
    pub(super) fn is_overdue(&self, now: Millis, patience: u64) -> bool {
        let of_core = |sent: &&Sent| !matches!(sent.asked, Asked::Write { .. } | Asked::ReadIndex { .. });
        self.waiting.waiting().find(of_core).is_some_and(|sent| now.since(sent.at) > patience)
    }
}

impl Links {
    /// Sends a message of the core that asks something; answers to version 1 requests are not for this connection and are left out.
    pub(crate) fn ask_message<'a>(
        &mut self,
        now: Millis,
        ends: (NodeId, NodeId),
        message: &Message,
        commit: Index,
        payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>,
    ) {
        let asks = matches!(
            message,
            Message::PreVote { .. } | Message::RequestVote { .. } | Message::AppendEntries { .. } | Message::ReadIndex { .. }
        );
        if let Some(asking) = self.asking.get_mut(&ends.1).filter(|_| asks) {
            asking.ask(now, |out| Asked::encode(Ends::nodes(ends.0, ends.1), message, commit, payloads, out));
        }
    }

    /// Sends a piece of a snapshot; `members` are the group's, with their addresses as far as they are known.
    pub(crate) fn ask_chunk<'a>(
        &mut self,
        now: Millis,
        ends: (NodeId, NodeId),
        chunk: &SnapshotChunk<'_>,
        commit: Index,
        members: &[(NodeId, &'a str)],
    ) {
        let server = |(member, address): &(NodeId, &'a str)| {
            let endpoint = NulFree::new(address.as_bytes()).unwrap_or_default();
            Server { id: member.0 as i32, endpoint, priority: 1, ..Server::default() }
        };
        if let Some(asking) = self.asking.get_mut(&ends.1) {
            let members = members.iter().map(server).collect();
            asking.ask(now, |out| Asked::encode_chunk(Ends::nodes(ends.0, ends.1), chunk, commit, members, out));
        }
    }

    /// Passes a client's write on to the leader; false if there is no room for it.
    pub(crate) fn ask_write(&mut self, now: Millis, ends: (NodeId, NodeId), request: u64, command: &[u8]) -> bool {
        let encode = |out: &mut Vec<u8>| Asked::encode_write(Ends::nodes(ends.0, ends.1), request, command, out);
        self.asking.get_mut(&ends.1).is_some_and(|asking| asking.ask(now, encode))
    }

    /// The request that an answer on this connection belongs to; `None` if the connection is not ours any more.
    fn asked(&mut self, peer: NodeId, conn: ConnId, header: &Header) -> Option<Result<Asked, CloseReason>> {
        let asking = self.asking.get_mut(&peer).filter(|asking| asking.conn == conn)?;
        let Header::LegacyResponse(header) = header else { return None };
        Some(asking.waiting.answered(header.message_type).map(|sent| sent.asked).map_err(CloseReason::from))
    }
}

impl Shard {
    /// Answers of a peer, in the order of our requests.
    pub(in crate::shard) fn legacy_answers(&mut self, peer: NodeId, conn: ConnId, frames: &[Frame]) {
        let local = self.legacy_group();
        for frame in frames {
            let asked = match self.ctx.legacy.asked(peer, conn, &frame.header) {
                None => return,
                Some(Err(reason)) => return self.legacy_give_up(peer, reason),
                Some(Ok(asked)) => asked,
            };
            self.ctx.counters.frames_received += 1;
            let Some(local) = local else { continue }; // it was removed since it asked
            if let Err(error) = self.legacy_answer(local, peer, &asked, frame) {
                self.ctx.counters.malformed += 1;
                return self.legacy_give_up(peer, error.into());
            }
        }
    }

    fn legacy_answer(&mut self, local: Local, peer: NodeId, asked: &Asked, frame: &Frame) -> Result<(), Untranslatable> {
        let Header::LegacyResponse(header) = &frame.header else { return Ok(()) };
        match asked.read(header, &frame.body)? {
            Heard::Message(message) => self.with(local, |replica, ctx| {
                replica.note_whole(ctx, || received(peer, &message, &[], &[], true));
                if replica.outbox.is_congested() {
                    ctx.counters.dropped += 1; // as a network may; the disk is far behind
                } else {
                    replica.present_at(peer);
                    replica.step(ctx, Event::Receive { from: peer, message }, Payloads::None);
                }
            }),
            Heard::Chunk(answer) => self.with(local, |replica, ctx| replica.snapshot_answer(ctx, peer, answer)),
            Heard::Write { request, outcome } => {
                let response = response(&outcome, frame);
                if let Some(forwarded) = self.ctx.forwarded.remove(&request) {
                    self.ctx.reply(forwarded.group, forwarded.reply, response);
                }
            }
            Heard::Pong | Heard::Postponed => {}
        }
        Ok(())
    }

    /// Closes our connection to `peer`, which contradicts itself or does not answer. The port logs the reason.
    fn legacy_give_up(&mut self, peer: NodeId, reason: CloseReason) {
        let Context { legacy, out, .. } = &mut self.ctx;
        legacy.give_up(out, peer, reason);
        self.peer_down(peer);
    }

    /// Once per heartbeat interval: requests that got no answer, and pieces of snapshots that are still being staged.
    pub(in crate::shard) fn legacy_tick(&mut self) {
        if self.ctx.legacy.is_idle() {
            return;
        }
        let election = self.ctx.options.timers.election_timeout.as_millis() as u64;
        let Context { legacy, out, now, .. } = &mut self.ctx;
        let silent = legacy.overdue(*now, ELECTION_TIMEOUTS_MAX * election, out);
        legacy.ask_again_for_chunks(*now, election);
        for peer in silent {
            self.peer_down(peer);
        }
    }
}

/// Election timeouts that the core's requests wait for their answers: as long as a snapshot waits for progress.
const ELECTION_TIMEOUTS_MAX: u64 = 10;

/// What our client is told.
fn response(outcome: &WriteOutcome<'_>, frame: &Frame) -> Response {
    let code = |code: ResultCode| format!("the leader, which speaks the legacy header, answered with NuRaft's result code {}", code.0);
    match *outcome {
        WriteOutcome::Committed { index, term, bytes } => Response::Committed { index, term, answer: frame.body.slice_ref(bytes) },
        WriteOutcome::NotLeader(leader) => Response::Rejected(Rejection::NotLeader { leader }),
        WriteOutcome::Refused(ResultCode::CANCELLED) => Response::Rejected(Rejection::Busy("the leader has no room")),
        WriteOutcome::Refused(ResultCode::TIMEOUT) => Response::Rejected(Rejection::DeadlineExceeded),
        WriteOutcome::Refused(ResultCode::BAD_REQUEST) => Response::Rejected(Rejection::Malformed("the leader refused the request".into())),
        WriteOutcome::Refused(other) => Response::Rejected(Rejection::GroupFailed(code(other))),
        WriteOutcome::Unknown(Some(other)) => Response::Unknown { why: code(other) },
        WriteOutcome::Unknown(None) => Response::Unknown { why: "the leader, an old release, does not say whether it is committed".into() },
    }
}
