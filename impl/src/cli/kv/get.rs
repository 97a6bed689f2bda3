//! `roadstead kv get`: one key, or all with a prefix.

use clap::Args as ClapArgs;

use crate::service::kv::RangeRequest;

use super::{
    super::{failure::Failure, output::Output},
    Target,
    read::Read,
};

const AFTER_HELP: &str = "\
Prints key and value on a line each; nothing if there is no such key.

Examples:
  roadstead kv get hello
  roadstead kv get hello --value-only
  roadstead kv get user/ --prefix --keys-only --limit 10
  roadstead kv get hello --rev 5 --json";

/// Read a key, or all keys with a prefix
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The key
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    #[command(flatten)]
    read: Read,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let key = args.target.encoding().read_key(&args.key)?;
    let range = if args.prefix { RangeRequest::prefix(key) } else { RangeRequest::key(key) };
    args.read.run(&args.target, range, output)
}
