//! A cluster of processes: generated configurations, start, signals, and an end that comes in any case.

use crate::{admin, small_disk::is_root};
use roadstead::client::{Client, ClientOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What has not happened by then counts as failed. Far longer than anything takes on a machine that has something else to do as well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The members of every group that the tests configure.
pub(crate) const MEMBERS: &str = "[1, 2, 3]";

/// A node's folder, address and, while it runs, process.
pub(crate) struct Node {
    pub(crate) id: u32,
    pub(crate) endpoint: String,
    pub(crate) folder: PathBuf,
    around: Around,
    process: Option<Process>,
}

/// What a process runs in, if not in what the test runs in.
#[derive(Default)]
pub(crate) struct Around {
    /// Process in whose mount namespace it runs.
    within: Option<u32>,
    /// More of an environment.
    variables: Vec<(&'static str, PathBuf)>,
}

/// Three nodes.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) groups: Vec<i32>,
    _folder: TempDir,
}

/// A process that does not outlive the test: killed by its id when dropped, and by the end of its stdin if the test itself is killed.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(config: &Path, log: &Path, around: &Around) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let program = env!("CARGO_BIN_EXE_roadstead");
        let mut command = match around.within {
            None => Command::new(program),
            Some(pid) => {
                // It becomes the program: the process that is killed is the node.
                let mut command = Command::new("nsenter");
                if !is_root() {
                    command.arg(format!("--user=/proc/{pid}/ns/user")).arg("--preserve-credentials");
                }
                command.arg(format!("--mount=/proc/{pid}/ns/mnt")).arg(program);
                command
            }
        };
        command.envs(around.variables.iter().map(|(name, value)| (name, value)));
        command.args(["node", "--exit-with-stdin", "--config"]).arg(config);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the process to end", || self.0.try_wait().unwrap())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended already
        let _ = self.0.wait();
    }
}

impl Cluster {
    /// Three nodes with these groups, not started. `extra` is added to each configuration.
    pub(crate) fn new(groups: &[i32], extra: &str) -> Self {
        Self::linked(groups, extra, |_, _, address| address.to_owned())
    }

    /// The same; `link` says where a node reaches a peer, given both ids and where the peer really is.
    pub(crate) fn linked(groups: &[i32], extra: &str, mut link: impl FnMut(u32, u32, &str) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let endpoints: Vec<String> = (0..3).map(|_| free_endpoint()).collect();
        let nodes: Vec<Node> = (1..)
            .zip(&endpoints)
            .map(|(id, endpoint)| Node {
                id,
                endpoint: endpoint.clone(),
                folder: folder.path().join(format!("n{id}")),
                around: Around::default(),
                process: None,
            })
            .collect();
        for node in &nodes {
            fs::create_dir(&node.folder).unwrap();
            let peers = (1..).zip(&endpoints).filter(|(peer, _)| *peer != node.id);
            let peers: Vec<(u32, String)> = peers.map(|(peer, endpoint)| (peer, link(node.id, peer, endpoint))).collect();
            fs::write(node.config(), config(node, &peers, groups, extra)).unwrap();
        }
        Self { nodes, groups: groups.to_vec(), _folder: folder }
    }

    /// Three running nodes whose groups have leaders.
    pub(crate) fn start(groups: &[i32], extra: &str) -> Self {
        let mut cluster = Self::new(groups, extra);
        cluster.start_all();
        cluster
    }

    /// Starts all three nodes and waits for leaders.
    pub(crate) fn start_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::start);
        self.wait_for_leaders();
    }

    /// SIGKILL to every node.
    pub(crate) fn kill_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::kill);
    }

    pub(crate) fn node(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize - 1]
    }

    pub(crate) fn endpoint(&self, id: u32) -> &str {
        &self.nodes[id as usize - 1].endpoint
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.endpoint.clone()).collect()
    }

    /// A native client that knows all nodes.
    pub(crate) fn client(&self, timeout: Duration) -> Client {
        Client::new(ClientOptions { timeout, ..ClientOptions::of(self.endpoints()) })
    }

    /// The running node that leads a group and that every running member takes for the leader.
    pub(crate) fn leader(&self, group: i32) -> u32 {
        until("a leader that all running nodes know", || self.leader_now(group))
    }

    fn leader_now(&self, group: i32) -> Option<u32> {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.process.is_some()).collect();
        let known: Option<Vec<u64>> = running.iter().map(|node| node.group(group)?["leader"].as_u64()).collect();
        let known = known?;
        let leader = *known.first()? as u32;
        (known.iter().all(|other| *other == u64::from(leader)) && running.iter().any(|node| node.id == leader)).then_some(leader)
    }

    pub(crate) fn wait_for_leaders(&self) {
        for group in &self.groups {
            self.leader(*group);
        }
    }

    /// A running node that does not lead the group.
    pub(crate) fn follower(&self, group: i32) -> u32 {
        let leader = self.leader(group);
        self.nodes.iter().find(|node| node.id != leader && node.process.is_some()).unwrap().id
    }

    /// Waits until each node has applied what any of them knows to be committed.
    pub(crate) fn wait_until_level(&self) {
        for group in &self.groups {
            let statuses = || self.nodes.iter().map(|node| node.group(*group)).collect::<Option<Vec<Value>>>();
            let wanted = until("all nodes to answer", statuses).iter().filter_map(|status| status["commit"].as_u64()).max().unwrap();
            until("all nodes to catch up", || statuses()?.iter().all(|status| status["applied"].as_u64() >= Some(wanted)).then_some(()));
        }
    }
}

