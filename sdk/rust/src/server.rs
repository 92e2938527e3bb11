//! What a component implements, and the plain values that go with it.

use crate::{Draft, Request, Response, StoredObject};
use chainplate_apimachinery::{Status, Value};

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the developer of this very line.
    Trace,
    /// For developers.
    Debug,
    /// For operators.
    Info,
    /// Something an operator should look at.
    Warn,
    /// Something failed.
    Error,
}

/// A server in the chain. One value per instance, one call at a time.
///
/// All calls but [`configure`](Server::configure), [`handle`](Server::handle) and
/// [`transform`](Server::transform) run on one instance only.
pub trait Server: Sized + 'static {
    /// The component's name, in logs, metrics and errors.
    const NAME: &'static str;
    /// The component's own version.
    const VERSION: &'static str;

    /// Makes the server from its configuration, a JSON object; called first, on every instance.
    ///
    /// # Errors
    /// Why the configuration will not do; the host refuses to start with that text.
    fn configure(config: Value) -> Result<Self, String>;

    /// Claims routes and publishes documents, before the host listens.
    ///
    /// # Errors
    /// Why the server cannot serve; the host refuses to start with that text.
    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs once the host listens; `/readyz` waits for it.
    ///
    /// # Errors
    /// Why it failed; the host tries again with back-off and stays unready until it succeeds.
    fn post_start(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs when a shutdown begins, before connections are drained.
    ///
    /// # Errors
    /// Why it failed; the host logs it and goes on.
    fn pre_shutdown(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the server can serve.
    ///
    /// # Errors
    /// Why not; shown in `/readyz?verbose`.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Answers a request or passes it on.
    ///
    /// # Errors
    /// The Status that the client gets. Never a delegation.
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status>;

    /// A pure function over a batch of objects; as many results as objects.
    ///
    /// # Errors
    /// The Status that ends the list or watch.
    fn transform(
        &self,
        name: &str,
        _argument: &[u8],
        _objects: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Status> {
        Err(Status::internal(format_args!("{} has no transform {name:?}", Self::NAME)))
    }

    /// The OpenAPI v3 document, in JSON, of a group-version that was published without one; made when somebody asks.
    fn openapi_v3(&self, _group: &str, _version: &str) -> Option<Vec<u8>> {
        None
    }

    /// Runs a task that was scheduled with [`tasks::schedule`](crate::tasks::schedule).
    ///
    /// # Errors
    /// Why it failed; the host tries again with back-off.
    fn run_task(&self, task: &str) -> Result<(), String> {
        Err(format!("{} has no task {task:?}", Self::NAME))
    }
}

/// The decision on a request.
#[derive(Debug)]
pub enum Outcome {
    /// Answered here.
    Respond(Response),
    /// Not ours: to the next in the chain.
    Delegate,
    /// To the next in the chain, edited.
    DelegateWith(Draft),
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Outcome::Respond(response)
    }
}

/// A field that `fieldSelector` may name besides `metadata.name` and `metadata.namespace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLabel {
    /// The label, `status.phase`.
    pub label: String,
    /// The members to walk in the object.
    pub path: Vec<String>,
    /// The value of an object without that field.
    pub default: String,
}

/// A column of the Table projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The title.
    pub name: String,
    /// An OpenAPI type: string, integer, number, boolean, date.
    pub type_: String,
    /// An OpenAPI format, `name` for the primary column.
    pub format: String,
    /// The column's meaning.
    pub description: String,
    /// 0 is always shown, more than 0 only in wide output.
    pub priority: i32,
}

/// A page of a wide read.
#[derive(Debug)]
pub struct Page {
    /// The objects, in key order.
    pub items: Vec<StoredObject>,
    /// Pass to the next call; none at the end.
    pub next: Option<String>,
}

/// Documents of one group and version, for discovery and OpenAPI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupVersion {
    /// The group, empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The `APIVersionDiscovery` of aggregated discovery, in JSON.
    pub discovery: Vec<u8>,
    /// The OpenAPI v3 document, in JSON; without it [`Server::openapi_v3`] is asked. Not filled in by
    /// [`publication::all`](crate::publication::all): such documents are large.
    pub openapi_v3: Option<Vec<u8>>,
    /// Changes when the OpenAPI v3 document may have. The host's word; ignored when publishing.
    pub openapi_v3_hash: String,
    /// The greater, the earlier its group stands in discovery (APIService's field of that name).
    pub group_priority_minimum: i32,
    /// The greater, the earlier it stands in its group.
    pub version_priority: i32,
    /// Who published it. The host's word; ignored when publishing.
    pub publisher: String,
}

/// Makes a type the server of this component. Compiled natively it does nothing.
#[macro_export]
macro_rules! export {
    ($server:ty) => {
        #[cfg(target_family = "wasm")]
        mod chainplate_component {
            #![allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]
            use super::*;
            type Component = $crate::guest::Component<$server>;
            $crate::bindings::export_bindings!(Component with_types_in $crate::bindings);
        }
    };
}
