//! What was measured, and under which circumstances.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::client::KvFailure;

use super::{super::output::seconds, machine::DiskSync};

/// Load average above which the figures count for nothing: something else wants the machine.
const LOAD_MAX: f64 = 1.5;

/// Everything that a number depends on.
#[derive(Debug, Serialize)]
pub(super) struct Circumstances {
    pub(super) operation: &'static str,
    pub(super) clients: u32,
    pub(super) groups: u32,
    pub(super) key_bytes: u16,
    pub(super) keys: u32,
    pub(super) value_bytes: u32,
    pub(super) seconds: u64,
    pub(super) warm_up_seconds: u64,
    pub(super) load_average: Option<f64>,
    pub(super) disk: DiskSync,
}

/// What `--json` prints for each run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) circumstances: Circumstances,
    #[serde(flatten)]
    pub(super) result: Measured,
}

/// A run's figures.
#[derive(Debug, Default, Serialize)]
pub(super) struct Measured {
    /// Operations that were done, per second.
    pub(super) per_second: f64,
    /// In each second of the run.
    pub(super) each_second: Vec<u64>,
    /// Median latency.
    pub(super) p50_seconds: f64,
    /// 99 of 100 took no longer.
    pub(super) p99_seconds: f64,
    /// 999 of 1000 took no longer.
    pub(super) p999_seconds: f64,
    /// The longest one.
    pub(super) max_seconds: f64,
    /// Longest time in which no operation was done.
    pub(super) longest_gap_seconds: f64,
    /// Operations that certainly were not done.
    pub(super) rejected: u64,
    /// Operations of which nobody knows.
    pub(super) unknown: u64,
    /// One of the texts of those that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) example_failure: Option<String>,
    /// CPU time per operation of this process and all nodes on this machine; absent where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_seconds_per_operation: Option<f64>,
    /// Of that, by layer (thread), the most first.
    pub(super) cpu_by_layer: Vec<(String, f64)>,
}

impl Circumstances {
    pub(super) fn text(&self) -> String {
        let load = match self.load_average {
            Some(load) if load > LOAD_MAX => format!("load average {load:.2}: ABOVE {LOAD_MAX}, THESE FIGURES COUNT FOR NOTHING"),
            Some(load) => format!("load average {load:.2}"),
            None => "load average unknown".to_owned(),
        };
        format!(
            "{}: {} clients, {} groups, {} B keys ({} of them), {} B values, {} s after {} s of warm-up; {load}\n  raw disk: sync p50 {}, p99 {}",
            self.operation,
            self.clients,
            self.groups,
            self.key_bytes,
            self.keys,
            self.value_bytes,
            self.seconds,
            self.warm_up_seconds,
            seconds(self.disk.p50_seconds),
            seconds(self.disk.p99_seconds),
        )
    }
}

impl Measured {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "  {:.0}/s   p50 {}  p99 {}  p99.9 {}  max {}   longest gap {}\n",
            self.per_second,
            seconds(self.p50_seconds),
            seconds(self.p99_seconds),
            seconds(self.p999_seconds),
            seconds(self.max_seconds),
            seconds(self.longest_gap_seconds),
        );
        let each = self.each_second.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "  each second: {each}");
        if self.rejected + self.unknown > 0 {
            let example = self.example_failure.as_deref().unwrap_or("no reason");
            let _ = writeln!(text, "  rejected {}, unknown {}, for example: {example}", self.rejected, self.unknown);
        }
        if let Some(cpu) = self.cpu_seconds_per_operation {
            let layers = self.cpu_by_layer.iter().map(|(layer, cpu)| format!("{layer} {:.1}", cpu * 1e6)).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "  CPU {:.1} µs per operation over all processes: {layers}", cpu * 1e6);
        }
        text
    }
}

/// Longest latency that is told apart; longer ones count as this.
const LATENCY_MAX_US: u64 = 600_000_000;

/// Gathers a run. What is done outside of its time does not count.
#[derive(Debug)]
pub(super) struct Recorder {
    from: Instant,
    length: Duration,
    /// Microseconds.
    latencies: Histogram<u64>,
    each_second: Vec<u64>,
    last: Instant,
    gap: Duration,
    measured: Measured,
}

impl Recorder {
    /// A run of this length that begins at `from`.
    pub(super) fn new(from: Instant, length: Duration) -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            from,
            length,
            latencies: Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)?,
            each_second: vec![0; usize::try_from(length.as_secs()).unwrap_or(0).max(1)],
            last: from,
            gap: Duration::ZERO,
            measured: Measured::default(),
        })
    }

    /// Whether the run counts what ends at `now`.
    fn counts(&self, now: Instant) -> bool {
        now >= self.from && now < self.from + self.length
    }

    /// An operation was done.
    pub(super) fn done(&mut self, now: Instant, latency: Duration) {
        if !self.counts(now) {
            return;
        }
        self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX_US).max(1));
        let second = usize::try_from(now.duration_since(self.from).as_secs()).unwrap_or(0);
        if let Some(count) = self.each_second.get_mut(second) {
            *count += 1;
        }
        self.gap = self.gap.max(now.duration_since(self.last));
        self.last = now;
    }

    /// An operation was not done, or nobody knows.
    pub(super) fn failed(&mut self, now: Instant, failure: &KvFailure) {
        if !self.counts(now) {
            return;
        }
        let measured = &mut self.measured;
        match failure {
            KvFailure::Unknown(_) => measured.unknown += 1,
            KvFailure::Rejected(_) | KvFailure::Refused(_) | KvFailure::NotKv(_) => measured.rejected += 1,
        }
        measured.example_failure.get_or_insert_with(|| failure.to_string());
    }

    /// How many operations counted.
    pub(super) fn count(&self) -> u64 {
        self.latencies.len()
    }

    /// The figures. The time to the end of the run is a gap, too.
    pub(super) fn finish(self) -> Measured {
        let gap = self.gap.max((self.from + self.length).duration_since(self.last));
        let at = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1e6;
        Measured {
            per_second: self.latencies.len() as f64 / self.length.as_secs_f64(),
            each_second: self.each_second,
            p50_seconds: at(0.5),
            p99_seconds: at(0.99),
            p999_seconds: at(0.999),
            max_seconds: self.latencies.max() as f64 / 1e6,
            longest_gap_seconds: gap.as_secs_f64(),
            ..self.measured
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, Recorder};

    #[test]
    fn only_the_run_counts_and_its_gaps_reach_to_its_ends() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut recorder = Recorder::new(at(1_000), Duration::from_secs(2)).unwrap();
        for (ms, latency) in [(999, 1), (1_000, 2), (1_500, 4), (2_100, 10), (3_000, 1)] {
            recorder.done(at(ms), Duration::from_millis(latency));
        }
        assert_eq!(recorder.count(), 3);
        let measured = recorder.finish();
        assert_eq!((measured.per_second, measured.each_second.as_slice()), (1.5, &[2, 1][..]));
        assert_eq!(measured.longest_gap_seconds, 0.9);
        let near = |value: f64, expected: f64| (value - expected).abs() < expected / 100.0;
        assert!(near(measured.p50_seconds, 0.004) && near(measured.max_seconds, 0.010), "{measured:?}");
    }
}
