//! `roadstead log show`: entries of a group's log.

use clap::{Args as ClapArgs, Subcommand};

use crate::api::types::{EntryKind, LogEntry, LogPage};

use super::{
    admin::Admin,
    block_on,
    endpoints::Endpoints,
    failure::Failure,
    output::{Output, lines, table},
};

const AFTER_HELP: &str = "\
Examples:
  roadstead log show --group 1
  roadstead log show --group 1 --from 100 --to 120 --endpoints 10.0.0.2:7400";

/// Entries that are shown when neither end is given.
const NEWEST_SHOWN: u64 = 20;

/// Look into the log of a group
#[derive(ClapArgs, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show entries as the first answering endpoint has them
    #[command(after_help = AFTER_HELP)]
    Show(Show),
}

#[derive(ClapArgs, Debug)]
struct Show {
    /// The group
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(0..))]
    group: i32,
    /// First index [default: the newest entries]
    #[arg(long)]
    from: Option<u64>,
    /// Last index [default: the last one]
    #[arg(long)]
    to: Option<u64>,
    #[command(flatten)]
    endpoints: Endpoints,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let Command::Show(show) = &args.command;
    if let (Some(from), Some(to)) = (show.from, show.to)
        && from > to
    {
        return Err(Failure::Usage(format!("--from {from} lies behind --to {to}")));
    }
    let admin = Admin::reader(&show.endpoints)?;
    let path = |from: u64, to: u64| format!("/v1/groups/{}/log?from={from}&to={to}", show.group);
    let page = block_on(async {
        let from = match show.from {
            Some(from) => from,
            // The answer says where the log ends, so that a page of the newest entries can be asked for.
            None => {
                let (_, page): (_, LogPage) = admin.get_any(&show.endpoints, &path(1, 1)).await?;
                let last = show.to.unwrap_or(page.last).min(page.last);
                last.saturating_sub(NEWEST_SHOWN - 1).max(1)
            }
        };
        let (_, page): (_, LogPage) = admin.get_any(&show.endpoints, &path(from, show.to.unwrap_or(u64::MAX))).await?;
        Ok(page)
    })?;
    output.value(&page, text)
}

fn text(page: &LogPage) -> String {
    let mut table = table(&[">INDEX", ">TERM", "STATE", "KIND", ">BYTES", "CONTENT"]);
    for entry in &page.entries {
        let state = if entry.index <= page.commit { "committed" } else { "open" };
        table.add_row([
            entry.index.to_string(),
            entry.epoch.to_string(),
            state.to_owned(),
            match entry.kind {
                EntryKind::Noop => "noop".to_owned(),
                EntryKind::Command => "command".to_owned(),
            },
            entry.size.to_string(),
            content(entry),
        ]);
    }
    let head = format!("group {}: entries {} to {}, committed through {}\n", page.id, page.first, page.last, page.commit);
    if page.entries.is_empty() { head + "no entries in this range\n" } else { head + &lines(&table) }
}

fn content(entry: &LogEntry) -> String {
    let cut = (entry.preview.len() as u64) < entry.size * 2;
    entry.command.clone().unwrap_or_else(|| format!("{}{}", entry.preview, if cut { "…" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::{EntryKind, LogEntry, LogPage, text};

    #[test]
    fn entries_show_whether_they_are_committed_and_what_they_hold() {
        let entry = |index, kind, size, preview: &str, command: Option<&str>| LogEntry {
            index,
            epoch: 2,
            kind,
            size,
            preview: preview.to_owned(),
            command: command.map(str::to_owned),
        };
        let entries = vec![
            entry(7, EntryKind::Noop, 0, "", None),
            entry(8, EntryKind::Command, 3, "010203", Some("put a = b")),
            entry(9, EntryKind::Command, 99, "0102", None),
        ];
        let shown = text(&LogPage { id: 4, first: 5, last: 9, commit: 8, entries });
        let lines: Vec<String> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "group 4: entries 5 to 9, committed through 8",
                "INDEX TERM STATE KIND BYTES CONTENT",
                "7 2 committed noop 0",
                "8 2 committed command 3 put a = b",
                "9 2 open command 99 0102…",
            ]
        );
    }
}
