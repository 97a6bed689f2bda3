//! HTTP connections of the shared port: HTTP/1.1 and HTTP/2 with prior knowledge.

use super::{
    access::{Access, Remote},
    routes::{self, Admin},
};
use crate::{
    config::Token,
    node::Handle,
    port::{HttpConnection, HttpHandler},
};
use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{rc::Rc, sync::Arc, time::Duration};

/// Bytes of a request's head at most; a longer one is answered 431.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Requests that one HTTP/2 connection has under way at most.
const STREAMS_MAX: u32 = 1024;

/// Serves HTTP connections of the shared port.
pub(crate) fn serve(handle: Handle, token: Option<Token>, body_bytes_max: usize, read_timeout: Duration) -> HttpHandler {
    let router = routes::router(Admin { handle, access: Arc::new(Access::new(token)) }, body_bytes_max);
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(read_timeout).max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_BYTES_MAX as u32);
    let builder = Rc::new(builder);
    Box::new(move |connection| {
        tokio::task::spawn_local(serve_connection(Rc::clone(&builder), router.clone(), connection));
    })
}

async fn serve_connection(builder: Rc<auto::Builder<LocalExecutor>>, router: Router, connection: HttpConnection) {
    let HttpConnection { stream, remote, slot } = connection;
    let service = TowerToHyperService::new(router.layer(axum::Extension(Remote(remote))));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%remote, %error, "an HTTP connection ended early");
    }
    drop(slot);
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
