//! The facade without a host: an in-memory one, for tests and for measuring what the component boundary costs.
//!
//! State is per thread, so tests in parallel do not meet. [`reset`] empties it.

mod access;
mod admission;
pub mod outbound;
mod outward;
mod send;
mod store;

pub use access::AccessRequest;
pub use admission::{AdmissionAttributes, AdmissionRequest, Attributes, mutate_with, validate_with};
pub(crate) use outward::{client_send, review_token, sign_token, start_controller};
pub use outward::{conversion, convert_with, put_object, review_tokens_with, serve_client};
pub use send::{send, send_as};
pub use store::{Memory, Store};

use crate::{Column, FieldLabel, GroupVersion, Page, controllers::Controller};
use chainplate_apimachinery::{
    Status, Value,
    request::{RequestInfo, UserInfo, Verb},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// What a server told the in-memory host.
#[derive(Debug, Default)]
struct Told {
    published: BTreeMap<(String, String), GroupVersion>,
    generation: u64,
    claims: BTreeSet<String>,
    tasks: Vec<String>,
    warnings: Vec<String>,
    annotations: Vec<(String, String)>,
    controllers: Vec<Controller>,
}

thread_local! {
    static STORE: RefCell<Rc<dyn Store>> = RefCell::new(Rc::new(Memory::default()));
    static TOLD: RefCell<Told> = RefCell::new(Told::default());
}

fn store() -> Rc<dyn Store> {
    STORE.with_borrow(Rc::clone)
}

/// Empties this thread's host.
pub fn reset() {
    use_store(Rc::new(Memory::default()));
    TOLD.set(Told::default());
    admission::reset();
    outward::reset();
    outbound::reset();
}

/// Has this thread's collections stand on another store.
pub fn use_store(store: Rc<dyn Store>) {
    STORE.set(store);
}

/// The routes that were claimed, exact ones with a trailing `$`.
pub fn claims() -> Vec<String> {
    TOLD.with_borrow(|told| told.claims.iter().cloned().collect())
}

/// The tasks that were scheduled since the last call.
pub fn take_tasks() -> Vec<String> {
    TOLD.with_borrow_mut(|told| std::mem::take(&mut told.tasks))
}

/// The warnings that requests were given since the last call.
pub fn take_warnings() -> Vec<String> {
    TOLD.with_borrow_mut(|told| std::mem::take(&mut told.warnings))
}

/// The audit annotations that admission requests were given since the last call.
pub fn take_annotations() -> Vec<(String, String)> {
    TOLD.with_borrow_mut(|told| std::mem::take(&mut told.annotations))
}

/// The controllers that were started.
pub fn controllers() -> Vec<Controller> {
    TOLD.with_borrow(|told| told.controllers.clone())
}

/// The request in hand.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    info: RequestInfo,
    query: String,
    headers: Vec<(String, String)>,
    user: UserInfo,
    body: Vec<u8>,
    lifetime: std::marker::PhantomData<&'a ()>,
}

impl Request<'_> {
    /// A request as the host would hand it over, sent by a user of `system:masters`.
    pub fn new(info: RequestInfo, query: &str) -> Self {
        let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
        Self {
            info,
            query: query.to_owned(),
            headers: Vec::new(),
            user: UserInfo { name: "test".into(), groups, ..UserInfo::default() },
            body: Vec::new(),
            lifetime: std::marker::PhantomData,
        }
    }

    /// Adds a header; the name in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body and its media type.
    #[must_use]
    pub fn with_body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.with_header("content-type", media_type);
        request.body = body.into();
        request
    }

    /// The same request with a body of JSON in place of its own.
    pub(crate) fn with_document(&self, json: Vec<u8>) -> Self {
        let mut request = self.clone();
        request.headers.retain(|(name, _)| name != "content-type");
        request.with_body("application/json", json)
    }

    /// Has somebody else send it.
    #[must_use]
    pub fn with_user(mut self, user: UserInfo) -> Self {
        self.user = user;
        self
    }

    /// What it asks for.
    pub fn info(&self) -> &RequestInfo {
        &self.info
    }

    /// The raw query string, without `?`.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The values of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Vec<String> {
        self.headers.iter().filter(|(there, _)| there == name).map(|(_, value)| value.clone()).collect()
    }

    /// Who sent it.
    pub fn user(&self) -> UserInfo {
        self.user.clone()
    }

    /// The whole body.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn body(&self) -> Result<Vec<u8>, Status> {
        Ok(self.body.clone())
    }

    /// Adds a warning; see [`take_warnings`].
    pub fn warn(&self, text: &str) {
        TOLD.with_borrow_mut(|told| told.warnings.push(text.to_owned()));
    }

    /// The id that audit and logs know the request by.
    pub fn audit_id(&self) -> String {
        "00000000-0000-4000-8000-000000000000".to_owned()
    }

    /// Milliseconds until the caller is told 504.
    pub fn remaining_ms(&self) -> u32 {
        60_000
    }

    /// A copy to edit and pass on.
    pub fn derive(&self) -> Draft {
        Draft(Rc::new(RefCell::new(DraftParts { path_and_query: None, headers: Vec::new(), body: None })))
    }
}

