//! Thousands of random schedules under every law: the papers' rules keep them all, and each mistake below is caught.

mod world;

use roadstead_spec::raft::step;
use world::random::run;

fn check(voters: u32, seeds: std::ops::Range<u64>, steps: usize) {
    let (mut elections, mut truncations, mut snapshots, mut reads, mut commits) = (0, 0, 0, 0, 0);
    for seed in seeds {
        let (world, result) = run(seed, voters, steps, step);
        if let Err(wrong) = result {
            let tail = world.log.len().saturating_sub(30);
            panic!("{wrong}\nlast events:\n{}", world.log[tail..].join("\n"));
        }
        elections += world.ghost.elections;
        truncations += world.ghost.truncations;
        snapshots += world.ghost.snapshots_sent;
        reads += world.ghost.reads_answered;
        commits += world.ghost.committed_through().0;
    }
    println!("{voters} voters: {elections} elections, {truncations} truncations, {snapshots} snapshots, {reads} reads, {commits} commits");
    if voters > 2 {
        assert!(elections > 0 && truncations > 0 && snapshots > 0 && reads > 0 && commits > 0, "the interesting states were reached");
    }
}

#[test]
fn every_schedule_of_three_voters_keeps_every_law() {
    check(3, 0..1_500, 600);
}

#[test]
fn every_schedule_of_five_voters_keeps_every_law() {
    check(5, 0..500, 800);
}

#[test]
fn every_schedule_of_one_two_and_four_voters_keeps_every_law() {
    check(1, 0..100, 300);
    check(2, 0..300, 500);
    check(4, 0..300, 600);
}
