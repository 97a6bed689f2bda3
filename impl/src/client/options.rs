//! What a client is told.

use roadstead_spec::wire::{ClusterId, Limits};
use std::time::Duration;

/// How a [`super::Client`] finds its cluster, and how much it may hold.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `HOST:PORT` of nodes of the cluster; one that is alive is enough, others are learned from answers. Tried in order at first.
    pub endpoints: Vec<String>,
    /// The cluster that is meant: nodes of another one are refused. [`ClusterId::ANY`] takes whichever answers.
    pub cluster: ClusterId,
    /// How long a request may take, attempts and waits included. [`super::GroupClient::with_timeout`] sets another for one handle.
    pub timeout: Duration,
    /// How long connecting to a node and the negotiation may take.
    pub connect_timeout: Duration,
    /// Bytes of requests that have no outcome yet, each counted in whole KiB: further ones wait, within their own timeout.
    pub inflight_bytes_max: usize,
    /// Sizes of frames.
    pub frames: Limits,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            cluster: ClusterId::ANY,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            inflight_bytes_max: 64 << 20,
            frames: Limits::default(),
        }
    }
}

impl ClientOptions {
    /// Defaults for these nodes.
    pub fn of(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { endpoints: endpoints.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}
