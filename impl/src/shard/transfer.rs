//! Snapshots on their way: chunks of a view to a follower that needs entries which the log has lost, and the reception on its side.
//!
//! The sender keeps at most a window of unacknowledged chunks in flight, so a heartbeat waits behind at most that. Each answer names the chunk
//! that the receiver wants next: a broken connection, a lost chunk and a repeated one are all mended by that.

use super::{
    context::{Context, encoded},
    replica::{Payloads, Replica},
    timers::Millis,
};
use crate::applier::{Chunk, Gone, RESUME_CHUNKS_MAX, StateEpoch, TransferId, Work};
use roadstead_spec::{
    EntryId, NodeId, Term,
    raft::Event,
    wire::body::{SnapshotAnswer, SnapshotChunk, SnapshotResult},
};

/// Election timeouts without progress after which a transfer is given up; the core starts it again when the peer answers.
const GIVE_UP_AFTER_ELECTION_TIMEOUTS: u64 = 10;

/// A snapshot that we send.
#[derive(Debug)]
struct Outgoing {
    to: NodeId,
    transfer: TransferId,
    /// What the view covers; known when it is open.
    at: Option<EntryId>,
    /// Chunks asked of the applier or sent, from here on unacknowledged.
    acknowledged: u64,
    /// The next chunk to ask the applier for.
    next: u64,
    /// The last chunk, once known.
    last: Option<u64>,
    progress_at: Millis,
    /// When unacknowledged chunks were last sent again.
    repeated_at: Millis,
}

/// A snapshot that we receive.
#[derive(Debug)]
struct Incoming {
    from: NodeId,
    term: Term,
    transfer: TransferId,
    at: EntryId,
    /// All chunks are durable under this epoch.
    staged: Option<StateEpoch>,
    progress_at: Millis,
}

/// A chunk that a frame carried.
pub(crate) struct Arrived {
    /// The leader's term.
    pub(crate) term: Term,
    /// Last entry that the snapshot covers.
    pub(crate) at: EntryId,
    pub(crate) transfer: TransferId,
    pub(crate) chunk: Chunk,
}

/// Snapshots of one group on their way.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    outgoing: Vec<Outgoing>,
    incoming: Option<Incoming>,
}

impl Transfers {
    /// The epoch that holds the staged snapshot `at`; the reception ends with it.
    pub(crate) fn install(&mut self, at: EntryId) -> Option<StateEpoch> {
        let epoch = self.incoming.as_ref().filter(|incoming| incoming.at == at)?.staged?;
        self.incoming = None;
        Some(epoch)
    }

    /// Whether a snapshot is being received.
    pub(crate) fn is_receiving(&self) -> bool {
        self.incoming.is_some()
    }

    fn outgoing(&mut self, transfer: TransferId) -> Option<&mut Outgoing> {
        self.outgoing.iter_mut().find(|outgoing| outgoing.transfer == transfer)
    }
}

impl Replica {
    /// The core wants `to` to get a snapshot through `at` or later.
    pub(crate) fn begin_transfer(&mut self, ctx: &mut Context, to: NodeId, at: EntryId) {
        let running = self.transfers.outgoing.iter().find(|outgoing| outgoing.to == to);
        if running.is_some_and(|outgoing| outgoing.at.is_none_or(|covered| covered >= at)) {
            return;
        }
        self.end_transfer(ctx, to);
        // Unique over restarts of this node, as the receiver remembers a name only as long as it receives under it.
        let number = ctx.options.boot << 32 | ctx.number() & u64::from(u32::MAX);
        let transfer = TransferId { sender: ctx.options.node, number };
        let (progress_at, repeated_at) = (ctx.now, ctx.now);
        self.transfers.outgoing.push(Outgoing { to, transfer, at: None, acknowledged: 0, next: 0, last: None, progress_at, repeated_at });
        tracing::info!(group = %self.group, %to, "sending a snapshot");
        let chunk_bytes = ctx.options.limits.snapshot_chunk_bytes;
        ctx.out.job(self.key, Work::SnapshotOpen { transfer, chunk_bytes });
    }

    pub(crate) fn snapshot_opened(&mut self, ctx: &mut Context, transfer: TransferId, at: EntryId) {
        if let Some(outgoing) = self.transfers.outgoing(transfer) {
            outgoing.at = Some(at);
            self.pump_transfer(ctx, transfer);
        }
    }

    /// Asks the applier for as many chunks as the window allows.
    fn pump_transfer(&mut self, ctx: &mut Context, transfer: TransferId) {
        let limits = &ctx.options.limits;
        // What is not acknowledged may have to be read again.
        let window = (limits.snapshot_window_bytes / limits.snapshot_chunk_bytes).clamp(1, RESUME_CHUNKS_MAX) as u64;
        let Some(outgoing) = self.transfers.outgoing(transfer) else { return };
        // NuRaft's way, and heartbeats wait for no more than one piece.
        let window = if ctx.legacy.speaks_legacy(outgoing.to) { 1 } else { window };
        while outgoing.at.is_some()
            && outgoing.next < outgoing.acknowledged + window
            && outgoing.last.is_none_or(|last| outgoing.next <= last)
        {
            let sequence = outgoing.next;
            outgoing.next += 1;
            ctx.out.job(self.key, Work::SnapshotRead { transfer, sequence });
        }
    }

