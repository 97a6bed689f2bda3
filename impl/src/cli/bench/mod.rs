//! `roadstead bench`: how many requests per second a cluster serves and how long they take; ours through the native client, and any that speaks etcd's
//! v3 API.
//!
//! A number means nothing without its circumstances: what was done, by how many, how large, for how long, on which disk, beside what else. All of
//! that is printed with it.

mod compare;
mod load;
mod machine;
mod options;
mod plot;
mod processes;
mod progress;
mod ratio;
mod record;
mod report;
mod run;
mod schedule;
mod session;
mod target;
mod text;
mod watch;
mod workload;

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args as ClapArgs, Subcommand};

use self::{
    compare::{Pair, Told},
    options::Options,
    report::{Results, Run},
    run::{Settings, Subject},
    target::{NamedTarget, Target},
};
use super::{block_on, endpoints::Endpoints, failure::Failure, output::Output};

const AFTER_HELP: &str = "\
A write counts when it is acknowledged: committed on a quorum of disks and applied. Each run says whether the machine was quiet; otherwise its figures \
count for nothing. In a closed loop (--clients) each client waits for its outcome before it goes on. In an open loop (--rate) requests begin on a \
schedule whether or not earlier ones have ended, and latencies count from when a request should have begun, so that a stall shows in all requests that \
it held up.

Options of one target alone follow its address: native://127.0.0.1:7400?groups=5&connections=4

Examples:
  roadstead bench
  roadstead bench --clients 1,64,256 --seconds 20
  roadstead bench --clients 256 --groups 64
  roadstead bench --clients 64 --read-share 0.9 --consistency serializable
  roadstead bench --rate 1000,2000,4000 --save open.json
  roadstead bench --target etcd://127.0.0.1:2379 --clients 1,64,256 --connections 1,8,16
  roadstead bench --compare etcd=etcd://127.0.0.1:2379 roadstead=etcd://127.0.0.1:7400 --rounds 5 --quiet-wait 120
  roadstead bench --compare one=native five=native?groups=5 --clients 64
  roadstead bench plot open.json -o open.svg";

/// Measure requests per second, latencies, gaps, syncs and processor time; compare two targets; plot results
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Whom to ask: native://HOST:PORT,… or etcd://HOST:PORT,…; without endpoints those of --endpoints
    #[arg(long, value_name = "TARGET", default_value = "native", conflicts_with = "compare")]
    target: Target,
    /// Ask two targets in turn and print the ratios of the second to the first
    #[arg(long, value_names = ["NAME=TARGET", "NAME=TARGET"], num_args = 2)]
    compare: Vec<NamedTarget>,
    /// Runs of each target of --compare
    #[arg(long, value_name = "N", default_value_t = 5, requires = "compare", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    #[command(flatten)]
    options: Options,
    /// Add the results as JSON to this file as well
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Wait before each run until the machine is quiet, but no longer than this: the load average at most 1.5 or, behind an earlier run, whose load it would
    /// be, the processors at most 10 % busy
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    quiet_wait: u64,
    /// Command of the shell that runs before each run; $1 is the target's name. It may start one target and stop the other
    #[arg(long, value_name = "COMMAND")]
    before: Option<String>,
    /// Compare even if the load average is above 1.5
    #[arg(long, requires = "compare")]
    allow_load: bool,
    /// Folder in which the raw disk's sync is measured: it should be on the nodes' disk
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    disk: PathBuf,
    #[command(flatten)]
    endpoints: Endpoints,
}

#[derive(Debug, Subcommand)]
enum Action {
    Plot(plot::Args),
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    if let Some(Action::Plot(args)) = &args.action {
        return plot::run(args, output);
    }
    let settings = Settings {
        endpoints: args.endpoints.clone(),
        disk: args.disk.clone(),
        quiet_wait: Duration::from_secs(args.quiet_wait),
        before: args.before.clone(),
        show_progress: !output.json,
    };
    match args.compare.as_slice() {
        [a, b] => compare(args, &settings, output, a, b),
        _ => measure(args, &settings, output),
    }
}

fn measure(args: &Args, settings: &Settings, output: Output) -> Result<(), Failure> {
    let subject = Subject::new(args.target.protocol.name(), &args.target, &args.options, settings)?;
    let announce = |run: &Run| if output.json { Ok(()) } else { output.line(&text::heading(run)) };
    for (number, workload) in subject.workloads.iter().enumerate() {
        let run = block_on(subject.run(workload, settings, number == 0, announce))?;
        let results = Results::Run(Box::new(run.clone()));
        save(args.save.as_deref(), &results)?;
        output.value(&results, |_| text::outcome(&run))?;
    }
    Ok(())
}

fn compare(args: &Args, settings: &Settings, output: Output, a: &NamedTarget, b: &NamedTarget) -> Result<(), Failure> {
    if a.name == b.name {
        return Err(Failure::Usage(format!("both targets of --compare are named `{}`; give them two names", a.name)));
    }
    let subject = |named: &NamedTarget| Subject::new(&named.name, &named.target, &args.options, settings);
    let pair = Pair::new(subject(a)?, subject(b)?, args.rounds)?;
    if !args.allow_load {
        Pair::check_load(settings)?;
    }
    let tell = |told: Told<'_>| match told {
        _ if output.json => Ok(()),
        Told::Begins(run) => output.line(&text::heading(run)),
        Told::Ended(run) => output.line(text::outcome(run).trim_end()),
    };
    for place in 0..pair.a.workloads.len() {
        let Some(comparison) = block_on(pair.compare(place, settings, tell))? else { continue };
        let results = Results::Comparison(comparison.clone());
        save(args.save.as_deref(), &results)?;
        output.value(&results, |_| text::comparison(&comparison))?;
    }
    Ok(())
}

/// One value per line: results of several commands can gather in one file.
fn save(file: Option<&Path>, results: &Results) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", file.display()));
    let line = serde_json::to_string(results).map_err(|error| failed(&error))?;
    let mut opened = OpenOptions::new().create(true).append(true).open(file).map_err(|error| failed(&error))?;
    writeln!(opened, "{line}").map_err(|error| failed(&error))
}
