//! The same requests to a real etcd and to a node of ours, over gRPC: the answers must be the same, codes and texts of errors included, but for ids and
//! for where revisions begin.

#[path = "../free_port/mod.rs"]
mod free_port;
#[path = "../kv_member/mod.rs"]
#[allow(dead_code, reason = "the language's tests use it; here only requests are parsed")]
mod kv_member;
#[path = "../kv_script/mod.rs"]
#[allow(dead_code, unused_macros, unused_imports, reason = "here only requests are parsed")]
mod kv_script;
mod language;
mod odd;
mod server;

use language::{Case, Sent, own_cases, scripts, sent};
use roadstead::{
    GroupId, NodeId,
    config::Timers,
    launcher::Launcher,
    node::{GroupOptions, NodeOptions},
};
use roadstead_proto::etcdserverpb as pb;
use server::{Etcd, Server};
use std::time::Duration;
use tempfile::TempDir;

/// Fewer would be a smaller promise than the documentation gives.
const CASES_MIN: usize = 60;

/// Where we mean to differ: case, line, and why. Everything else must be the same.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "hash_at_revisions",
        "hash 3",
        "reads at the compacted revision work, so a hash there does, too: members can be compared right after a compaction",
    ),
    (
        "odd requests",
        "an unknown sort order",
        "etcd passes over it (and ends its process over an unknown sort target); ours refuses either",
    ),
    ("odd requests", "an unknown compare target", "with etcd such a compare holds; a condition that nobody understands is refused here"),
    ("odd requests", "an unknown compare result", "the same"),
];

/// Requests of the scripts that end the etcd process: it carries out a deletion up to the last key and then panics over a put that needs a key which
/// is gone. Ours refuses them; the state machine's own tests say how.
const CRASHES_OF_ETCD: &[&str] =
    &["txn [] [del a ..\\0; put b '' ignore_value] []", "txn [] [txn [] [del a ..\\0] []; put b 1 ignore_lease] []"];

/// Both servers, each with what its script's revisions are behind.
struct Pair {
    etcd: Server,
    ours: Server,
    differing: Vec<String>,
    compared: usize,
}

impl Pair {
    async fn run(&mut self, case: &Case) {
        let (there, here) = (self.etcd.empty().await, self.ours.empty().await);
        for line in case.lines.iter().filter(|line| !CRASHES_OF_ETCD.contains(&line.as_str())) {
            self.compare(&case.name, line, sent(line, there), sent(line, here), (there, here)).await;
        }
    }

    async fn compare(&mut self, name: &str, line: &str, to_etcd: Sent, to_us: Sent, (there, here): (i64, i64)) {
        let expected = self.etcd.ask(to_etcd, there).await;
        let found = self.ours.ask(to_us, here).await;
        self.compared += 1;
        let meant = DIFFERENCES.iter().any(|(case, request, _)| (*case, *request) == (name, line));
        if (expected == found) == meant {
            let verdict = if meant { "is listed as a difference and is none" } else { "differs" };
            self.differing.push(format!("{name}: {line}: {verdict}\n  etcd: {}\n  ours: {}", short(&expected), short(&found)));
        }
    }
}

/// Values of a megabyte are no help to anybody.
fn short(text: &str) -> &str {
    text.get(..2_000).unwrap_or(text)
}

#[tokio::test]
async fn answers_are_those_of_etcd() {
    let etcd = Etcd::start();
    let folder = TempDir::new().unwrap();
    let node = NodeId(1);
    let groups = vec![GroupOptions::raft(GroupId::new(1).unwrap(), "kv", &[node])];
    let address = free_port::free_address();
    let options = NodeOptions { cluster: 7, timers: Timers::fast(), groups, ..NodeOptions::new(node, address, folder.path()) };
    let launcher = Launcher::bind(address, options).await.unwrap();
    let mut pair =
        Pair { etcd: Server::connect(etcd.address).await, ours: Server::connect(address).await, differing: Vec::new(), compared: 0 };

    // Revisions begin elsewhere here, so that one that is not counted from the case's beginning shows.
    for _ in 0..5 {
        pair.ours.ask(Sent::Put(pb::PutRequest { key: "x".into(), ..Default::default() }), 0).await;
    }
    let mut cases = own_cases(include_str!("cases.txt"));
    let own = cases.len();
    cases.extend(scripts(include_str!("../kv_semantics.rs")));
    cases.extend(scripts(include_str!("../kv_transactions.rs")));
    assert!(own >= CASES_MIN && cases.len() > own, "{own} cases, {} with the scripts", cases.len());
    for case in &cases {
        pair.run(case).await;
    }
    for (name, request) in odd::requests() {
        let (there, here) = (pair.etcd.empty().await, pair.ours.empty().await);
        pair.compare("odd requests", "put a 1", sent("put a 1", there), sent("put a 1", here), (there, here)).await;
        pair.compare("odd requests", name, request.clone(), request, (there, here)).await;
    }
    println!("{} cases, {} answers compared", cases.len(), pair.compared);
    assert!(pair.differing.is_empty(), "{} answers differ:\n{}", pair.differing.len(), pair.differing.join("\n"));
    launcher.shutdown(Duration::from_secs(1)).await.unwrap();
}
