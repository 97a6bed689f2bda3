//! One request of a run, and those who carry it out.

#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod leader;
mod native;

use std::{collections::BTreeMap, future::Future};

use bytes::Bytes;

use super::options::ReadConsistency;

#[cfg(feature = "etcd")]
pub(super) use etcd::EtcdSessions;
pub(super) use native::NativeSessions;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Set a key.
    Put {
        /// The key.
        key: String,
        /// Its value.
        value: Bytes,
    },
    /// Read a key.
    Get {
        /// The key.
        key: String,
        /// What the read promises.
        consistency: ReadConsistency,
    },
}

/// A request that was not done, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Short and stable, to count by.
    pub(super) kind: &'static str,
    /// Whether a write may have happened all the same.
    pub(super) unknown: bool,
    /// For people.
    pub(super) text: String,
}

/// Somebody who carries out requests, many at once.
pub(super) trait Ask: Clone + 'static {
    /// Carries one out.
    fn ask(&self, request: Request) -> impl Future<Output = Result<(), Failed>>;
}

/// Clients of a target by number, spread over its connections and groups.
pub(super) trait Sessions {
    /// One client.
    type Session: Ask;

    /// The client of this number, whatever the number is.
    fn session(&self, number: u64) -> Self::Session;
}

/// How many failures there were of each kind.
pub(super) type FailureCounts = BTreeMap<String, u64>;
