//! What `roadstead repair DATA` does: cuts off a torn write at the end of the journal, if and only if the witness remembers nothing of it.
//!
//! fjall refuses to open a journal whose last batch is whole in length but wrong in content: what a power cut leaves of a batch that was being written. No
//! completion had left for a term or a vote in it. Everything else is damage, and is refused: data at or below the witness's batch,
//! damage with good batches behind it, damage of which nobody can say how old it is.

use super::{
    format::{self, FolderLock, FormatError},
    journal::{self, Damage, JournalError, Verdict},
    open::{Folder, OpenError},
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Bytes of backup that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// What a repair would do, or has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The journal to cut.
    pub file: PathBuf,
    /// Where.
    pub offset: u64,
    /// How much goes.
    pub bytes: u64,
    /// Where the bytes are kept.
    pub backup: PathBuf,
    /// The last batch that stays.
    pub last_batch: u64,
    /// The last batch that the witness remembers; not above `last_batch`.
    pub witnessed: u64,
}

/// Why nothing is repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The folder cannot be looked at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The damage is no torn tail.
    #[error("nothing was changed: {0}")]
    Refused(String),
    /// Cutting failed; the file is as it was, or cut with its backup complete.
    #[error("repair of {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Looks at a folder that no process uses; with `yes` carries out what it finds, else only says it. `None`: nothing to repair.
///
/// # Errors
/// When the folder cannot be looked at, when the damage is not repairable, or when cutting fails.
pub fn repair(dir: &Path, yes: bool) -> Result<Option<Repair>, RepairError> {
    let folder = Folder(dir);
    let identity = format::read_identity(dir).and_then(|found| found.ok_or_else(|| FormatError::Missing { dir: dir.to_owned() }));
    let identity = identity.map_err(OpenError::from)?;
    let _lock = FolderLock::take(dir).map_err(OpenError::from)?;
    let witnessed = folder.open_witness(identity.store).map_err(OpenError::from)?.newest().batch;
    let journal = journal::scan(&folder.log()).map_err(OpenError::from)?;
    let Some(damage) = journal.damage else { return Ok(None) };
    let last_batch = match (damage.verdict(witnessed), damage.last_batch) {
        (Verdict::TornTail, Some(last)) => last,
        (Verdict::Lost, _) => return Err(RepairError::Refused(JournalError::Damaged { damage, witnessed }.to_string())),
        (Verdict::Unknown | Verdict::TornTail, _) => return Err(RepairError::Refused(JournalError::Undated { damage }.to_string())),
    };
    let Damage { file, offset, .. } = damage;
    let length = fs::metadata(&file).map_err(|source| RepairError::Io { path: file.clone(), source })?.len();
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let backup = dir.join(format!("cut-from-{name}-at-{offset}"));
    let repair = Repair { bytes: length - offset, file, offset, backup, last_batch, witnessed };
    if yes {
        repair.carry_out().map_err(|source| RepairError::Io { path: repair.file.clone(), source })?;
    }
    Ok(Some(repair))
}

impl Repair {
    /// Saves the tail, makes the copy durable, then cuts.
    fn carry_out(&self) -> io::Result<()> {
        let mut journal = OpenOptions::new().read(true).write(true).open(&self.file)?;
        journal.seek(SeekFrom::Start(self.offset))?;
        let backup = OpenOptions::new().write(true).create(true).truncate(true).open(&self.backup)?;
        let mut tail = io::BufReader::with_capacity(COPY_BYTES, &journal).take(self.bytes);
        io::copy(&mut tail, &mut &backup)?;
        backup.sync_all()?;
        if let Some(folder) = self.backup.parent() {
            fs::File::open(folder)?.sync_all()?;
        }
        journal.set_len(self.offset)?;
        journal.sync_all()
    }
}
