//! Whole nodes by seed: they hold, a seed is one run for ever, and what is broken on purpose is noticed.

use roadstead_conformance::sim::{
    self,
    plan::{Bug, KINDS_MIN, Plan},
};
use std::{collections::BTreeSet, mem::discriminant, process::Command};

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

/// Goal: each mistake is noticed, and as what it is. Method: for each a seed whose faults meet it.
#[test]
fn planted_bugs_are_noticed() {
    let expected = [
        (Bug::LogSyncLies, 3, "DUTY-2"),
        (Bug::LogSyncLies, 7, "the witness remembers"),
        (Bug::StateSyncLies, 14, "data is missing"),
        (Bug::EarlyDurable, 8, "DUTY-2"),
        (Bug::DurableLost, 4, "took no write in"),
        (Bug::DurableTwice, 4, "DUTY-2"),
        (Bug::FramesTwice, 4, "DUTY-6"),
        (Bug::StaleReads, 3, "not linearizable"),
        (Bug::WipedDisk, 5, "DUTY-2"),
        (Bug::LogWriteLost, 2, "do not add up"),
        (Bug::LogWriteLost, 3, "the witness remembers"),
        (Bug::LogDeletesLost, 3, "should follow"),
        (Bug::LogScanShort, 1, "do not add up"),
        (Bug::StateWriteLost, 2, "data is damaged"),
        (Bug::StateBatchTorn, 10, "hold different data"),
        (Bug::SubmissionsReversed, 1, "append at 9 to a log that ends at 7"),
        (Bug::SubmissionLost, 1, "append at 5 to a log that ends at 3"),
        (Bug::DurableReversed, 1, "DUTY-2"),
        (Bug::DoneLost, 2, "DUTY-5"),
        (Bug::DoneReversed, 1, "DUTY-5"),
        (Bug::ReadsShifted, 2, "DUTY-4"),
        (Bug::WrongSender, 2, "DUTY-6"),
        (Bug::FrameFlipped, 2, "DUTY-6"),
        (Bug::RecordLost, 2, "STREAM"),
    ];
    for (bug, seed, sign) in expected {
        let plan = Plan { bug: Some(bug), ..Plan::new(seed) };
        let found = sim::run(&plan, None).violation.map(|violation| violation.what);
        assert!(found.as_ref().is_some_and(|what| what.contains(sign)), "{bug:?} with seed {seed}: {found:?}");
    }
}

/// Goal: the mistakes above are not noticed just because something is planted. Method: batches of frames that are lost, which is no mistake.
#[test]
fn lost_frames_are_stood() {
    for seed in 1..=4 {
        assert_eq!(sim::run(&Plan { bug: Some(Bug::FramesLost), ..Plan::new(seed) }, None).violation, None, "seed {seed}");
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
