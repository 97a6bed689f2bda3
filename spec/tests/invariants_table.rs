//! `docs/invariants.md` lists every law of `invariants::ALL`, in its words, and no other.

use roadstead_spec::invariants::{ALL, Check, Law};
use std::collections::BTreeSet;

const TABLE: &str = include_str!("../../docs/invariants.md");

fn row(law: &Law) -> String {
    let kind = match law.check {
        Check::State(_) => "state",
        Check::Transition(_) => "step",
        Check::Pair(_) => "pair",
    };
    format!("| {} | {} | {} | {kind} |", law.id, law.statement.replace('|', "\\|"), law.source)
}

/// Goal: the table is the code's. Method: each law's row, built from the code, begins a line of the table; each local law's row belongs to a law.
#[test]
fn the_table_holds_every_law_and_nothing_else() {
    let (_, local) = TABLE.split_once("## Local laws").expect("the section of the local laws");
    let local = local.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = local.lines().filter(|line| line.starts_with("| I-")).collect();
    let missing: Vec<String> = ALL.iter().map(row).filter(|row| !rows.iter().any(|line| line.starts_with(row.as_str()))).collect();
    assert!(missing.is_empty(), "rows that docs/invariants.md lacks; each goes on with where the law is checked:\n{}", missing.join("\n"));
    assert_eq!(rows.len(), ALL.len(), "docs/invariants.md has a row for a law that is not in invariants::ALL, or has one twice");
    assert!(rows.iter().all(|row| row.trim_end_matches([' ', '|']).split(" | ").count() == 5), "each row says where the law is checked");
}

#[test]
fn no_id_is_given_twice() {
    let ids: BTreeSet<&str> = ALL.iter().map(|law| law.id).collect();
    assert_eq!(ids.len(), ALL.len());
}
