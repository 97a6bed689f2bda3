//! The `roadstead` command.

use std::process::ExitCode;

/// Entries are made on one thread and freed on another, which the system's allocator answers with locks and searches.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    roadstead::cli::main()
}
