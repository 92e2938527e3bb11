//! The current state and the recent history of one collection.

use crate::{Error, Event, EventKind, List, ListRequest, Object, Options, Result, Revision};
use parking_lot::RwLock;
use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque, btree_set},
    iter::Peekable,
    ops::Bound,
    sync::Arc,
};
use tokio::sync::watch;

/// An object, ordered and found by its path: the map needs no copy of the key.
#[derive(Debug)]
struct ByPath(Arc<Object>);

impl ByPath {
    fn path(&self) -> &str {
        &self.0.key().path
    }
}

impl Borrow<str> for ByPath {
    fn borrow(&self) -> &str {
        self.path()
    }
}

impl PartialEq for ByPath {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
    }
}

impl Eq for ByPath {}

impl PartialOrd for ByPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path().cmp(other.path())
    }
}

/// How much history is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    /// In milliseconds.
    pub(crate) age: u64,
}

impl Bounds {
    pub(crate) fn of(options: &Options) -> Self {
        let age = u64::try_from(options.history_age.as_millis()).unwrap_or(u64::MAX);
        Self { events: options.history_events, bytes: options.history_bytes, age }
    }
}

#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) event: Arc<Event>,
    /// Milliseconds on the clock of `Shared::now`.
    at: u64,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeSet<ByPath>,
    /// Recent changes, oldest first.
    log: VecDeque<Logged>,
    /// Size of the objects in the log.
    logged_bytes: usize,
    /// Revision of the last change.
    last: Revision,
    /// States at this revision and later can be rebuilt, changes after it are all in the log.
    compacted: Revision,
    /// Revision of the last change that has left the log. A running watch has missed something only if it stands
    /// before this; `compacted` also moves where nothing happened.
    dropped: Revision,
}

/// All objects of one prefix.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) prefix: Arc<str>,
    state: RwLock<State>,
    /// Wakes watches; the log says what there is to see.
    changed: watch::Sender<()>,
}

/// What a watch finds.
pub(crate) enum Delivery {
    /// Changes, and the revision up to which that is everything.
    Events(Vec<Arc<Event>>, Revision),
    /// The log has moved on without the watch.
    Compacted { oldest: Revision },
}

impl Collection {
    /// A collection with `objects` and no history before `compacted`.
    pub(crate) fn new(prefix: Arc<str>, objects: Vec<Arc<Object>>, compacted: Revision) -> Self {
        let last = objects.iter().map(|object| object.revision()).max().unwrap_or(0);
        let objects = objects.into_iter().map(ByPath).collect();
        let state = State { objects, last, compacted, dropped: compacted, ..State::default() };
        Self { prefix, state: RwLock::new(state), changed: watch::Sender::new(()) }
    }

    pub(crate) fn get(&self, path: &str) -> Option<Arc<Object>> {
        self.state.read().objects.get(path).map(|found| found.0.clone())
    }

