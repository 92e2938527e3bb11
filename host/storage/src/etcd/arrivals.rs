//! Waiting for the feed.

use crate::{Revision, shared::Shared};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Those who wait until the feed has brought a revision. Each is woken once, by what it waits for.
#[derive(Debug)]
pub(super) struct Arrivals {
    shared: Arc<Shared>,
    waiting: Mutex<BTreeMap<Revision, Vec<oneshot::Sender<()>>>>,
}

impl Arrivals {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, waiting: Mutex::default() }
    }

    /// Whether `revision` is there in time.
    pub(super) async fn wait(&self, revision: Revision, patience: Duration) -> bool {
        if self.shared.revision() >= revision {
            return true;
        }
        let (told, tell) = {
            let (tell, told) = oneshot::channel();
            (told, tell)
        };
        self.waiting.lock().entry(revision).or_default().push(tell);
        // It may have come before we stood in the list.
        if self.shared.revision() < revision {
            let _ = tokio::time::timeout(patience, told).await;
        }
        self.shared.revision() >= revision
    }

    /// Publishes `revision`: everything up to it is applied.
    pub(super) fn publish(&self, revision: Revision) {
        self.shared.publish(revision);
        let arrived = {
            let mut waiting = self.waiting.lock();
            let later = waiting.split_off(&(revision + 1));
            std::mem::replace(&mut *waiting, later)
        };
        for tell in arrived.into_values().flatten() {
            // Who does not wait any more does not want to know.
            let _ = tell.send(());
        }
    }

    /// Lets go of all: nothing comes any more.
    pub(super) fn close(&self) {
        self.waiting.lock().clear();
    }
}
