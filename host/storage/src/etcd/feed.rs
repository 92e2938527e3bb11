//! What brings etcd's state and changes into memory: pages of the whole prefix at one revision, then one watch.

use super::{
    api::{self, KeyValue, RangeRequest, RangeResponse, WatchCreateRequest, WatchResponse},
    arrivals::Arrivals,
    client::{Call, Client, Fault, FaultKind},
    health::Health,
    keys::{self, Root},
};
use crate::{
    Event, EventKind, Key, Object, Revision, collection::Collection, document::Document, shared::Shared,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// Keys in the first page; later ones have as many as fit into about [`PAGE_BYTES`].
const FIRST_PAGE: i64 = 500;
const PAGES: (i64, i64) = (16, 5000);
const PAGE_BYTES: usize = 4 << 20;
/// How long a page, or a check before a watch, is tried.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before a lost watch is opened again; doubled with each failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Values that cannot be read and were told of, at most.
const TOLD: usize = 1000;

/// Objects by their collections.
type Objects = HashMap<Arc<str>, Vec<Arc<Object>>>;

/// The one place that changes the collections.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Arc<Client>,
    pub(super) health: Arc<Health>,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) root: Root,
    /// Keys whose values cannot be read and were told of.
    pub(super) told: Mutex<HashSet<String>>,
}

/// A read of the current state.
pub(super) const READ: Call =
    Call { path: api::RANGE, repeatable: true, linearizable: true, patience: PATIENCE };

impl Feed {
    /// Sets the state at the start, or after etcd has forgotten what happened since the last event.
    pub(super) async fn load(&self) -> Result<(), Fault> {
        let (objects, revision) = loop {
            match self.read_all().await {
                // It took longer than etcd keeps its history.
                Err(fault) if fault.kind == FaultKind::Compacted => {}
                read => break read?,
            }
        };
        self.shared.reset(objects, revision);
        self.arrivals.publish(revision);
        Ok(())
    }

    async fn read_all(&self) -> Result<(Objects, Revision), Fault> {
        let (mut key, range_end) = self.root.range();
        let (mut objects, mut prefixes) = (Objects::new(), HashSet::new());
        let (mut revision, mut limit) = (0, FIRST_PAGE);
        loop {
            let request = RangeRequest {
                key,
                range_end: range_end.clone(),
                limit,
                revision,
                ..RangeRequest::default()
            };
            let page: RangeResponse = self.client.call(READ, &request).await?;
            if revision == 0 {
                revision = page.header.as_ref().map_or(0, |header| header.revision);
            }
            let bytes: usize = page.kvs.iter().map(|kv| kv.value.len()).sum();
            if bytes > 2 * PAGE_BYTES {
                limit = (limit / 2).max(PAGES.0);
            } else if bytes < PAGE_BYTES / 2 {
                limit = (limit * 2).min(PAGES.1);
            }
            let Some(last) = page.kvs.last() else { break };
            key = [&last.key[..], b"\0"].concat().into();
            for kv in &page.kvs {
                if let Some(object) = self.object(kv, &mut prefixes) {
                    objects.entry(object.key().prefix.clone()).or_default().push(Arc::new(object));
                }
            }
            if !page.more {
                break;
            }
        }
        Ok((objects, u64::try_from(revision).unwrap_or(0)))
    }

    /// Follows etcd for ever.
    pub(super) async fn run(&self) {
        let mut pause = PAUSES.0;
        loop {
            let fault = self.follow(&mut pause).await;
            let servers = self.client.servers();
            self.health.feed(Some(format!(
                "the watch on etcd was lost ({}); trying again; check the servers {servers}",
                fault.why
            )));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
            if fault.kind == FaultKind::Compacted {
                tracing::warn!("etcd has compacted what this server has not seen: everything is read again");
                if let Err(fault) = self.load().await {
                    tracing::warn!(why = %fault.why, "etcd cannot be read");
                }
            }
        }
    }

