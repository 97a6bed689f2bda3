//! The paths of the admin API.

use super::{
    access::{Access, Remote},
    error::ApiError,
    metrics,
    types::{ErrorCode, GroupChanged, GroupList, GroupSpec, GroupStatus, LOG_ENTRIES_MAX, LogPage, NodeStatus, SnapshotTaken},
};
use crate::{
    config::GroupDraft,
    node::{GroupOptions, Handle},
};
use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::{get, post},
};
use roadstead_spec::{GroupId, Incarnation, Index};
use serde::Deserialize;
use std::sync::Arc;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) handle: Handle,
    pub(super) access: Arc<Access>,
}

type Answer<T> = Result<Json<T>, ApiError>;

pub(super) fn router(admin: Admin, body_bytes_max: usize) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/groups", get(groups).post(add_group))
        .route("/v1/groups/{id}", get(group).delete(remove_group))
        .route("/v1/groups/{id}/log", get(log))
        .route("/v1/groups/{id}/snapshot", post(snapshot))
        .route("/metrics", get(exposition))
        .fallback(|| async {
            ApiError::new(ErrorCode::NotFound, "no such path").with_hint("paths begin with /v1/status, /v1/groups or /metrics")
        })
        .method_not_allowed_fallback(|| async { ApiError::new(ErrorCode::MethodNotAllowed, "this path does not know the method") })
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(admin)
}

async fn status(State(admin): State<Admin>) -> Answer<NodeStatus> {
    admin.handle.status().await.map(Json).ok_or_else(ApiError::ending)
}

async fn groups(State(admin): State<Admin>) -> Answer<GroupList> {
    let node = admin.handle.status().await.ok_or_else(ApiError::ending)?.node;
    Ok(Json(GroupList { node, groups: admin.handle.groups().await }))
}

async fn group(State(admin): State<Admin>, Path(id): Path<String>) -> Answer<GroupStatus> {
    let id = group_id(&id)?;
    let found = admin.handle.group(id).await;
    found.map(Json).ok_or_else(|| ApiError::new(ErrorCode::NoSuchGroup, format!("group {id} is not on this node")))
}

async fn add_group(
    State(admin): State<Admin>,
    Extension(remote): Extension<Remote>,
    headers: HeaderMap,
    spec: Result<Json<GroupSpec>, JsonRejection>,
) -> Answer<GroupChanged> {
    admin.access.check(remote, &headers)?;
    let Json(spec) = spec.map_err(|rejection| ApiError::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let draft = GroupDraft {
        id: spec.id,
        generation: spec.generation,
        service: spec.service.as_deref(),
        protocol: spec.consensus_protocol.as_deref(),
        members: &spec.members,
    };
    let config = draft.check().map_err(|invalid| ApiError::new(ErrorCode::BadRequest, invalid.to_string()))?;
    let id = config.id;
    let incarnation = admin.handle.add_group(GroupOptions::from(config), None).await?;
    Ok(Json(changed(id, incarnation)))
}

async fn remove_group(
    State(admin): State<Admin>,
    Extension(remote): Extension<Remote>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer<GroupChanged> {
    admin.access.check(remote, &headers)?;
    let id = group_id(&id)?;
    let incarnation = admin.handle.remove_group(id).await?;
    Ok(Json(changed(id, incarnation)))
}

fn changed(id: GroupId, incarnation: Incarnation) -> GroupChanged {
    GroupChanged { id: id.get(), incarnation: format!("{:016x}", incarnation.0) }
}

/// Which part of a log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    from: Option<u64>,
    to: Option<u64>,
}

async fn log(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Answer<LogPage> {
    let id = group_id(&id)?;
    let Query(page) = page.map_err(|rejection| {
        ApiError::new(ErrorCode::BadRequest, rejection.body_text()).with_hint("for example /v1/groups/1/log?from=10&to=20")
    })?;
    let from = page.from.unwrap_or(1);
    let to = page.to.unwrap_or_else(|| from.saturating_add(LOG_ENTRIES_MAX - 1));
    Ok(Json(admin.handle.log(id, Index(from), Index(to)).await?))
}

async fn snapshot(
    State(admin): State<Admin>,
    Extension(remote): Extension<Remote>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer<SnapshotTaken> {
    admin.access.check(remote, &headers)?;
    let id = group_id(&id)?;
    let through = admin.handle.snapshot(id).await?;
    Ok(Json(SnapshotTaken { id: id.get(), index: through.0 }))
}

async fn exposition(State(admin): State<Admin>) -> Result<impl IntoResponse, ApiError> {
    let observation = admin.handle.observe().await.ok_or_else(ApiError::ending)?;
    let text = metrics::encode(&observation).map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

fn group_id(text: &str) -> Result<GroupId, ApiError> {
    text.parse().ok().and_then(GroupId::new).ok_or_else(|| {
        ApiError::new(ErrorCode::BadRequest, format!("{text:?} is no group id")).with_hint("a group id is a whole number, 0 to 2147483647")
    })
}
