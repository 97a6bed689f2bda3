//! Whether this node serves: gRPC's health check, and etcd's paths `/health` and `/version`.

use super::{ETCD_CLUSTER_VERSION, ETCD_VERSION, Etcd, asked::Asked};
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use roadstead_proto::health::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server};
use std::{collections::BTreeMap, time::Duration};
use tonic::{Response, Status, async_trait};

/// How long the read of a health check may take. Source: etcd.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

#[async_trait]
impl health_server::Health for Etcd {
    /// The node as a whole (the empty name), or a service by its name.
    async fn check(&self, request: tonic::Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !service.is_empty() && !super::SERVED.iter().any(|(name, _)| name == service) {
            return Err(Status::not_found("unknown service"));
        }
        let status = if self.ill().await.is_none() { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }
}

impl Etcd {
    /// Why this node does not serve; `None` when it does: no alarm, and the default group answers a linearizable read.
    async fn ill(&self) -> Option<String> {
        if let Some(alarm) = self.alarms().await.first() {
            return Some(format!("ALARM {}", alarm.as_str_name()));
        }
        let asked = Asked { group: None, timeout: HEALTH_TIMEOUT.min(self.0.timeout), require_leader: false };
        let read = match self.0.group_without_keys(asked) {
            Ok(group) => self.0.revision(asked, group, false).await,
            Err(status) => Err(status),
        };
        read.err().map(|status| status.message().to_owned())
    }
}

/// etcd's paths.
pub(in crate::api) fn router(etcd: Etcd) -> Router {
    Router::new().route("/health", get(health)).route("/version", get(version)).with_state(etcd)
}

async fn health(State(etcd): State<Etcd>) -> impl IntoResponse {
    let ill = etcd.ill().await;
    let code = if ill.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let healthy = ill.is_none().to_string();
    (code, Json(BTreeMap::from([("health", healthy), ("reason", ill.unwrap_or_default())])))
}

async fn version() -> impl IntoResponse {
    Json(BTreeMap::from([("etcdserver", ETCD_VERSION), ("etcdcluster", ETCD_CLUSTER_VERSION)]))
}
