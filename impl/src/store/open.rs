//! Opens a data folder: takes the lock, compares identities, questions the witness, rebuilds every group's log.

use super::{
    engine::{Batch, Durability, Engine, EngineError},
    fjall_engine::{FjallEngine, Kind},
    format::{self, Expected, FORMAT, FolderLock, FormatError, Identity},
    journal::{self, JournalError},
    ledger::Clash,
    memory::MemoryEngine,
    meta::{self, MetaError},
    reader::LogReader,
    record::RecordError,
    recover::{self, OpenedGroup},
    registry::Registry,
    rounds::Rounds,
    storage::Storage,
    witness::{Mark, Witness, WitnessError},
    witness_file::{DiskFile, MemoryFile, WitnessFile},
};
use rand::{TryRng, rngs::SysRng};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a store does not open. Nothing was voted, acknowledged or read from it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is in use, another's, or not readable.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The log database has lost batches that were synced.
    #[error(
        "the log database ends at batch {found}, but the witness remembers batch {witnessed}: synced data, perhaps a vote, is lost. This node may not \
         take part any more: run `roadstead check` to see where the damage is, keep a copy of the folder, and restore the node from its peers (empty data folder, new node id)"
    )]
    Behind {
        /// Last batch that is there.
        found: u64,
        /// Last batch that the witness remembers.
        witnessed: u64,
    },
    /// Terms and votes are not those that were written.
    #[error(
        "terms and votes in the log database do not add up to what {who} remembers of batch {batch}: they are not the ones that were synced. This \
         node may not take part any more: keep a copy of the folder, and restore the node from its peers (empty data folder, new node id)"
    )]
    OtherVotes {
        /// Whose memory it is.
        who: &'static str,
        /// At which batch.
        batch: u64,
    },
    /// The database in the folder is another store's.
    #[error("the log database belongs to store {found:032x}, the folder to store {expected:032x}; put the folder's own database back")]
    OtherDatabase {
        /// The folder's.
        expected: u128,
        /// The database's.
        found: u128,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A database does not open or fails.
    #[error("{0}; check the disk and the message, then start again")]
    Engine(#[from] EngineError),
    /// The witness cannot testify.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// A record of the node is damaged or missing.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A record does not encode.
    #[error("a record of the store does not encode: {0}")]
    Record(#[from] RecordError),
    /// The registry holds two groups with the same keys.
    #[error("the group registry is damaged: {0}; run `roadstead check` on the folder")]
    Clash(#[from] Clash),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for the store id: {0}")]
    Random(io::Error),
}

impl OpenError {
    /// Exit code for a node that cannot start: 2 when the configuration names the wrong folder, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Format(FormatError::OtherNode { .. } | FormatError::OtherCluster { .. } | FormatError::OtherFormat { .. }) => 2,
            _ => 1,
        }
    }
}

/// What lies below a store: engines and files of disk, memory or simulation.
#[derive(Debug)]
pub struct Seams {
    /// The log database.
    pub log: Arc<dyn Engine>,
    /// The state database.
    pub state: Arc<dyn Engine>,
    /// The witness file.
    pub witness: Box<dyn WitnessFile>,
    /// Store id if the store turns out to be new.
    pub fresh_store: u128,
}

/// What an embedding program puts between a node and its databases: a disk that fails in a test, a recorder, a brake. Nothing, unless told.
#[derive(Clone, Default)]
pub struct Engines(Option<Arc<Wrap>>);

type Wrap = dyn Fn(Kind, Arc<dyn Engine>) -> Arc<dyn Engine> + Send + Sync;

impl Engines {
    /// Each database is given to `wrap` when it is open, and the node uses what comes back. It must keep the law of [`Engine`].
    pub fn wrapped(wrap: impl Fn(Kind, Arc<dyn Engine>) -> Arc<dyn Engine> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wrap)))
    }

    fn through(&self, kind: Kind, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        match &self.0 {
            None => engine,
            Some(wrap) => wrap(kind, engine),
        }
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "wrapped" } else { "as they are" })
    }
}

