//! One picture of a cluster out of what its nodes say one by one.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    api::types::{GroupList, GroupState, GroupStatus, NodeStatus, Queues, Role},
    config::HostPort,
};

use super::admin::{Admin, AdminError};

/// What one endpoint said.
#[derive(Debug)]
pub(super) struct NodeAnswer {
    /// Whom we asked.
    pub(super) endpoint: HostPort,
    /// Its status and groups, or why there is none.
    pub(super) answer: Result<(NodeStatus, Vec<GroupStatus>), AdminError>,
}

/// Asks all endpoints at once; the answers are in the order of the endpoints.
pub(super) async fn ask_all(admin: &Admin, endpoints: &[HostPort]) -> Vec<NodeAnswer> {
    let mut questions = JoinSet::new();
    for (place, endpoint) in endpoints.iter().cloned().enumerate() {
        let admin = admin.clone();
        questions.spawn(async move {
            let answer = ask(&admin, &endpoint).await;
            (place, NodeAnswer { endpoint, answer })
        });
    }
    let mut answers: BTreeMap<usize, NodeAnswer> = BTreeMap::new();
    while let Some(answered) = questions.join_next().await {
        answers.extend(answered.ok());
    }
    answers.into_values().collect()
}

async fn ask(admin: &Admin, endpoint: &HostPort) -> Result<(NodeStatus, Vec<GroupStatus>), AdminError> {
    let status = admin.get(endpoint, "/v1/status").await?;
    let list: GroupList = admin.get(endpoint, "/v1/groups").await?;
    Ok((status, list.groups))
}

/// A group as all answering nodes together show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct GroupView {
    /// The group.
    pub(super) id: i32,
    /// Who leads in the newest epoch that any node has seen.
    pub(super) leader: Option<u32>,
    /// That epoch.
    pub(super) epoch: u64,
    /// Highest commit index that any node knows.
    pub(super) commit: u64,
    /// Members that run it, of all.
    pub(super) alive: usize,
    /// How many must.
    pub(super) quorum: usize,
    /// Each member's part.
    pub(super) members: Vec<MemberView>,
    /// What waits, on all members together.
    pub(super) queues: Queues,
    /// What is wrong, and what to do.
    pub(super) problems: Vec<String>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MemberView {
    /// The member.
    pub(super) node: u32,
    /// Its part; `None` if its node does not answer, or does not run the group.
    pub(super) role: Option<Role>,
    /// Entries that it lacks; `None` if nobody knows.
    pub(super) behind: Option<u64>,
}

/// Every group that any node runs, ascending by id.
pub(super) fn groups(answers: &[NodeAnswer]) -> Vec<GroupView> {
    let mut groups: BTreeMap<i32, Vec<(u32, &GroupStatus)>> = BTreeMap::new();
    for (status, list) in answers.iter().filter_map(|node| node.answer.as_ref().ok()) {
        for group in list {
            let told = groups.entry(group.id).or_default();
            if told.iter().all(|(node, _)| *node != status.node) {
                told.push((status.node, group));
            }
        }
    }
    groups.into_values().filter_map(|told| view(&told)).collect()
}

fn view(told: &[(u32, &GroupStatus)]) -> Option<GroupView> {
    let epoch = told.iter().map(|(_, group)| group.epoch).max()?;
    let newest = || told.iter().filter(|(_, group)| group.epoch == epoch);
    let leading = newest().find(|(_, group)| group.role == Role::Leader);
    let leader = leading.map(|(node, _)| *node).or_else(|| {
        // The leader itself may not be among the endpoints; but a node that answers and does not lead is no leader, whatever others still believe.
        let believed = newest().find_map(|(_, group)| group.leader)?;
        told.iter().all(|(node, _)| *node != believed).then_some(believed)
    });
    let authority = leading.or_else(|| told.iter().max_by_key(|(_, group)| group.generation))?.1;
    let last = told.iter().map(|(_, group)| group.last).max()?;
    let members: Vec<MemberView> = authority
        .members
        .iter()
        .map(|&node| {
            let own = told.iter().find(|(teller, _)| *teller == node).map(|(_, group)| *group);
            let progress = leading.and_then(|(_, group)| group.progress.iter().find(|progress| progress.node == node));
            MemberView {
                node,
                role: own.filter(|group| group.state == GroupState::Running).map(|group| group.role),
                behind: progress.map(|progress| progress.behind).or_else(|| own.map(|group| last.saturating_sub(group.last))),
            }
        })
        .collect();
    Some(GroupView {
        id: authority.id,
        leader,
        epoch,
        commit: told.iter().map(|(_, group)| group.commit).max()?,
        alive: members.iter().filter(|member| member.role.is_some()).count(),
        quorum: members.len() / 2 + 1,
        members,
        queues: told.iter().fold(Queues::default(), |sum, (_, group)| add(sum, group.queues)),
        problems: told.iter().filter_map(|(node, group)| problem(*node, group)).collect(),
    })
}

