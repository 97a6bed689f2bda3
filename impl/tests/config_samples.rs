//! The samples parse, and samples and documentation explain every key with the values that hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use roadstead::config::{KEYS, Limits, NodeConfig, Parameter, Timers, keys_of};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn read(path: &str) -> String {
    fs::read_to_string(docs().join(path)).unwrap()
}

fn load(path: &str) -> NodeConfig {
    NodeConfig::load(&docs().join("examples").join(path)).unwrap_or_else(|error| panic!("{error}"))
}

/// Goal: nobody copies a sample that does not start. Method: parse every file of the folder.
#[test]
fn every_sample_parses() {
    let mut seen = Vec::new();
    let mut folders = vec![docs().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                NodeConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
                seen.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    seen.sort();
    assert_eq!(seen, ["n1.toml", "n2.toml", "n3.toml", "node.toml", "single.toml"]);
}

#[test]
fn the_three_nodes_agree_on_cluster_groups_and_addresses() {
    let nodes = [1, 2, 3].map(|n| load(&format!("three-nodes/n{n}.toml")));
    for node in &nodes {
        assert_eq!(node.cluster, nodes[0].cluster);
        assert_eq!(node.groups, nodes[0].groups);
        assert_eq!(node.peers.len(), 2);
        for other in nodes.iter().filter(|other| other.node != node.node) {
            assert_eq!(node.peers[&other.node].to_string(), other.listen.to_string());
        }
    }
}

/// Goal: the full sample tells the truth. Method: what it writes down equals what holds without it, and no key is left out.
#[test]
fn the_full_sample_has_every_key_and_the_real_defaults() {
    let config = load("node.toml");
    assert_eq!(config.timers, Timers::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.header, Default::default());
    assert_eq!(config.log, Default::default());
    assert!(config.data.ends_with("docs/examples/data"), "relative to the file: {}", config.data.display());

    let sample: toml::Table = toml::from_str(&read("examples/node.toml")).unwrap();
    for (table, _) in KEYS {
        let values = match sample.get(*table) {
            None => &sample,
            Some(toml::Value::Array(tables)) => tables[0].as_table().unwrap(),
            Some(value) => value.as_table().unwrap(),
        };
        for key in keys_of(table) {
            assert!(values.contains_key(key), "docs/examples/node.toml lacks {key} of [{table}]");
        }
    }
}

/// Goal: the tables of docs/operate.md name every key and, for numbers, the default and range that hold.
#[test]
fn the_documentation_explains_every_key() {
    let text = read("operate.md");
    for (table, keys) in KEYS {
        let tables = ["listen", "peer", "group", "etcd", "route", "timers", "limits", "storage", "admin", "log"];
        for key in keys.iter().filter(|key| !(table.is_empty() && tables.contains(key))) {
            let cell = match *table {
                "" => format!("| `{key}` |"),
                "peer" | "group" | "route" => format!("| `[[{table}]] {key}` |"),
                _ => format!("| `[{table}] {key}` |"),
            };
            assert!(text.contains(&cell), "docs/operate.md lacks the row {cell}");
        }
    }
    for parameter in Timers::PARAMETERS.iter().chain(Limits::PARAMETERS) {
        let row = row_of(parameter);
        assert!(text.lines().any(|line| line == row), "docs/operate.md lacks the row\n{row}");
    }
}

fn row_of(Parameter { section, key, default, fast, min, max, about }: &Parameter) -> String {
    let [default, fast, min, max] = [default, fast, min, max].map(|number| grouped(*number));
    match *section {
        "timers" => format!("| `{key}` | {default} | {fast} | {min} – {max} |{about} |"),
        _ => format!("| `{key}` | {default} | {min} – {max} |{about} |"),
    }
}

/// As TOML lets one write it: 1_000_000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut parts: Vec<&str> = Vec::new();
    if head > 0 {
        parts.push(&digits[..head]);
    }
    parts.extend((head..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    parts.join("_")
}
