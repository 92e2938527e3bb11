//! The store on etcd v3, which several hosts can share.
//!
//! Writes are transactions of etcd. What is read comes from memory, as with the other engines: one watch on the
//! whole prefix feeds it, in etcd's order. Objects stand in etcd as JSON without resourceVersion under upstream's
//! keys; their revision is etcd's `mod_revision`.

mod api;
mod arrivals;
mod client;
mod compact;
mod feed;
mod fresh;
mod health;
mod keys;
mod lease;
mod write;

use crate::{Error, EtcdOptions, Options, Result, Revision, shared::Shared};
use arrivals::Arrivals;
use client::{Client, FaultKind};
use feed::Feed;
use fresh::Fresh;
use health::Health;
use keys::Root;
use lease::Leases;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How long etcd may be away when the store is opened.
const OPEN: Duration = Duration::from_secs(20);
/// The pause between tries meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// The engine. Its tasks end when it is dropped.
#[derive(Debug)]
pub(crate) struct Etcd {
    shared: Arc<Shared>,
    client: Arc<Client>,
    health: Arc<Health>,
    arrivals: Arc<Arrivals>,
    fresh: Arc<Fresh>,
    leases: Leases,
    root: Root,
    /// Ends the tasks.
    stop: watch::Sender<bool>,
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Etcd {
    /// Reads what etcd has, and follows it from then on.
    ///
    /// # Errors
    /// `Engine` when a flag cannot be used or etcd cannot be read in 20 s.
    pub(crate) async fn open(options: &Options, etcd: &EtcdOptions, shared: Arc<Shared>) -> Result<Self> {
        let health = Arc::new(Health::new(shared.clone()));
        let client = Client::new(etcd, shared.clone(), health.clone())
            .map_err(|why| Error::Engine(format!("etcd cannot be used: {why}")))?;
        let client = Arc::new(client);
        let arrivals = Arc::new(Arrivals::new(shared.clone()));
        let root = Root::new(&etcd.prefix);
        let feed = Feed {
            shared: shared.clone(),
            client: client.clone(),
            health: health.clone(),
            arrivals: arrivals.clone(),
            root: root.clone(),
            told: Mutex::default(),
        };
        first_load(&feed, &client).await?;
        let fresh = Arc::new(Fresh::new(
            shared.clone(),
            client.clone(),
            health.clone(),
            arrivals.clone(),
            root.clone(),
        ));
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let ending = Ending { shared: shared.clone(), arrivals: arrivals.clone() };
        tasks.spawn(until_stopped(stop.subscribe(), async move {
            let _ending = ending;
            feed.run().await;
        }));
        tasks.spawn(until_stopped(stop.subscribe(), {
            let fresh = fresh.clone();
            async move { fresh.run().await }
        }));
        tasks.spawn(until_stopped(stop.subscribe(), {
            let fresh = fresh.clone();
            async move { fresh.probe().await }
        }));
        tasks.spawn(until_stopped(stop.subscribe(), prune(shared.clone(), options.history_age)));
        if !options.compaction_interval.is_zero() {
            let compaction = compact::run(shared.clone(), client.clone(), fresh.clone());
            tasks.spawn(until_stopped(stop.subscribe(), compaction));
        }
        // Not being fed is no reason to fail: health tells.
        let _ = timeout(PAUSE * 8, health.fed()).await;
        let leases = Leases::new(client.clone());
        let tasks = Mutex::new(Some(tasks));
        Ok(Self { shared, client, health, arrivals, fresh, leases, root, stop, tasks })
    }

    /// See `Store::refresh`.
    pub(crate) async fn refresh(&self) -> Result<()> {
        self.fresh.refresh().await
    }

    /// Has etcd forget what was before `revision`, for all hosts.
    pub(crate) async fn compact(&self, revision: Revision) -> Result<()> {
        let compacted = compact::to(&self.client, revision).await;
        compacted.map_err(|fault| Error::Engine(format!("etcd's history was not compacted: {}", fault.why)))
    }

    /// Ends the tasks and waits until they have ended.
    pub(crate) async fn close(&self) {
        self.stop.send_replace(true);
        let tasks = self.tasks.lock().take();
        if let Some(mut tasks) = tasks {
            while tasks.join_next().await.is_some() {}
        }
    }
}

async fn first_load(feed: &Feed, client: &Client) -> Result<()> {
    let until = Instant::now() + OPEN;
    loop {
        let fault = match feed.load().await {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        let passing = matches!(fault.kind, FaultKind::Away | FaultKind::Unknown);
        if !passing || Instant::now() + PAUSE >= until {
            let servers = client.servers();
            let why = fault.why;
            return Err(Error::Engine(format!(
                "etcd cannot be read: {why}; check that it runs at --etcd-servers {servers}"
            )));
        }
        tracing::warn!(why = %fault.why, "etcd cannot be read yet; trying again");
        sleep(PAUSE).await;
    }
}

/// Ends all waiting when the feed ends, however it ends.
struct Ending {
    shared: Arc<Shared>,
    arrivals: Arc<Arrivals>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.mark_closed();
        self.arrivals.close();
    }
}

async fn until_stopped(mut stop: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        // Also when the store was dropped.
        _ = stop.wait_for(|stop| *stop) => {}
        () = work => {}
    }
}

/// Drops old history, also when nothing is written.
async fn prune(shared: Arc<Shared>, age: Duration) {
    let pause = (age / 4).clamp(Duration::from_millis(50), Duration::from_secs(30));
    loop {
        sleep(pause).await;
        shared.prune();
    }
}
