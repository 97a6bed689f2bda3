//! Writers in a closed loop, and what they saw.

use bytes::Bytes;
use hdrhistogram::Histogram;
use roadstead::{launcher::Group, shard::Response};
use std::{
    error::Error,
    fs,
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use tokio::runtime;

/// Longest latency that is told apart, in microseconds; longer ones count as this.
const LONGEST_US: u64 = 60_000_000;
/// Enough for a writer; 64 of them with the system's default would be 128 MiB of address space.
const STACK_BYTES: usize = 256 << 10;

/// What to do.
pub(crate) struct Load {
    pub(crate) writers: u32,
    pub(crate) threads: u32,
    pub(crate) payload_bytes: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What came of it.
pub(crate) struct Measured {
    writers: u32,
    threads: u32,
    payload_bytes: usize,
    seconds: f64,
    load_average: String,
    latency_us: Histogram<u64>,
}

type Outcome = Result<Histogram<u64>, String>;

impl Load {
    /// Runs the writers; one write that is not committed ends the measurement.
    pub(crate) fn run(&self, group: &Group) -> Result<Measured, Box<dyn Error>> {
        let load_average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let payload = Bytes::from(vec![b'x'; self.payload_bytes]);
        let from = Instant::now() + self.warm_up;
        let until = from + self.measured;
        let threads = (0..self.threads).map(|thread| {
            let writers = self.writers / self.threads + u32::from(thread < self.writers % self.threads);
            let (group, payload) = (group.clone(), payload.clone());
            Builder::new()
                .name(format!("writer-{thread}"))
                .stack_size(STACK_BYTES)
                .spawn(move || write(writers, &group, &payload, from, until))
        });
        let threads = threads.collect::<Result<Vec<JoinHandle<Outcome>>, _>>()?;
        let mut latency_us = histogram()?;
        for thread in threads {
            latency_us.add(thread.join().map_err(|_| "a writer panicked")??)?;
        }
        Ok(Measured {
            writers: self.writers,
            threads: self.threads,
            payload_bytes: self.payload_bytes,
            seconds: self.measured.as_secs_f64(),
            load_average: load_average.split(' ').next().unwrap_or_default().to_owned(),
            latency_us,
        })
    }
}

fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).map_err(|error| error.to_string())
}

/// The writers of one thread.
fn write(writers: u32, group: &Group, payload: &Bytes, from: Instant, until: Instant) -> Outcome {
    let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 1..writers {
            tasks.spawn(one_writer(group.clone(), payload.clone(), from, until));
        }
        let mut all = one_writer(group.clone(), payload.clone(), from, until).await?;
        while let Some(joined) = tasks.join_next().await {
            all.add(joined.map_err(|error| error.to_string())??).map_err(|error| error.to_string())?;
        }
        Ok(all)
    })
}

async fn one_writer(group: Group, payload: Bytes, from: Instant, until: Instant) -> Outcome {
    let mut latency_us = histogram()?;
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(latency_us);
        }
        match group.write(payload.clone()).await {
            Response::Committed { .. } => {}
            other => return Err(format!("a write was not committed: {other:?}")),
        }
        if begun >= from {
            latency_us.saturating_record(begun.elapsed().as_micros() as u64);
        }
    }
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.latency_us.len() as f64 / self.seconds
    }

    pub(crate) fn text(&self) -> String {
        let quantile = |q| self.latency_us.value_at_quantile(q);
        format!(
            "{} writers on {} threads, {} B, {} s, load average {}: {:.0} writes/s, p50 {} µs, p99 {} µs, p99.9 {} µs, max {} µs",
            self.writers,
            self.threads,
            self.payload_bytes,
            self.seconds,
            self.load_average,
            self.per_second(),
            quantile(0.5),
            quantile(0.99),
            quantile(0.999),
            self.latency_us.max()
        )
    }

    pub(crate) fn json(&self) -> String {
        let quantile = |q| self.latency_us.value_at_quantile(q);
        serde_json::json!({
            "writers": self.writers, "threads": self.threads, "payload_bytes": self.payload_bytes, "seconds": self.seconds,
            "load_average": self.load_average, "writes_per_second": self.per_second(), "p50_us": quantile(0.5), "p99_us": quantile(0.99),
            "p999_us": quantile(0.999), "max_us": self.latency_us.max(),
        })
        .to_string()
    }
}
