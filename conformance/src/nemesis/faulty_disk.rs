//! A disk that does what a *fault file* says, between a node and its databases. The file is read at every sync, so it works while the node runs:
//!
//! | line | every commit that waits for the disk |
//! |---|---|
//! | `stall commit` | waits until the line is gone |
//! | `slow commit 50` | takes 50 ms longer |
//! | `fail commit` | fails, and with it everything after it, as after a failed sync |

use roadstead::store::{
    engine::{Batch, Durability, Engine, EngineError, Read, Space, Visit},
    open::Engines,
};
use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};

/// How often a stalled commit looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

enum Fault {
    Stall,
    Slow(Duration),
    Fail,
}

fn read(file: &Path) -> Option<Fault> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [] => None,
        ["stall", "commit"] => Some(Fault::Stall),
        ["slow", "commit", ms] => Some(Fault::Slow(Duration::from_millis(ms.parse().unwrap()))),
        ["fail", "commit"] => Some(Fault::Fail),
        _ => panic!("{}: no such fault: {text}", file.display()),
    }
}

/// The databases of a node whose disk `file` governs.
pub(crate) fn governed_by(file: PathBuf) -> Engines {
    let failed = Arc::new(AtomicBool::new(false));
    Engines::wrapped(move |_, engine| Arc::new(FaultyDisk { engine, file: file.clone(), failed: Arc::clone(&failed) }))
}

#[derive(Debug)]
struct FaultyDisk {
    engine: Arc<dyn Engine>,
    file: PathBuf,
    /// One disk below both databases.
    failed: Arc<AtomicBool>,
}

impl FaultyDisk {
    fn wait_for_disk(&self) -> Result<(), EngineError> {
        let fault = loop {
            match read(&self.file) {
                Some(Fault::Stall) => sleep(LOOK), // the fault itself
                fault => break fault,
            }
        };
        match fault {
            Some(Fault::Slow(longer)) => sleep(longer),
            Some(Fault::Fail) => self.failed.store(true, Ordering::SeqCst),
            Some(Fault::Stall) | None => {}
        }
        if self.failed.load(Ordering::SeqCst) {
            let source = io::Error::other("the fault file says so");
            return Err(EngineError { what: "commit", place: self.file.display().to_string(), source: source.into() });
        }
        Ok(())
    }
}

impl Read for FaultyDisk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<bytes::Bytes>, EngineError> {
        self.engine.get(space, key)
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.engine.scan(space, range, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.engine.scan_back(space, range, visit)
    }
}

impl Engine for FaultyDisk {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        if durability == Durability::Synced {
            self.wait_for_disk()?;
        }
        self.engine.commit(batch, durability)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.wait_for_disk()?;
        self.engine.sync()
    }

    fn snapshot(&self) -> Box<dyn Read + Send + Sync> {
        self.engine.snapshot()
    }
}
