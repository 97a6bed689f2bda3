//! `roadstead check` and `roadstead repair` on folders of a store: sound, torn, damaged, in use, none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use roadstead::store::{Expected, Store};
use roadstead_spec::NodeId;
use serde_json::Value;

fn roadstead(args: &[&str], data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roadstead")).args(args).arg(data).output().unwrap()
}

fn check(args: &[&str], data: &Path, code: i32, stdout: &[&str], stderr: &[&str]) {
    let output = roadstead(args, data);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    for part in stdout {
        assert!(out.contains(part), "stdout lacks {part:?}:\n{out}{err}");
    }
    for part in stderr {
        assert!(err.contains(part), "stderr lacks {part:?}:\n{err}");
    }
}

fn open(data: &Path) -> Store {
    Store::open(data, Expected { cluster: 42, node: NodeId(3) }).unwrap_or_else(|error| panic!("{error}"))
}

/// A folder of a node that was started twice.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    drop(open(&data));
    drop(open(&data));
    (dir, data)
}

/// The log database's journals.
fn journals(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).collect()
}

#[test]
fn a_sound_folder_is_reported_with_its_owner() {
    let (_dir, data) = folder();
    check(&["check"], &data, 0, &["node 3 of cluster 0x0000000000000000000000000000002a, format 1", "\nsound\n"], &[]);
    let report: Value = serde_json::from_slice(&roadstead(&["check", "--json"], &data).stdout).unwrap();
    assert_eq!((&report["node"], report["problems"].as_array().map(Vec::len)), (&Value::from(3), Some(0)));
    assert_eq!(report["last_batch"], report["witnessed_batch"]);
    check(&["repair"], &data, 0, &["nothing to repair"], &[]);
    check(&["repair", "--yes"], &data, 0, &["nothing to repair"], &[]);
}

#[test]
fn a_folder_in_use_or_none_at_all_is_refused() {
    let (dir, data) = folder();
    let nowhere = dir.path().join("nowhere");
    for command in ["check", "repair"] {
        check(&[command], &nowhere, 1, &[], &["error: ", "nowhere"]);
        let in_use = open(&data);
        check(&[command], &data, 1, &[], &["error: ", "use"]);
        drop(in_use);
    }
    assert!(!nowhere.exists(), "looking creates nothing");
}

/// Goal: a flipped bit in what the witness remembers is a problem that nobody may cut away.
#[test]
fn damage_that_was_acknowledged_is_found_and_never_repaired() {
    let (_dir, data) = folder();
    let journal = journals(&data).into_iter().find(|path| fs::read(path).unwrap().iter().any(|byte| *byte != 0)).unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 0x10;
    fs::write(&journal, &bytes).unwrap();

    check(&["check"], &data, 1, &["\n! "], &["1 problem", "lines that begin with !"]);
    let report: Value = serde_json::from_slice(&roadstead(&["check", "--json"], &data).stdout).unwrap();
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(1), "{report}");
    check(&["repair", "--yes"], &data, 1, &[], &["error: nothing was changed: "]);
    assert_eq!(fs::read(&journal).unwrap(), bytes);
}
