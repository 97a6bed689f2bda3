//! `roadstead status`: is there a leader, is a quorum alive, who is behind, what waits.

use std::fmt::Write;

use clap::Args as ClapArgs;
use serde::Serialize;

use crate::api::types::{NodeStatus, PeerState, PeerStatus};

use super::{
    admin::Admin,
    block_on,
    cluster::{self, GroupView, NodeAnswer},
    endpoints::Endpoints,
    failure::Failure,
    output::{Output, lines, seconds, table},
};

const AFTER_HELP: &str = "\
Examples:
  roadstead status
  roadstead status --endpoints 10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400
  roadstead status --all --json | jq '.groups[] | select(.leader == null)'";

/// Groups up to which the table shows healthy ones, too.
const HEALTHY_GROUPS_SHOWN: usize = 32;

/// Show the cluster: leaders, quorums, who is behind, what waits
#[derive(ClapArgs, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    endpoints: Endpoints,
    /// Show healthy groups also when there are many
    #[arg(long)]
    all: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    nodes: Vec<NodeReport>,
    groups: Vec<GroupView>,
}

#[derive(Serialize)]
struct NodeReport {
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<NodeStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let admin = Admin::reader(&args.endpoints)?;
    let answers = block_on(async { Ok(cluster::ask_all(&admin, &args.endpoints.endpoints).await) })?;
    if answers.iter().all(|node| node.answer.is_err()) {
        let reasons: Vec<String> = answers.iter().filter_map(|node| node.answer.as_ref().err().map(ToString::to_string)).collect();
        return Err(args.endpoints.nobody(&reasons));
    }
    let groups = cluster::groups(&answers);
    let nodes = answers.into_iter().map(NodeReport::from).collect();
    output.value(&Report { nodes, groups }, |report| text(report, args.all))
}

