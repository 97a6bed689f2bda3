//! Before the faults and after them: the cluster serves, and in the end all members hold the same.

use super::{
    Failed, Options, admin,
    clients::{self, Client, Shared},
    cluster::Cluster,
    process::Node,
};
use roadstead::api::types::GroupStatus;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What a cluster without faults has not done by then it does not do.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// Every group takes a write in, through every node.
pub(super) async fn serve(client: &mut Client, cluster: &Cluster, groups: &[i32]) -> Result<(), String> {
    let begun = Instant::now();
    for group in groups {
        for node in 0..cluster.nodes.len() {
            while !client.write(node, *group).await {
                if begun.elapsed() > DEADLINE {
                    return Err(format!("group {group} takes no write in through node {}, {DEADLINE:?} after the last fault", node + 1));
                }
                sleep(LOOK).await;
            }
        }
    }
    Ok(())
}

/// When the faults are over: everything works, all members catch up and hold the same, every key in use is read through every node. Then all nodes end in order.
pub(super) async fn settle(cluster: &mut Cluster, client: &mut Client, book: &Shared, options: &Options) -> Result<Vec<String>, Failed> {
    let mut violations = cluster.revive([].into_iter())?;
    if let Err(violation) = serve(client, cluster, &options.groups).await {
        violations.push(violation);
        return Ok(violations);
    }
    let in_use = book.lock().in_use();
    for (place, node) in in_use.into_iter().flat_map(|place| (0..cluster.nodes.len()).map(move |node| (place, node))) {
        if !client.read(node, place).await {
            violations.push(format!(
                "key {} of group {} cannot be read through node {}, and there is no fault",
                place.1,
                place.0,
                node + 1
            ));
        }
    }
    violations.extend(level(cluster, options).await.err());
    for group in &options.groups {
        match clients::hashes(&cluster.addresses(), *group).await {
            Ok(hashes) if hashes.len() == 1 => {}
            Ok(hashes) => {
                violations.push(format!("members of group {group} tell different hashes and revisions of their data: {hashes:?}"))
            }
            Err(status) => violations.push(format!("a member of group {group} tells no hash: {status}")),
        }
    }
    violations.extend(cluster.revive([].into_iter())?);
    violations.extend(end(&mut cluster.nodes).await);
    Ok(violations)
}

/// All members have applied what any of them knows to be committed.
async fn level(cluster: &Cluster, options: &Options) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let mut told = Vec::new();
        for address in cluster.addresses() {
            told.push(admin::groups(address).await.unwrap_or_default());
        }
        // Of each member: what it knows to be committed, and what it has applied; equal everywhere.
        let is_level = |group: &i32| {
            let of = |node: &Vec<GroupStatus>| node.iter().find(|status| status.id == *group).map(|status| [status.commit, status.applied]);
            let marks: BTreeSet<_> = told.iter().map(of).collect();
            marks.len() == 1 && marks.iter().flatten().all(|[commit, applied]| commit == applied)
        };
        if options.groups.iter().all(is_level) {
            return Ok(());
        }
        if begun.elapsed() > DEADLINE {
            return Err(format!("not all members have applied the same {DEADLINE:?} after the last write: {told:?}"));
        }
        sleep(LOOK).await;
    }
}

async fn end(nodes: &mut [Node]) -> Vec<String> {
    nodes.iter_mut().for_each(Node::ask_to_end);
    let (begun, mut violations) = (Instant::now(), Vec::new());
    while nodes.iter().any(Node::runs) {
        for node in nodes.iter_mut() {
            match node.ended() {
                Some(status) if !status.success() => {
                    violations.push(format!("node {} was to end in order ({status}): {}", node.id, node.last_error()))
                }
                _ => {}
            }
        }
        if begun.elapsed() > DEADLINE {
            violations.push(format!("not all nodes end within {DEADLINE:?}"));
            break;
        }
        sleep(LOOK).await;
    }
    violations
}