/// An open store, to be taken apart by the node.
#[derive(Debug)]
pub struct Store {
    /// Whose folder it is.
    pub identity: Identity,
    /// Boot nonce: 1 at the first start, one more at each.
    pub boot: u64,
    /// Groups and peers, for the event loop.
    pub registry: Registry,
    /// What the disk holds of each group.
    pub groups: Vec<OpenedGroup>,
    /// Writes the log database.
    pub storage: Storage,
    /// Reads logs from any thread.
    pub reader: LogReader,
    /// The state database.
    pub state: Arc<dyn Engine>,
    /// Keep it as long as the folder is used; `None` for a store in memory.
    pub lock: Option<FolderLock>,
}

/// Places in a data folder.
pub(crate) struct Folder<'a>(pub(crate) &'a Path);

impl Folder<'_> {
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    pub(crate) fn witness(&self) -> PathBuf {
        self.0.join("witness")
    }

    /// The witness of a complete folder.
    pub(crate) fn open_witness(&self, store: u128) -> Result<Witness, WitnessError> {
        Witness::open(Box::new(DiskFile::open(&self.witness())?), store)
    }
}

impl Store {
    /// Opens the data folder, and makes it if there is none.
    pub fn open(dir: &Path, expected: Expected) -> Result<Self, OpenError> {
        Self::open_through(dir, expected, &Engines::default())
    }

    /// The same, with what the caller puts between the store and its databases once they are open.
    pub fn open_through(dir: &Path, expected: Expected, engines: &Engines) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(FormatError::io("create", dir))?;
        let lock = FolderLock::take(dir)?;
        let folder = Folder(dir);
        let identity = match format::read_identity(dir)? {
            Some(identity) => identity,
            None => create(&folder, expected)?,
        };
        identity.check(dir, expected)?;
        let witness = folder.open_witness(identity.store)?;
        // Before fjall opens the journal: it would cut off what it cannot read, and with it the evidence.
        journal::examine(&folder.log(), witness.newest(), dir)?;
        let log = engines.through(Kind::Log, Arc::new(FjallEngine::open(&folder.log(), Kind::Log)?));
        journal::cut_state(&folder.state())?;
        let state = engines.through(Kind::State, Arc::new(FjallEngine::open(&folder.state(), Kind::State)?));
        Ok(Self { lock: Some(lock), ..Self::recover(identity, log, state, witness)? })
    }

    /// Makes a store that ends with the process.
    pub fn in_memory(expected: Expected) -> Result<Self, OpenError> {
        let engine = || Arc::new(MemoryEngine::without_crashes());
        let seams = Seams { log: engine(), state: engine(), witness: Box::new(MemoryFile::default()), fresh_store: new_store_id()? };
        Self::open_with(seams, expected)
    }

    /// Opens a store over engines and files of the caller, and makes it if the log database is empty and the witness blank.
    pub fn open_with(seams: Seams, expected: Expected) -> Result<Self, OpenError> {
        let Seams { log, state, witness, fresh_store } = seams;
        let mut first = [0];
        witness.read_at(0, &mut first).map_err(WitnessError::from)?;
        let (identity, witness) = match meta::get_identity(&*log) {
            Err(MetaError::Missing { .. }) if first == [0] => {
                let identity = Identity { format: FORMAT, cluster: expected.cluster, node: expected.node, store: fresh_store };
                (identity, initialise(&*log, witness, &identity)?)
            }
            // The witness is there, the identity is not: everything was lost.
            Err(MetaError::Missing { .. }) => return Err(OpenError::Behind { found: 0, witnessed: 1 }),
            Err(error) => return Err(error.into()),
            Ok(identity) => (identity, Witness::open(witness, identity.store)?),
        };
        identity.check(Path::new("(memory)"), expected)?;
        Self::recover(identity, log, state, witness)
    }

    fn recover(identity: Identity, log: Arc<dyn Engine>, state: Arc<dyn Engine>, mut witness: Witness) -> Result<Self, OpenError> {
        let mark = question(&*log, &identity, &witness)?;
        let (records, mut stored) = meta::get_registry(&*log)?;
        let recovered = recover::recover(&*log, records)?;
        if recovered.digest.is_some_and(|digest| digest != mark.digest) {
            return Err(OpenError::OtherVotes { who: "the last batch", batch: mark.batch });
        }
        stored.groups = recovered.opened.iter().map(|group| (group.record.clone(), group.state_epoch)).collect();
        let registry = Registry::recovered(stored)?;
        let digest = recovered.sum;
        let mark = Mark { boot: mark.boot + 1, batch: mark.batch + 1, digest };
        let mut batch = Batch::default();
        meta::put_mark(&mut batch, mark)?;
        log.commit(batch, Durability::Synced)?;
        witness.write(mark)?;
        let rounds = Rounds::new(log.clone(), recovered.healthy, recovered.failed, recovered.removed, mark);
        let storage = Storage { rounds, witness };
        let failed = recovered.opened.iter().filter(|group| group.log.is_err()).count();
        tracing::info!(boot = mark.boot, batch = mark.batch, groups = recovered.opened.len(), failed, "opened the store");
        Ok(Self { identity, boot: mark.boot, registry, groups: recovered.opened, storage, reader: LogReader::new(log), state, lock: None })
    }
}

