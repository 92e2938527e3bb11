//! The generic API server: everything between the socket and the server chain, and the life of the process.
//!
//! Options become a validated configuration, the configuration a listening server: TLS, HTTP/1.1 and HTTP/2,
//! the filters in upstream's order, health, metrics, and the way down at a signal. What is served is behind
//! [`Handler`]; this crate knows nothing of components or storage.
//!
//! ```text
//! Options -> complete() -> CompletedOptions -> validate() -> GenericServer::new(…) -> prepare() -> run()
//! ```

pub mod authn;
pub mod authz;
mod body;
mod cache;
mod context;
pub mod duration;
pub mod filters;
pub mod health;
pub mod lifecycle;
pub mod metrics;
mod native;
pub mod options;
pub mod response;
mod serve;
mod server;
pub mod tls;
pub mod version;

pub use body::{Body, BoxError, RequestBody, empty_body, full_body};
pub use context::{RequestContext, Warnings};
pub use lifecycle::ShutdownTrigger;
pub use native::ListedPaths;
pub use server::{GenericServer, PreparedServer, ServerError, listen};

use std::{future::Future, pin::Pin, sync::Arc};

/// A boxed future, as the object-safe seams of this crate return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is served: the server chain. Entered once per request, after all filters.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// The future is dropped where it waits when the deadline passes or the client goes away, so an
    /// implementation that must not be cut off halfway (an acknowledged write) spawns that part. A panic
    /// becomes a 500 for this request alone.
    fn handle(
        self: Arc<Self>,
        request: http::Request<RequestBody>,
        context: RequestContext,
    ) -> BoxFuture<'static, http::Response<Body>>;
}
