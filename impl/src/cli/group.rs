//! `roadstead group`: list, add and remove groups while the cluster runs.
//!
//! A group is added on and removed from each of its members by a request of its own. The command asks one node for the addresses of the others,
//! so one endpoint is enough; done in part, it says where, and may be repeated.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;

use crate::{
    api::types::{ErrorCode, GroupChanged, GroupList, GroupSpec, GroupStatus, NodeStatus},
    config::{GroupDraft, HostPort, Invalid, Problem},
};

use super::{
    admin::{Admin, AdminError},
    block_on,
    endpoints::{Endpoints, Writer},
    failure::Failure,
    output::{Output, lines, table},
};

const ADD_HELP: &str = "\
Examples:
  roadstead group add 9 --members 1,2,3 --consensus-protocol raft
  roadstead group add 9 --members 1,2,3 --consensus-protocol raft --generation 2     (9 was removed before)";

const REMOVE_HELP: &str = "\
The group's data is deleted on every member and cannot be brought back. A new group under the same id needs a higher --generation.

Example:
  roadstead group remove 9 --yes";

/// List, add and remove groups while the cluster runs
#[derive(ClapArgs, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the groups of the first answering endpoint
    #[command(after_help = "Example:\n  roadstead group list --endpoints 10.0.0.1:7400")]
    List(List),
    /// Add a group on all its members
    #[command(after_help = ADD_HELP)]
    Add(Add),
    /// Remove a group, with its data, from all its members
    #[command(after_help = REMOVE_HELP)]
    Remove(Remove),
}

#[derive(ClapArgs, Debug)]
struct List {
    #[command(flatten)]
    endpoints: Endpoints,
}

#[derive(ClapArgs, Debug)]
struct Add {
    /// The group's id, 0 to 2147483647
    #[arg(allow_negative_numbers = true)]
    id: i64,
    /// Its members, by node id
    #[arg(long, value_delimiter = ',', value_name = "NODE,…", required = true)]
    members: Vec<u32>,
    /// "raft"; absent means "pbft", as in the configuration
    #[arg(long, value_name = "PROTOCOL")]
    consensus_protocol: Option<String>,
    /// What it replicates
    #[arg(long, default_value = "kv")]
    service: String,
    /// A higher one makes a new group under the id of one that was removed
    #[arg(long, default_value_t = 1)]
    generation: u64,
    #[command(flatten)]
    writer: Writer,
}

#[derive(ClapArgs, Debug)]
struct Remove {
    /// The group's id
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    id: i32,
    /// Yes, delete its data on every member
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    writer: Writer,
}

pub(super) fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::List(list) => run_list(list, output),
        Command::Add(add) => run_add(add, output),
        Command::Remove(remove) => run_remove(remove, output),
    }
}

fn run_list(args: &List, output: Output) -> Result<(), Failure> {
    let admin = Admin::reader(&args.endpoints)?;
    let (_, list): (_, GroupList) = block_on(admin.get_any(&args.endpoints, "/v1/groups"))?;
    output.value(&list, |list| {
        let mut table = table(&[">GROUP", ">GENERATION", "SERVICE", "PROTOCOL", "MEMBERS", "LEADER", "ROLE HERE"]);
        for group in &list.groups {
            let members: Vec<String> = group.members.iter().map(ToString::to_string).collect();
            table.add_row([
                group.id.to_string(),
                group.generation.to_string(),
                group.service.clone(),
                group.consensus_protocol.clone(),
                members.join(","),
                group.leader.map_or("none".to_owned(), |leader| format!("node {leader}")),
                format!("{:?}", group.role).to_lowercase(),
            ]);
        }
        format!("{} groups on node {}\n{}", list.groups.len(), list.node, lines(&table))
    })
}

