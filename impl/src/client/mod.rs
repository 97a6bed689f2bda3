//! The native client: writes and queries to any group, over one pipelined connection per node, on the same port as everything else.
//!
//! It follows a group's leader, tries again what certainly did not happen, and never tries again what may have: see [`Outcome`].
//! Works on every tokio runtime; clones share their connections.
//!
//! ```no_run
//! # async fn example() {
//! use roadstead::client::{Client, ClientOptions, Outcome};
//! use roadstead::GroupId;
//!
//! let client = Client::new(ClientOptions::of(["127.0.0.1:7400", "127.0.0.1:7401"]));
//! match client.group(GroupId::DEFAULT).write("a command of your state machine").await {
//!     Outcome::Committed { index, answer, .. } => println!("entry {index}: {answer:?}"),
//!     Outcome::Rejected { reason } => println!("it has not happened: {reason}"),
//!     Outcome::Unknown { why } => println!("it may have happened: {why}"),
//! }
//! # }
//! ```

mod kv;
mod link;
mod nodes;
mod options;
mod outcome;
mod request;
mod target;

pub use kv::{KvClient, KvFailure};
pub use options::ClientOptions;
pub use outcome::{Answer, Outcome, Rejected, Unknown};
pub use roadstead_spec::wire::body::Consistency;

use nodes::Nodes;
use request::{Attempts, End, Request};
use roadstead_spec::GroupId;
use roadstead_spec::wire::body::Operation;
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Unit in which requests under way are counted: a small one costs as much, so this bounds their number too.
const INFLIGHT_UNIT_BYTES: usize = 1024;

/// A client of a cluster. Clones share connections and bounds.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    nodes: Nodes,
    inflight: Semaphore,
    inflight_max: u32,
}

/// One group of a cluster, for requests.
#[derive(Clone, Debug)]
pub struct GroupClient {
    shared: Arc<Shared>,
    group: GroupId,
    target: Arc<Target>,
    timeout: Duration,
}

impl Client {
    /// A client; it connects when the first request needs it to.
    pub fn new(options: ClientOptions) -> Self {
        let units = (options.inflight_bytes_max / INFLIGHT_UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let shared = Shared { nodes: Nodes::new(options), inflight: Semaphore::new(units), inflight_max: units as u32 };
        Self { shared: Arc::new(shared) }
    }

    /// A handle for one group; cheap to clone, worth keeping.
    pub fn group(&self, group: GroupId) -> GroupClient {
        let nodes = &self.shared.nodes;
        GroupClient { shared: Arc::clone(&self.shared), group, target: nodes.target(group), timeout: nodes.options.timeout }
    }
}

impl GroupClient {
    /// The group.
    pub const fn id(&self) -> GroupId {
        self.group
    }

    /// This handle with another time for each request, attempts and waits included.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Replicates and applies a command. If the returned future is dropped, the write may or may not happen.
    pub async fn write(&self, command: impl AsRef<[u8]>) -> Outcome {
        self.request(Operation::Write(command.as_ref())).await.into()
    }

    /// Asks the state machine.
    pub async fn query(&self, query: impl AsRef<[u8]>, consistency: Consistency) -> Result<Answer, Rejected> {
        match self.request(Operation::Query { bytes: query.as_ref(), consistency }).await {
            End::Answered(answer) => Ok(answer),
            End::Rejected(reason) => Err(reason),
            // Of a query neither comes: it is judged again, and asked again.
            End::Committed { .. } => Err(self.timed_out("a write's answer to a query".to_owned())),
            End::Unknown(why) => Err(self.timed_out(why.to_string())),
        }
    }

    async fn request(&self, operation: Operation<'_>) -> End {
        let deadline = Instant::now() + self.timeout;
        let (Operation::Write(bytes) | Operation::Query { bytes, .. }) = operation;
        let Ok(_room) = timeout_at(deadline, self.room(bytes.len())).await else {
            return End::Rejected(self.timed_out("waiting for room among this client's requests under way".to_owned()));
        };
        Attempts::new(&self.shared.nodes, &self.target, Request { group: self.group, operation, deadline }).run().await
    }

    /// Waits until the request fits among those under way; one that is larger than the bound has them all wait.
    async fn room(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let units = u32::try_from(bytes / INFLIGHT_UNIT_BYTES + 1).unwrap_or(u32::MAX).min(self.shared.inflight_max);
        // The semaphore is never closed.
        self.shared.inflight.acquire_many(units).await.ok()
    }

    fn timed_out(&self, last: String) -> Rejected {
        Rejected::TimedOut { group: self.group, last }
    }
}
