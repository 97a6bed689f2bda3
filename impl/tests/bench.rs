//! `roadstead bench` as a user runs it: wrong usage, etcd targets against a small server of etcd's API, results and pictures.
#![cfg(all(feature = "cli", feature = "etcd"))]

mod etcd_server;

use etcd_server::EtcdServer;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

fn bench(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
    command.arg("bench").args(args).current_dir(folder).env_remove("ROADSTEAD_ENDPOINTS").output().unwrap()
}

fn results(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn refused(args: &[&str], expected: &str) {
    let folder = TempDir::new().unwrap();
    let output = bench(folder.path(), args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(stderr.contains(expected), "{args:?} lacks {expected:?}:\n{stderr}");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let cases: [(&[&str], &str); 17] = [
        (&["--clients", "0"], "0 is not in 1..=65536"),
        (&["--rate", "fast"], "write a number of requests per second"),
        (&["--rate", "10", "--clients", "4"], "cannot be used with"),
        (&["--arrivals", "poisson"], "--arrivals is of an open loop; give its --rate as well"),
        (&["--read-share", "1.5"], "write a share from 0 (only writes) to 1 (only reads)"),
        (&["--key-size", "2", "--keys", "300"], "there are 256"),
        (&["--clients", "1,2,3", "--connections", "1,2"], "2 numbers for 3 runs"),
        (&["--endpoint-mode", "all"], "--endpoint-mode is for etcd targets"),
        (&["--target", "http://127.0.0.1:1"], "`http` is no protocol; write native://"),
        (&["--target", "native://127.0.0.1:1?grups=3"], "--grups"),
        (&["--target", "native", "--compare", "a=native", "b=native"], "cannot be used with"),
        (&["--compare", "a=native"], "2 values required"),
        (&["--compare", "native://127.0.0.1:1", "b=native"], "has no name"),
        (&["--compare", "a=native", "a=native"], "are named `a`"),
        (&["--compare", "a=native?clients=1,2", "b=native"], "make 2 and 1 runs"),
        (&["plot", "-o", "x.svg"], "required"),
        (&["plot", "missing.json", "-o", "x.svg"], "missing.json: No such file"),
    ];
    for (args, expected) in cases {
        refused(args, expected);
    }
}

#[test]
fn a_target_that_nobody_answers_at_ends_with_1() {
    let folder = TempDir::new().unwrap();
    let output = bench(folder.path(), &["--target", "etcd://127.0.0.1:1", "--seconds", "1"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("127.0.0.1:1: Connection refused") && stderr.contains("hint: name endpoints that speak etcd's v3 API"),
        "{stderr}"
    );
}

/// Goal: both targets of a comparison are asked at their leaders, and nobody else. Method: two servers, the second leads.
#[test]
fn puts_and_gets_go_to_the_leader_of_an_etcd_target() {
    let (follower, leader) = (EtcdServer::start(1, 2), EtcdServer::start(2, 2));
    let target = format!("etcd://{},{}", follower.endpoint(), leader.endpoint());
    let folder = TempDir::new().unwrap();
    let args =
        ["--json", "--target", &target, "--seconds", "1", "--warmup", "0", "--clients", "4", "--connections", "2", "--read-share", "0.5"];
    let printed = results(&bench(folder.path(), &args));
    let [run] = printed.as_slice() else { panic!("{printed:?}") };
    assert_eq!(run["target"]["used"], serde_json::json!([leader.endpoint()]));
    assert_eq!(run["target"]["version"], "etcd 3.4.99-test");
    let (puts, ranges) = leader.seen(|seen| (seen.puts, seen.ranges));
    assert!(puts > 0 && ranges > 0, "{puts} puts, {ranges} gets");
    let operations = run["result"]["operations"].as_u64().unwrap();
    assert!(operations > 0 && operations <= puts + ranges && puts + ranges <= operations + 4, "{operations} of {puts} + {ranges}");
    assert_eq!((&run["result"]["failed"], &run["workload"]["clients"]), (&Value::from(0), &Value::from(4)));
    assert_eq!(leader.seen(|seen| (seen.key_bytes, seen.value_bytes, seen.connections.len())), (16, 100, 2));
    assert_eq!(follower.seen(|seen| seen.puts + seen.ranges), 0);
    assert!(leader.seen(|seen| seen.groups.is_empty()), "no group is named unless asked for");
}

#[test]
fn groups_are_named_in_metadata_and_all_endpoints_can_be_asked() {
    let servers = [EtcdServer::start(1, 2), EtcdServer::start(2, 2)];
    let target = format!("etcd://{},{}?group=7&groups=3&endpoint-mode=all", servers[0].endpoint(), servers[1].endpoint());
    let folder = TempDir::new().unwrap();
    let args = [
        "--json",
        "--target",
        &target,
        "--seconds",
        "1",
        "--warmup",
        "0",
        "--clients",
        "6",
        "--consistency",
        "serializable",
        "--read-share",
        "1",
    ];
    let printed = results(&bench(folder.path(), &args));
    assert_eq!((&printed[0]["workload"]["groups"], &printed[0]["workload"]["group"]), (&Value::from(3), &Value::from(7)));
    for server in &servers {
        server.seen(|seen| {
            assert!(seen.ranges > 0 && seen.ranges == seen.serializable && seen.puts == 0, "{seen:?}");
            assert_eq!(seen.groups.iter().map(String::as_str).collect::<Vec<_>>(), ["7", "8", "9"]);
        });
    }
}

#[test]
fn failures_are_counted_by_kind_and_a_write_that_may_have_happened_is_unknown() {
    let server = EtcdServer::start(1, 1);
    let folder = TempDir::new().unwrap();
    let target = format!("etcd://{}", server.endpoint());
    let args = ["--json", "--target", &target, "--seconds", "1", "--warmup", "0", "--rate", "200"];
    for (message, unknown) in [("etcdserver: no leader", false), ("connection reset", true)] {
        server.refuse_with(message);
        let run = &results(&bench(folder.path(), &args))[0];
        let failed = run["result"]["failed"].as_u64().unwrap();
        assert!(failed > 50, "{run}");
        assert_eq!((&run["result"]["failures"]["unavailable"], run["result"]["operations"].as_u64()), (&Value::from(failed), Some(0)));
        assert_eq!(run["result"]["unknown"].as_u64(), Some(if unknown { failed } else { 0 }), "{message}");
    }
}

/// Goal: a command can prepare each target's runs, and its failure ends the comparison. Method: it writes down its argument, and fails the fourth time.
#[test]
fn a_command_runs_before_each_run_and_is_told_the_target() {
    let server = EtcdServer::start(1, 1);
    let folder = TempDir::new().unwrap();
    let (a, b) = (format!("a=etcd://{}", server.endpoint()), format!("b=etcd://{}", server.endpoint()));
    let before = "echo \"$1\" >> order; test \"$(wc -l < order)\" -lt 4";
    let args = ["--json", "--before", before, "--compare", &a, &b, "--rounds", "2", "--seconds", "1", "--warmup", "0", "--allow-load"];
    let output = bench(folder.path(), &args);
    assert_eq!(std::fs::read_to_string(folder.path().join("order")).unwrap(), "a\nb\nb\na\n");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("ended with exit status: 1 for a"), "{stderr}");
}

/// Goal: a comparison takes turns, its ratios are those of its runs, and its results can be drawn. Method: one target twice, the second with fewer clients.
#[test]
fn two_targets_take_turns_and_their_results_can_be_drawn() {
    let server = EtcdServer::start(1, 1);
    let folder = TempDir::new().unwrap();
    let (a, b) = (format!("four=etcd://{}", server.endpoint()), format!("one=etcd://{}?clients=1", server.endpoint()));
    let args = [
        "--json",
        "--compare",
        &a,
        &b,
        "--rounds",
        "2",
        "--clients",
        "4",
        "--seconds",
        "1",
        "--warmup",
        "0",
        "--allow-load",
        "--save",
        "r.json",
    ];
    let printed = results(&bench(folder.path(), &args));
    let [comparison] = printed.as_slice() else { panic!("{printed:?}") };
    let rounds = comparison["rounds"].as_array().unwrap();
    let turns: Vec<Option<bool>> = rounds.iter().map(|round| round["a_first"].as_bool()).collect();
    assert_eq!(turns, [Some(true), Some(false)]);
    let rate = |round: &Value, target: &str| round[target]["result"]["per_second"].as_f64().unwrap();
    let ratios: Vec<f64> = rounds.iter().map(|round| rate(round, "b") / rate(round, "a")).collect();
    let per_second = &comparison["ratios"].as_array().unwrap().iter().find(|ratio| ratio["metric"] == "per_second").unwrap()["median"];
    assert!((per_second.as_f64().unwrap() - (ratios[0] + ratios[1]) / 2.0).abs() < 1e-9, "{comparison}");

    let drawn = bench(folder.path(), &["plot", "r.json", "-o", "r.svg", "--title", "Four and one"]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let svg = std::fs::read_to_string(folder.path().join("r.svg")).unwrap();
    assert!(
        svg.contains("Four and one") && svg.contains(">four<") && svg.contains("puts, 4 clients") && svg.contains("puts, 1 client<"),
        "{svg}"
    );
}
