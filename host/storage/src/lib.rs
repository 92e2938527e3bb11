//! Storage: one ordered clock, compare-and-swap, and watches that lose nothing.
//!
//! The current state and a bounded history live in memory, as the bytes that are served. One thread writes: it
//! takes what is queued, checks the preconditions, numbers the changes, has an engine make them durable in one
//! step, and only then lets anyone see them. Reads never wait for a disk.
//!
//! ```
//! # use chainplate_storage::{Key, ListRequest, Options, Store};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let store = Store::open(Options::default()).await?;
//! let key = Key::new("configmaps", Some("default"), "a");
//! let made = store.create(key, r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}"#.into(), None).await?;
//! let list = store.list(&ListRequest { prefix: "configmaps", ..Default::default() })?;
//! assert_eq!((list.revision, list.objects.len()), (made.revision(), 1));
//! let watch = store.watch("configmaps", list.revision)?; // exactly what happens after the list
//! # store.close().await?; Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod collection;
mod document;
mod engine;
mod etcd;
mod expiry;
mod key;
pub mod maintenance;
mod object;
mod replay;
mod shared;
pub mod snapshot;
mod stats;
mod store;
mod watch;
mod writer;

pub use key::Key;
pub use object::{Event, EventKind, Object};
pub use stats::{COMMIT_BOUNDS, Stats};
pub use store::Store;
pub use watch::Watch;

use std::{path::PathBuf, sync::Arc, time::Duration};

/// A point on the store's single clock. 0 means "none"; real revisions start at 1 and never decrease.
pub type Revision = u64;

/// The revision of a store in which nothing was written yet, as etcd's. It is not 0, because resourceVersion
/// "0" means "any" to clients.
pub const FIRST_REVISION: Revision = 1;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is an object at the key.
    #[error("{0} already exists")]
    AlreadyExists(Key),
    /// There is no object at the key.
    #[error("{0} not found")]
    NotFound(Key),
    /// The expected revision is not the current one.
    #[error("{key} is at revision {current}, not at the expected one")]
    Conflict {
        /// The object.
        key: Key,
        /// Its revision.
        current: Revision,
    },
    /// The revision is older than the history that is kept.
    #[error("revision {requested} is compacted, the oldest kept is {oldest}")]
    Compacted {
        /// The revision that was asked for.
        requested: Revision,
        /// The oldest that can be asked for.
        oldest: Revision,
    },
    /// The revision is in the future and did not arrive in time.
    #[error("revision {requested} is in the future, the current one is {current}")]
    FutureRevision {
        /// The revision that was asked for.
        requested: Revision,
        /// The store's.
        current: Revision,
    },
    /// The value is not a JSON object with `metadata`, or too large; or the key cannot be stored.
    #[error("{key}: the value cannot be stored: {why}")]
    BadValue {
        /// The object.
        key: Key,
        /// What is wrong, for people.
        why: String,
    },
    /// The store was closed, or its writer is lost.
    #[error("the store is closed")]
    Closed,
    /// A snapshot is not one, is damaged or incomplete, or cannot be taken.
    #[error("snapshot: {0}")]
    Snapshot(String),
    /// The engine failed; nothing was acknowledged. Whether the write took place shows once the engine works
    /// again.
    #[error("storage engine: {0}")]
    Engine(String),
}

/// What calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where objects are kept.
#[derive(Debug, Clone, Default)]
pub enum EngineOptions {
    /// In memory: nothing survives the process.
    #[default]
    Memory,
    /// In a directory of this machine that one process at a time can use.
    Embedded {
        /// The data directory; made if it is missing.
        directory: PathBuf,
    },
    /// In etcd, which several hosts can share.
    Etcd(EtcdOptions),
}

/// How etcd is reached and kept; upstream's `--etcd-*` flags.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// Endpoints, `http://` or `https://` (`--etcd-servers`).
    pub servers: Vec<String>,
    /// What all keys start with (`--etcd-prefix`); `/registry` as upstream.
    pub prefix: String,
    /// PEM file with the authorities that may have signed the servers' certificates (`--etcd-cafile`).
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client's certificate (`--etcd-certfile`).
    pub cert_file: Option<PathBuf>,
    /// PEM file with the client's key (`--etcd-keyfile`).
    pub key_file: Option<PathBuf>,
}

impl Default for EtcdOptions {
    /// No server yet; `/registry`, no TLS, as upstream.
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            prefix: "/registry".to_owned(),
            ca_file: None,
            cert_file: None,
            key_file: None,
        }
    }
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where objects are kept.
    pub engine: EngineOptions,
    /// Events kept for each collection, at most.
    pub history_events: usize,
    /// For how long events and old states are kept.
    pub history_age: Duration,
    /// How often the past is ended where the store was an interval before (`--etcd-compaction-interval`), whether
    /// anything was written since or not: what is older is refused as compacted. Zero: never; then only the bounds
    /// on history end it.
    pub compaction_interval: Duration,
    /// Bytes of objects in the events kept for each collection, about. The last event is kept in any case.
    pub history_bytes: usize,
    /// The largest value that is stored, in bytes.
    pub max_object_bytes: usize,
}

impl Default for Options {
    /// In memory; 10 000 events, 64 MiB and 10 minutes of history, compaction every 5 minutes, as upstream;
    /// objects of 1.5 MiB, etcd's limit on requests.
    fn default() -> Self {
        Self {
            engine: EngineOptions::Memory,
            history_events: 10_000,
            history_age: Duration::from_secs(600),
            compaction_interval: Duration::from_secs(300),
            history_bytes: 64 << 20,
            max_object_bytes: 3 << 19,
        }
    }
}

/// What a list takes.
#[derive(Debug, Clone, Default)]
pub struct ListRequest<'a> {
    /// The collection.
    pub prefix: &'a str,
    /// One namespace; `None` for all objects.
    pub namespace: Option<&'a str>,
    /// Start after this `Key::path` (exclusive).
    pub after: Option<&'a str>,
    /// At most so many objects; 0 for all.
    pub limit: usize,
    /// The exact revision; `None` for the current state.
    pub at: Option<Revision>,
}

/// A list, or a page of one.
#[derive(Debug)]
pub struct List {
    /// The list is exactly the state at this revision.
    pub revision: Revision,
    /// In the order of their paths.
    pub objects: Vec<Arc<Object>>,
    /// Objects after the last one, exact.
    pub remaining: usize,
}
