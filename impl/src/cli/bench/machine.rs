//! What the machine can do and is doing: raw syncs, load, CPU time. What a system does not tell is left out, never guessed.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    time::Instant,
};

use serde::Serialize;

/// Syncs that are measured.
const SYNCS: usize = 200;

/// Bytes that each of them makes durable.
const SYNC_BYTES: usize = 4_096;

/// Linux counts CPU time of processes in hundredths of a second, whatever the kernel's own tick is (`USER_HZ`, proc_pid_stat(5)).
const TICK_SECONDS: f64 = 0.01;

/// How long the disk takes to make a block durable, with nothing of ours above it.
#[derive(Clone, Copy, Debug, Serialize)]
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

/// CPU seconds so far by thread name; the threads of all given processes together.
#[derive(Clone, Debug, Default)]
pub(super) struct CpuTimes(BTreeMap<String, f64>);

impl CpuTimes {
    /// Reads the times; processes that cannot be read count as nothing.
    pub(super) fn read(pids: &[u32]) -> Self {
        let mut times = Self::default();
        for pid in pids {
            let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
            for thread in threads.flatten() {
                if let Some((name, seconds)) = fs::read_to_string(thread.path().join("stat")).ok().as_deref().and_then(parse_stat) {
                    *times.0.entry(name).or_default() += seconds;
                }
            }
        }
        times
    }

    /// What was used since `before`, the most first; names of numbered threads are one.
    pub(super) fn since(&self, before: &Self) -> Vec<(String, f64)> {
        let mut used: BTreeMap<String, f64> = BTreeMap::new();
        for (name, now) in &self.0 {
            let layer = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '#').to_owned();
            *used.entry(layer).or_default() += now - before.0.get(name).copied().unwrap_or(0.0);
        }
        let mut used: Vec<(String, f64)> = used.into_iter().filter(|(_, seconds)| *seconds > 0.0).collect();
        used.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        used
    }
}

/// Name and CPU seconds of a thread. Source: proc_pid_stat(5): the name is in parentheses and may hold any character; utime and stime are the
/// 12th and 13th word behind it.
fn parse_stat(stat: &str) -> Option<(String, f64)> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut words = tail.split_whitespace().skip(11);
    let ticks = words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?;
    Some((name.to_owned(), ticks as f64 * TICK_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::{CpuTimes, DiskSync, parse_stat};

    #[test]
    fn times_of_threads_with_odd_names_are_read() {
        let stat = "77 (a) b) S 1 77 77 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 2 3";
        assert_eq!(parse_stat(stat), Some(("a) b".to_owned(), 3.0)));
        assert_eq!(parse_stat("77 (short) S 1"), None);
    }

    #[test]
    fn numbered_threads_are_one_layer_and_idle_ones_are_left_out() {
        let times = |list: &[(&str, f64)]| CpuTimes(list.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect());
        let before = times(&[("storage", 1.0), ("fjall-1", 1.0), ("witness", 2.0)]);
        let after = times(&[("storage", 1.5), ("fjall-1", 2.0), ("fjall-2", 1.0), ("witness", 2.0)]);
        assert_eq!(after.since(&before), [("fjall".to_owned(), 2.0), ("storage".to_owned(), 0.5)]);
    }

    #[test]
    fn a_measurement_of_the_disk_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let sync = DiskSync::measure(dir.path()).unwrap();
        assert!(0.0 < sync.p50_seconds && sync.p50_seconds <= sync.p99_seconds);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
