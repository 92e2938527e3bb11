//! The facade on the host's imports.

mod access;
mod admission;
mod outward;

pub use access::AccessRequest;
pub use admission::{AdmissionAttributes, AdmissionRequest};
pub use outward::conversion;
pub(crate) use outward::{client_send, review_token, sign_token, start_controller};
pub(crate) mod outbound;

use crate::{
    Column, FieldLabel, GroupVersion, Page,
    bindings::chainplate::server::{http, storage, types as wire},
};
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, UserInfo, Verb},
};
use std::cell::OnceCell;

pub(crate) fn to_wire(status: Status) -> wire::Status {
    wire::Status {
        code: status.code(),
        reason: status.reason().to_owned(),
        message: status.message().to_owned(),
        details: status.details().and_then(|details| serde_json::to_string(details).ok()),
    }
}

fn from_wire(status: wire::Status) -> Status {
    let there = Status::new(status.code, status.reason, status.message);
    match status.details.and_then(|details| serde_json::from_str(&details).ok()) {
        Some(details) => there.with_details(details),
        None => there,
    }
}

fn user_from_wire(user: wire::UserInfo) -> UserInfo {
    UserInfo { name: user.name, uid: user.uid, groups: user.groups, extra: user.extra }
}

fn verb_from_wire(verb: wire::Verb) -> Verb {
    match verb {
        wire::Verb::Get => Verb::Get,
        wire::Verb::List => Verb::List,
        wire::Verb::Watch => Verb::Watch,
        wire::Verb::Create => Verb::Create,
        wire::Verb::Update => Verb::Update,
        wire::Verb::Patch => Verb::Patch,
        wire::Verb::Delete => Verb::Delete,
        wire::Verb::DeleteCollection => Verb::DeleteCollection,
        wire::Verb::Proxy => Verb::Proxy,
        wire::Verb::Other => Verb::Other,
    }
}

fn verb_to_wire(verb: Verb) -> wire::Verb {
    match verb {
        Verb::Get => wire::Verb::Get,
        Verb::List => wire::Verb::List,
        Verb::Watch => wire::Verb::Watch,
        Verb::Create => wire::Verb::Create,
        Verb::Update => wire::Verb::Update,
        Verb::Patch => wire::Verb::Patch,
        Verb::Delete => wire::Verb::Delete,
        Verb::DeleteCollection => wire::Verb::DeleteCollection,
        Verb::Proxy => wire::Verb::Proxy,
        Verb::Other => wire::Verb::Other,
    }
}

/// The request in hand.
#[derive(Debug)]
pub struct Request<'a> {
    raw: &'a http::Request,
    info: OnceCell<RequestInfo>,
    query: OnceCell<String>,
    /// What admission made of the body, in JSON.
    document: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(raw: &'a http::Request) -> Self {
        Self { raw, info: OnceCell::new(), query: OnceCell::new(), document: None }
    }

    /// The same request with a body of JSON in place of its own.
    pub(crate) fn with_document(&self, json: Vec<u8>) -> Self {
        Self { document: Some(json), ..Self::new(self.raw) }
    }

    /// What it asks for.
    pub fn info(&self) -> &RequestInfo {
        self.info.get_or_init(|| {
            let info = self.raw.info();
            RequestInfo {
                is_resource: info.is_resource,
                verb: verb_from_wire(info.verb),
                method: info.method,
                path: info.path,
                api_prefix: info.api_prefix,
                group: info.group,
                version: info.version,
                namespace: info.namespace,
                resource: info.resource,
                subresource: info.subresource,
                name: info.name,
                parts: info.parts,
            }
        })
    }

    /// The raw query string, without `?`.
    pub fn query(&self) -> &str {
        self.query.get_or_init(|| self.raw.query())
    }

    /// The values of a header; the name in lower case. Credentials are withheld.
    pub fn header(&self, name: &str) -> Vec<String> {
        if self.document.is_some() && name == "content-type" {
            return vec!["application/json".to_owned()];
        }
        self.raw.header(name)
    }

    /// Who sent it.
    pub fn user(&self) -> UserInfo {
        user_from_wire(self.raw.user())
    }

    /// The whole body.
    ///
    /// # Errors
    /// 413 over the host's limit, 408 when it does not arrive in time.
    pub fn body(&self) -> Result<Vec<u8>, Status> {
        match &self.document {
            Some(json) => Ok(json.clone()),
            None => self.raw.body().map_err(from_wire),
        }
    }

    /// Adds a `Warning: 299` header to the answer, whatever it will be.
    pub fn warn(&self, text: &str) {
        self.raw.warn(text);
    }

    /// The id that audit and logs know the request by.
    pub fn audit_id(&self) -> String {
        self.raw.audit_id()
    }

    /// Milliseconds until the caller is told 504.
    pub fn remaining_ms(&self) -> u32 {
        self.raw.remaining_ms()
    }

    /// A copy to edit and pass on with [`Outcome::DelegateWith`](crate::Outcome::DelegateWith).
    pub fn derive(&self) -> Draft {
        Draft(self.raw.derive())
    }
}

