//! What the shard records of a run, as `roadstead_spec::trace` defines it. Without a trace file the records are lean, see `crate::trace`.

use super::{context::Context, replica::Replica};
use crate::{store::submission, trace};
use roadstead_spec::{
    Index, NodeId,
    outbox::Ticket,
    raft::{Effect, Event, Message},
    trace::{Content, Digest, Fact, Written},
    wire::body::{PayloadSpan, Route},
};

impl Replica {
    /// Records what happened to this group.
    pub(crate) fn note(&self, ctx: &mut Context, fact: &Fact) {
        ctx.records.record(self.group, self.key.incarnation, fact);
    }

    /// Records what other records tell in short.
    pub(crate) fn note_whole(&self, ctx: &mut Context, fact: impl FnOnce() -> Fact) {
        ctx.records.record_whole(self.group, self.key.incarnation, fact);
    }

    /// Keeps the event of a step before it is taken, where nothing but the last records is kept.
    pub(super) fn keep_event(&mut self, ctx: &mut Context, event: &Event) {
        let seat = (self.group, self.key.incarnation);
        let (params, state) = (&self.params, &self.state);
        let stands = || Fact::Recovered { params: Box::new(params.clone()), state: Box::new(state.clone()) };
        ctx.records.keep_event(seat, event, &mut self.state_kept, stands);
    }

    /// Records a step for the trace file; the effects come back.
    pub(super) fn note_step(&self, ctx: &mut Context, event: Event, effects: Vec<Effect>) -> Vec<Effect> {
        let fact = Fact::Stepped { event, effects, after: Digest::of_state(&self.state) };
        self.note(ctx, &fact);
        match fact {
            Fact::Stepped { effects, .. } => effects,
            _ => Vec::new(),
        }
    }
}

/// The record of a write, as the disk is told; the storage thread's own changes have none.
pub(super) fn issued(ticket: Ticket, write: &submission::Write) -> Option<Fact> {
    let (write, append) = match write {
        submission::Write::Persist { hard, truncate_from, append } => {
            (Written::Persist { hard: *hard, truncate_from: *truncate_from }, append.as_ref())
        }
        submission::Write::Install { hard, at, keep_suffix, .. } => {
            (Written::Install { hard: *hard, at: *at, keep_suffix: *keep_suffix }, None)
        }
        submission::Write::Compact { through } => return Some(Fact::Compacted { through: *through }),
        submission::Write::Registry(_) => return None,
    };
    let content = append.map_or_else(Content::none, |append| trace::content(append.first, &append.entries));
    Some(Fact::Issued { ticket, write, content })
}

/// The record of a message that came.
pub(super) fn received(from: NodeId, message: &Message, spans: &[PayloadSpan], body: &[u8], translated: bool) -> Fact {
    let digest = |span: &PayloadSpan| Digest::of(span.kind as u8, body.get(span.range.clone()).unwrap_or_default());
    let first = spans.first().map_or(Index(0), |span| span.index);
    let content = Content::new(first, spans.iter().map(|span| (span.term, digest(span))));
    Fact::Received { from, message: message.clone(), content, translated }
}

/// Records that a message leaves.
pub(super) fn note_sent(route: &Route, ctx: &mut Context, message: &Message, after: Ticket, content: impl FnOnce() -> Content) {
    let to = route.to;
    let translated = ctx.legacy.carries(route.group, to);
    let fact = || Fact::Sent { to, message: message.clone(), after, content: content(), translated };
    ctx.records.record_whole(route.group, route.incarnation, fact);
}
