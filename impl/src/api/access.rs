//! Who may change something: requests from this machine, and those with the token of the configuration. Reading is open until TLS comes.

use super::error::ApiError;
use crate::{api::types::ErrorCode, config::Token};
use axum::http::{HeaderMap, header};
use std::net::SocketAddr;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote(pub(super) SocketAddr);

/// The rule.
pub(super) struct Access {
    token: Option<Token>,
}

impl Access {
    pub(super) fn new(token: Option<Token>) -> Self {
        Self { token }
    }

    /// Lets a changing request pass, or says what is missing. A web page that a browser on this machine shows is not this machine's operator:
    /// what names a foreign origin needs the token.
    pub(super) fn check(&self, remote: Remote, headers: &HeaderMap) -> Result<(), ApiError> {
        let local = remote.0.ip().to_canonical().is_loopback() && !headers.contains_key(header::ORIGIN);
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let known = match (&self.token, bearer) {
            (Some(token), Some(given)) => token.matches(given),
            _ => false,
        };
        if local || known {
            return Ok(());
        }
        let error =
            ApiError::new(ErrorCode::Forbidden, "requests that change something are taken from this machine only, or with the token");
        Err(error.with_hint(
            "send `Authorization: Bearer TOKEN` with the token of [admin] in the node's configuration, or run the command on the node",
        ))
    }
}
