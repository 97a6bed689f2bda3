//! `docs/invariants.md` says of each law of the Raft world which sights give it meaning and which mutants it may convict: as the code does.
//! `ROADSTEAD_REWRITE=1` writes the table anew.

use roadstead_model::raft::{laws::LAWS, mutants, mutants::absent::ABSENT, sights::SIGHTS};
use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

const BEGIN: &str = "<!-- raft world: begin, written by model/tests/raft_document.rs -->\n";
const END: &str = "<!-- raft world: end -->\n";

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/invariants.md")
}

fn table() -> String {
    let mut text =
        String::from("| id | what holds | means something because this is seen | mutants that it may convict |\n|---|---|---|---|\n");
    for law in LAWS {
        let sights: Vec<&str> = SIGHTS.iter().filter(|sight| sight.twin_of.contains(&law.id)).map(|sight| sight.name).collect();
        let mutants: Vec<&str> = mutants::all().filter(|mutant| mutant.laws.contains(&law.id)).map(|mutant| mutant.id).collect();
        let cell = |names: &[&str], between: &str| if names.is_empty() { "–".to_owned() } else { names.join(between) };
        writeln!(text, "| {} | {} | {} | {} |", law.id, law.statement, cell(&sights, "; "), cell(&mutants, ", "))
            .expect("a string takes everything");
    }
    text.push_str("\nRows of the list of bugs that this world cannot put back today:\n\n| rows | what they wait for |\n|---|---|\n");
    for (rows, reason) in ABSENT {
        writeln!(text, "| {rows} | {reason} |").expect("a string takes everything");
    }
    text
}

#[test]
fn the_document_says_what_the_code_does() {
    let written = fs::read_to_string(file()).expect("the document is there");
    let (before, rest) = written.split_once(BEGIN).expect("the section of the Raft world begins");
    let (section, after) = rest.split_once(END).expect("the section of the Raft world ends");
    if std::env::var_os("ROADSTEAD_REWRITE").is_some() {
        fs::write(file(), format!("{before}{BEGIN}{}{END}{after}", table())).expect("the document can be written");
    } else {
        assert_eq!(section, table(), "docs/invariants.md is stale; ROADSTEAD_REWRITE=1 writes it anew");
    }
}

#[test]
fn every_law_that_convicts_exists_and_no_mutant_is_named_twice() {
    let laws: BTreeSet<&str> = LAWS.iter().map(|law| law.id).collect();
    assert_eq!(laws.len(), LAWS.len(), "each law once");
    let mut ids = BTreeSet::new();
    for mutant in mutants::all() {
        assert!(ids.insert(mutant.id), "{} is named twice", mutant.id);
        assert!(mutant.laws.iter().all(|law| laws.contains(law)), "{} names a law that is not there: {:?}", mutant.id, mutant.laws);
        assert!(!mutant.hunts.is_empty(), "{} is not hunted", mutant.id);
    }
    for sight in SIGHTS {
        assert!(sight.twin_of.iter().all(|law| laws.contains(law)), "\"{}\" is the twin of a law that is not there", sight.name);
    }
}
