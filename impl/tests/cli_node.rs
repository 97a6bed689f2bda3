//! `roadstead node` as a process: how it starts, serves, refuses and ends.

mod free_port;

use std::{
    fs,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

fn roadstead(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roadstead")).args(args).output().unwrap()
}

/// A folder with the configuration of a single node; `group` is the table of its one group.
struct Node {
    _dir: tempfile::TempDir,
    config: PathBuf,
    endpoint: String,
}

const GROUP: &str = "[[group]]\nid = 1\nmembers = [1]\nconsensus_protocol = \"raft\"\n";

fn free_endpoint() -> String {
    free_port::free_address().to_string()
}

fn node(group: &str) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = free_endpoint();
    let config = dir.path().join("node.toml");
    let text =
        format!("node = 1\ncluster = \"test\"\ndata = \"data\"\n[timers]\nprofile = \"fast\"\n[listen]\naddr = \"{endpoint}\"\n{group}");
    fs::write(&config, text).unwrap();
    Node { _dir: dir, config, endpoint }
}

impl Node {
    fn start(&self, args: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead"));
        command.arg("node").arg("--config").arg(&self.config).args(args);
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// A request waits until the node is there and the group has a leader.
    fn kv(&self, args: &[&str]) -> Output {
        roadstead(&[&["kv"], args, &["--endpoints", &self.endpoint, "--timeout", "30"]].concat())
    }

    /// Runs to an end that comes by itself: exit code and log.
    fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.start(args).wait_with_output().unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
}

fn log(mut child: Child) -> String {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

#[test]
fn a_node_keeps_what_it_acknowledged_over_orderly_stops_and_kills() {
    let node = node(GROUP);
    let mut child = node.start(&[]);
    assert_eq!(stdout(&node.kv(&["put", "hello", "world"])), "OK\n");
    assert_eq!(stdout(&node.kv(&["get", "hello"])), "hello\nworld\n");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = log(child);
    assert!(log.contains(&format!("listening on {}", node.endpoint)) && log.contains("stopping"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");

    let mut child = node.start(&[]);
    assert_eq!(stdout(&node.kv(&["get", "hello", "--value-only"])), "world\n");
    assert_eq!(stdout(&node.kv(&["put", "hello", "again", "--prev-kv"])), "OK\nhello\nworld\n");
    child.kill().unwrap();
    child.wait().unwrap();

    let mut child = node.start(&[]);
    assert_eq!(stdout(&node.kv(&["get", "hello", "--value-only"])), "again\n");
    let range: serde_json::Value = serde_json::from_str(&stdout(&node.kv(&["range", "--json"]))).unwrap();
    assert_eq!((&range["kvs"][0]["version"], &range["count"]), (&2.into(), &1.into()), "{range}");
    assert_eq!(stdout(&node.kv(&["del", "h", "--prefix"])), "1\n");
    assert_eq!(stdout(&node.kv(&["get", "hello"])), "");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let data = node.config.with_file_name("data");
    assert!(stdout(&roadstead(&["check", data.to_str().unwrap()])).ends_with("sound\n"));
}

#[test]
fn a_transaction_takes_the_branch_that_its_comparisons_choose() {
    let node = node(GROUP);
    let mut child = node.start(&[]);
    let file = node.config.with_file_name("txn");
    let txn = |text: &str| {
        fs::write(&file, text).unwrap();
        stdout(&node.kv(&["txn", file.to_str().unwrap()]))
    };
    let lock = "version(lock) = 0\n\nput lock me\n\nget lock\n";
    assert_eq!(txn(lock), "SUCCESS\n\nOK\n");
    assert_eq!(txn(lock), "FAILURE\n\nlock\nme\n");
    let json = r#"{"compare": [{"target": "value", "key": "lock", "result": "=", "value": "me"}],
                   "success": [{"txn": {"success": [{"del": {"key": "lock"}}]}}]}"#;
    assert_eq!(txn(json), "SUCCESS\n\nSUCCESS\n\n1\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn compaction_gives_up_old_revisions_and_keeps_the_newest() {
    let node = node(GROUP);
    let mut child = node.start(&[]);
    for value in ["a", "b", "c"] {
        assert_eq!(stdout(&node.kv(&["put", "key", value])), "OK\n");
    }
    assert_eq!(stdout(&node.kv(&["get", "key", "--rev", "3", "--value-only"])), "b\n");
    assert_eq!(stdout(&node.kv(&["compact", "3"])), "revisions below 3 are compacted\n");
    assert_eq!(stdout(&node.kv(&["get", "key", "--rev", "3", "--value-only"])), "b\n");
    let gone = node.kv(&["get", "key", "--rev", "2"]);
    assert!(!gone.status.success() && String::from_utf8_lossy(&gone.stderr).contains("compacted"), "{gone:?}");
    assert_eq!(stdout(&node.kv(&["compact", "--physical", "--json"])), "{\"compacted\":4}\n");
    assert_eq!(stdout(&node.kv(&["get", "key", "--value-only"])), "c\n");
    let again = node.kv(&["compact", "4"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("compacted"), "{again:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A supervisor that is killed cannot stop its nodes; the end of their stdin does.
#[test]
fn a_node_stops_with_its_supervisor_if_told_so() {
    let node = node(GROUP);
    let mut child = node.start(&["--exit-with-stdin"]);
    assert_eq!(stdout(&node.kv(&["put", "a", "1"])), "OK\n");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_absent_protocol_ends_with_2_an_error_line_and_the_line_to_add() {
    let absent = node("[[group]]\nid = 1\nmembers = [1]\n");
    let (code, log) = absent.refused(&[]);
    assert_eq!(code, Some(2));
    assert!(log.contains("ERROR") && log.contains("node.toml:8: group 1: consensus_protocol: absent means \"pbft\""), "{log}");
    assert!(log.ends_with("\n    consensus_protocol = \"raft\"\n"), "{log}");
    assert!(!absent.config.with_file_name("data").exists(), "nothing was begun");

    let (code, log) = absent.refused(&["--log", "json"]);
    let line: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((code, &line["level"]), (Some(2), &"ERROR".into()));
}

#[test]
fn a_port_in_use_ends_with_1_and_names_the_address() {
    let node = node(GROUP);
    let _taken = TcpListener::bind(&node.endpoint).unwrap();
    let (code, log) = node.refused(&[]);
    assert_eq!(code, Some(1));
    assert!(log.contains("ERROR") && log.contains(&node.endpoint), "{log}");
}

#[test]
fn another_nodes_folder_ends_with_2() {
    let node = node(GROUP);
    let mut child = node.start(&[]);
    assert_eq!(stdout(&node.kv(&["put", "a", "1"])), "OK\n");
    terminate(&child);
    child.wait().unwrap();
    let change = |from: &str, to: &str| {
        let text = fs::read_to_string(&node.config).unwrap();
        fs::write(&node.config, text.replace(from, to)).unwrap();
    };
    change("cluster = \"test\"", "cluster = \"other\"");
    let (code, log) = node.refused(&[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("cluster"), "{log}");
    change("cluster = \"other\"", "cluster = \"test\"");
    change("node = 1", "node = 2");
    change("members = [1]", "members = [2]");
    let (code, log) = node.refused(&[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(Path::new(&node.config).exists() && log.contains("node"), "{log}");
}
