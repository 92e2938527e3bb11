//! The handle.

use crate::{
    EngineOptions, Error, Key, List, ListRequest, Object, Options, Result, Revision, Stats, Watch,
    document::Document,
    engine::{Engine, memory::Memory, redb::Redb},
    etcd::Etcd,
    shared::Shared,
    writer::{self, Message, Operation, Place, Request},
};
use bytes::Bytes;
use std::{
    fmt,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{Mutex, Semaphore, oneshot};

/// Values that wait for the writer, at most, in KiB. Further writers wait for their turn.
const QUEUE_KIB: usize = 64 << 10;
/// Writes that etcd is to do at once, at most.
const ETCD_WRITES: usize = 1024;

/// A cloneable handle. When the last one goes without [`Store::close`], what is queued is still written, but
/// nobody can tell when the directory is free again.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    queue: Arc<Semaphore>,
    max_object_bytes: usize,
    backend: Backend,
}

/// Who writes.
enum Backend {
    Local(Local),
    Etcd(Etcd),
}

/// A thread of this process.
struct Local {
    writer: mpsc::Sender<Message>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes a store.
    ///
    /// # Errors
    /// `Engine` when the directory cannot be used: it is in use by another process, not writable, or damaged.
    /// The text names the file and the next step.
    pub async fn open(options: Options) -> Result<Self> {
        match options.engine.clone() {
            EngineOptions::Memory => Self::open_engine(&options, || Ok(Box::new(Memory::new()))).await,
            EngineOptions::Embedded { directory } => {
                Self::open_engine(&options, move || Ok(Box::new(Redb::open(&directory)?))).await
            }
            EngineOptions::Etcd(etcd) => {
                let shared = Arc::new(Shared::new(&options));
                let backend = Backend::Etcd(Etcd::open(&options, &etcd, shared.clone()).await?);
                Ok(Self::new(&options, shared, Arc::new(Semaphore::new(QUEUE_KIB)), backend))
            }
        }
    }

