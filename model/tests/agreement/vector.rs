//! What is compared the other way: term, role, vote, log and commit index of each member, whatever the members are called.

use super::project::{Values, node};
use roadstead_model::raft::{Group, group::id_at};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is seen of a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    pub(crate) term: u64,
    pub(crate) role: String,
    /// A place among the members.
    pub(crate) vote: Option<usize>,
    /// The term of each entry, and whether a client proposed it.
    pub(crate) log: Vec<(u64, bool)>,
    pub(crate) commit: u64,
}

/// A member as module `Agree` shows it: term, role, vote, log, commit index.
type Shown = (u64, String, String, Vec<(u64, bool)>, u64);

/// All members, in that order in which this is the least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Vector(pub(crate) Vec<Member>);

impl Vector {
    fn new(members: &[Member]) -> Self {
        let renamed = |order: &Vec<usize>| {
            let place = |vote: usize| order.iter().position(|at| *at == vote).expect("a vote is for a member");
            order.iter().map(|at| Member { vote: members[*at].vote.map(place), ..members[*at].clone() }).collect()
        };
        Self(orders(members.len()).iter().map(renamed).min().expect("there is an order"))
    }

    /// Of a state of the world.
    pub(crate) fn of(group: &Group) -> Self {
        let values = Values::of(group);
        let member = |at: usize| {
            let node = node(&group.live(at).expect("nobody stays down").state, &values);
            Member {
                term: node.image.term.0,
                role: node.role.to_owned(),
                vote: node.image.vote.map(|vote| (0..).find(|at| id_at(*at) == vote).expect("a member")),
                log: node.image.log.iter().map(|entry| (entry.term.0, entry.value > 0)).collect(),
                commit: node.commit.0,
            }
        };
        Self::new(&(0..group.members.len()).map(member).collect::<Vec<_>>())
    }

    /// As `tla/check agree` prints it, by node.
    pub(crate) fn read(value: &Value) -> Self {
        let members: BTreeMap<String, Shown> = serde_json::from_value(value.clone()).expect("a vector of the module");
        let place = |vote: &str| members.keys().position(|name| name == vote);
        let member = |(term, role, vote, log, commit): &Shown| Member {
            term: *term,
            role: role.clone(),
            vote: place(vote),
            log: log.clone(),
            commit: *commit,
        };
        Self::new(&members.values().map(member).collect::<Vec<_>>())
    }
}

/// Every order of so many places.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| (0..=last).map(move |at| [&order[..at], &[last], &order[at..]].concat());
    orders(last).into_iter().flat_map(insert).collect()
}
