//! `roadstead check`: is a data folder sound?

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use crate::{
    api::types::{ErrorBody, ErrorCode},
    store::check::{GroupReport, Report, check},
};

use super::{
    failure::Failure,
    output::{Output, lines, table},
};

const AFTER_HELP: &str = "\
The node must be stopped. Nothing is changed that a start of the node would not change. Exit code 0: sound; 1: not, with every problem and what to
do about it.

Examples:
  roadstead check roadstead-dev/n1/data
  roadstead check /var/lib/roadstead --json";

/// Check the data folder of a stopped node
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The data folder (`data` of the node's configuration)
    data: PathBuf,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let report = check(&args.data).map_err(|error| Failure::of_store(error.exit_code(), &error))?;
    output.answer(|| report_json(&report), || text(&report).into_bytes())?;
    match report.problems.len() {
        0 => Ok(()),
        count => Err(Failure::Failed(ErrorBody {
            error: format!("{}: {count} {}", args.data.display(), if count == 1 { "problem" } else { "problems" }),
            code: ErrorCode::Damaged,
            hint: (!output.json).then(|| "see the lines that begin with ! above".to_owned()),
        })),
    }
}

fn report_json(report: &Report) -> Value {
    let groups: Vec<Value> = report.groups.iter().map(group_json).collect();
    json!({
        "node": report.identity.node,
        "cluster": format!("{:#034x}", report.identity.cluster),
        "store": format!("{:#034x}", report.identity.store),
        "format": report.identity.format,
        "witnessed_batch": report.witness.batch,
        "last_batch": report.database.map(|mark| mark.batch),
        "groups": groups,
        "problems": report.problems,
    })
}

fn group_json(group: &GroupReport) -> Value {
    let log = group.log.map(|log| {
        json!({
            "term": log.hard.term,
            "vote": log.hard.vote,
            "base": log.base.index,
            "last": log.last,
            "items": log.items,
            "bytes": log.bytes,
        })
    });
    json!({ "id": group.group, "service": group.service, "log": log })
}

fn text(report: &Report) -> String {
    let identity = &report.identity;
    let reached = report.database.map_or("not opened".to_owned(), |mark| format!("at batch {}", mark.batch));
    let mut text = format!(
        "node {} of cluster {:#034x}, format {}\nlog database {reached}, witness at batch {}\n",
        identity.node, identity.cluster, identity.format, report.witness.batch
    );
    if !report.groups.is_empty() {
        let mut table = table(&[">GROUP", "SERVICE", ">TERM", "VOTE", ">BASE", ">LAST", ">ITEMS", ">BYTES"]);
        for group in &report.groups {
            let (id, service) = (group.group.to_string(), group.service.clone());
            match group.log {
                Some(log) => table.add_row([
                    id,
                    service,
                    log.hard.term.to_string(),
                    log.hard.vote.map_or("none".to_owned(), |vote| format!("node {vote}")),
                    log.base.index.to_string(),
                    log.last.to_string(),
                    log.items.to_string(),
                    log.bytes.to_string(),
                ]),
                None => table.add_row([id, service, "damaged".to_owned()]),
            };
        }
        text.push_str(&lines(&table));
    }
    if report.problems.is_empty() {
        text.push_str("sound\n");
    }
    for problem in &report.problems {
        text.push_str(&format!("! {problem}\n"));
    }
    text
}
