//! The body of an answer on its way out: counted, bounded in time, and keeping what the request holds.

use super::Held;
use crate::{
    body::{Body, BoxError},
    metrics::Record,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    future::Future as _,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::time::Sleep;

/// A response body with what has to live as long as it.
#[derive(Debug)]
pub(crate) struct TrackedBody {
    inner: Body,
    record: Option<Record>,
    held: Held,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl TrackedBody {
    pub(crate) fn new(inner: Body, record: Record, held: Held, deadline: Option<Instant>) -> Self {
        Self { inner, record: Some(record), held, deadline, timer: None }
    }

    pub(crate) fn untracked(inner: Body) -> Self {
        Self { inner, record: None, held: Held::default(), deadline: None, timer: None }
    }

    /// The answer is out: what was held is free, even if the transport keeps the body for a while.
    fn finish(&mut self) {
        self.record = None;
        self.held = Held::default();
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        // A panic here would take down the connection, and with it other requests.
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.inner).poll_frame(cx)));
        let Ok(polled) = polled else {
            this.finish();
            return Poll::Ready(Some(Err("the answer's body panicked".into())));
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(record), Some(data)) = (&mut this.record, frame.data_ref()) {
                    record.sent(data.len());
                }
                if this.inner.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => {
                this.finish();
                Poll::Ready(end)
            }
            Poll::Pending => {
                let Some(deadline) = this.deadline else { return Poll::Pending };
                let timer =
                    this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if let Some(record) = &mut this.record {
                    record.terminated();
                }
                this.finish();
                Poll::Ready(Some(Err("the answer was not complete within the request's time".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
