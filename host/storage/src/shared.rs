//! What readers, watches and the writer share.

use crate::{
    Error, Options, Result, Revision,
    collection::{Bounds, Collection},
    stats::Counters,
};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Shared {
    collections: RwLock<HashMap<Arc<str>, Arc<Collection>>>,
    revision: AtomicU64,
    /// Wakes who waits for a revision.
    published: watch::Sender<Revision>,
    closed: AtomicBool,
    /// Why writes fail, if they do.
    trouble: Mutex<Option<String>>,
    /// Writes that wait to be answered.
    pub(crate) in_flight: AtomicUsize,
    pub(crate) counters: Counters,
    opened: Instant,
    pub(crate) bounds: Bounds,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Self {
        let age = u64::try_from(options.history_age.as_millis()).unwrap_or(u64::MAX);
        Self {
            collections: RwLock::default(),
            revision: AtomicU64::new(0),
            published: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            trouble: Mutex::new(None),
            in_flight: AtomicUsize::new(0),
            counters: Counters::default(),
            opened: Instant::now(),
            bounds: Bounds { events: options.history_events, bytes: options.history_bytes, age },
        }
    }

    /// Milliseconds since the store was opened.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn find(&self, prefix: &str) -> Option<Arc<Collection>> {
        self.collections.read().get(prefix).cloned()
    }

    /// The collection, made if it is not there.
    pub(crate) fn collection(&self, prefix: &str) -> Arc<Collection> {
        if let Some(found) = self.find(prefix) {
            return found;
        }
        let mut collections = self.collections.write();
        if let Some(found) = collections.get(prefix) {
            return found.clone();
        }
        // Nothing was stored in it up to now, and of before there is no history: whoever watches from there is told
        // that it is too old, as by a watch cache that was just filled.
        let made = Arc::new(Collection::new(prefix.into(), Vec::new(), self.revision()));
        collections.insert(made.prefix.clone(), made.clone());
        made
    }

    pub(crate) fn collections(&self) -> Vec<Arc<Collection>> {
        self.collections.read().values().cloned().collect()
    }

    /// Sets the state at the start.
    pub(crate) fn load(&self, objects: HashMap<Arc<str>, Vec<Arc<crate::Object>>>, revision: Revision) {
        let mut collections = self.collections.write();
        for (prefix, objects) in objects {
            collections.insert(prefix.clone(), Arc::new(Collection::new(prefix, objects, revision)));
        }
        drop(collections);
        self.publish(revision);
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision.load(Ordering::Acquire)
    }

    /// Tells that everything up to `revision` is applied.
    pub(crate) fn publish(&self, revision: Revision) {
        self.revision.store(revision, Ordering::Release);
        self.published.send_replace(revision);
    }

    pub(crate) async fn wait_for(&self, requested: Revision, patience: Duration) -> Result<()> {
        if self.revision() >= requested {
            return Ok(());
        }
        let mut published = self.published.subscribe();
        let arrived = published.wait_for(|revision| *revision >= requested || self.is_closed());
        match tokio::time::timeout(patience, arrived).await {
            _ if self.revision() >= requested => Ok(()),
            Ok(_) => Err(Error::Closed),
            Err(_) => Err(Error::FutureRevision { requested, current: self.revision() }),
        }
    }

    pub(crate) fn compact(&self, revision: Revision) {
        // New collections start from now, which is later.
        for collection in self.collections() {
            collection.compact(revision);
        }
    }

    pub(crate) fn prune(&self) {
        let now = self.now();
        for collection in self.collections() {
            collection.prune(now, self.bounds);
        }
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock() = trouble;
    }

    pub(crate) fn health(&self) -> Result<()> {
        self.check_open()?;
        self.trouble.lock().clone().map_or(Ok(()), |trouble| Err(Error::Engine(trouble)))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Ends all waiting.
    pub(crate) fn mark_closed(&self) {
        self.closed.store(true, Ordering::Release);
        self.published.send_modify(|_| {});
        for collection in self.collections() {
            collection.wake();
        }
    }
}
