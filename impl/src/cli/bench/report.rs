//! The JSON of results: what `--json` and `--save` write and `bench plot` reads. Fields are only ever added; another [`FORMAT`] would mean that the
//! meaning of one has changed. Times are in seconds.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{machine::DiskSync, ratio::Ratio, session::FailureCounts, target::Protocol, workload::Workload};

/// Version of the shape.
pub(super) const FORMAT: u32 = 1;

/// Load average above which the figures count for nothing: something else wants the machine.
pub(super) const LOAD_MAX: f64 = 1.5;

/// Behind an earlier run of the same command the load average is that run's own. Then the processors may be busy with other things for this share of the
/// time right before the run.
pub(super) const BUSY_MAX: f64 = 0.1;

/// Latencies of these quantiles draw the curve of a plot, as far as there are enough requests to tell them apart.
const QUANTILES: [f64; 24] = [
    0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 0.99999,
    0.999999, 1.0,
];

/// One value of a results file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Results {
    /// One run.
    Run(Box<Run>),
    /// Two targets, interleaved.
    Comparison(Comparison),
}

/// One run with its circumstances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// What the target is called in tables and plots.
    pub(super) name: String,
    /// Whom it asked.
    pub(super) target: TargetReport,
    /// What it asked.
    pub(super) workload: Workload,
    /// Where.
    pub(super) machine: MachineReport,
    /// What came out.
    pub(super) result: Measured,
    /// What it cost.
    pub(super) cost: Cost,
}

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TargetReport {
    /// How.
    pub(super) protocol: Protocol,
    /// All endpoints.
    pub(super) endpoints: Vec<String>,
    /// Those that took the requests; empty where the client chooses by itself.
    pub(super) used: Vec<String>,
    /// Program and version, as far as it tells.
    pub(super) version: Option<String>,
}

/// The machine that the load came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MachineReport {
    /// Its processors.
    pub(super) cores: usize,
    /// Over the last minute, before the run.
    pub(super) load_average_before: Option<f64>,
    /// After it; holds the run's own load.
    pub(super) load_average_after: Option<f64>,
    /// Share of all processors that was busy right before the run, 0 to 1.
    pub(super) busy_before: Option<f64>,
    /// The raw disk, right before the run.
    pub(super) disk_sync: DiskSync,
    /// Whether the load average before the run was at most 1.5 or, behind another run of the same command, whose load it would be, the processors were at
    /// most 10 % busy. Otherwise the figures count for nothing.
    pub(super) quiet: bool,
}

/// Figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    /// Requests done within the run.
    pub(super) operations: u64,
    /// Per second.
    pub(super) per_second: f64,
    /// In each second.
    pub(super) each_second: Vec<u64>,
    /// Of a closed loop from begin to end; of an open loop from the intended begin to the end.
    pub(super) latency: Latency,
    /// Of a closed loop with an expected interval: corrected for what a stall kept from being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_corrected: Option<Latency>,
    /// Longest time in which no request was done.
    pub(super) longest_gap_seconds: f64,
    /// Requests that failed, those of unknown outcome included.
    pub(super) failed: u64,
    /// Writes that may have happened.
    pub(super) unknown: u64,
    /// Failures by kind.
    pub(super) failures: FailureCounts,
    /// The text of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) example_failure: Option<String>,
    /// Of an open loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open_loop: Option<OpenLoop>,
}

/// How an open loop kept its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenLoop {
    /// Requests that began more than 5 ms after their time.
    pub(super) late: u64,
    /// Requests that never began; in the latencies with the time that they had waited at the end.
    pub(super) not_started: u64,
    /// Begin behind the intended begin: median.
    pub(super) start_delay_p50_seconds: f64,
    /// 99th percentile.
    pub(super) start_delay_p99_seconds: f64,
    /// The longest.
    pub(super) start_delay_max_seconds: f64,
}

/// Latencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Latency {
    /// Requests.
    pub(super) count: u64,
    /// On average.
    pub(super) mean_seconds: f64,
    /// Half took no longer.
    pub(super) p50_seconds: f64,
    /// 90 of 100 took no longer.
    pub(super) p90_seconds: f64,
    /// 95 of 100.
    pub(super) p95_seconds: f64,
    /// 99 of 100.
    pub(super) p99_seconds: f64,
    /// 999 of 1,000.
    pub(super) p999_seconds: f64,
    /// The longest.
    pub(super) max_seconds: f64,
    /// Quantile and latency, ascending: the curve.
    pub(super) curve: Vec<(f64, f64)>,
}

impl Latency {
    /// Of a histogram of microseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        let count = histogram.len();
        // A quantile that less than one request lies above is the maximum under another name.
        let told_apart = |quantile: &f64| *quantile == 1.0 || (1.0 - quantile) * count as f64 >= 1.0;
        Self {
            count,
            mean_seconds: if count == 0 { 0.0 } else { histogram.mean() / 1e6 },
            p50_seconds: at(0.5),
            p90_seconds: at(0.9),
            p95_seconds: at(0.95),
            p99_seconds: at(0.99),
            p999_seconds: at(0.999),
            max_seconds: histogram.max() as f64 / 1e6,
            curve: if count == 0 {
                Vec::new()
            } else {
                QUANTILES.into_iter().filter(told_apart).map(|quantile| (quantile, at(quantile))).collect()
            },
        }
    }
}

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// Syncs of the log per second, all answering nodes of the target together; `None` if none tells.
    pub(super) syncs_per_second: Option<f64>,
    /// Nodes that told.
    pub(super) nodes_counted: usize,
    /// Flushes of all disks of this machine per second.
    pub(super) disk_flushes_per_second: Option<f64>,
    /// Processor time per request of all processes that could be read, the generator included.
    pub(super) cpu_seconds_per_operation: Option<f64>,
    /// Share of one processor that the generator used. Near 1 it is the generator that limits the run.
    pub(super) generator_busy: Option<f64>,
    /// Each process, the generator last.
    pub(super) processes: Vec<ProcessCost>,
}

