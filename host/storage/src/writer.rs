//! The one thread that writes.

use crate::{
    Error, Event, EventKind, Key, Object, Result, Revision,
    collection::Collection,
    document::Document,
    engine::{Batch, Engine, Failure},
    shared::Shared,
};
use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Writes that share a commit, at most.
const BATCH_WRITES: usize = 1024;
/// Bytes that share a commit, about.
const BATCH_BYTES: usize = 8 << 20;
/// How long a batch waits for company, at most.
const LONGEST_WAIT: Duration = Duration::from_millis(1);
/// How often a failed engine is tried.
const RETRY: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(crate) enum Message {
    Write(Request),
    Close,
}

/// A queued write.
pub(crate) struct Request {
    pub(crate) key: Key,
    pub(crate) operation: Operation,
    pub(crate) answer: oneshot::Sender<Result<Arc<Object>>>,
    /// Its place in the queue, given back when it is answered.
    pub(crate) place: Place,
}

/// A place in the queue.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
}

impl Place {
    pub(crate) fn new(permit: OwnedSemaphorePermit, shared: &Arc<Shared>) -> Self {
        shared.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { _permit: permit, shared: shared.clone() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What to do with the key.
pub(crate) enum Operation {
    Create { document: Document, ttl: Option<Duration> },
    Update { document: Document, expected: Option<Revision>, ttl: Option<Duration> },
    Delete { expected: Option<Revision> },
}

/// Ends all waiting when the thread ends, however it ends.
struct Ending {
    shared: Arc<Shared>,
    queue: Arc<Semaphore>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.queue.close();
        self.shared.mark_closed();
    }
}

/// The thread's body.
pub(crate) fn run(
    engine: impl FnOnce() -> Result<Box<dyn Engine>, Failure>,
    shared: Arc<Shared>,
    queue: Arc<Semaphore>,
    messages: &Receiver<Message>,
    ready: oneshot::Sender<Result<()>>,
) -> Result<()> {
    let _ending = Ending { shared: shared.clone(), queue };
    let loaded = engine().and_then(|engine| Writer::load(engine, shared));
    match loaded {
        Ok(writer) => {
            // Nobody listens if the caller of `open` has gone; then no message comes either.
            let _ = ready.send(Ok(()));
            writer.run(messages)
        }
        Err(failure) => {
            let _ = ready.send(Err(Error::Engine(failure)));
            Ok(())
        }
    }
}

struct Writer {
    engine: Box<dyn Engine>,
    shared: Arc<Shared>,
    /// The last revision given.
    revision: Revision,
    /// Set when the engine failed, until it works again.
    failed: Option<InDoubt>,
    /// How many wrote at once when the last batch was answered.
    company: usize,
    /// How long the last commit took.
    commit_time: Duration,
    /// When old history is dropped next.
    prune_at: Instant,
}

/// A batch that may or may not be durable; empty when that is settled.
struct InDoubt {
    revision: Revision,
    changes: Vec<Arc<Event>>,
}

/// A change of this batch, found by its key. Only the last one of each key is kept.
struct Pending(Arc<Event>);

impl Borrow<Key> for Pending {
    fn borrow(&self) -> &Key {
        self.0.object.key()
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.0.object.key() == other.0.object.key()
    }
}

impl Eq for Pending {}

impl Hash for Pending {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.object.key().hash(state);
    }
}

/// What becomes of a request.
enum Effect {
    Write(Arc<Event>),
    Nothing(Arc<Object>),
}

impl Writer {
    fn load(mut engine: Box<dyn Engine>, shared: Arc<Shared>) -> Result<Self, Failure> {
        let mut objects: HashMap<Arc<str>, Vec<Arc<Object>>> = HashMap::new();
        let revision = engine.load(&mut |object| {
            objects.entry(object.key().prefix.clone()).or_default().push(Arc::new(object));
        })?;
        shared.load(objects, revision);
        let (company, commit_time, prune_at) = (0, Duration::ZERO, Instant::now());
        Ok(Self { engine, shared, revision, failed: None, company, commit_time, prune_at })
    }

    fn run(mut self, messages: &Receiver<Message>) -> Result<()> {
        loop {
            match messages.recv_timeout(self.pause()) {
                Ok(Message::Write(first)) => {
                    let (batch, close) = self.drain(first, messages);
                    self.write(batch);
                    if close {
                        break;
                    }
                }
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => break,
                // The outcome is in `health`.
                Err(RecvTimeoutError::Timeout) => drop(self.ensure_usable()),
            }
            if Instant::now() >= self.prune_at {
                self.shared.prune();
                self.prune_at = Instant::now() + self.prune_interval();
            }
        }
        self.engine.close().map_err(Error::Engine)
    }

