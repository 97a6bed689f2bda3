//! What a process uses, as Linux counts it.

use std::fs;

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User and system time of all threads so far.
    pub(crate) cpu_seconds: f64,
    /// Memory that is not swapped out.
    pub(crate) resident_bytes: u64,
}

/// Linux counts CPU time of processes in hundredths of a second, whatever the kernel's own tick is (`USER_HZ`, proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

impl Usage {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name is in parentheses and may hold anything; utime and stime are the 12th and 13th fields after it.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Self { cpu_seconds: ticks / TICKS_PER_SECOND, resident_bytes: kib << 10 }
    }
}
