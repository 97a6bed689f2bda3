//! Reads fjall's journal without fjall, before fjall does: fjall 3.1 cuts off, without a word, everything behind a record that it cannot read.
//!
//! The format, from the source of fjall 3.1.13 (`src/journal/entry.rs`, `writer.rs`, `batch_reader.rs`); little endian:
//!
//! ```text
//! batch = start items end
//! start = 1u8, number of items u32, sequence number u64
//! item  = 2u8, value type u8, compression u8, keyspace u64, key length u16, value length u32, stored length u32, key, value
//!       | 4u8, keyspace u64                                                         (clear)
//! end   = 3u8, xxh3-64 over the bytes of the items u64, "FJL" 3u8
//! ```
//!
//! Files are `DIR/N.jnl`, the one with the highest N is being written. A file is made 64 MiB long in advance and so ends with zeros, or, after a restart,
//! right behind its last batch.

use super::{meta, record, witness::Mark};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: &[u8] = b"FJL\x03";

/// Where and how a journal breaks off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where its last good batch ends.
    pub offset: u64,
    /// Number of the last good batch in this or an earlier file, if any of them says.
    pub last_batch: Option<u64>,
    /// Whether good batches follow: then this is no torn tail, but damage in the middle.
    pub intact_behind: bool,
    /// Whether the batch is whole but wrong: fjall refuses to open, rather than cut in silence.
    pub blocks: bool,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// Good batches.
    pub batches: u64,
    /// Number of the last good batch, if any of them says.
    pub last_batch: Option<u64>,
    /// Sequence number of the last good batch. fjall's checksum does not cover it, but it only grows; one that does not would hide what it should replace.
    pub last_sequence: Option<u64>,
    /// The first damage.
    pub damage: Option<Damage>,
}

/// Why a journal must not be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read.
    #[error("journal {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A write that was under way when the machine went down is half there. Nothing that was promised is lost.
    #[error(
        "journal {} ends with a torn write at byte {}; everything through batch {} is intact, and the witness remembers no later one than {witnessed}: what is \
         torn was never acknowledged as durable term or vote. Run `roadstead repair {}` to cut it off",
        damage.file.display(), damage.offset, shown(damage.last_batch), dir.display()
    )]
    TornTail {
        /// Where.
        damage: Damage,
        /// Last batch that the witness remembers.
        witnessed: u64,
        /// The data folder.
        dir: PathBuf,
    },
    /// Nobody can say whether synced batches are lost.
    #[error(
        "journal {} is damaged at byte {}, and no intact batch before it says its number, so nobody can say whether the witness remembers what is lost. Keep a copy \
         of the folder, and restore the node from its peers (empty data folder, new node id)",
        damage.file.display(), damage.offset
    )]
    Undated {
        /// Where.
        damage: Damage,
    },
    /// A state database's older journal is damaged.
    #[error(
        "journal {} of the state database is damaged at byte {}, and it was synced: the state machines' data is lost. Keep a copy of the folder, and restore \
         the node from its peers (empty data folder, new node id)",
        damage.file.display(), damage.offset
    )]
    State {
        /// Where.
        damage: Damage,
    },
    /// Synced batches are lost.
    #[error(
        "journal {} is damaged at byte {}: batches behind {} cannot be read, and {}. Synced data, perhaps a vote, is lost; this node may not take part \
         any more. Keep a copy of the folder, and restore the node from its peers (empty data folder, new node id)",
        damage.file.display(), damage.offset, shown(damage.last_batch), because(damage, *witnessed)
    )]
    Damaged {
        /// Where.
        damage: Damage,
        /// Last batch that the witness remembers.
        witnessed: u64,
    },
}

fn shown(batch: Option<u64>) -> String {
    batch.map_or_else(|| "(unknown)".to_owned(), |batch| batch.to_string())
}

fn because(damage: &Damage, witnessed: u64) -> String {
    if damage.intact_behind {
        "later batches are intact, so it was no torn write".to_owned()
    } else {
        format!("the witness remembers batch {witnessed}")
    }
}

/// What a damaged journal means, judged by the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A torn write behind everything that the witness remembers.
    TornTail,
    /// Something that was synced is gone.
    Lost,
    /// No batch before the damage says its number; only the open database can tell.
    Unknown,
}

impl Damage {
    /// Judges by the last batch that the witness remembers.
    pub fn verdict(&self, witnessed: u64) -> Verdict {
        match self.last_batch {
            _ if self.intact_behind => Verdict::Lost,
            None => Verdict::Unknown,
            Some(last) if last >= witnessed => Verdict::TornTail,
            Some(_) => Verdict::Lost,
        }
    }

    /// What an operator must know; nothing if fjall may open the journal: it cuts an unfinished batch off, and the witness is asked again when the database
    /// is open.
    pub(crate) fn judge(self, witnessed: u64, dir: &Path) -> Result<(), JournalError> {
        match self.verdict(witnessed) {
            Verdict::Lost => Err(JournalError::Damaged { damage: self, witnessed }),
            Verdict::TornTail if self.blocks => Err(JournalError::TornTail { damage: self, witnessed, dir: dir.to_owned() }),
            Verdict::Unknown if self.blocks => Err(JournalError::Undated { damage: self }),
            Verdict::TornTail | Verdict::Unknown => Ok(()),
        }
    }
}

