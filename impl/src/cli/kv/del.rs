//! `roadstead kv del`: deletes keys.

use clap::Args as ClapArgs;

use crate::service::kv::DeleteRangeRequest;

use super::{
    super::{failure::Failure, output::Output},
    Target,
    print::{delete_json, delete_text},
};

const AFTER_HELP: &str = "\
Prints how many keys were deleted.

Examples:
  roadstead kv del hello
  roadstead kv del user/ --prefix
  roadstead kv del a c                         from \"a\" to before \"c\"";

/// Delete a key, a range of keys, or all keys with a prefix
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The key, or the first one
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// The key before which the range ends
    #[arg(allow_hyphen_values = true, conflicts_with = "prefix")]
    end: Option<String>,
    /// All keys that begin with KEY
    #[arg(long)]
    prefix: bool,
    /// Print what they held, too
    #[arg(long)]
    prev_kv: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let encoding = args.target.encoding();
    let key = encoding.read_key(&args.key)?;
    let mut request = if args.prefix { DeleteRangeRequest::prefix(key) } else { DeleteRangeRequest::key(key) };
    if let Some(end) = &args.end {
        request.range_end = encoding.read_key(end)?;
    }
    request.prev_kv = args.prev_kv;
    let response = args.target.ask(|kv| async move { kv.delete(request).await })?;
    output.answer(|| delete_json(&response, encoding), || delete_text(&response, encoding))
}
