//! Reads that see what was acknowledged through other hosts.
//!
//! etcd is asked for its revision; when the feed has brought that, everything is there that any host was told to be
//! written. The revision may belong to a key of somebody else, of which the feed does not hear: then a key of ours
//! is written, behind which nothing can be missing. (etcd could tell the progress of a watch by itself, but before
//! 3.4.25 and 3.5.8 it may do so ahead of the events: etcd-io/etcd#15220.)

use super::{
    api::{self, Headed, PutRequest, PutResponse, RangeRequest, RangeResponse},
    arrivals::Arrivals,
    client::{Call, Client},
    health::Health,
    keys::Root,
};
use crate::{Error, Result, Revision, shared::Shared};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, oneshot};

/// How long etcd is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the feed may take to bring the revision before a barrier is written.
const GRACE: Duration = Duration::from_millis(10);
/// How long the feed may take to bring the barrier.
const BARRIER: Duration = Duration::from_secs(3);
/// How often etcd is asked without need, so that readiness tells the truth.
const PROBE: Duration = Duration::from_secs(2);

/// A question that several ask at once: one answer serves all who had asked before it was put.
#[derive(Debug, Default)]
struct Shareable {
    /// `None` when nobody answers any more.
    waiting: Mutex<Option<Vec<oneshot::Sender<Result<Revision>>>>>,
    wake: Notify,
}

impl Shareable {
    fn open() -> Self {
        Self { waiting: Mutex::new(Some(Vec::new())), wake: Notify::new() }
    }

    async fn get(&self) -> Result<Revision> {
        let (tell, told) = oneshot::channel();
        match &mut *self.waiting.lock() {
            Some(waiting) => waiting.push(tell),
            None => return Err(Error::Closed),
        }
        self.wake.notify_one();
        told.await.map_err(|_| Error::Closed)?
    }

    /// Puts the question, one at a time, for ever.
    async fn serve<A: Future<Output = Result<Revision>>>(&self, ask: impl Fn() -> A) {
        let _end = End(self);
        loop {
            self.wake.notified().await;
            let waiting = self.waiting.lock().as_mut().map(std::mem::take).unwrap_or_default();
            if waiting.is_empty() {
                continue;
            }
            let answer = ask().await;
            for tell in waiting {
                // Who does not wait any more does not want to know.
                let _ = tell.send(answer.clone());
            }
        }
    }
}

/// Lets nobody wait for what will not come.
struct End<'a>(&'a Shareable);

impl Drop for End<'_> {
    fn drop(&mut self) {
        *self.0.waiting.lock() = None;
    }
}

#[derive(Debug)]
pub(super) struct Fresh {
    shared: Arc<Shared>,
    client: Arc<Client>,
    health: Arc<Health>,
    arrivals: Arc<Arrivals>,
    root: Root,
    revisions: Shareable,
    barriers: Shareable,
}

impl Fresh {
    pub(super) fn new(
        shared: Arc<Shared>,
        client: Arc<Client>,
        health: Arc<Health>,
        arrivals: Arc<Arrivals>,
        root: Root,
    ) -> Self {
        let (revisions, barriers) = (Shareable::open(), Shareable::open());
        Self { shared, client, health, arrivals, root, revisions, barriers }
    }

    /// See `Store::refresh`.
    pub(super) async fn refresh(&self) -> Result<()> {
        self.health.check()?;
        let current = self.revisions.get().await?;
        if self.arrivals.wait(current, GRACE).await {
            return self.health.check();
        }
        self.barrier().await?;
        self.health.check()
    }

    /// Writes a barrier and waits until the feed has brought it.
    ///
    /// # Errors
    /// As `Store::refresh`.
    pub(super) async fn barrier(&self) -> Result<Revision> {
        let barrier = self.barriers.get().await?;
        if self.arrivals.wait(barrier, BARRIER).await {
            return Ok(barrier);
        }
        self.shared.check_open()?;
        let behind = self.shared.revision();
        Err(Error::Engine(format!(
            "etcd is at revision {barrier}, its watch has brought {behind} only; check the network and the load of etcd"
        )))
    }

    /// Answers those who refresh.
    pub(super) async fn run(&self) {
        tokio::join!(self.revisions.serve(|| self.revision()), self.barriers.serve(|| self.write_barrier()),);
    }

    /// Asks etcd now and then, and tells whether it answers.
    pub(super) async fn probe(&self) {
        loop {
            tokio::time::sleep(PROBE).await;
            let answer = tokio::time::timeout(PROBE, self.revision()).await;
            self.health.probe(match answer {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("etcd ({}) does not answer", self.client.servers())),
            });
        }
    }

    async fn revision(&self) -> Result<Revision> {
        let request = RangeRequest { count_only: true, ..RangeRequest::one(&self.root.barrier()) };
        let call = Call { path: api::RANGE, repeatable: true, linearizable: true, patience: PATIENCE };
        self.ask::<_, RangeResponse>(call, &request).await
    }

    async fn write_barrier(&self) -> Result<Revision> {
        let request = PutRequest { key: self.root.barrier(), ..PutRequest::default() };
        // Written twice it is as good.
        let call = Call { path: api::PUT, repeatable: true, linearizable: true, patience: PATIENCE };
        self.ask::<_, PutResponse>(call, &request).await
    }

    async fn ask<Q, A>(&self, call: Call, request: &Q) -> Result<Revision>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + Headed + 'static,
    {
        match self.client.call::<Q, A>(call, request).await {
            Ok(answer) => Ok(u64::try_from(answer.header().revision).unwrap_or(0)),
            Err(fault) => Err(Error::Engine(format!("etcd cannot be asked for its revision: {}", fault.why))),
        }
    }
}