/// An edited request for the rest of the chain. User, method and audit id stay.
#[derive(Debug)]
pub struct Draft(http::Draft);

impl Draft {
    /// Replaces path and query; the request info is found anew.
    pub fn set_path(&self, path_and_query: &str) {
        self.0.set_path(path_and_query);
    }

    /// Replaces a header.
    pub fn set_header(&self, name: &str, value: &str) {
        self.0.set_header(name, value);
    }

    /// Replaces the body.
    pub fn set_body(&self, body: &[u8]) {
        self.0.set_body(body);
    }

    pub(crate) fn into_wire(self) -> http::Draft {
        self.0
    }
}

/// What the host shall send: a plan.
#[derive(Debug)]
pub struct Response(http::Response);

impl Response {
    /// Bytes as they are.
    pub fn bytes(code: u16, media_type: &str, body: &[u8]) -> Self {
        Self(http::Response::bytes(code, media_type, body))
    }

    /// A Kubernetes document in JSON, sent as JSON or YAML as negotiated.
    pub fn document(code: u16, json: &[u8]) -> Self {
        Self(http::Response::document(code, json))
    }

    /// An object that was just read or written.
    pub fn stored(code: u16, of: &Collection, object: &StoredObject) -> Self {
        Self(http::Response::stored(code, &of.0, &object.0))
    }

    /// An object that is not stored (a dry run).
    pub fn unsaved(code: u16, of: &Collection, json: &[u8]) -> Self {
        Self(http::Response::unsaved(code, &of.0, json))
    }

    /// GET of one stored object, 404 if it is not there.
    pub fn object(of: &Collection, namespace: Option<&str>, name: &str) -> Self {
        Self(http::Response::object(&of.0, namespace, name))
    }

    /// LIST, or WATCH if that is the request's verb, with the options in the request's query.
    pub fn list(of: &Collection, namespace: Option<&str>) -> Self {
        Self(http::Response::list(&of.0, namespace))
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn with_header(self, name: &str, value: &str) -> Self {
        self.0.set_header(name, value);
        self
    }

    pub(crate) fn into_wire(self) -> http::Response {
        self.0
    }
}

/// One stored object in the host's memory.
#[derive(Debug)]
pub struct StoredObject(storage::StoredObject);

impl StoredObject {
    /// A copy of the JSON document, `metadata.resourceVersion` included.
    pub fn value(&self) -> Vec<u8> {
        self.0.value()
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.0.revision()
    }
}

/// A served resource version, and the stored objects behind it: a capability, checked when it was opened.
#[derive(Debug)]
pub struct Collection(storage::Collection);

impl Collection {
    /// Opens a storage prefix as the given resource version.
    ///
    /// # Errors
    /// 403 without a grant for the prefix.
    pub fn open(
        group: &str,
        version: &str,
        resource: &str,
        kind: &str,
        namespaced: bool,
        storage_prefix: &str,
    ) -> Result<Self, Status> {
        storage::Collection::open(group, version, resource, kind, namespaced, storage_prefix)
            .map(Self)
            .map_err(from_wire)
    }

    /// The kind of lists; `<kind>List` if not called.
    pub fn set_list_kind(&self, kind: &str) {
        self.0.set_list_kind(kind);
    }

