//! Behaviour of the store through its public API, on every engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first fault")]

mod behaviour;
mod crash;
mod etcd;
mod expiry;
mod files;
mod history;
mod linear;
mod log;
mod model;
mod snapshots;
mod watching;

use bytes::Bytes;
use chainplate_storage::{EngineOptions, Key, ListRequest, Object, Options, Revision, Store};
use std::{path::Path, time::Duration};

/// Longer than anything takes; only a hang runs into it.
const LONG: Duration = Duration::from_secs(60);

/// Makes a test for each engine out of an async function that takes an opener.
macro_rules! on_engines {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::Opener::memory()).await;
            })*
        }
        mod redb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::Opener::redb()).await;
            })*
        }
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(opener) = crate::Opener::etcd() {
                    super::$name(opener).await;
                }
            })*
        }
    };
}
pub(crate) use on_engines;

/// Opens stores on one engine.
enum Opener {
    Memory,
    Redb(tempfile::TempDir),
    /// A server for each test: so its revisions, too, are those of the other engines.
    Etcd(etcd::server::Server),
}

impl Opener {
    fn memory() -> Self {
        Self::Memory
    }

    fn redb() -> Self {
        Self::Redb(tempfile::tempdir().unwrap())
    }

    /// `None`: there is no etcd, and the test is skipped.
    fn etcd() -> Option<Self> {
        etcd::server::Server::start(&[]).map(Self::Etcd)
    }

    /// Whether what is stored survives the store.
    fn keeps(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Whether times to live are exact to the millisecond and told. etcd's leases are of whole seconds, shared, and
    /// its own affair.
    fn tells_expiry(&self) -> bool {
        !matches!(self, Self::Etcd(_))
    }

    /// Whether history survives the store; etcd's is read from where the store was opened.
    fn keeps_history(&self) -> bool {
        matches!(self, Self::Redb(_))
    }

    fn options(&self) -> Options {
        match self {
            Self::Memory => Options::default(),
            Self::Redb(directory) => embedded(&directory.path().join("data")),
            Self::Etcd(server) => etcd::options(&[server]),
        }
    }

    async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }
}

async fn open(directory: &Path) -> Store {
    Store::open(embedded(directory)).await.unwrap()
}

/// Options for a store in `directory`.
fn embedded(directory: &Path) -> Options {
    let engine = EngineOptions::Embedded { directory: directory.to_owned() };
    Options { engine, ..Options::default() }
}

fn key(path: &str) -> Key {
    match path.split_once('/') {
        Some((namespace, name)) => Key::new("pods", Some(namespace), name),
        None => Key::new("pods", None, path),
    }
}

fn value(content: &str) -> Bytes {
    format!(r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"uid":"x"}},"spec":"{content}"}}"#).into()
}

fn spec(object: &Object) -> String {
    let json = std::str::from_utf8(object.json()).unwrap();
    json.split_once(r#""spec":""#).unwrap().1.trim_end_matches("\"}").to_owned()
}

/// `path=spec` of a list.
fn contents(store: &Store, request: &ListRequest<'_>) -> (Revision, Vec<String>) {
    let list = store.list(request).unwrap();
    let objects = list.objects.iter().map(|object| format!("{}={}", object.key().path, spec(object)));
    (list.revision, objects.collect())
}

fn pods<'a>() -> ListRequest<'a> {
    ListRequest { prefix: "pods", ..ListRequest::default() }
}
