//! A follower's side of replication. Paper §5.3, fig. 2 "AppendEntries RPC".

use super::{
    catch_up,
    effect::{Append, Effect, Law, Origin},
    log::{Slice, TermAt},
    message::{Behind, Message, Round},
    rules::Rules,
    step::Step,
};
use crate::{EntryId, Index, NodeId, Term};
use alloc::boxed::Box;

impl<R: Rules> Step<'_, R> {
    pub(super) fn on_append_entries(&mut self, from: NodeId, term: Term, slice: &Slice, commit: Index, round: Round) {
        if term < self.state.hard.term {
            self.answer_append(from, Err(Behind::default()), round);
            return;
        }
        // No leader sends such a slice, and the codec refuses it; a message that lies is a message that was lost.
        if !slice.is_valid() || slice.last_id().term > term || !self.follow(from) {
            return;
        }
        let matches = R::prev_matches(&self.state.log, slice.prev);
        if R::restarts_election_timer(matches) {
            self.out.push(Effect::ResetElectionTimer);
        }
        if !matches {
            self.refuse_append(from, slice.prev, round);
            return;
        }
        match R::first_missing(&self.state.log, slice) {
            Some(first) if first <= self.state.commit => return self.halt(Law::CommittedEntryChanged),
            Some(first) => self.write(slice, first),
            None => self.persist_term(),
        }
        let verified = R::verified(&self.state.log, slice);
        self.commit_through(R::follower_commit(self.state, commit, verified));
        self.answer_append(from, Ok(verified), round);
    }

    /// "If an existing entry conflicts with a new one, delete the existing entry and all that follow it; append any new entries."
    fn write(&mut self, slice: &Slice, first: Index) {
        let truncate_from = (first <= self.state.log.last()).then_some(first);
        if truncate_from.is_some() {
            self.state.log.truncate_from(first);
        }
        let runs = slice.runs_after(first.prev());
        self.state.log.append_runs(&runs, slice.last);
        self.persist(truncate_from, Append { runs, last: slice.last, origin: Origin::Received });
    }

    fn refuse_append(&mut self, from: NodeId, prev: EntryId, round: Round) {
        let is_known = matches!(self.state.log.term_at(prev.index), TermAt::Known(_));
        if is_known && prev.index <= self.state.commit {
            return self.halt(Law::CommittedEntryChanged);
        }
        self.answer_append(from, Err(catch_up::behind(&self.state.log, prev)), round);
    }

    /// Answers in the current term, once everything written so far is durable.
    pub(super) fn answer_append(&mut self, to: NodeId, result: Result<Index, Behind>, round: Round) {
        self.persist_term();
        let message = Message::AppendEntriesResponse { term: self.state.hard.term, result: result.map_err(Box::new), round };
        self.send(to, message, R::append_answer_gate());
    }

    /// Moves the commit index, and has what is newly committed applied.
    pub(super) fn commit_through(&mut self, commit: Index) {
        if commit > self.state.commit {
            self.out.push(Effect::Apply { through: commit });
        }
        self.state.commit = commit;
    }
}
