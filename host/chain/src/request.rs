//! A request on its way down the chain.

use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, UserInfo},
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// Reads the whole body, bounded by the host.
pub type ReadBody = Box<dyn FnOnce() -> BoxFuture<'static, Result<Bytes, Status>> + Send>;

/// A body that is read when the first component asks for it, and then kept for the others.
pub struct Body {
    read: Mutex<Option<ReadBody>>,
    bytes: OnceCell<Result<Bytes, Status>>,
}

impl Body {
    /// A body that is still on the wire.
    pub fn on_demand(read: ReadBody) -> Arc<Self> {
        Arc::new(Self { read: Mutex::new(Some(read)), bytes: OnceCell::new() })
    }

    /// A body in hand.
    pub fn ready(bytes: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self { read: Mutex::new(None), bytes: OnceCell::new_with(Some(Ok(bytes.into()))) })
    }

    /// The whole body.
    ///
    /// # Errors
    /// What reading it ended with, the same at every call.
    pub async fn bytes(&self) -> Result<Bytes, Status> {
        let read = || async {
            let read = self.read.lock().take();
            match read {
                Some(read) => read().await,
                // Only when the call that was reading was given up.
                None => Err(Status::bad_request("the request body was not read to its end")),
            }
        };
        self.bytes.get_or_init(read).await.clone()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// Takes a warning for the answer's headers.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// Takes an audit annotation, key and value.
pub type Annotate = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// A request as components see it.
#[derive(Clone)]
pub struct Request {
    /// What it asks for.
    pub info: Arc<RequestInfo>,
    /// The raw query, without `?`.
    pub query: String,
    /// Its headers, without credentials.
    pub headers: http::HeaderMap,
    /// Who sent it.
    pub user: Arc<UserInfo>,
    /// The audit id.
    pub audit_id: String,
    /// When the caller is told 504; none for watches.
    pub deadline: Option<Instant>,
    /// Its body.
    pub body: Arc<Body>,
    /// Takes warnings.
    pub warn: Warn,
    /// Takes audit annotations, by key.
    pub annotate: Annotate,
    /// How many requests of components to this very server led to this one; 0 for those of clients.
    pub depth: u8,
}

impl Request {
    /// The time that is left, at most `limit`.
    pub(crate) fn patience(&self, limit: Duration) -> Duration {
        self.deadline.map_or(limit, |deadline| limit.min(deadline.saturating_duration_since(Instant::now())))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.info.method, self.info.path, self.audit_id)
    }
}
