//! What a configuration may not say, and what the user is told about it.

use std::path::Path;

use roadstead::config::{ConfigError, NodeConfig, Timers};

const GOOD: &str = r#"node = 1
cluster = "test"
data = "data"

[listen]
addr = "127.0.0.1:7400"

[[peer]]
id = 2
addr = "127.0.0.1:7401"

[[peer]]
id = 3
addr = "127.0.0.1:7402"

[[group]]
id = 5
members = [3, 1, 2]
consensus_protocol = "Raft"
"#;

fn parse(text: &str) -> Result<NodeConfig, ConfigError> {
    NodeConfig::parse(Path::new("folder/n1.toml"), text)
}

/// One change to the good file, and the whole sentence that the user reads.
fn check(from: &str, to: &str, expected: &str) {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must be in the file once");
    let text = GOOD.replacen(from, to, 1);
    match parse(&text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

fn append(more: &str, expected: &str) {
    check("consensus_protocol = \"Raft\"\n", &format!("consensus_protocol = \"Raft\"\n{more}"), expected);
}

#[test]
fn the_good_file_is_good() {
    let config = parse(GOOD).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.data, Path::new("folder/data"));
    assert_eq!(config.groups.len(), 1);
    let group = &config.groups[0];
    assert_eq!((group.id.get(), group.generation, group.service.name(), group.protocol.name()), (5, 1, "kv", "raft"));
    assert_eq!(group.members.iter().map(|member| member.0).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn keys_must_be_known() {
    check(
        "data = \"data\"\n",
        "data = \"data\"\ndatta = 3\n",
        "folder/n1.toml:4: datta: unknown key; allowed here: node, cluster, data, header, listen, peer, group, etcd, route, timers, limits, storage, admin, log",
    );
    append(
        "[timers]\nheartbeat = 3\n",
        &format!("folder/n1.toml:21: timers.heartbeat: unknown key; allowed here: profile, {}", timer_keys()),
    );
    append(
        "[group.more]\n",
        "folder/n1.toml:20: [[group]] 1: more: unknown key; allowed here: id, generation, service, members, consensus_protocol",
    );
}

fn timer_keys() -> String {
    Timers::PARAMETERS.iter().map(|parameter| parameter.key).collect::<Vec<_>>().join(", ")
}

#[test]
fn required_keys_must_be_there() {
    check("node = 1\n", "", "folder/n1.toml:1: node: missing; add for example: node = 1");
    check("cluster = \"test\"\n", "", "folder/n1.toml:1: cluster: missing; add for example: cluster = \"example\"");
    check("data = \"data\"\n", "", "folder/n1.toml:1: data: missing; add for example: data = \"data\"");
    check(
        "[listen]\naddr = \"127.0.0.1:7400\"\n",
        "",
        "folder/n1.toml:1: listen.addr: missing; add for example: addr = \"0.0.0.0:7400\" under [listen]",
    );
    check("members = [3, 1, 2]\n", "", "folder/n1.toml:16: group 5: members: missing; add for example: members = [1, 2, 3]");
}

#[test]
fn values_must_be_of_their_type_and_in_range() {
    check("node = 1", "node = 0", "folder/n1.toml:1: node: 0 is not allowed; allowed: a whole number, 1 to 2147483647");
    check("node = 1", "node = \"1\"", "folder/n1.toml:1: node: the string \"1\" is not allowed; write a whole number, 1 to 2147483647");
    check("id = 5", "id = -5", "folder/n1.toml:17: [[group]] 1: id: -5 is not allowed; allowed: a whole number, 0 to 2147483647");
    check(
        "id = 5",
        "id = 2147483648",
        "folder/n1.toml:17: [[group]] 1: id: 2147483648 is not allowed; allowed: a whole number, 0 to 2147483647",
    );
    check(
        "127.0.0.1:7400",
        "127.0.0.1:0",
        "folder/n1.toml:6: listen.addr: \"127.0.0.1:0\" is not allowed; allowed: IP:PORT, for example 0.0.0.0:7400, with a port of 1 to 65535",
    );
    check(
        "127.0.0.1:7402",
        "nowhere",
        "folder/n1.toml:14: peer 3: addr: \"nowhere\" is not allowed; allowed: write HOST:PORT, for example 10.0.0.1:7400, node1.example:7400 or \
         [::1]:7400, with a port of 1 to 65535",
    );
    append("[timers]\nheartbeat_ms = 4\n", "folder/n1.toml:21: timers.heartbeat_ms: 4 is not allowed; allowed: a whole number, 5 to 60000");
    append(
        "[limits]\nmax_entry_bytes = 1e6\n",
        "folder/n1.toml:21: limits.max_entry_bytes: the number 1e6 is not allowed; write a whole number, 1024 to 67108864",
    );
    append(
        "[admin]\ntoken = \"short\"\n",
        "folder/n1.toml:21: admin.token: this token is not allowed; allowed: 16 to 256 printable ASCII characters without spaces",
    );
    append(
        "[log]\nlevel = \"loud\"\n",
        "folder/n1.toml:21: log.level: \"loud\" is not allowed; allowed: \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
    );
    append("service = \"contract\"\n", "folder/n1.toml:20: group 5: service: \"contract\" is not allowed; allowed: \"kv\"");
}

#[test]
fn settings_must_fit_each_other() {
    append(
        "[timers]\nheartbeat_ms = 400\n",
        "folder/n1.toml:20: timers.election_timeout_ms: 1000 does not fit: it must be at least 3 times heartbeat_ms (400), or one lost heartbeat \
         deposes a leader",
    );
    append(
        "[limits]\napply_queue_bytes = 1048576\n",
        "folder/n1.toml:21: limits.apply_queue_bytes: 1048576 does not fit: it must be at least max_entry_bytes (8388608), or the largest entry can never pass",
    );
}

#[test]
fn nothing_is_there_twice() {
    append(
        "[[group]]\nid = 5\nmembers = [1]\nconsensus_protocol = \"raft\"\n",
        "folder/n1.toml:21: group 5: id: group 5 is there twice; each may appear once",
    );
    append("[[peer]]\nid = 2\naddr = \"a:1\"\n", "folder/n1.toml:21: peer 2: id: peer 2 is there twice; each may appear once");
    check("[3, 1, 2]", "[1, 2, 2]", "folder/n1.toml:18: group 5: members: 2 is there twice; each may appear once");
    check("data = \"data\"\n", "data = \"data\"\ndata = \"data\"\n", "folder/n1.toml:4: not valid TOML: duplicate key");
}

/// A group of another node is no mistake: requests for its keys are refused there, and served by no other group.
#[test]
fn routes_must_make_sense() {
    let config = parse(&format!(
        "{GOOD}[etcd]\ndefault_group = 5\n[[route]]\nprefix = \"/a/\"\ngroup = 0\n[[route]]\nprefix = \"/a/b/\"\ngroup = 77\n"
    ));
    let etcd = config.unwrap_or_else(|error| panic!("{error}")).etcd;
    assert_eq!(etcd.default_group.map(|group| group.get()), Some(5));
    assert_eq!(etcd.routes.iter().map(|route| (&*route.prefix, route.group.get())).collect::<Vec<_>>(), [("/a/", 0), ("/a/b/", 77)]);

    let prefix = "a string that is not empty: what the keys begin with (other keys are [etcd] default_group's)";
    append("[etcd]\ndefault = 5\n", "folder/n1.toml:21: etcd.default: unknown key; allowed here: default_group");
    append(
        "[etcd]\ndefault_group = -1\n",
        "folder/n1.toml:21: etcd.default_group: -1 is not allowed; allowed: a whole number, 0 to 2147483647",
    );
    append("[[route]]\ngroup = 5\n", "folder/n1.toml:20: [[route]] 1: prefix: missing; add for example: prefix = \"/orders/\"");
    append("[[route]]\nprefix = \"/a/\"\n", "folder/n1.toml:20: route \"/a/\": group: missing; add for example: group = 3");
    append(
        "[[route]]\nprefix = \"\"\ngroup = 5\n",
        &format!("folder/n1.toml:21: [[route]] 1: prefix: \"\" is not allowed; allowed: {prefix}"),
    );
    append(
        "[[route]]\nprefix = 7\ngroup = 5\n",
        &format!("folder/n1.toml:21: [[route]] 1: prefix: the number 7 is not allowed; write {prefix}"),
    );
    append(
        "[[route]]\nprefix = \"/a/\"\ngroup = 2147483648\n",
        "folder/n1.toml:22: route \"/a/\": group: 2147483648 is not allowed; allowed: a whole number, 0 to 2147483647",
    );
    append(
        "[[route]]\nprefix = \"/a/\"\ngroup = 5\n[[route]]\nprefix = \"/a/\"\ngroup = 6\n",
        "folder/n1.toml:24: route \"/a/\": prefix: \"/a/\" is there twice; each may appear once",
    );
    append(
        "[[route]]\nprefix = \"/a/\"\ngroup = 5\nto = 1\n",
        "folder/n1.toml:23: [[route]] 1: to: unknown key; allowed here: prefix, group",
    );
}

#[test]
fn members_must_make_sense_on_this_node() {
    check(
        "[3, 1, 2]",
        "[1, 2, 4]",
        "folder/n1.toml:18: group 5: members: member 4 has no address; add a [[peer]] with id = 4 and its addr",
    );
    check(
        "[3, 1, 2]",
        "[3, 2]",
        "folder/n1.toml:18: group 5: members: node 1 is not among the members [2, 3]; add it, or leave this group to its members",
    );
    check("[3, 1, 2]", "[]", "folder/n1.toml:18: group 5: members: a list of 0 is not allowed; allowed: 1 to 7 node ids");
    check("[3, 1, 2]", "[1,2,3,4,5,6,7,8]", "folder/n1.toml:18: group 5: members: a list of 8 is not allowed; allowed: 1 to 7 node ids");
}

/// Absence means pbft, as planned; there is no falling back to weaker guarantees.
#[test]
fn the_protocol_is_never_guessed() {
    let line = "To use Raft (it tolerates crashed members, not lying ones), add this line to the group:\n    consensus_protocol = \"raft\"";
    let three = "pbft needs at least 4 members and this group has 3";
    let protocol = "consensus_protocol = \"Raft\"\n";
    check(protocol, "", &format!("folder/n1.toml:16: group 5: consensus_protocol: absent means \"pbft\", but {three}. {line}"));
    for word in ["pbft", "PBFT"] {
        let to = format!("consensus_protocol = \"{word}\"\n");
        check(protocol, &to, &format!("folder/n1.toml:19: group 5: consensus_protocol: \"pbft\" is asked for, but {three}. {line}"));
    }
    let four = GOOD.replace("[3, 1, 2]", "[1, 2, 3, 4]").replace("[[group]]", "[[peer]]\nid = 4\naddr = \"d:1\"\n\n[[group]]");
    let error = parse(&four.replace(protocol, "")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("absent means \"pbft\", but this version") && error.ends_with(line), "{error}");
    check(
        protocol,
        "consensus_protocol = \"paxos\"\n",
        "folder/n1.toml:19: group 5: consensus_protocol: \"paxos\" is not allowed; allowed: \"raft\" (or \"pbft\" once it is built)",
    );
    for word in ["raft", "RAFT", "rAfT"] {
        assert!(parse(&GOOD.replace("Raft", word)).is_ok(), "{word}");
    }
}

#[test]
fn the_profile_sets_defaults_and_written_numbers_win() {
    let fast = parse(&format!("{GOOD}[timers]\nprofile = \"fast\"\nheartbeat_ms = 60\n")).unwrap_or_else(|error| panic!("{error}"));
    let expected = Timers { heartbeat: std::time::Duration::from_millis(60), ..Timers::fast() };
    assert_eq!(fast.timers, expected);
    assert!(Timers::default().election_timeout.as_millis() >= 1_000);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = NodeConfig::load(Path::new("/nonexistent/node.toml")).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.starts_with("/nonexistent/node.toml: cannot be read: ") && error.ends_with("; name another file with --config"),
        "{error}"
    );
}
