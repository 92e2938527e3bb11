//! Plans: what a server component answers with, and their execution as HTTP responses.
//!
//! A component says *what* to send: a stored object, a list, some bytes. Everything between that and the bytes on
//! the wire happens here: content negotiation, `resourceVersion` semantics, selectors, paging, watches and their
//! bookmarks, the Table and metadata projections, YAML, compression. Objects stay encoded the whole way; a list
//! copies them once, a watch shares one encoding among all watchers.

mod answer;
mod body;
mod document;
mod filter;
mod get;
mod gzip;
mod list;
pub mod metrics;
mod pretty;
mod protobuf;
mod render;
mod select;
mod table;
mod watch;
mod yaml;

pub use answer::{status_response, status_response_for};
pub use filter::Filter;
pub use get::unreadable;
pub use yaml::from_json as yaml_from_json;

use answer::Failure;
use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    negotiation::{self, Endpoint},
    request::{RequestInfo, Verb},
    selector::scan,
};
use chainplate_storage::{Object, Store};
use document::Document;
use http::{HeaderName, HeaderValue};
use std::{future::Future, pin::Pin, sync::Arc};

/// The error of a body that broke off.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of every response of the host.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A served resource version, as a component described it with `collection.open`. Grants were checked then.
#[derive(Debug, Clone)]
pub struct Collection {
    /// The API group, empty for core.
    pub group: String,
    /// The version that is served.
    pub version: String,
    /// The plural resource.
    pub resource: String,
    /// The kind of objects.
    pub kind: String,
    /// The kind of lists.
    pub list_kind: String,
    /// Whether objects have a namespace.
    pub namespaced: bool,
    /// Collection in storage, `pods`, `services/specs`.
    pub storage_prefix: Arc<str>,
    /// Built-in lists omit kind and apiVersion in items (and empty lists omit `continue`); custom resources keep them.
    pub items_with_type_meta: bool,
    /// Field labels besides metadata.name and metadata.namespace.
    pub field_labels: Vec<FieldLabel>,
    /// The columns of the Table projection; only used together with `rows`.
    pub columns: Vec<Column>,
    /// Exported transform that turns objects into rows (`["cell", …]` JSON arrays, or
    /// `{"cells":[…],"conditions":[…]}`). None: name and creation time. It gets objects as they are served.
    pub rows: Option<TransformRef>,
    /// Exported transform that turns stored objects into served ones (version conversion, defaulting on read).
    /// Without it, an object stored under another apiVersion only gets another head.
    pub conversion: Option<TransformRef>,
}

impl Collection {
    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// A field that `fieldSelector` may name.
#[derive(Debug, Clone)]
pub struct FieldLabel {
    /// As in `fieldSelector`: `status.phase`.
    pub label: String,
    /// Members to walk in the object as it is served: `["status", "phase"]`.
    pub path: Vec<String>,
    /// The value when the field is absent.
    pub default: String,
}

/// A column of the Table projection (`meta/v1.TableColumnDefinition`).
#[derive(Debug, Clone)]
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

/// A transform and its argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransformRef {
    /// The name that the component exports it under.
    pub name: String,
    /// What it gets besides the objects.
    pub argument: Bytes,
}

/// Runs a component's exported transform; pure, batched by the caller (64–256 KiB).
pub trait Transformer: Send + Sync + 'static {
    /// As many results as objects, in their order.
    fn transform<'a>(
        &'a self,
        transform: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Bytes>, Status>> + Send + 'a>>;
}

/// What is sent back.
#[derive(Debug)]
pub enum Plan {
    /// Bytes as they are, with their media type; no negotiation.
    Bytes {
        /// The HTTP status code.
        code: u16,
        /// The `Content-Type`.
        media_type: String,
        /// The body.
        body: Bytes,
    },
    /// A Kubernetes document in JSON that belongs to no collection (discovery, Scale, reviews): JSON or YAML as
    /// negotiated.
    Document {
        /// The HTTP status code.
        code: u16,
        /// The document.
        json: Bytes,
    },
    /// An object that was stored just now (or read by the component), in every projection.
    Stored {
        /// The HTTP status code.
        code: u16,
        /// What it is an object of.
        collection: Arc<Collection>,
        /// The object.
        object: Arc<Object>,
    },
    /// An object of a collection that is not stored (dry run), or a list of such (what was removed), in every
    /// projection. JSON, as it is served.
    Unsaved {
        /// The HTTP status code.
        code: u16,
        /// What it is an object of.
        collection: Arc<Collection>,
        /// The object.
        json: Bytes,
    },
    /// GET of one stored object; 404 Status if it is not there.
    Get {
        /// Where to look.
        collection: Arc<Collection>,
        /// The namespace, if objects have one.
        namespace: Option<String>,
        /// The object's name.
        name: String,
    },
    /// LIST, or WATCH where the request's verb is watch. Options come from the request's query.
    List {
        /// What to list.
        collection: Arc<Collection>,
        /// The namespace; all of them if there is none.
        namespace: Option<String>,
    },
}

