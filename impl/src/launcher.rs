//! The public way to run a node: one port, many groups.
//!
//! [`Launcher::bind`] starts a node on a thread of its own; groups are added and removed at run time, from any thread, and survive a restart.
//! The names follow the plan for port sharing: one listener, a dispatcher by `group_id`, many consensus groups.

use crate::{
    api::types::{GroupStatus, NodeStatus},
    node::{self, GroupError, GroupOptions, Handle, NodeOptions, StartError},
    shard::{Operation, Rejection, Response},
    state_machine::StateMachine,
};
use bytes::Bytes;
use roadstead_spec::{GroupId, Incarnation, Index, wire::body::Consistency};
use std::{
    net::SocketAddr,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{runtime, sync::oneshot, task::LocalSet};

/// A running node. Dropping it ends the node as [`Launcher::shutdown`] does, but waits at most [`DROP_DEADLINE`].
#[derive(Debug)]
pub struct Launcher {
    handle: Handle,
    local_addr: SocketAddr,
    request_timeout: Duration,
    ended: Option<oneshot::Receiver<Result<(), Fatal>>>,
    thread: Option<JoinHandle<()>>,
}

/// How long a dropped launcher waits for its node.
pub const DROP_DEADLINE: Duration = Duration::from_secs(2);

/// The node's disk or databases failed: the process should end, and recovers at its next start. A failed sync is never tried again, since the
/// system may have thrown the pages away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; the process must end now, and recovers at its next start")]
pub struct Fatal(String);

impl Launcher {
    /// Opens the data folder and all groups that it holds or `options` names, then listens on `addr`.
    ///
    /// # Errors
    /// See [`StartError`]; nothing was accepted then, and no thread is left behind.
    pub async fn bind(addr: SocketAddr, options: NodeOptions) -> Result<Self, StartError> {
        let options = NodeOptions { listen: addr, ..options };
        let request_timeout = options.timers.request_timeout;
        let (opened, opening) = oneshot::channel();
        let (ended_sender, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("node".to_owned()).spawn(move || {
            let result = run(options, opened);
            let _ = ended_sender.send(result);
        });
        let thread = thread.map_err(|source| StartError::System { what: "the node's thread", source })?;
        let stopped = || StartError::Stopped("the node's thread ended".into());
        let (handle, local_addr) = opening.await.map_err(|_| stopped())??;
        Ok(Self { handle, local_addr, request_timeout, ended: Some(ended), thread: Some(thread) })
    }

    /// Where the node listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A way to the node that can be cloned and kept.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Adds a group with the state machine that it replicates, and opens it. A group that the data folder holds already is opened with what
    /// it holds, if `options` say the same as at its birth.
    ///
    /// # Errors
    /// See [`GroupError`]; nothing has changed then.
    pub async fn add_group(&self, options: GroupOptions, machine: impl StateMachine) -> Result<Group, GroupError> {
        let id = options.group;
        self.handle.add_group(options, Some(Box::new(machine))).await?;
        Ok(self.bound(id))
    }

    /// Adds a group of a service that the node knows by name.
    ///
    /// # Errors
    /// See [`GroupError`]; nothing has changed then.
    pub async fn add_group_of_service(&self, options: GroupOptions) -> Result<Group, GroupError> {
        let id = options.group;
        self.handle.add_group(options, None).await?;
        Ok(self.bound(id))
    }

    /// Removes a group for ever; see [`Handle::remove_group`].
    ///
    /// # Errors
    /// When it is not here.
    pub async fn remove_group(&self, group: GroupId) -> Result<Incarnation, GroupError> {
        self.handle.remove_group(group).await
    }

    /// A group of this node, or `None` if it is not here.
    pub async fn group(&self, group: GroupId) -> Option<Group> {
        self.handle.group(group).await.map(|_| self.bound(group))
    }

    /// Every group of this node, ascending.
    pub async fn groups(&self) -> Vec<GroupStatus> {
        self.handle.groups().await
    }

    /// The node; `None` once it has ended.
    pub async fn status(&self) -> Option<NodeStatus> {
        self.handle.status().await
    }

    fn bound(&self, id: GroupId) -> Group {
        Group { id, handle: self.handle.clone(), timeout: self.request_timeout }
    }

    /// Waits until the node ends by itself, which it does only when it must.
    ///
    /// # Errors
    /// Why it had to.
    pub async fn ended(&mut self) -> Result<(), Fatal> {
        match &mut self.ended {
            Some(ended) => {
                let result = ended.await.unwrap_or_else(|_| Err(Fatal("the node's thread panicked".into())));
                self.ended = None;
                result
            }
            None => Ok(()),
        }
    }

    /// Ends the node: takes nothing in any more, lets what has begun finish until `deadline`, makes everything durable.
    ///
    /// # Errors
    /// When the node had failed before.
    pub async fn shutdown(mut self, deadline: Duration) -> Result<(), Fatal> {
        self.handle.shutdown(deadline).await;
        let result = self.ended().await;
        self.join();
        result
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was reported by `ended`
        }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.handle.shutdown_soon(DROP_DEADLINE);
            self.join();
        }
    }
}

