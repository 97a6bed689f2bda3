//! Receiving a snapshot: chunks are written beside the data in use, under an epoch of their own, until all are there and durable.

use roadstead_spec::EntryId;

use super::{
    chunk::Chunk,
    data,
    job::{GroupKey, Refusal, StateEpoch, TransferId},
    transaction::{Overlay, fits},
};
use crate::store::{engine::Batch, prefix};

/// A reception of one group.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) transfer: TransferId,
    pub(super) at: EntryId,
    pub(super) epoch: StateEpoch,
    pub(super) stage: Stage,
}

/// How far a reception is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Chunks before `next` are written.
    Receiving { next: u64 },
    /// All are written, with the record of the applied entry; a sync will make them durable.
    Syncing,
    /// Durable: the log database may name the epoch at any moment, so the data must stay until it is installed or aborted by name.
    Ready,
}

/// What a chunk leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this one next.
    Wants(u64),
    /// Answer when the sync is done.
    AwaitSync,
    /// It was complete before.
    Ready,
}

impl Staging {
    pub(super) fn new(transfer: TransferId, at: EntryId, epoch: StateEpoch) -> Self {
        Self { transfer, at, epoch, stage: Stage::Receiving { next: 0 } }
    }

    /// Puts the chunk into the batch if it is the one that is missing.
    pub(super) fn take(&mut self, group: GroupKey, chunk: &Chunk, overlay: &mut Overlay, batch: &mut Batch) -> Result<Step, Refusal> {
        let next = match self.stage {
            Stage::Receiving { next } => next,
            Stage::Syncing => return Ok(Step::AwaitSync),
            Stage::Ready => return Ok(Step::Ready),
        };
        if chunk.sequence != next || !chunk.is_intact(self.transfer) {
            return Ok(Step::Wants(next));
        }
        let prefix = prefix::state_data(group.local, self.epoch.0);
        for item in chunk.decode() {
            let Some((key, value)) = item.filter(|(key, value)| fits(key, value)) else {
                overlay.clear();
                return Err(Refusal::Malformed(chunk.sequence));
            };
            overlay.put(prefix.as_slice(), &key, Some(value));
        }
        overlay.drain_into(&mut batch.changes);
        if chunk.done {
            data::put_applied(batch, group.local, self.epoch, self.at);
            self.stage = Stage::Syncing;
            return Ok(Step::AwaitSync);
        }
        let next = next + 1;
        self.stage = Stage::Receiving { next };
        Ok(Step::Wants(next))
    }
}