/// Compares the log database with the folder and the witness; returns its last batch.
pub(crate) fn question(log: &dyn Engine, identity: &Identity, witness: &Witness) -> Result<Mark, OpenError> {
    let witnessed = witness.newest();
    let missing = |error| match error {
        MetaError::Missing { .. } => OpenError::Behind { found: 0, witnessed: witnessed.batch },
        error => error.into(),
    };
    let found = meta::get_identity(log).map_err(missing)?;
    if found != *identity {
        return Err(OpenError::OtherDatabase { expected: identity.store, found: found.store });
    }
    let mark = meta::get_mark(log).map_err(missing)?;
    if mark.batch < witnessed.batch {
        return Err(OpenError::Behind { found: mark.batch, witnessed: witnessed.batch });
    }
    if mark.batch == witnessed.batch && mark.digest != witnessed.digest {
        return Err(OpenError::OtherVotes { who: "the witness", batch: mark.batch });
    }
    Ok(mark)
}

/// Makes a new folder. The identity file is written last: a folder without one was never used, unless its witness says otherwise.
fn create(folder: &Folder<'_>, expected: Expected) -> Result<Identity, OpenError> {
    refuse_used(folder)?;
    for place in [folder.log(), folder.state()] {
        if place.exists() {
            fs::remove_dir_all(&place).map_err(FormatError::io("remove the rest of an interrupted creation", &place))?;
        }
    }
    let identity = Identity { format: FORMAT, cluster: expected.cluster, node: expected.node, store: new_store_id()? };
    let log = FjallEngine::open(&folder.log(), Kind::Log)?;
    drop(FjallEngine::open(&folder.state(), Kind::State)?);
    let file = DiskFile::create(&folder.witness()).map_err(WitnessError::from)?;
    initialise(&log, Box::new(file), &identity)?;
    format::sync_folder(folder.0)?;
    format::write_identity(folder.0, &identity)?;
    Ok(identity)
}

fn new_store_id() -> Result<u128, OpenError> {
    let mut store = [0; 16];
    SysRng.try_fill_bytes(&mut store).map_err(|error| OpenError::Random(io::Error::other(error)))?;
    Ok(u128::from_le_bytes(store))
}

/// Refuses a folder that lost its identity file after it was used.
fn refuse_used(folder: &Folder<'_>) -> Result<(), FormatError> {
    let used = DiskFile::open(&folder.witness()).is_ok_and(|file| super::witness::was_used(&file));
    if used { Err(FormatError::Missing { dir: folder.0.to_owned() }) } else { Ok(()) }
}

/// Writes the first batch and the first slot.
fn initialise(log: &dyn Engine, witness: Box<dyn WitnessFile>, identity: &Identity) -> Result<Witness, OpenError> {
    let mut batch = Batch::default();
    meta::put_identity(&mut batch, identity)?;
    meta::put_mark(&mut batch, Mark::default())?;
    log.commit(batch, Durability::Synced)?;
    Ok(Witness::create(witness, identity.store)?)
}
