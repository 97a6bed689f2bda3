//! What people and their tools talk to: the admin API, HTTP and JSON on the node's one port, and its metrics.

#[cfg(feature = "http")]
mod access;
#[cfg(feature = "http")]
mod error;
#[cfg(feature = "http")]
mod metrics;
#[cfg(feature = "http")]
mod routes;
#[cfg(feature = "http")]
mod server;
pub mod types;

#[cfg(feature = "http")]
pub(crate) use server::serve;
