//! `roadstead-conformance`: judges recorded runs.
#![forbid(unsafe_code)]

mod disturb;
mod mutants;
mod simulate;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use roadstead_conformance::{
    Options,
    coverage::{Coverage, page},
    dump::Dump,
    files::{self, Unreadable},
    replay,
    stream::{Next, Stream},
    tla::{self, NoModule, Part},
    verdict::Verdict,
};
use roadstead_spec::{GroupId, trace::Record};
use std::{
    fs,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

const EXAMPLES: &str = "\
Examples:
  roadstead dev --trace run-1                          record every node of a cluster, with kill -9 if you like
  roadstead-conformance replay run-1                   judge what they did
  roadstead-conformance replay run-1 --json            the verdict for programs
  roadstead-conformance replay run-1 run-2 --outcomes runs.md  and how each rule decided, in which role
  roadstead-conformance sim --seeds 1..1000            whole nodes in a simulation, with faults, by seed
  roadstead-conformance mutants                        mistakes planted into that simulation, and how each is noticed
  roadstead-conformance nemesis --minutes 30 --dir run  real nodes under faults; run/report.html tells what happened
  roadstead-conformance show n1/dumps/FILE.ring        the last records of a node on which something was wrong
  roadstead-conformance tla run-1 --group 1 --out out  the beginning of group 1's run, for `tla/check traces out`";

/// Judge recorded runs of real nodes
#[derive(Parser, Debug)]
#[command(name = "roadstead-conformance", version, after_help = EXAMPLES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Execute the traces of a folder again: 0 the run conforms, 1 it is rejected, 2 it cannot be read
    Replay {
        /// Folder with the *.trace files of all nodes; several are several runs, each judged for itself
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Print the verdict as JSON
        #[arg(long, conflicts_with = "to_json")]
        json: bool,
        /// Do not judge: print every record as one line of JSON, node by node
        #[arg(long)]
        to_json: bool,
        /// Count also how each rule of the core decided, in which role, and write all that the runs made use of to this file, in Markdown
        #[arg(long, value_name = "FILE", conflicts_with = "to_json")]
        outcomes: Option<PathBuf>,
    },
    /// Run whole nodes in a simulation, with faults, by seed: 0 all is well, 1 something is violated
    Sim(simulate::Options),
    /// Plant mistakes into what lies around simulated nodes: 0 all are noticed, 1 one is not, 2 it cannot be run
    Mutants(mutants::Options),
    /// Kill, stop, cut off and slow down real nodes while clients use them: 0 nothing is violated, 1 something is, 2 it cannot be run
    Nemesis(disturb::Told),
    /// One node of `nemesis`
    #[command(hide = true)]
    NemesisNode(disturb::Host),
    /// Tell the last records of a node on which something was wrong: 0 it is told, 1 its steps do not give its states, 2 it cannot be read
    Show {
        /// A dump, DATA/dumps/*.ring
        file: PathBuf,
        /// Only what happened to this group
        #[arg(long, value_parser = group_id, allow_negative_numbers = true)]
        group: Option<GroupId>,
        /// Print every record as one line of JSON, and nothing else
        #[arg(long, conflicts_with = "group")]
        json: bool,
    },
    /// Write a part of one group's run as a module for `tla/check traces`: 0 it is written, 2 it cannot be
    Tla {
        /// Folder with the *.trace files of all nodes
        folder: PathBuf,
        /// The group
        #[arg(long, value_parser = group_id, allow_negative_numbers = true)]
        group: GroupId,
        /// Where the module goes
        #[arg(long, default_value = ".")]
        out: PathBuf,
        /// Events of the run to leave out before it begins
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Most events of it
        #[arg(long, default_value_t = 200)]
        events: usize,
    },
}

