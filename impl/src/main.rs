//! The `roadstead` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    roadstead::cli::main()
}