/// Processor time of one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessCost {
    /// The process.
    pub(super) pid: u32,
    /// Its program.
    pub(super) program: String,
    /// Per request.
    pub(super) cpu_seconds_per_operation: f64,
    /// Of that, by thread, the most first.
    pub(super) by_thread: Vec<(String, f64)>,
}

/// Two targets, interleaved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// Name of the first.
    pub(super) a: String,
    /// Name of the second: ratios are its figures divided by those of the first.
    pub(super) b: String,
    /// Pairs of runs, in the order in which they were made.
    pub(super) rounds: Vec<Round>,
    /// By metric.
    pub(super) ratios: Vec<Ratio>,
    /// Whether every run was made on a quiet machine.
    pub(super) quiet: bool,
}

/// A run of each target, one right after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    /// Whether `a` went first; it does in every other round.
    pub(super) a_first: bool,
    /// The first target's run.
    pub(super) a: Run,
    /// The second target's run.
    pub(super) b: Run,
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{
            options::{Arrivals, EndpointMode, Options},
            workload::Pace,
        },
        *,
    };

    /// A run in which every field has a value, so that none is missing from the golden file.
    fn run(name: &str, per_second: f64) -> Run {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        (1..=2_000u64).for_each(|us| histogram.saturating_record(us));
        let mut latency = Latency::of(&histogram);
        latency.curve.retain(|(quantile, _)| [0.5, 0.99, 1.0].contains(quantile));
        let options = Options { endpoint_mode: Some(EndpointMode::Leader), group: Some(1), ..Options::default() };
        let workload = Workload::all(&options, Protocol::Etcd).unwrap().remove(0);
        Run {
            format: FORMAT,
            name: name.to_owned(),
            target: TargetReport {
                protocol: Protocol::Etcd,
                endpoints: vec!["127.0.0.1:7400".to_owned(), "127.0.0.1:7401".to_owned()],
                used: vec!["127.0.0.1:7401".to_owned()],
                version: Some("roadstead 0.1.0, speaks etcd 3.5.0".to_owned()),
            },
            workload: Workload { expected_interval_seconds: Some(0.001), ..workload },
            machine: MachineReport {
                cores: 2,
                load_average_before: Some(0.5),
                load_average_after: Some(1.75),
                busy_before: Some(0.125),
                disk_sync: DiskSync { p50_seconds: 0.000_125, p99_seconds: 0.000_25 },
                quiet: true,
            },
            result: Measured {
                operations: 2_000,
                per_second,
                each_second: vec![900, 1_100],
                latency: latency.clone(),
                latency_corrected: Some(latency),
                longest_gap_seconds: 0.25,
                failed: 3,
                unknown: 1,
                failures: FailureCounts::from([("unavailable".to_owned(), 3)]),
                example_failure: Some("etcdserver: no leader".to_owned()),
                open_loop: Some(OpenLoop {
                    late: 2,
                    not_started: 1,
                    start_delay_p50_seconds: 0.000_062,
                    start_delay_p99_seconds: 0.000_5,
                    start_delay_max_seconds: 0.015_625,
                }),
            },
            cost: Cost {
                syncs_per_second: Some(3_000.0),
                nodes_counted: 3,
                disk_flushes_per_second: Some(6_000.0),
                cpu_seconds_per_operation: Some(0.000_25),
                generator_busy: Some(0.5),
                processes: vec![ProcessCost {
                    pid: 4_711,
                    program: "roadstead".to_owned(),
                    cpu_seconds_per_operation: 0.000_25,
                    by_thread: vec![("storage".to_owned(), 0.000_25)],
                }],
            },
        }
    }

    /// Goal: what people's programs read does not change by accident. Method: every kind of result against a file of theirs; it must also be read again.
    #[test]
    fn the_json_is_the_golden_one() {
        let rounds = [(1_000.0, 2_000.0, true), (1_000.0, 2_250.0, false)]
            .map(|(a, b, a_first)| Round { a_first, a: run("a<b", a), b: run("c&d", b) })
            .to_vec();
        let ratios = Ratio::all(&rounds);
        let comparison = Comparison { format: FORMAT, a: "a<b".to_owned(), b: "c&d".to_owned(), rounds, ratios, quiet: true };
        check(&Results::Comparison(comparison), include_str!("../../../tests/data/bench-comparison.json"));
        let mut open = run("open", 500.0);
        open.workload.pace = Pace::Open { rate: 500.0, arrivals: Arrivals::Poisson, in_flight_max: 4_096 };
        check(&Results::Run(Box::new(open)), include_str!("../../../tests/data/bench-run.json"));
    }

    fn check(results: &Results, golden: &str) {
        let json = serde_json::to_string_pretty(results).unwrap();
        assert_eq!(json, golden.trim_end(), "the JSON has changed; fields may be added, but not renamed or removed\n{json}\n");
        assert_eq!(&serde_json::from_str::<Results>(golden).unwrap(), results);
    }
}
