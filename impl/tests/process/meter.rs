//! What a fault costs the others: latencies of somebody who writes, memory of a process.

use crate::writers::Load;
use roadstead::{client::KvClient, service::kv::PutRequest};
use std::{
    fs,
    time::{Duration, Instant},
};

/// How long writes took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// Half of them at most.
    pub(crate) p50: Duration,
    /// 99 of 100 at most.
    pub(crate) p99: Duration,
}

/// Measures a careful client, which begins a write when the one before has ended. Each must succeed.
pub(crate) fn latency(load: &Load, client: &KvClient, writes: usize) -> Latency {
    let mut took: Vec<Duration> = (0..writes)
        .map(|n| {
            let begun = Instant::now();
            load.block_on(client.put(PutRequest::new(format!("probe/{n}"), "value"))).expect("somebody else's trouble");
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    Latency { p50: took[writes / 2], p99: took[writes * 99 / 100] }
}

/// The most memory that a process has had, in MiB. Source: `VmHWM` in proc(5).
pub(crate) fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}
