//! What people and their tools talk to: the admin API, HTTP and JSON on the node's one port, its metrics, and etcd's gRPC interface.

#[cfg(feature = "http")]
mod access;
#[cfg(feature = "http")]
mod error;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "http")]
mod metrics;
#[cfg(feature = "http")]
mod routes;
#[cfg(feature = "http")]
mod server;
pub mod types;

#[cfg(feature = "http")]
pub(crate) use server::serve;
