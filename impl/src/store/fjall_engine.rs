//! fjall 3 as an [`Engine`]: a thin adapter. It decides nothing but sizes.
//!
//! A node has two databases, each with a journal of its own: the log database (Meta, Log), synced once per round, and the state database (State), synced only
//! before a log is compacted. What fjall does, from its source: one journal per database, written under a mutex and synced there; memtables are
//! filled after the sync succeeded; a failed write or sync poisons the database, and every later commit fails. All changes of one batch
//! carry one sequence number, and among changes of one key the later one replaces the earlier in the memtable.

use super::engine::{Batch, Change, Durability, Engine, EngineError, Read, Space, Visit};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use std::{
    error::Error,
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

/// Which of a node's two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Meta and Log.
    Log,
    /// State.
    State,
}

// Sizes for about 100 MB per node. A memtable lives twice while it is flushed (active and sealed); the block cache is filled by reads only.

/// Log memtable: three seconds of 100,000 writes of 100 B per second; what the followers ask for is nearly always still in it.
const LOG_MEMTABLE_BYTES: u64 = 32 << 20;
/// Meta memtable: a version of the batch number per round, about 100 B, so a flush each ten seconds at full speed.
const META_MEMTABLE_BYTES: u64 = 8 << 20;
/// State memtable: with the log's the two large ones.
const STATE_MEMTABLE_BYTES: u64 = 32 << 20;
/// Cache of the log database: reads are sequential and rare (slow peers), so only index blocks profit.
const LOG_CACHE_BYTES: u64 = 4 << 20;
/// Cache of the state database: reads of services.
const STATE_CACHE_BYTES: u64 = 32 << 20;
/// Journals that wait for a memtable to be flushed. They are replayed at start, about 100 MB per second, so this bounds the start too.
const JOURNALS_BYTES: u64 = 128 << 20;
/// Threads that flush and compact. One: with more, fjall 3.1 keeps the first free for flushes by sending it each compaction again and again until another
/// takes it, which burns a core for as long as a compaction runs.
const WORKERS: usize = 1;

/// One database.
pub struct FjallEngine {
    database: Database,
    spaces: Spaces,
    place: PathBuf,
}

#[derive(Clone)]
enum Spaces {
    Log { meta: Keyspace, log: Keyspace },
    State(Keyspace),
}

impl FjallEngine {
    /// Opens the database in `place`, creating it if there is none.
    pub fn open(place: &Path, kind: Kind) -> Result<Self, EngineError> {
        let opened = (|| {
            let cache = match kind {
                Kind::Log => LOG_CACHE_BYTES,
                Kind::State => STATE_CACHE_BYTES,
            };
            let builder = Database::builder(place).cache_size(cache).max_journaling_size(JOURNALS_BYTES).worker_threads(WORKERS);
            let database = builder.open()?;
            let spaces = match kind {
                Kind::Log => Spaces::Log {
                    meta: database.keyspace("meta", || options(META_MEMTABLE_BYTES).expect_point_read_hits(true))?,
                    log: database.keyspace("log", || options(LOG_MEMTABLE_BYTES).expect_point_read_hits(true))?,
                },
                Kind::State => Spaces::State(database.keyspace("state", || options(STATE_MEMTABLE_BYTES))?),
            };
            Ok((database, spaces))
        })();
        let (database, spaces) = opened.map_err(|source| error("open", place, source))?;
        Ok(Self { database, spaces, place: place.to_owned() })
    }

    /// Bytes on disk, journals included.
    pub fn disk_bytes(&self) -> Result<u64, EngineError> {
        self.database.disk_space().map_err(|source| error("measure", &self.place, source))
    }

    fn view(&self) -> View {
        View { snapshot: self.database.snapshot(), spaces: self.spaces.clone(), place: self.place.clone() }
    }
}

fn options(memtable_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes)
}

fn error(what: &'static str, place: &Path, source: fjall::Error) -> EngineError {
    let source: Box<dyn Error + Send + Sync> = match Cause::of(&source) {
        Some(cause) => Box::new(cause),
        None => Box::new(source),
    };
    EngineError { what, place: place.display().to_string(), source }
}

/// Causes for which an operator needs other words than fjall's.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("no space left on the disk; free room before the next start (nothing acknowledged is lost)")]
    Full,
    #[error("an earlier write in the background failed; see that the disk works and has free room (nothing acknowledged is lost)")]
    Poisoned,
}

impl Cause {
    fn of(error: &fjall::Error) -> Option<Self> {
        if matches!(error, fjall::Error::Poisoned) {
            return Some(Self::Poisoned);
        }
        let causes = std::iter::successors(Some::<&dyn Error>(error), |error| (*error).source());
        let mut kinds = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        kinds.any(|kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)).then_some(Self::Full)
    }
}

impl Spaces {
    fn get(&self, space: Space, place: &Path) -> Result<&Keyspace, EngineError> {
        match (self, space) {
            (Self::Log { meta, .. }, Space::Meta) => Ok(meta),
            (Self::Log { log, .. }, Space::Log) => Ok(log),
            (Self::State(state), Space::State) => Ok(state),
            (Self::Log { .. } | Self::State(_), _) => {
                let source = io::Error::other(format!("this database has no keyspace {space:?}"));
                Err(error("use of a keyspace", place, source.into()))
            }
        }
    }
}

impl Engine for FjallEngine {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        let mode = match durability {
            Durability::Buffered => PersistMode::Buffer,
            Durability::Synced => PersistMode::SyncData,
        };
        let mut write = OwnedWriteBatch::with_capacity(self.database.clone(), batch.changes.len()).durability(Some(mode));
        for change in batch.changes {
            match change {
                Change::Put(space, key, value) => write.insert(self.spaces.get(space, &self.place)?, key, value),
                Change::Delete(space, key) => write.remove(self.spaces.get(space, &self.place)?, key),
            }
        }
        write.commit().map_err(|source| error("commit", &self.place, source))
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.database.persist(PersistMode::SyncData).map_err(|source| error("sync", &self.place, source))
    }

    fn snapshot(&self) -> Box<dyn Read + Send + Sync> {
        Box::new(self.view())
    }
}

impl Read for FjallEngine {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let value = self.spaces.get(space, &self.place)?.get(key).map_err(|source| error("read", &self.place, source))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.view().scan(space, range, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.view().scan_back(space, range, visit)
    }
}

impl fmt::Debug for FjallEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallEngine").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Reads of one moment, across keyspaces.
struct View {
    snapshot: Snapshot,
    spaces: Spaces,
    place: PathBuf,
}

impl View {
    fn visit(&self, items: impl Iterator<Item = fjall::Guard>, visit: Visit<'_>) -> Result<(), EngineError> {
        for item in items {
            let (key, value) = item.into_inner().map_err(|source| error("scan", &self.place, source))?;
            if visit(&key, value.into()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn range(&self, space: Space, range: Range<&[u8]>) -> Result<fjall::Iter, EngineError> {
        // A range that ends before it begins is empty, not an error.
        let end = range.end.max(range.start);
        Ok(self.snapshot.range(self.spaces.get(space, &self.place)?, range.start..end))
    }
}

impl Read for View {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let keyspace = self.spaces.get(space, &self.place)?;
        let value = self.snapshot.get(keyspace, key).map_err(|source| error("read", &self.place, source))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.visit(self.range(space, range)?, visit)
    }

    fn scan_back(&self, space: Space, range: Range<&[u8]>, visit: Visit<'_>) -> Result<(), EngineError> {
        self.visit(self.range(space, range)?.rev(), visit)
    }
}
