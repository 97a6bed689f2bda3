//! What the machine can do and is doing: raw syncs, load, flushes. What a system does not tell is left out, never guessed.

use std::{
    fs::{self, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    time::Instant,
};

use serde::{Deserialize, Serialize};

/// Syncs that are measured.
const SYNCS: usize = 200;

/// Bytes that each of them makes durable.
const SYNC_BYTES: usize = 4_096;

/// How long the disk takes to make a block durable, with nothing of ours above it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DiskSync {
    /// Median.
    pub(super) p50_seconds: f64,
    /// 99th percentile.
    pub(super) p99_seconds: f64,
}

impl DiskSync {
    /// Overwrites a block of a file that was fully written before, so that no sync has to allocate.
    pub(super) fn measure(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("roadstead-bench-sync-{}", std::process::id()));
        let measured = Self::measure_file(&path);
        fs::remove_file(&path)?;
        measured
    }

    fn measure_file(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        let block = [0x5a; SYNC_BYTES];
        for _ in 0..SYNCS {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        let mut seconds = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let begun = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let at = |share: f64| seconds.get((share * (SYNCS - 1) as f64) as usize).copied().unwrap_or(0.0);
        Ok(Self { p50_seconds: at(0.5), p99_seconds: at(0.99) })
    }
}

/// Processes that wanted to run, on average over the last minute.
pub(super) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Requests to flush their caches that all disks of this machine have completed. Source: Documentation/admin-guide/iostats.rst of Linux, field 16 behind
/// the name, since 5.5. Partitions and what lies on top of a disk would count its flushes twice.
pub(super) fn disk_flushes() -> Option<u64> {
    let is_disk = |name: &str| Path::new("/sys/block").join(name).join("device").exists();
    let text = fs::read_to_string("/proc/diskstats").ok()?;
    let disks = text.lines().filter_map(parse_flushes).filter(|(name, _)| is_disk(name));
    disks.map(|(_, flushes)| flushes).reduce(|sum, flushes| sum + flushes)
}

fn parse_flushes(line: &str) -> Option<(&str, u64)> {
    let mut words = line.split_whitespace().skip(2);
    Some((words.next()?, words.nth(15)?.parse().ok()?))
}

/// Time that all processors together have been busy and idle since the start of the system. Source: proc_stat(5); waiting for a disk is idle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy {
    busy: u64,
    idle: u64,
}

impl Busy {
    /// Reads it.
    pub(super) fn read() -> Option<Self> {
        Self::parse(fs::read_to_string("/proc/stat").ok()?.lines().next()?)
    }

    fn parse(line: &str) -> Option<Self> {
        let times: Vec<u64> = line.strip_prefix("cpu ")?.split_whitespace().take(8).map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let idle = times.get(3)? + times.get(4)?;
        Some(Self { busy: times.iter().sum::<u64>() - idle, idle })
    }

    /// Share of the time since `before` in which processors were busy, 0 to 1.
    pub(super) fn share_since(self, before: Self) -> Option<f64> {
        let (busy, idle) = (self.busy.checked_sub(before.busy)?, self.idle.checked_sub(before.idle)?);
        (busy + idle > 0).then(|| busy as f64 / (busy + idle) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::{Busy, DiskSync, parse_flushes};

    #[test]
    fn flushes_of_a_disk_are_read() {
        let line = " 254       0 vda 5 0 8 3 7 1 9 4 0 6 7 0 0 0 0 4711 12";
        assert_eq!(parse_flushes(line), Some(("vda", 4_711)));
        assert_eq!(parse_flushes("   8 0 sda 5 0 8 3 7 1 9 4 0 6 7 0 0 0 0"), None, "an old system does not count them");
    }

    #[test]
    fn the_busy_share_is_of_the_time_between() {
        let at = |line| Busy::parse(line).unwrap();
        let (before, after) = (at("cpu  100 0 50 1000 200 0 10 0 0 0"), at("cpu  130 0 60 1040 220 0 10 0 5 5"));
        assert_eq!(after.share_since(before), Some(0.4));
        assert_eq!(before.share_since(before), None);
        assert!(Busy::parse("cpu0 1 2 3 4 5 6 7 8").is_none());
    }

    #[test]
    fn a_measurement_of_the_disk_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let sync = DiskSync::measure(dir.path()).unwrap();
        assert!(0.0 < sync.p50_seconds && sync.p50_seconds <= sync.p99_seconds);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
