//! The `roadstead-model` command: one file per subcommand.
//!
//! Answers go to stdout, aligned for people or as stable JSON with `--json`; a progress bar goes to stderr where that is a terminal, errors always. Exit codes:
//! 0 all is as it must be, 1 it is not, 2 wrong usage.

mod bar;
mod check;
mod coverage;
mod explore;
mod failure;
mod list;
mod mutants;
mod output;
mod replay;
mod walk;

use std::{ffi::OsString, process::ExitCode};

use clap::{Args as ClapArgs, Parser, Subcommand};

use self::output::Output;
use crate::{catalog::Catalog, engine::cores};

const AFTER_HELP: &str = "\
Examples:
  roadstead-model list                              what can be searched
  roadstead-model check --config ci                 search everything that a change must pass
  roadstead-model walk raft --seed 7 --minutes 10   look where no exhaustive search comes
  roadstead-model mutants                           does the checker notice real mistakes?
  roadstead-model replay target/model/raft.json     tell a counterexample again
  roadstead-model explore raft --port 3000          look at states in a browser

From the repository: cargo run --release -p roadstead-model -- list

Exit codes: 0 all is as it must be, 1 a law is broken, a golden count differs or a mutant survives, 2 wrong usage.";

/// Search what production runs for a way to break its laws.
#[derive(Debug, Parser)]
#[command(name = "roadstead-model", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// Print JSON: one value per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Check(check::Args),
    Walk(walk::Args),
    Mutants(mutants::Args),
    Explore(explore::Args),
    Replay(replay::Args),
    Coverage(coverage::Args),
}

/// What several commands have in common.
#[derive(ClapArgs, Debug)]
struct Machine {
    /// Threads that search; results do not depend on them
    #[arg(long, default_value_t = cores(), value_name = "N")]
    threads: usize,
    /// Folder for counterexamples
    #[arg(long, default_value = "target/model", value_name = "DIR")]
    save: std::path::PathBuf,
}

/// Runs the command of this process's arguments over every world of this crate.
pub fn main() -> ExitCode {
    ExitCode::from(run(&Catalog::all(), std::env::args_os()))
}

/// Runs a command over a catalog; the exit code.
pub fn run(catalog: &Catalog, arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> u8 {
    let Cli { json, command } = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, and go to stdout.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let output = Output { json };
    let done = match command {
        Command::List(args) => list::run(catalog, &args, output),
        Command::Check(args) => check::run(catalog, &args, output),
        Command::Walk(args) => walk::run(catalog, &args, output),
        Command::Mutants(args) => mutants::run(catalog, &args, output),
        Command::Explore(args) => explore::run(catalog, &args, output),
        Command::Replay(args) => replay::run(catalog, &args, output),
        Command::Coverage(args) => coverage::run(catalog, &args, output),
    };
    done.map_or_else(|failure| failure.report(json), |()| 0)
}
