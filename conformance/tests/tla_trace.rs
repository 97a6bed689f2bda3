//! Runs of real nodes are behaviours of the TLA+ module: TLC says so, and refuses them when they are changed.
//!
//! They need Java, and TLC as `tla/check` fetches it.

mod support;

use roadstead_conformance::tla::{Part, module::Window, window};
use roadstead_spec::{GroupId, Index};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};
use support::Cluster;

/// What TLC says of each run of a folder, by its name.
fn check(folder: &Path) -> BTreeMap<String, String> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tla/check");
    let done = Command::new(tool).args(["traces", "--json"]).arg(folder).output().expect("tla/check runs");
    let error = String::from_utf8_lossy(&done.stderr);
    assert_ne!(done.status.code(), Some(2), "this test needs what `tla/check` needs (`ci/java` installs Java): {error}");
    let rows = String::from_utf8(done.stdout).unwrap();
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["trace"]).replace("TraceRaft.", ""), text(&row["result"]))).collect()
}

/// The lines of a module: an event has one.
struct Lines(Vec<String>);

impl Lines {
    fn of(module: &str) -> Self {
        Self(module.lines().map(str::to_owned).collect())
    }

    fn first_event(&self) -> usize {
        self.0.iter().position(|line| line == "Trace == <<").unwrap() + 1
    }

    /// The first event that is like this: its line, and its number.
    fn find(&self, like: impl Fn(&str) -> bool) -> (usize, usize) {
        let first = self.first_event();
        let place = (first..self.0.len()).find(|place| like(&self.0[*place])).expect("the run has such an event");
        (place, place - first + 1)
    }

    fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }
}

fn is(line: &str, event: &str) -> bool {
    line.contains(&format!("[event |-> \"{event}\""))
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("{name} |-> ")).unwrap();
    rest.split([',', ']']).next().unwrap()
}

/// A run with an event dropped, swapped or edited: its name, the module, and the event that must be refused, by number and name, with the reason.
fn changes(module: &str) -> Vec<(&'static str, String, String)> {
    let whole = || Lines::of(module);
    let refused = |number: usize, name: &str, why: &str| format!("refused: {number}, \"{name}\", {why}");
    let mut changes = Vec::new();

    let mut lines = whole();
    let (accepts, number) = lines.find(|line| is(line, "AcceptAppend"));
    let message = field(&lines.0[accepts], "message").to_owned();
    let (sends, _) = lines.find(|line| is(line, "Send") && field(line, "message") == message);
    lines.0.remove(sends);
    changes.push(("dropped-send", lines.text(), refused(number - 1, "AcceptAppend", "\"what is received was not sent\"")));

    let mut lines = whole();
    let (grants, number) = lines.find(|line| is(line, "GrantVote"));
    let voter = field(&lines.0[grants], "node").to_owned();
    let (votes, _) = lines.find(|line| is(line, "Send") && field(line, "message").starts_with("Vote_") && field(line, "node") == voter);
    let vote = lines.0.remove(votes);
    lines.0.insert(grants + 1, vote);
    changes.push(("vote-before-its-write", lines.text(), refused(number + 1, "Send", "\"the action is not enabled\"")));

    let mut lines = whole();
    let (elected, number) = lines.find(|line| is(line, "BecomeLeader"));
    let (commits, _) = lines.find(|line| is(line, "AdvanceCommit"));
    let commit = lines.0.remove(commits);
    lines.0.insert(elected + 1, commit);
    changes.push(("commit-of-what-nobody-holds", lines.text(), refused(number + 1, "AdvanceCommit", "\"the action is not enabled\"")));

    let mut lines = whole();
    let (grants, number) = lines.find(|line| is(line, "GrantVote"));
    let vote = format!("vote |-> {}", field(&lines.0[grants], "vote"));
    lines.0[grants] = lines.0[grants].replace(&vote, "vote |-> \"none\"");
    changes.push(("edited-vote", lines.text(), refused(number, "GrantVote", "<<\"after\", {\"vote\"}, \"disk\", {}>>")));
    changes
}

fn tell(trace: &Path, from: u64, events: usize) -> Window {
    window(trace, Part { group: GroupId::new(1).unwrap(), from, events })
        .unwrap_or_else(|error| panic!("{error}; the trace is kept in {}", support::keep(trace, "no-window").display()))
}

/// Goal: TLC agrees with the judge about a run of real nodes, also with a crash, and refuses what did not happen. Method: an election, writes, reads, a killed
/// leader that comes back; the run from its beginning, a window in its middle, and the first with changes.
#[test]
fn a_real_run_is_a_behaviour_and_a_changed_one_is_none() {
    let mut cluster = Cluster::start(&[1]);
    cluster.write(&[1], 12, 20);
    cluster.read(&[1]);
    let leader = cluster.leader(1);
    cluster.kill(leader);
    cluster.write(&[1], 8, 20);
    cluster.start_node(leader);
    cluster.write(&[1], 12, 20);
    cluster.stop();

    let folder = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    let mut put = |name: &str, text: &str, result: &str| {
        fs::write(folder.path().join(format!("TraceRaft.{name}.tla")), text).unwrap();
        expected.insert(name.to_owned(), result.to_owned());
    };
    let whole = tell(&cluster.trace(), 0, 400);
    assert_eq!((whole.first, whole.offset(), whole.file_name().as_str()), (0, 0, "TraceRaft.group1-0.tla"));
    assert!(whole.events.iter().any(|event| event.name == "Restart"), "the window holds the crash:\n{whole}");
    put("group1-0", "", "accepted");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadstead-conformance"));
    command.arg("tla").arg(cluster.trace()).args(["--group", "1", "--events", "400", "--out"]).arg(folder.path());
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    assert!(String::from_utf8_lossy(&stdout).contains(&format!("{} events from number 0 on", whole.events.len())));
    assert_eq!(fs::read_to_string(folder.path().join(whole.file_name())).unwrap(), whole.to_string());
    for (name, text, refused) in changes(&whole.to_string()) {
        put(name, &text, &format!("{refused}; refused"));
    }
    // From the second leader on, as soon as all know that something is committed.
    let elected = (0..).zip(&whole.events).filter(|(_, event)| event.name == "BecomeLeader").nth(1).expect("a second leader").0;
    let later = (elected..).step_by(20).map(|from| tell(&cluster.trace(), from, 150)).find(|later| later.floor > Index(0)).unwrap();
    assert!(later.first >= elected && !later.events.is_empty(), "{later}");
    put("later", &later.to_string(), "accepted");
    let judged = check(folder.path());
    if judged != expected {
        panic!(
            "TLC says {judged:#?}\nexpected: {expected:#?}\nthe modules are kept in {}",
            support::keep(folder.path(), "tla-trace").display()
        );
    }
}
