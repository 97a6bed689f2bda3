//! The sessions of docs/etcd.md, typed again with the stock `etcdctl`, and `etcdctl check perf`.
//!
//! A line of a `console` block that begins with `$ ` is a command; the lines below it are what it prints, standard error included. After a change,
//! `ROADSTEAD_REWRITE=1 cargo test -p roadstead --test etcdctl` writes the document anew; the difference is then reviewed like code.

use roadstead::{
    config::{NodeConfig, Timers},
    launcher::Launcher,
    node::{Data, NodeOptions},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

/// The address in the documents.
const WRITTEN: &str = "127.0.0.1:7400";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// An address as wide as the written one, so that tables look alike: the other tests use ports of five digits.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 100) as u16 * 20;
    let mut candidates = (0..2_000).map(|_| 5_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 2_000);
    let port = candidates.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("one of two thousand ports is free")))
}

/// A node of the sample file, but for its address and folder, and where it is.
struct Node {
    address: SocketAddr,
    runtime: Runtime,
    launcher: Option<Launcher>,
    _folder: TempDir,
}

impl Node {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let address = free_address();
        let config = NodeConfig::load(&docs().join("examples/single.toml")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.listen.to_string(), WRITTEN);
        let options = NodeOptions { data: Data::Folder(folder.path().join("data")), timers: Timers::fast(), ..NodeOptions::from(config) };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let launcher = Some(runtime.block_on(Launcher::bind(address, options)).unwrap());
        Self { address, runtime, launcher, _folder: folder }
    }

    /// What a shell prints for a command, first on standard output, then on standard error.
    fn run(&self, command: &str) -> String {
        let command = command.replace(WRITTEN, &self.address.to_string());
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("ETCDCTL_API", "3").env("ETCDCTL_ENDPOINTS", self.address.to_string());
        let output = shell.output().unwrap();
        let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.code() != Some(127), "{error}this test types `etcdctl`; install it: apt-get install etcd-server etcd-client");
        // The client's own log has the time and the address of its code; the error itself follows in a line of its own.
        let told = error.lines().filter(|line| !line.starts_with("{\"level\":"));
        let lines: Vec<&str> = out.lines().chain(told).collect();
        lines.join("\n").replace(&self.address.to_string(), WRITTEN)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(launcher) = self.launcher.take() {
            self.runtime.block_on(launcher.shutdown(Duration::from_secs(1))).unwrap();
        }
    }
}

/// What must be the same in two runs: not times and sizes, nor how wide that makes a table.
fn comparable(text: &str) -> String {
    let mut kept = String::new();
    let mut after = "";
    for word in text.split_inclusive([' ', '\n', ',', ':', '|', '+']) {
        let bare = word.trim_end_matches([' ', '\n', ',', ':', '|', '+']);
        let is_number = bare.starts_with(|first: char| first.is_ascii_digit());
        let ends = &word[bare.len()..];
        if is_number && (after.ends_with("took = ") || after == "\"dbSize\":" || after == "\"dbSizeInUse\":") {
            kept += "N";
        } else if bare == "kB" || bare == "MB" {
            kept.truncate(kept.trim_end_matches([' ', '.']).trim_end_matches(|last: char| last.is_ascii_digit()).len());
            kept += "N";
        } else if !bare.is_empty() && bare.chars().all(|it| it == '-') {
            kept += "-";
        } else {
            kept += bare;
        }
        kept += if ends == " " && bare.is_empty() { "" } else { ends };
        after = if bare == "=" && after == "took " { "took = " } else { word };
    }
    kept
}

/// Goal: the page shows what is printed. Method: every command of it, in order, against one node.
#[test]
fn the_sessions_of_the_document_are_what_etcdctl_prints() {
    let node = Node::start();
    let file = docs().join("etcd.md");
    let text = fs::read_to_string(&file).unwrap();
    let (mut written, mut commands, mut session) = (String::new(), 0, false);
    let mut lines = text.lines().peekable();
    let mut wrong = Vec::new();
    while let Some(line) = lines.next() {
        written += &format!("{line}\n");
        session = if line.starts_with("```") { line == "```console" } else { session };
        let Some(command) = line.strip_prefix("$ ").filter(|_| session) else { continue };
        commands += 1;
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with("```") && !line.is_empty()) {
            expected.push(line);
        }
        let (expected, found) = (expected.join("\n"), node.run(command).replace("\n\n", "\n"));
        let found = found.trim_matches('\n').to_owned();
        let same = comparable(&expected) == comparable(&found);
        let shown = if same { &expected } else { &found };
        if !shown.is_empty() {
            written += &format!("{shown}\n");
        }
        if !same {
            wrong.push(format!("$ {command}\n  the document has:\n{expected}\n  etcdctl prints:\n{found}"));
        }
    }
    assert!(commands > 40, "{commands} commands: the sessions are there");
    if std::env::var_os("ROADSTEAD_REWRITE").is_some() {
        fs::write(&file, written).unwrap();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}

/// Goal: etcd's own load test runs against a node to its end, a minute later. How fast this machine is, it does not tell.
#[test]
fn check_perf_runs() {
    let printed = Node::start().run("etcdctl check perf --load=s");
    assert!(printed.contains("Throughput is") && printed.contains("Slowest request took") && !printed.contains("ERROR"), "{printed}");
}
