//! A way to the node from any thread: commands go in over a bounded channel, answers come back.

use super::options::{GroupError, GroupOptions};
use crate::{
    api::types::{GroupStatus, LogPage, NodeStatus},
    port::PortStatus,
    shard::{Counters, Operation, Rejection, Response},
    state_machine::StateMachine,
    store::stats::StorageStats,
};
use roadstead_spec::{GroupId, Incarnation, Index};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for the event loop; whoever brings one more waits.
pub(crate) const COMMANDS_MAX: usize = 4096;

/// Asks the event loop for something.
pub(crate) enum Command {
    Request { group: GroupId, operation: Operation, timeout: Duration, reply: oneshot::Sender<Response> },
    Add { options: GroupOptions, machine: Option<Box<dyn StateMachine>>, reply: oneshot::Sender<Result<Incarnation, GroupError>> },
    Remove { group: GroupId, reply: oneshot::Sender<Result<Incarnation, GroupError>> },
    Group { group: GroupId, reply: oneshot::Sender<Option<GroupStatus>> },
    Groups { reply: oneshot::Sender<Vec<GroupStatus>> },
    Status { reply: oneshot::Sender<NodeStatus> },
    Log { group: GroupId, from: Index, to: Index, reply: oneshot::Sender<Result<LogPage, GroupError>> },
    Snapshot { group: GroupId, reply: oneshot::Sender<Result<Index, GroupError>> },
    Observe { reply: oneshot::Sender<Observation> },
    Shutdown { deadline: Duration, reply: oneshot::Sender<()> },
}

/// Everything that metrics are made of.
pub struct Observation {
    /// The node.
    pub status: NodeStatus,
    /// Its groups.
    pub groups: Vec<GroupStatus>,
    /// Its shard.
    pub counters: Counters,
    /// Its port.
    pub port: PortStatus,
    /// Its storage thread.
    pub storage: Arc<StorageStats>,
}

/// A way to a running node. Cheap to clone; works from any thread and any runtime.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
}

impl Handle {
    pub(crate) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Hands a request to a group of this node. A write on a node that does not lead the group is passed on to the leader.
    pub async fn request(&self, group: GroupId, operation: Operation, timeout: Duration) -> Response {
        let write = matches!(operation, Operation::Write(_));
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Request { group, operation, timeout, reply }).await.is_err() {
            return Response::Rejected(Rejection::ShuttingDown);
        }
        match answer.await {
            Ok(response) => response,
            Err(_) if write => Response::Unknown { why: "the node ended before the outcome was known".into() },
            Err(_) => Response::Rejected(Rejection::ShuttingDown),
        }
    }

    /// Adds a group, durably, and opens it. Without a `machine` its service makes one.
    ///
    /// # Errors
    /// See [`GroupError`]; nothing has changed then.
    pub async fn add_group(&self, options: GroupOptions, machine: Option<Box<dyn StateMachine>>) -> Result<Incarnation, GroupError> {
        self.ask(|reply| Command::Add { options, machine, reply }).await.unwrap_or(Err(GroupError::ShuttingDown))
    }

    /// Removes a group for ever: its tombstone is durable when this returns, and no message reaches it any more.
    ///
    /// # Errors
    /// When it is not here.
    pub async fn remove_group(&self, group: GroupId) -> Result<Incarnation, GroupError> {
        self.ask(|reply| Command::Remove { group, reply }).await.unwrap_or(Err(GroupError::ShuttingDown))
    }

    /// One group, or `None` if it is not here.
    pub async fn group(&self, group: GroupId) -> Option<GroupStatus> {
        self.ask(|reply| Command::Group { group, reply }).await.flatten()
    }

    /// Every group, ascending.
    pub async fn groups(&self) -> Vec<GroupStatus> {
        self.ask(|reply| Command::Groups { reply }).await.unwrap_or_default()
    }

    /// The node; `None` once it has ended.
    pub async fn status(&self) -> Option<NodeStatus> {
        self.ask(|reply| Command::Status { reply }).await
    }

    /// Entries `from..=to` of a group's log, as far as they are there.
    ///
    /// # Errors
    /// When the group is not here, or its log cannot be read.
    pub async fn log(&self, group: GroupId, from: Index, to: Index) -> Result<LogPage, GroupError> {
        self.ask(|reply| Command::Log { group, from, to, reply }).await.unwrap_or(Err(GroupError::ShuttingDown))
    }

    /// Makes the group's state durable now and compacts its log behind it. Returns the last index that the snapshot covers.
    ///
    /// # Errors
    /// When the group is not here or has stopped.
    pub async fn snapshot(&self, group: GroupId) -> Result<Index, GroupError> {
        self.ask(|reply| Command::Snapshot { group, reply }).await.unwrap_or(Err(GroupError::ShuttingDown))
    }

    /// Everything that metrics are made of; `None` once the node has ended.
    pub async fn observe(&self) -> Option<Observation> {
        self.ask(|reply| Command::Observe { reply }).await
    }

    /// Tells the node to end, without waiting for it.
    pub(crate) fn shutdown_soon(&self, deadline: Duration) {
        let (reply, _) = oneshot::channel();
        let _ = self.commands.try_send(Command::Shutdown { deadline, reply });
    }

    /// Ends the node: takes nothing in any more, lets what has begun finish until `deadline`, and makes everything durable.
    pub async fn shutdown(&self, deadline: Duration) {
        let _ = self.ask(|reply| Command::Shutdown { deadline, reply }).await;
    }
}
