//! Time as the processor spends it on this thread, so that what else the machine does is left out (but for the caches that it empties).

use criterion::{
    Criterion,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time of this thread, for benchmarks that do all their work on one. One reading costs about a quarter of a microsecond.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadTime;

impl ThreadTime {
    /// Time spent by this thread so far.
    pub fn now() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Criterion over [`ThreadTime`]. Prints the load average: above 1.5 the figures count for nothing.
pub fn criterion() -> Criterion<ThreadTime> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average: {}; times are processor time of the measuring thread", load.trim());
    Criterion::default().with_measurement(ThreadTime)
}

/// Repeats `round`, which returns how many units it did, until there are `units` of them; returns the time that as many units took.
pub fn per_unit(units: u64, mut round: impl FnMut() -> u64) -> Duration {
    let (start, mut done) = (ThreadTime::now(), 0);
    while done < units {
        done += round();
    }
    let elapsed = ThreadTime::now().saturating_sub(start);
    Duration::from_nanos_u128(elapsed.as_nanos() * u128::from(units) / u128::from(done.max(1)))
}
