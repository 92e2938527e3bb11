//! What a component implements, and the plain values that go with it.

use crate::{
    Draft, Plugin, Request, Response, StoredObject,
    controllers::{Action, ObjectReference},
};
use chainplate_apimachinery::Status;

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

/// A server in the chain.
///
/// All calls but [`configure`](Plugin::configure), [`handle`](Server::handle) and
/// [`transform`](Server::transform) run on one instance only.
pub trait Server: Plugin {
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

    /// Brings the world in line with an object of a [`Controller`](crate::controllers::Controller); the object may be
    /// gone. One call for one object at a time.
    ///
    /// # Errors
    /// Why it failed; the host tries again with back-off.
    fn reconcile(&self, controller: &str, _object: &ObjectReference) -> Result<Action, String> {
        Err(format!("{} has no controller {controller:?}", Self::NAME))
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