fn group_id(text: &str) -> Result<GroupId, String> {
    text.parse().ok().and_then(GroupId::new).ok_or_else(|| format!("a group is a number from 0 to {}", i32::MAX))
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Sim(options) => return simulate::run(&options),
        Command::Mutants(options) => return mutants::run(&options),
        Command::Nemesis(told) => return disturb::run(&told),
        Command::NemesisNode(host) => return disturb::host(host),
        Command::Replay { folders, to_json: true, .. } => {
            folders.iter().try_for_each(|folder| print_records(folder)).map(|()| ExitCode::SUCCESS).map_err(NoModule::from)
        }
        Command::Replay { folders, json, outcomes, .. } => judge(&folders, json, outcomes.as_deref()).map_err(NoModule::from),
        Command::Show { file, group, json } => show(&file, group, json).map_err(NoModule::from),
        Command::Tla { folder, group, out, from, events } => write_module(&folder, &out, group, from, events),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn write_module(folder: &Path, out: &Path, group: GroupId, from: u64, events: usize) -> Result<ExitCode, NoModule> {
    let window = tla::window(folder, Part { group, from, events })?;
    let path = out.join(window.file_name());
    let written = fs::create_dir_all(out).and_then(|()| fs::write(&path, window.to_string()));
    written.map_err(|source| Unreadable::Io { path: path.clone(), source })?;
    println!(
        "{}: {} events from number {} on, entries {} to {}; {}",
        path.display(),
        window.events.len(),
        window.first,
        window.offset() + 1,
        window.last(),
        window.ended
    );
    Ok(ExitCode::SUCCESS)
}

fn judge(folders: &[PathBuf], json: bool, outcomes: Option<&Path>) -> Result<ExitCode, Unreadable> {
    let (mut runs, mut met, mut conforms) = (Vec::new(), Coverage::default(), true);
    for folder in folders {
        let progress = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} (to go {eta})");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let options = Options { progress, outcomes: outcomes.is_some() };
        let verdict = replay(folder, &options)?;
        options.progress.iter().for_each(ProgressBar::finish_and_clear);
        let written = if json {
            serde_json::to_writer_pretty(io::stdout(), &verdict).map_err(io::Error::from).map(|()| println!())
        } else {
            if folders.len() > 1 {
                println!("{}", folder.display());
            }
            tell(&verdict)
        };
        written.map_err(|source| Unreadable::Io { path: "(stdout)".into(), source })?;
        conforms &= verdict.conforms;
        met.join(&verdict.coverage);
        runs.push((folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), verdict.figures));
    }
    if let Some(path) = outcomes {
        fs::write(path, page(&runs, &met)).map_err(|source| Unreadable::Io { path: path.to_owned(), source })?;
    }
    Ok(ExitCode::from(u8::from(!conforms)))
}

fn tell(verdict: &Verdict) -> io::Result<()> {
    let (figures, mut out) = (&verdict.figures, io::stdout().lock());
    writeln!(
        out,
        "{} records of {} nodes in {} boots ({} killed), {:.1} MB; {} steps executed again, {} recoveries compared; {:.1} s, {:.0} records/s",
        figures.records,
        figures.nodes,
        figures.boots,
        figures.killed,
        figures.bytes as f64 / 1e6,
        figures.steps,
        figures.recoveries,
        figures.seconds,
        figures.rate()
    )?;
    write!(out, "{}", verdict.coverage)?;
    if figures.unwitnessed > 0 {
        writeln!(
            out,
            "  {} messages came from nodes whose traces are not here: whether they were sent is not judged",
            figures.unwitnessed
        )?;
    }
    if figures.translated > 0 {
        writeln!(out, "  {} messages came in the legacy header's bodies: whether they were sent so is not judged", figures.translated)?;
    }
    for note in &verdict.notes {
        writeln!(out, "  {note}")?;
    }
    match &verdict.rejection {
        None => writeln!(out, "verdict: conforms"),
        Some(rejection) => writeln!(out, "verdict: REJECTED\n{rejection}"),
    }
}

fn show(file: &Path, group: Option<GroupId>, json: bool) -> Result<ExitCode, Unreadable> {
    let dump = Dump::read(file)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let told = if json { write_json(&mut out, &dump.tell().records) } else { tell_dump(&mut out, &dump, group) };
    let code = told.and_then(|code| out.flush().map(|()| code));
    code.map_err(|source| Unreadable::Io { path: "(stdout)".into(), source })
}

fn tell_dump(out: &mut impl Write, dump: &Dump, group: Option<GroupId>) -> io::Result<ExitCode> {
    let of = &dump.header.of;
    writeln!(out, "node {}, boot {}, release {}: {}", of.node, of.boot, of.release, dump.header.reason)?;
    let told = dump.tell();
    told.story(group).try_for_each(|line| writeln!(out, "  {line}"))?;
    if dump.torn > 0 {
        writeln!(out, "{} bytes of a torn record at the end are left out", dump.torn)?;
    }
    for ((_, group, _), again) in &told.groups {
        writeln!(out, "group {group}: {again}")?;
    }
    Ok(ExitCode::from(u8::from(!told.is_sound())))
}

fn write_json(out: &mut impl Write, records: &[Record]) -> io::Result<ExitCode> {
    for record in records {
        serde_json::to_writer(&mut *out, record)?;
        out.write_all(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_records(folder: &Path) -> Result<(), Unreadable> {
    let mut out = BufWriter::new(io::stdout().lock());
    let failed = |source| Unreadable::Io { path: "(stdout)".into(), source };
    for (node, boots) in files::find(folder)? {
        let mut stream = Stream::new(node, boots);
        while stream.peek()?.is_some() {
            if let Some(Next::Record(_, record)) = stream.take() {
                serde_json::to_writer(&mut out, &record).map_err(io::Error::from).map_err(failed)?;
                out.write_all(b"\n").map_err(failed)?;
            }
        }
    }
    out.flush().map_err(failed)
}