impl From<NodeAnswer> for NodeReport {
    fn from(NodeAnswer { endpoint, answer }: NodeAnswer) -> Self {
        let (status, error) = match answer {
            Ok((status, _)) => (Some(status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { endpoint: endpoint.to_string(), status, error }
    }
}

fn text(report: &Report, all: bool) -> String {
    let mut text = groups_text(&report.groups, all);
    text.push('\n');
    text.push_str(&nodes_text(&report.nodes));
    for problem in problems(report) {
        let _ = writeln!(text, "! {problem}");
    }
    text
}

/// The operator's questions in their order: leader, quorum, behind, waiting.
fn groups_text(groups: &[GroupView], all: bool) -> String {
    let healthy = groups.iter().filter(|group| group.is_healthy()).count();
    let show_all = all || groups.len() <= HEALTHY_GROUPS_SHOWN;
    let mut table = table(&[">GROUP", "LEADER", "ALIVE", ">TERM", ">COMMIT", "BEHIND", "WAITING"]);
    for group in groups.iter().filter(|group| show_all || !group.is_healthy()) {
        table.add_row([
            group.id.to_string(),
            group.leader.map_or("none".to_owned(), |leader| format!("node {leader}")),
            format!("{} of {}{}", group.alive, group.members.len(), if group.alive < group.quorum { ", no quorum" } else { "" }),
            group.epoch.to_string(),
            group.commit.to_string(),
            behind(group),
            waiting(group),
        ]);
    }
    let mut text = format!("{healthy} of {} groups healthy\n", groups.len());
    if table.row_count() > 0 {
        text.push_str(&lines(&table));
    }
    text
}

fn behind(group: &GroupView) -> String {
    let behind = group.members.iter().filter_map(|member| match member.behind {
        Some(0) => None,
        Some(entries) => Some(format!("node {}: {entries}", member.node)),
        None => Some(format!("node {}: unknown", member.node)),
    });
    or_dash(behind.collect())
}

fn waiting(group: &GroupView) -> String {
    let queues = group.queues;
    let waiting = [
        ("disk", queues.persist),
        ("apply", queues.apply),
        ("writes", queues.writes),
        ("reads", queues.reads),
        ("mailbox", queues.mailbox),
    ];
    or_dash(waiting.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect())
}

fn or_dash(parts: Vec<String>) -> String {
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn nodes_text(nodes: &[NodeReport]) -> String {
    let mut table = table(&["ENDPOINT", "NODE", "VERSION", ">UP", ">GROUPS", ">LEADING", ">SYNC P50", ">P99", "PEERS"]);
    for node in nodes {
        let Some(status) = &node.status else {
            table.add_row([node.endpoint.as_str(), "no answer"]);
            continue;
        };
        let connected = status.peers.iter().filter(|peer| peer.state == PeerState::Connected).count();
        table.add_row([
            node.endpoint.clone(),
            status.node.to_string(),
            status.version.clone(),
            seconds(status.uptime_seconds),
            status.groups.total.to_string(),
            status.groups.leading.to_string(),
            seconds(status.storage.sync_seconds_p50),
            seconds(status.storage.sync_seconds_p99),
            format!("{connected} of {}{}", status.peers.len(), legacy(&status.peers)),
        ]);
    }
    lines(&table)
}

/// How many peers speak the legacy header, if any do: only group 0 reaches those.
fn legacy(peers: &[PeerStatus]) -> String {
    match peers.iter().filter(|peer| peer.header_version == Some(0)).count() {
        0 => String::new(),
        count => format!(", {count} legacy"),
    }
}

fn problems(report: &Report) -> impl Iterator<Item = String> {
    let silent = report.nodes.iter().filter_map(|node| node.error.clone());
    let refused = report.nodes.iter().filter_map(|node| node.status.as_ref()).flat_map(|status| {
        status.peers.iter().filter(|peer| peer.state == PeerState::Refused).map(move |peer| {
            let reason = peer.reason.as_deref().unwrap_or("no reason given");
            format!("node {}, peer {} at {}: {reason}", status.node, peer.id, peer.addr)
        })
    });
    let alarms =
        report.nodes.iter().filter_map(|node| node.status.as_ref()).flat_map(|status| {
            status.alarms.iter().map(move |alarm| format!("node {}, alarm {}: {}", status.node, alarm.kind, alarm.reason))
        });
    silent.chain(alarms).chain(refused).chain(report.groups.iter().flat_map(|group| group.problems.clone()))
}

#[cfg(test)]
mod tests {
    use super::{NodeReport, Report, cluster, text};
    use crate::{
        api::types::Role,
        cli::{
            admin::AdminError,
            cluster::{
                NodeAnswer,
                tests::{group, node},
            },
        },
    };

    /// Goal: the whole text, as an operator sees it with one node of three down.
    #[test]
    fn one_node_down() {
        let endpoint: crate::config::HostPort = "127.0.0.1:7402".parse().unwrap();
        let down = AdminError::Unreachable { endpoint: endpoint.clone(), why: "Connection refused".to_owned() };
        let answers = vec![
            node(1, vec![group(1, Role::Leader, Some(1), 4, 120), group(2, Role::Follower, None, 7, 9)]),
            node(2, vec![group(1, Role::Follower, Some(1), 4, 100), group(2, Role::Candidate, None, 8, 9)]),
            NodeAnswer { endpoint, answer: Err(down) },
        ];
        let groups = cluster::groups(&answers);
        let report = Report { nodes: answers.into_iter().map(NodeReport::from).collect(), groups };
        let expected = "\
0 of 2 groups healthy
GROUP  LEADER  ALIVE   TERM  COMMIT  BEHIND                     WAITING
    1  node 1  2 of 3     4     120  node 2: 20, node 3: unknown  writes 2
    2  none    2 of 3     8       9  node 3: unknown            writes 2

ENDPOINT        NODE       VERSION   UP  GROUPS  LEADING  SYNC P50   P99  PEERS
127.0.0.1:7400  1          0.1.0    3 s       0        0      0 µs  0 µs  0 of 0
127.0.0.1:7401  2          0.1.0    3 s       0        0      0 µs  0 µs  0 of 0
127.0.0.1:7402  no answer
! 127.0.0.1:7402: Connection refused
";
        let squeeze = |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        assert_eq!(squeeze(&text(&report, false)), squeeze(expected));
    }

    #[test]
    fn healthy_groups_are_counted_but_not_listed_when_they_are_many() {
        let many = |id: u32, role| node(id, (1..=40).map(|n| group(n, role, Some(1), 2, 5)).collect());
        let mut answers = vec![many(1, Role::Leader), many(2, Role::Follower), many(3, Role::Follower)];
        if let Ok((_, groups)) = &mut answers[0].answer {
            groups[6].unavailable = Some("its disk is stalled".to_owned());
        }
        let report = Report { groups: cluster::groups(&answers), nodes: Vec::new() };
        let short = text(&report, false);
        assert!(short.starts_with("39 of 40 groups healthy\n"), "{short}");
        assert_eq!(short.lines().filter(|line| line.contains("node 1")).count(), 2, "the row and the problem of group 7:\n{short}");
        assert!(short.contains("! group 7, node 1: its disk is stalled"), "{short}");
        assert_eq!(text(&report, true).lines().filter(|line| line.contains("3 of 3")).count(), 40);
    }
}
