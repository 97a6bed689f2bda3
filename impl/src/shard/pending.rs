//! Who waits for what: client writes until their entry is applied, reads until their index is.

use super::{io::ReplyTo, timers::Millis};
use bytes::Bytes;
use roadstead_spec::{Index, raft::ReadId};
use std::collections::VecDeque;

/// A write whose entry is in the log and whose outcome is open.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    /// Index of the entry that carries it.
    pub(crate) index: Index,
    pub(crate) reply: ReplyTo,
    pub(crate) deadline: Millis,
    /// Size of its command.
    pub(crate) bytes: usize,
}

/// Writes in log order. Each write's entry is in the local log with the same term: whoever truncates the log takes the writes out first. So
/// indices strictly increase, and what is applied at a write's index is that write.
#[derive(Debug, Default)]
pub(crate) struct PendingWrites {
    queue: VecDeque<PendingWrite>,
}

impl PendingWrites {
    /// Gives memory back as far as nobody waits.
    pub(crate) fn rest(&mut self) {
        self.queue.shrink_to_fit();
    }

    pub(crate) fn push(&mut self, write: PendingWrite) {
        self.queue.push_back(write);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes out the writes at or behind `from`: their entries are no longer in this log. Another member may still hold and commit them.
    pub(crate) fn take_from(&mut self, from: Index) -> Vec<PendingWrite> {
        let at = self.queue.partition_point(|write| write.index < from);
        self.queue.drain(at..).collect()
    }

    /// The first index that somebody waits for.
    pub(crate) fn first(&self) -> Option<Index> {
        self.queue.front().map(|write| write.index)
    }

    /// The write at `index`, if somebody waits for it.
    pub(crate) fn take_at(&mut self, index: Index) -> Option<PendingWrite> {
        while self.queue.front()?.index < index {
            self.queue.pop_front();
        }
        if self.queue.front()?.index == index { self.queue.pop_front() } else { None }
    }

    /// Takes out the writes at or below `through`.
    pub(crate) fn take_through(&mut self, through: Index) -> Vec<PendingWrite> {
        let reached = self.queue.partition_point(|write| write.index <= through);
        self.queue.drain(..reached).collect()
    }

    /// Takes out what nobody waits for any more. The outcome of these writes is unknown.
    pub(crate) fn take_expired(&mut self, now: Millis) -> Vec<PendingWrite> {
        if self.queue.iter().all(|write| write.deadline > now) {
            return Vec::new();
        }
        let (expired, kept): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|write| write.deadline <= now);
        self.queue.extend(kept);
        expired
    }

    /// Takes out everything.
    pub(crate) fn take_all(&mut self) -> Vec<PendingWrite> {
        self.queue.drain(..).collect()
    }
}

/// A query of a client.
#[derive(Debug)]
pub(crate) struct PendingQuery {
    pub(crate) bytes: Bytes,
    pub(crate) reply: ReplyTo,
    pub(crate) deadline: Millis,
}

/// Linearizable reads: those of one turn share one [`ReadId`]; then they wait for their index.
#[derive(Debug, Default)]
pub(crate) struct PendingReads {
    /// Arrived in this turn.
    arrived: Vec<PendingQuery>,
    /// Asked of the core.
    asked: VecDeque<(ReadId, Vec<PendingQuery>)>,
    /// Confirmed: may run once this index is applied.
    confirmed: VecDeque<(Index, Vec<PendingQuery>)>,
}

impl PendingReads {
    pub(crate) fn arrive(&mut self, query: PendingQuery) {
        self.arrived.push(query);
    }

    pub(crate) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Reads that wait, of all kinds.
    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
            + self.asked.iter().map(|(_, queries)| queries.len()).sum::<usize>()
            + self.confirmed.iter().map(|(_, queries)| queries.len()).sum::<usize>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.asked.is_empty() && self.confirmed.is_empty()
    }

    /// Puts everything that arrived in this turn under one id.
    pub(crate) fn ask(&mut self, id: ReadId) {
        let arrived = std::mem::take(&mut self.arrived);
        self.asked.push_back((id, arrived));
    }

    /// The core confirmed `id`.
    pub(crate) fn confirm(&mut self, id: ReadId, index: Index) {
        if let Some(queries) = self.take(id) {
            self.confirmed.push_back((index, queries));
        }
    }

    /// The queries of `id`, if it waits for the core.
    pub(crate) fn take(&mut self, id: ReadId) -> Option<Vec<PendingQuery>> {
        let place = self.asked.iter().position(|(asked, _)| *asked == id)?;
        self.asked.remove(place).map(|(_, queries)| queries)
    }

    /// The confirmed queries that may run now.
    pub(crate) fn take_ready(&mut self, applied: Index) -> Vec<PendingQuery> {
        let mut ready = Vec::new();
        self.confirmed.retain_mut(|(index, queries)| {
            let runs = *index <= applied;
            if runs {
                ready.append(queries);
            }
            !runs
        });
        ready
    }

    /// Counts the reads that the core has not answered as newly arrived: an answer may have been lost on the way. They get a new id, so that
    /// a late answer to the old one is not taken for theirs.
    pub(crate) fn ask_again(&mut self) {
        self.arrived.extend(self.asked.drain(..).flat_map(|(_, queries)| queries));
    }

    /// Takes out what nobody waits for any more.
    pub(crate) fn take_expired(&mut self, now: Millis) -> Vec<PendingQuery> {
        let mut expired = Vec::new();
        let mut split = |queries: &mut Vec<PendingQuery>| {
            if queries.iter().any(|query| query.deadline <= now) {
                let (late, kept): (Vec<_>, Vec<_>) = queries.drain(..).partition(|query| query.deadline <= now);
                expired.extend(late);
                *queries = kept;
            }
            !queries.is_empty()
        };
        split(&mut self.arrived);
        self.asked.retain_mut(|(_, queries)| split(queries));
        self.confirmed.retain_mut(|(_, queries)| split(queries));
        expired
    }

    /// Takes out everything.
    pub(crate) fn take_all(&mut self) -> Vec<PendingQuery> {
        let mut all = std::mem::take(&mut self.arrived);
        all.extend(self.asked.drain(..).flat_map(|(_, queries)| queries));
        all.extend(self.confirmed.drain(..).flat_map(|(_, queries)| queries));
        all
    }
}
