//! The witness: a small file beside the log database that remembers how far the database had come.
//!
//! A journal that loses its tail is silent about it: fjall 3.1 opens without error after a bit flip in an early journal record and drops everything
//! behind it. A vote forgotten in that way lets a node vote twice. So the number of the last synced batch, and a digest of all terms and votes, are
//! also kept here, in a file of its own: zero-written before use (a sync never allocates), with two slots that are written in turn (a torn write leaves the
//! other one).
//!
//! Order: the slot of batch N is written *after* the journal's sync of batch N. So a healthy database is never behind its slot, and one that is
//! behind has lost synced data: the process ends. How much loss can go unnoticed: rounds that carry a term or a vote release their completions only after
//! the slot's sync, so none of those; of the other rounds at most [`LAG_ROUNDS_MAX`], and none that is older than [`LAG_TIME_MAX`] (plus the
//! time that writing the slot takes).

use super::{record::checksum, witness_file::WitnessFile};
use std::{io, time::Duration};

/// The slot is at most so many rounds behind the journal.
pub const LAG_ROUNDS_MAX: u64 = 64;
/// A round's slot is written at the latest so long after its sync.
pub const LAG_TIME_MAX: Duration = Duration::from_secs(1);

/// Slots lie in different blocks, so that no torn write reaches both.
const SLOT_BYTES: usize = 4096;
/// Length of the file.
pub const FILE_BYTES: usize = 2 * SLOT_BYTES;

const MAGIC: [u8; 8] = *b"RSWITN01";
/// magic, store id, boot, batch, digest; then a CRC-32.
const CONTENT: usize = 8 + 16 + 8 + 8 + 8;

/// How far the log database had come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Boot in which the batch was written.
    pub boot: u64,
    /// Number of the batch; each round is one, and numbers go on over boots.
    pub batch: u64,
    /// Sum over all groups of a hash of (local number, incarnation, term, vote).
    pub digest: u64,
}

/// Why the witness cannot testify.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Reading or writing failed.
    #[error("the witness file cannot be read or written: {0}; check the disk, then start again")]
    Io(#[from] io::Error),
    /// Neither slot verifies.
    #[error(
        "both slots of the witness file are damaged, so nothing says whether the log database is complete; restore this node from its peers: \
         start it with an empty data folder and a new node id"
    )]
    Damaged,
    /// The file belongs to another data folder.
    #[error("the witness file belongs to store {found:032x}, this folder is store {expected:032x}; put the folder's own witness file back")]
    OtherStore {
        /// The folder's store id.
        expected: u128,
        /// The file's.
        found: u128,
    },
}

/// Writes slots in turn.
#[derive(Debug)]
pub struct Witness {
    file: Box<dyn WitnessFile>,
    store: u128,
    newest: Mark,
    /// Which slot holds `newest`.
    slot: usize,
}

enum Slot {
    Blank,
    Damaged,
    Valid(u128, Mark),
}

impl Witness {
    /// A new witness in an empty, zero-written file.
    pub fn create(mut file: Box<dyn WitnessFile>, store: u128) -> Result<Self, WitnessError> {
        file.write_at(0, &encode(store, Mark::default()))?;
        file.sync()?;
        Ok(Self { file, store, newest: Mark::default(), slot: 0 })
    }

    /// The newest slot that verifies.
    pub fn open(file: Box<dyn WitnessFile>, store: u128) -> Result<Self, WitnessError> {
        let mut newest: Option<(Mark, usize)> = None;
        for slot in 0..2 {
            let mut content = [0; CONTENT + 4];
            file.read_at((slot * SLOT_BYTES) as u64, &mut content)?;
            match decode(&content) {
                // The older slot of a young folder is blank; a crash while writing leaves a damaged one. The other one testifies.
                Slot::Blank | Slot::Damaged => {}
                Slot::Valid(found, _) if found != store => return Err(WitnessError::OtherStore { expected: store, found }),
                Slot::Valid(_, mark) => newest = newest.max(Some((mark, slot))),
            }
        }
        let (newest, slot) = newest.ok_or(WitnessError::Damaged)?;
        Ok(Self { file, store, newest, slot })
    }

    /// What the newest slot says.
    pub fn newest(&self) -> Mark {
        self.newest
    }

