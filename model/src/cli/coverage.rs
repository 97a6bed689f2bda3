//! `roadstead-model coverage`: which decisions were reached.

use clap::Args as ClapArgs;

use super::{failure::Failure, output::Output};
use crate::{
    catalog::{Catalog, CoverageRow},
    report::{Lines, table},
};

const AFTER_HELP: &str = "\
A row is a rule of the transition functions, what it decided, and in which role. A row that nobody reaches fails, unless it is listed with a reason; so does
a reason that is refuted.

Examples:
  roadstead-model coverage
  roadstead-model coverage --missing";

/// Show which rules, with which outcome, in which role, searches reach
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// One world only
    world: Option<String>,
    /// Show only what is not reached
    #[arg(long)]
    missing: bool,
}

pub(super) fn run(catalog: &Catalog, args: &Args, output: Output) -> Result<(), Failure> {
    if let Some(world) = &args.world
        && catalog.entry(world).is_none()
    {
        return Err(Failure::unknown(world, catalog));
    }
    let wants = |name: &str| args.world.as_ref().is_none_or(|world| world == name);
    let mut rows = Vec::new();
    for (name, count) in catalog.worlds.iter().filter_map(|world| Some((world.name, world.coverage?))).filter(|(name, _)| wants(name)) {
        rows.extend(count().into_iter().map(|row| (name, row)));
    }
    if rows.is_empty() {
        return Err(Failure::failed("no world counts its rules, so nobody can say which are reached"));
    }
    let mut lines = table(&["world", "rule", "outcome", "role", "reached by"]);
    for (world, row) in rows.iter().filter(|(_, row)| !args.missing || row.reached_by.is_empty() || row.excuse.is_some()) {
        output.value(&serde_json::json!({ "world": world, "row": row }))?;
        lines.add_row([(*world).to_owned(), row.rule.clone(), row.outcome.clone(), row.role.clone(), reached(row)]);
    }
    output.text(&lines.text())?;
    let count = |fits: fn(&CoverageRow) -> bool| rows.iter().filter(|(_, row)| fits(row)).count();
    let missing = count(|row| row.reached_by.is_empty() && row.excuse.is_none());
    let outlived = count(|row| !row.reached_by.is_empty() && row.excuse.is_some());
    match (missing, outlived) {
        (0, 0) => output.text(&format!("\n{} rows, all reached or excused", rows.len())),
        (0, outlived) => {
            Err(Failure::failed(format!("{outlived} of {} rows are reached, though a reason says that they cannot be", rows.len())))
        }
        (missing, _) => Err(Failure::failed(format!("{missing} of {} rows are reached by nobody and have no reason for it", rows.len()))),
    }
}

fn reached(row: &CoverageRow) -> String {
    match (row.reached_by.as_slice(), row.excuse) {
        ([], None) => "NOBODY".to_owned(),
        ([], Some(reason)) => format!("nobody: {reason}"),
        (names, None) => names.join(", "),
        (names, Some(reason)) => format!("{}, THOUGH {reason}", names.join(", ")),
    }
}
