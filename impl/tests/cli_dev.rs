//! `roadstead dev` with real nodes: ready, a node killed and started again by hand, an orderly end, and the supervisor's own violent end.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_roadstead");

struct Cluster {
    dir: tempfile::TempDir,
    port: u16,
    supervisor: Child,
    lines: BufReader<ChildStdout>,
}

/// The first of three ports in a row that are free now and lie below those that the system gives to connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 1_000) as u16 * 16;
    let mut candidates = (0..1_000).map(|_| 10_000 + (start + NEXT.fetch_add(3, Ordering::Relaxed)) % 20_000);
    candidates.find(|port| (*port..port + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())).unwrap()
}

fn start(groups: &str) -> Cluster {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(PROGRAM);
    command.args(["dev", "--groups", groups, "--port", &port.to_string(), "--dir"]).arg(dir.path().join("cluster"));
    let mut supervisor = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(supervisor.stdout.take().unwrap());
    Cluster { dir, port, supervisor, lines }
}

impl Cluster {
    /// Reads on to the line that begins so; fails at the end of the output.
    fn line(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the output ended before {beginning:?}");
            if line.starts_with(beginning) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn file(&self, node: u32, name: &str) -> PathBuf {
        self.dir.path().join(format!("cluster/n{node}/{name}"))
    }

    fn pid(&self, node: u32) -> String {
        fs::read_to_string(self.file(node, "pid")).unwrap().trim().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        let endpoints = (0..3).map(|n| format!("127.0.0.1:{}", self.port + n)).collect::<Vec<_>>().join(",");
        let output = Command::new(PROGRAM).args(args).args(["--endpoints", &endpoints, "--timeout", "30"]).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        output
    }

    /// Whether nobody listens on a node's port.
    fn is_free(&self, node: u16) -> bool {
        TcpListener::bind(("127.0.0.1", self.port + node - 1)).is_ok()
    }
}

/// A test that fails leaves no nodes behind: they stop with their supervisor.
impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

#[test]
fn a_killed_node_is_shown_and_starts_again_by_the_printed_command() {
    let mut cluster = start("4");
    assert!(cluster.line("ready").starts_with("ready: 4 groups have a leader; endpoints 127.0.0.1:"));
    cluster.run(&["kv", "put", "hello", "world", "--group", "4"]);
    let before = cluster.pid(2);
    kill("-9", &before);
    let down = cluster.line("node 2 is down: killed by signal 9; start it again: ");
    cluster.run(&["kv", "put", "hello", "again", "--group", "4"]);

    let (_, command) = down.split_once("start it again: ").unwrap();
    let mut by_hand = Command::new("sh").args(["-c", &format!("exec {command}")]).stderr(Stdio::null()).spawn().unwrap();
    let up = cluster.line("node 2 is up");
    assert!(up.ends_with(&format!("pid {}", by_hand.id())), "{up}");
    assert_eq!(cluster.pid(2), by_hand.id().to_string());
    assert_eq!(cluster.run(&["kv", "get", "hello", "--value-only", "--group", "4"]).stdout, b"again\n");
    cluster.run(&["status"]);

    kill("-TERM", &cluster.supervisor.id().to_string());
    assert_eq!(by_hand.wait().unwrap().code(), Some(0), "the node started by hand is stopped with the rest");
    assert_eq!(cluster.supervisor.wait().unwrap().code(), Some(0));
    assert!((1..=3).all(|node| cluster.is_free(node)));
    assert!(!cluster.file(1, "pid").exists());
}

/// Goal: nodes do not outlive a supervisor that was killed. Method: each node has its own end of a log that this test can wait for: its process
/// ends, so its port is free.
#[test]
fn nodes_stop_when_the_supervisor_is_killed() {
    let mut cluster = start("1");
    cluster.line("ready");
    let pids: Vec<String> = (1..=3).map(|node| cluster.pid(node)).collect();
    cluster.supervisor.kill().unwrap();
    cluster.supervisor.wait().unwrap();
    for pid in pids {
        // `tail --pid` waits for a process that is not our child.
        assert!(Command::new("timeout").args(["60", "tail", "--pid", &pid, "-f", "/dev/null"]).status().unwrap().success());
    }
    assert!((1..=3).all(|node| cluster.is_free(node)));
}

/// A second start on the same ports must say so before it touches anything.
#[test]
fn a_port_in_use_is_named_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _taken = TcpListener::bind(("127.0.0.1", port + 1)).unwrap();
    let mut command = Command::new(PROGRAM);
    let output = command.args(["dev", "--port", &port.to_string(), "--dir"]).arg(dir.path().join("cluster")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with(&format!("error: port {} is in use; nothing was started\nhint: ", port + 1)), "{stderr}");
    assert!(output.stdout.is_empty() && !dir.path().join("cluster").exists());
}

/// A node that refuses its configuration ends the command, with its words.
#[test]
fn a_node_that_refuses_to_start_ends_the_command_with_its_reason() {
    let mut cluster = start("1");
    cluster.line("ready");
    kill("-TERM", &cluster.supervisor.id().to_string());
    cluster.supervisor.wait().unwrap();
    let config = cluster.file(2, "node.toml");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("cluster = \"dev\"", "cluster = \"other\"")).unwrap();
    let output = Command::new(PROGRAM).arg("dev").arg("--dir").arg(cluster.dir.path().join("cluster")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.starts_with("error: node 2 ended with exit code 2 before the cluster was ready") && stderr.contains("cluster"),
        "{stderr}"
    );
    assert!((1..=3).all(|node| cluster.is_free(node)));
}
