//! The applier's snapshot jobs: sending a view, receiving beside the data in use, switching over.

use roadstead_spec::EntryId;

use super::{
    SWEEPS_PER_GROUP_MAX,
    chunk::Chunk,
    data,
    failure::Failure,
    host::Applier,
    job::{Gone, GroupKey, JobName, Outcome, Refusal, StateEpoch, TransferId},
    sending::ReadError,
    staging::{Stage, Staging, Step},
    sync::Waiter,
};
use crate::store::engine::EngineError;

impl Applier {
    pub(super) fn snapshot_open(&mut self, key: GroupKey, transfer: TransferId, chunk_bytes: usize) -> Result<(), EngineError> {
        // A view shows what is committed: so everything that was asked to be applied before is committed now.
        self.settle()?;
        let (keys, at) = match self.running(key, JobName::Snapshot(transfer)) {
            Ok(group) => (group.keys().clone(), group.applied),
            Err(failed) => {
                self.done.push(failed);
                return Ok(());
            }
        };
        let outcome = match self.views.open(self.now, (key.local, transfer), keys, chunk_bytes, &*self.engine) {
            Ok(()) => Outcome::SnapshotOpened { transfer, at },
            Err(why) => Outcome::SnapshotGone { transfer, why },
        };
        self.answer(key, outcome);
        Ok(())
    }

    pub(super) fn snapshot_read(&mut self, key: GroupKey, transfer: TransferId, sequence: u64) {
        if let Err(failed) = self.running(key, JobName::Snapshot(transfer)) {
            self.done.push(failed);
            return;
        }
        let outcome = match self.views.read(self.now, (key.local, transfer), sequence) {
            Ok(chunk) => Outcome::SnapshotChunk { transfer, chunk },
            Err(ReadError::Gone(why)) => Outcome::SnapshotGone { transfer, why },
            Err(ReadError::Engine(error)) => {
                tracing::warn!(local = key.local.0, %transfer, %error, "a snapshot cannot be sent: check the disk");
                self.views.close((key.local, transfer));
                Outcome::SnapshotGone { transfer, why: Gone::Unreadable }
            }
        };
        self.answer(key, outcome);
    }

    pub(super) fn snapshot_close(&mut self, key: GroupKey, transfer: TransferId) {
        self.views.close((key.local, transfer));
        self.answer(key, Outcome::SnapshotGone { transfer, why: Gone::Closed });
    }

    pub(super) fn stage_begin(&mut self, key: GroupKey, transfer: TransferId, at: EntryId) {
        let pending = self.sweeper.pending(key.local);
        let group = match self.running(key, JobName::Stage(transfer)) {
            Ok(group) => group,
            Err(failed) => return self.done.push(failed),
        };
        let outcome = match &group.staging {
            // Begun already: the answer was lost, or the connection broke; go on where it stopped.
            Some(same) if same.transfer == transfer && same.at == at => match same.stage {
                Stage::Receiving { next } => Outcome::StageWants { transfer, sequence: next },
                Stage::Syncing => {
                    let waiter = Waiter::Staged(key, transfer, same.epoch);
                    return self.syncs.wait(waiter);
                }
                Stage::Ready => Outcome::Staged { transfer, at, epoch: same.epoch },
            },
            Some(Staging { transfer: other, stage: Stage::Ready, .. }) => {
                Outcome::StageRefused { transfer, why: Refusal::Installing(*other) }
            }
            _ if at.index <= group.applied.index => Outcome::StageRefused { transfer, why: Refusal::Stale { at, applied: group.applied } },
            _ if pending > SWEEPS_PER_GROUP_MAX => Outcome::StageRefused { transfer, why: Refusal::Cleaning },
            _ => {
                let abandoned = group.staging.take();
                let epoch = StateEpoch(group.epoch_max.0 + 1);
                group.epoch_max = epoch;
                group.staging = Some(Staging::new(transfer, at, epoch));
                if let Some(abandoned) = abandoned {
                    self.sweep_epoch(key, abandoned.epoch);
                }
                Outcome::StageWants { transfer, sequence: 0 }
            }
        };
        self.answer(key, outcome);
    }

