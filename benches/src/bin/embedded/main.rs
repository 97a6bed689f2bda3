//! An embedded node as NuRaft's own benchmark (`tests/bench/raft_bench.cxx`) measures one: three processes on loopback, logs in memory, no sync, a
//! state machine that does nothing, and the writers in the leader's process.
//!
//! `cargo run --release -p roadstead-benches --bin embedded -- --help`

mod cluster;
mod writers;

use clap::Parser;
use roadstead_spec::NodeId;
use std::{error::Error, net::SocketAddr, process::ExitCode, time::Duration};

/// Measure writes to a group of three members without disks, from within the leader's process
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  embedded                                  64 writers on 64 threads, 128 bytes\n  \
                        embedded --writers 1                      one writer\n  \
                        embedded --writers 64 --threads 1         64 writers as tasks of one thread")]
struct Arguments {
    /// Writers; each waits for its write's outcome before it goes on
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    writers: u32,
    /// Threads that the writers share; as many as writers by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Bytes of a write
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    payload: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Be one of the other members: for this program's own use
    #[arg(long, hide = true, requires = "addresses")]
    member: Option<u32>,
    /// Addresses of all members, in order
    #[arg(long, hide = true, value_delimiter = ',')]
    addresses: Vec<SocketAddr>,
}

/// Writes before this are not counted.
const WARM_UP: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("embedded: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(member) = arguments.member {
        return cluster::follow(NodeId(member), &arguments.addresses);
    }
    let cluster = cluster::Cluster::start()?;
    let load = writers::Load {
        writers: arguments.writers,
        threads: arguments.threads.unwrap_or(arguments.writers).min(arguments.writers),
        payload_bytes: arguments.payload as usize,
        warm_up: WARM_UP,
        measured: Duration::from_secs(arguments.seconds),
    };
    let measured = load.run(&cluster.group)?;
    println!("{}", if arguments.json { measured.json() } else { measured.text() });
    Ok(())
}