/// The edits of a draft.
#[derive(Debug, Clone, Default)]
pub struct DraftParts {
    /// The new path and query.
    pub path_and_query: Option<String>,
    /// Replaced headers.
    pub headers: Vec<(String, String)>,
    /// The new body.
    pub body: Option<Vec<u8>>,
}

/// An edited request for the rest of the chain.
#[derive(Debug, Clone)]
pub struct Draft(Rc<RefCell<DraftParts>>);

impl Draft {
    /// Replaces path and query.
    pub fn set_path(&self, path_and_query: &str) {
        self.0.borrow_mut().path_and_query = Some(path_and_query.to_owned());
    }

    /// Replaces a header.
    pub fn set_header(&self, name: &str, value: &str) {
        self.0.borrow_mut().headers.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces the body.
    pub fn set_body(&self, body: &[u8]) {
        self.0.borrow_mut().body = Some(body.to_owned());
    }

    /// What was edited.
    pub fn parts(&self) -> DraftParts {
        self.0.borrow().clone()
    }
}

/// What a response asks the host to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Bytes with their media type.
    Bytes(u16, String, Vec<u8>),
    /// A document, or an object that was stored or not (with `resourceVersion` if it was).
    Json(u16, Vec<u8>),
    /// GET of a stored object: storage prefix, namespace, name.
    Object(String, Option<String>, String),
    /// LIST or WATCH: storage prefix, namespace.
    List(String, Option<String>),
}

/// What the host shall send: a plan.
#[derive(Debug, Clone)]
pub struct Response {
    plan: Plan,
    headers: Vec<(String, String)>,
    /// What the host does to stored documents on their way out.
    conversion: Option<Transform>,
}

/// A transform and its argument.
type Transform = (String, Vec<u8>);

impl Response {
    fn of(plan: Plan) -> Self {
        Self { plan, headers: Vec::new(), conversion: None }
    }

    /// Bytes as they are.
    pub fn bytes(code: u16, media_type: &str, body: &[u8]) -> Self {
        Self::of(Plan::Bytes(code, media_type.to_owned(), body.to_owned()))
    }

    fn converted(mut self, of: &Collection) -> Self {
        self.conversion = of.conversion.borrow().clone();
        self
    }

    /// A Kubernetes document in JSON.
    pub fn document(code: u16, json: &[u8]) -> Self {
        Self::of(Plan::Json(code, json.to_owned()))
    }

    /// An object that was just read or written.
    pub fn stored(code: u16, of: &Collection, object: &StoredObject) -> Self {
        Self::of(Plan::Json(code, object.value())).converted(of)
    }

    /// An object that is not stored (a dry run).
    pub fn unsaved(code: u16, _of: &Collection, json: &[u8]) -> Self {
        Self::of(Plan::Json(code, json.to_owned()))
    }

    /// GET of one stored object.
    pub fn object(of: &Collection, namespace: Option<&str>, name: &str) -> Self {
        Self::of(Plan::Object(of.storage_prefix.clone(), namespace.map(str::to_owned), name.to_owned()))
            .converted(of)
    }