    /// Writes the other slot and syncs it. An error is final, as with any sync.
    pub fn write(&mut self, mark: Mark) -> Result<(), WitnessError> {
        let slot = 1 - self.slot;
        self.file.write_at((slot * SLOT_BYTES) as u64, &encode(self.store, mark))?;
        self.file.sync()?;
        self.slot = slot;
        self.newest = mark;
        Ok(())
    }
}

/// Whether a slot of any store remembers a batch: the folder was in use. (A used file always has a good slot.)
pub(crate) fn was_used(file: &dyn WitnessFile) -> bool {
    (0..2).any(|slot| {
        let mut content = [0; CONTENT + 4];
        let read = file.read_at((slot * SLOT_BYTES) as u64, &mut content);
        read.is_ok() && matches!(decode(&content), Slot::Valid(_, Mark { batch: 1.., .. }))
    })
}

fn encode(store: u128, mark: Mark) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend(MAGIC);
    slot.extend(store.to_le_bytes());
    for number in [mark.boot, mark.batch, mark.digest] {
        slot.extend(number.to_le_bytes());
    }
    slot.extend(checksum(&[], &slot).to_le_bytes());
    slot.resize(SLOT_BYTES, 0);
    slot
}

fn decode(slot: &[u8; CONTENT + 4]) -> Slot {
    if slot.iter().all(|byte| *byte == 0) {
        return Slot::Blank;
    }
    let Some((content, crc)) = slot.split_last_chunk::<4>() else { return Slot::Damaged };
    let (Some(magic), Some(rest)) = (content.get(..8), content.get(8..)) else { return Slot::Damaged };
    if magic != MAGIC || checksum(&[], content) != u32::from_le_bytes(*crc) {
        return Slot::Damaged;
    }
    let Some((store, rest)) = rest.split_first_chunk::<16>() else { return Slot::Damaged };
    let mut numbers = rest.chunks_exact(8).map(|chunk| chunk.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)));
    let mut next = || numbers.next().unwrap_or_default();
    Slot::Valid(u128::from_le_bytes(*store), Mark { boot: next(), batch: next(), digest: next() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::witness_file::MemoryFile;

    fn mark(batch: u64) -> Mark {
        Mark { boot: 1, batch, digest: batch * 7 }
    }

    /// Whatever byte of the slot being written is torn, the other slot testifies.
    #[test]
    fn a_torn_write_leaves_the_older_slot() {
        let file = MemoryFile::default();
        let mut witness = Witness::create(Box::new(file.clone()), 9).unwrap();
        witness.write(mark(1)).unwrap();
        witness.write(mark(2)).unwrap();
        for length in 0..CONTENT + 4 {
            let torn = file.crash(true);
            // Batch 3 goes to the slot of batch 1.
            torn.clone().write_at(SLOT_BYTES as u64, &encode(9, mark(3))[..length]).unwrap();
            let found = Witness::open(Box::new(torn), 9).unwrap().newest();
            assert_eq!(found, mark(2), "torn at {length}");
        }
        witness.write(mark(3)).unwrap();
        assert_eq!(Witness::open(Box::new(file.crash(false)), 9).unwrap().newest(), mark(3));
    }

    #[test]
    fn damage_and_another_store_are_refused() {
        assert!(matches!(Witness::open(Box::new(MemoryFile::default()), 9), Err(WitnessError::Damaged)), "zeros are no testimony");
        let file = MemoryFile::default();
        Witness::create(Box::new(file.clone()), 9).unwrap();
        assert!(matches!(Witness::open(Box::new(file.clone()), 8), Err(WitnessError::OtherStore { expected: 8, found: 9 })));
        for bit in 0..(CONTENT + 4) * 8 {
            let mut damaged = file.crash(true);
            let mut byte = [0];
            damaged.read_at(bit as u64 / 8, &mut byte).unwrap();
            damaged.write_at(bit as u64 / 8, &[byte[0] ^ 1 << (bit % 8)]).unwrap();
            assert!(matches!(Witness::open(Box::new(damaged), 9), Err(WitnessError::Damaged)), "bit {bit}");
        }
    }

    #[test]
    fn a_failed_sync_is_an_error() {
        let file = MemoryFile::default();
        let mut witness = Witness::create(Box::new(file.clone()), 9).unwrap();
        file.fail();
        assert!(witness.write(mark(1)).is_err());
        assert_eq!(Witness::open(Box::new(file.crash(true)), 9).unwrap().newest(), Mark::default());
    }
}
