//! From a path to its service.

use super::{
    Etcd, SERVED,
    budget::Budget,
    error,
    memory::{Counted, Held, Holding},
};
use axum::http::{Request, Response, header};
use bytes::Bytes;
use roadstead_proto::{
    etcdserverpb::{cluster_server::ClusterServer, kv_server::KvServer, maintenance_server::MaintenanceServer},
    health::health_server::HealthServer,
};
use std::sync::Arc;
use tonic::{
    Code, Status,
    body::Body,
    codegen::{Body as HttpBody, Service, StdError},
};

/// The services of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::api) struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kv: KvServer<Etcd>,
    maintenance: MaintenanceServer<Etcd>,
    cluster: ClusterServer<Etcd>,
    health: HealthServer<Etcd>,
    budget: Budget,
}

impl Services {
    pub(in crate::api) fn new(etcd: &Etcd) -> Self {
        Self(Arc::new(Inner {
            kv: KvServer::new(etcd.clone()).max_decoding_message_size(error::MESSAGE_BYTES_MAX),
            maintenance: MaintenanceServer::new(etcd.clone()).max_decoding_message_size(error::MESSAGE_BYTES_MAX),
            cluster: ClusterServer::new(etcd.clone()).max_decoding_message_size(error::MESSAGE_BYTES_MAX),
            health: HealthServer::new(etcd.clone()).max_decoding_message_size(error::MESSAGE_BYTES_MAX),
            budget: etcd.0.budget.clone(),
        }))
    }

    /// Whether a request is gRPC's.
    pub(in crate::api) fn takes<B>(request: &Request<B>) -> bool {
        request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    }

    /// Carries a call out.
    pub(in crate::api) async fn call<B>(self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<StdError> + Send,
    {
        let path = request.uri().path();
        let Some(service) = served(path) else { return unserved(path).into_http() };
        let request = request.map(|body| Counted::new(body, &self.0.budget));
        let response = match service {
            "etcdserverpb.KV" => self.0.kv.clone().call(request).await,
            "etcdserverpb.Maintenance" => self.0.maintenance.clone().call(request).await,
            "etcdserverpb.Cluster" => self.0.cluster.clone().call(request).await,
            _ => self.0.health.clone().call(request).await,
        };
        let Ok(mut response) = response;
        match (response.extensions_mut().remove::<Held>(), oversized(&response)) {
            (_, Some(status)) => status.into_http(),
            (Some(held), None) => response.map(|body| Body::new(Holding { body, held })),
            (None, None) => response,
        }
    }
}

/// The service of a path `/SERVICE/METHOD`, if both are served.
fn served(path: &str) -> Option<&'static str> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    SERVED.iter().find(|(name, methods)| *name == service && methods.contains(&method)).map(|(name, _)| *name)
}

/// Clients that log in are told, as by an etcd without authentication, that there is none.
fn unserved(path: &str) -> Status {
    match path {
        "/etcdserverpb.Auth/Authenticate" | "/etcdserverpb.Auth/AuthStatus" | "/etcdserverpb.Auth/AuthDisable" => {
            Status::failed_precondition(error::AUTH_NOT_ENABLED)
        }
        path => error::not_served(path),
    }
}

/// The decoder's words for a message that is too large, in etcd's.
fn oversized(response: &Response<Body>) -> Option<Status> {
    let headers = response.headers();
    headers.get(Status::GRPC_STATUS)?;
    let refused = Status::from_header_map(headers).filter(|status| status.code() == Code::OutOfRange)?;
    let found = refused.message().strip_prefix("Error, decoded message length too large: found ")?.split(' ').next()?;
    Some(error::message_too_large(found))
}
