//! The command: exit codes, and what it prints.

use roadstead::trace::{Header, MAGIC, encode_frame, file_name};
use roadstead_spec::{
    NodeId,
    trace::{FORMAT, Record, What},
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A boot in which nothing happened but its start and its end, with these numbers.
fn boot(folder: &Path, node: u32, boot: u64, numbers: [u64; 2]) {
    let mut bytes = MAGIC.to_vec();
    encode_frame(&Header::new(NodeId(node), 9, boot), &mut bytes).unwrap();
    encode_frame(&(numbers[0], What::Booted { format: FORMAT }), &mut bytes).unwrap();
    encode_frame(&(numbers[1], What::Ended), &mut bytes).unwrap();
    fs::write(folder.join(file_name(NodeId(node), boot)), bytes).unwrap();
}

fn replay(folder: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_roadstead-conformance");
    let Output { status, stdout, stderr } = Command::new(program).arg("replay").arg(folder).args(options).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_run_that_conforms_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    boot(folder.path(), 1, 1, [0, 1]);
    boot(folder.path(), 1, 3, [0, 1]);
    boot(folder.path(), 2, 1, [0, 1]);
    let (code, out, error) = replay(folder.path(), &[]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.starts_with("6 records of 2 nodes in 3 boots (0 killed)") && out.ends_with("verdict: conforms\n"), "{out}");
    assert!(out.contains("node 1: boots 2 to 2 are not in the folder"), "{out}");
    let (code, out, _) = replay(folder.path(), &["--json"]);
    let verdict: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &verdict["conforms"], &verdict["figures"]["records"]), (Some(0), &Value::Bool(true), &6.into()));
    let (code, out, _) = replay(folder.path(), &["--to-json"]);
    let records: Vec<Record> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, records.len(), &records[5].what), (Some(0), 6, &What::Ended));
}

#[test]
fn a_rejected_run_ends_with_1_and_names_file_and_record() {
    let folder = tempfile::tempdir().unwrap();
    boot(folder.path(), 1, 1, [0, 2]);
    let (code, out, _) = replay(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(out.contains("node-001-boot-000001.trace: record 2 (node 1)") && out.contains("record 1 is missing"), "{out}");
    let (code, out, _) = replay(folder.path(), &["--json"]);
    let verdict: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &verdict["rejection"]["rule"]), (Some(1), &"Stream".into()));
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, error) = replay(folder.path(), &[]);
    assert!(code == Some(2) && error.contains("no trace file"), "{error}");
    fs::write(folder.path().join("node-001-boot-000001.trace"), "something else entirely").unwrap();
    let (code, _, error) = replay(folder.path(), &[]);
    assert!(code == Some(2) && error.contains("not a trace of this release"), "{error}");
    fs::remove_file(folder.path().join("node-001-boot-000001.trace")).unwrap();
    boot(folder.path(), 1, 1, [0, 1]);
    fs::copy(folder.path().join(file_name(NodeId(1), 1)), folder.path().join("copy.trace")).unwrap();
    let (code, _, error) = replay(folder.path(), &[]);
    assert!(code == Some(2) && error.contains("keep each run in a folder of its own"), "{error}");
    assert_eq!(replay(folder.path(), &["--sideways"]).0, Some(2));
}

#[test]
fn a_group_without_records_has_no_module() {
    let folder = tempfile::tempdir().unwrap();
    boot(folder.path(), 1, 1, [0, 1]);
    let program = env!("CARGO_BIN_EXE_roadstead-conformance");
    let Output { status, stderr, .. } = Command::new(program).arg("tla").arg(folder.path()).args(["--group", "3"]).output().unwrap();
    let error = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && error.contains("group 3: no records of it are here"), "{error}");
}

#[test]
fn a_mutant_that_is_noticed_ends_with_0() {
    let mutants = |options: &[&str]| {
        let program = env!("CARGO_BIN_EXE_roadstead-conformance");
        let Output { status, stdout, stderr } = Command::new(program).arg("mutants").args(options).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (code, out, _) = mutants(&["VoteLost", "--json"]);
    let one: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &one["mutant"], &one["good"], &one["expected"]), (Some(0), &"VoteLost".into(), &true.into(), &"DUTY-2".into()));
    let (code, _, error) = mutants(&["NoSuchMutant"]);
    assert!(code == Some(2) && error.contains("there is no mutant \"NoSuchMutant\""), "{error}");
    let (code, out, _) = mutants(&["--list"]);
    assert!(code == Some(0) && out.contains("VoteLost") && out.contains("votes are not written, only terms"), "{out}");
}
