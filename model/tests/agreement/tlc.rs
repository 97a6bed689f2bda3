//! What TLC reaches, as `tla/check agree` tells it. That needs Java, and TLC in the cache or from PyPI.

use super::{judge::modules, vector::Vector};
use serde_json::Value;
use std::{collections::BTreeSet, process::Command};

/// The vectors of all states of a configuration.
pub(crate) fn vectors(name: &str) -> BTreeSet<Vector> {
    let done = Command::new(modules().join("check")).args(["agree", name, "--json"]).output().expect("tla/check runs");
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "this test needs what `tla/check` needs (`ci/java` installs Java): {error}");
    let row: Value = serde_json::from_slice(&done.stdout).expect("one configuration has this name");
    println!("TLC, {name}: {} states, {} s", row["distinct"], row["seconds"]);
    row["vectors"].as_array().expect("vectors").iter().map(Vector::read).collect()
}