    /// How long to sleep without work.
    fn pause(&self) -> Duration {
        if self.failed.is_some() { RETRY } else { self.prune_at.saturating_duration_since(Instant::now()) }
    }

    fn prune_interval(&self) -> Duration {
        let age = Duration::from_millis(self.shared.bounds.age / 4);
        age.clamp(Duration::from_millis(50), Duration::from_secs(30))
    }

    /// What is queued, up to the bounds of a batch; and whether the store shall be closed afterwards.
    ///
    /// Who was answered a moment ago may be back in a moment. With as many writers as last time the wait ends;
    /// otherwise it costs an eighth of a commit, where missing this one costs a whole commit.
    fn drain(&self, first: Request, messages: &Receiver<Message>) -> (Vec<Request>, bool) {
        let until = Instant::now() + (self.commit_time / 8).min(LONGEST_WAIT);
        let mut bytes = first.operation.bytes();
        let mut batch = vec![first];
        while batch.len() < BATCH_WRITES && bytes < BATCH_BYTES {
            let mut message = messages.try_recv().ok();
            if message.is_none() && batch.len() < self.company {
                message = messages.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
            }
            match message {
                Some(Message::Write(request)) => {
                    bytes += request.operation.bytes();
                    batch.push(request);
                }
                Some(Message::Close) => return (batch, true),
                None => break,
            }
        }
        (batch, false)
    }

    fn write(&mut self, batch: Vec<Request>) {
        if let Err(failure) = self.ensure_usable() {
            return refuse(batch.into_iter().map(|request| request.answer), &failure);
        }
        let mut changes = Vec::with_capacity(batch.len());
        let mut answers = Vec::with_capacity(batch.len());
        let mut overlay = HashSet::with_capacity(batch.len());
        // Places in the queue are given back with the requests, after the answers.
        let mut places = Vec::with_capacity(batch.len());
        for Request { key, operation, answer, place } in batch {
            let revision = self.revision + 1 + changes.len() as u64;
            let result = self.decide(key, &operation, revision, &overlay).map(|effect| match effect {
                Effect::Nothing(object) => {
                    self.shared.counters.unchanged.fetch_add(1, Ordering::Relaxed);
                    object
                }
                Effect::Write(event) => {
                    overlay.replace(Pending(event.clone()));
                    changes.push(event.clone());
                    event.object.clone()
                }
            });
            if result.is_err() {
                self.shared.counters.rejected.fetch_add(1, Ordering::Relaxed);
            }
            answers.push((answer, result));
            places.push(place);
        }
        drop(overlay);
        let written = if changes.is_empty() { Ok(Vec::new()) } else { self.commit(changes) };
        self.company = self.shared.in_flight.load(Ordering::Relaxed);
        match written {
            Ok(collections) => {
                for (answer, result) in answers {
                    // Who does not wait any more does not want to know.
                    let _ = answer.send(result);
                }
                collections.iter().for_each(|collection| collection.wake());
            }
            // Also those that wrote nothing: what they saw may be what has failed.
            Err(failure) => refuse(answers.into_iter().map(|(answer, _)| answer), &failure),
        }
    }

    /// Checks the precondition against what is stored and what this batch has changed so far.
    fn decide(
        &self,
        key: Key,
        operation: &Operation,
        revision: Revision,
        overlay: &HashSet<Pending>,
    ) -> Result<Effect> {
        let collection = self.shared.find(&key.prefix);
        let current = match overlay.get(&key) {
            Some(Pending(event)) if event.kind == EventKind::Deleted => None,
            Some(Pending(event)) => Some(event.object.clone()),
            None => collection.as_ref().and_then(|collection| collection.get(&key.path)),
        };
        let event = match (operation, current) {
            (Operation::Create { .. }, Some(_)) => return Err(Error::AlreadyExists(key)),
            (Operation::Create { document, .. }, None) => {
                self.check_namesake(&key, overlay)?;
                // One prefix string for all objects.
                let prefix = collection.map_or(key.prefix, |collection| collection.prefix.clone());
                let object = Object::new(Key { prefix, path: key.path }, document, revision, revision);
                Event { kind: EventKind::Added, object: Arc::new(object), previous: None }
            }
            (Operation::Update { .. } | Operation::Delete { .. }, None) => return Err(Error::NotFound(key)),
            (
                Operation::Update { expected: Some(expected), .. }
                | Operation::Delete { expected: Some(expected) },
                Some(current),
            ) if *expected != current.revision() => {
                return Err(Error::Conflict { key, current: current.revision() });
            }
            (Operation::Update { document, .. }, Some(current)) => {
                if document.equals(current.stored()) {
                    return Ok(Effect::Nothing(current));
                }
                let key = current.key().clone();
                let object = Object::new(key, document, revision, current.create_revision());
                Event { kind: EventKind::Modified, object: Arc::new(object), previous: Some(current) }
            }
            (Operation::Delete { .. }, Some(current)) => {
                let object = Arc::new(current.at(revision));
                Event { kind: EventKind::Deleted, object, previous: Some(current) }
            }
        };
        Ok(Effect::Write(Arc::new(event)))
    }