    /// LIST or WATCH.
    pub fn list(of: &Collection, namespace: Option<&str>) -> Self {
        Self::of(Plan::List(of.storage_prefix.clone(), namespace.map(str::to_owned))).converted(of)
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The headers that were set.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The code and the JSON that a client would get of a document or an object; a GET is looked up.
    pub fn json(&self) -> Option<(u16, Value)> {
        let (code, bytes) = match &self.plan {
            Plan::Bytes(code, _, body) | Plan::Json(code, body) => (*code, body.clone()),
            Plan::Object(prefix, namespace, name) => {
                (200, store().get(prefix, namespace.as_deref(), name)?.value())
            }
            Plan::List(..) => return None,
        };
        Some((code, serde_json::from_slice(&bytes).ok()?))
    }
}

/// One stored object.
#[derive(Debug, Clone)]
pub struct StoredObject {
    value: Vec<u8>,
    revision: u64,
}

impl StoredObject {
    /// An object as a [`Store`] hands it out: `value` without resourceVersion, which is put in.
    pub fn new(value: &[u8], revision: u64) -> Self {
        Self { value: store::splice(value, revision), revision }
    }

    /// An object as a [`Store`] hands it out that puts resourceVersion in itself.
    pub fn served(json: &[u8], revision: u64) -> Self {
        Self { value: json.to_owned(), revision }
    }

    /// A copy of the JSON document, `metadata.resourceVersion` included.
    pub fn value(&self) -> Vec<u8> {
        self.value.clone()
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// A served resource version, and the stored objects behind it.
#[derive(Debug, Clone)]
pub struct Collection {
    group: String,
    resource: String,
    storage_prefix: String,
    conversion: RefCell<Option<Transform>>,
}

impl Collection {
    /// Opens a storage prefix as the given resource version.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn open(
        group: &str,
        _version: &str,
        resource: &str,
        _kind: &str,
        _namespaced: bool,
        storage_prefix: &str,
    ) -> Result<Self, Status> {
        Ok(Self {
            group: group.into(),
            resource: resource.into(),
            storage_prefix: storage_prefix.into(),
            conversion: RefCell::default(),
        })
    }

    /// The kind of lists.
    pub fn set_list_kind(&self, _kind: &str) {}

    /// The fields that selectors may name.
    pub fn set_field_labels(&self, _labels: &[FieldLabel]) {}

    /// Whether items of lists carry `kind` and `apiVersion`.
    pub fn set_item_type_meta(&self, _keep: bool) {}

    /// The columns of the Table projection.
    pub fn set_table(&self, _columns: &[Column], _rows_transform: &str, _argument: &[u8]) {}

    /// The transform that turns stored documents into served ones.
    pub fn set_conversion(&self, transform: &str, argument: &[u8]) {
        self.conversion.replace(Some((transform.to_owned(), argument.to_owned())));
    }

    /// How long objects live; here for ever.
    pub fn set_ttl(&self, _seconds: u32) {}

    /// One object.
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<StoredObject> {
        store().get(&self.storage_prefix, namespace, name)
    }

    /// Several objects of one namespace, in the order of `names`.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn get_many(
        &self,
        namespace: Option<&str>,
        names: &[String],
    ) -> Result<Vec<Option<StoredObject>>, Status> {
        Ok(names.iter().map(|name| self.get(namespace, name)).collect())
    }

    /// A bounded page in key order. Selectors are not evaluated here.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn page(
        &self,
        namespace: Option<&str>,
        _label_selector: &str,
        _field_selector: &str,
        limit: u32,
        after: Option<&str>,
    ) -> Result<Page, Status> {
        Ok(store().page(&self.storage_prefix, namespace, limit, after))
    }

    /// Makes an object.
    ///
    /// # Errors
    /// 409 `AlreadyExists`.
    pub fn create(&self, namespace: Option<&str>, name: &str, value: &[u8]) -> Result<StoredObject, Status> {
        store()
            .create(&self.storage_prefix, namespace, name, value)
            .ok_or_else(|| Status::already_exists(&self.group, &self.resource, name))
    }

    /// Replaces an object if its revision is still `expected`.
    ///
    /// # Errors
    /// 409 `Conflict`, 404 `NotFound`.
    pub fn update(
        &self,
        namespace: Option<&str>,
        name: &str,
        value: &[u8],
        expected: u64,
    ) -> Result<StoredObject, Status> {
        self.write(namespace, name, Some(value), expected)
    }

