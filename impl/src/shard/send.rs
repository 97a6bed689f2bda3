//! From a released message to frames: bytes are looked up late, so their terms are checked again; large slices are split by bytes.

use super::{
    context::{Context, encoded},
    io::{LogRead, ReadFor},
    legacy::is_legacy_round,
    note::note_sent,
    replica::Replica,
};
use crate::{store::entry::Entry, trace};
use roadstead_spec::{
    Index, NodeId, Term,
    outbox::{Released, Ticket},
    raft::{Message, Round, Slice},
    trace::{Content, Fact},
    wire::body::{EntryKind, PAYLOAD_HEADER_BYTES, Route, encode_raft},
};
use std::collections::VecDeque;

/// Appends that wait for one peer's log read; beyond it they are dropped, as a network may, and the core sends again.
const WAITING_MAX: usize = 256;

/// An AppendEntries whose bytes are not in memory.
#[derive(Debug)]
struct Waiting {
    term: Term,
    slice: Slice,
    commit: Index,
    round: Round,
    /// The write that it had waited for.
    after: Ticket,
}

impl Waiting {
    fn message(&self) -> Message {
        Message::AppendEntries { term: self.term, slice: self.slice.clone(), commit: self.commit, round: self.round }
    }
}

/// Appends that wait for the log reader, per peer and in order: a later one never overtakes.
#[derive(Debug, Default)]
pub(crate) struct Sends {
    waiting: Vec<(NodeId, VecDeque<Waiting>)>,
}

impl Sends {
    fn queue(&mut self, peer: NodeId) -> Option<&mut VecDeque<Waiting>> {
        self.waiting.iter_mut().find(|(other, _)| *other == peer).map(|(_, queue)| queue)
    }

    /// Takes out what waits for `peer`.
    fn take(&mut self, peer: NodeId) -> VecDeque<Waiting> {
        let place = self.waiting.iter().position(|(other, _)| *other == peer);
        place.map(|place| self.waiting.swap_remove(place).1).unwrap_or_default()
    }

    /// Appends that wait, over all peers.
    pub(crate) fn len(&self) -> usize {
        self.waiting.iter().map(|(_, queue)| queue.len()).sum()
    }
}

impl Replica {
    /// Puts a message that the outbox released on its way.
    pub(crate) fn send(&mut self, ctx: &mut Context, released: Released) {
        let after = released.after();
        let (to, message) = released.into_parts();
        if self.answer_legacy(ctx, to, &message) {
            ctx.counters.messages_sent += 1;
            return self.note_whole(ctx, || Fact::Sent { to, message, after, content: Content::none(), translated: true });
        }
        if !ctx.reaches(self.group, to) || answers_closed_connection(&message) {
            // The core learns of the broken connection by `Unreachable`, and heartbeats probe.
            return self.note(ctx, &Fact::Dropped { to, message, after });
        }
        if let Message::AppendEntries { slice, .. } = &message
            && !slice.is_empty()
            && self.spares(ctx, to, slice)
        {
            // Heartbeats probe, and bring everything once the member has room.
            return self.note(ctx, &Fact::Dropped { to, message, after });
        }
        ctx.counters.messages_sent += 1;
        match message {
            Message::AppendEntries { term, slice, commit, round } if !slice.is_empty() => {
                let waiting = Waiting { term, slice, commit, round, after };
                match self.sends.queue(to) {
                    Some(queue) if queue.len() >= WAITING_MAX => {
                        ctx.counters.dropped += 1;
                        self.drop_append(ctx, to, &waiting);
                    }
                    Some(queue) => queue.push_back(waiting),
                    None => self.send_or_read(ctx, to, waiting),
                }
            }
            message => {
                let route = self.route(ctx, to);
                note_sent(&route, ctx, &message, after, Content::none);
                put(&route, ctx, &message, self.state.commit, []);
            }
        }
    }

    pub(crate) fn route(&self, ctx: &Context, to: NodeId) -> Route {
        Route { from: ctx.options.node, to, group: self.group, incarnation: self.key.incarnation }
    }

    fn send_or_read(&mut self, ctx: &mut Context, to: NodeId, append: Waiting) {
        let first = append.slice.prev.index.next();
        if let Some(entries) = self.tail.range(first, append.slice.last) {
            send_append(&self.route(ctx, to), ctx, append, entries);
            return;
        }
        let read = LogRead {
            key: self.key,
            purpose: ReadFor::Send(to),
            from: first,
            entries_max: append.slice.entries() as usize,
            bytes_max: ctx.options.limits.max_frame_bytes,
        };
        ctx.out.log_reads.push(read);
        self.sends.waiting.push((to, VecDeque::from([append])));
    }

