//! Whether etcd can be relied on.

use super::api::ResponseHeader;
use crate::{Error, Result, Revision, shared::Shared};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Collects what is wrong and tells the store.
#[derive(Debug)]
pub(super) struct Health {
    shared: Arc<Shared>,
    /// The cluster that was found first; 0: none yet.
    cluster: AtomicU64,
    troubles: Mutex<Troubles>,
    /// Whether the feed runs.
    fed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Troubles {
    /// What nothing but a restart mends.
    lasting: Option<String>,
    feed: Option<String>,
    probe: Option<String>,
}

impl Health {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let troubles =
            Troubles { feed: Some("the watch on etcd is not there yet".to_owned()), ..Troubles::default() };
        Self {
            shared,
            cluster: AtomicU64::new(0),
            troubles: Mutex::new(troubles),
            fed: watch::Sender::new(false),
        }
    }

    /// What becomes of the feed; `None`: it runs.
    pub(super) fn feed(&self, trouble: Option<String>) {
        let runs = trouble.is_none();
        self.change(|troubles| troubles.feed = trouble);
        self.fed.send_replace(runs);
    }

    /// What the last probe found; `None`: etcd answers.
    pub(super) fn probe(&self, trouble: Option<String>) {
        self.change(|troubles| troubles.probe = trouble);
    }

    /// Waits until the feed runs.
    pub(super) async fn fed(&self) {
        // Cannot fail: the sender is in `self`.
        let _ = self.fed.subscribe().wait_for(|fed| *fed).await;
    }

    fn change(&self, change: impl FnOnce(&mut Troubles)) {
        let mut troubles = self.troubles.lock();
        let before = troubles.first();
        change(&mut troubles);
        let now = troubles.first();
        if before == now {
            return;
        }
        match &now {
            Some(trouble) => tracing::warn!(%trouble, "etcd cannot be relied on"),
            None => tracing::info!("etcd can be relied on"),
        }
        self.shared.set_trouble(now);
    }

    /// # Errors
    /// `Engine` when what etcd holds is not what this host serves; `Closed`.
    pub(super) fn check(&self) -> Result<()> {
        self.shared.check_open()?;
        self.troubles.lock().lasting.clone().map_or(Ok(()), |trouble| Err(Error::Engine(trouble)))
    }

    /// Checks who has answered. `floor`: what the answer's revision cannot be below, as etcd was asked when that
    /// had been reached; 0 when the answer may be an old one.
    pub(super) fn accept(&self, header: &ResponseHeader, floor: Revision) -> Result<(), String> {
        let first = self.cluster.compare_exchange(0, header.cluster_id, Ordering::Relaxed, Ordering::Relaxed);
        if let Err(expected) = first
            && expected != header.cluster_id
        {
            let found = header.cluster_id;
            return Err(format!(
                "it belongs to the cluster {found:x}, but this server holds the state of the cluster {expected:x}; \
                 check --etcd-servers, or restart the server to take over the state of the new cluster"
            ));
        }
        let revision = u64::try_from(header.revision).unwrap_or(0);
        if revision < floor {
            let trouble = format!(
                "etcd has gone back to revision {revision}, {floor} was reached before: it was restored from an old \
                 state; restart all servers, and see to it that clients list again"
            );
            self.change(|troubles| {
                troubles.lasting.get_or_insert(trouble.clone());
            });
            return Err(trouble);
        }
        Ok(())
    }
}

impl Troubles {
    fn first(&self) -> Option<String> {
        self.lasting.clone().or_else(|| self.feed.clone()).or_else(|| self.probe.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn header(cluster_id: u64, revision: i64) -> ResponseHeader {
        ResponseHeader { cluster_id, revision }
    }

    #[test]
    fn a_revision_that_goes_back_is_never_forgiven() {
        let shared = Arc::new(Shared::new(&Options::default()));
        let health = Health::new(shared.clone());
        health.accept(&header(1, 10), 9).unwrap();
        health.feed(None);
        shared.health().unwrap();
        assert!(health.accept(&header(1, 5), 9).unwrap_err().contains("gone back to revision 5"));
        health.accept(&header(1, 50), 9).unwrap();
        health.feed(None);
        assert!(matches!(shared.health(), Err(Error::Engine(why)) if why.contains("restored")));
        assert!(health.check().is_err());
    }

    #[test]
    fn another_cluster_is_refused() {
        let health = Health::new(Arc::new(Shared::new(&Options::default())));
        health.accept(&header(0x17, 10), 9).unwrap();
        assert!(health.accept(&header(0x18, 10), 9).unwrap_err().contains("cluster 18"));
        health.accept(&header(0x17, 10), 9).unwrap();
        health.check().unwrap();
    }
}
