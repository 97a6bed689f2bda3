//! A node's disk in a simulation: two databases and the witness file, which lose what was not synced when the power fails, and nothing when only the
//! process dies.
//!
//! Every operation on it spends one of the operations that are left ([`Power`]): so the power fails between any two of them, also between a commit
//! and its sync. What survives is drawn: of each journal a prefix of what was not synced, of each unsynced write to the witness any part.

use super::{
    bug::Bug,
    engine::{Mistake, SimEngine},
};
use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use roadstead::store::{
    Seams,
    engine::{Batch, Change, Durability, Engine, EngineError, Read, Space},
    witness::FILE_BYTES,
    witness_file::WitnessFile,
};
use std::{
    io,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How a node's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The process dies: what the system was given survives.
    Process,
    /// The machine dies: what was not synced may be gone.
    Power,
}

/// Operations that the disk does until its power fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Power(Arc<Mutex<Option<u64>>>);

impl Power {
    /// The power fails after so many operations more.
    pub(super) fn fail_after(&self, operations: u64) {
        *lock(&self.0) = Some(operations);
    }

    /// Whether it has failed.
    pub(super) fn is_out(&self) -> bool {
        *lock(&self.0) == Some(0)
    }

    /// Whether it is going to fail.
    pub(super) fn is_limited(&self) -> bool {
        lock(&self.0).is_some()
    }

    fn spend(&self) -> io::Result<()> {
        match &mut *lock(&self.0) {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the power failed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    pub(super) fn spend_on(&self, what: &'static str) -> Result<(), EngineError> {
        self.spend().map_err(|error| EngineError { what, place: "the simulated disk".into(), source: error.into() })
    }
}

/// Everything that outlives a node's process.
#[derive(Debug)]
pub(super) struct Disk {
    log: SimEngine,
    state: SimEngine,
    witness: SimFile,
    pub(super) power: Power,
}

impl Disk {
    /// An empty disk. `bug` is what it does wrong, in runs that show that it would be noticed.
    pub(super) fn new(bug: Option<Bug>) -> Self {
        let power = Power::default();
        let witness = SimFile { bytes: Arc::new(Mutex::new(FileBytes::of(vec![0; FILE_BYTES]))), power: power.clone(), bug };
        Self {
            log: SimEngine::new(power.clone(), bug.and_then(Mistake::of_log)),
            state: SimEngine::new(power.clone(), bug.and_then(Mistake::of_state)),
            witness,
            power,
        }
    }

    /// What a store opens.
    pub(super) fn seams(&self, fresh_store: u128) -> Seams {
        Seams { log: Arc::new(self.log.clone()), state: Arc::new(self.state.clone()), witness: Box::new(self.witness.clone()), fresh_store }
    }

    /// What the next life finds.
    pub(super) fn after(&self, loss: Loss, rng: &mut StdRng) -> Self {
        let power = Power::default();
        let (log, state) = (self.log.after(loss, power.clone(), rng), self.state.after(loss, power.clone(), rng));
        let bytes = Arc::new(Mutex::new(lock(&self.witness.bytes).after(loss, rng)));
        let witness = SimFile { bytes, power: power.clone(), ..self.witness };
        Self { log, state, witness, power }
    }

    /// Flips one bit of the log database, anywhere; says where.
    ///
    /// The state database has no checksums of ours: below it lie fjall's, which are not simulated.
    pub(super) fn flip_a_bit(&self, rng: &mut StdRng) -> String {
        let mut items = Vec::new();
        for space in [Space::Meta, Space::Log] {
            let mut take = |key: &[u8], value: Bytes| {
                items.push((space, Bytes::copy_from_slice(key), value));
                ControlFlow::Continue(())
            };
            // Memory has no errors.
            let _ = self.log.memory.scan(space, &[][..]..&[u8::MAX; 32][..], &mut take);
        }
        items.retain(|(.., value)| !value.is_empty());
        if items.is_empty() {
            return "an empty database has no bits".into();
        }
        let (space, key, value) = items.swap_remove(rng.random_range(0..items.len()));
        let (byte, bit) = (rng.random_range(0..value.len()), rng.random_range(0..8));
        let mut flipped = value.to_vec();
        flipped[byte] ^= 1 << bit;
        let place = format!("bit {bit} of byte {byte} of {} under {space:?} {key:02x?}", value.len());
        let _ = self.log.memory.commit(Batch { changes: vec![Change::Put(space, key, flipped.into())] }, Durability::Synced);
        place
    }
}

/// The witness file. Clones share it.
#[derive(Clone, Debug)]
struct SimFile {
    bytes: Arc<Mutex<FileBytes>>,
    power: Power,
    bug: Option<Bug>,
}

#[derive(Debug)]
struct FileBytes {
    durable: Vec<u8>,
    now: Vec<u8>,
    /// Since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
}

impl FileBytes {
    fn of(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), now: bytes, writes: Vec::new() }
    }

    fn after(&self, loss: Loss, rng: &mut StdRng) -> Self {
        let mut bytes = match loss {
            Loss::Process => return Self::of(self.now.clone()),
            Loss::Power => self.durable.clone(),
        };
        for (at, write) in &self.writes {
            let written = rng.random_range(0..=write.len());
            bytes[*at..at + written].copy_from_slice(&write[..written]);
        }
        Self::of(bytes)
    }
}

impl WitnessFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = lock(&self.bytes);
        let at = offset as usize;
        buffer.copy_from_slice(bytes.now.get(at..at + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.power.spend()?;
        if self.bug == Some(Bug::WitnessUnwritten) {
            return Ok(());
        }
        let mut file = lock(&self.bytes);
        let at = offset as usize;
        file.now.get_mut(at..at + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(bytes);
        file.writes.push((at, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.power.spend()?;
        if matches!(self.bug, Some(Bug::AllSyncsLie | Bug::WitnessSyncLies)) {
            return Ok(());
        }
        let mut file = lock(&self.bytes);
        file.durable = file.now.clone();
        file.writes.clear();
        Ok(())
    }
}

/// One simulation runs on one thread: nobody else holds it, and nobody panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