    pub(super) fn stage_chunk(&mut self, key: GroupKey, transfer: TransferId, chunk: &Chunk) {
        if let Err(failed) = self.running(key, JobName::Stage(transfer)) {
            return self.done.push(failed);
        }
        let group = self.groups.get_mut(&key.local);
        let Some(staging) = group.and_then(|group| group.staging.as_mut()).filter(|staging| staging.transfer == transfer) else {
            return self.answer(key, Outcome::StageRefused { transfer, why: Refusal::Unknown });
        };
        match staging.take(key, chunk, &mut self.buffers.overlay, &mut self.batch) {
            Ok(Step::Wants(sequence)) => self.answer(key, Outcome::StageWants { transfer, sequence }),
            Ok(Step::Ready) => {
                let (at, epoch) = (staging.at, staging.epoch);
                self.answer(key, Outcome::Staged { transfer, at, epoch });
            }
            Ok(Step::AwaitSync) => self.syncs.wait(Waiter::Staged(key, transfer, staging.epoch)),
            Err(why) => {
                self.throw_away(key, transfer);
                self.answer(key, Outcome::StageRefused { transfer, why });
            }
        }
    }

    pub(super) fn stage_abort(&mut self, key: GroupKey, transfer: TransferId) {
        self.throw_away(key, transfer);
        self.answer(key, Outcome::StageRefused { transfer, why: Refusal::Aborted });
    }

    /// What a sync means for the reception that waited for it, unless that was thrown away meanwhile.
    pub(super) fn staged(&mut self, key: GroupKey, transfer: TransferId, epoch: StateEpoch) -> Outcome {
        let group = self.groups.get_mut(&key.local).filter(|group| group.key == key);
        match group.and_then(|group| group.staging.as_mut()) {
            Some(staging) if staging.epoch == epoch => {
                staging.stage = Stage::Ready;
                Outcome::Staged { transfer, at: staging.at, epoch }
            }
            _ => Outcome::StageRefused { transfer, why: Refusal::Aborted },
        }
    }

    /// After the log database's commit. Whatever was queued for the old data is applied to it first, so that its answers are right.
    pub(super) fn install(&mut self, key: GroupKey, epoch: StateEpoch) -> Result<(), EngineError> {
        self.settle()?;
        let read = self.engine.clone();
        let group = match self.running(key, JobName::Install) {
            Ok(group) => group,
            Err(failed) => {
                self.done.push(failed);
                return Ok(());
            }
        };
        let staged = group.staging.as_ref().filter(|staging| staging.stage == Stage::Ready && staging.epoch == epoch);
        let replaced = group.epoch;
        match staged.map(|staging| staging.at) {
            Some(at) => group.install(epoch, at, &*read),
            None => group.fail(Failure::NotStaged(epoch)),
        }
        let (outcome, installed) = match group.failure() {
            None => (Outcome::Installed { epoch, applied: group.applied }, true),
            Some(reason) => (Outcome::Failed { reason: reason.clone(), of: JobName::Install }, false),
        };
        if installed {
            self.sweep_epoch(key, replaced);
        }
        self.answer(key, outcome);
        Ok(())
    }

    fn throw_away(&mut self, key: GroupKey, transfer: TransferId) {
        let Some(group) = self.groups.get_mut(&key.local).filter(|group| group.key == key) else { return };
        if let Some(staging) = group.staging.take_if(|staging| staging.transfer == transfer) {
            self.sweep_epoch(key, staging.epoch);
        }
    }

    /// Nothing is written under this epoch any more. (What this turn still holds is committed before the sweeper looks.)
    fn sweep_epoch(&mut self, key: GroupKey, epoch: StateEpoch) {
        self.sweeper.add(key.local, data::epochs(key.local, epoch.0, epoch.0), None);
    }
}
