//! Room on the disk of the data folder. A database that could not write is not to be trusted any more, so a node stops taking things in while there is
//! still room to finish what it has begun: votes, what was accepted, flushes of memtables, compaction, the next start.
//!
//! ```text
//!   0 ─── reserve/8 ─── reserve/2 ─── reserve ─── free bytes
//!    does not   appends no    takes no     serves
//!    start      entries       writes in
//! ```
//!
//! On the way up each of the two states ends an eighth of the reserve later, so that it does not flicker.

use rustix::fs::statvfs;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// The reserve where the configuration names none: two full memtables of each kind, the journals beside them, what waits for disk and state machines, and
/// a compaction, with as much again.
pub const RESERVE_DEFAULT_BYTES: u64 = 1 << 30;
/// Without a word in the configuration, the reserve takes at most this part of a small disk.
const DEFAULT_DISK_SHARE: u64 = 4;
/// A reserve above this part of the disk is a mistake.
const DISK_SHARE_MAX: u64 = 2;

/// How fast a disk may fill: so soon is the next look that the reserve is not half used before it.
const FASTEST_BYTES_PER_SECOND: u64 = 1 << 30;
/// Longest and shortest time between two looks. A look is one system call.
const LOOK_MAX: Duration = Duration::from_secs(1);
const LOOK_MIN: Duration = Duration::from_millis(20);
/// Time between two looks while room is short: nothing large is taken in then, and somebody waits for the end of it.
const LOOK_SHORT: Duration = Duration::from_millis(100);

/// How much room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Less than half of the reserve: no entries are appended, except those that carry nothing.
    Full,
    /// Less than the reserve: no writes are taken in.
    Tight,
    /// All is well.
    #[default]
    Enough,
}

/// A file system, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What this process may still use.
    pub free: u64,
    /// Its size; 0 where the system does not tell.
    pub total: u64,
}

impl Disk {
    /// The file system of a folder, or of the nearest one above that exists.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let there = folder.ancestors().find(|place| place.exists()).filter(|place| !place.as_os_str().is_empty());
        let stat = statvfs(there.unwrap_or(Path::new(".")))?;
        Ok(Self { free: stat.f_bavail.saturating_mul(stat.f_frsize), total: stat.f_blocks.saturating_mul(stat.f_frsize) })
    }
}

/// A disk that does not go with the reserve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// The reserve takes most of the disk.
    #[error(
        "storage.reserve_bytes = {asked} ({}) is more than half of the disk ({}); write at most {}, or leave it out",
        text(*asked), text(*total), total / DISK_SHARE_MAX
    )]
    Senseless {
        /// What was asked for.
        asked: u64,
        /// The disk's size.
        total: u64,
    },
    /// Too little is free to start.
    #[error("no space: {} of the disk are free, and a start needs {}; free room, then start again (nothing is lost)", text(*free), text(*needed))]
    CannotStart {
        /// What is free.
        free: u64,
        /// What must be.
        needed: u64,
    },
}

/// The bytes that stay free for what must not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve(u64);

impl Reserve {
    /// The reserve that was asked for, or what suits the disk.
    ///
    /// # Errors
    /// When it would take more than half of the disk.
    pub fn choose(asked: Option<u64>, disk: Disk) -> Result<Self, SpaceError> {
        match asked {
            None => Ok(Self(RESERVE_DEFAULT_BYTES.min(disk.total / DEFAULT_DISK_SHARE))),
            Some(asked) if disk.total > 0 && asked > disk.total / DISK_SHARE_MAX => Err(SpaceError::Senseless { asked, total: disk.total }),
            Some(asked) => Ok(Self(asked)),
        }
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Bytes that must be free for writes to be taken in again.
    pub const fn enough(self) -> u64 {
        self.0 + self.0 / 8
    }

    /// Whether a start can be expected to succeed.
    ///
    /// # Errors
    /// When an eighth of the reserve is not free.
    pub fn check_start(self, disk: Disk) -> Result<(), SpaceError> {
        let needed = self.0 / 8;
        if disk.free < needed { Err(SpaceError::CannotStart { free: disk.free, needed }) } else { Ok(()) }
    }

    /// What so many free bytes mean, after `before`.
    pub fn judge(self, before: Room, free: u64) -> Room {
        let step = self.0 / 8;
        let tight = if before < Room::Enough { self.enough() } else { self.0 };
        let full = if before < Room::Tight { self.0 / 2 + step } else { self.0 / 2 };
        if free < full {
            Room::Full
        } else if free < tight {
            Room::Tight
        } else {
            Room::Enough
        }
    }

    /// How long nothing can happen that the next look would be too late for.
    fn next_look(self, room: Room, free: u64) -> Duration {
        if room < Room::Enough {
            return LOOK_SHORT;
        }
        let nanos = u128::from(free.saturating_sub(self.0)) * 1_000_000_000 / u128::from(FASTEST_BYTES_PER_SECOND);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).clamp(LOOK_MIN, LOOK_MAX)
    }
}

/// Looks at the disk, on a thread of its own: a file system that hangs hangs nobody else. The thread ends when this is dropped.
#[derive(Debug)]
pub struct SpaceWatch {
    folder: PathBuf,
    free: Arc<AtomicU64>,
    reserve: Reserve,
    total: u64,
    _stop: Sender<()>,
}