    pub(crate) fn snapshot_chunk(&mut self, ctx: &mut Context, transfer: TransferId, chunk: Chunk) {
        let term = self.state.hard.term;
        let Some(outgoing) = self.transfers.outgoing(transfer) else { return };
        let Some(at) = outgoing.at else { return };
        if chunk.done {
            outgoing.last = Some(chunk.sequence);
        }
        let to = outgoing.to;
        if !ctx.reaches(self.group, to) {
            return; // repeated when the receiver names what it wants
        }
        let body = SnapshotChunk {
            term,
            transfer: transfer.number,
            at,
            sequence: chunk.sequence,
            done: chunk.done,
            crc: SnapshotChunk::crc_of(&chunk.items),
            items: &chunk.items,
        };
        if ctx.legacy.carries(self.group, to) {
            let Context { legacy, options, now, .. } = ctx;
            let address = |member| options.addresses.get(&member).map_or("", String::as_str);
            let members: Vec<(NodeId, &str)> = self.params.voters().iter().map(|member| (member, address(member))).collect();
            legacy.ask_chunk(*now, (options.node, to), &body, self.state.commit, &members);
        } else {
            encoded(body.encode(&self.route(ctx, to), ctx.out.peer(to)));
        }
    }

    /// A chunk cannot be read: the view is closed, too old, or was never there, or the chunk is none of it.
    pub(crate) fn snapshot_gone(&mut self, ctx: &mut Context, transfer: TransferId, why: &Gone) {
        let Some(outgoing) = self.transfers.outgoing(transfer) else { return };
        if let Gone::OutOfReach { wanted, .. } = why
            && outgoing.last.is_some_and(|last| *wanted > last)
        {
            // Chunks are asked for by the window, before it is known how many there are.
            return;
        }
        let to = outgoing.to;
        // The view may still be there, and only so many are.
        self.end_transfer(ctx, to);
        self.step(ctx, Event::SnapshotFailed { to }, Payloads::None);
    }

    /// The receiver says what it wants next.
    pub(crate) fn snapshot_answer(&mut self, ctx: &mut Context, from: NodeId, answer: SnapshotAnswer) {
        let transfer = TransferId { sender: ctx.options.node, number: answer.transfer };
        let Some(outgoing) = self.transfers.outgoing(transfer).filter(|outgoing| outgoing.to == from) else { return };
        match answer.result {
            SnapshotResult::Continue => {
                let wanted = answer.next;
                if wanted > outgoing.acknowledged {
                    outgoing.progress_at = ctx.now;
                    outgoing.acknowledged = wanted.min(outgoing.next);
                } else if ctx.now.since(outgoing.repeated_at) >= ctx.options.timers.heartbeat.as_millis() as u64 {
                    // Something was lost: go back, but not for each of the chunks behind it, which are all answered in the same way.
                    outgoing.repeated_at = ctx.now;
                    outgoing.next = outgoing.acknowledged;
                }
                self.pump_transfer(ctx, transfer);
            }
            SnapshotResult::Complete | SnapshotResult::NotNeeded => self.end_transfer(ctx, from),
            SnapshotResult::Busy | SnapshotResult::Failed => {
                self.end_transfer(ctx, from);
                self.step(ctx, Event::SnapshotFailed { to: from }, Payloads::None);
            }
        }
    }

    fn end_transfer(&mut self, ctx: &mut Context, to: NodeId) {
        for outgoing in self.transfers.outgoing.extract_if(.., |outgoing| outgoing.to == to) {
            ctx.out.job(self.key, Work::SnapshotClose { transfer: outgoing.transfer });
        }
    }

    /// This node leads no more. In a term that somebody else may lead, a receiver would take it for the leader.
    pub(crate) fn end_transfers(&mut self, ctx: &mut Context) {
        for outgoing in self.transfers.outgoing.drain(..) {
            ctx.out.job(self.key, Work::SnapshotClose { transfer: outgoing.transfer });
        }
    }

