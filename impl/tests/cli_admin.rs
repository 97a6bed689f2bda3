//! The commands that use the admin API, against nodes that are played by this test.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use roadstead::api::types::{
    ErrorBody, ErrorCode, GroupChanged, GroupCounts, GroupList, GroupSpec, GroupState, GroupStatus, NodeStatus, PeerState, PeerStatus,
    Queues, Role, StorageStatus,
};
use serde_json::{Value, json};

type Groups = BTreeMap<i32, GroupSpec>;

/// A played node: its groups, and the requests it got (method, path, token).
#[derive(Clone)]
struct Node {
    id: u32,
    addresses: Arc<Vec<String>>,
    groups: Arc<Mutex<Groups>>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// Three nodes that know each other.
fn cluster() -> Vec<Node> {
    let listeners: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = Arc::new(listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect::<Vec<_>>());
    let play = |(place, listener): (usize, TcpListener)| {
        let node = Node { id: place as u32 + 1, addresses: Arc::clone(&addresses), groups: Arc::default(), seen: Arc::default() };
        let played = node.clone();
        thread::spawn(move || listener.incoming().for_each(|stream| played.serve(stream.unwrap())));
        node
    };
    listeners.into_iter().enumerate().map(play).collect()
}

impl Node {
    /// One request per connection.
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let (mut line, mut length, mut token) = (String::new(), 0, String::new());
        reader.read_line(&mut line).unwrap();
        let request: Vec<&str> = line.split_whitespace().collect();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            match header.trim().split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("authorization", value)) => token = format!(" {value}"),
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        self.seen.lock().unwrap().push(format!("{} {}{token}", request[0], request[1]));
        let (status, answer) = self.answer(request[0], request[1], &body);
        let answer = answer.to_string();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        reader.into_inner().write_all(format!("{head}{answer}").as_bytes()).unwrap();
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let mut groups = self.groups.lock().unwrap();
        let id = path.strip_prefix("/v1/groups/").and_then(|rest| rest.split('/').next()?.parse::<i32>().ok());
        let refuse = |code: ErrorCode, error: &str| {
            (code.http_status(), json!(ErrorBody { error: error.to_owned(), code, hint: Some("the hint".to_owned()) }))
        };
        match (method, path, id) {
            ("GET", "/v1/status", _) => (200, json!(self.status())),
            ("GET", "/v1/groups", _) => {
                (200, json!(GroupList { node: self.id, groups: groups.values().map(|spec| self.group(spec)).collect() }))
            }
            ("POST", "/v1/groups", _) => {
                let spec: GroupSpec = serde_json::from_slice(body).unwrap();
                let id = spec.id as i32;
                if groups.contains_key(&id) {
                    return refuse(ErrorCode::AlreadyRegistered, "group 9 is there already");
                }
                groups.insert(id, spec);
                (200, json!(GroupChanged { id, incarnation: "00000000000000aa".to_owned() }))
            }
            (_, _, Some(id)) if !groups.contains_key(&id) => refuse(ErrorCode::NoSuchGroup, &format!("node {} has no group {id}", self.id)),
            ("GET", _, Some(id)) if path.contains("/log") => (
                200,
                json!({"id": id, "first": 1, "last": 3, "commit": 3, "entries": [
                {"index": 3, "epoch": 1, "kind": "command", "size": 2, "preview": "abcd"}]}),
            ),
            ("GET", _, Some(id)) => (200, json!(self.group(&groups[&id]))),
            ("DELETE", _, Some(id)) => {
                groups.remove(&id);
                (200, json!(GroupChanged { id, incarnation: "00000000000000aa".to_owned() }))
            }
            _ => refuse(ErrorCode::NotFound, "no such path"),
        }
    }

    fn status(&self) -> NodeStatus {
        let peers = (1..=3).filter(|id| *id != self.id).map(|id| PeerStatus {
            id,
            addr: self.addresses[id as usize - 1].clone(),
            state: PeerState::Connected,
            header_version: Some(1),
            reason: None,
        });
        NodeStatus {
            node: self.id,
            cluster: "0x00000000000000000000000000000001".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 1,
            uptime_seconds: 1.0,
            listen: self.addresses[self.id as usize - 1].clone(),
            peers: peers.collect(),
            storage: StorageStatus::default(),
            groups: GroupCounts::default(),
            alarms: Vec::new(),
        }
    }

    fn group(&self, spec: &GroupSpec) -> GroupStatus {
        GroupStatus {
            id: spec.id as i32,
            generation: spec.generation.unwrap(),
            incarnation: "00000000000000aa".to_owned(),
            service: "kv".to_owned(),
            consensus_protocol: "raft".to_owned(),
            members: BTreeSet::from_iter(spec.members.iter().copied()).into_iter().collect(),
            state: GroupState::Running,
            role: if self.id == 2 { Role::Leader } else { Role::Follower },
            leader: Some(2),
            epoch: 1,
            first: 1,
            last: 3,
            commit: 3,
            applied: 3,
            snapshot: 0,
            progress: Vec::new(),
            queues: Queues::default(),
            idle_seconds: 0.0,
            unavailable: None,
        }
    }
}

