//! A leader's side of replication: pipelined, bounded, and healing without help. Paper §5.3 and §5.4.2; dissertation §10.2.1.
//!
//! Any message may be lost, doubled or late. What heals it is the heartbeat: it asks about the entry before the next one to be sent, and a
//! peer that lacks it says so, which ends the pipeline and starts a probe.
//!
//! ```text
//!   0 <= matched < next <= last + 1        in flight: matched + 1 .. next
//! ```

use super::{
    effect::{Effect, Gate, Law, Mark, Origin, Refused},
    log::{LogShape, Slice},
    message::{Behind, Message, Round},
    params::Limits,
    rules::Rules,
    state::{Flow, Progress, Role, State},
    step::Step,
};
use crate::{Index, NodeId, Term};
use alloc::vec::Vec;

impl<R: Rules> Step<'_, R> {
    /// Appends the clients' entries and sends them, each peer as much as its window allows.
    pub(super) fn propose(&mut self, count: u32) {
        if count == 0 {
            return;
        }
        if self.state.as_leader().is_none() {
            self.out.push(Effect::Refuse { what: Refused::Propose, leader: self.state.leader() });
            return;
        }
        self.append_own(u64::from(count), Origin::Proposed);
        self.replicate_to_all(false);
    }

    /// Every peer hears from the leader: what is due, or an empty message. Reads that wait for the next round need not wait for the current one.
    pub(super) fn heartbeat_timeout(&mut self) {
        if let Role::Leader(leader) = &mut self.state.role {
            if let Some(read) = leader.reads.back() {
                leader.round = leader.round.max(read.round);
            }
            self.replicate_to_all(true);
        }
    }

    pub(super) fn persisted(&mut self, mark: Mark) {
        let (term, last) = (self.state.hard.term, self.state.log.last());
        if let Role::Leader(leader) = &mut self.state.role {
            if mark.term == term && mark.index > last {
                return self.halt(Law::DurableBeyondLog);
            }
            leader.durable = R::durable_after(leader.durable, term, mark);
            self.advance_commit();
        }
    }

    pub(super) fn unreachable(&mut self, peer: NodeId) {
        if let Role::Leader(leader) = &mut self.state.role
            && let Some(progress) = leader.peers.get_mut(peer)
        {
            match progress.flow {
                Flow::Replicate { .. } => {
                    progress.next = progress.matched.next();
                    progress.flow = Flow::Probe { sent: false };
                }
                Flow::Probe { .. } => progress.flow = Flow::Probe { sent: false },
                // Its end is `SnapshotFailed`, or an answer.
                Flow::Snapshot { .. } => {}
            }
        }
    }

    pub(super) fn on_append_entries_response(&mut self, from: NodeId, term: Term, result: Result<Index, &Behind>, round: Round) {
        let State { hard, log, commit, role: Role::Leader(leader), .. } = &mut *self.state else { return };
        let newest_round = leader.round;
        let Some(progress) = leader.peers.get_mut(from).filter(|_| term == hard.term) else { return };
        progress.heard = true;
        let confirms = round > progress.round;
        progress.round = progress.round.max(round.min(newest_round));
        let force = match result {
            Ok(acknowledged) if acknowledged > log.last() => return self.halt(Law::MatchedBeyondLog),
            Ok(acknowledged) => {
                let matched = R::matched_after(progress.matched, acknowledged);
                acknowledge(progress, log.base().index, matched);
                false
            }
            Err(behind) => match refuse::<R>(progress, log, self.params.limits(), behind) {
                Retry::Ignore => false,
                Retry::Probe => true,
                Retry::Snapshot => {
                    self.out.push(Effect::SendSnapshot { to: from, at: log.base() });
                    false
                }
            },
        };
        if progress.matched > *commit {
            self.advance_commit();
        }
        if confirms {
            self.release_reads();
        }
        self.replicate_to(from, force);
    }

    /// Commits the highest index that a quorum holds durably, if its entry is of the own term; older entries follow it. Paper §5.4.2.
    fn advance_commit(&mut self) {
        let State { hard, log, commit, role: Role::Leader(leader), .. } = &*self.state else { return };
        let index = R::quorum_index(self.params, leader);
        if index > *commit && R::may_commit(log, hard.term, index) {
            self.commit_through(index);
            self.release_reads();
        }
    }

    /// Sends to every peer; with `force` at least an empty message.
    pub(super) fn replicate_to_all(&mut self, force: bool) {
        let State { hard, log, commit, role: Role::Leader(leader), .. } = &mut *self.state else { return };
        let mut sender = Sender { limits: self.params.limits(), log, term: hard.term, commit: *commit, round: leader.round, out: self.out };
        for (to, progress) in leader.peers.iter_mut() {
            sender.replicate::<R>(to, progress, force);
        }
    }

    fn replicate_to(&mut self, to: NodeId, force: bool) {
        let State { hard, log, commit, role: Role::Leader(leader), .. } = &mut *self.state else { return };
        let mut sender = Sender { limits: self.params.limits(), log, term: hard.term, commit: *commit, round: leader.round, out: self.out };
        if let Some(progress) = leader.peers.get_mut(to) {
            sender.replicate::<R>(to, progress, force);
        }
    }
}