    /// A chunk of a leader's snapshot arrived.
    pub(crate) fn chunk_received(&mut self, ctx: &mut Context, from: NodeId, arrived: Arrived) {
        let Arrived { term, at, transfer, chunk } = arrived;
        if term < self.state.hard.term || at.index <= self.state.commit {
            // Nothing of it is needed. Telling the core makes it answer with where this log stands, which ends the sender's flow.
            self.answer_snapshot(ctx, from, transfer, 0, SnapshotResult::NotNeeded);
            return self.step(ctx, Event::SnapshotReceived { from, term, at }, Payloads::None);
        }
        if ctx.space.is_short() && self.transfers.incoming.as_ref().is_none_or(|incoming| incoming.staged.is_none()) {
            // A whole state may be large. What was staged of it makes room again.
            if let Some(incoming) = self.transfers.incoming.take() {
                ctx.out.job(self.key, Work::StageAbort { transfer: incoming.transfer });
            }
            return self.answer_snapshot(ctx, from, transfer, 0, SnapshotResult::Busy);
        }
        let same = self.transfers.incoming.as_ref().is_some_and(|incoming| incoming.transfer == transfer && incoming.from == from);
        if !same {
            // A snapshot that is being installed is not disturbed by a newer one.
            if self.transfers.incoming.as_ref().is_some_and(|incoming| incoming.staged.is_some()) {
                return;
            }
            ctx.out.job(self.key, Work::StageBegin { transfer, at });
        }
        self.transfers.incoming = Some(Incoming {
            from,
            term,
            transfer,
            at,
            staged: self.transfers.incoming.as_ref().filter(|_| same).and_then(|incoming| incoming.staged),
            progress_at: ctx.now,
        });
        ctx.out.job(self.key, Work::StageChunk { transfer, chunk });
    }

    pub(crate) fn stage_wants(&mut self, ctx: &mut Context, transfer: TransferId, sequence: u64) {
        if let Some(from) = self.incoming(transfer).map(|incoming| incoming.from) {
            self.answer_snapshot(ctx, from, transfer, sequence, SnapshotResult::Continue);
        }
    }

    /// Every chunk is durable: the core decides whether the snapshot is installed.
    pub(crate) fn staged(&mut self, ctx: &mut Context, transfer: TransferId, at: EntryId, epoch: StateEpoch) {
        let Some(incoming) = self.incoming(transfer) else { return };
        incoming.staged = Some(epoch);
        let (from, term) = (incoming.from, incoming.term);
        self.answer_snapshot(ctx, from, transfer, 0, SnapshotResult::Complete);
        self.step(ctx, Event::SnapshotReceived { from, term, at }, Payloads::None);
        if self.incoming(transfer).is_some() {
            // It was not needed any more.
            self.transfers.incoming = None;
            ctx.out.job(self.key, Work::StageAbort { transfer });
        }
    }

    pub(crate) fn stage_refused(&mut self, ctx: &mut Context, transfer: TransferId) {
        if let Some(from) = self.incoming(transfer).map(|incoming| incoming.from) {
            self.transfers.incoming = None;
            self.answer_snapshot(ctx, from, transfer, 0, SnapshotResult::Failed);
        }
    }

    fn incoming(&mut self, transfer: TransferId) -> Option<&mut Incoming> {
        self.transfers.incoming.as_mut().filter(|incoming| incoming.transfer == transfer)
    }

    fn answer_snapshot(&self, ctx: &mut Context, to: NodeId, transfer: TransferId, next: u64, result: SnapshotResult) {
        if !self.answer_legacy_chunk(ctx, to, transfer, next, result) && ctx.links.contains(&to) {
            let answer = SnapshotAnswer { term: self.state.hard.term, transfer: transfer.number, next, result };
            encoded(answer.encode(&self.route(ctx, to), ctx.out.peer(to)));
        }
    }

    /// Repeats what got no answer, and gives up what makes no progress.
    pub(crate) fn tick_transfers(&mut self, ctx: &mut Context) {
        let election = ctx.options.timers.election_timeout.as_millis() as u64;
        let patience = GIVE_UP_AFTER_ELECTION_TIMEOUTS * election;
        if self
            .transfers
            .incoming
            .as_ref()
            .is_some_and(|incoming| incoming.staged.is_none() && ctx.now.since(incoming.progress_at) > patience)
            && let Some(incoming) = self.transfers.incoming.take()
        {
            ctx.out.job(self.key, Work::StageAbort { transfer: incoming.transfer });
        }
        if self.transfers.outgoing.is_empty() {
            return;
        }
        let stuck = self.transfers.outgoing.iter().filter(|outgoing| ctx.now.since(outgoing.progress_at) > patience);
        let given_up: Vec<NodeId> = stuck.map(|outgoing| outgoing.to).collect();
        for to in given_up {
            self.end_transfer(ctx, to);
            self.step(ctx, Event::SnapshotFailed { to }, Payloads::None);
        }
        let silent: Vec<TransferId> = self
            .transfers
            .outgoing
            .iter_mut()
            .filter(|outgoing| outgoing.at.is_some() && ctx.now.since(outgoing.progress_at.max(outgoing.repeated_at)) > election)
            .map(|outgoing| {
                outgoing.repeated_at = ctx.now;
                outgoing.next = outgoing.acknowledged;
                outgoing.transfer
            })
            .collect();
        for transfer in silent {
            self.pump_transfer(ctx, transfer);
        }
    }
}
