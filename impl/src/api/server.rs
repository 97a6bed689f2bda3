//! HTTP connections of the shared port: HTTP/1.1 and HTTP/2 with prior knowledge, the latter also with gRPC.

#[cfg(feature = "etcd")]
use super::etcd;
use super::{
    access::{Access, Remote},
    routes::{self, Admin},
};
use crate::{
    node::{Handle, NodeOptions},
    port::{HttpConnection, HttpHandler},
};
use axum::{
    Router,
    http::{Request, Response},
};
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{convert::Infallible, pin::Pin, rc::Rc, sync::Arc};

/// Bytes of a request's head at most; a longer one is answered 431.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Requests that one HTTP/2 connection has under way at most. The windows are hyper's: an adaptive one starts so small that many small streams at
/// once count as an attack, and h2 closes the connection.
const STREAMS_MAX: u32 = 1024;

/// Serves HTTP connections of the shared port.
pub(crate) fn serve(handle: &Handle, options: &mut NodeOptions) -> HttpHandler {
    let (body_bytes_max, read_timeout) = (options.limits.http_body_bytes, options.timers.read_timeout);
    let access = Arc::new(Access::new(options.admin_token.take()));
    let front = Front::new(handle, options, routes::router(Admin { handle: handle.clone(), access }, body_bytes_max));
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(read_timeout).max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_BYTES_MAX as u32);
    // A client that stands still keeps its answers in memory; one that does not even answer a ping is gone.
    builder.http2().keep_alive_interval(read_timeout).keep_alive_timeout(read_timeout);
    let builder = Rc::new(builder);
    Box::new(move |connection| {
        tokio::task::spawn_local(serve_connection(Rc::clone(&builder), front.clone(), connection));
    })
}

async fn serve_connection(builder: Rc<auto::Builder<LocalExecutor>>, front: Front, connection: HttpConnection) {
    let HttpConnection { stream, remote, slot } = connection;
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), Visited { front, remote: Remote(remote) }).await {
        tracing::debug!(%remote, %error, "an HTTP connection ended early");
    }
    drop(slot);
}

/// What HTTP requests are given to.
#[derive(Clone)]
struct Front {
    admin: TowerToHyperService<Router>,
    #[cfg(feature = "etcd")]
    grpc: etcd::Services,
}

/// The front as one connection sees it.
struct Visited {
    front: Front,
    remote: Remote,
}

#[cfg(feature = "etcd")]
type Body = tonic::body::Body;
#[cfg(not(feature = "etcd"))]
type Body = axum::body::Body;

impl Front {
    #[cfg(feature = "etcd")]
    fn new(handle: &Handle, options: &NodeOptions, admin: Router) -> Self {
        let etcd = etcd::Etcd::new(handle.clone(), options);
        Self { grpc: etcd::Services::new(&etcd), admin: TowerToHyperService::new(admin.merge(etcd::router(etcd))) }
    }

    #[cfg(not(feature = "etcd"))]
    fn new(_: &Handle, _: &NodeOptions, admin: Router) -> Self {
        Self { admin: TowerToHyperService::new(admin) }
    }
}

impl Service<Request<Incoming>> for Visited {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

    /// Calls of gRPC go to their service directly: they are what the node is busy with.
    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        #[cfg(feature = "etcd")]
        if etcd::Services::takes(&request) {
            let services = self.front.grpc.clone();
            return Box::pin(async move { Ok(services.call(request).await) });
        }
        request.extensions_mut().insert(self.remote);
        let answer = self.front.admin.call(request);
        Box::pin(async move { Ok(answer.await?.map(Body::new)) })
    }
}

/// Runs HTTP/2 streams on the node's one thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
