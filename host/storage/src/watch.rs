//! Cursors on the log of a collection.

use crate::{
    Error, Event, Result, Revision,
    collection::{Collection, Delivery},
    shared::Shared,
};
use std::sync::Arc;

/// A cursor on a collection's log. It has no queue: an idle watch costs a few words, a slow one nothing more.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    collection: Arc<Collection>,
    changed: tokio::sync::watch::Receiver<()>,
    /// Everything up to here was delivered.
    seen: Revision,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, collection: Arc<Collection>, after: Revision) -> Result<Self> {
        collection.check_history(after)?;
        let changed = collection.subscribe();
        Ok(Self { shared, collection, changed, seen: after })
    }

    /// The next batch of events (at least one, at most `max`, but those of one revision together; a `max` of 0
    /// counts as 1); `None` when the store closed. `Compacted` when this watcher was so slow that the log moved on without it. May be dropped
    /// half-way: nothing is lost.
    pub async fn next(&mut self, max: usize) -> Option<Result<Vec<Arc<Event>>>> {
        loop {
            // Before the look into the log: what comes after it wakes.
            self.changed.borrow_and_update();
            let closed = self.shared.is_closed();
            match self.collection.changes(self.seen, max.max(1), || self.shared.revision()) {
                Delivery::Compacted { oldest } => {
                    return Some(Err(Error::Compacted { requested: self.seen, oldest }));
                }
                Delivery::Events(events, upto) => {
                    self.seen = upto;
                    if !events.is_empty() {
                        return Some(Ok(events));
                    }
                }
            }
            if closed || self.changed.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The revision up to which this watch has delivered everything (for bookmarks): at least that of the last
    /// event, and it advances with the store when other collections change.
    pub fn progress(&self) -> Revision {
        self.collection.quiet_until(self.seen, || self.shared.revision())
    }
}
