//! What watches did, for the host's metrics.

use crate::Collection;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Counters of one resource version.
#[derive(Debug, Default)]
pub struct WatchCounters {
    /// Events sent to watchers (`apiserver_watch_events_total`).
    events: AtomicU64,
    /// The bytes of those events.
    bytes: AtomicU64,
    /// Watches that are open now.
    open: AtomicU64,
}

impl WatchCounters {
    /// Events sent to watchers so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes of the events sent so far, before compression and transfer encoding.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Watches that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self, events: usize, bytes: usize) {
        // usize has at most 64 bits wherever this runs.
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A watch that is open; closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<WatchCounters>);

impl Open {
    pub(crate) fn new(counters: Arc<WatchCounters>) -> Self {
        counters.open.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }

    pub(crate) fn counters(&self) -> &WatchCounters {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Group, version and resource.
pub type Resource = (String, String, String);

static COUNTERS: LazyLock<Mutex<BTreeMap<Resource, Arc<WatchCounters>>>> = LazyLock::new(Mutex::default);

/// The counters of every resource version that was ever watched in this process.
pub fn watches() -> Vec<(Resource, Arc<WatchCounters>)> {
    let counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    counters.iter().map(|(resource, counters)| (resource.clone(), counters.clone())).collect()
}

/// The counters of one resource version.
pub(crate) fn of(collection: &Collection) -> Arc<WatchCounters> {
    let resource = (collection.group.clone(), collection.version.clone(), collection.resource.clone());
    COUNTERS.lock().unwrap_or_else(PoisonError::into_inner).entry(resource).or_default().clone()
}
