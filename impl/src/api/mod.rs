//! What people and their tools talk to: the admin API over HTTP and its JSON.

pub mod types;

use crate::{config::Token, node::Handle, port::HttpHandler};
use std::time::Duration;

/// Serves HTTP connections of the shared port.
pub(crate) fn serve(handle: Handle, token: Option<Token>, body_bytes_max: usize, read_timeout: Duration) -> HttpHandler {
    let _ = (handle, token, body_bytes_max, read_timeout);
    Box::new(|connection| drop(connection))
}
