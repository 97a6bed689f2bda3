//! Whole nodes by seed: they hold, a seed is one run for ever, and what is broken on purpose is noticed.

use roadstead_conformance::sim::{
    self,
    bug::Bug,
    hunt::{hunt, words},
    plan::{KINDS_MIN, Plan},
    planted::{CONTROLS, MUTANTS, Planted},
};
use std::{collections::BTreeSet, fs, mem::discriminant, path::Path, process::Command};

#[test]
fn the_first_seeds_hold() {
    for seed in 1..=4 {
        let report = sim::run(&Plan::new(seed), None);
        assert_eq!(report.violation, None, "seed {seed}");
        assert!(report.answered > 100 && report.records > 10_000, "seed {seed}: {report:?}");
    }
}

/// Goal: a seed names one run, also in another process, whose memory lies elsewhere and whose hash maps would be in another order.
#[test]
fn a_seed_is_one_run() {
    let (here, again) = (sim::run(&Plan::new(7), None), sim::run(&Plan::new(7), None));
    assert_eq!(here, again);
    let output = Command::new(env!("CARGO_BIN_EXE_roadstead-conformance")).args(["sim", "--seeds", "7", "--json"]).output().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["digest"], format!("{:016x}", here.digest));
    assert_eq!(line["records"], here.records);
    assert_ne!(sim::run(&Plan::new(8), None).digest, here.digest);
}

#[test]
fn every_seed_has_many_kinds_of_fault() {
    for seed in 0..1_000 {
        let kinds: BTreeSet<String> = Plan::new(seed).faults.iter().map(|fault| format!("{:?}", discriminant(&fault.kind))).collect();
        assert!(kinds.len() >= KINDS_MIN, "seed {seed}: {kinds:?}");
    }
}

/// Goal: a leader that sends small snapshots gives their views back. It kept each for a minute, and at the eighth no follower got one any more. Method: the seed
/// that found it.
#[test]
fn a_snapshot_that_was_sent_leaves_nothing_behind() {
    let plan = Plan::new(108).with_only(&[0, 2, 3]);
    assert_eq!(sim::run(&plan, None).violation, None);
}

/// Goal: who leads no more sends no snapshot. The chunks of one that was under way went on with the term of the next leader, and the receiver, which knew two
/// leaders of one term then, stopped for good. Method: the seed that found it.
#[test]
fn a_deposed_leader_sends_no_snapshot() {
    assert_eq!(sim::run(&Plan::new(3360), None).violation, None);
}

/// Goal: each mistake is noticed, and as what it is. Method: some of the table; `roadstead-conformance mutants` runs all, in CI too.
#[test]
fn planted_bugs_are_noticed() {
    let some: Vec<_> = MUTANTS.iter().step_by(9).collect();
    for one in hunt(&some, 1, |_| {}) {
        assert!(one.is_good(), "{one:?}");
    }
}

/// Goal: the mistakes above are not noticed just because something is planted. Method: batches of frames that are lost, which is no mistake.
#[test]
fn lost_frames_are_stood() {
    for seed in 1..=2 {
        assert_eq!(sim::run(&Plan { bug: Some(Bug::FramesLost), ..Plan::new(seed) }, None).violation, None, "seed {seed}");
    }
}

/// Goal: no kind of mistake is forgotten in the table, and each is either one or none. Seeds beyond those that CI runs without a mistake show nothing.
#[test]
fn every_bug_is_in_the_table() {
    let names = |table: &[Planted]| table.iter().map(|one| format!("{:?}", one.bug)).collect::<BTreeSet<_>>();
    let (mutants, controls) = (names(MUTANTS), names(CONTROLS));
    assert_eq!(mutants.intersection(&controls).count(), 0, "{mutants:?} {controls:?}");
    assert_eq!(mutants.union(&controls).cloned().collect::<BTreeSet<_>>(), names_of_all());
    assert!(mutants.len() >= 32, "{}", mutants.len());
    let seeds = MUTANTS.iter().chain(CONTROLS).map(|one| one.seed);
    assert!(seeds.clone().all(|seed| (1..=300).contains(&seed)), "{:?}", seeds.collect::<Vec<_>>());
    assert!(CONTROLS.iter().all(|one| one.sign.is_none()) && MUTANTS.iter().all(|one| one.sign.is_some()));
}

fn names_of_all() -> BTreeSet<String> {
    Bug::ALL.iter().map(|bug| format!("{bug:?}")).collect()
}

/// Goal: the document is not stale. Method: its rows against the table, all but the figures.
#[test]
fn the_document_holds_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mutants-of-the-runtime.md");
    let text = fs::read_to_string(file).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.contains(" | mechanism | ")).collect();
    let table: Vec<&Planted> = MUTANTS.iter().chain(CONTROLS).collect();
    assert_eq!(rows.len(), table.len(), "write it again: its first lines say how");
    for (row, planted) in rows.iter().zip(table) {
        assert!(row.starts_with(&words(planted)) && row.contains(planted.sign.unwrap_or("holds")), "{row}\n{}", words(planted));
    }
}

/// Goal: a run that fails is told with the faults that it takes, and still fails with them alone.
#[test]
fn a_failing_run_is_made_small() {
    let plan = Plan { bug: Some(Bug::LogSyncLies), ..Plan::new(3) };
    let kept = sim::shrink(&plan);
    assert!(kept.len() < plan.faults.len(), "{kept:?} of {}", plan.faults.len());
    assert!(sim::run(&plan.with_only(&kept), None).violation.is_some());
}