    /// The fields that selectors may name.
    pub fn set_field_labels(&self, labels: &[FieldLabel]) {
        let labels: Vec<_> = labels
            .iter()
            .map(|label| storage::FieldLabel {
                label: label.label.clone(),
                path: label.path.clone(),
                default: label.default.clone(),
            })
            .collect();
        self.0.set_field_labels(&labels);
    }

    /// Whether items of lists carry `kind` and `apiVersion`.
    pub fn set_item_type_meta(&self, keep: bool) {
        self.0.set_item_type_meta(keep);
    }

    /// The columns of the Table projection and the transform that yields each object's cells.
    pub fn set_table(&self, columns: &[Column], rows_transform: &str, argument: &[u8]) {
        let columns: Vec<_> = columns
            .iter()
            .map(|column| storage::Column {
                name: column.name.clone(),
                type_: column.type_.clone(),
                format: column.format.clone(),
                description: column.description.clone(),
                priority: column.priority,
            })
            .collect();
        self.0.set_table(&columns, rows_transform, argument);
    }

    /// The transform that turns stored documents into served ones.
    pub fn set_conversion(&self, transform: &str, argument: &[u8]) {
        self.0.set_conversion(transform, argument);
    }

    /// Objects written from now on are removed `seconds` after their last write; 0: never.
    pub fn set_ttl(&self, seconds: u32) {
        self.0.set_ttl(seconds);
    }

    /// One object.
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<StoredObject> {
        self.0.get(namespace, name).map(StoredObject)
    }

    /// Several objects of one namespace, in the order of `names`; at most 1000.
    ///
    /// # Errors
    /// 400 for more names than that.
    pub fn get_many(
        &self,
        namespace: Option<&str>,
        names: &[String],
    ) -> Result<Vec<Option<StoredObject>>, Status> {
        let found = self.0.get_many(namespace, names).map_err(from_wire)?;
        Ok(found.into_iter().map(|object| object.map(StoredObject)).collect())
    }

    /// A bounded page in key order, at most 500 objects; `after` is [`Page::next`] of the page before.
    ///
    /// # Errors
    /// 400 for selectors that cannot be parsed.
    pub fn page(
        &self,
        namespace: Option<&str>,
        label_selector: &str,
        field_selector: &str,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Page, Status> {
        let page = self.0.page(namespace, label_selector, field_selector, limit, after).map_err(from_wire)?;
        Ok(Page { items: page.items.into_iter().map(StoredObject).collect(), next: page.next })
    }

    /// Makes an object; `value` as `apimachinery::object::encode` writes it.
    ///
    /// # Errors
    /// 409 `AlreadyExists`; 500 when storage fails.
    pub fn create(&self, namespace: Option<&str>, name: &str, value: &[u8]) -> Result<StoredObject, Status> {
        self.0.create(namespace, name, value).map(StoredObject).map_err(from_wire)
    }

    /// Replaces an object if its revision is still `expected`. An equal value writes nothing.
    ///
    /// # Errors
    /// 409 `Conflict` if the revision moved on, 404 `NotFound` if it is gone; 500 when storage fails.
    pub fn update(
        &self,
        namespace: Option<&str>,
        name: &str,
        value: &[u8],
        expected: u64,
    ) -> Result<StoredObject, Status> {
        self.0.update(namespace, name, value, expected).map(StoredObject).map_err(from_wire)
    }

    /// Removes an object if its revision is still `expected`; its last state with the deletion's revision.
    ///
    /// # Errors
    /// As [`update`](Collection::update).
    pub fn delete(&self, namespace: Option<&str>, name: &str, expected: u64) -> Result<StoredObject, Status> {
        self.0.delete(namespace, name, expected).map(StoredObject).map_err(from_wire)
    }

    /// The admission checks that need no object (namespace lifecycle). Call before validation.
    ///
    /// # Errors
    /// The Status of the refusal.
    pub fn admit(&self, operation: Verb, namespace: Option<&str>, name: &str) -> Result<(), Status> {
        self.0.admit(verb_to_wire(operation), namespace, name).map_err(from_wire)
    }
}

/// What is served, told to those in front (discovery, OpenAPI).
pub mod publication {
    use super::{GroupVersion, from_wire};
    use crate::bindings::chainplate::server::publication as wire;
    use chainplate_apimachinery::Status;

