//! Three real processes are written to, killed and restarted; then their run is judged.

mod support;

use roadstead_conformance::{
    Options,
    coverage::{EFFECTS, EVENTS, FACTS, MESSAGES},
    replay,
};
use support::Cluster;

const GROUPS: [i32; 2] = [1, 7];

/// Goal: what real nodes do conforms, also when they are killed at any moment. Method: writes while the leader is killed and a follower is away until it needs
/// a snapshot; every start, also those after SIGKILL, must be from exactly what was durable.
#[test]
fn a_run_with_kills_and_restarts_conforms() {
    let mut cluster = Cluster::start(&GROUPS);
    cluster.write(&GROUPS, 100, 100);
    cluster.read(&GROUPS);
    for round in 0..3 {
        let leader = cluster.leader(GROUPS[round % 2]);
        cluster.kill(leader);
        cluster.write(&GROUPS, 50, 300);
        cluster.start_node(leader);
        cluster.write(&GROUPS, 50, 10);
    }
    // Behind what the others still have.
    let away = cluster.leader(GROUPS[0]) % 3 + 1;
    cluster.kill(away);
    cluster.write(&GROUPS, 600, 50);
    cluster.start_node(away);
    cluster.write(&GROUPS, 200, 50);
    cluster.read(&GROUPS);
    cluster.stop();

    let verdict = replay(&cluster.trace(), &Options::default()).unwrap();
    println!("{:?}\n{}", verdict.figures, verdict.coverage);
    if let Some(rejection) = &verdict.rejection {
        panic!("rejected; the trace is kept in {}\n{rejection}", support::keep(&cluster.trace(), "rejected").display());
    }
    assert!(verdict.figures.recoveries >= 4 * 2, "every group of a killed node is compared");
    assert_eq!(verdict.figures.killed, 4);
    assert_eq!((verdict.figures.unwitnessed, verdict.notes), (0, vec![]));
    // The rest needs a disk that stalls, a broken law or good luck.
    let rare = ["SnapshotFailed", "DiskStalled", "Halt", "Refuse", "SnapshotReceived", "InstallSnapshot", "Installed", "Dropped"];
    for kind in [FACTS, EVENTS, MESSAGES, EFFECTS].concat() {
        assert!(rare.contains(&kind) || verdict.coverage.of(kind) > 0, "no {kind} in the run");
    }
}
