//! Counters of the storage machine: written by its threads, read by metrics at any time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the histogram of sync times, in microseconds; the last bucket takes the rest.
pub const SYNC_BUCKETS_US: [u64; 14] = [50, 100, 150, 200, 300, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/// All counters only grow.
#[derive(Debug, Default)]
pub struct StorageStats {
    /// Rounds: batches committed, one sync of the journal each.
    pub rounds: AtomicU64,
    /// Syncs of the witness.
    pub witness_syncs: AtomicU64,
    /// Submissions made durable.
    pub submissions: AtomicU64,
    /// Entries written.
    pub entries: AtomicU64,
    /// Log items written: entries per item is what packing gains.
    pub items: AtomicU64,
    /// Bytes of the log items written.
    pub bytes: AtomicU64,
    /// Time in commit and sync of the journal, in nanoseconds.
    pub sync_nanos: AtomicU64,
    /// Rounds by time in commit and sync; not cumulative.
    pub sync_histogram: [AtomicU64; SYNC_BUCKETS_US.len() + 1],
}

impl StorageStats {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }

    /// The time within which this share of all syncs was done, in seconds: the upper bound of its bucket. 0 before the first.
    pub fn sync_seconds(&self, share: f64) -> f64 {
        let counts = self.sync_histogram.each_ref().map(|count| count.load(Relaxed));
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let longest = SYNC_BUCKETS_US.last().copied().unwrap_or_default();
        let bound = bucket.filter(|_| wanted > 0).map_or(0, |bucket| SYNC_BUCKETS_US.get(bucket).copied().unwrap_or(longest));
        bound as f64 / 1e6
    }

    pub(crate) fn synced(&self, took: Duration) {
        Self::add(&self.rounds, 1);
        Self::add(&self.sync_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        let micros = took.as_micros();
        let bucket = SYNC_BUCKETS_US.partition_point(|bound| u128::from(*bound) < micros);
        if let Some(count) = self.sync_histogram.get(bucket) {
            Self::add(count, 1);
        }
    }
}
