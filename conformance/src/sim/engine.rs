//! A database of a node's disk: memory, which a power cut takes something from, and what it does wrong in runs that show that it would be noticed.

use super::{
    bug::Bug,
    disk::{Loss, Power},
};
use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use roadstead::store::{
    engine::{Batch, Change, Durability, Engine, EngineError, Read, Space, Visit},
    memory::{MemoryEngine, Survivors},
    prefix::Purpose,
};
use std::{
    ops::{ControlFlow, Range},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A database whose disk may fail.
#[derive(Clone, Debug)]
pub(super) struct SimEngine {
    pub(super) memory: MemoryEngine,
    power: Power,
    mistake: Option<Mistake>,
    commits: Arc<AtomicU64>,
}

/// How often something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Often {
    NowAndThen,
    Always,
}

/// What a database does wrong: see the [`Bug`] of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    SyncLies,
    WriteLost,
    DeletesLost,
    BatchTorn,
    ScanShort,
    ScanBackShort,
    /// Records for this purpose are not found.
    Unread(Purpose),
    /// Records for this purpose are not written: one of fifty times, or never.
    Unwritten(Purpose, Often),
    KeysShared,
}

impl Mistake {
    pub(super) const fn of_log(bug: Bug) -> Option<Self> {
        match bug {
            Bug::LogSyncLies | Bug::AllSyncsLie => Some(Self::SyncLies),
            Bug::LogWriteLost => Some(Self::WriteLost),
            Bug::LogDeletesLost => Some(Self::DeletesLost),
            Bug::LogBatchTorn => Some(Self::BatchTorn),
            Bug::LogScanShort => Some(Self::ScanShort),
            Bug::LogScanBackShort => Some(Self::ScanBackShort),
            Bug::HardStateUnread => Some(Self::Unread(Purpose::HardState)),
            _ => None,
        }
    }

    pub(super) const fn of_state(bug: Bug) -> Option<Self> {
        match bug {
            Bug::StateSyncLies => Some(Self::SyncLies),
            Bug::StateWriteLost => Some(Self::WriteLost),
            Bug::StateBatchTorn => Some(Self::BatchTorn),
            Bug::StateScanShort => Some(Self::ScanShort),
            Bug::AppliedAhead => Some(Self::Unwritten(Purpose::StateData, Often::NowAndThen)),
            Bug::AppliedBehind => Some(Self::Unwritten(Purpose::StateApplied, Often::Always)),
            Bug::KeysShared => Some(Self::KeysShared),
            _ => None,
        }
    }
}

impl SimEngine {
    pub(super) fn new(power: Power, mistake: Option<Mistake>) -> Self {
        Self { memory: MemoryEngine::new(), power, mistake, commits: Arc::default() }
    }

    /// What the next life finds.
    pub(super) fn after(&self, loss: Loss, power: Power, rng: &mut StdRng) -> Self {
        let survivors = match loss {
            Loss::Process => Survivors::All,
            Loss::Power => Survivors::First(rng.random_range(0..=self.memory.unsynced())),
        };
        Self { memory: self.memory.crash(survivors), power, ..self.clone() }
    }

    /// Gives memory a batch, as far as the database does what it should.
    fn write(&self, mut batch: Batch) -> Result<(), EngineError> {
        let count = self.commits.fetch_add(1, Relaxed);
        match self.mistake {
            Some(Mistake::WriteLost) if Bug::is_due(count) => return Ok(()),
            Some(Mistake::DeletesLost) => batch.changes.retain(|change| matches!(change, Change::Put(..))),
            Some(Mistake::BatchTorn) => {
                for change in batch.changes {
                    self.memory.commit(Batch { changes: vec![change] }, Durability::Buffered)?;
                }
                return Ok(());
            }
            Some(Mistake::Unwritten(purpose, often)) if often == Often::Always || Bug::is_due(count) => {
                batch.changes.retain(|change| key_of(change).first() != Some(&(purpose as u8)));
            }
            Some(Mistake::KeysShared) => batch.changes.iter_mut().for_each(|change| match change {
                Change::Put(_, key, _) | Change::Delete(_, key) => *key = shared(key),
            }),
            _ => {}
        }
        self.memory.commit(batch, Durability::Buffered)
    }
}

impl Engine for SimEngine {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        self.power.spend_on("commit")?;
        self.write(batch)?;
        match durability {
            Durability::Buffered => Ok(()),
            Durability::Synced => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.power.spend_on("sync")?;
        if self.mistake == Some(Mistake::SyncLies) { Ok(()) } else { self.memory.sync() }
    }

    fn snapshot(&self) -> Box<dyn Read + Send + Sync> {
        Box::new(View { read: self.memory.snapshot(), mistake: self.mistake })
    }
}

impl Read for SimEngine {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        get(&self.memory, self.mistake, space, key)
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        scan(&self.memory, self.mistake, space, range, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        scan_back(&self.memory, self.mistake, space, range, visit)
    }
}

/// A view of a database, read as wrongly as the database itself.
struct View {
    read: Box<dyn Read + Send + Sync>,
    mistake: Option<Mistake>,
}

impl Read for View {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        get(&*self.read, self.mistake, space, key)
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        scan(&*self.read, self.mistake, space, range, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        scan_back(&*self.read, self.mistake, space, range, visit)
    }
}

fn get(read: &dyn Read, mistake: Option<Mistake>, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
    match mistake {
        Some(Mistake::Unread(purpose)) if key.first() == Some(&(purpose as u8)) => Ok(None),
        Some(Mistake::KeysShared) => read.get(space, &shared(key)),
        _ => read.get(space, key),
    }
}

fn scan(read: &dyn Read, mistake: Option<Mistake>, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
    match mistake {
        Some(Mistake::ScanShort) => {
            let mut held: Option<(Bytes, Bytes)> = None;
            let mut one_behind = |key: &[u8], value: Bytes| {
                let before = held.replace((Bytes::copy_from_slice(key), value));
                before.map_or(ControlFlow::Continue(()), |(key, value)| visit(&key, value))
            };
            read.scan(space, range, &mut one_behind)
        }
        Some(Mistake::KeysShared) => read.scan(space, &shared(range.start)..&shared(range.end), visit),
        _ => read.scan(space, range, visit),
    }
}

fn scan_back(read: &dyn Read, mistake: Option<Mistake>, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
    match mistake {
        Some(Mistake::ScanBackShort) => {
            let mut is_last = true;
            let mut but_the_last = |key: &[u8], value: Bytes| match std::mem::take(&mut is_last) {
                true => ControlFlow::Continue(()),
                false => visit(key, value),
            };
            read.scan_back(space, range, &mut but_the_last)
        }
        Some(Mistake::KeysShared) => read.scan_back(space, &shared(range.start)..&shared(range.end), visit),
        _ => read.scan_back(space, range, visit),
    }
}

const fn key_of(change: &Change) -> &Bytes {
    match change {
        Change::Put(_, key, _) | Change::Delete(_, key) => key,
    }
}

/// A key of a group's data as it is when it does not name the group: behind the purpose lies the group's number.
fn shared(key: &[u8]) -> Bytes {
    let mut key = key.to_vec();
    if key.first() == Some(&(Purpose::StateData as u8))
        && let Some(local) = key.get_mut(1..5)
    {
        local.fill(0);
    }
    key.into()
}
