//! The `roadstead-model` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    roadstead_model::cli::main()
}