    /// Shows every object.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&Arc<Object>)) {
        self.state.read().objects.iter().for_each(|object| visit(&object.0));
    }

    pub(crate) fn count(&self) -> usize {
        self.state.read().objects.len()
    }

    /// Makes changes visible, in order. Returns what has left the history, to be freed outside of the lock.
    pub(crate) fn apply(&self, events: Vec<Arc<Event>>, now: u64, bounds: Bounds) -> Vec<Logged> {
        let mut state = self.state.write();
        for event in events {
            state.settle(&event);
            state.logged_bytes += event.object.json().len();
            state.log.push_back(Logged { event, at: now });
        }
        state.prune(now, bounds)
    }

    /// Has a change take place that is not part of the history any more.
    pub(crate) fn settle(&self, event: &Event) {
        self.state.write().settle(event);
    }

    /// Drops history that is too old, and returns it.
    pub(crate) fn prune(&self, now: u64, bounds: Bounds) -> Vec<Logged> {
        self.state.write().prune(now, bounds)
    }

    /// Drops history at and before `revision`, and returns it.
    pub(crate) fn compact(&self, revision: Revision) -> Vec<Logged> {
        let mut state = self.state.write();
        let count = state.log.partition_point(|logged| logged.event.revision() <= revision);
        let expired = state.drop_oldest(count);
        state.compacted = state.compacted.max(revision);
        expired
    }

    /// Changes after this revision are all known, and states from it on.
    pub(crate) fn horizon(&self) -> Revision {
        self.state.read().compacted
    }

    /// Replaces everything; of what happened before `revision` nothing is known any more.
    pub(crate) fn reset(&self, objects: Vec<Arc<Object>>, revision: Revision) {
        let objects = objects.into_iter().map(ByPath).collect();
        let state =
            State { objects, last: revision, compacted: revision, dropped: revision, ..State::default() };
        let before = std::mem::replace(&mut *self.state.write(), state);
        // Freed outside of the lock.
        drop(before);
    }

    /// Wakes the watches.
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether all changes after `revision` are known.
    pub(crate) fn check_history(&self, revision: Revision) -> Result<()> {
        self.state.read().check_history(revision)
    }

    /// At most `max` changes after `after`, or more if they have one revision. `published` reads the store's revision.
    pub(crate) fn changes(&self, after: Revision, max: usize, published: impl Fn() -> Revision) -> Delivery {
        let state = self.state.read();
        if after < state.dropped {
            return Delivery::Compacted { oldest: state.compacted };
        }
        let first = state.log.partition_point(|logged| logged.event.revision() <= after);
        // Changes of one revision stay together (a lease of etcd takes many objects with it): who has seen the
        // revision has seen them all.
        let last = state.log.range(first..).take(max).next_back().map_or(0, |logged| logged.event.revision());
        let events: Vec<_> = state
            .log
            .range(first..)
            .take_while(|logged| logged.event.revision() <= last)
            .map(|logged| logged.event.clone())
            .collect();
        let upto = match events.last() {
            Some(last) if first + events.len() < state.log.len() => last.revision(),
            // Nothing is published before it is applied, and nothing is applied while the lock is held.
            _ => published().max(state.last).max(after),
        };
        Delivery::Events(events, upto)
    }

    /// The revision up to which there is nothing new for who has seen everything up to `seen`.
    pub(crate) fn quiet_until(&self, seen: Revision, published: impl Fn() -> Revision) -> Revision {
        let state = self.state.read();
        if state.last <= seen { seen.max(published()) } else { seen }
    }

    /// A list; see `Store::list`. `published` reads the store's revision.
    pub(crate) fn list(&self, request: &ListRequest<'_>, published: impl Fn() -> Revision) -> Result<List> {
        let state = self.state.read();
        // Under the lock: nothing that is published is missing here, and what is here beyond that (applied, not
        // yet published) is this collection's own last change. The state is exactly that of `current`.
        let current = published().max(state.last);
        let (revision, undone) = state.at(request.at, current)?;
        let Some(range) = Range::of(request) else {
            return Ok(take(std::iter::empty(), 0, revision));
        };
        let objects = Merged {
            current: state.objects.range::<str, _>(range.bounds()).peekable(),
            undone: undone.range::<str, _>(range.bounds()).peekable(),
        };
        Ok(take(objects, request.limit, revision))
    }
}

impl State {
    /// Has a change take place, without a trace in the history.
    fn settle(&mut self, event: &Event) {
        self.last = event.revision();
        match event.kind {
            EventKind::Added | EventKind::Modified => {
                self.objects.replace(ByPath(event.object.clone()));
            }
            EventKind::Deleted => {
                self.objects.remove(&*event.object.key().path);
            }
        }
    }

