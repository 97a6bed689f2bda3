//! The file below the witness: on disk, or in memory for tests and simulation.

use super::witness::FILE_BYTES;
use std::{
    fmt::Debug,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// The file below the witness, so that a simulation can have its own. Offsets and lengths stay within [`FILE_BYTES`].
pub trait WitnessFile: Debug + Send {
    /// Fills `buffer` from `offset`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes all writes durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A witness file on disk.
#[derive(Debug)]
pub struct DiskFile(File);

impl DiskFile {
    /// Creates the file, or empties it, and writes zeros: a later sync allocates nothing.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&[0; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self(file))
    }

    /// Opens the file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().read(true).write(true).open(path)?))
    }
}

impl WitnessFile for DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A witness file in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    inner: Arc<Mutex<MemoryInner>>,
}

#[derive(Clone, Debug)]
struct MemoryInner {
    now: Vec<u8>,
    durable: Vec<u8>,
    failing: bool,
}

impl Default for MemoryFile {
    fn default() -> Self {
        let inner = MemoryInner { now: vec![0; FILE_BYTES], durable: vec![0; FILE_BYTES], failing: false };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl MemoryFile {
    /// What the next life finds: everything synced, and what was written since if `keep_unsynced`.
    pub fn crash(&self, keep_unsynced: bool) -> Self {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = if keep_unsynced { &inner.now } else { &inner.durable };
        let inner = MemoryInner { now: bytes.clone(), durable: bytes.clone(), failing: false };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// From now on every write and sync fails.
    pub fn fail(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).failing = true;
    }
}

impl WitnessFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let from = inner.now.get(offset as usize..offset as usize + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(from);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.failing {
            return Err(io::Error::other("told to fail"));
        }
        let to = inner.now.get_mut(offset as usize..offset as usize + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.failing {
            return Err(io::Error::other("told to fail"));
        }
        inner.durable = inner.now.clone();
        Ok(())
    }
}
