//! Results for people.

use std::fmt::Write;

use super::{
    super::output::{lines, seconds, table},
    report::{Comparison, LOAD_MAX, Latency, Run},
    workload::Pace,
};

/// Above this the generator is likely to be what limits a run.
const GENERATOR_BUSY_MAX: f64 = 0.9;

/// What is known before a run.
pub(super) fn heading(run: &Run) -> String {
    let target = &run.target;
    let version = target.version.as_deref().unwrap_or("version unknown");
    let used = if target.used.is_empty() { String::new() } else { format!(", asked at {}", target.used.join(", ")) };
    let machine = &run.machine;
    let load = match machine.load_average_before {
        Some(load) if !machine.quiet => format!("LOAD AVERAGE {load:.2} IS ABOVE {LOAD_MAX}: THESE FIGURES COUNT FOR NOTHING"),
        Some(load) if load > LOAD_MAX => format!("load average {load:.2}, of the runs before"),
        Some(load) => format!("load average {load:.2}"),
        None => "load average unknown".to_owned(),
    };
    let busy = machine.busy_before.map_or(String::new(), |busy| format!(" ({:.0} % busy)", busy * 100.0));
    format!(
        "{} ({}://{}, {version}{used})\n  {}\n  {load}{busy}, {} cores; raw disk: sync p50 {}, p99 {}",
        run.name,
        target.protocol.name(),
        target.endpoints.join(","),
        run.workload.text(),
        machine.cores,
        seconds(machine.disk_sync.p50_seconds),
        seconds(machine.disk_sync.p99_seconds),
    )
}

/// What came out.
pub(super) fn outcome(run: &Run) -> String {
    let result = &run.result;
    let mut text =
        format!("  {:.0}/s   {}   longest gap {}\n", result.per_second, latencies(&result.latency), seconds(result.longest_gap_seconds));
    match (&run.workload.pace, &result.latency_corrected) {
        (Pace::Closed { .. }, Some(corrected)) => {
            let _ = writeln!(text, "  corrected for what stalls kept from being asked: {}", latencies(corrected));
        }
        (Pace::Closed { .. }, None) => {
            text += "  closed loop: a stall is in the latencies of those who waited, not of those who would have asked meanwhile\n"
        }
        (Pace::Open { .. }, _) => text += "  open loop: latencies count from when a request should have begun\n",
    }
    if let Some(open) = &result.open_loop {
        let _ = writeln!(
            text,
            "  begun late by more than 5 ms: {}, never begun: {}; begun behind their time p50 {}, p99 {}, max {}",
            open.late,
            open.not_started,
            seconds(open.start_delay_p50_seconds),
            seconds(open.start_delay_p99_seconds),
            seconds(open.start_delay_max_seconds)
        );
    }
    let each = result.each_second.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let _ = writeln!(text, "  each second: {each}");
    if result.failed > 0 {
        let kinds = result.failures.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ");
        let example = result.example_failure.as_deref().unwrap_or("no reason");
        let _ = writeln!(text, "  FAILED {}, of unknown outcome {}: {kinds}; the first: {example}", result.failed, result.unknown);
    }
    text + &costs(run)
}

fn latencies(latency: &Latency) -> String {
    format!(
        "p50 {}  p90 {}  p95 {}  p99 {}  p99.9 {}  max {}",
        seconds(latency.p50_seconds),
        seconds(latency.p90_seconds),
        seconds(latency.p95_seconds),
        seconds(latency.p99_seconds),
        seconds(latency.p999_seconds),
        seconds(latency.max_seconds)
    )
}

fn costs(run: &Run) -> String {
    let cost = &run.cost;
    let mut text = String::new();
    let syncs = cost.syncs_per_second.map(|syncs| format!("{syncs:.0} syncs/s on {} nodes", cost.nodes_counted));
    let flushes = cost.disk_flushes_per_second.map(|flushes| format!("{flushes:.0} disk flushes/s"));
    let disk: Vec<String> = syncs.into_iter().chain(flushes).collect();
    if !disk.is_empty() {
        let _ = writeln!(text, "  {}", disk.join(", "));
    }
    if let Some(cpu) = cost.cpu_seconds_per_operation {
        let _ = writeln!(text, "  processor time {:.1} µs per request over all processes:", cpu * 1e6);
        for process in &cost.processes {
            let threads = process.by_thread.iter().map(|(name, cpu)| format!("{name} {:.1}", cpu * 1e6)).collect::<Vec<_>>().join(", ");
            let _ =
                writeln!(text, "    {} ({}) {:.1} µs: {threads}", process.program, process.pid, process.cpu_seconds_per_operation * 1e6);
        }
    }
    if let Some(busy) = cost.generator_busy.filter(|busy| *busy > GENERATOR_BUSY_MAX) {
        let _ = writeln!(text, "  THE GENERATOR USED {:.0} % OF A PROCESSOR: IT LIMITS THIS RUN, NOT THE TARGET", busy * 100.0);
    }
    text
}

/// An interval whose ends are further apart than this factor says nothing.
const INTERVAL_MAX: f64 = 10.0;

/// A comparison's ratios.
pub(super) fn comparison(comparison: &Comparison) -> String {
    let Some(first) = comparison.rounds.first() else { return String::new() };
    let (a, b) = (&comparison.a, &comparison.b);
    let mut table = table(&["", &format!(">{a}"), &format!(">{b}"), ">ratio", ">min", ">max", ">mean, with 95 % confidence"]);
    for ratio in &comparison.ratios {
        let between = match ratio.interval95 {
            None => "-".to_owned(),
            Some((low, high)) if high / low > INTERVAL_MAX => "too far apart: more rounds".to_owned(),
            Some((low, high)) => format!("{low:.3} to {high:.3}"),
        };
        table.add_row([
            ratio.metric.text().to_owned(),
            ratio.metric.show(ratio.a_median),
            ratio.metric.show(ratio.b_median),
            format!("{:.3}", ratio.median),
            format!("{:.3}", ratio.min),
            format!("{:.3}", ratio.max),
            between,
        ]);
    }
    let rounds = comparison.rounds.len();
    let noise = if comparison.quiet { "" } else { "\nTHE MACHINE WAS NOT QUIET IN EVERY RUN: THESE RATIOS COUNT FOR NOTHING" };
    let failed: u64 = comparison.rounds.iter().map(|round| round.a.result.failed + round.b.result.failed).sum();
    let failed = if failed == 0 { String::new() } else { format!("\n{failed} REQUESTS FAILED; look at the runs above") };
    format!(
        "{b} / {a}, {}, {}, {rounds} rounds interleaved (ratio: median of the rounds){noise}{failed}\n{}",
        first.a.workload.operation(),
        first.a.workload.step(),
        lines(&table)
    )
}