    fn prune(&mut self, now: u64, bounds: Bounds) -> Vec<Logged> {
        let over = self.log.len().saturating_sub(bounds.events);
        let old = self.log.partition_point(|logged| logged.at.saturating_add(bounds.age) < now);
        let mut excess = self.logged_bytes.saturating_sub(bounds.bytes);
        let large = self.log.iter().take(self.log.len().saturating_sub(1)).take_while(|logged| {
            let drop = excess > 0;
            excess = excess.saturating_sub(logged.event.object.json().len());
            drop
        });
        let count = over.max(old).max(large.count());
        self.drop_oldest(count)
    }

    fn drop_oldest(&mut self, count: usize) -> Vec<Logged> {
        let expired: Vec<_> = self.log.drain(..count).collect();
        self.logged_bytes -= expired.iter().map(|logged| logged.event.object.json().len()).sum::<usize>();
        if let Some(last) = expired.last() {
            self.dropped = last.event.revision();
            self.compacted = self.compacted.max(self.dropped);
        }
        expired
    }

    fn check_history(&self, requested: Revision) -> Result<()> {
        if requested < self.compacted {
            return Err(Error::Compacted { requested, oldest: self.compacted });
        }
        Ok(())
    }

    /// The revision of a list, and for each path that changed after it what stood there.
    fn at(&self, at: Option<Revision>, current: Revision) -> Result<(Revision, Undone<'_>)> {
        let Some(at) = at else { return Ok((current, Undone::new())) };
        if at > current {
            return Err(Error::FutureRevision { requested: at, current });
        }
        self.check_history(at)?;
        let mut undone = Undone::new();
        for Logged { event, .. } in self.log.iter().rev().take_while(|logged| logged.event.revision() > at) {
            undone.insert(&event.object.key().path, event.previous.as_ref());
        }
        Ok((at, undone))
    }
}

/// Earlier states by path; `None`: the object was not there.
type Undone<'a> = BTreeMap<&'a str, Option<&'a Arc<Object>>>;

/// The paths that a list covers.
struct Range {
    from: Bound<String>,
    to: Bound<String>,
}

impl Range {
    /// `None`: it covers nothing.
    fn of(request: &ListRequest<'_>) -> Option<Self> {
        let after = request.after.map(str::to_owned);
        let Some(namespace) = request.namespace else {
            return Some(Self {
                from: after.map_or(Bound::Unbounded, Bound::Excluded),
                to: Bound::Unbounded,
            });
        };
        let first = format!("{namespace}/");
        // The character after the slash.
        let end = format!("{namespace}0");
        let from = match after {
            Some(after) if after >= end => return None,
            Some(after) if after >= first => Bound::Excluded(after),
            _ => Bound::Included(first),
        };
        Some(Self { from, to: Bound::Excluded(end) })
    }

    fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        (self.from.as_ref().map(String::as_str), self.to.as_ref().map(String::as_str))
    }
}

/// The current objects with later changes undone, in the order of their paths.
struct Merged<'a, I: Iterator<Item = (&'a &'a str, &'a Option<&'a Arc<Object>>)>> {
    current: Peekable<btree_set::Range<'a, ByPath>>,
    undone: Peekable<I>,
}

impl<'a, I: Iterator<Item = (&'a &'a str, &'a Option<&'a Arc<Object>>)>> Iterator for Merged<'a, I> {
    type Item = &'a Arc<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, before)) = self.undone.peek() else {
                return self.current.next().map(|object| &object.0);
            };
            match self.current.peek().map_or(Ordering::Greater, |object| object.path().cmp(path)) {
                Ordering::Less => return self.current.next().map(|object| &object.0),
                Ordering::Equal => {
                    self.current.next();
                }
                Ordering::Greater => {}
            }
            let before = **before;
            self.undone.next();
            if before.is_some() {
                return before;
            }
        }
    }
}

fn take<'a>(mut objects: impl Iterator<Item = &'a Arc<Object>>, limit: usize, revision: Revision) -> List {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let page = objects.by_ref().take(limit).cloned().collect();
    List { revision, objects: page, remaining: objects.count() }
}
