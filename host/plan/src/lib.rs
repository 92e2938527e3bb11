//! Plans: what a server component answers with, and their execution as HTTP responses.
#![allow(missing_docs, clippy::todo, unused_variables, reason = "contract, filled in next")]

use bytes::Bytes;
use chainplate_apimachinery::{Status, request::RequestInfo};
use chainplate_storage::{Object, Store};
use std::{future::Future, pin::Pin, sync::Arc};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of every response of the host.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A served resource version, as a component described it with `collection.open`. Grants were checked then.
#[derive(Debug, Clone)]
pub struct Collection {
    pub group: String,
    pub version: String,
    pub resource: String,
    pub kind: String,
    pub list_kind: String,
    pub namespaced: bool,
    /// Collection in storage, `pods`, `services/specs`.
    pub storage_prefix: Arc<str>,
    /// Built-in lists omit kind and apiVersion in items (and empty lists omit `continue`); custom resources keep them.
    pub items_with_type_meta: bool,
    /// Field labels besides metadata.name and metadata.namespace.
    pub field_labels: Vec<FieldLabel>,
    pub columns: Vec<Column>,
    /// Exported transform that turns objects into rows (`["cell", …]` JSON arrays). None: the name+age default.
    pub rows: Option<TransformRef>,
    /// Exported transform that turns stored objects into served ones (version conversion, defaulting on read).
    /// Without it, an object stored under another apiVersion only gets another head.
    pub conversion: Option<TransformRef>,
}

#[derive(Debug, Clone)]
pub struct FieldLabel {
    /// As in `fieldSelector`: `status.phase`.
    pub label: String,
    /// Members to walk: ["status", "phase"].
    pub path: Vec<String>,
    /// The value when the field is absent.
    pub default: String,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub type_: String,
    pub format: String,
    pub description: String,
    pub priority: i32,
}

/// A transform and its argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransformRef {
    pub name: String,
    pub argument: Bytes,
}

/// Runs a component's exported transform; pure, batched by the caller (64–256 KiB).
pub trait Transformer: Send + Sync + 'static {
    fn transform<'a>(
        &'a self,
        transform: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Bytes>, Status>> + Send + 'a>>;
}

/// What is sent back.
pub enum Plan {
    /// Bytes as they are, with their media type; no negotiation.
    Bytes { code: u16, media_type: String, body: Bytes },
    /// A Kubernetes document in JSON that belongs to no collection (discovery, Scale, reviews): JSON or YAML as negotiated.
    Document { code: u16, json: Bytes },
    /// An object that was stored just now (or read by the component), in every projection.
    Stored { code: u16, collection: Arc<Collection>, object: Arc<Object> },
    /// An object of a collection that is not stored (dry run), in every projection. JSON, head first.
    Unsaved { code: u16, collection: Arc<Collection>, json: Bytes },
    /// GET of one stored object; 404 Status if it is not there.
    Get { collection: Arc<Collection>, namespace: Option<String>, name: String },
    /// LIST, or WATCH where the request's verb is watch. Options come from the request's query.
    List { collection: Arc<Collection>, namespace: Option<String> },
}

/// An executed plan.
pub struct Execution {
    pub plan: Plan,
    /// Extra headers that the component set.
    pub headers: Vec<(String, String)>,
    pub transformer: Arc<dyn Transformer>,
}

/// What execution needs to know of the request.
pub struct Context<'a> {
    pub store: &'a Store,
    pub info: &'a RequestInfo,
    /// The raw query string (of the draft, if the request was rewritten).
    pub query: &'a str,
    pub headers: &'a http::HeaderMap,
    /// Fires at shutdown: watches end.
    pub shutdown: tokio::sync::watch::Receiver<bool>,
    /// `--min-request-timeout`, the least life of a watch without timeoutSeconds.
    pub min_watch_timeout: std::time::Duration,
}

/// Executes a plan.
pub async fn execute(execution: Execution, context: &Context<'_>) -> http::Response<Body> { todo!() }

/// Encodes a Status in the negotiated media type.
pub fn status_response(status: &Status, accept: &http::HeaderMap) -> http::Response<Body> { todo!() }
