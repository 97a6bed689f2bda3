//! `kill -9` at random moments under load.
//!
//! `ROADSTEAD_KILL_ROUNDS` says how many rounds (a few by default), `ROADSTEAD_KILL_SEED` repeats the choices of an earlier run.

use crate::{
    cluster::{Cluster, from_env},
    writers::{Figures, Load},
};
use rand::{
    RngExt, SeedableRng, TryRng,
    rngs::{StdRng, SysRng},
    seq::SliceRandom,
};
use std::{
    ops::Range,
    time::{Duration, Instant},
};

const ROUNDS: u64 = 6;
/// A cluster that grows old restarts slowly; a young one takes its place.
const ROUNDS_PER_CLUSTER: u64 = 20;
const WRITERS: usize = 8;
/// Acknowledged writes after which a round may kill, and those that follow when all nodes are back.
const WRITES_BEFORE_MAX: u64 = 150;
const WRITES_AFTER: u64 = 40;
/// How far a kill lies behind an acknowledgement, so that it hits every step of a write.
const DELAY_MAX: Duration = Duration::from_millis(30);
/// Logs are compacted within a round or two, so that snapshots, too, are interrupted.
const SMALL_LOGS: &str =
    "[limits]\nsnapshot_entries = 200\nsnapshot_keep_entries = 20\nsnapshot_chunk_bytes = 4096\nsnapshot_window_bytes = 16384";

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_at_random_moments() {
    kill_at_random_moments(&Setting { groups: &[1, 2, 3], header: "auto" });
}

/// The same for group 0 in NuRaft's bodies.
#[test]
fn no_acknowledged_write_is_lost_by_kill_9_over_the_legacy_header() {
    kill_at_random_moments(&Setting { groups: &[0], header: "legacy" });
}

/// What the nodes are started with.
struct Setting {
    groups: &'static [i32],
    header: &'static str,
}

fn kill_at_random_moments(setting: &Setting) {
    let rounds = from_env("ROADSTEAD_KILL_ROUNDS").unwrap_or(ROUNDS);
    let seed = from_env("ROADSTEAD_KILL_SEED").unwrap_or_else(|| SysRng.try_next_u64().unwrap());
    eprintln!("ROADSTEAD_KILL_SEED={seed} ROADSTEAD_KILL_ROUNDS={rounds}");
    let mut rng = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let (mut done, mut kills, mut sum) = (0, 0, Figures::default());
    while done < rounds {
        let (killed, figures) = of_one_cluster(setting, done..rounds.min(done + ROUNDS_PER_CLUSTER), &mut rng);
        done += ROUNDS_PER_CLUSTER;
        kills += killed;
        sum += figures;
        let Figures { acknowledged, unknown, rejected, unknown_happened, reads } = sum;
        eprintln!(
            "{} rounds, {kills} kills in {:.0?}: {acknowledged} acknowledged, {unknown} unknown ({unknown_happened} of them happened), {rejected} \
             rejected, {reads} linearizable reads; none lost, doubled, misplaced or stale",
            done.min(rounds),
            begun.elapsed()
        );
    }
    assert!(sum.acknowledged > rounds * WRITES_AFTER);
}

/// Rounds of one cluster: how many kills, and what became of the writes.
fn of_one_cluster(setting: &Setting, rounds: Range<u64>, rng: &mut StdRng) -> (usize, Figures) {
    let mut cluster = Cluster::new(setting.groups, SMALL_LOGS);
    for node in &mut cluster.nodes {
        node.set_header(setting.header);
        node.start();
    }
    cluster.wait_for_leaders();
    let mut load = Load::new(&cluster, setting.groups, WRITERS, Duration::from_secs(5));
    let mut kills = 0;
    for round in rounds {
        load.start();
        load.acknowledged(rng.random_range(1..=WRITES_BEFORE_MAX));
        let victims = victims(&cluster, setting.groups, round, rng);
        std::thread::sleep(rng.random_range(Duration::ZERO..DELAY_MAX)); // the random moment; nothing waits for it
        for victim in &victims {
            cluster.node(*victim).kill();
        }
        kills += victims.len();
        if victims.len() == 1 && rng.random_bool(0.5) {
            load.acknowledged(rng.random_range(1..=WRITES_BEFORE_MAX)); // the others go on
        }
        for victim in &victims {
            cluster.node(*victim).start();
        }
        for victim in &victims {
            cluster.node(*victim).wait_until_up();
        }
        load.acknowledged(WRITES_AFTER);
        load.stop();
        load.check_phase();
    }
    cluster.wait_until_level();
    (kills, load.check_all())
}

/// In turn: a leader, a follower, two nodes, and all three.
fn victims(cluster: &Cluster, groups: &[i32], round: u64, rng: &mut StdRng) -> Vec<u32> {
    let group = groups[rng.random_range(0..groups.len())];
    let mut all = vec![1, 2, 3];
    all.shuffle(rng);
    match round % 4 {
        0 => vec![cluster.leader(group)],
        1 => vec![cluster.follower(group)],
        2 => all,
        _ => all[..2].to_vec(),
    }
}
