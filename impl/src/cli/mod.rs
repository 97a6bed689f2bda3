//! The `roadstead` command: one file per subcommand.
//!
//! Answers go to stdout, aligned for people or as stable JSON with `--json`; errors go to stderr and nothing else does. Exit codes: 0 done,
//! 1 refused or failed, 2 wrong usage or configuration.

mod admin;
mod bench;
mod check;
mod cluster;
mod completions;
mod dev;
mod endpoints;
mod failure;
mod group;
mod kv;
mod log;
mod logging;
mod node;
mod output;
mod repair;
mod signals;
mod status;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::{failure::Failure, output::Output};

const AFTER_HELP: &str = "\
Examples:
  roadstead dev                                a cluster of three nodes on this machine
  roadstead kv put hello world
  roadstead kv get hello
  roadstead status                             is there a leader, is a quorum alive, who is behind
  roadstead node --config node.toml            one node of a real cluster
  roadstead group list --endpoints 10.0.0.1:7400

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration.";

/// Many Raft groups behind one TCP port.
#[derive(Debug, Parser)]
#[command(name = "roadstead", version, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    /// Print JSON: one value, or one per line where a command goes on
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Args),
    Node(node::Args),
    Status(status::Args),
    Group(group::Args),
    Kv(kv::Args),
    Log(log::Args),
    Check(check::Args),
    Repair(repair::Args),
    Bench(Box<bench::Args>),
    Completions(completions::Args),
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let Cli { json, command } = Cli::parse();
    let output = Output { json };
    let done = match command {
        Command::Dev(args) => dev::run(&args, output),
        Command::Node(args) => node::run(&args),
        Command::Status(args) => status::run(&args, output),
        Command::Group(args) => group::run(&args, output),
        Command::Kv(args) => kv::run(&args, output),
        Command::Log(args) => log::run(&args, output),
        Command::Check(args) => check::run(&args, output),
        Command::Repair(args) => repair::run(&args, output),
        Command::Bench(args) => bench::run(&args, output),
        Command::Completions(args) => completions::run(&args, output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// Runs a command's requests to their end on this thread.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("the runtime cannot start: {error}")))?.block_on(work)
}
