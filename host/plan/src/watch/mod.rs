//! WATCH: the changes of a collection, as they happen.

mod frames;
mod stream;

use crate::{
    Body, BoxError, Collection, Context, Transformer,
    answer::{self, Failure},
    body,
    filter::Filter,
    get::{too_old, unreadable, wait_for},
    metrics,
    select::{Selection, Selector},
    table::Include,
};
use chainplate_apimachinery::{
    Status,
    list_options::{ListOptions, parse_resource_version},
    negotiation::{self, Encoding, Form, MediaType},
};
use chainplate_storage::{Error, Revision, Store, Watch};
use frames::Encoder;
use http::Response;
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::Arc,
    time::Duration,
};
use stream::Watcher;
use tokio::time::Instant;

/// A watch that never ends by itself; the longest that timers take.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Starts a watch.
///
/// # Errors
/// 400, 406, 422 and 500 as the options have it. Whatever goes wrong with a well-formed request is an ERROR event
/// in the stream (`storage/cacher/cacher.go`).
pub(crate) async fn watch(
    collection: Arc<Collection>,
    namespace: Option<String>,
    media: &MediaType,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let options = ListOptions::parse(context.query)?;
    let filter = Filter::new(&collection, &options, &context.info.name)?;
    let revision =
        parse_resource_version(&options.resource_version).map_err(|why| Status::new(500, "", why))?;
    let include = match media.form {
        Form::Table(_) => Include::parse(context.query)?,
        _ => Include::None,
    };
    negotiation::negotiate_stream(media)?;

    let deadline = Instant::now() + lifetime(options.timeout_seconds, context.min_watch_timeout);
    let selector = Selector {
        store: context.store,
        collection: &collection,
        namespace: namespace.as_deref(),
        filter: &filter,
        transformer: &*transformer,
    };
    let start = begin(&selector, &options, revision).await;
    let open = metrics::Open::new(metrics::of(&collection));
    let encoder = Encoder::new(collection, transformer, media, include);
    let mut watcher = Watcher::new(encoder, filter, namespace, deadline, context.shutdown.clone(), open);
    match start {
        Ok(start) => watcher.start(start, options.bookmarks),
        Err(status) => watcher.fail(&status),
    }
    let chunks = futures_util::stream::unfold(watcher, |mut watcher| async move {
        watcher.next().await.map(|chunk| (Ok::<_, BoxError>(chunk), watcher))
    });
    let media_type = match media.encoding {
        Encoding::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        encoding => encoding.media_type(),
    };
    Ok(answer::respond(200, media_type, body::stream(chunks)))
}

/// Where a watch begins.
pub(crate) struct Start {
    /// The changes.
    cursor: Watch,
    /// Only later changes count.
    floor: Revision,
    /// What is there already, to be told as ADDED.
    present: Option<Selection>,
    /// Whether a bookmark closes what is there already.
    announce: bool,
}

async fn begin(selector: &Selector<'_>, options: &ListOptions, revision: Revision) -> Result<Start, Status> {
    let store = selector.store;
    let prefix = &selector.collection.storage_prefix;
    let from_present = match options.send_initial_events {
        Some(wanted) => wanted,
        // The legacy meaning, which only the `/watch/` prefix still gets to.
        None => revision == 0,
    };
    if from_present {
        wait_for(store, revision).await?;
        let present = selector.present().await?;
        let cursor = open(store, prefix, present.revision)?;
        let announce = options.bookmarks && options.send_initial_events.is_some();
        return Ok(Start { cursor, floor: present.revision, present: Some(present), announce });
    }
    // A revision that is still to come is waited for, not refused.
    let now = store.revision();
    let floor = if revision == 0 { now } else { revision };
    Ok(Start { cursor: open(store, prefix, floor.min(now))?, floor, present: None, announce: false })
}

fn open(store: &Store, prefix: &str, after: Revision) -> Result<Watch, Status> {
    store.watch(prefix, after).map_err(|error| match error {
        Error::Compacted { requested, oldest } => too_old(requested, oldest),
        error => unreadable(&error),
    })
}

/// How long a watch lives: as long as the client says, or a random time so that watches do not end together
/// (`handlers/get.go`).
fn lifetime(timeout_seconds: Option<i64>, least: Duration) -> Duration {
    match timeout_seconds {
        Some(seconds) if seconds != 0 => {
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(FOREVER)
        }
        _ if least.is_zero() => FOREVER,
        _ => {
            let random = RandomState::new().build_hasher().finish();
            least + least.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
        }
    }
}
