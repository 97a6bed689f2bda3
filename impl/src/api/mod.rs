//! What people and their tools talk to: the admin API, HTTP and JSON on the node's one port, and its metrics.

mod access;
mod error;
mod metrics;
mod routes;
mod server;
pub mod types;

pub(crate) use server::serve;