    /// Opens a store on an engine, which is made on the writer's thread.
    pub(crate) async fn open_engine(
        options: &Options,
        engine: impl FnOnce() -> Result<Box<dyn Engine>, String> + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::new(options));
        let queue = Arc::new(Semaphore::new(QUEUE_KIB));
        let (writer, messages) = mpsc::channel();
        let (ready, opened) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("storage-writer".to_owned())
            .spawn({
                let (shared, queue) = (shared.clone(), queue.clone());
                move || writer::run(engine, shared, queue, &messages, ready)
            })
            .map_err(|error| {
                Error::Engine(format!("cannot start the writer's thread: {error}; check the limits"))
            })?;
        opened.await.map_err(|_| Error::Closed)??;
        let backend = Backend::Local(Local { writer, thread: Mutex::new(Some(thread)) });
        Ok(Self::new(options, shared, queue, backend))
    }

    fn new(options: &Options, shared: Arc<Shared>, queue: Arc<Semaphore>, backend: Backend) -> Self {
        let max_object_bytes = options.max_object_bytes;
        Self { inner: Arc::new(Inner { shared, queue, max_object_bytes, backend }) }
    }

    /// Whether other servers may write into the same storage.
    pub fn is_shared(&self) -> bool {
        // The embedded engine locks its directory.
        matches!(self.inner.backend, Backend::Etcd(_))
    }

    /// The revision of the last acknowledged write; [`crate::FIRST_REVISION`] before the first.
    pub fn revision(&self) -> Revision {
        self.inner.shared.revision()
    }

    /// Waits until `revision` is reached.
    ///
    /// # Errors
    /// `FutureRevision` after `patience`; `Closed`.
    pub async fn wait_for(&self, revision: Revision, patience: Duration) -> Result<()> {
        self.inner.shared.wait_for(revision, patience).await
    }

    /// Reads that follow see every write that was acknowledged before this call, through whichever host. Costs a
    /// round trip with etcd, nothing with the other engines: they have one host.
    ///
    /// # Errors
    /// `Engine` when that cannot be found out in a few seconds; `Closed`.
    pub async fn refresh(&self) -> Result<()> {
        match &self.inner.backend {
            Backend::Local(_) => self.inner.shared.check_open(),
            Backend::Etcd(etcd) => etcd.refresh().await,
        }
    }

    /// The current state of one object, as of the last write through this host or [`Store::refresh`].
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.inner.shared.find(&key.prefix)?.get(&key.path)
    }

    /// Makes an object. `value` is JSON without resourceVersion, head first (kind, apiVersion, metadata). With
    /// `ttl` it is deleted, as by anyone, once that has passed; without it lives for ever.
    ///
    /// # Errors
    /// `AlreadyExists`, `BadValue`, `Engine`, `Closed`.
    pub async fn create(&self, key: Key, value: Bytes, ttl: Option<Duration>) -> Result<Arc<Object>> {
        let document = self.document(&key, value)?;
        self.write(key, document.len(), Operation::Create { document, ttl }).await
    }

    /// Replaces an object, if it is at revision `expected` when that is given. Byte-equal to what is stored:
    /// nothing is written and the current object comes back. A write replaces the time to live: without `ttl` the
    /// object lives for ever.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `BadValue`, `Engine`, `Closed`.
    pub async fn update(
        &self,
        key: Key,
        value: Bytes,
        expected: Option<Revision>,
        ttl: Option<Duration>,
    ) -> Result<Arc<Object>> {
        let document = self.document(&key, value)?;
        self.write(key, document.len(), Operation::Update { document, expected, ttl }).await
    }

    /// Removes an object, if it is at revision `expected` when that is given. Returns the last state, with the
    /// deletion's revision.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Engine`, `Closed`.
    pub async fn delete(&self, key: Key, expected: Option<Revision>) -> Result<Arc<Object>> {
        self.write(key, 0, Operation::Delete { expected }).await
    }

    /// The objects of a collection, in the order of their paths.
    ///
    /// # Errors
    /// `Compacted` or `FutureRevision` when the state at the exact revision is not known; `Closed`.
    pub fn list(&self, request: &ListRequest<'_>) -> Result<List> {
        let shared = &self.inner.shared;
        shared.check_open()?;
        shared.collection(request.prefix).list(request, || shared.revision())
    }

    /// How many objects a collection has.
    pub fn count(&self, prefix: &str) -> usize {
        self.inner.shared.find(prefix).map_or(0, |collection| collection.count())
    }

    /// All collections that were ever written, listed or watched since the start, and how many objects each has.
    pub fn collections(&self) -> Vec<(String, usize)> {
        let collections = self.inner.shared.collections();
        collections.iter().map(|collection| (collection.prefix.to_string(), collection.count())).collect()
    }

    /// Every change after `after` in the collection (all namespaces), in order, each once.
    ///
    /// # Errors
    /// `Compacted` when changes after `after` are no longer known; `Closed`.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watch> {
        let shared = &self.inner.shared;
        shared.check_open()?;
        Watch::new(shared.clone(), shared.collection(prefix), after)
    }

    /// Drops history at and before `revision`.
    ///
    /// # Errors
    /// `FutureRevision`, `Closed`.
    pub async fn compact(&self, revision: Revision) -> Result<()> {
        let shared = &self.inner.shared;
        shared.check_open()?;
        let current = self.revision();
        if revision > current {
            return Err(Error::FutureRevision { requested: revision, current });
        }
        if let Backend::Etcd(etcd) = &self.inner.backend {
            etcd.compact(revision).await?;
        }
        shared.compact(revision);
        Ok(())
    }

    /// Tells whether writes can be made durable.
    ///
    /// # Errors
    /// `Engine` after a failure until the engine works again, which is tried every second and with each write;
    /// `Closed`.
    pub fn health(&self) -> Result<()> {
        self.inner.shared.health()
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        self.inner.shared.counters.snapshot()
    }

    /// Writes what is queued, then closes. Later calls get `Closed`; watches end.
    ///
    /// # Errors
    /// `Engine` when the engine could not be closed in order; all that was acknowledged is durable even then.
    pub async fn close(&self) -> Result<()> {
        let local = match &self.inner.backend {
            Backend::Local(local) => local,
            Backend::Etcd(etcd) => return self.close_etcd(etcd).await,
        };
        let mut thread = local.thread.lock().await;
        let Some(running) = thread.take() else { return Ok(()) };
        self.inner.queue.close();
        // Fails if the writer is gone already.
        let _ = local.writer.send(Message::Close);
        // The thread may wait for a disk: not on a runtime thread.
        match tokio::task::spawn_blocking(move || running.join()).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Error::Closed),
        }
    }

    /// Waits for the writes under way, which are bounded in time, then ends everything.
    async fn close_etcd(&self, etcd: &Etcd) -> Result<()> {
        let all = u32::try_from(QUEUE_KIB).unwrap_or(u32::MAX);
        // Who comes later waits behind this and finds the store closed.
        let writes = self.inner.queue.acquire_many(all).await;
        self.inner.queue.close();
        drop(writes);
        etcd.close().await;
        Ok(())
    }

    fn document(&self, key: &Key, value: Bytes) -> Result<Document> {
        let bad = |why: String| Error::BadValue { key: key.clone(), why };
        if key.prefix.is_empty() || key.path.is_empty() {
            return Err(bad("prefix and path of its key must not be empty".to_owned()));
        }
        Document::parse(value, self.inner.max_object_bytes).map_err(bad)
    }

    async fn write(&self, key: Key, bytes: usize, operation: Operation) -> Result<Arc<Object>> {
        let least = match &self.inner.backend {
            Backend::Local(_) => 1,
            Backend::Etcd(_) => QUEUE_KIB / ETCD_WRITES,
        };
        let size = u32::try_from((1 + bytes / 1024).clamp(least, QUEUE_KIB)).unwrap_or(u32::MAX);
        let permit = self.inner.queue.clone().acquire_many_owned(size).await.map_err(|_| Error::Closed)?;
        let place = Place::new(permit, &self.inner.shared);
        match &self.inner.backend {
            Backend::Local(local) => {
                let (answer, answered) = oneshot::channel();
                let request = Request { key, operation, answer, place };
                local.writer.send(Message::Write(request)).map_err(|_| Error::Closed)?;
                answered.await.map_err(|_| Error::Closed)?
            }
            Backend::Etcd(etcd) => {
                let _place = place;
                etcd.write(key, operation).await
            }
        }
    }
}
