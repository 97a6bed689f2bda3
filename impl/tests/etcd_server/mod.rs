//! The smallest server that speaks etcd's API: it stores nothing and remembers how it was asked.

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use roadstead_proto::etcdserverpb::{
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader, StatusRequest, StatusResponse,
    kv_server::{Kv, KvServer},
    maintenance_server::{Maintenance, MaintenanceServer},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};
use tokio::{net::TcpListener, sync::oneshot};
use tonic::{Request, Response, Status, codegen::Service};

/// How it was asked.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) puts: u64,
    pub(crate) ranges: u64,
    /// Of the ranges, those that need no quorum.
    pub(crate) serializable: u64,
    /// Connections that puts and ranges came on.
    pub(crate) connections: BTreeSet<u64>,
    /// Of the last put.
    pub(crate) key_bytes: usize,
    pub(crate) value_bytes: usize,
    /// Groups that requests named.
    pub(crate) groups: BTreeSet<String>,
    refusal: Option<String>,
}

/// The connection that a request came on.
#[derive(Clone, Copy, Debug)]
struct Connection(u64);

/// Ends when dropped.
pub(crate) struct EtcdServer {
    endpoint: String,
    node: Node,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Node {
    id: u64,
    leader: u64,
    seen: Arc<Mutex<Seen>>,
}

impl EtcdServer {
    /// Serves as member `id`, which takes `leader` for the leader.
    pub(crate) fn start(id: u64, leader: u64) -> Self {
        let node = Node { id, leader, seen: Arc::default() };
        let (stop, stopped) = oneshot::channel();
        let (address, bound) = mpsc::channel();
        let serving = node.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        let endpoint = bound.recv().unwrap().to_string();
        Self { endpoint, node, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.node.seen())
    }

    /// From now on each request fails as *Unavailable* with this message.
    pub(crate) fn refuse_with(&self, message: &str) {
        self.node.seen().refusal = Some(message.to_owned());
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

async fn serve(listener: TcpListener, node: Node) {
    for number in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (kv, maintenance) = (KvServer::new(node.clone()), MaintenanceServer::new(node.clone()));
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Connection(number));
            let (mut kv, mut maintenance) = (kv.clone(), maintenance.clone());
            async move {
                let is_maintenance = request.uri().path().starts_with("/etcdserverpb.Maintenance/");
                if is_maintenance { maintenance.call(request).await } else { kv.call(request).await }
            }
        });
        tokio::spawn(async move {
            // The client ends its connections whenever it likes.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Node {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { cluster_id: 1, member_id: self.id, revision: 1, raft_term: 1 })
    }

    fn note<T>(&self, request: &Request<T>, note: impl FnOnce(&mut Seen, &T)) -> Result<(), Status> {
        let mut seen = self.seen();
        if let Some(message) = &seen.refusal {
            return Err(Status::unavailable(message.clone()));
        }
        if let Some(group) = request.metadata().get("roadstead-group") {
            seen.groups.insert(group.to_str().unwrap().to_owned());
        }
        seen.connections.extend(request.extensions().get::<Connection>().map(|connection| connection.0));
        note(&mut seen, request.get_ref());
        Ok(())
    }
}

#[tonic::async_trait]
impl Kv for Node {
    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        self.note(&request, |seen, put| {
            seen.puts += 1;
            (seen.key_bytes, seen.value_bytes) = (put.key.len(), put.value.len());
        })?;
        Ok(Response::new(PutResponse { header: self.header(), ..PutResponse::default() }))
    }

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        self.note(&request, |seen, range| {
            seen.ranges += 1;
            seen.serializable += u64::from(range.serializable);
        })?;
        Ok(Response::new(RangeResponse { header: self.header(), ..RangeResponse::default() }))
    }
}

#[tonic::async_trait]
impl Maintenance for Node {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let (version, leader) = ("3.4.99-test".to_owned(), self.leader);
        Ok(Response::new(StatusResponse { header: self.header(), version, leader, ..StatusResponse::default() }))
    }
}
