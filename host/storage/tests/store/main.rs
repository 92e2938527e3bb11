//! Behaviour of the store through its public API, on every engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first fault")]

mod behaviour;
mod crash;
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
    };
}
pub(crate) use on_engines;

/// Opens stores on one engine.
struct Opener {
    directory: Option<tempfile::TempDir>,
}

impl Opener {
    fn memory() -> Self {
        Self { directory: None }
    }

    fn redb() -> Self {
        Self { directory: Some(tempfile::tempdir().unwrap()) }
    }

    fn options(&self) -> Options {
        match &self.directory {
            Some(directory) => embedded(&directory.path().join("data")),
            None => Options::default(),
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
    format!(r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"x"}},"spec":"{content}"}}"#).into()
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
