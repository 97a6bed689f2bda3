//! Three members: the leader in this process, two followers in processes of their own.

use bytes::Bytes;
use roadstead::{
    config::{Limits, Timers},
    launcher::{Group, Launcher},
    node::{GroupOptions, NodeOptions, Services},
    state_machine::{Command, StateMachine, StateMachineError, StateRead, StateWrite},
};
use roadstead_spec::{GroupId, NodeId};
use std::{
    env,
    error::Error,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use tokio::runtime::{self, Runtime};

const MEMBERS: u32 = 3;
const LEADER: NodeId = NodeId(1);
/// A leader must be there by then.
const ELECTION_DEADLINE: Duration = Duration::from_secs(30);

/// A state machine that does nothing, like the one of NuRaft's benchmark.
struct Nothing;

impl StateMachine for Nothing {
    fn apply(&mut self, commands: &[Command], _state: &mut dyn StateWrite, answers: &mut Vec<Bytes>) -> Result<(), StateMachineError> {
        answers.extend(commands.iter().map(|_| Bytes::new()));
        Ok(())
    }

    fn query(&self, _query: &[u8], _state: &dyn StateRead) -> Result<Bytes, StateMachineError> {
        Ok(Bytes::new())
    }
}

/// The running cluster. Dropping it ends the followers.
pub(crate) struct Cluster {
    pub(crate) group: Group,
    _leader: Launcher,
    _followers: Followers,
    _runtime: Runtime,
}

struct Followers(Vec<Child>);

impl Drop for Followers {
    fn drop(&mut self) {
        for follower in &mut self.0 {
            // A follower ends when its standard input does; what remains is to collect it.
            drop(follower.stdin.take());
            let _ = follower.wait();
        }
    }
}

impl Cluster {
    /// Starts all three and waits until the member of this process leads.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let addresses = free_addresses()?;
        let list = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        let program = env::current_exe()?;
        let follower = |member: u32| {
            let mut command = std::process::Command::new(&program);
            command.args(["--member", &member.to_string(), "--addresses", &list]).stdin(Stdio::piped()).spawn()
        };
        let followers = Followers((LEADER.0 + 1..=MEMBERS).map(follower).collect::<Result<_, _>>()?);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (leader, group) = runtime.block_on(lead(&addresses))?;
        Ok(Self { group, _leader: leader, _followers: followers, _runtime: runtime })
    }
}

/// Runs a follower until standard input ends: with the process that started it.
pub(crate) fn follow(member: NodeId, addresses: &[SocketAddr]) -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let _node = runtime.block_on(bind(member, addresses))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn lead(addresses: &[SocketAddr]) -> Result<(Launcher, Group), Box<dyn Error>> {
    let launcher = bind(LEADER, addresses).await?;
    let id = group_id()?;
    let begun = Instant::now();
    while launcher.handle().group(id).await.and_then(|status| status.leader) != Some(LEADER.0) {
        if begun.elapsed() > ELECTION_DEADLINE {
            return Err("no leader within 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let group = launcher.group(id).await.ok_or("the group is gone")?;
    Ok((launcher, group))
}

async fn bind(member: NodeId, addresses: &[SocketAddr]) -> Result<Launcher, Box<dyn Error>> {
    let ids: Vec<NodeId> = (1..=MEMBERS).map(NodeId).collect();
    let address = |id: &NodeId| addresses.get(id.0 as usize - 1).copied().ok_or("an address is missing");
    let mut peers = std::collections::BTreeMap::new();
    for id in ids.iter().filter(|id| **id != member) {
        peers.insert(*id, address(id)?.to_string());
    }
    // The followers wait so long that the member of the measuring process leads.
    let timers = if member == LEADER { Timers::fast() } else { Timers::default() };
    let options = NodeOptions {
        peers,
        timers,
        limits: Limits::default(),
        groups: vec![GroupOptions::raft(group_id()?, "nothing", &ids)],
        services: Services::none().with("nothing", || Box::new(Nothing)),
        ..NodeOptions::in_memory(member, address(&member)?)
    };
    Ok(Launcher::bind(options.listen, options).await?)
}

fn group_id() -> Result<GroupId, &'static str> {
    GroupId::new(1).ok_or("1 is a group number")
}

/// Addresses that were free a moment ago; all are taken before any is given back, so that they differ.
fn free_addresses() -> std::io::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> = (0..MEMBERS).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}
