//! What recorded runs made use of, as a page.

use super::Coverage;
use crate::verdict::Figures;
use roadstead_model::raft::coverage::Outcome;
use std::fmt::Write;

const HEAD: &str = "\
# What recorded runs made use of

Written by `roadstead-conformance replay FOLDER.. --outcomes FILE`; do not edit.

A run in which nothing happened proves nothing when it conforms. This is how often each kind of record, event, message and effect was in the runs, and how often each rule of the core and of the
outbox decided in which way. A role is that of the member that asked, when its step began. A dash stands where the model has a reason why nothing reaches it
(`model/src/raft/coverage/points.rs`).
";

/// The page: which runs, and what they made use of together.
pub fn page(runs: &[(String, Figures)], coverage: &Coverage) -> String {
    let mut text = HEAD.to_owned();
    text += "\n| run | nodes | boots | killed | records | steps |\n|---|---:|---:|---:|---:|---:|\n";
    for (name, Figures { nodes, boots, killed, records, steps, .. }) in runs {
        let _ = writeln!(text, "| {name} | {nodes} | {boots} | {killed} | {records} | {steps} |");
    }
    text += "\n| kind | of | met |\n|---|---|---:|\n";
    for (name, table) in &coverage.tables {
        text.extend(table.iter().map(|(kind, count)| format!("| {kind} | {name} | {count} |\n")));
    }
    text += "\n| rule | outcome | follower | pre-candidate | candidate | leader |\n|---|---|---:|---:|---:|---:|\n";
    for roles in coverage.outcomes.chunk_by(|(one, _), (next, _)| (one.rule, one.outcome) == (next.rule, next.outcome)) {
        let Some((Outcome { rule, outcome, .. }, _)) = roles.first() else { continue };
        let _ = write!(text, "| {rule} | {outcome} |");
        for (outcome, count) in roles {
            let _ = if *count == 0 && outcome.excuse.is_some() { write!(text, " – |") } else { write!(text, " {count} |") };
        }
        text.push('\n');
    }
    text
}
