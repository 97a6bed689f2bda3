//! Requests over gRPC, to whoever speaks etcd's v3 API.

use std::time::Duration;

use roadstead_proto::etcdserverpb::{PutRequest, RangeRequest, kv_client::KvClient};
use tokio::time::timeout;
use tonic::{
    Code, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::config::HostPort;

use super::{
    super::{super::failure::Failure, options::ReadConsistency, workload::Workload},
    Ask, Failed, Request, Sessions,
    leader::Leaders,
};

/// Metadata that names the group of a request.
pub(super) const GROUP: &str = "roadstead-group";

/// Connections to the endpoints that take the requests.
#[derive(Debug)]
pub(in super::super) struct EtcdSessions {
    /// Endpoints that are used, each with its connections.
    used: Vec<(HostPort, Vec<Channel>)>,
    /// By group: the places in `used` that take its requests in turn, and its metadata.
    groups: Vec<(Vec<usize>, Option<MetadataValue<Ascii>>)>,
    version: String,
    timeout: Duration,
}

impl EtcdSessions {
    /// Finds the endpoints that are to be used, and connects.
    pub(in super::super) async fn open(endpoints: &[HostPort], workload: &Workload, timeout: Duration) -> Result<Self, Failure> {
        let leaders = Leaders::find(endpoints, workload, timeout).await?;
        let share = workload.connections.div_ceil(leaders.used.len().max(1) as u32).max(1);
        let mut used = Vec::with_capacity(leaders.used.len());
        for endpoint in leaders.used {
            let mut channels = Vec::with_capacity(share as usize);
            for _ in 0..share {
                channels.push(connect(&endpoint, timeout).await?);
            }
            used.push((endpoint, channels));
        }
        Ok(Self { used, groups: leaders.groups, version: leaders.version, timeout })
    }

    /// The endpoints that take requests.
    pub(in super::super) fn used(&self) -> impl Iterator<Item = &HostPort> {
        self.used.iter().map(|(endpoint, _)| endpoint)
    }

    /// The version of etcd that the target says it is.
    pub(in super::super) fn version(&self) -> &str {
        &self.version
    }
}

impl Sessions for EtcdSessions {
    type Session = EtcdSession;

    /// Clients take the groups in turn; those of a group take its endpoints in turn, and then their connections.
    fn session(&self, number: u64) -> EtcdSession {
        let (places, group) = &self.groups[(number % self.groups.len() as u64) as usize];
        let within = number / self.groups.len() as u64;
        let (_, channels) = &self.used[places[(within % places.len() as u64) as usize]];
        let channel = &channels[(within / places.len() as u64 % channels.len() as u64) as usize];
        EtcdSession { kv: KvClient::new(channel.clone()), group: group.clone(), timeout: self.timeout }
    }
}

/// Connects at once: a run must not begin with its handshakes.
pub(super) async fn connect(endpoint: &HostPort, timeout: Duration) -> Result<Channel, Failure> {
    let channel = Endpoint::from_shared(format!("http://{endpoint}")).map(|endpoint| endpoint.tcp_nodelay(true).connect_timeout(timeout));
    let channel = channel.map_err(|error| Failure::Usage(format!("{endpoint}: {error}")))?;
    channel.connect().await.map_err(|error| {
        Failure::unavailable(format!("{endpoint}: {}", innermost(&error)), "name endpoints that speak etcd's v3 API over gRPC")
    })
}

/// The cause at the bottom ("Connection refused"), which the outer text leaves out.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// One client on one of the connections.
#[derive(Clone, Debug)]
pub(in super::super) struct EtcdSession {
    kv: KvClient<Channel>,
    group: Option<MetadataValue<Ascii>>,
    timeout: Duration,
}

impl EtcdSession {
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(group) = &self.group {
            request.metadata_mut().insert(GROUP, group.clone());
        }
        request
    }
}

impl Ask for EtcdSession {
    async fn ask(&self, request: Request) -> Result<(), Failed> {
        // Cheap: a channel is a handle, and each call needs one of its own.
        let mut kv = self.kv.clone();
        let (is_write, outcome) = match request {
            Request::Put { key, value } => {
                let put = self.request(PutRequest { key: key.into(), value, ..PutRequest::default() });
                (true, timeout(self.timeout, kv.put(put)).await.map(|answer| answer.map(|_| ())))
            }
            Request::Get { key, consistency } => {
                let serializable = consistency == ReadConsistency::Serializable;
                let range = self.request(RangeRequest { key: key.into(), serializable, ..RangeRequest::default() });
                (false, timeout(self.timeout, kv.range(range)).await.map(|answer| answer.map(|_| ())))
            }
        };
        let status = match outcome {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded(format!("no answer within {:?}", self.timeout)),
        };
        Err(Failed { kind: kind(status.code()), unknown: is_write && may_have_happened(&status), text: text(&status) })
    }
}

/// Whether a put that ended so may have been committed. Of *Unavailable*, only what etcd says before it proposes anything is certain.
fn may_have_happened(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => !["etcdserver: no leader", "etcdserver: server stopped"].contains(&status.message()),
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
        Code::Cancelled | Code::Unknown | Code::DeadlineExceeded | Code::Aborted | Code::Internal | Code::DataLoss => true,
    }
}

/// Name of the code as in gRPC's specification, in small letters.
fn kind(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

fn text(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