impl Drop for Cluster {
    /// A failed test shows what the nodes said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                let log = node.log();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("---- the last lines of node {}:\n{}", node.id, lines[lines.len().saturating_sub(60)..].join("\n"));
            }
        }
    }
}

impl Node {
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// From its next start on it sees the mounts of this process's namespace.
    pub(crate) fn enter(&mut self, pid: u32) {
        self.around.within = Some(pid);
    }

    /// From its next start on it has this variable in its environment.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<PathBuf>) {
        self.around.variables.push((name, value.into()));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Everything that it wrote on stderr, over all its starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(crate) fn start(&mut self) {
        assert!(self.process.is_none(), "node {} runs already", self.id);
        self.process = Some(Process::spawn(&self.config(), &self.folder.join("log"), &self.around));
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// SIGKILL, and the death awaited.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and the orderly end awaited.
    pub(crate) fn terminate(&mut self) {
        self.process().signal(Signal::TERM);
        assert!(self.wait().success(), "node {} ends in order", self.id);
    }

    /// Writes `header` into the configuration, for the next start.
    pub(crate) fn set_header(&self, header: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("header = ")).collect();
        fs::write(self.config(), format!("header = \"{header}\"\n{}\n", kept.join("\n"))).unwrap();
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.take().unwrap().wait()
    }

    /// Whether its port answers.
    pub(crate) fn wait_until_up(&mut self) {
        let endpoint = self.endpoint.clone();
        let process = self.process();
        until("the node to answer", || {
            assert!(!process.has_ended(), "the node on {endpoint} has ended");
            admin::get(&endpoint, "/v1/status").ok()
        });
    }

    /// A group as this node sees it; `None` while it does not answer or does not have the group.
    pub(crate) fn group(&self, group: i32) -> Option<Value> {
        admin::get(&self.endpoint, &format!("/v1/groups/{group}")).ok()
    }

    /// A peer as this node sees it.
    pub(crate) fn peer(&self, id: u32) -> Option<Value> {
        let status = admin::get(&self.endpoint, "/v1/status").ok()?;
        status["peers"].as_array()?.iter().find(|peer| peer["id"] == id).cloned()
    }

    /// Starts a node that must refuse: exit code, and what it said.
    pub(crate) fn refused(&mut self) -> (Option<i32>, String) {
        let before = self.log().len();
        self.start();
        let code = self.wait().code();
        (code, self.log().split_off(before))
    }
}

fn config(node: &Node, peers: &[(u32, String)], groups: &[i32], extra: &str) -> String {
    let mut text = format!(
        "node = {}\ncluster = \"faults\"\ndata = \"data\"\n\n[listen]\naddr = \"{}\"\n\n[timers]\nprofile = \"fast\"\n",
        node.id, node.endpoint
    );
    for (peer, endpoint) in peers {
        text.push_str(&format!("\n[[peer]]\nid = {peer}\naddr = \"{endpoint}\"\n"));
    }
    for group in groups {
        text.push_str(&format!("\n[[group]]\nid = {group}\nmembers = {MEMBERS}\nconsensus_protocol = \"raft\"\n"));
    }
    text + "\n" + extra + "\n"
}

pub(crate) fn free_endpoint() -> String {
    crate::free_port::free_address().to_string()
}

/// Runs a command of the program to its end.
pub(crate) fn roadstead(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roadstead")).args(args).output().unwrap()
}

/// A number that the environment says.
pub(crate) fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Waits for a condition, with a deadline.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
