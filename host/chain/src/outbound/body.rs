//! Bodies, bounded in bytes and in time.

use super::Place;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody, p2::bindings::http::types::ErrorCode};

/// A request's body that ends with an error beyond a number of bytes.
pub(super) struct Outgoing {
    inner: WasiBody,
    limit: usize,
    left: usize,
}

impl Outgoing {
    pub(super) const fn new(inner: WasiBody, limit: usize) -> Self {
        Self { inner, limit, left: limit }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        match self.left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.limit as u64))))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body that ends with an error beyond a number of bytes, after a silence, or at the request's deadline.
pub(super) struct Incoming {
    inner: hyper::body::Incoming,
    limit: usize,
    left: usize,
    silence: Duration,
    deadline: Instant,
    sleep: Pin<Box<Sleep>>,
    /// Left at the end, so that a component that saw it may ask again at once.
    place: Place,
}

impl Incoming {
    pub(super) fn new(
        inner: hyper::body::Incoming,
        limit: usize,
        silence: Duration,
        deadline: Instant,
        place: Place,
    ) -> Self {
        let sleep = Box::pin(sleep_until(deadline.min(Instant::now() + silence)));
        Self { inner, limit, left: limit, silence, deadline, sleep, place }
    }

    fn bounded(&mut self, frame: Result<Frame<Bytes>, hyper::Error>) -> Result<Frame<Bytes>, Error> {
        let frame = match frame {
            Ok(frame) => frame,
            // The connection ends at the deadline, too.
            Err(_) if Instant::now() >= self.deadline => return Err(Error::ConnectionReadTimeout),
            Err(error) => return Err(super::send::broken(&error)),
        };
        let left = self.left.checked_sub(frame.data_ref().map_or(0, Bytes::len));
        self.left = left.ok_or(Error::HttpResponseBodySize(Some(self.limit as u64)))?;
        let next = self.deadline.min(Instant::now() + self.silence);
        self.sleep.as_mut().reset(next);
        Ok(frame)
    }
}

/// What a component is told of the error that an answer's body ended with, if it is one of those made here.
pub(super) const fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::ConnectionReadTimeout => Some(ErrorCode::ConnectionReadTimeout),
        Error::HttpResponseBodySize(size) => Some(ErrorCode::HttpResponseBodySize(*size)),
        Error::HttpResponseHeaderSectionSize(size) => Some(ErrorCode::HttpResponseHeaderSectionSize(*size)),
        Error::HttpResponseIncomplete => Some(ErrorCode::HttpResponseIncomplete),
        Error::HttpProtocolError => Some(ErrorCode::HttpProtocolError),
        _ => None,
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.place.leave();
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(polled) => polled.map(|frame| self.bounded(frame)),
            Poll::Pending => {
                ready!(self.sleep.as_mut().poll(cx));
                Some(Err(Error::ConnectionReadTimeout))
            }
        };
        if !matches!(polled, Some(Ok(_))) {
            self.place.leave();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
