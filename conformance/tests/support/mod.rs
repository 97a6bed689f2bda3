//! Three real processes, on real sockets and real disks, that record what they do.

use roadstead::{
    GroupId,
    client::{Client, ClientOptions, Consistency, KvClient},
    service::kv::{PutRequest, RangeRequest},
};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// What has not happened by then counts as failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// Logs that are soon compacted, so that a member that was away needs a snapshot.
const LIMITS: &str = "[limits]\nsnapshot_entries = 100\nsnapshot_keep_entries = 5\n";

/// The cluster.
pub(crate) struct Cluster {
    folder: TempDir,
    groups: Vec<i32>,
    addresses: Vec<SocketAddr>,
    nodes: Vec<Option<Child>>,
    runtime: Runtime,
    written: u64,
}

impl Cluster {
    /// Three running nodes with these groups.
    pub(crate) fn start(groups: &[i32]) -> Self {
        let mut cluster = Self {
            folder: TempDir::new().unwrap(),
            groups: groups.to_vec(),
            addresses: (0..3).map(|_| free_address()).collect(),
            nodes: vec![None, None, None],
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            written: 0,
        };
        for id in 1..=3 {
            fs::write(cluster.path(&format!("n{id}.toml")), cluster.config(id, groups)).unwrap();
            cluster.start_node(id);
        }
        cluster
    }

    /// Where the nodes record what they do.
    pub(crate) fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    /// Starts a node that does not run.
    pub(crate) fn start_node(&mut self, id: usize) {
        let log = File::options().create(true).append(true).open(self.path(&format!("n{id}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_node-under-test"));
        command.args(["node", "--exit-with-stdin", "--config"]).arg(self.path(&format!("n{id}.toml"))).arg("--trace").arg(self.trace());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.nodes[id - 1] = Some(child);
    }

    /// SIGKILL, once the node serves its groups: what it was to recover is recovered.
    pub(crate) fn kill(&mut self, id: usize) {
        let serves = || self.groups.iter().all(|group| status(&self.addresses[id - 1], *group).is_some());
        until("the node to serve its groups", || serves().then_some(()));
        let mut child = self.nodes[id - 1].take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends all nodes in order.
    pub(crate) fn stop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            drop(child.stdin.take());
        }
        for child in self.nodes.iter_mut().flatten() {
            until("the node to stop", || child.try_wait().unwrap());
        }
    }

    /// Writes to each group, with some writes at once, until `count` are acknowledged; what has another outcome is no matter here.
    pub(crate) fn write(&mut self, groups: &[i32], count: u64, value_bytes: usize) {
        let kv: Vec<KvClient> = groups.iter().map(|group| self.kv(*group, &self.addresses)).collect();
        let goal = self.written + count;
        let begun = Instant::now();
        while self.written < goal {
            assert!(begun.elapsed() < DEADLINE, "{} of {count} writes were acknowledged", count - (goal - self.written));
            let number = self.written;
            let puts = kv.iter().flat_map(|kv| (0..WRITES_AT_ONCE).map(move |writer| (kv, writer)));
            let outcomes = puts.map(|(kv, writer)| kv.put(PutRequest::new(format!("{number}/{writer}"), vec![7; value_bytes])));
            let outcomes: Vec<_> = self.runtime.block_on(async { join_all(outcomes).await });
            self.written += outcomes.into_iter().filter(Result::is_ok).count() as u64;
        }
    }

    /// Linearizable reads through each node alone, so that followers ask their leader.
    pub(crate) fn read(&self, groups: &[i32]) {
        for address in &self.addresses {
            for group in groups {
                let kv = self.kv(*group, std::slice::from_ref(address));
                let _ = self.runtime.block_on(kv.range(RangeRequest::key("0/0"), Consistency::Linearizable));
            }
        }
    }

    /// The node that leads a group.
    pub(crate) fn leader(&self, group: i32) -> usize {
        let leads = |place: &usize| self.nodes[*place].is_some() && leads(&self.addresses[*place], group);
        until("a leader", || (0..self.nodes.len()).find(leads)) + 1
    }

    /// Removes a group from one node for good.
    #[allow(dead_code, reason = "not every test does")]
    pub(crate) fn remove_group(&self, id: usize, group: i32) {
        let address = &self.addresses[id - 1];
        // An answer that came too late is no reason to wait: then the group is not there any more.
        let is_gone = |text: &String| text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 404");
        until("the group to be removed", || ask(address, "DELETE", group).filter(is_gone));
    }

    fn kv(&self, group: i32, addresses: &[SocketAddr]) -> KvClient {
        let _inside = self.runtime.enter();
        let options = ClientOptions { timeout: Duration::from_secs(2), ..ClientOptions::of(addresses.iter().map(ToString::to_string)) };
        KvClient::new(Client::new(options).group(GroupId::new(group).unwrap()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, id: usize, groups: &[i32]) -> String {
        let address = |id: usize| self.addresses[id - 1];
        let mut text = format!(
            "node = {id}\ncluster = \"conformance\"\ndata = \"n{id}\"\n\n[listen]\naddr = \"{}\"\n\n[timers]\nprofile = \"fast\"\n\n{LIMITS}",
            address(id)
        );
        for peer in (1..=3).filter(|peer| *peer != id) {
            text.push_str(&format!("\n[[peer]]\nid = {peer}\naddr = \"{}\"\n", address(peer)));
        }
        for group in groups {
            text.push_str(&format!("\n[[group]]\nid = {group}\nmembers = [1, 2, 3]\nconsensus_protocol = \"raft\"\n"));
        }
        text
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            let _ = child.kill(); // it may have ended already
            let _ = child.wait();
        }
    }
}

const WRITES_AT_ONCE: u64 = 8;

/// Waits for a condition, with a deadline.
fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All outcomes; the futures run side by side.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, outcome) in running.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *outcome = Some(value);
            }
        }
        if running.iter().all(|(_, outcome)| outcome.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, outcome)| outcome).collect()
}

/// Whether a node says that it leads a group.
fn leads(address: &SocketAddr, group: i32) -> bool {
    status(address, group).is_some_and(|text| text.contains("\"role\":\"leader\""))
}

/// What a node says of a group; `None` if it does not run it (yet).
fn status(address: &SocketAddr, group: i32) -> Option<String> {
    ask(address, "GET", group).filter(|text| text.starts_with("HTTP/1.1 200"))
}

/// A node's answer to a request about a group; `None` if there was none.
fn ask(address: &SocketAddr, method: &str, group: i32) -> Option<String> {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect_timeout(address, Duration::from_millis(200)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    write!(socket, "{method} /v1/groups/{group} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    Some(text)
}

/// An address that is free now and below those that the system chooses from.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 1_000) as u16 * 16;
    let mut candidates = (0..1_000).map(|_| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let port = candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    SocketAddr::from(([127, 0, 0, 1], port.expect("one of a thousand ports is free")))
}

/// Keeps a trace where it can be looked at, when a test failed.
pub(crate) fn keep(trace: &Path, name: &str) -> PathBuf {
    let kept = std::env::temp_dir().join(format!("roadstead-{name}-{}", std::process::id()));
    fs::create_dir_all(&kept).unwrap();
    for entry in fs::read_dir(trace).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), kept.join(entry.file_name())).unwrap();
    }
    kept
}
