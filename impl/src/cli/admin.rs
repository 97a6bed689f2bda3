//! The client side of the admin API.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::types::{ErrorBody, ErrorCode},
    config::HostPort,
};

use super::{
    endpoints::{Endpoints, Writer},
    failure::Failure,
};

/// Bytes of an answer at most; a status of a hundred thousand groups stays well below. A longer one is refused.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Asks nodes; cheap to clone, connections are shared.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    client: Client<HttpConnector, Full<Bytes>>,
    token: Option<HeaderValue>,
    timeout: Duration,
}

/// A request without an answer, or with one that says no.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// No answer came.
    #[error("{endpoint}: {why}")]
    Unreachable {
        /// Whom we asked.
        endpoint: HostPort,
        /// What happened.
        why: String,
    },
    /// The node says no.
    #[error("{endpoint}: {}", body.error)]
    Refused {
        /// Whom we asked.
        endpoint: HostPort,
        /// What it said.
        body: ErrorBody,
    },
}

impl AdminError {
    /// The refusal's kind; `None` if no answer came.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Unreachable { .. } => None,
            Self::Refused { body, .. } => Some(body.code),
        }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let text = error.to_string();
        match error {
            AdminError::Unreachable { .. } => Self::unavailable(text, "name other nodes with --endpoints, or wait longer with --timeout"),
            AdminError::Refused { body, .. } => Self::Failed(ErrorBody { error: text, ..body }),
        }
    }
}

impl Admin {
    /// A client that only asks.
    pub(super) fn reader(options: &Endpoints) -> Result<Self, Failure> {
        Self::with(options.timeout, None)
    }

    /// A client that may change something.
    pub(super) fn writer(options: &Writer) -> Result<Self, Failure> {
        Self::with(options.endpoints.timeout, options.token.as_deref())
    }

    /// A client that waits so long for each answer.
    pub(super) fn with(timeout: Duration, token: Option<&str>) -> Result<Self, Failure> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let mut token = token.map_err(|_| Failure::Usage("--token: only visible ASCII characters can be in a token".to_owned()))?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        Ok(Self { client, token, timeout })
    }

    /// `GET path` of one node.
    pub(super) async fn get<T: DeserializeOwned>(&self, endpoint: &HostPort, path: &str) -> Result<T, AdminError> {
        self.send(Method::GET, endpoint, path, Bytes::new()).await
    }

    /// `POST path` with a JSON body.
    pub(super) async fn post<T: DeserializeOwned>(&self, endpoint: &HostPort, path: &str, body: &impl Serialize) -> Result<T, AdminError> {
        let body = serde_json::to_vec(body).map_err(|error| unreachable(endpoint, format!("the request makes no JSON: {error}")))?;
        self.send(Method::POST, endpoint, path, body.into()).await
    }

    /// `DELETE path`.
    pub(super) async fn delete<T: DeserializeOwned>(&self, endpoint: &HostPort, path: &str) -> Result<T, AdminError> {
        self.send(Method::DELETE, endpoint, path, Bytes::new()).await
    }

    /// `GET path` of the first endpoint that answers with success; else the last refusal, or all reasons why nobody answered.
    pub(super) async fn get_any<T: DeserializeOwned>(&self, options: &Endpoints, path: &str) -> Result<(HostPort, T), Failure> {
        let (mut refusal, mut reasons) = (None, Vec::new());
        for endpoint in &options.endpoints {
            match self.get(endpoint, path).await {
                Ok(answer) => return Ok((endpoint.clone(), answer)),
                Err(error @ AdminError::Refused { .. }) => refusal = Some(error),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(refusal.map_or_else(|| options.nobody(&reasons), Failure::from))
    }

    /// `GET path` of one node, as text; of any server that speaks HTTP.
    pub(super) async fn get_text(&self, endpoint: &HostPort, path: &str) -> Result<String, AdminError> {
        let (status, bytes) = self.answer(Method::GET, endpoint, path, Bytes::new()).await?;
        if !status.is_success() {
            return Err(unreachable(endpoint, format!("HTTP status {status} to {path}")));
        }
        String::from_utf8(bytes.into()).map_err(|_| unreachable(endpoint, format!("the answer to {path} is no text")))
    }

    async fn answer(&self, method: Method, endpoint: &HostPort, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), AdminError> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(method, endpoint, path, body)).await;
        answer.map_err(|_| unreachable(endpoint, format!("no answer within {:?}", self.timeout)))?
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, endpoint: &HostPort, path: &str, body: Bytes) -> Result<T, AdminError> {
        let (status, bytes) = self.answer(method, endpoint, path, body).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|error| unreachable(endpoint, format!("the answer to {path} is not understood ({error}); use the same version")));
        }
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| ErrorBody {
            error: format!("HTTP status {status} to {path}, and no reason"),
            code: ErrorCode::Internal,
            hint: Some("make sure that this is the port of a roadstead node of the same version".to_owned()),
        });
        Err(AdminError::Refused { endpoint: endpoint.clone(), body })
    }

    async fn exchange(&self, method: Method, endpoint: &HostPort, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), AdminError> {
        let mut request = Request::builder().method(method).uri(format!("http://{endpoint}{path}"));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|error| unreachable(endpoint, error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| unreachable(endpoint, innermost(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| unreachable(endpoint, format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }
}

fn unreachable(endpoint: &HostPort, why: String) -> AdminError {
    AdminError::Unreachable { endpoint: endpoint.clone(), why }
}

/// The cause at the bottom ("Connection refused"), which hyper's own text leaves out.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
