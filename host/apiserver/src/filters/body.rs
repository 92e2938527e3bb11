//! The body of an answer on its way out: counted, bounded in time, and keeping what the request holds.

use super::Held;
use crate::{
    body::{Body, BoxError},
    metrics::Record,
};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    future::Future as _,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::{task::AbortHandle, time::Sleep};

/// A response body with what has to live as long as it.
#[derive(Debug)]
pub(crate) struct TrackedBody {
    inner: Body,
    record: Option<Record>,
    held: Held,
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Gives the request's place back at the deadline, whatever the client does.
    expiry: Option<AbortHandle>,
}

/// An answer of up to so many bytes gives its place back at once: the work is done and the memory is small.
const SMALL: u64 = 64 * 1024;

impl TrackedBody {
    pub(crate) fn new(inner: Body, record: Record, mut held: Held, deadline: Option<Instant>) -> Self {
        let mut expiry = None;
        if inner.size_hint().upper().is_some_and(|bytes| bytes <= SMALL) {
            held.permit = None;
        } else if let (Some(deadline), Some(permit)) = (deadline, held.permit.clone()) {
            // A client may keep its HTTP/2 window shut: then nobody polls this body, and its own timer is deaf.
            let task = tokio::spawn(async move {
                tokio::time::sleep_until(deadline.into()).await;
                permit.release();
            });
            expiry = Some(task.abort_handle());
        }
        Self { inner, record: Some(record), held, deadline, timer: None, expiry }
    }

    pub(crate) fn untracked(inner: Body) -> Self {
        Self { inner, record: None, held: Held::default(), deadline: None, timer: None, expiry: None }
    }

    /// The answer is out: what was held is free, even if the transport keeps the body for a while.
    fn finish(&mut self) {
        self.record = None;
        if let Some(permit) = &self.held.permit {
            permit.release();
        }
        self.held = Held::default();
        if let Some(expiry) = self.expiry.take() {
            expiry.abort();
        }
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.finish();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{filters::Limits, full_body, metrics::Metrics};
    use chainplate_apimachinery::request::RequestInfo;
    use std::{sync::Arc, time::Duration};

    fn tracked(limits: &Limits, bytes: usize) -> TrackedBody {
        let info = RequestInfo::parse("GET", "/api/v1/pods", "").expect("a path");
        let record = Metrics::new().start(&info, None, None);
        let (permit, _) = limits.enter(false).expect("a place");
        let held = Held { token: None, permit: Some(Arc::new(permit)) };
        let deadline = Instant::now() + Duration::from_secs(60);
        TrackedBody::new(full_body(vec![0; bytes]), record, held, Some(deadline))
    }

    #[tokio::test]
    async fn a_small_answer_gives_its_place_back_at_once() {
        let limits = Limits::new(1, 1);
        let _unread = tracked(&limits, 1024);
        assert!(limits.enter(false).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_that_nobody_reads_gives_its_place_back_at_the_deadline() {
        let limits = Limits::new(1, 1);
        let _unread = tracked(&limits, 1 << 20);
        assert!(limits.enter(false).is_err());
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(limits.enter(false).is_ok());
    }

    #[tokio::test]
    async fn a_dropped_answer_gives_its_place_back() {
        let limits = Limits::new(1, 1);
        drop(tracked(&limits, 1 << 20));
        assert!(limits.enter(false).is_ok());
    }
}
