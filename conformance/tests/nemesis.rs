//! Real nodes under faults: a run in which nothing is violated, and one in which something is.

use serde_json::Value;
use std::process::{Command, Output};
use tempfile::TempDir;

fn nemesis(args: &[&str]) -> (Output, Value) {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-conformance"));
    let output = command.args(["nemesis", "--json", "--nodes", "3", "--dir"]).arg(&dir).args(args).output().unwrap();
    if let Ok(page) = std::fs::read_to_string(dir.join("report.html")) {
        assert!(
            page.contains(if output.status.success() { "nothing is violated" } else { "VIOLATED" }),
            "the page says what the exit code says"
        );
    }
    let outcome = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, outcome)
}

#[test]
fn nothing_is_violated_where_nothing_is_wrong() {
    let (output, outcome) = nemesis(&["--ground", "loopback", "--minutes", "0.15", "--faults", "kill,pause,partition,one-way,delay,reset"]);
    assert_eq!(output.status.code(), Some(0), "{}\n{outcome:#}", String::from_utf8_lossy(&output.stderr));
    let number = |name: &str| outcome[name].as_u64().unwrap();
    assert!(number("answered") > 100 && number("judged") >= number("answered"), "{outcome:#}");
    assert!(number("steps") > 1000 && outcome["faults"].as_array().unwrap().len() >= 2, "{outcome:#}");
}

/// Goal: stale reads are noticed, while a node is cut off that does not know it. Method: clients that ask for them, and call them linearizable.
#[test]
fn stale_reads_are_noticed() {
    let (output, outcome) = nemesis(&["--minutes", "0.15", "--faults", "partition,slow-disk", "--stale-reads"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let violations = outcome["violations"].as_array().unwrap();
    assert!(violations.iter().all(|violation| violation.as_str().unwrap().contains("is not linearizable")), "{violations:#?}");
}

#[test]
fn what_cannot_be_run_ends_with_2_and_says_why() {
    let refused = |args: &[&str]| {
        let (output, _) = nemesis(args);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let no_ring = refused(&["--ground", "loopback", "--faults", "ring"]);
    assert!(no_ring.contains("needs five nodes (--nodes 5); leave it out of --faults"), "{no_ring}");
    let no_disk = refused(&["--ground", "loopback", "--faults", "full-disk"]);
    assert!(no_disk.contains("needs small disks (--ground namespaces, as root)"), "{no_disk}");
    let unknown = refused(&["--faults", "flood"]);
    assert!(unknown.contains("[possible values: kill, pause, partition"), "{unknown}");
}
