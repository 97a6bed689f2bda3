//! Who waits for the state database to be durable. The sync itself happens outside, perhaps on another thread: applies go on meanwhile.

use roadstead_spec::EntryId;
use std::sync::Arc;

use super::job::{GroupKey, StateEpoch, TransferId};
use crate::store::engine::{Engine, EngineError};

/// A sync that should be done. Everything committed before the ticket was made will be durable.
#[derive(Debug)]
#[must_use = "checkpoints and receptions wait for it"]
pub struct SyncTicket {
    engine: Arc<dyn Engine>,
    number: u64,
}

/// Proof that the sync of a ticket was done.
#[derive(Debug)]
pub struct Synced {
    number: u64,
}

impl SyncTicket {
    /// Syncs; takes as long as the disk takes. An error is final for the store: the process must end.
    pub fn sync(self) -> Result<Synced, EngineError> {
        self.engine.sync()?;
        Ok(Synced { number: self.number })
    }
}

/// What is answered when a sync is done.
#[derive(Debug)]
pub(super) enum Waiter {
    Checkpoint(Vec<(GroupKey, EntryId)>),
    Staged(GroupKey, TransferId, StateEpoch),
    Destroyed(GroupKey),
}

/// Waiters, before and during a sync; at most one sync runs. Their number is bounded by the jobs in flight, which the caller counts.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    waiting: Vec<Waiter>,
    running: Option<Vec<Waiter>>,
    number: u64,
}

impl Syncs {
    /// Answers after a sync that begins later than now.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        self.waiting.push(waiter);
    }

    pub(super) fn ticket(&mut self, engine: &Arc<dyn Engine>) -> Option<SyncTicket> {
        if self.running.is_some() || self.waiting.is_empty() {
            return None;
        }
        self.running = Some(std::mem::take(&mut self.waiting));
        self.number += 1;
        Some(SyncTicket { engine: engine.clone(), number: self.number })
    }

    /// The waiters of this sync, once.
    pub(super) fn finish(&mut self, synced: &Synced) -> Vec<Waiter> {
        if synced.number == self.number { self.running.take().unwrap_or_default() } else { Vec::new() }
    }
}
