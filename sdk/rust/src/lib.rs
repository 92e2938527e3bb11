//! The SDK for server components: what a component is given and what it gives back, as ordinary Rust.
#![allow(clippy::todo, unused_variables, missing_docs, reason = "contract, filled in next")]

use chainplate_apimachinery::{Status, Value, request::{RequestInfo, UserInfo, Verb}};

pub use chainplate_apimachinery as apimachinery;

/// The request in hand.
pub struct Request {}

impl Request {
    pub fn info(&self) -> &RequestInfo { todo!() }
    /// The raw query.
    pub fn query(&self) -> &str { todo!() }
    pub fn header(&self, name: &str) -> Vec<String> { todo!() }
    pub fn user(&self) -> UserInfo { todo!() }
    pub fn body(&self) -> Result<Vec<u8>, Status> { todo!() }
    pub fn warn(&self, text: &str) { todo!() }
    /// To pass on, edited.
    pub fn derive(&self) -> Draft { todo!() }
}

pub struct Draft {}

impl Draft {
    pub fn set_path(&self, path_and_query: &str) { todo!() }
    pub fn set_header(&self, name: &str, value: &str) { todo!() }
    pub fn set_body(&self, body: &[u8]) { todo!() }
}

/// A plan for the host.
pub struct Response {}

impl Response {
    pub fn bytes(code: u16, media_type: &str, body: &[u8]) -> Self { todo!() }
    pub fn document(code: u16, json: &[u8]) -> Self { todo!() }
    pub fn stored(code: u16, of: &Collection, object: &StoredObject) -> Self { todo!() }
    pub fn unsaved(code: u16, of: &Collection, json: &[u8]) -> Self { todo!() }
    pub fn object(of: &Collection, namespace: Option<&str>, name: &str) -> Self { todo!() }
    pub fn list(of: &Collection, namespace: Option<&str>) -> Self { todo!() }
    #[must_use]
    pub fn with_header(self, name: &str, value: &str) -> Self { todo!() }
}

pub enum Outcome {
    Respond(Response),
    Delegate,
    DelegateWith(Draft),
}

/// A stored object in the host's memory; `value` copies it.
pub struct StoredObject {}

impl StoredObject {
    pub fn value(&self) -> Vec<u8> { todo!() }
    pub fn revision(&self) -> u64 { todo!() }
}

#[derive(Debug, Clone)]
pub struct FieldLabel { pub label: String, pub path: Vec<String>, pub default: String }

#[derive(Debug, Clone)]
pub struct Column { pub name: String, pub type_: String, pub format: String, pub description: String, pub priority: i32 }

pub struct Page { pub items: Vec<StoredObject>, pub next: Option<String> }

/// A served resource version and the stored objects behind it.
pub struct Collection {}

impl Collection {
    pub fn open(group: &str, version: &str, resource: &str, kind: &str, namespaced: bool, storage_prefix: &str) -> Result<Self, Status> { todo!() }
    pub fn set_list_kind(&self, kind: &str) { todo!() }
    pub fn set_field_labels(&self, labels: &[FieldLabel]) { todo!() }
    pub fn set_item_type_meta(&self, keep: bool) { todo!() }
    pub fn set_table(&self, columns: &[Column], rows_transform: &str, argument: &[u8]) { todo!() }
    pub fn set_conversion(&self, transform: &str, argument: &[u8]) { todo!() }
    pub fn get(&self, namespace: Option<&str>, name: &str) -> Option<StoredObject> { todo!() }
    pub fn get_many(&self, namespace: Option<&str>, names: &[String]) -> Result<Vec<Option<StoredObject>>, Status> { todo!() }
    pub fn page(&self, namespace: Option<&str>, label_selector: &str, field_selector: &str, limit: u32, after: Option<&str>) -> Result<Page, Status> { todo!() }
    /// `AlreadyExists` (409) if it is there.
    pub fn create(&self, namespace: Option<&str>, name: &str, value: &[u8]) -> Result<StoredObject, Status> { todo!() }
    /// `Conflict` (409) if the revision moved on, `NotFound` (404) if it is gone.
    pub fn update(&self, namespace: Option<&str>, name: &str, value: &[u8], expected: u64) -> Result<StoredObject, Status> { todo!() }
    pub fn delete(&self, namespace: Option<&str>, name: &str, expected: u64) -> Result<StoredObject, Status> { todo!() }
    pub fn admit(&self, operation: Verb, namespace: Option<&str>, name: &str) -> Result<(), Status> { todo!() }
}

/// Documents of one group and version, for discovery and OpenAPI.
#[derive(Debug, Clone, Default)]
pub struct GroupVersion {
    pub group: String,
    pub version: String,
    /// `APIVersionDiscovery`.
    pub discovery: Vec<u8>,
    pub openapi_v3: Option<Vec<u8>>,
    pub group_priority_minimum: i32,
    pub version_priority: i32,
    /// Set by the host.
    pub publisher: String,
}

pub mod publication {
    //! What is served, told to those in front.
    use super::*;
    pub fn publish(group_versions: &[GroupVersion]) -> Result<(), Status> { todo!() }
    pub fn withdraw(group: &str, version: &str) { todo!() }
    pub fn generation() -> u64 { todo!() }
    pub fn all() -> Result<Vec<GroupVersion>, Status> { todo!() }
}

pub mod router {
    //! Route claims.
    pub fn claim(path: &str) { todo!() }
    pub fn claim_exact(path: &str) { todo!() }
    pub fn release(path: &str) { todo!() }
}

pub mod tasks {
    //! Work outside a request.
    pub fn schedule(task: &str, delay_ms: u64) { todo!() }
}

pub mod telemetry {
    //! Logs and metrics.
    #[derive(Debug, Clone, Copy)]
    pub enum Level { Trace, Debug, Info, Warn, Error }
    pub fn log(level: Level, message: &str) { todo!() }
    pub fn count(name: &str, delta: u64) { todo!() }
}

/// A server in the chain. One value per instance, one call at a time.
pub trait Server: Sized + 'static {
    const NAME: &'static str;
    const VERSION: &'static str;
    fn configure(config: Value) -> Result<Self, String>;
    fn prepare(&self) -> Result<(), String> { Ok(()) }
    fn post_start(&self) -> Result<(), String> { Ok(()) }
    fn pre_shutdown(&self) -> Result<(), String> { Ok(()) }
    fn health(&self) -> Result<(), String> { Ok(()) }
    fn handle(&self, request: &Request) -> Result<Outcome, Status>;
    /// Pure; as many results as objects.
    fn transform(&self, name: &str, argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        Err(Status::internal(format_args!("{} has no transform {name:?}", Self::NAME)))
    }
    fn run_task(&self, task: &str) -> Result<(), String> { Err(format!("{} has no task {task:?}", Self::NAME)) }
}
