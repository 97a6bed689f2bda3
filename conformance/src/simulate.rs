//! `roadstead-conformance sim`: runs seeds, and tells of one that fails as one command.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use roadstead_conformance::sim::{self, Report, bug::Bug, plan::Plan};
use serde_json::json;
use std::{
    io::{self, IsTerminal},
    num::NonZero,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// What `sim` is told.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Seeds: one, or from A to B as A..B
    #[arg(long, default_value = "1..100", value_parser = seeds)]
    seeds: Seeds,
    /// Begin no further seed after so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// Only these faults of the seed's, by number
    #[arg(long, value_delimiter = ',')]
    faults: Option<Vec<usize>>,
    /// Plant a mistake of the runtime, by its name in `mutants`
    #[arg(long, value_name = "MUTANT", value_parser = bug)]
    plant: Option<Bug>,
    /// Write the records of the nodes into this folder, for `replay`; with one seed only
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Print one JSON object per seed instead of a summary
    #[arg(long)]
    json: bool,
    /// Seeds at the same time; default: one per processor
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

fn bug(name: &str) -> Result<Bug, String> {
    Bug::named(name).ok_or_else(|| format!("there is no mutant {name:?}; `roadstead-conformance mutants --list` shows them"))
}

#[derive(Clone, Copy, Debug)]
struct Seeds {
    first: u64,
    last: u64,
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("{text:?}: write one seed as 7, or a range as 1..1000");
    let number = |text: &str| text.parse().map_err(|_| wrong());
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
        None => (number(text)?, number(text)?),
    };
    if first > last { Err(wrong()) } else { Ok(Seeds { first, last }) }
}

/// Sums over all runs.
#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    violated: Vec<(u64, Report)>,
    records: u64,
    answered: u64,
    unknown: u64,
    recoveries: u64,
    refused: usize,
    lasted: u64,
}

/// Runs them: 0 all is well, 1 something is violated, 2 it cannot be run.
pub(crate) fn run(options: &Options) -> ExitCode {
    let Seeds { first, last } = options.seeds;
    if options.trace.is_some() && first != last {
        eprintln!("error: --trace writes the records of one run; name one seed with --seeds");
        return ExitCode::from(2);
    }
    let begun = Instant::now();
    let sums = run_all(options, begun);
    if !options.json {
        tell(&sums, begun.elapsed());
    }
    for (seed, report) in &sums.violated {
        explain(*seed, report, options);
    }
    ExitCode::from(u8::from(!sums.violated.is_empty()))
}

fn run_all(options: &Options, begun: Instant) -> Sums {
    let Seeds { first, last } = options.seeds;
    let progress = progress(last - first + 1);
    let (next, sums) = (AtomicU64::new(first), Mutex::new(Sums::default()));
    let until = options.minutes.map(|minutes| begun + Duration::from_secs(60 * minutes));
    let threads = options.threads.or(thread::available_parallelism().ok()).map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed > last {
                        break;
                    }
                    let report = sim::run(&plan(seed, options), options.trace.clone());
                    if options.json {
                        println!("{}", as_json(seed, &report));
                    }
                    sums.lock().unwrap_or_else(PoisonError::into_inner).add(seed, report);
                    progress.inc(1);
                }
            });
        }
    });
    progress.finish_and_clear();
    sums.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn plan(seed: u64, options: &Options) -> Plan {
    let plan = Plan { bug: options.plant, ..Plan::new(seed) };
    match &options.faults {
        None => plan,
        Some(numbers) => plan.with_only(numbers),
    }
}

fn progress(seeds: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds {elapsed} (to go {eta})");
    ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Sums {
    fn add(&mut self, seed: u64, report: Report) {
        self.runs += 1;
        self.records += report.records;
        self.answered += report.answered;
        self.unknown += report.unknown;
        self.recoveries += report.recoveries;
        self.refused += report.refused;
        self.lasted += report.lasted;
        if report.violation.is_some() {
            self.violated.push((seed, report));
            self.violated.sort_by_key(|(seed, _)| *seed);
        }
    }
}

fn tell(sums: &Sums, took: Duration) {
    println!(
        "sim: {} seeds, {} violated; {:.1} simulated minutes, {} records judged, {} recoveries compared, {} requests answered, {} of unknown outcome, \
         {} damaged disks refused; {:.1} s",
        sums.runs,
        sums.violated.len(),
        sums.lasted as f64 / 60e6,
        sums.records,
        sums.recoveries,
        sums.answered,
        sums.unknown,
        sums.refused,
        took.as_secs_f64()
    );
}

/// The story of a run that failed, with as few faults as are needed.
fn explain(seed: u64, report: &Report, options: &Options) {
    let Some(violation) = &report.violation else { return };
    println!("\nseed {seed}: VIOLATED at {:.3} s\n  {}", violation.at as f64 / 1e6, violation.what);
    if !violation.story.is_empty() {
        println!("  the last records there:");
        violation.story.iter().for_each(|line| println!("    {line}"));
    }
    let whole = Plan { bug: options.plant, ..Plan::new(seed) };
    let kept = options.faults.clone().unwrap_or_else(|| sim::shrink(&whole));
    let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
    println!("  faults without which it does not fail:");
    kept.iter().filter_map(|number| whole.faults.get(*number)).for_each(|fault| println!("    {fault}"));
    let plant = options.plant.map(|bug| format!(" --plant {bug:?}")).unwrap_or_default();
    println!("  again: roadstead-conformance sim --seeds {seed} --faults {}{plant} --trace DIR", numbers.join(","));
}

fn as_json(seed: u64, report: &Report) -> serde_json::Value {
    json!({
        "seed": seed,
        "violation": report.violation.as_ref().map(|violation| &violation.what),
        "digest": format!("{:016x}", report.digest),
        "records": report.records,
        "answered": report.answered,
        "unknown": report.unknown,
        "recoveries": report.recoveries,
        "refused": report.refused,
        "simulated_seconds": report.lasted as f64 / 1e6,
    })
}
