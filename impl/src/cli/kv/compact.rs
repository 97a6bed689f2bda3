//! `roadstead kv compact`: gives up old revisions.

use clap::Args as ClapArgs;
use serde_json::json;

use crate::{
    client::{Consistency, KvClient, KvFailure},
    service::kv::{CompactRequest, RangeRequest},
};

use super::{
    super::{failure::Failure, output::Output},
    Target,
};

const AFTER_HELP: &str = "\
Every write keeps what it replaced readable as an older revision, which takes memory and disk until it is compacted.

Examples:
  roadstead kv compact                         only the newest revision stays readable
  roadstead kv compact 1000                    revisions below 1000 go
  roadstead kv compact --physical              wait until their data is deleted, too";

/// Make revisions below one unreadable, and delete what they alone hold
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Oldest revision that stays readable [default: the newest]
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    revision: Option<i64>,
    /// Wait until the data is deleted
    #[arg(long)]
    physical: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let (revision, physical) = (args.revision, args.physical);
    let compacted = args.target.ask(|kv| compact(kv, revision, physical))?;
    output.answer(|| json!({ "compacted": compacted }), || format!("revisions below {compacted} are compacted\n").into_bytes())
}

/// Returns the oldest revision that is still readable.
async fn compact(kv: KvClient, revision: Option<i64>, physical: bool) -> Result<i64, KvFailure> {
    let revision = match revision {
        Some(revision) => revision,
        None => kv.range(RangeRequest { count_only: true, ..RangeRequest::key("\0") }, Consistency::Linearizable).await?.revision,
    };
    kv.compact(CompactRequest { revision }).await?;
    while physical && kv.sweep().await?.pending {}
    Ok(revision)
}
