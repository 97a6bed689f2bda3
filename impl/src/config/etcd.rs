//! Which group serves clients of etcd's API, who know keys but no groups.

use std::collections::BTreeSet;

use roadstead_spec::GroupId;

use super::{
    error::{ConfigError, Problem},
    keys_of,
    section::Section,
};

/// How keys are spread over groups for clients that name none. Every node should be told the same: keys are looked for where they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdConfig {
    /// The group of keys that no route covers, and of requests without a key. Absent: the configured kv group, if there is exactly one.
    pub default_group: Option<GroupId>,
    /// Prefixes with groups of their own; each prefix once. Of several that cover a key the longest counts.
    pub routes: Vec<Route>,
}

/// All keys with a prefix belong to a group. The group need not be on this node: requests for it are then refused, never served from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Bytes that the keys begin with; not empty.
    pub prefix: String,
    /// Their group.
    pub group: GroupId,
}

impl EtcdConfig {
    pub(super) fn read(top: &Section<'_>) -> Result<Self, ConfigError> {
        let etcd = top.table("etcd", &keys_of("etcd"))?;
        let default_group = etcd.integer("default_group", 0, GROUP_MAX)?.and_then(group_id);
        Ok(Self { default_group, routes: read_routes(top)? })
    }
}

fn read_routes(top: &Section<'_>) -> Result<Vec<Route>, ConfigError> {
    let mut routes = Vec::new();
    let mut seen = BTreeSet::new();
    for mut section in top.tables("route", &keys_of("route"))? {
        let allowed = "a string that is not empty: what the keys begin with (other keys are [etcd] default_group's)";
        let prefix = section.string("prefix", allowed)?;
        let prefix = section.required("prefix", "\"/orders/\"", prefix)?;
        if prefix.is_empty() {
            return Err(section.refuse("prefix", Problem::OutOfRange { value: "\"\"".to_owned(), allowed: allowed.to_owned() }));
        }
        section.relabel(format!("route {prefix:?}: "));
        let group = section.integer("group", 0, GROUP_MAX)?;
        let group = section.required("group", 3, group.and_then(group_id))?;
        if !seen.insert(prefix) {
            return Err(section.refuse("prefix", Problem::Duplicate { value: format!("{prefix:?}") }));
        }
        routes.push(Route { prefix: prefix.to_owned(), group });
    }
    Ok(routes)
}

const GROUP_MAX: u64 = i32::MAX as u64;

/// The file's readers have checked `0..=GROUP_MAX`.
fn group_id(number: u64) -> Option<GroupId> {
    i32::try_from(number).ok().and_then(GroupId::new)
}