    /// Follows etcd until the watch is lost.
    async fn follow(&self, pause: &mut Duration) -> Fault {
        // Who answers here, and whether the clock has gone back, is checked with each answer.
        let barrier = RangeRequest { keys_only: true, ..RangeRequest::one(&self.root.barrier()) };
        if let Err(fault) = self.client.call::<_, RangeResponse>(READ, &barrier).await {
            return fault;
        }
        let (key, range_end) = self.root.range();
        let start_revision = i64::try_from(self.shared.revision() + 1).unwrap_or(i64::MAX);
        let create = WatchCreateRequest { key, range_end, start_revision, fragment: true };
        let mut stream = match self.client.watch(create, PATIENCE).await {
            Ok(stream) => stream,
            Err(fault) => return fault,
        };
        self.health.feed(None);
        *pause = PAUSES.0;
        let mut prefixes = HashSet::new();
        let mut events = Vec::new();
        loop {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Fault { kind: FaultKind::Away, why: "etcd ended it".to_owned() },
                Err(status) => return Fault { kind: FaultKind::Away, why: status.message().to_owned() },
            };
            if response.canceled {
                return Fault::cancelled("etcd", &response);
            }
            let WatchResponse { fragment, events: more, .. } = response;
            events.extend(more);
            // The last revision may not be whole while fragments follow.
            let whole = match events.last().map(revision) {
                Some(last) if fragment => events.partition_point(|event| revision(event) < last),
                _ => events.len(),
            };
            let rest = events.split_off(whole);
            if let Err(fault) = self.apply(std::mem::replace(&mut events, rest), &mut prefixes) {
                return fault;
            }
        }
    }

    /// Applies changes in the order of their revisions, those of one revision together; then publishes the last.
    fn apply(&self, events: Vec<api::Event>, prefixes: &mut HashSet<Arc<str>>) -> Result<(), Fault> {
        let Some(last) = events.last().map(revision) else { return Ok(()) };
        let now = self.shared.now();
        let mut touched: Vec<Arc<Collection>> = Vec::new();
        let mut at = self.shared.revision();
        for group in events.chunk_by(|a, b| revision(a) == revision(b)) {
            let found = revision(&group[0]);
            if found <= at {
                let why = format!("it brought revision {found} after {at}");
                return Err(Fault { kind: FaultKind::Away, why });
            }
            at = found;
            let mut parts: Vec<(Arc<Collection>, Vec<Arc<Event>>)> = Vec::new();
            for event in group.iter().flat_map(|event| self.changes(event, prefixes)) {
                let prefix = &event.object.key().prefix;
                match parts.iter_mut().find(|(collection, _)| collection.prefix == *prefix) {
                    Some((_, events)) => events.push(Arc::new(event)),
                    None => parts.push((self.shared.collection(prefix), vec![Arc::new(event)])),
                }
            }
            for (collection, events) in parts {
                collection.apply(events, now, self.shared.bounds);
                if !touched.iter().any(|other| Arc::ptr_eq(other, &collection)) {
                    touched.push(collection);
                }
            }
        }
        self.arrivals.publish(last);
        touched.iter().for_each(|collection| collection.wake());
        Ok(())
    }

    /// What a change of etcd is here: nothing for values that are no objects, two events when an object turns up
    /// in another collection under the same key.
    fn changes(
        &self,
        event: &api::Event,
        prefixes: &mut HashSet<Arc<str>>,
    ) -> impl Iterator<Item = Event> + use<> {
        let Some(kv) = &event.kv else { return [None, None].into_iter().flatten() };
        let before = self.root.rest(&kv.key).and_then(|rest| find(&self.shared, rest));
        let after = if event.is_deletion() { None } else { self.object(kv, prefixes) };
        let deleted = |before: Arc<Object>| Event {
            kind: EventKind::Deleted,
            object: Arc::new(before.at(revision(event))),
            previous: Some(before),
        };
        let added = |after: Object| Event { kind: EventKind::Added, object: Arc::new(after), previous: None };
        match (before, after) {
            (Some(before), Some(after)) if before.key() == after.key() => {
                let object = Arc::new(after);
                [Some(Event { kind: EventKind::Modified, object, previous: Some(before) }), None]
            }
            (before, after) => [before.map(deleted), after.map(added)],
        }
        .into_iter()
        .flatten()
    }

    /// The object that a value is; `None` for the barrier and for what cannot be read, which is told once.
    fn object(&self, kv: &KeyValue, prefixes: &mut HashSet<Arc<str>>) -> Option<Object> {
        let rest = self.root.rest(&kv.key);
        if rest.is_none() && kv.key == self.root.barrier() {
            return None;
        }
        match rest.ok_or_else(|| "its key is not UTF-8".to_owned()).and_then(|rest| read(rest, kv, prefixes))
        {
            Ok(object) => Some(object),
            Err(why) => {
                let key = String::from_utf8_lossy(&kv.key).into_owned();
                let mut told = self.told.lock();
                if told.len() < TOLD && told.insert(key.clone()) {
                    tracing::warn!(%key, %why, "a value in etcd is not served: it is not one of this server's");
                }
                None
            }
        }
    }
}

/// The revision of a change.
fn revision(event: &api::Event) -> Revision {
    event.kv.as_ref().map_or(0, |kv| u64::try_from(kv.mod_revision).unwrap_or(0))
}

fn read(rest: &str, kv: &KeyValue, prefixes: &mut HashSet<Arc<str>>) -> Result<Object, String> {
    if kv.value.starts_with(b"k8s\0") {
        return Err("it is Kubernetes' protobuf encoding; only JSON can be read".to_owned());
    }
    // A copy would be made anyway, with the resourceVersion in it.
    let document = Document::parse(kv.value.clone(), usize::MAX)?;
    let (prefix, path) =
        keys::split(rest, document.metadata()).ok_or("its key does not name a collection and an object")?;
    let prefix = match prefixes.get(prefix) {
        Some(prefix) => prefix.clone(),
        None => {
            let made: Arc<str> = prefix.into();
            prefixes.insert(made.clone());
            made
        }
    };
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let key = Key { prefix, path: path.into() };
    Ok(Object::new(key, &document, number(kv.mod_revision), number(kv.create_revision)))
}

/// The object that stands at `<prefix>/<path>`, wherever the prefix ends.
pub(super) fn find(shared: &Shared, rest: &str) -> Option<Arc<Object>> {
    rest.match_indices('/').find_map(|(slash, _)| shared.find(&rest[..slash])?.get(&rest[slash + 1..]))
}
