//! `roadstead dev`: a whole cluster on this machine, each node a process of its own.
//!
//! The supervisor starts the nodes, watches them through the admin API and stops them. It takes no part in the cluster: nodes may be killed and
//! started again by hand, and are what they would be anywhere else. Should the supervisor itself be killed, the nodes that it started see their
//! stdin close and stop.

mod layout;
mod process;
mod screen;
mod supervisor;
mod watch;

use std::{io::IsTerminal, path::PathBuf};

use clap::Args as ClapArgs;

use self::{layout::Layout, screen::Screen};
use super::{block_on, failure::Failure, output::Output};

const AFTER_HELP: &str = "\
Each node's folder DIR/nN/ holds node.toml, pid, log and data/. What is there already is started again; --fresh begins anew.

Examples:
  roadstead dev
  roadstead dev --nodes 5 --groups 64 --dir /tmp/five --port 7500
  roadstead dev --fresh
  kill -9 $(cat roadstead-dev/n1/pid)          from another terminal: see a new leader take over";

/// Start a cluster on this machine: three nodes, eight groups, one port each
#[derive(ClapArgs, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Nodes, 1 to 7 [default: those of the folder, else 3]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7))]
    nodes: Option<u32>,
    /// Groups, numbered from 1, on every node [default: those of the folder, else 8]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    groups: Option<u32>,
    /// Folder of the cluster
    #[arg(long, default_value = "roadstead-dev")]
    dir: PathBuf,
    /// Port of the first node; the others listen on the next ones [default: that of the folder, else 7400]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    port: Option<u16>,
    /// Record everything that the nodes are told and do, to be judged later (docs/judging.md)
    #[arg(long, value_name = "DIR")]
    trace: Option<PathBuf>,
    /// Delete the nodes of the folder, with their data, and begin anew
    #[arg(long)]
    fresh: bool,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::failed(format!("this program's own path is unknown: {error}")))?;
    let layout = Layout::prepare(args)?;
    let live = !output.json && std::io::stdout().is_terminal();
    let screen = Screen::new(output, live, &program, &layout);
    block_on(supervisor::run(&program, layout, screen))
}