impl SpaceWatch {
    /// Starts the thread. `on_change` is called on it with each new [`Room`], first of all if it is not [`Room::Enough`], and must only pass it on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(folder: PathBuf, reserve: Reserve, disk: Disk, on_change: impl Fn(Room) + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let free = Arc::new(AtomicU64::new(disk.free));
        let (shown, place) = (Arc::clone(&free), folder.clone());
        let look = move || {
            let (mut disk, mut room) = (disk, Room::Enough);
            loop {
                let now = reserve.judge(room, disk.free);
                if now != room {
                    room = now;
                    on_change(room);
                }
                if stopped.recv_timeout(reserve.next_look(room, disk.free)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                // A disk that does not tell is judged by what it said last; whether it is broken, the next sync finds out.
                disk = Disk::of(&place).unwrap_or(disk);
                shown.store(disk.free, Relaxed);
            }
        };
        thread::Builder::new().name("space".to_owned()).spawn(look)?;
        Ok(Self { folder, free, reserve, total: disk.total, _stop: stop })
    }

    /// The disk at the last look.
    pub fn disk(&self) -> Disk {
        Disk { free: self.free.load(Relaxed), total: self.total }
    }

    /// What stays free.
    pub fn reserve(&self) -> Reserve {
        self.reserve
    }

    /// What an operator is told while room is short.
    pub fn explain(&self) -> String {
        let disk = self.disk();
        format!(
            "{} of {} are free on the disk of {}, less than the reserve of {}; writes are refused and reads go on until {} are free: remove what is \
             not Roadstead's from the disk, or enlarge it",
            text(disk.free),
            text(disk.total),
            self.folder.display(),
            text(self.reserve.bytes()),
            text(self.reserve.enough()),
        )
    }
}

/// Bytes for people.
fn text(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0..MIB => format!("{} KiB", bytes >> 10),
        MIB..0x2_8000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, LOOK_MAX, LOOK_MIN, RESERVE_DEFAULT_BYTES, Reserve, Room, SpaceError, SpaceWatch};
    use std::sync::mpsc::channel;

    const GIB: u64 = 1 << 30;

    fn disk(total: u64) -> Disk {
        Disk { free: total, total }
    }

    #[test]
    fn the_reserve_fits_the_disk() {
        assert_eq!(Reserve::choose(None, disk(100 * GIB)).unwrap().bytes(), RESERVE_DEFAULT_BYTES);
        assert_eq!(Reserve::choose(None, disk(256 << 20)).unwrap().bytes(), 64 << 20);
        assert_eq!(Reserve::choose(Some(GIB), disk(2 * GIB)).unwrap().bytes(), GIB);
        assert_eq!(Reserve::choose(Some(GIB + 1), disk(2 * GIB)), Err(SpaceError::Senseless { asked: GIB + 1, total: 2 * GIB }));
        // Where the system does not tell the size, what was asked for holds, and otherwise nothing.
        assert_eq!(Reserve::choose(Some(GIB), disk(0)).unwrap().bytes(), GIB);
        assert_eq!(Reserve::choose(None, disk(0)).unwrap().judge(Room::Enough, 0), Room::Enough);
    }

    /// Goal: down at the bounds, up an eighth later. Method: free bytes go down and up again.
    #[test]
    fn the_way_up_is_longer_than_the_way_down() {
        let reserve = Reserve(800);
        let path = [
            (800, "E"),
            (799, "T"),
            (899, "T"),
            (400, "T"),
            (399, "F"),
            (499, "F"),
            (500, "T"),
            (899, "T"),
            (900, "E"),
            (0, "F"),
            (900, "E"),
        ];
        let mut room = Room::Enough;
        for (free, expected) in path {
            room = reserve.judge(room, free);
            let short = format!("{room:?}");
            assert_eq!(&short[..1], expected, "at {free}");
        }
    }

    #[test]
    fn looks_come_sooner_the_nearer_the_reserve_is() {
        let reserve = Reserve(GIB);
        assert_eq!(reserve.next_look(Room::Enough, 3 * GIB), LOOK_MAX);
        assert_eq!(reserve.next_look(Room::Enough, GIB + GIB / 4).as_millis(), 250);
        assert_eq!(reserve.next_look(Room::Enough, GIB), LOOK_MIN);
    }

    #[test]
    fn a_start_needs_an_eighth() {
        assert_eq!(Reserve(800).check_start(Disk { free: 100, total: 9_000 }), Ok(()));
        let error = Reserve(800 << 20).check_start(Disk { free: 1 << 20, total: GIB }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no space: 1 MiB of the disk are free, and a start needs 100 MiB; free room, then start again (nothing is lost)"
        );
    }

    #[test]
    fn the_watch_tells_at_once_and_ends_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let here = Disk::of(&folder.path().join("not made yet")).unwrap();
        assert!(here.total >= here.free && here.total > 0);
        let (told, hears) = channel();
        let watch = SpaceWatch::spawn(folder.path().to_owned(), Reserve(u64::MAX / 2), here, move |room| told.send(room).unwrap()).unwrap();
        assert_eq!(hears.recv(), Ok(Room::Full));
        assert!(watch.explain().contains("writes are refused and reads go on"));
        drop(watch);
        assert!(hears.recv().is_err(), "the thread is gone");
    }
}
