//! GET of one object, and waiting for a revision.

use crate::{Collection, Context};
use chainplate_apimachinery::{
    Cause, Status,
    list_options::{self, parse_resource_version},
};
use chainplate_storage::{Error, Key, Object, Store};
use std::{sync::Arc, time::Duration};

/// How long a read waits for a revision that is not there yet (`storage/cacher/watch_cache.go`).
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads one object that is not older than the query's `resourceVersion`.
///
/// # Errors
/// 404, 500 for a malformed `resourceVersion`, 504 for one that is not reached in time.
pub(crate) async fn get(
    collection: &Collection,
    namespace: Option<&str>,
    name: &str,
    context: &Context<'_>,
) -> Result<Arc<Object>, Status> {
    if !context.query.is_empty() {
        let text = list_options::value(context.query, "resourceVersion").unwrap_or_default();
        let revision = parse_resource_version(&text).map_err(|why| Status::new(500, "", why))?;
        wait_for(context.store, revision).await?;
    }
    let key = Key::new(collection.storage_prefix.clone(), namespace, name);
    context.store.get(&key).ok_or_else(|| Status::not_found(&collection.group, &collection.resource, name))
}

/// Waits until the store has `revision`.
///
/// # Errors
/// 504 if it does not come.
pub(crate) async fn wait_for(store: &Store, revision: u64) -> Result<(), Status> {
    if revision <= store.revision() {
        return Ok(());
    }
    store.wait_for(revision, PATIENCE).await.map_err(|error| unreadable(&error))
}

/// 504 for a revision that is not there yet.
pub(crate) fn too_large(requested: u64, current: u64) -> Status {
    Status::timeout(format!("Timeout: Too large resource version: {requested}, current: {current}"))
        .with_causes([Cause {
            reason: "ResourceVersionTooLarge".into(),
            message: "Too large resource version".into(),
            field: String::new(),
        }])
        .with_retry_after(1)
}

/// What a client is told of a read that storage refused.
pub fn unreadable(error: &Error) -> Status {
    match error {
        Error::FutureRevision { requested, current } => too_large(*requested, *current),
        Error::Compacted { requested, oldest } => too_old(*requested, *oldest),
        Error::Closed => Status::unavailable("the server is shutting down"),
        error => Status::internal(error),
    }
}

/// 410 for a revision that is no longer kept.
pub(crate) fn too_old(requested: u64, oldest: u64) -> Status {
    Status::expired(format!("too old resource version: {requested} ({oldest})"))
}