    /// Forgets what waits for `peer`: its connection broke.
    pub(crate) fn forget_appends(&mut self, ctx: &mut Context, to: NodeId) {
        for append in self.sends.take(to) {
            self.drop_append(ctx, to, &append);
        }
    }

    fn drop_append(&self, ctx: &mut Context, to: NodeId, append: &Waiting) {
        self.note(ctx, &Fact::Dropped { to, message: append.message(), after: append.after });
    }

    /// Entries for `to` came from the log; an empty list means that they could not be read.
    pub(crate) fn send_read(&mut self, ctx: &mut Context, to: NodeId, from: Index, entries: &[Entry]) {
        let mut queue = self.sends.take(to);
        let Some(append) = queue.pop_front() else { return };
        if append.slice.prev.index.next() != from {
            // The question was asked for an append of an earlier connection.
            queue.push_front(append);
        } else if !entries.is_empty() && ctx.reaches(self.group, to) {
            let last = append.slice.last.min(Index(from.0 + entries.len() as u64 - 1));
            let (now, later) = match append.slice.split(last) {
                Some((now, later)) => (now, Some(later)),
                None => (append.slice, None),
            };
            if let Some(slice) = later {
                queue.push_front(Waiting { slice, ..append });
            }
            let terms_match = (from.0..=last.0).zip(entries).all(|(index, entry)| now.term_of(Index(index)) == Some(entry.term));
            let now = Waiting { slice: now, ..append };
            if terms_match {
                send_append(&self.route(ctx, to), ctx, now, entries.iter());
            } else {
                self.drop_append(ctx, to, &now);
            }
        } else {
            self.drop_append(ctx, to, &append);
        }
        // Whatever is in memory by now goes out; the first that is not asks again, and the rest waits behind it.
        while let Some(append) = queue.pop_front() {
            if self.sends.queue(to).is_none() {
                self.send_or_read(ctx, to, append);
            }
            if let Some(waiting) = self.sends.queue(to) {
                waiting.append(&mut queue);
            }
        }
    }
}

/// The request came with version 0, on a connection that is gone.
fn answers_closed_connection(message: &Message) -> bool {
    matches!(message, Message::AppendEntriesResponse { round, .. } if is_legacy_round(*round))
}

/// Makes a message's frame, with the header that the link to the peer speaks.
fn put<'a>(route: &Route, ctx: &mut Context, message: &Message, commit: Index, payloads: impl IntoIterator<Item = (EntryKind, &'a [u8])>) {
    if ctx.legacy.carries(route.group, route.to) {
        ctx.legacy.ask_message(ctx.now, (route.from, route.to), message, commit, payloads);
    } else {
        encoded(encode_raft(route, message, payloads, &ctx.options.wire, ctx.out.peer(route.to)));
    }
}

/// Builds one or more frames: each carries as many entries as fit, and at least one. Both halves of a split are valid messages, sent in order.
fn send_append<'a>(route: &Route, ctx: &mut Context, append: Waiting, entries: impl Iterator<Item = &'a Entry> + Clone) {
    let Waiting { term, mut slice, commit, round, after } = append;
    let bytes_max = ctx.options.limits.max_frame_bytes;
    let mut entries = entries.take(slice.entries() as usize);
    loop {
        let mut bytes = 0;
        let fitting = entries
            .clone()
            .take_while(|entry| {
                bytes += PAYLOAD_HEADER_BYTES + entry.payload.len();
                bytes <= bytes_max
            })
            .count()
            .max(1);
        let split = slice.split(Index(slice.prev.index.0 + fitting as u64));
        let (now, later) = match split {
            Some((now, later)) => (now, Some(later)),
            None => (slice, None),
        };
        let (first, count) = (now.prev.index.next(), now.entries() as usize);
        let payloads = entries.clone().take(count).map(|entry| (entry.kind, &entry.payload[..]));
        let message = Message::AppendEntries { term, slice: now, commit, round };
        note_sent(route, ctx, &message, after, || trace::content(first, entries.clone().take(count)));
        put(route, ctx, &message, commit, payloads);
        let Some(later) = later else { return };
        entries.by_ref().take(fitting).for_each(drop);
        slice = later;
    }
}