    /// Removes an object if its revision is still `expected`.
    ///
    /// # Errors
    /// 409 `Conflict`, 404 `NotFound`.
    pub fn delete(&self, namespace: Option<&str>, name: &str, expected: u64) -> Result<StoredObject, Status> {
        self.write(namespace, name, None, expected)
    }

    fn write(
        &self,
        namespace: Option<&str>,
        name: &str,
        value: Option<&[u8]>,
        expected: u64,
    ) -> Result<StoredObject, Status> {
        let there = self.get(namespace, name);
        let there = there.ok_or_else(|| Status::not_found(&self.group, &self.resource, name))?;
        if there.revision != expected {
            return Err(Status::modified(&self.group, &self.resource, name));
        }
        store()
            .replace(&self.storage_prefix, namespace, name, value, expected)
            .ok_or_else(|| Status::modified(&self.group, &self.resource, name))
    }

    /// The admission checks that need no object: here, that the namespace exists if any namespace does.
    ///
    /// # Errors
    /// 404 for a namespace that is not there.
    pub fn admit(&self, operation: Verb, namespace: Option<&str>, _name: &str) -> Result<(), Status> {
        let Some(namespace) = namespace.filter(|_| operation == Verb::Create) else { return Ok(()) };
        let store = store();
        let any = !store.page("namespaces", None, 1, None).items.is_empty();
        if any && store.get("namespaces", None, namespace).is_none() {
            return Err(Status::not_found("", "namespaces", namespace));
        }
        Ok(())
    }
}

/// What is served, told to those in front (discovery, OpenAPI).
pub mod publication {
    use super::{GroupVersion, TOLD};
    use chainplate_apimachinery::Status;

    /// Publishes group-versions in one step.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn publish(group_versions: &[GroupVersion]) -> Result<(), Status> {
        TOLD.with_borrow_mut(|told| {
            told.generation += 1;
            for item in group_versions {
                told.published.insert((item.group.clone(), item.version.clone()), item.clone());
            }
        });
        Ok(())
    }

    /// Publishes exactly these versions of a group.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn replace(group: &str, group_versions: &[GroupVersion]) -> Result<(), Status> {
        TOLD.with_borrow_mut(|told| told.published.retain(|(there, _), _| there != group));
        publish(group_versions)
    }

    /// Changes with every publication.
    pub fn generation() -> u64 {
        TOLD.with_borrow(|told| told.generation)
    }

    /// Everything that is published.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn all() -> Result<Vec<GroupVersion>, Status> {
        Ok(TOLD.with_borrow(|told| told.published.values().cloned().collect()))
    }

    /// The OpenAPI v3 document of one group-version, if it was published with one.
    ///
    /// # Errors
    /// None here; see the wasm facade.
    pub fn openapi_v3(group: &str, version: &str) -> Result<Option<Vec<u8>>, Status> {
        let key = (group.to_owned(), version.to_owned());
        Ok(TOLD.with_borrow(|told| told.published.get(&key)?.openapi_v3.clone()))
    }
}

/// Which requests this component wants to see.
pub mod router {
    use super::TOLD;

    /// Claims a path and everything below it.
    pub fn claim(path: &str) {
        TOLD.with_borrow_mut(|told| told.claims.insert(path.to_owned()));
    }

    /// Claims one path alone.
    pub fn claim_exact(path: &str) {
        TOLD.with_borrow_mut(|told| told.claims.insert(format!("{path}$")));
    }

    /// Gives a claim back.
    pub fn release(path: &str) {
        TOLD.with_borrow_mut(|told| told.claims.retain(|claim| claim.trim_end_matches('$') != path));
    }
}

/// Work outside a request.
pub mod tasks {
    use super::TOLD;

    /// Notes the task; see [`take_tasks`](super::take_tasks).
    pub fn schedule(task: &str, _delay_ms: u64) {
        TOLD.with_borrow_mut(|told| {
            if !told.tasks.iter().any(|there| there == task) {
                told.tasks.push(task.to_owned());
            }
        });
    }

    /// Does nothing: nobody else writes into storage in memory.
    pub fn follow(_collection: &super::Collection, _task: &str) {}
}

/// Logs and metrics.
pub mod telemetry {
    pub use crate::server::Level;

    /// Writes a log line to standard error.
    pub fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    /// Adds to a counter; not kept here.
    pub fn count(_name: &str, _delta: u64) {}
}
