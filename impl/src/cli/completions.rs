//! `roadstead completions`: scripts that let a shell complete commands and options.

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;

use super::{Cli, failure::Failure, output::Output};

const AFTER_HELP: &str = "\
Examples:
  roadstead completions bash > /etc/bash_completion.d/roadstead
  roadstead completions fish > ~/.config/fish/completions/roadstead.fish";

/// Print a completion script for a shell
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "roadstead", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())
}
