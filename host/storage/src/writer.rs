//! The one thread that writes.

use crate::{
    Error, Event, EventKind, Key, Object, Result, Revision,
    collection::Collection,
    document::Document,
    engine::{Batch, Engine, Failure, Trim},
    expiry::{Expiry, wall},
    replay::{Replay, Retired},
    shared::Shared,
};
use std::{
    borrow::Borrow,
    collections::{HashSet, VecDeque},
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
/// After how much time without a write what the history has left behind is removed by a commit of its own.
const IDLE: Duration = Duration::from_millis(100);
/// Events whose rows are removed by such a commit, at most: it takes little longer than a write.
const IDLE_TRIM: usize = 256;
/// The same for the last commit before closing.
const CLOSING_TRIM: usize = 4096;
/// Objects that expire in one commit, at most.
const BATCH_EXPIRED: usize = 512;

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
    /// What is to be deleted when.
    expiry: Expiry,
    /// What the engine's log need not keep any more.
    retired: VecDeque<Retired>,
    /// Where `Store::compact` ended the past, as far as the engine knows it.
    floor: Revision,
    round: Round,
}

/// A round of compaction, which ends the past where the round before began.
struct Round {
    /// When the next one begins; `None`: never.
    next: Option<Instant>,
    /// Where this one began; 0 before the first.
    begun: Revision,
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
        let mut replay = Replay::new(shared.bounds, wall());
        let revision = engine.load(&mut replay)?;
        shared.install(replay.finish(), revision, engine.keeps_log());
        let mut expiry = Expiry::default();
        for collection in shared.collections() {
            collection.visit(|object| expiry.insert(object));
        }
        Ok(Self {
            engine,
            revision,
            failed: None,
            company: 0,
            commit_time: Duration::ZERO,
            prune_at: Instant::now(),
            expiry,
            retired: VecDeque::new(),
            floor: shared.floor.load(Ordering::Relaxed),
            round: Round { next: next_round(&shared), begun: 0 },
            shared,
        })
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
                Err(RecvTimeoutError::Timeout) => self.idle(),
            }
            if Instant::now() >= self.prune_at {
                self.shared.prune();
                self.prune_at = Instant::now() + self.prune_interval();
            }
            if self.round.next.is_some_and(|next| Instant::now() >= next) {
                self.compact();
            }
        }
        if self.failed.is_none() && self.has_retired() {
            // What is left over is found again at the next start.
            let _ = self.commit(Vec::new(), CLOSING_TRIM);
        }
        self.engine.close().map_err(Error::Engine)
    }

    /// What is done while nobody writes. Its outcome is in `health`.
    fn idle(&mut self) {
        if self.ensure_usable().is_err() {
            return;
        }
        if self.expiry.is_due(wall()) {
            self.write(Vec::new());
        } else if self.has_retired() {
            let _ = self.commit(Vec::new(), IDLE_TRIM);
        }
    }

    /// Begins a round of compaction. It has a revision of its own, as the key that upstream's compactor writes
    /// (`storage/etcd3/compact.go`): what clients know ages even where nobody writes.
    fn compact(&mut self) {
        self.round.next = next_round(&self.shared);
        if self.ensure_usable().is_err() {
            return;
        }
        let revision = self.revision + 1;
        let batch = Batch { revision, at: self.shared.now(), changes: &[], trim: &Trim::default() };
        if let Err(failure) = self.engine.commit(batch) {
            self.fail(revision, Vec::new(), &failure);
            return;
        }
        self.apply(Vec::new(), revision);
        self.shared.compact(self.round.begun);
        self.round.begun = revision;
    }

    /// Whether the log has something to forget.
    fn has_retired(&mut self) -> bool {
        self.retired.extend(self.shared.take_retired());
        self.engine.keeps_log()
            && (!self.retired.is_empty() || self.shared.floor.load(Ordering::Relaxed) > self.floor)
    }

    /// How long to sleep without work.
    fn pause(&mut self) -> Duration {
        if self.failed.is_some() {
            return RETRY;
        }
        let idle = if self.has_retired() { IDLE } else { Duration::MAX };
        let prune = self.prune_at.saturating_duration_since(Instant::now());
        let round =
            self.round.next.map_or(Duration::MAX, |next| next.saturating_duration_since(Instant::now()));
        prune.min(idle).min(round).min(self.expiry.pause(wall()))
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
        self.expire(&mut changes, &overlay);
        drop(overlay);
        let trim = 32 + 2 * changes.len();
        let written = if changes.is_empty() { Ok(Vec::new()) } else { self.commit(changes, trim) };
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

    /// Adds the deletions that are due, but of objects that this batch has changed.
    fn expire(&self, changes: &mut Vec<Arc<Event>>, overlay: &HashSet<Pending>) {
        for current in self.expiry.due(wall()).take(BATCH_EXPIRED) {
            if !overlay.contains(current.key()) {
                let object = Arc::new(current.at(self.revision + 1 + changes.len() as u64));
                let previous = Some(current.clone());
                changes.push(Arc::new(Event { kind: EventKind::Deleted, object, previous }));
            }
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
            (Operation::Create { document, ttl }, None) => {
                self.check_namesake(&key, overlay)?;
                // One prefix string for all objects.
                let prefix = collection.map_or(key.prefix, |collection| collection.prefix.clone());
                let key = Key { prefix, path: key.path };
                let object = Object::new(key, document, revision, revision).expiring(deadline(*ttl));
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
            (Operation::Update { document, ttl, .. }, Some(current)) => {
                // Also with a time to live, as upstream (storage/etcd3/store.go, GuaranteedUpdate).
                if document.equals(current.stored()) {
                    return Ok(Effect::Nothing(current));
                }
                let key = current.key().clone();
                let object = Object::new(key, document, revision, current.create_revision());
                let object = object.expiring(deadline(*ttl));
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

    /// Makes changes durable, then visible, and has the log forget what `events` events have left behind. Returns
    /// the collections whose watches are to be woken.
    fn commit(&mut self, changes: Vec<Arc<Event>>, events: usize) -> Result<Vec<Arc<Collection>>, Failure> {
        let revision = self.revision + changes.len() as u64;
        let (trim, events) = self.trim(events);
        let begun = Instant::now();
        let batch = Batch { revision, at: self.shared.now(), changes: &changes, trim: &trim };
        if let Err(failure) = self.engine.commit(batch) {
            self.fail(revision, changes, &failure);
            return Err(failure);
        }
        self.retired.drain(..events);
        self.floor = self.floor.max(trim.floor);
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.commit_time = begun.elapsed();
        self.shared.counters.commit(changes.len(), self.commit_time);
        Ok(self.apply(changes, revision))
    }

    /// Notes that a commit failed, and may have been made even so.
    fn fail(&mut self, revision: Revision, changes: Vec<Arc<Event>>, failure: &Failure) {
        self.shared.counters.failed_commits.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%failure, "writes cannot be made durable");
        self.shared.set_trouble(Some(failure.clone()));
        self.failed = Some(InDoubt { revision, changes });
    }

    /// What `events` events have left behind, and of how many that is. It stays noted until it is removed: removing
    /// it again after a commit in doubt does nothing.
    fn trim(&mut self, events: usize) -> (Trim, usize) {
        let mut trim = Trim::default();
        if !self.has_retired() {
            return (trim, 0);
        }
        let events = events.min(self.retired.len());
        for retired in self.retired.iter().take(events) {
            trim.rows.extend(retired.rows());
            if !trim.horizons.iter().any(|(prefix, _)| *prefix == retired.prefix) {
                let horizon = self.shared.collection(&retired.prefix).horizon();
                trim.horizons.push((retired.prefix.clone(), horizon));
            }
        }
        let floor = self.shared.floor.load(Ordering::Relaxed);
        if floor > self.floor {
            trim.floor = floor;
        }
        (trim, events)
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
        for event in parts.iter().flat_map(|(_, events)| events) {
            self.expiry.apply(event);
        }
        let now = self.shared.now();
        let mut collections = Vec::with_capacity(parts.len());
        for (collection, events) in parts {
            let left = collection.apply(events, now, self.shared.bounds);
            self.shared.retire(&left);
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
        let at = self.shared.now();
        let nothing = Batch { revision: self.revision, at, changes: &[], trim: &Trim::default() };
        if let Err(failure) = self.engine.commit(nothing) {
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

/// When something written now expires, in milliseconds since 1970; 0 for never.
fn deadline(ttl: Option<Duration>) -> u64 {
    let millis = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    ttl.map_or(0, |ttl| wall().saturating_add(millis(ttl)))
}

fn next_round(shared: &Shared) -> Option<Instant> {
    let interval = shared.compaction_interval;
    if interval.is_zero() { None } else { Instant::now().checked_add(interval) }
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