    /// `a` + `b/c` and `a/b` + `c` have the same place in the engine: only one of them can be stored.
    fn check_namesake(&self, key: &Key, overlay: &HashSet<Pending>) -> Result<()> {
        let whole = format!("{}/{}", key.prefix, key.path);
        for (slash, _) in whole.match_indices('/').filter(|(slash, _)| *slash != key.prefix.len()) {
            let (prefix, path) = (&whole[..slash], &whole[slash + 1..]);
            let other = Key { prefix: prefix.into(), path: path.into() };
            let taken = match overlay.get(&other) {
                Some(Pending(event)) => event.kind != EventKind::Deleted,
                None => self.shared.find(prefix).is_some_and(|collection| collection.get(path).is_some()),
            };
            if taken {
                let why = format!("its key is that of an object of the collection {prefix}");
                return Err(Error::BadValue { key: key.clone(), why });
            }
        }
        Ok(())
    }

    /// Makes changes durable, then visible. Returns the collections whose watches are to be woken.
    fn commit(&mut self, changes: Vec<Arc<Event>>) -> Result<Vec<Arc<Collection>>, Failure> {
        let revision = self.revision + changes.len() as u64;
        let begun = Instant::now();
        if let Err(failure) = self.engine.commit(Batch { revision, changes: &changes }) {
            self.shared.counters.failed_commits.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%failure, "writes cannot be made durable");
            self.shared.set_trouble(Some(failure.clone()));
            self.failed = Some(InDoubt { revision, changes });
            return Err(failure);
        }
        self.commit_time = begun.elapsed();
        self.shared.counters.commit(changes.len(), self.commit_time);
        Ok(self.apply(changes, revision))
    }

    fn apply(&mut self, changes: Vec<Arc<Event>>, revision: Revision) -> Vec<Arc<Collection>> {
        let mut parts: Vec<(Arc<Collection>, Vec<Arc<Event>>)> = Vec::new();
        for event in changes {
            let prefix = &event.object.key().prefix;
            match parts.iter_mut().find(|(collection, _)| collection.prefix == *prefix) {
                Some((_, events)) => events.push(event),
                None => parts.push((self.shared.collection(prefix), vec![event])),
            }
        }
        let now = self.shared.now();
        let mut collections = Vec::with_capacity(parts.len());
        for (collection, events) in parts {
            collection.apply(events, now, self.shared.bounds);
            collections.push(collection);
        }
        self.revision = revision;
        self.shared.publish(revision);
        collections
    }

    /// After a failure: has the engine recover, settles what became of the failed batch, and tries a commit.
    fn ensure_usable(&mut self) -> Result<(), Failure> {
        let Some(doubt) = self.failed.take() else { return Ok(()) };
        match self.settle(&doubt) {
            Ok(durable) => {
                if durable {
                    let collections = self.apply(doubt.changes, doubt.revision);
                    collections.iter().for_each(|collection| collection.wake());
                }
            }
            Err(failure) => {
                self.failed = Some(doubt);
                self.shared.set_trouble(Some(failure.clone()));
                return Err(failure);
            }
        }
        if let Err(failure) = self.engine.commit(Batch { revision: self.revision, changes: &[] }) {
            self.failed = Some(InDoubt { revision: self.revision, changes: Vec::new() });
            self.shared.set_trouble(Some(failure.clone()));
            return Err(failure);
        }
        tracing::info!("writes are durable again");
        self.shared.set_trouble(None);
        Ok(())
    }

    /// Whether the batch in doubt is durable.
    fn settle(&mut self, doubt: &InDoubt) -> Result<bool, Failure> {
        let durable = self.engine.recover()?;
        if durable == self.revision {
            Ok(false)
        } else if durable == doubt.revision {
            Ok(true)
        } else {
            let (ours, theirs) = (self.revision, doubt.revision);
            Err(format!(
                "the engine is at revision {durable} instead of {ours} or {theirs}; restart the server"
            ))
        }
    }
}

fn refuse(answers: impl Iterator<Item = oneshot::Sender<Result<Arc<Object>>>>, failure: &str) {
    for answer in answers {
        let _ = answer.send(Err(Error::Engine(failure.to_owned())));
    }
}

impl Operation {
    fn bytes(&self) -> usize {
        match self {
            Self::Create { document, .. } | Self::Update { document, .. } => document.len(),
            Self::Delete { .. } => 0,
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
