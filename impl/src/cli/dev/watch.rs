//! What changed between two looks at the cluster. Pure: answers in, events out.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::super::cluster::{self, GroupView, NodeAnswer};

/// Time over which writes per second are counted.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Something worth a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// A node answers that did not answer before.
    Up {
        /// The node.
        node: u32,
        /// Its port.
        endpoint: String,
        /// Its process.
        pid: u32,
    },
    /// A node's process is gone.
    Down {
        /// The node.
        node: u32,
        /// How it ended.
        how: String,
        /// The command that starts it again.
        restart: String,
    },
    /// A group has a leader, or another one, or none any more.
    Leader {
        /// The group.
        group: i32,
        /// Who.
        leader: Option<u32>,
        /// In which term.
        epoch: u64,
    },
    /// Every node answers and every group has a leader, for the first time.
    Ready {
        /// How many groups.
        groups: usize,
        /// All nodes' ports, as `--endpoints` wants them.
        endpoints: String,
    },
}

/// What was seen last.
#[derive(Debug)]
pub(super) struct Watch {
    /// Groups that must have a leader before the cluster is ready.
    wanted: Vec<i32>,
    /// The cluster, with all groups that any node knows.
    pub(super) groups: Vec<GroupView>,
    /// Writes per second by group.
    pub(super) rates: BTreeMap<i32, f64>,
    leaders: BTreeMap<i32, Option<u32>>,
    up: BTreeMap<u32, u32>,
    counted: Option<(Instant, BTreeMap<i32, u64>)>,
    ready: bool,
}

impl Watch {
    /// Nothing seen yet; these groups will have to have leaders.
    pub(super) fn new(wanted: Vec<i32>) -> Self {
        Self {
            wanted,
            groups: Vec::new(),
            rates: BTreeMap::new(),
            leaders: BTreeMap::new(),
            up: BTreeMap::new(),
            counted: None,
            ready: false,
        }
    }

    /// Whether the cluster was ready once.
    pub(super) fn was_ready(&self) -> bool {
        self.ready
    }

    /// A node's process has ended.
    pub(super) fn ended(&mut self, node: u32) {
        self.up.remove(&node);
    }

    /// Whether the node's present process has answered.
    pub(super) fn is_up(&self, node: u32) -> bool {
        self.up.contains_key(&node)
    }

    /// Compares what the nodes say with what they said before.
    pub(super) fn observe(&mut self, now: Instant, answers: &[NodeAnswer]) -> Vec<Event> {
        let mut events = Vec::new();
        for node in answers {
            let Ok((status, _)) = &node.answer else { continue };
            if self.up.insert(status.node, status.pid) != Some(status.pid) {
                events.push(Event::Up { node: status.node, endpoint: node.endpoint.to_string(), pid: status.pid });
            }
        }
        self.groups = cluster::groups(answers);
        self.count_writes(now);
        for group in &self.groups {
            let before = self.leaders.insert(group.id, group.leader);
            // The first leaders are many lines at once and say less than "ready" does; that a new group has none yet says nothing.
            if self.ready && before.flatten() != group.leader {
                events.push(Event::Leader { group: group.id, leader: group.leader, epoch: group.epoch });
            }
        }
        if !self.ready && self.is_ready(answers) {
            self.ready = true;
            let endpoints = answers.iter().map(|node| node.endpoint.to_string()).collect::<Vec<_>>().join(",");
            events.push(Event::Ready { groups: self.groups.len(), endpoints });
        }
        events
    }

    fn is_ready(&self, answers: &[NodeAnswer]) -> bool {
        let led = |id: &i32| self.groups.iter().any(|group| group.id == *id && group.leader.is_some());
        answers.iter().all(|node| node.answer.is_ok()) && self.wanted.iter().all(led)
    }

    fn count_writes(&mut self, now: Instant) {
        let commits: BTreeMap<i32, u64> = self.groups.iter().map(|group| (group.id, group.commit)).collect();
        let Some((since, before)) = &self.counted else {
            self.counted = Some((now, commits));
            return;
        };
        let elapsed = now.duration_since(*since);
        if elapsed < RATE_WINDOW {
            return;
        }
        let rate = |(&id, &commit): (&i32, &u64)| {
            let written = commit.saturating_sub(before.get(&id).copied().unwrap_or(commit));
            (id, written as f64 / elapsed.as_secs_f64())
        };
        self.rates = commits.iter().map(rate).collect();
        self.counted = Some((now, commits));
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Event, Instant, NodeAnswer, Watch};
    use crate::{
        api::types::Role,
        cli::{
            admin::AdminError,
            cluster::tests::{group, node},
        },
    };

    fn down(id: u32) -> NodeAnswer {
        let endpoint = node(id, Vec::new()).endpoint;
        NodeAnswer { endpoint: endpoint.clone(), answer: Err(AdminError::Unreachable { endpoint, why: "Connection refused".to_owned() }) }
    }

    fn led_by(leader: u32, epoch: u64, last: u64) -> impl Fn(u32) -> NodeAnswer {
        move |id| node(id, vec![group(1, if id == leader { Role::Leader } else { Role::Follower }, Some(leader), epoch, last)])
    }

    #[test]
    fn ready_comes_once_when_all_nodes_answer_and_all_groups_are_led() {
        let mut watch = Watch::new(vec![1]);
        let now = Instant::now();
        let up = |id| Event::Up { node: id, endpoint: format!("127.0.0.1:{}", 7399 + id), pid: 100 + id };
        assert_eq!(watch.observe(now, &[down(1), down(2)]), []);
        assert_eq!(watch.observe(now, &[led_by(1, 2, 5)(1), down(2)]), [up(1)]);
        let ready = Event::Ready { groups: 1, endpoints: "127.0.0.1:7400,127.0.0.1:7401".to_owned() };
        assert_eq!(watch.observe(now, &[1, 2].map(led_by(1, 2, 5))), [up(2), ready]);
        assert_eq!(watch.observe(now, &[1, 2].map(led_by(1, 2, 5))), []);
    }

    #[test]
    fn a_wanted_group_that_no_node_knows_is_waited_for() {
        let mut watch = Watch::new(vec![1, 2]);
        let events = watch.observe(Instant::now(), &[1, 2].map(led_by(1, 2, 5)));
        assert!(!watch.was_ready() && events.len() == 2, "{events:?}");
    }

    #[test]
    fn leaders_that_change_and_nodes_that_return_are_told() {
        let mut watch = Watch::new(vec![1]);
        let now = Instant::now();
        watch.observe(now, &[1, 2, 3].map(led_by(1, 2, 5)));
        watch.ended(1);
        assert!(!watch.is_up(1) && watch.is_up(2));
        let two = led_by(2, 3, 5);
        assert_eq!(watch.observe(now, &[down(1), two(2), two(3)]), [Event::Leader { group: 1, leader: Some(2), epoch: 3 }]);
        assert_eq!(watch.observe(now, &[1, 2, 3].map(two)), [Event::Up { node: 1, endpoint: "127.0.0.1:7400".to_owned(), pid: 101 }]);
    }

    #[test]
    fn writes_per_second_are_commits_over_the_time_between_two_looks() {
        let mut watch = Watch::new(vec![1]);
        let start = Instant::now();
        for (after, last) in [(0, 100), (500, 300), (2_000, 1_100)] {
            watch.observe(start + Duration::from_millis(after), &[1, 2].map(led_by(1, 2, last)));
        }
        assert_eq!(watch.rates[&1], 500.0);
    }
}
