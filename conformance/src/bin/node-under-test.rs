//! The `roadstead` command, for tests that start nodes: cargo tells a test where the programs of its own package are, and of no other.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    roadstead::cli::main()
}
