//! Reads, before and after a run, what it costs: syncs, flushes, processor time.

use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use crate::config::HostPort;

use super::{
    super::admin::Admin,
    machine::{Busy, disk_flushes},
    processes::{self, CpuTimes},
    record::Times,
    report::Cost,
};

/// Counters of syncs of the log, as the nodes' metrics call them: ours, with the witness, and etcd's. What of these a node has is added up.
const SYNC_COUNTERS: [&str; 3] =
    ["roadstead_storage_rounds_total", "roadstead_storage_witness_syncs_total", "etcd_disk_wal_fsync_duration_seconds_count"];

/// How long the processors are watched before a run.
const BEFORE: Duration = Duration::from_secs(1);

/// Share of all processors that other work uses just now.
pub(super) async fn busy_before() -> Option<f64> {
    let before = Busy::read()?;
    sleep(BEFORE).await;
    Busy::read()?.share_since(before)
}

/// Whom to watch.
#[derive(Debug)]
pub(super) struct Watch {
    admin: Admin,
    endpoints: Vec<HostPort>,
    /// Processes of the target, then this one.
    pids: Vec<u32>,
}

/// All counters at one moment.
#[derive(Debug)]
struct Reading {
    at: Instant,
    /// By endpoint, if it told.
    syncs: Vec<Option<f64>>,
    flushes: Option<u64>,
    cpu: Vec<CpuTimes>,
}

impl Watch {
    /// Watches the nodes at the endpoints, their processes, and this process.
    pub(super) fn new(admin: Admin, endpoints: Vec<HostPort>, target_pids: Vec<u32>) -> Self {
        let own = std::process::id();
        let pids = target_pids.into_iter().filter(|pid| *pid != own).chain([own]).collect();
        Self { admin, endpoints, pids }
    }

    /// Reads at the beginning and at the end of what counts. The function returned wants to know how many requests were done.
    pub(super) async fn run(&self, times: Times) -> impl FnOnce(u64) -> Cost {
        sleep_until(times.from.into()).await;
        let before = self.read().await;
        sleep_until(times.end.into()).await;
        let after = self.read().await;
        let pids = self.pids.clone();
        move |operations| cost(&pids, &before, &after, operations)
    }

    async fn read(&self) -> Reading {
        let (flushes, cpu) = (disk_flushes(), self.pids.iter().map(|pid| CpuTimes::read(*pid)).collect());
        let at = Instant::now();
        let mut syncs = Vec::with_capacity(self.endpoints.len());
        for endpoint in &self.endpoints {
            let metrics = self.admin.get_text(endpoint, "/metrics").await;
            syncs.push(metrics.ok().and_then(|text| sum_of_syncs(&text)));
        }
        Reading { at, syncs, flushes, cpu }
    }
}

/// The sum of the counters of syncs in an exposition; `None` if it has none of them.
fn sum_of_syncs(exposition: &str) -> Option<f64> {
    let of_syncs = exposition.lines().filter_map(|line| {
        let (name, value) = line.split_once(' ')?;
        // Our encoder writes braces behind names without labels.
        SYNC_COUNTERS.contains(&name.trim_end_matches("{}")).then(|| value.split_whitespace().next()?.parse::<f64>().ok())?
    });
    of_syncs.reduce(|sum, value| sum + value)
}

fn cost(pids: &[u32], before: &Reading, after: &Reading, operations: u64) -> Cost {
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let syncs: Vec<f64> = before.syncs.iter().zip(&after.syncs).filter_map(|(before, after)| Some((*after)? - (*before)?)).collect();
    let flushes = before.flushes.zip(after.flushes).and_then(|(before, after)| after.checked_sub(before));
    let used: Vec<Vec<(String, f64)>> = after.cpu.iter().zip(&before.cpu).map(|(after, before)| after.since(before)).collect();
    let generator = used.last().map(|threads| threads.iter().map(|(_, seconds)| seconds).sum::<f64>());
    // Without a process of the target the sum would be that of the generator alone.
    let complete = pids.len() > 1 && operations > 0;
    let processes = if operations == 0 {
        Vec::new()
    } else {
        pids.iter().zip(used).map(|(pid, used)| processes::cost(*pid, used, operations as f64)).collect()
    };
    Cost {
        syncs_per_second: (!syncs.is_empty()).then(|| syncs.iter().sum::<f64>() / seconds),
        nodes_counted: syncs.len(),
        disk_flushes_per_second: flushes.map(|flushes| flushes as f64 / seconds),
        cpu_seconds_per_operation: complete.then(|| processes.iter().map(|process| process.cpu_seconds_per_operation).sum()),
        generator_busy: generator.map(|busy| busy / seconds),
        processes,
    }
}

#[cfg(test)]
mod tests {
    use super::sum_of_syncs;

    #[test]
    fn syncs_of_either_program_are_found() {
        let ours = "# TYPE roadstead_storage_rounds counter\nroadstead_storage_rounds_total{} 40.0\nroadstead_storage_witness_syncs_total{} 2.0\n# EOF\n";
        assert_eq!(sum_of_syncs(ours), Some(42.0));
        let etcd = "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 3\netcd_disk_wal_fsync_duration_seconds_count 7\n";
        assert_eq!(sum_of_syncs(etcd), Some(7.0));
        assert_eq!(sum_of_syncs("up 1\n"), None);
    }
}
