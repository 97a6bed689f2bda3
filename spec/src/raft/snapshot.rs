//! Snapshots and compaction: the core sees only which entry a snapshot ends with. Paper §7; dissertation §5.

use super::{
    effect::Effect,
    log::{INDEX_MAX, LogShape},
    message::{Behind, Round},
    rules::Rules,
    state::{Flow, Role},
    step::Step,
};
use crate::{EntryId, NodeId, Term};

impl<R: Rules> Step<'_, R> {
    /// A local snapshot is durable: entries far enough behind it may go. One that this log cannot place, or that is not applied yet, says nothing.
    pub(super) fn snapshot_taken(&mut self, at: EntryId) {
        if at.index > self.state.applied || !self.state.log.holds(at) {
            return;
        }
        let through = R::compact_through(self.params, self.state, at.index);
        if through > self.state.log.base().index {
            self.state.log.compact_to(through);
            self.out.push(Effect::Compact { through });
        }
    }

    /// Every chunk of a leader's snapshot is staged: makes it the log's base, in one durable step. Paper fig. 13.
    pub(super) fn snapshot_received(&mut self, from: NodeId, term: Term, at: EntryId) {
        if !R::hears(self.params, self.state.id, from) || at.term > term || at.index > INDEX_MAX {
            return;
        }
        if term < self.state.hard.term {
            // The leader that sent it was deposed: its successor starts anew, from what this log holds by then.
            return self.answer_append(from, Err(Behind::default()), Round(0));
        }
        if term > self.state.hard.term {
            self.become_follower(term);
        }
        if !self.follow(from) {
            return;
        }
        self.out.push(Effect::ResetElectionTimer);
        if R::installs(self.state, at) {
            self.install(at);
        }
        self.answer_append(from, Ok(at.index), Round(0));
    }

    fn install(&mut self, at: EntryId) {
        let keep_suffix = R::keeps_suffix(&self.state.log, at);
        if keep_suffix {
            self.state.log.compact_to(at.index);
        } else {
            self.state.log = LogShape::new(at);
        }
        self.state.commit = at.index;
        self.state.applied = at.index;
        self.hard_changed = false;
        let mark = self.mark();
        self.out.push(Effect::InstallSnapshot { hard: self.state.hard, at, keep_suffix, mark });
    }

    /// The next heartbeat asks the peer where it stands, and its answer may lead to another snapshot.
    pub(super) fn snapshot_failed(&mut self, to: NodeId) {
        let base = self.state.log.base().index;
        if let Role::Leader(leader) = &mut self.state.role
            && let Some(progress) = leader.peers.get_mut(to)
            && matches!(progress.flow, Flow::Snapshot { .. })
        {
            progress.next = base.max(progress.matched).next();
            progress.flow = Flow::Probe { sent: true };
        }
    }
}