/// Refuses a journal that fjall must not open: one with a loss, and one that fjall would refuse with a message that helps nobody.
pub(crate) fn examine(log: &Path, witnessed: Mark, dir: &Path) -> Result<(), JournalError> {
    scan(log)?.damage.map_or(Ok(()), |damage| damage.judge(witnessed.batch, dir))
}

/// Makes the journal of a state database readable. Its batches are not synced one by one, so after a power cut any page behind the last sync may be missing,
/// and good batches may follow a bad one; fjall would refuse to open. What is left is cut to the batches before the first bad one: a consistent earlier state
/// with its applied indices, from which the log goes on. (An applied index before the beginning of its group's log is noticed by whoever recovers the group.)
pub(crate) fn cut_state(state: &Path) -> Result<(), JournalError> {
    let Some(damage) = scan(state)?.damage else { return Ok(()) };
    // Older journals were synced when the next one was begun.
    if files(state)?.last() != Some(&damage.file) {
        return Err(JournalError::State { damage });
    }
    let cut = fs::OpenOptions::new().write(true).open(&damage.file).and_then(|file| {
        let length = file.metadata()?.len();
        file.set_len(damage.offset)?;
        file.sync_all()?;
        Ok(length - damage.offset)
    });
    let bytes = cut.map_err(|source| JournalError::Io { path: damage.file.clone(), source })?;
    tracing::warn!(file = %damage.file.display(), offset = damage.offset, bytes, "cut writes that were not synced from the state database; the logs replay them");
    Ok(())
}

/// Reads all journals of a database, oldest first, and changes nothing.
pub fn scan(log: &Path) -> Result<Journal, JournalError> {
    let mut journal = Journal::default();
    for file in files(log)? {
        let bytes = fs::read(&file).map_err(|source| JournalError::Io { path: file.clone(), source })?;
        if let Some(damage) = &mut journal.damage {
            damage.intact_behind |= has_batch(&bytes, 0);
            continue;
        }
        scan_file(&file, &bytes, &mut journal);
    }
    Ok(journal)
}

fn files(log: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let fail = |source| JournalError::Io { path: log.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(log).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| is_journal) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn scan_file(file: &Path, bytes: &[u8], journal: &mut Journal) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !is_zero(rest)) {
        let in_order = |batch: Parsed| if Some(batch.sequence) > journal.last_sequence { Ok(batch) } else { Err(Flaw::Wrong) };
        match parse(rest).and_then(in_order) {
            Ok(batch) => {
                at += batch.length;
                journal.last_sequence = Some(batch.sequence);
                journal.batches += 1;
                journal.last_batch = batch.number.or(journal.last_batch);
            }
            Err(flaw) => {
                journal.damage = Some(Damage {
                    file: file.to_owned(),
                    offset: at as u64,
                    last_batch: journal.last_batch,
                    intact_behind: has_batch(bytes, at + 1),
                    blocks: flaw == Flaw::Wrong,
                });
                return;
            }
        }
    }
}

/// Whether there are only zeros, by whole pages: a young journal is 64 MiB of them.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|page| ZEROS.starts_with(page))
}

/// Whether a good batch begins anywhere from `at` on.
fn has_batch(bytes: &[u8], at: usize) -> bool {
    let starts = bytes.get(at..).unwrap_or_default();
    let candidates = starts.iter().enumerate().filter(|(_, byte)| **byte == START);
    candidates.filter_map(|(offset, _)| starts.get(offset..)).any(|rest| parse(rest).is_ok())
}

struct Parsed {
    length: usize,
    sequence: u64,
    number: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Flaw {
    /// Breaks off, or is no batch at all: fjall cuts it off.
    Unfinished,
    /// Whole, but not what its checksum or count says (fjall refuses to open), or out of order (fjall would not notice).
    Wrong,
}

/// Takes bytes from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Flaw::Unfinished)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, length: usize) -> Result<u64, Flaw> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// The batch at the front of `bytes`.
fn parse(bytes: &[u8]) -> Result<Parsed, Flaw> {
    let mut cursor = Cursor(bytes);
    if cursor.number(1)? != u64::from(START) {
        return Err(Flaw::Unfinished);
    }
    let items = cursor.number(4)?;
    let sequence = cursor.number(8)?;
    let body = cursor.0;
    let mark_key = meta::mark_key();
    let (mut seen, mut number) = (0, None);
    loop {
        let before = cursor.0.len();
        match cursor.number(1)? as u8 {
            ITEM => {
                cursor.take(2 + 8)?;
                let key_length = cursor.number(2)? as usize;
                cursor.take(4)?;
                let value_length = cursor.number(4)? as usize;
                let key = cursor.take(key_length)?;
                let value = cursor.take(value_length)?;
                if key == mark_key {
                    number = record::decode(key, value).ok().map(|mark: Mark| mark.batch).or(number);
                }
                seen += 1;
            }
            CLEAR => {
                cursor.take(8)?;
                seen += 1;
            }
            END => {
                let checksum = cursor.number(8)?;
                if cursor.take(MAGIC.len())? != MAGIC {
                    return Err(Flaw::Unfinished);
                }
                let covered = body.get(..body.len() - before).unwrap_or_default();
                let right = seen == items && xxh3_64(covered) == checksum;
                return if right { Ok(Parsed { length: bytes.len() - cursor.0.len(), sequence, number }) } else { Err(Flaw::Wrong) };
            }
            _ => return Err(Flaw::Unfinished),
        }
        if seen > items {
            return Err(Flaw::Wrong);
        }
    }
}
