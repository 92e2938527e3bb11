//! What readers, watches and the writer share.

use crate::{
    Error, Options, Result, Revision,
    collection::{Bounds, Collection, Logged},
    replay::{Replayed, Retired},
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
    /// What the clock of the history showed when the store was opened.
    clock: AtomicU64,
    /// Where the history of a collection begins that was not there at the start; `u64::MAX`: when it is first asked
    /// for.
    begin: AtomicU64,
    /// What has left the history and not yet the engine's log, if that has to be told.
    retired: Mutex<Option<Vec<Retired>>>,
    /// Where `compact` was told to end the past.
    pub(crate) floor: AtomicU64,
    pub(crate) bounds: Bounds,
    /// How often the past is ended; zero: never.
    pub(crate) compaction_interval: Duration,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            collections: RwLock::default(),
            revision: AtomicU64::new(0),
            published: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            trouble: Mutex::new(None),
            in_flight: AtomicUsize::new(0),
            counters: Counters::default(),
            opened: Instant::now(),
            clock: AtomicU64::new(0),
            begin: AtomicU64::new(u64::MAX),
            retired: Mutex::new(None),
            floor: AtomicU64::new(0),
            bounds: Bounds::of(options),
            compaction_interval: options.compaction_interval,
        }
    }

    /// The clock of the history, in milliseconds: never back, also over restarts of an engine that keeps a log, and
    /// even if the wall clock is set.
    pub(crate) fn now(&self) -> u64 {
        let open = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.clock.load(Ordering::Relaxed).saturating_add(open)
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
        // After a restart the log tells from where on there would be some.
        let begin = self.begin.load(Ordering::Relaxed).min(self.revision());
        let made = Arc::new(Collection::new(prefix.into(), Vec::new(), begin));
        collections.insert(made.prefix.clone(), made.clone());
        made
    }

    pub(crate) fn collections(&self) -> Vec<Arc<Collection>> {
        self.collections.read().values().cloned().collect()
    }

    /// Sets what a log said. `keeps_log`: from now on the engine is to be told what leaves the history.
    pub(crate) fn install(&self, replayed: Replayed, revision: Revision, keeps_log: bool) {
        let Replayed { collections, retired, now, floor, begin, .. } = replayed;
        self.clock.store(now, Ordering::Relaxed);
        self.floor.store(floor, Ordering::Relaxed);
        if let Some(begin) = begin {
            self.begin.store(begin, Ordering::Relaxed);
        }
        if keeps_log {
            *self.retired.lock() = Some(retired);
        }
        let collections = collections.into_iter();
        self.collections
            .write()
            .extend(collections.map(|collection| (collection.prefix.clone(), Arc::new(collection))));
        self.publish(revision);
    }

    /// Notes what has left the history.
    pub(crate) fn retire(&self, left: &[Logged]) {
        if left.is_empty() {
            return;
        }
        if let Some(retired) = &mut *self.retired.lock() {
            retired.extend(left.iter().filter_map(|logged| Retired::of(&logged.event)));
        }
    }

    /// What has left the history since this was called last.
    pub(crate) fn take_retired(&self) -> Vec<Retired> {
        self.retired.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Replaces everything, at the start or when changes were missed: running watches end, as there is no history.
    pub(crate) fn reset(&self, mut objects: HashMap<Arc<str>, Vec<Arc<crate::Object>>>, revision: Revision) {
        let mut collections = self.collections.write();
        for collection in collections.values() {
            collection.reset(objects.remove(&collection.prefix).unwrap_or_default(), revision);
        }
        for (prefix, objects) in objects {
            collections.insert(prefix.clone(), Arc::new(Collection::new(prefix, objects, revision)));
        }
        // Before a collection is made that was empty at an older revision.
        self.publish(revision);
        let all: Vec<_> = collections.values().cloned().collect();
        drop(collections);
        all.iter().for_each(|collection| collection.wake());
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
        // Before the collections: one that is made meanwhile starts from there or later.
        self.floor.fetch_max(revision, Ordering::Relaxed);
        self.begin.fetch_max(revision, Ordering::Relaxed);
        for collection in self.collections() {
            self.retire(&collection.compact(revision));
        }
    }

    pub(crate) fn prune(&self) {
        let now = self.now();
        for collection in self.collections() {
            self.retire(&collection.prune(now, self.bounds));
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
