//! The clock of the wall is set back and forth under load. A node measures time with the monotonic clock, so nobody notices.

use crate::{cluster::Cluster, writers::Load};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Longer than anybody waits for a silent leader: twice `election_timeout_ms` of the profile "fast".
const LONG: Duration = Duration::from_millis(800);

/// Where libfaketime lies, whatever the machine: its package brings a command that knows.
fn library() -> String {
    let output = Command::new("faketime").args(["-m", "2020-01-01", "printenv", "LD_PRELOAD"]).output();
    let output = output.expect("this test sets the clock of a process with libfaketime: install the package `faketime`");
    let text = String::from_utf8(output.stdout).unwrap();
    // The loader may have to fill in `$LIB`.
    text.split([':', ' ', '\n']).find(|part| part.contains("libfaketime")).expect("faketime preloads its library").to_owned()
}

/// The node's clock goes wrong by this much from now on, in libfaketime's words.
fn set_clock(file: &Path, offset: &str) {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, offset).unwrap();
    fs::rename(fresh, file).unwrap();
}

/// Years that the log's lines begin with.
fn years(log: &str) -> Vec<i32> {
    let mut years: Vec<i32> = log.lines().filter_map(|line| line.get(..4)?.parse().ok()).collect();
    years.dedup();
    years
}

#[test]
fn a_clock_that_is_set_back_and_forth_disturbs_nobody() {
    let library = library();
    let mut cluster = Cluster::new(&[1, 2], "");
    let clocks: Vec<_> = cluster.nodes.iter().map(|node| node.folder.join("clock")).collect();
    for (node, clock) in cluster.nodes.iter_mut().zip(&clocks) {
        set_clock(clock, "+0");
        node.set("LD_PRELOAD", &library);
        node.set("FAKETIME_TIMESTAMP_FILE", clock);
        // Read at every call; and only the wall's clock, as an operator or NTP sets it.
        node.set("FAKETIME_NO_CACHE", "1");
        node.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        node.set("DONT_FAKE_MONOTONIC", "1");
    }
    cluster.start_all();
    // Group 2 rests: nothing but heartbeats, which are due by some clock, keeps its leader.
    let mut load = Load::new(&cluster, &[1], 4, Duration::from_secs(5));
    load.start();
    load.acknowledged(50);
    let state = |cluster: &Cluster| {
        let of = |group: i32| {
            cluster.nodes.iter().map(move |node| node.group(group).unwrap()).map(|group| (group["leader"].clone(), group["epoch"].clone()))
        };
        [1, 2].map(|group| of(group).collect::<Vec<_>>())
    };
    let before = state(&cluster);
    for (round, offset) in ["-3650d", "+3650d", "-1h"].into_iter().enumerate() {
        // One node alone, then the others, too.
        for place in (0..3).map(|place| (place + round) % 3) {
            set_clock(&clocks[place], offset);
            let begun = Instant::now();
            while begun.elapsed() < LONG {
                load.acknowledged(10);
            }
        }
    }
    assert_eq!(state(&cluster), before, "no election");
    load.stop();
    cluster.wait_until_level();
    let figures = load.check_all();
    assert_eq!((figures.unknown, figures.rejected), (0, 0), "no write was lost or refused");

    // The clocks were really set: a node that stops says so in the year that it takes it for.
    for (node, clock) in cluster.nodes.iter_mut().zip(&clocks) {
        set_clock(clock, "-3650d");
        node.process().signal(rustix::process::Signal::TERM);
        assert_eq!(node.wait().code(), Some(0));
        let years = years(&node.log());
        assert!(years.last().unwrap() + 9 <= years[0], "the node's clock was not set back: {years:?}");
    }
}
