//! `roadstead bench`: writes and reads as fast as a number of closed-loop clients can, through the native client.
//!
//! A number means nothing without its circumstances: what was done, by how many, how large, for how long, on which disk, beside what else. All of
//! that is printed with it.

mod load;
mod machine;
mod result;

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, ValueEnum};

use self::{load::Load, machine::DiskSync, result::Circumstances};
use super::{admin::Admin, block_on, cluster, endpoints::Endpoints, failure::Failure, output::Output};

const AFTER_HELP: &str = "\
Each client waits for its outcome before it goes on. A write counts when it is committed on a quorum of disks and applied.

Examples:
  roadstead bench
  roadstead bench --clients 1,64,256 --seconds 20
  roadstead bench --clients 256 --groups 64
  roadstead bench --operation get --clients 64 --json";

/// Measure writes or reads per second, latency, the longest gap and CPU time
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// How many clients at once; a run for each number
    #[arg(long, value_delimiter = ',', default_value = "64", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    clients: Vec<u32>,
    /// How many groups, from --group on; the clients are spread over them
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    groups: u32,
    /// The first group
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(0..))]
    group: i32,
    /// What the clients do
    #[arg(long, value_enum, default_value_t = Operation::Put)]
    operation: Operation,
    /// Length of a run
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Time before a run that is not counted, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    warm_up: u64,
    /// Length of a key
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(8..=1_024))]
    key_bytes: u16,
    /// How many different keys; each is as likely as any other
    #[arg(long, default_value_t = 100_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    keys: u32,
    /// Length of a value
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=8_000_000))]
    value_bytes: u32,
    /// What the random keys begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder in which the raw disk's sync is measured for comparison: it should be on the nodes' disk
    #[arg(long, default_value = ".")]
    disk: PathBuf,
    #[command(flatten)]
    endpoints: Endpoints,
}

/// What a client does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Operation {
    /// Set a random key
    Put,
    /// Read a random key, linearizably
    Get,
    /// Read a random key as one node has it
    StaleGet,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::StaleGet => "stale-get",
        }
    }
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    for &clients in &args.clients {
        let disk = DiskSync::measure(&args.disk).map_err(|error| Failure::failed(format!("{}: {error}", args.disk.display())))?;
        let circumstances = Circumstances {
            operation: args.operation.name(),
            clients,
            groups: args.groups,
            key_bytes: args.key_bytes,
            keys: args.keys,
            value_bytes: args.value_bytes,
            seconds: args.seconds,
            warm_up_seconds: args.warm_up,
            load_average: machine::load_average(),
            disk,
        };
        if !output.json {
            output.line(&circumstances.text())?;
        }
        let load = Load::new(args, clients)?;
        let pids = block_on(local_nodes(&args.endpoints))?;
        let result = block_on(load.run(&pids, Duration::from_secs(args.warm_up), Duration::from_secs(args.seconds)))?;
        output.value(&result::Report { circumstances, result }, |report| report.result.text())?;
    }
    Ok(())
}

/// Processes of the nodes that run on this machine: their CPU time can be read.
async fn local_nodes(endpoints: &Endpoints) -> Result<Vec<u32>, Failure> {
    let admin = Admin::reader(endpoints)?;
    let answers = cluster::ask_all(&admin, &endpoints.endpoints).await;
    let local = |host: &str| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let on_this_machine = answers.iter().filter(|node| local(&node.endpoint.host));
    Ok(on_this_machine.filter_map(|node| node.answer.as_ref().ok().map(|(status, _)| status.pid)).collect())
}
