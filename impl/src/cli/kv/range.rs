//! `roadstead kv range`: all keys between two.

use bytes::Bytes;
use clap::Args as ClapArgs;

use crate::service::kv::RangeRequest;

use super::{
    super::{failure::Failure, output::Output},
    Target,
    read::Read,
};

const AFTER_HELP: &str = "\
Examples:
  roadstead kv range                           everything
  roadstead kv range a c                       from \"a\" to before \"c\"
  roadstead kv range a --count-only            from \"a\" on
  roadstead kv range --sort-by mod --descending --limit 5";

/// Read all keys from FIRST to before END
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// First key [default: the very first]
    #[arg(allow_hyphen_values = true)]
    first: Option<String>,
    /// The key before which the range ends [default: behind the last]
    #[arg(allow_hyphen_values = true)]
    end: Option<String>,
    #[command(flatten)]
    read: Read,
    #[command(flatten)]
    target: Target,
}

/// As a first key: the least one. As an end: behind the last one. Source: etcd's `range_end`.
const ZERO: Bytes = Bytes::from_static(&[0]);

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let read = |text: &Option<String>| text.as_deref().map_or(Ok(ZERO), |text| args.target.encoding().read_key(text));
    let range = RangeRequest { key: read(&args.first)?, range_end: read(&args.end)?, ..RangeRequest::default() };
    args.read.run(&args.target, range, output)
}
