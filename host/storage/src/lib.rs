//! Storage: one ordered clock, compare-and-swap, and watches that lose nothing.
#![allow(clippy::todo, unused_variables, missing_docs, reason = "contract, filled in next")]

use bytes::Bytes;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A point on the store's single clock. 0 means "none"; real revisions start at 1 and never decrease.
pub type Revision = u64;

/// Where an object stands: `/registry/<prefix>/[<namespace>/]<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The collection, `pods`, `services/specs`, `stable.example.com/crontabs`.
    pub prefix: Arc<str>,
    /// `<namespace>/<name>`, or `<name>` for cluster-scoped objects.
    pub path: Box<str>,
}

impl Key {
    pub fn new(prefix: impl Into<Arc<str>>, namespace: Option<&str>, name: &str) -> Self { todo!() }
    pub fn name(&self) -> &str { todo!() }
    pub fn namespace(&self) -> Option<&str> { todo!() }
}

/// One stored object, encoded, as it is served: `metadata.resourceVersion` is spliced in as the first member
/// of metadata.
#[derive(Debug)]
pub struct Object {
    /* key, bytes, revision, create_revision, metadata range … */
}

impl Object {
    pub fn key(&self) -> &Key { todo!() }
    /// The whole JSON document, resourceVersion included: `{"kind":…,"apiVersion":…,"metadata":{"resourceVersion":"7",…},…}`.
    pub fn json(&self) -> &Bytes { todo!() }
    /// From `"metadata":` to the closing brace of the document, exclusive of the opening head
    /// (`{"kind":…,"apiVersion":…,`): what follows when another head is written in front.
    pub fn after_head(&self) -> &[u8] { todo!() }
    /// The value of `metadata` alone, `{"resourceVersion":…}`.
    pub fn metadata(&self) -> &[u8] { todo!() }
    /// The document without resourceVersion, as it was written, in two pieces (before and after the splice).
    pub fn stored(&self) -> (&[u8], &[u8]) { todo!() }
    pub fn revision(&self) -> Revision { todo!() }
    pub fn create_revision(&self) -> Revision { todo!() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind { Added, Modified, Deleted }

/// One change. Shared by all watchers.
#[derive(Debug)]
pub struct Event {
    pub kind: EventKind,
    /// The object after the change; of a deletion, the last state with the deletion's revision.
    pub object: Arc<Object>,
    /// The state before, if there was one.
    pub previous: Option<Arc<Object>>,
}

impl Event {
    pub fn revision(&self) -> Revision { todo!() }
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0:?} already exists")]
    AlreadyExists(Key),
    #[error("{0:?} not found")]
    NotFound(Key),
    /// The expected revision is not the current one.
    #[error("{key:?} is at revision {current}, not at the expected one")]
    Conflict { key: Key, current: Revision },
    /// The revision is older than the history that is kept.
    #[error("revision {requested} is compacted, the oldest kept is {oldest}")]
    Compacted { requested: Revision, oldest: Revision },
    /// The revision is in the future and did not arrive in time.
    #[error("revision {requested} is in the future, the current one is {current}")]
    FutureRevision { requested: Revision, current: Revision },
    /// The value is not a JSON object with `metadata`, or too large.
    #[error("{key:?}: the value cannot be stored: {why}")]
    BadValue { key: Key, why: String },
    #[error("the store is closed")]
    Closed,
    /// The engine failed; nothing was acknowledged.
    #[error("storage engine: {0}")]
    Engine(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; `None` keeps everything in memory.
    pub directory: Option<PathBuf>,
    /// Events kept for each collection, at most.
    pub history_events: usize,
    /// For how long events and old states are kept.
    pub history_age: Duration,
}

/// What a list takes.
#[derive(Debug, Clone, Default)]
pub struct ListRequest<'a> {
    pub prefix: &'a str,
    pub namespace: Option<&'a str>,
    /// Start after this `Key::path` (exclusive).
    pub after: Option<&'a str>,
    /// At most so many objects; 0 for all.
    pub limit: usize,
    /// The exact revision; `None` for the current state.
    pub at: Option<Revision>,
}

#[derive(Debug)]
pub struct List {
    pub revision: Revision,
    pub objects: Vec<Arc<Object>>,
    /// Objects after the last one, exact.
    pub remaining: usize,
}

/// A cloneable handle.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens or makes a store.
    pub async fn open(options: Options) -> Result<Self> { todo!() }
    /// The revision of the last acknowledged write.
    pub fn revision(&self) -> Revision { todo!() }
    /// Waits until `revision` is reached; `FutureRevision` after `patience`.
    pub async fn wait_for(&self, revision: Revision, patience: Duration) -> Result<()> { todo!() }
    /// The current state of one object; linearizable.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> { todo!() }
    /// `value` is JSON without resourceVersion, head first (kind, apiVersion, metadata).
    pub async fn create(&self, key: Key, value: Bytes) -> Result<Arc<Object>> { todo!() }
    /// Byte-equal to what is stored: nothing is written and the current object comes back.
    pub async fn update(&self, key: Key, value: Bytes, expected: Option<Revision>) -> Result<Arc<Object>> { todo!() }
    /// The last state, with the deletion's revision.
    pub async fn delete(&self, key: Key, expected: Option<Revision>) -> Result<Arc<Object>> { todo!() }
    pub fn list(&self, request: &ListRequest<'_>) -> Result<List> { todo!() }
    /// How many objects a collection has.
    pub fn count(&self, prefix: &str) -> usize { todo!() }
    /// Every change after `after` in the collection (all namespaces), in order, each once.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watch> { todo!() }
    /// Drops history at and before `revision`.
    pub async fn compact(&self, revision: Revision) -> Result<()> { todo!() }
    /// Errors when writes cannot be made durable.
    pub fn health(&self) -> Result<()> { todo!() }
    /// Writes what is queued, then closes. Later calls get `Closed`; watches end.
    pub async fn close(&self) -> Result<()> { todo!() }
}

/// A cursor on a collection's log.
#[derive(Debug)]
pub struct Watch {}

impl Watch {
    /// The next batch of events (at least one, at most `max`); `None` when the store closed.
    /// `Compacted` when this watcher was so slow that the log moved on without it.
    pub async fn next(&mut self, max: usize) -> Option<Result<Vec<Arc<Event>>>> { todo!() }
    /// The revision up to which this watch has delivered everything (for bookmarks): at least that of the last
    /// event, and it advances with the store when other collections change.
    pub fn progress(&self) -> Revision { todo!() }
}