/// An executed plan.
pub struct Execution {
    /// What to send.
    pub plan: Plan,
    /// Extra headers that the component set.
    pub headers: Vec<(String, String)>,
    /// The component's transforms.
    pub transformer: Arc<dyn Transformer>,
}

/// What execution needs to know of the request.
pub struct Context<'a> {
    /// Where stored objects are.
    pub store: &'a Store,
    /// What the request asks for.
    pub info: &'a RequestInfo,
    /// The raw query string (of the draft, if the request was rewritten).
    pub query: &'a str,
    /// The request's headers.
    pub headers: &'a http::HeaderMap,
    /// Fires at shutdown: watches end.
    pub shutdown: tokio::sync::watch::Receiver<bool>,
    /// `--min-request-timeout`, the least life of a watch without timeoutSeconds.
    pub min_watch_timeout: std::time::Duration,
}

/// Executes a plan. Whatever fails is answered with a Status; a list or watch that fails once it streams breaks off.
pub async fn execute(execution: Execution, context: &Context<'_>) -> http::Response<Body> {
    let Execution { plan, headers, transformer } = execution;
    let mut response = match run(plan, transformer, context).await {
        Ok(response) => response,
        Err(failure) => answer::failure(&failure, answer::preferences(context.headers, context.query)),
    };
    for (name, value) in headers {
        match (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().append(name, value);
            }
            _ => tracing::warn!(header = name, "a component set a header that HTTP does not allow; left out"),
        }
    }
    response
}

async fn run(
    plan: Plan,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<http::Response<Body>, Failure> {
    let preferences = answer::preferences(context.headers, context.query);
    match plan {
        Plan::Bytes { code, media_type, body } => Ok(answer::bytes(code, &media_type, body)),
        Plan::Document { code, json } => {
            let endpoint = if context.info.is_resource { Endpoint::Resource } else { Endpoint::Document };
            negotiation::route(preferences.accept, &negotiation::OBJECT_TYPES)?;
            let plain = answer::plain(protobuf::is_known(&json));
            let media = negotiation::negotiate(preferences, endpoint, &negotiation::ENCODINGS, plain)?;
            Ok(render::document(code, json, &media, context)?)
        }
        Plan::Stored { code, collection, object } => {
            let media = answer::agree(&collection, &negotiation::OBJECT_TYPES, preferences)?;
            render::object(code, collection, Document::Stored(object), &media, transformer, context).await
        }
        Plan::Unsaved { code, collection, json } => {
            let media = answer::agree(&collection, &negotiation::OBJECT_TYPES, preferences)?;
            let kind = scan::member(&json, "kind").and_then(scan::string);
            if kind.is_some_and(|kind| kind == collection.list_kind && kind != collection.kind) {
                return list::unsaved(collection, &json, &media, transformer, context).await;
            }
            render::object(code, collection, Document::Served(json), &media, transformer, context).await
        }
        Plan::Get { collection, namespace, name } => {
            let media = answer::agree(&collection, &negotiation::OBJECT_TYPES, preferences)?;
            let object = get::get(&collection, namespace.as_deref(), &name, context).await?;
            render::object(200, collection, Document::Stored(object), &media, transformer, context).await
        }
        Plan::List { collection, namespace } => {
            let media = answer::agree(&collection, &negotiation::LIST_TYPES, preferences)?;
            if context.info.verb == Verb::Watch {
                watch::watch(collection, namespace, &media, transformer, context).await
            } else {
                list::list(collection, namespace, &media, transformer, context).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