/// What AppendEntries to any peer have in common.
struct Sender<'a> {
    limits: &'a Limits,
    log: &'a LogShape,
    term: Term,
    commit: Index,
    round: Round,
    out: &'a mut Vec<Effect>,
}

impl Sender<'_> {
    /// Sends what is due until the window is full; with `force` at least an empty message.
    fn replicate<R: Rules>(&mut self, to: NodeId, progress: &mut Progress, force: bool) {
        self.skip_compacted(progress);
        let before = self.out.len();
        while let Some(room) = self.room(progress) {
            let Some(slice) = self.log.slice(progress.next.prev(), room) else { break };
            match &mut progress.flow {
                Flow::Probe { sent } => *sent = true,
                Flow::Replicate { inflight } => {
                    *inflight = inflight.saturating_add(1);
                    progress.next = slice.last.next();
                }
                Flow::Snapshot { .. } => break,
            }
            self.send(to, slice);
        }
        if force && self.out.len() == before {
            self.beat::<R>(to, progress);
        }
    }

    /// An empty message that asks whether everything before the next entry has arrived; during a snapshot, whether it is installed.
    fn beat<R: Rules>(&mut self, to: NodeId, progress: &mut Progress) {
        let prev = match &mut progress.flow {
            Flow::Snapshot { .. } if !R::beats_during_snapshot() => return,
            Flow::Snapshot { at } => at.index.max(self.log.base().index),
            Flow::Probe { sent } => {
                *sent = true;
                progress.next.prev()
            }
            Flow::Replicate { .. } => progress.next.prev(),
        };
        if let Some(slice) = self.log.slice(prev, 0) {
            self.send(to, slice);
        }
    }

    /// Where compaction overtook a peer, the oldest entry that can be asked about is the snapshot's last. A snapshot is sent only when the
    /// peer answers: a dead one costs nothing.
    fn skip_compacted(&self, progress: &mut Progress) {
        let base = self.log.base().index;
        if progress.next <= base && !matches!(progress.flow, Flow::Snapshot { .. }) {
            progress.next = base.next();
            progress.flow = Flow::Probe { sent: false };
        }
    }

    /// How many entries the next message may carry; `None`: no message now.
    fn room(&self, progress: &Progress) -> Option<u32> {
        if progress.next > self.log.last() {
            return None;
        }
        match progress.flow {
            Flow::Probe { sent: false } => Some(self.limits.slice_entries_max),
            Flow::Probe { sent: true } | Flow::Snapshot { .. } => None,
            Flow::Replicate { inflight } if inflight >= self.limits.inflight_messages_max => None,
            Flow::Replicate { .. } => {
                let inflight = progress.next.prev().0.saturating_sub(progress.matched.0);
                let room = u64::from(self.limits.inflight_entries_max).saturating_sub(inflight);
                let room = room.min(u64::from(self.limits.slice_entries_max));
                u32::try_from(room).ok().filter(|room| *room > 0)
            }
        }
    }

    fn send(&mut self, to: NodeId, slice: Slice) {
        let message = Message::AppendEntries { term: self.term, slice, commit: self.commit, round: self.round };
        self.out.push(Effect::Send { to, message, gate: Gate::Now });
    }
}

/// A peer's log matches through `matched` (which is what it was, when the answer is late).
fn acknowledge(progress: &mut Progress, base: Index, matched: Index) {
    let advanced = matched > progress.matched;
    progress.matched = matched;
    match &mut progress.flow {
        Flow::Replicate { inflight } => {
            progress.next = progress.next.max(matched.next());
            if matched == progress.next.prev() {
                *inflight = 0;
            } else if advanced {
                *inflight = inflight.saturating_sub(1);
            }
        }
        // Below the base it has installed a snapshot that compaction overtook meanwhile: its next refusal brings the next one.
        Flow::Snapshot { .. } if matched < base => progress.next = progress.next.max(matched.next()),
        // An answer to something older than the probe: that one's is still to come.
        Flow::Probe { .. } if matched < progress.next.prev() => {}
        Flow::Probe { .. } | Flow::Snapshot { .. } => {
            progress.next = matched.next();
            progress.flow = Flow::Replicate { inflight: 0 };
        }
    }
}

/// What a refusal leads to.
enum Retry {
    /// Nothing: it answers a question that was asked long ago.
    Ignore,
    /// Ask at an earlier entry.
    Probe,
    /// The log does not reach back that far. Also while a snapshot is on its way, since the peer may have lost it again.
    Snapshot,
}

/// A peer lacks the entry that it was asked about.
fn refuse<R: Rules>(progress: &mut Progress, log: &LogShape, limits: &Limits, behind: &Behind) -> Retry {
    if behind.last < progress.matched {
        return Retry::Ignore;
    }
    let base = log.base();
    let prev = R::retry_at(log, limits.slice_entries_max, behind).max(progress.matched);
    if prev < base.index {
        progress.flow = Flow::Snapshot { at: base };
        return Retry::Snapshot;
    }
    // A probe that is already at or below this point needs no second one: the report is late or doubled.
    if matches!(progress.flow, Flow::Probe { .. }) && prev.next() >= progress.next {
        return Retry::Ignore;
    }
    progress.next = prev.next();
    progress.flow = Flow::Probe { sent: false };
    Retry::Probe
}
