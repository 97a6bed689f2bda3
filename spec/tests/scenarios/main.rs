//! Scenarios: scripts with recorded effects, in the manner of etcd's interaction tests.
//!
//! `tests/scenarios/NAME.txt` is run over `step`, the outbox, disks that lose unsynced writes, and a network moved by hand; what happens must
//! equal what is recorded. `ROADSTEAD_REWRITE=1 cargo test -p roadstead-spec --test scenarios` records anew: review the diff like code.
//! No scenario may break a law under the papers' rules; some are run again under a mutant's rules, and must break one there.

#![expect(unreachable_pub, reason = "modules of one test binary")]

mod command;
mod disk;
mod drive;
mod laws;
mod member;
mod mutants;
mod print;
mod replay;
mod script;
mod tampered;
mod walk;
mod world;

use member::Build;
use roadstead_spec::{outbox, raft};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn read(name: &str) -> String {
    let path = folder().join(format!("{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Under the papers' rules: what happens is what is recorded, and no law is broken.
fn check(name: &str) {
    let script = read(name);
    let outcome = script::run(&script, Build::of::<raft::Paper, outbox::Paper>());
    assert_eq!(outcome.broken, Vec::<String>::new(), "{name} breaks laws");
    assert_eq!(outcome.replayed, Ok(()), "{name}'s trace");
    if std::env::var_os("ROADSTEAD_REWRITE").is_some() {
        std::fs::write(folder().join(format!("{name}.txt")), &outcome.text).expect("the scenario can be written");
        return;
    }
    if let Some((line, (is, was))) = outcome.text.lines().zip(script.lines()).enumerate().find(|(_, (is, was))| is != was) {
        panic!("{name}.txt:{}: recorded `{was}`, now `{is}`; ROADSTEAD_REWRITE=1 records anew", line + 1);
    }
    assert_eq!(outcome.text, script, "{name}.txt: one is longer; ROADSTEAD_REWRITE=1 records anew");
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_script_is_run() {
            let listed = [$(stringify!($name)),*];
            for file in std::fs::read_dir(folder()).expect("the folder is there") {
                let path = file.expect("it can be listed").path();
                if path.extension().is_some_and(|extension| extension == "txt") {
                    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
                    assert!(listed.contains(&name), "{name}.txt is not in the list");
                }
            }
        }
    };
}

scenarios!(
    async_append_aba,
    candidate_crashes_before_its_disk_knows,
    duplicate_append,
    election_and_write,
    figure_7,
    figure_8,
    leader_counts_itself_too_early,
    prevote_persisted_then_crashed,
    prevote_short_log_high_term,
    read_before_opening_entry,
    read_during_leader_change,
    snapshot_install,
    snapshot_keeps_suffix,
    stalled_disk,
    thousand_terms,
);