fn roadstead(node: &Node, args: &[&str]) -> Output {
    let endpoint = &node.addresses[node.id as usize - 1];
    Command::new(env!("CARGO_BIN_EXE_roadstead")).args(args).args(["--endpoints", endpoint]).env_remove("ROADSTEAD_TOKEN").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const ADD: &[&str] = &["group", "add", "9", "--members", "3,1,2", "--consensus-protocol", "raft"];

#[test]
fn a_group_is_added_on_all_members_through_one_endpoint() {
    let nodes = cluster();
    let output = roadstead(&nodes[0], &[ADD, &["--token", "0123456789abcdef"]].concat());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stdout(&output), "group 9, node 3: added\ngroup 9, node 1: added\ngroup 9, node 2: added\n");
    for node in &nodes {
        assert!(node.groups.lock().unwrap().contains_key(&9));
        assert!(node.seen.lock().unwrap().contains(&"POST /v1/groups Bearer 0123456789abcdef".to_owned()));
    }
}

/// A command that was done in part may be repeated; a different group under the id is not mistaken for it.
#[test]
fn adding_again_leaves_the_same_group_and_refuses_another() {
    let nodes = cluster();
    roadstead(&nodes[0], ADD);
    nodes[1].groups.lock().unwrap().remove(&9);
    let again = roadstead(&nodes[0], ADD);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(stdout(&again), "group 9, node 3: was there already\ngroup 9, node 1: was there already\ngroup 9, node 2: added\n");

    let other = roadstead(&nodes[0], &[ADD, &["--generation", "2", "--json"]].concat());
    assert_eq!(other.status.code(), Some(1));
    let outcomes: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(outcomes[0]["done"], false);
    assert!(outcomes[0]["message"].as_str().unwrap().ends_with("group 9 is there already (the hint)"), "{outcomes}");
}

#[test]
fn an_unknown_member_costs_no_request() {
    let nodes = cluster();
    let output = roadstead(&nodes[0], &["group", "add", "9", "--members", "1,4", "--consensus-protocol", "raft"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("node 4 is unknown to the cluster; it has nodes 1, 2, 3"), "{output:?}");
    assert_eq!(*nodes[0].seen.lock().unwrap(), ["GET /v1/status"]);
}

#[test]
fn a_group_is_removed_only_with_yes() {
    let nodes = cluster();
    roadstead(&nodes[0], ADD);
    let asked = roadstead(&nodes[0], &["group", "remove", "9"]);
    assert_eq!(asked.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(stderr.contains("deletes group 9 with 3 log entries and all its data on nodes 1, 2, 3; add --yes"), "{stderr}");
    assert!(nodes.iter().all(|node| node.groups.lock().unwrap().contains_key(&9)));

    nodes[2].groups.lock().unwrap().clear();
    let removed = roadstead(&nodes[0], &["group", "remove", "9", "--yes"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(stdout(&removed), "group 9, node 1: removed\ngroup 9, node 2: removed\ngroup 9, node 3: was not there\n");
    assert!(nodes.iter().all(|node| node.groups.lock().unwrap().is_empty()));

    let gone = roadstead(&nodes[0], &["group", "remove", "9", "--yes"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("node 1 has no group 9\nhint: the hint"), "{gone:?}");
}

#[test]
fn status_and_log_show_what_the_nodes_say() {
    let nodes = cluster();
    roadstead(&nodes[0], ADD);
    let all = nodes[0].addresses.join(",");
    let program = || Command::new(env!("CARGO_BIN_EXE_roadstead"));
    let status = program().args(["status", "--endpoints", &all]).output().unwrap();
    assert!(stdout(&status).starts_with("1 of 1 groups healthy\n"), "{}", stdout(&status));
    let json = program().args(["status", "--json", "--endpoints", &all]).output().unwrap();
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&report["groups"][0]["leader"], report["nodes"].as_array().unwrap().len()), (&json!(2), 3));

    let log = roadstead(&nodes[1], &["log", "show", "--group", "9"]);
    assert!(stdout(&log).contains("committed  command") && stdout(&log).contains("abcd"), "{}", stdout(&log));
    let seen = nodes[1].seen.lock().unwrap();
    assert!(seen.iter().any(|request| request.starts_with("GET /v1/groups/9/log?from=1&to=18446744073709551615")), "{seen:?}");
}
