//! From the log of an engine to the state and the history in memory, at the start; and what the log may forget.

use crate::{
    Event, EventKind, FIRST_REVISION, Revision,
    collection::{Bounds, Collection, Logged},
    engine::record::Row,
};
use std::{collections::HashMap, sync::Arc};

/// Rows of the log that became superfluous when an event left the history of its collection.
#[derive(Debug, Clone)]
pub(crate) struct Retired {
    pub(crate) prefix: Arc<str>,
    /// The state before the event; 0 if there was none.
    pub(crate) previous: Revision,
    /// The event itself, if it was a deletion; else 0.
    pub(crate) deletion: Revision,
}

impl Retired {
    /// What the log may forget with an event; `None` if there is nothing.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let previous = event.previous.as_ref()?.revision();
        let deletion = if event.kind == EventKind::Deleted { event.revision() } else { 0 };
        Some(Self { prefix: event.object.key().prefix.clone(), previous, deletion })
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Revision> {
        [self.previous, self.deletion].into_iter().filter(|revision| *revision > 0)
    }
}

/// Takes the rows of a log in the order of their revisions.
#[derive(Debug)]
pub(crate) struct Replay {
    bounds: Bounds,
    /// The clock of the history, see `Shared::now`.
    now: u64,
    floor: Revision,
    horizons: HashMap<String, Revision>,
    collections: HashMap<Arc<str>, Collection>,
    retired: Vec<Retired>,
    /// The last revision that is older than the history.
    aged: Revision,
    rows: u64,
}

/// What a log said.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) collections: Vec<Collection>,
    /// What can be removed.
    pub(crate) retired: Vec<Retired>,
    pub(crate) now: u64,
    /// Where the history of all collections begins at the earliest.
    pub(crate) floor: Revision,
    /// Where the history of collections begins of which there is nothing in the log; `None`: there is no log.
    pub(crate) begin: Option<Revision>,
    pub(crate) rows: u64,
}

impl Replay {
    /// `wall`: the time, in milliseconds since 1970.
    pub(crate) fn new(bounds: Bounds, wall: u64) -> Self {
        Self {
            bounds,
            now: wall,
            floor: FIRST_REVISION,
            horizons: HashMap::new(),
            collections: HashMap::new(),
            retired: Vec::new(),
            aged: 0,
            rows: 0,
        }
    }

    /// Before the first row: when the last row was written, where the history of all collections begins at the
    /// earliest, and where that of single ones does.
    ///
    /// The clock goes on from the last row when the wall clock was set back: the history ages by the time that
    /// passes while the store is open.
    pub(crate) fn begin(&mut self, last_at: u64, floor: Revision, horizons: HashMap<String, Revision>) {
        self.now = self.now.max(last_at);
        (self.floor, self.horizons) = (floor.max(FIRST_REVISION), horizons);
    }

    /// The next row.
    ///
    /// # Errors
    /// When it does not follow from the rows before it: rows are missing.
    pub(crate) fn row(&mut self, row: Row) -> Result<(), String> {
        self.rows += 1;
        let Row { key, revision, previous, at, object } = row;
        let (horizons, floor) = (&self.horizons, self.floor);
        let collection = self.collections.entry(key.prefix.clone()).or_insert_with(|| {
            let horizon = horizons.get(&*key.prefix).copied().unwrap_or(0).max(floor);
            Collection::new(key.prefix.clone(), Vec::new(), horizon)
        });
        let current = collection.get(&key.path);
        let found = current.as_ref().map_or(0, |current| current.revision());
        // Behind the horizon the row before may be gone already, but not have come back.
        let behind = revision <= collection.horizon();
        if found != previous && !(behind && current.is_none() && object.is_some()) {
            return Err(format!(
                "the change of {key} at revision {revision} follows {previous}, but there is {found}"
            ));
        }
        let (kind, object) = match (object, &current) {
            (Some(object), None) => (EventKind::Added, Arc::new(object)),
            (Some(object), Some(_)) => (EventKind::Modified, Arc::new(object)),
            (None, Some(current)) => (EventKind::Deleted, Arc::new(current.at(revision))),
            (None, None) => return Err(format!("the deletion of {key} at revision {revision} ends nothing")),
        };
        if at.saturating_add(self.bounds.age) < self.now {
            self.aged = revision;
        }
        let event = Event { kind, object, previous: current };
        if behind {
            self.retired.extend(Retired::of(&event));
            collection.settle(&event);
        } else {
            let left = collection.apply(vec![Arc::new(event)], at, self.bounds);
            self.retire(&left);
        }
        Ok(())
    }

    fn retire(&mut self, left: &[Logged]) {
        self.retired.extend(left.iter().filter_map(|logged| Retired::of(&logged.event)));
    }

    /// After the last row.
    pub(crate) fn finish(mut self) -> Replayed {
        let left: Vec<_> =
            self.collections.values().map(|collection| collection.prune(self.now, self.bounds)).collect();
        for left in left {
            self.retire(&left);
        }
        // Collections of which only the horizon is left.
        for (prefix, horizon) in &self.horizons {
            if !self.collections.contains_key(prefix.as_str()) {
                let prefix: Arc<str> = prefix.as_str().into();
                let collection = Collection::new(prefix.clone(), Vec::new(), (*horizon).max(self.floor));
                self.collections.insert(prefix, collection);
            }
        }
        let logged = self.rows > 0 || self.floor > FIRST_REVISION || !self.horizons.is_empty();
        Replayed {
            collections: self.collections.into_values().collect(),
            retired: self.retired,
            now: self.now,
            floor: self.floor,
            begin: logged.then(|| self.floor.max(self.aged)),
            rows: self.rows,
        }
    }
}
