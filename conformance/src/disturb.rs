//! `roadstead-conformance nemesis`: real processes under faults.

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{RngExt, rngs::StdRng};
use roadstead_conformance::nemesis::{self, Failed, Ground, Kind, Options, Outcome, host};
use serde_json::json;
use std::{
    env, fs,
    io::{self, IsTerminal},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};
use tokio::runtime::Builder;

/// What `nemesis` is told.
#[derive(Args, Debug)]
pub(crate) struct Told {
    /// How long there are faults
    #[arg(long, default_value_t = 1.5)]
    minutes: f64,
    /// Kinds of fault; default: all that this machine allows
    #[arg(long, value_delimiter = ',')]
    faults: Option<Vec<Kind>>,
    /// Nodes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=9))]
    nodes: u32,
    /// Groups on all of them
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(i32).range(1..=64))]
    groups: i32,
    /// Clients at the same time
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Whatever is drawn comes from this number; default: another one each time
    #[arg(long)]
    seed: Option<u64>,
    /// Where the nodes run; default: namespaces if this machine allows them
    #[arg(long)]
    ground: Option<Ground>,
    /// Folder for data, logs, records and report.html; it must be new or empty
    #[arg(long, default_value = "nemesis")]
    dir: PathBuf,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
    /// Make the clients take stale reads for linearizable ones, to see the run notice it
    #[arg(long, hide = true)]
    stale_reads: bool,
    /// This process is on its ground already
    #[arg(long, hide = true)]
    entered: bool,
}

/// A node of a run.
#[derive(Args, Debug)]
pub(crate) struct Host {
    #[arg(long)]
    config: PathBuf,
    #[arg(long)]
    trace: PathBuf,
    #[arg(long)]
    fault_file: PathBuf,
}

/// Runs one node.
pub(crate) fn host(host: Host) -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).init();
    let runtime = Builder::new_current_thread().enable_all().build();
    let done = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(host::run(&host.config, host.trace, host.fault_file)));
    done.map_or_else(
        |error| {
            tracing::error!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Runs it: 0 nothing is violated, 1 something is, 2 it cannot be run.
pub(crate) fn run(told: &Told) -> ExitCode {
    execute(told).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn execute(told: &Told) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let ground = told.ground.unwrap_or_else(Ground::best);
    if let (false, [program, args @ ..]) = (told.entered, ground.enter()) {
        // This process becomes one that is on its ground; nobody else sees what it makes there, and it goes with it.
        let again =
            Command::new(program).args(args).arg(env::current_exe()?).args(env::args_os().skip(1)).args(entered(told, ground)).exec();
        return Err(format!("{program}: {again}").into());
    }
    let mut options = options(told, ground)?;
    nemesis::check(&options)?;
    fs::create_dir_all(&told.dir)?;
    if fs::read_dir(&told.dir)?.next().is_some() {
        return Err(format!(
            "{}: not empty; a run's records would be mixed with another's: name a new folder with --dir",
            told.dir.display()
        )
        .into());
    }
    options.folder = told.dir.canonicalize()?;
    let progress = progress(&options);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(nemesis::run(&options, |at, what| tell(&progress, at, &what)));
    progress.finish_and_clear();
    let outcome = outcome?;
    let report = options.folder.join("report.html");
    fs::write(&report, nemesis::page(&options, &outcome)).map_err(|source| Failed::Io { path: report.clone(), source })?;
    if told.json {
        println!("{}", as_json(&options, &outcome));
    } else {
        summary(&options, &outcome);
        println!("{}", report.display());
    }
    Ok(ExitCode::from(u8::from(!outcome.violations.is_empty())))
}

fn entered(told: &Told, ground: Ground) -> Vec<String> {
    let mut args = vec!["--entered".to_owned()];
    if told.ground.is_none() {
        args.extend(["--ground".to_owned(), ground.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())]);
    }
    args
}

fn options(told: &Told, ground: Ground) -> io::Result<Options> {
    let possible = |kind: &Kind| nemesis::needs(*kind, told.nodes, ground).is_none();
    let all = || Kind::value_variants().iter().copied().filter(possible).collect();
    Ok(Options {
        program: env::current_exe()?,
        folder: told.dir.clone(),
        ground,
        nodes: told.nodes,
        groups: (1..=told.groups).collect(),
        clients: told.clients,
        duration: Duration::try_from_secs_f64(told.minutes * 60.0)
            .map_err(|_| io::Error::other("--minutes: a number that is not negative"))?,
        faults: told.faults.clone().unwrap_or_else(all),
        seed: told.seed.unwrap_or_else(|| rand::make_rng::<StdRng>().random()),
        stale_reads: told.stale_reads,
    })
}

fn progress(options: &Options) -> ProgressBar {
    let bar = if io::stderr().is_terminal() { ProgressBar::new(options.duration.as_secs()) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} s {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(progress: &ProgressBar, at: Duration, what: &str) {
    progress.set_position(at.as_secs());
    progress.set_message(what.to_owned());
    progress.suspend(|| eprintln!("{:7.1} s  {what}", at.as_secs_f64()));
}

fn summary(options: &Options, outcome: &Outcome) {
    let (latencies, figures) = (&outcome.latencies, &outcome.verdict.figures);
    println!(
        "seed {}: {} faults of {} kinds on {} nodes in {:.0} s; {} leads",
        options.seed,
        outcome.faults.len(),
        outcome.faults.iter().map(|span| span.fault.kind()).collect::<std::collections::BTreeSet<_>>().len(),
        options.nodes,
        outcome.lasted.as_secs_f64(),
        outcome.leads()
    );
    println!(
        "{} requests answered ({:.1?} half, {:.1?} 99 of 100, {:.1?} at most, {:.1?} without any), {} changes of unknown outcome, {} operations judged",
        outcome.answered, latencies.p50, latencies.p99, latencies.max, latencies.longest_gap, outcome.unknown, outcome.judged
    );
    println!("{} records in {} boots ({} killed), {} steps executed again", figures.records, figures.boots, figures.killed, figures.steps);
    for violation in &outcome.violations {
        println!("VIOLATED: {violation}");
    }
    if outcome.violations.is_empty() {
        println!("verdict: nothing is violated");
    }
}

fn as_json(options: &Options, outcome: &Outcome) -> serde_json::Value {
    let (latencies, figures) = (&outcome.latencies, &outcome.verdict.figures);
    json!({
        "seed": options.seed,
        "violations": outcome.violations,
        "faults": outcome.faults.iter().map(|span| json!({
            "fault": span.fault.to_string(), "from_seconds": span.from.as_secs_f64(), "to_seconds": span.to.as_secs_f64(),
        })).collect::<Vec<_>>(),
        "lasted_seconds": outcome.lasted.as_secs_f64(),
        "answered": outcome.answered,
        "unknown": outcome.unknown,
        "judged": outcome.judged,
        "leads": outcome.leads(),
        "p50_seconds": latencies.p50.as_secs_f64(),
        "p99_seconds": latencies.p99.as_secs_f64(),
        "max_seconds": latencies.max.as_secs_f64(),
        "longest_gap_seconds": latencies.longest_gap.as_secs_f64(),
        "errors": outcome.errors,
        "records": figures.records,
        "boots": figures.boots,
        "killed": figures.killed,
        "steps": figures.steps,
    })
}