/// A group of this process's node. Cheap to clone; works from any thread.
#[derive(Clone, Debug)]
pub struct Group {
    id: GroupId,
    handle: Handle,
    timeout: Duration,
}

impl Group {
    /// A group of this node, whether it is here or not.
    #[cfg(feature = "etcd")]
    pub(crate) fn of(handle: Handle, id: GroupId, timeout: Duration) -> Self {
        Self { id, handle, timeout }
    }

    /// The group's number.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// Requests wait this long for their outcome.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Replicates a command. [`Response::Committed`] means: durable on a quorum, applied here. While the group has no leader it waits for one.
    pub async fn write(&self, command: impl Into<Bytes>) -> Response {
        self.request(Operation::Write(command.into())).await
    }

    /// Asks the state machine; linearizable: sees every write that was acknowledged before.
    pub async fn query(&self, query: impl Into<Bytes>) -> Response {
        self.ask(query.into(), Consistency::Linearizable).await
    }

    /// Asks the state machine of this node as it is.
    pub async fn query_stale(&self, query: impl Into<Bytes>) -> Response {
        self.ask(query.into(), Consistency::Stale).await
    }

    async fn ask(&self, bytes: Bytes, consistency: Consistency) -> Response {
        self.request(Operation::Query { bytes, consistency }).await
    }

    /// Repeats what was refused because nobody leads, which has had no effect, until the time is over.
    pub(crate) async fn request(&self, operation: Operation) -> Response {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let left = self.timeout.saturating_sub(begun.elapsed());
            let response = self.handle.request(self.id, operation.clone(), left).await;
            if !matches!(response, Response::Rejected(Rejection::NotLeader { .. })) || left <= pause {
                return response;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// How the group stands on this node; `None` once it was removed.
    pub async fn status(&self) -> Option<GroupStatus> {
        self.handle.group(self.id).await
    }

    /// Makes the state durable now and compacts the log behind it; returns the last index covered.
    ///
    /// # Errors
    /// When the group is not here any more or has stopped.
    pub async fn snapshot(&self) -> Result<Index, GroupError> {
        self.handle.snapshot(self.id).await
    }
}

/// Waits between two attempts while a group has no leader.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

type Opened = Result<(Handle, SocketAddr), StartError>;

/// The node's thread.
fn run(options: NodeOptions, opened: oneshot::Sender<Opened>) -> Result<(), Fatal> {
    let span = tracing::info_span!("node", node = options.node.0);
    let _entered = span.enter();
    let runtime = match runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = opened.send(Err(StartError::System { what: "an event loop", source }));
            return Ok(());
        }
    };
    LocalSet::new().block_on(&runtime, async {
        match node::open(options).await {
            Err(error) => {
                let _ = opened.send(Err(error));
                Ok(())
            }
            Ok((node, handle)) => {
                let _ = opened.send(Ok((handle, node.local_addr())));
                node.run().await
            }
        }
    })
}

/// Threads for reads of the log that must wait for a disk.
const BLOCKING_THREADS_MAX: usize = 4;

impl Fatal {
    pub(crate) fn new(reason: String) -> Self {
        Self(reason)
    }
}