fn add(a: Queues, b: Queues) -> Queues {
    Queues {
        writes: a.writes + b.writes,
        write_bytes: a.write_bytes + b.write_bytes,
        reads: a.reads + b.reads,
        mailbox: a.mailbox + b.mailbox,
        persist: a.persist + b.persist,
        apply: a.apply + b.apply,
    }
}

fn problem(node: u32, group: &GroupStatus) -> Option<String> {
    let why = match &group.state {
        GroupState::Failed { reason } => format!("failed: {reason}"),
        GroupState::Recovering => "recovering".to_owned(),
        GroupState::Removing => "being removed".to_owned(),
        GroupState::Running => group.unavailable.clone()?,
    };
    Some(format!("group {}, node {node}: {why}", group.id))
}

impl GroupView {
    /// Whether it takes writes, as far as one can see from outside.
    pub(super) fn is_healthy(&self) -> bool {
        self.leader.is_some() && self.alive == self.members.len() && self.problems.is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Admin, GroupState, GroupStatus, NodeAnswer, NodeStatus, Queues, Role, ask_all, groups};
    use crate::api::types::{Flow, GroupCounts, MemberProgress, StorageStatus};
    use std::time::Duration;

    pub(in crate::cli) fn group(id: i32, role: Role, leader: Option<u32>, epoch: u64, last: u64) -> GroupStatus {
        GroupStatus {
            id,
            generation: 1,
            incarnation: "00000000000000ff".to_owned(),
            service: "kv".to_owned(),
            consensus_protocol: "raft".to_owned(),
            members: vec![1, 2, 3],
            state: GroupState::Running,
            role,
            leader,
            epoch,
            first: 1,
            last,
            commit: last,
            applied: last,
            snapshot: 0,
            progress: Vec::new(),
            queues: Queues { writes: 1, ..Queues::default() },
            idle_seconds: 0.5,
            unavailable: None,
        }
    }

    pub(in crate::cli) fn node(id: u32, list: Vec<GroupStatus>) -> NodeAnswer {
        let status = NodeStatus {
            node: id,
            cluster: "0x0".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 100 + id,
            uptime_seconds: 3.0,
            listen: format!("127.0.0.1:{}", 7399 + id),
            peers: Vec::new(),
            storage: StorageStatus::default(),
            groups: GroupCounts::default(),
            alarms: Vec::new(),
        };
        NodeAnswer { endpoint: format!("127.0.0.1:{}", 7399 + id).parse().unwrap(), answer: Ok((status, list)) }
    }

    #[test]
    fn the_newest_leader_and_its_word_on_who_is_behind_count() {
        let mut leader = group(1, Role::Leader, Some(2), 5, 100);
        leader.progress = vec![
            MemberProgress { node: 1, matched: 90, behind: 10, flow: Flow::Replicate },
            MemberProgress { node: 3, matched: 1, behind: 99, flow: Flow::Snapshot },
        ];
        let answers = [
            node(1, vec![group(1, Role::Leader, Some(1), 4, 95)]),
            node(2, vec![leader]),
            node(2, vec![group(1, Role::Follower, None, 9, 9)]),
        ];
        let views = groups(&answers);
        assert_eq!(views.len(), 1);
        let view = &views[0];
        assert_eq!((view.leader, view.epoch, view.alive, view.quorum), (Some(2), 5, 2, 2));
        assert_eq!(view.members.iter().map(|member| member.behind).collect::<Vec<_>>(), [Some(10), Some(0), Some(99)]);
        assert_eq!(view.queues.writes, 2, "an endpoint that is named twice counts once");
        assert!(!view.is_healthy(), "node 3 does not answer");
    }

    #[test]
    fn a_leader_that_does_not_answer_is_believed_only_while_it_does_not_answer() {
        let followers = |believed| [1, 3].map(|id| node(id, vec![group(1, Role::Follower, believed, 4, 9)]));
        assert_eq!(groups(&followers(Some(2)))[0].leader, Some(2));
        assert_eq!(groups(&followers(Some(1)))[0].leader, None, "node 1 answers that it follows");
        assert_eq!(groups(&followers(None))[0].leader, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_group_and_node() {
        let mut failed = group(3, Role::None, None, 4, 9);
        failed.state = GroupState::Failed { reason: "entry 7 is damaged".to_owned() };
        let view = &groups(&[node(1, vec![failed]), node(2, vec![group(3, Role::Leader, Some(2), 4, 9)])])[0];
        assert_eq!(view.problems, ["group 3, node 1: failed: entry 7 is damaged"]);
        assert_eq!((view.alive, view.members[0].role), (1, None));
    }

    #[tokio::test]
    async fn an_endpoint_that_refuses_the_connection_is_an_answer_of_its_own() {
        // A listener that is gone again: its port refuses.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let admin = Admin::with(Duration::from_secs(5), None).unwrap();
        let endpoint = format!("127.0.0.1:{port}").parse().unwrap();
        let answers = ask_all(&admin, &[endpoint]).await;
        let error = answers[0].answer.as_ref().unwrap_err().to_string();
        assert!(error.starts_with(&format!("127.0.0.1:{port}: Connection refused")), "{error}");
    }
}
