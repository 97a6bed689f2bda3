//! What a search costs.

use std::{fs, num::NonZeroUsize, thread, time::Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Time that was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Seconds on the wall.
    pub seconds: f64,
    /// Seconds of all threads of this process. Only these can be compared between runs: a shared machine lends cores as it likes.
    pub cpu_seconds: f64,
}

impl Cost {
    /// How many of `count` things a CPU-second made.
    pub fn rate(self, count: u64) -> f64 {
        count as f64 / self.cpu_seconds.max(1e-9)
    }
}

/// Measures a [`Cost`].
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
    cpu_seconds: f64,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { started: Instant::now(), cpu_seconds: cpu_seconds() }
    }

    /// What was spent since the start.
    pub fn cost(&self) -> Cost {
        Cost { seconds: self.started.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds() - self.cpu_seconds }
    }

    /// When it was started.
    pub const fn started(&self) -> Instant {
        self.started
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The memory of this process that is in RAM; 0 where `/proc` does not tell.
pub fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.as_deref().and_then(|line| line.split(' ').nth(1)).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The number of threads that can run at the same time.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}