    /// Publishes group-versions in one step: all are seen, or none.
    ///
    /// # Errors
    /// 403 for a group that is not granted or that another component publishes.
    pub fn publish(group_versions: &[GroupVersion]) -> Result<(), Status> {
        wire::publish(to_wire(group_versions)).map_err(from_wire)
    }

    fn to_wire(group_versions: &[GroupVersion]) -> Vec<wire::GroupVersion> {
        let handles = group_versions.iter().map(|item| {
            let handle = wire::GroupVersion::new(&item.group, &item.version);
            handle.set_discovery(&item.discovery);
            handle.set_priorities(item.group_priority_minimum, item.version_priority);
            if let Some(document) = &item.openapi_v3 {
                handle.set_openapi_v3(document);
            }
            handle
        });
        handles.collect()
    }

    /// Publishes exactly these versions of a group, in one step; others of this component are taken back.
    ///
    /// # Errors
    /// 403 as [`publish`], and for versions of another group.
    pub fn replace(group: &str, group_versions: &[GroupVersion]) -> Result<(), Status> {
        wire::replace(group, to_wire(group_versions)).map_err(from_wire)
    }

    /// Changes with every publication of any component.
    pub fn generation() -> u64 {
        wire::generation()
    }

    /// Everything that is published, by all components. OpenAPI documents are large: see [`openapi_v3`].
    ///
    /// # Errors
    /// 403 without the grant `publications`.
    pub fn all() -> Result<Vec<GroupVersion>, Status> {
        let all = wire::all().map_err(from_wire)?;
        Ok(all
            .into_iter()
            .map(|item| GroupVersion {
                group: item.group(),
                version: item.version(),
                discovery: item.discovery(),
                openapi_v3: None,
                openapi_v3_hash: item.openapi_v3_hash(),
                group_priority_minimum: item.group_priority_minimum(),
                version_priority: item.version_priority(),
                publisher: item.publisher(),
            })
            .collect())
    }

    /// The OpenAPI v3 document of one group-version, from its publisher.
    ///
    /// # Errors
    /// 403 without the grant `publications`.
    pub fn openapi_v3(group: &str, version: &str) -> Result<Option<Vec<u8>>, Status> {
        wire::openapi_v3(group, version).map_err(from_wire)
    }
}

/// Which requests this component wants to see.
pub mod router {
    use crate::bindings::chainplate::server::router as wire;

    /// Claims a path and everything below it.
    pub fn claim(path: &str) {
        wire::claim(path);
    }

    /// Claims one path alone.
    pub fn claim_exact(path: &str) {
        wire::claim_exact(path);
    }

    /// Gives a claim back.
    pub fn release(path: &str) {
        wire::release(path);
    }
}

/// Work outside a request.
pub mod tasks {
    /// Has [`Server::run_task`](crate::Server::run_task) called after the delay, with retries.
    pub fn schedule(task: &str, delay_ms: u64) {
        crate::bindings::chainplate::server::tasks::schedule(task, delay_ms);
    }

    /// In storage that several servers share, has [`Server::run_task`](crate::Server::run_task) called with `task`
    /// followed by the key of each object of the collection that changes from now on.
    pub fn follow(collection: &crate::Collection, task: &str) {
        crate::bindings::chainplate::server::tasks::follow(&collection.0, task);
    }
}

/// Logs and metrics, under the component's name.
pub mod telemetry {
    use crate::bindings::chainplate::server::telemetry as wire;
    pub use crate::server::Level;

    /// Writes a log line.
    pub fn log(level: Level, message: &str) {
        let level = match level {
            Level::Trace => wire::Level::Trace,
            Level::Debug => wire::Level::Debug,
            Level::Info => wire::Level::Info,
            Level::Warn => wire::Level::Warn,
            Level::Error => wire::Level::Error,
        };
        wire::log(level, message);
    }

    /// Adds to a counter of the component.
    pub fn count(name: &str, delta: u64) {
        wire::count(name, delta);
    }
}
