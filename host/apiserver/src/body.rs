//! Bodies of requests and responses.

use bytes::{Bytes, BytesMut};
use chainplate_apimachinery::Status;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

/// Any error that may cross threads.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of every response.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A response body that is there already.
pub fn full_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A response without a body.
pub fn empty_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// How many bytes beyond the limit are still read and thrown away, so that a client that sends before it
/// reads gets to see the 413 and not a reset connection.
const DRAIN: usize = 1024 * 1024;

/// The body of a request, still on the wire.
#[derive(Debug)]
pub struct RequestBody {
    inner: Inner,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Inner {
    Wire(Incoming),
    Ready(Full<Bytes>),
}

impl RequestBody {
    /// The largest body that the API takes, in bytes: `MaxRequestBodyBytes` of upstream's `config.go`.
    pub const LIMIT: usize = 3 * 1024 * 1024;

    /// Wraps a body as hyper gives it; reading it ends at the deadline.
    pub fn new(incoming: Incoming, deadline: Option<Instant>) -> Self {
        Self { inner: Inner::Wire(incoming), deadline }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// 413 over `limit` bytes, 504 when the deadline passes before the client has sent everything, 400 when
    /// the transfer breaks.
    pub async fn collect_bounded(self, limit: usize) -> Result<Bytes, Status> {
        let deadline = self.deadline;
        let read = read_bounded(self, limit);
        match deadline {
            None => read.await,
            Some(deadline) => match tokio::time::timeout_at(deadline.into(), read).await {
                Ok(result) => result,
                Err(_) => Err(timeout_status()),
            },
        }
    }
}

/// 504 as the timeout filter of upstream words it.
pub(crate) fn timeout_status() -> Status {
    Status::timeout("Timeout: request did not complete within the allotted timeout")
        .with_details(Default::default())
}

async fn read_bounded(mut body: RequestBody, limit: usize) -> Result<Bytes, Status> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Status::bad_request(format!("the body of the request could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > limit {
            // Nothing is kept any more.
            (first, rest) = (None, BytesMut::new());
            if length > limit.saturating_add(DRAIN) {
                break;
            }
            continue;
        }
        // Most bodies come in one piece, which needs no copy.
        match first.take() {
            None if rest.is_empty() => first = Some(data),
            None => rest.extend_from_slice(&data),
            Some(head) => {
                rest.reserve(expected.min(limit).max(head.len() + data.len()));
                rest.extend_from_slice(&head);
                rest.extend_from_slice(&data);
            }
        }
    }
    if length > limit {
        return Err(Status::too_large(format!("Request entity too large: limit is {limit}")));
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self { inner: Inner::Ready(Full::new(bytes)), deadline: None }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.inner {
            Inner::Wire(body) => Pin::new(body).poll_frame(cx).map_err(BoxError::from),
            Inner::Ready(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Wire(body) => body.is_end_stream(),
            Inner::Ready(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Wire(body) => body.size_hint(),
            Inner::Ready(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
        let body = RequestBody::from(Bytes::from(vec![b'x'; 10]));
        assert_eq!(body.collect_bounded(10).await.expect("fits").len(), 10);
        let body = RequestBody::from(Bytes::from(vec![b'x'; 11]));
        let status = body.collect_bounded(10).await.expect_err("too large");
        assert_eq!((status.code(), status.reason()), (413, "RequestEntityTooLarge"));
        assert_eq!(status.message(), "Request entity too large: limit is 10");
        assert_eq!(status.details(), None);
    }
}
