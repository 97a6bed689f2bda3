//! Bounds the memory of calls. A connection may have a thousand of them, each with a message of megabytes that arrives slowly, or an answer that is read
//! slowly; so their bytes are counted, over all connections, and whoever would exceed the bound is told to come again.

use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tonic::{Status, codegen::StdError};

use super::{
    budget::{Budget, Exceeded, Taken},
    error,
};
use crate::service::kv::ANSWER_BYTES_MAX;

/// Bytes of messages that are not whole yet, and of large answers that are not sent yet, over all connections of the node. Two answers of the largest size.
const CALLS_BYTES_MAX: usize = 2 * ANSWER_BYTES_MAX;

/// Answers up to this size are not counted: HTTP/2's own buffers hold more.
const SMALL_ANSWER_BYTES: usize = 64 << 10;

/// The budget of all calls of a node.
pub(super) fn calls() -> Budget {
    Budget::new(CALLS_BYTES_MAX)
}

/// Takes an answer's bytes, until the guard is dropped.
pub(super) fn take_answer(budget: &Budget, bytes: usize) -> Result<Option<Held>, Status> {
    if bytes <= SMALL_ANSWER_BYTES {
        return Ok(None);
    }
    let mut taken = budget.taken();
    taken.add(bytes)?;
    Ok(Some(Held(Arc::new(taken))))
}

impl From<Exceeded> for Status {
    fn from(Exceeded: Exceeded) -> Self {
        error::too_many_requests()
    }
}

/// The bytes of a large answer. It travels with the response and ends with its body.
#[derive(Clone, Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "dropping it is its use")] Arc<Taken>);

/// A request's body while its message arrives.
pub(super) struct Counted<B> {
    body: B,
    taken: Taken,
}

impl<B> Counted<B> {
    pub(super) fn new(body: B, budget: &Budget) -> Self {
        Self { body, taken: budget.taken() }
    }
}

impl<B: HttpBody + Unpin> HttpBody for Counted<B>
where
    B::Data: AsRef<[u8]>,
    B::Error: Into<StdError>,
{
    type Data = B::Data;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, StdError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        if let Some(data) = frame.data_ref() {
            self.taken.add(data.as_ref().len()).map_err(Status::from)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body that gives its bytes back when it is sent, or given up.
pub(super) struct Holding {
    pub(super) body: tonic::body::Body,
    #[expect(dead_code, reason = "dropping it is its use")]
    pub(super) held: Held,
}

impl HttpBody for Holding {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = calls();
        assert!(take_answer(&budget, SMALL_ANSWER_BYTES).unwrap().is_none());
        let first = take_answer(&budget, CALLS_BYTES_MAX).unwrap();
        let mut message = budget.taken();
        let refused = Status::from(message.add(1).unwrap_err());
        assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, "etcdserver: too many requests"));
        drop((first, message));
        assert!(take_answer(&budget, CALLS_BYTES_MAX).is_ok());
        assert!(take_answer(&budget, CALLS_BYTES_MAX).is_ok(), "the answer before was dropped");
    }
}