fn run_add(args: &Add, output: Output) -> Result<(), Failure> {
    let spec = GroupSpec {
        id: args.id,
        generation: Some(args.generation),
        service: Some(args.service.clone()),
        members: args.members.clone(),
        consensus_protocol: args.consensus_protocol.clone(),
    };
    // The nodes check it, too; but a slip should not cost a request to each of them.
    GroupDraft {
        id: spec.id,
        generation: spec.generation,
        service: spec.service.as_deref(),
        protocol: spec.consensus_protocol.as_deref(),
        members: &spec.members,
    }
    .check()
    .map_err(refuse)?;
    let admin = Admin::writer(&args.writer)?;
    let outcomes = block_on(async {
        let nodes = addresses(&admin, &args.writer.endpoints).await?;
        let mut outcomes = Vec::new();
        for (node, endpoint) in pick(&nodes, &spec.members)? {
            let answer = admin.post::<GroupChanged>(&endpoint, "/v1/groups", &spec).await;
            let outcome = match answer {
                Ok(_) => Outcome::done(node, "added"),
                Err(error) if is_there(&admin, &endpoint, &spec, &error).await => Outcome::done(node, "was there already"),
                Err(error) => Outcome::failed(node, &error),
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    })?;
    finish(output, &format!("group {}", spec.id), outcomes)
}

/// The configuration's words with the option in place of the line.
fn refuse(invalid: Invalid) -> Failure {
    Failure::Usage(match invalid.problem {
        Problem::Protocol { asked, because } => {
            format!(
                "consensus_protocol: {asked}, but {because}; for Raft (it tolerates crashed members, not lying ones) add --consensus-protocol raft"
            )
        }
        _ => invalid.to_string(),
    })
}

fn run_remove(args: &Remove, output: Output) -> Result<(), Failure> {
    let admin = Admin::writer(&args.writer)?;
    let path = format!("/v1/groups/{}", args.id);
    let outcomes = block_on(async {
        let (_, group): (_, GroupStatus) = admin.get_any(&args.writer.endpoints, &path).await?;
        if !args.yes {
            let members: Vec<String> = group.members.iter().map(ToString::to_string).collect();
            return Err(Failure::Usage(format!(
                "this deletes group {} with {} log entries and all its data on nodes {}; add --yes if that is what you want",
                args.id,
                group.last.saturating_sub(group.first.saturating_sub(1)),
                members.join(", "),
            )));
        }
        let nodes = addresses(&admin, &args.writer.endpoints).await?;
        let mut outcomes = Vec::new();
        for (node, endpoint) in pick(&nodes, &group.members)? {
            outcomes.push(match admin.delete::<GroupChanged>(&endpoint, &path).await {
                Ok(_) => Outcome::done(node, "removed"),
                Err(error) if error.code() == Some(ErrorCode::NoSuchGroup) => Outcome::done(node, "was not there"),
                Err(error) => Outcome::failed(node, &error),
            });
        }
        Ok(outcomes)
    })?;
    finish(output, &format!("group {}", args.id), outcomes)
}

/// What one member answered.
#[derive(Debug, Serialize)]
struct Outcome {
    node: u32,
    done: bool,
    message: String,
}

impl Outcome {
    fn done(node: u32, message: &str) -> Self {
        Self { node, done: true, message: message.to_owned() }
    }

    fn failed(node: u32, error: &AdminError) -> Self {
        let hint = match error {
            AdminError::Refused { body, .. } => body.hint.as_deref().map(|hint| format!(" ({hint})")),
            AdminError::Unreachable { .. } => None,
        };
        Self { node, done: false, message: format!("{error}{}", hint.unwrap_or_default()) }
    }
}

fn finish(output: Output, what: &str, outcomes: Vec<Outcome>) -> Result<(), Failure> {
    output.value(&outcomes, |outcomes| {
        outcomes.iter().map(|outcome| format!("{what}, node {}: {}\n", outcome.node, outcome.message)).collect()
    })?;
    let missing: Vec<String> = outcomes.iter().filter(|outcome| !outcome.done).map(|outcome| outcome.node.to_string()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let hint = "mend what the nodes say and repeat the command; nodes that have done it are left as they are";
    Err(Failure::unavailable(format!("{what}: not done on node {}", missing.join(", ")), hint))
}

/// Where each node of the cluster is reached: the endpoints themselves, and the peers that they name.
async fn addresses(admin: &Admin, options: &Endpoints) -> Result<BTreeMap<u32, HostPort>, Failure> {
    let (mut own, mut told, mut reasons) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for endpoint in &options.endpoints {
        match admin.get::<NodeStatus>(endpoint, "/v1/status").await {
            Ok(status) => {
                own.insert(status.node, endpoint.clone());
                told.extend(status.peers.into_iter().filter_map(|peer| Some((peer.id, peer.addr.parse::<HostPort>().ok()?))));
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if own.is_empty() {
        return Err(options.nobody(&reasons));
    }
    told.extend(own);
    Ok(told)
}

/// The members' addresses, or which of them nobody knows.
fn pick(nodes: &BTreeMap<u32, HostPort>, members: &[u32]) -> Result<Vec<(u32, HostPort)>, Failure> {
    let known: Vec<String> = nodes.keys().map(ToString::to_string).collect();
    let pick = |&member: &u32| match nodes.get(&member) {
        Some(address) => Ok((member, address.clone())),
        None => Err(Failure::Usage(format!("node {member} is unknown to the cluster; it has nodes {}", known.join(", ")))),
    };
    members.iter().map(pick).collect()
}

/// Whether the member refused only because an earlier, partly done command had added the very same group.
async fn is_there(admin: &Admin, endpoint: &HostPort, spec: &GroupSpec, error: &AdminError) -> bool {
    if error.code() != Some(ErrorCode::AlreadyRegistered) {
        return false;
    }
    let path = format!("/v1/groups/{}", spec.id);
    admin.get::<GroupStatus>(endpoint, &path).await.is_ok_and(|group| same(&group, spec))
}

fn same(group: &GroupStatus, spec: &GroupSpec) -> bool {
    let mut members = spec.members.clone();
    members.sort_unstable();
    let protocol = spec.consensus_protocol.as_deref().unwrap_or_default();
    group.members == members
        && Some(group.generation) == spec.generation
        && Some(&group.service) == spec.service.as_ref()
        && group.consensus_protocol.eq_ignore_ascii_case(protocol)
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, GroupSpec, pick, same};
    use crate::{api::types::Role, cli::cluster::tests::group};

    #[test]
    fn a_group_that_is_there_counts_as_added_only_if_it_is_the_same() {
        let there = group(9, Role::Follower, None, 1, 1);
        let spec = GroupSpec {
            id: 9,
            generation: Some(1),
            service: Some("kv".to_owned()),
            members: vec![3, 1, 2],
            consensus_protocol: Some("Raft".to_owned()),
        };
        assert!(same(&there, &spec));
        assert!(!same(&there, &GroupSpec { generation: Some(2), ..spec.clone() }));
        assert!(!same(&there, &GroupSpec { members: vec![1, 2], ..spec.clone() }));
        assert!(!same(&there, &GroupSpec { service: Some("ledger".to_owned()), ..spec }));
    }

    #[test]
    fn an_unknown_member_is_named_with_those_that_are_known() {
        let nodes = BTreeMap::from([(1, "a:1".parse().unwrap()), (2, "b:1".parse().unwrap())]);
        assert_eq!(pick(&nodes, &[2]).map(|picked| picked.len()).ok(), Some(1));
        let refusal = format!("{:?}", pick(&nodes, &[1, 4]).unwrap_err());
        assert!(refusal.contains("node 4 is unknown to the cluster; it has nodes 1, 2"), "{refusal}");
    }
}
