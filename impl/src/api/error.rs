//! Errors as the API tells them: what failed, on which object, why, and what to do.

use crate::{
    api::types::{ErrorBody, ErrorCode},
    node::GroupError,
    store::RegistryError,
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct ApiError(ErrorBody);

impl ApiError {
    pub(super) fn new(code: ErrorCode, error: impl Into<String>) -> Self {
        Self(ErrorBody { error: error.into(), code, hint: None })
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.0.hint = Some(hint.to_owned());
        self
    }

    /// The node ends.
    pub(super) fn ending() -> Self {
        Self::new(ErrorCode::Unavailable, "the node is shutting down")
    }
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> Self {
        let code = match &error {
            GroupError::Registry { reason: RegistryError::Exists(_), .. } => ErrorCode::AlreadyRegistered,
            GroupError::Registry { reason: RegistryError::Removed { .. }, .. } => ErrorCode::Removed,
            GroupError::NoSuchGroup(_) => ErrorCode::NoSuchGroup,
            GroupError::Failed { .. } | GroupError::ShuttingDown => ErrorCode::Unavailable,
            GroupError::TooMany { .. } => ErrorCode::Busy,
            GroupError::Registry { .. }
            | GroupError::Differs { .. }
            | GroupError::Service { .. }
            | GroupError::Members { .. }
            | GroupError::PeerIsLegacy { .. } => ErrorCode::BadRequest,
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}
