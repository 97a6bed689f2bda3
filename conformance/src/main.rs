//! `roadstead-conformance`: judges recorded runs.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use roadstead_conformance::{
    Options,
    files::{self, Unreadable},
    replay,
    stream::{Next, Stream},
    verdict::Verdict,
};
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Judge recorded runs of real nodes
#[derive(Parser, Debug)]
#[command(name = "roadstead-conformance", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Execute the traces of a folder again: 0 the run conforms, 1 it is rejected, 2 it cannot be read
    Replay {
        /// Folder with the *.trace files of all nodes
        folder: PathBuf,
        /// Print the verdict as JSON
        #[arg(long, conflicts_with = "to_json")]
        json: bool,
        /// Do not judge: print every record as one line of JSON, node by node
        #[arg(long)]
        to_json: bool,
    },
}

fn main() -> ExitCode {
    let Command::Replay { folder, json, to_json } = Args::parse().command;
    let done = if to_json { print_records(&folder) } else { judge(&folder, json) };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn judge(folder: &Path, json: bool) -> Result<ExitCode, Unreadable> {
    let progress = io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} (to go {eta})");
        ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let options = Options { progress };
    let verdict = replay(folder, &options)?;
    options.progress.iter().for_each(ProgressBar::finish_and_clear);
    let written = if json {
        serde_json::to_writer_pretty(io::stdout(), &verdict).map_err(io::Error::from).map(|()| println!())
    } else {
        tell(&verdict)
    };
    written.map_err(|source| Unreadable::Io { path: "(stdout)".into(), source })?;
    Ok(ExitCode::from(u8::from(!verdict.conforms)))
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

fn print_records(folder: &Path) -> Result<ExitCode, Unreadable> {
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
    out.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
