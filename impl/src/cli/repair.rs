//! `roadstead repair`: cuts off what a power cut left of a write that nobody was told of.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use crate::store::repair::{Repair, RepairError, repair};

use super::{failure::Failure, output::Output};

const AFTER_HELP: &str = "\
The node must be stopped. Without --yes it only says what it would do. It cuts damage at the end of the journal, beyond everything that the witness
remembers, and keeps the cut bytes in the folder; damage to anything that the node may have acknowledged is refused: restore such a node from its
peers.

Examples:
  roadstead repair roadstead-dev/n1/data
  roadstead repair roadstead-dev/n1/data --yes";

/// Repair the data folder of a stopped node that was torn by a power cut
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The data folder (`data` of the node's configuration)
    data: PathBuf,
    /// Yes, cut
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let repair = repair(&args.data, args.yes).map_err(|error| {
        let exit_code = match &error {
            RepairError::Open(open) => open.exit_code(),
            RepairError::Refused(_) | RepairError::Io { .. } => 1,
        };
        Failure::of_store(exit_code, &error)
    })?;
    output.answer(|| repair_json(repair.as_ref(), args.yes), || text(repair.as_ref(), args.yes).into_bytes())
}

fn repair_json(repair: Option<&Repair>, done: bool) -> Value {
    repair.map_or(json!({ "needed": false, "done": false }), |repair| {
        json!({
            "needed": true,
            "done": done,
            "file": repair.file,
            "offset": repair.offset,
            "bytes": repair.bytes,
            "backup": repair.backup,
            "last_batch": repair.last_batch,
            "witnessed_batch": repair.witnessed,
        })
    })
}

fn text(repair: Option<&Repair>, done: bool) -> String {
    let Some(repair) = repair else { return "nothing to repair\n".to_owned() };
    let (verb, keeping, rest) =
        if done { ("cut", "kept", "the node can start") } else { ("would cut", "keeping them", "repeat with --yes to do it") };
    format!(
        "{verb} {} bytes from {} at offset {}, {keeping} in {}; batches through {} stay, the witness remembers {}\n{rest}\n",
        repair.bytes,
        repair.file.display(),
        repair.offset,
        repair.backup.display(),
        repair.last_batch,
        repair.witnessed
    )
}

#[cfg(test)]
mod tests {
    use super::{Repair, text};

    #[test]
    fn a_dry_run_says_what_would_go_and_what_stays() {
        let repair = Repair {
            file: "d/log/0.jnl".into(),
            offset: 4_096,
            bytes: 77,
            backup: "d/cut-from-0.jnl-at-4096".into(),
            last_batch: 12,
            witnessed: 11,
        };
        assert_eq!(
            text(Some(&repair), false),
            "would cut 77 bytes from d/log/0.jnl at offset 4096, keeping them in d/cut-from-0.jnl-at-4096; batches through 12 stay, the witness \
             remembers 11\nrepeat with --yes to do it\n"
        );
        assert!(text(Some(&repair), true).starts_with("cut 77 bytes") && text(Some(&repair), true).ends_with("the node can start\n"));
        assert_eq!(text(None, true), "nothing to repair\n");
    }
}
