//! Random schedules under every law: the papers' rules keep them all (`paper_mutants.rs` shows that mistakes do not).
//!
//! More of them: `SCHEDULES=20 cargo test --release -p roadstead-spec --test paper_schedules` runs twenty times as many seeds.

mod world;

use roadstead_spec::raft::step;
use world::random::run;

fn check(voters: u32, seeds: u64, steps: usize) {
    let more = std::env::var("SCHEDULES").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1);
    let (mut elections, mut truncations, mut snapshots, mut reads, mut commits) = (0, 0, 0, 0, 0);
    for seed in 0..seeds * more {
        let (world, result) = run(seed, voters, steps, step);
        if let Err(wrong) = result {
            panic!("{wrong}\nlast events:\n{}", world.story());
        }
        elections += world.ghost.elections;
        truncations += world.ghost.truncations;
        snapshots += world.ghost.snapshots_sent;
        reads += world.ghost.reads_answered;
        commits += world.ghost.committed_through().0;
    }
    println!("{voters} voters: {elections} elections, {truncations} truncations, {snapshots} snapshots, {reads} reads, {commits} commits");
    assert!(elections > 0 && reads > 0 && commits > 0, "the interesting states were reached");
    assert!(voters < 3 || (truncations > 0 && snapshots > 0), "the interesting states of three and more were reached");
}

#[test]
fn every_schedule_of_three_voters_keeps_every_law() {
    check(3, 400, 600);
}

#[test]
fn every_schedule_of_five_voters_keeps_every_law() {
    check(5, 150, 800);
}

#[test]
fn every_schedule_of_other_groups_keeps_every_law() {
    check(1, 50, 300);
    check(2, 100, 500);
    check(4, 100, 600);
    check(7, 50, 800);
}
