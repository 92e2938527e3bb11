//! The writer against engines that fail.

use crate::engine::{Batch, Engine, Failure};
use crate::replay::Replay;
use crate::{Error, EventKind, FIRST_REVISION, Key, ListRequest, Object, Options, Result, Revision, Store};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};

/// What the next commit does.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Nothing became durable.
    Lost,
    /// Everything became durable, but nobody was told.
    Unheard,
    Panic,
}

struct Faults {
    next: Fault,
    /// `recover` fails.
    stuck: bool,
    durable: Revision,
    /// Rows of the log that durable batches removed, and the horizons that came with them.
    trimmed: Vec<Revision>,
    horizon: Revision,
}

/// An engine that does as it is told; each commit announces itself and waits for a permit.
struct Faulty {
    faults: Arc<Mutex<Faults>>,
    begun: mpsc::UnboundedSender<usize>,
    gate: Arc<Semaphore>,
}

impl Engine for Faulty {
    fn load(&mut self, _replay: &mut Replay) -> Result<Revision, Failure> {
        Ok(FIRST_REVISION)
    }

    fn keeps_log(&self) -> bool {
        true
    }

    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure> {
        self.begun.send(batch.changes.len()).ok();
        pass(&self.gate);
        let mut faults = self.faults.lock();
        match std::mem::replace(&mut faults.next, Fault::None) {
            Fault::None => {
                faults.durable = batch.revision;
                faults.trimmed.extend(&batch.trim.rows);
                let horizons = batch.trim.horizons.iter().map(|(_, horizon)| *horizon);
                faults.horizon = horizons.max().unwrap_or(faults.horizon);
            }
            Fault::Lost => return Err("no space".to_owned()),
            Fault::Unheard => {
                faults.durable = batch.revision;
                return Err("no answer".to_owned());
            }
            Fault::Panic => panic!("as told"),
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<Revision, Failure> {
        let faults = self.faults.lock();
        if faults.stuck { Err("still no space".to_owned()) } else { Ok(faults.durable) }
    }

    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Waits for a permit on a thread outside of the runtime and uses it up.
fn pass(gate: &Semaphore) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(gate.acquire()).unwrap().forget();
}

struct Rig {
    store: Store,
    faults: Arc<Mutex<Faults>>,
    begun: mpsc::UnboundedReceiver<usize>,
    gate: Arc<Semaphore>,
}

impl Rig {
    /// `open`: commits do not wait.
    async fn new(open: bool) -> Self {
        let faults = Arc::new(Mutex::new(Faults {
            next: Fault::None,
            stuck: false,
            durable: FIRST_REVISION,
            trimmed: Vec::new(),
            horizon: 0,
        }));
        let (announce, begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(if open { 1 << 20 } else { 0 }));
        let engine = Faulty { faults: faults.clone(), begun: announce, gate: gate.clone() };
        let options = Options { history_events: 4, ..Options::default() };
        let store = Store::open_engine(&options, || Ok(Box::new(engine) as Box<dyn Engine>)).await;
        Self { store: store.unwrap(), faults, begun, gate }
    }

    fn fail(&self, fault: Fault, stuck: bool) {
        let mut faults = self.faults.lock();
        (faults.next, faults.stuck) = (fault, stuck);
    }

    fn spawn(&self, name: &str) -> tokio::task::JoinHandle<Result<Arc<Object>>> {
        let (store, key) = (self.store.clone(), key(name));
        tokio::spawn(async move { store.create(key, r#"{"metadata":{}}"#.into(), None).await })
    }

    async fn create(&self, name: &str) -> Result<Revision> {
        self.spawn(name).await.unwrap().map(|object| object.revision())
    }

    fn names(&self) -> Vec<String> {
        let list = self.store.list(&ListRequest { prefix: "pods", ..ListRequest::default() }).unwrap();
        list.objects.iter().map(|object| object.key().name().to_owned()).collect()
    }
}

fn key(name: &str) -> Key {
    Key::new("pods", None, name)
}

#[tokio::test]
async fn a_failed_commit_leaves_no_trace() {
    let rig = Rig::new(true).await;
    let mut watch = rig.store.watch("pods", 1).unwrap();
    assert_eq!(rig.create("a").await.unwrap(), 2);
    rig.fail(Fault::Lost, true);
    assert!(matches!(rig.create("b").await, Err(Error::Engine(why)) if why == "no space"));
    assert!(matches!(rig.store.health(), Err(Error::Engine(why)) if why == "no space"));
    assert_eq!((rig.store.revision(), rig.names()), (2, vec!["a".to_owned()]));
    // It stays up, and says why.
    assert!(matches!(rig.create("b").await, Err(Error::Engine(why)) if why == "still no space"));
    rig.fail(Fault::None, false);
    assert_eq!(rig.create("c").await.unwrap(), 3);
    rig.store.health().unwrap();
    assert_eq!(rig.names(), ["a", "c"]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let events = watch.next(9).await.unwrap().unwrap();
        seen.extend(events.iter().map(|event| event.object.key().name().to_owned()));
    }
    assert_eq!(seen, ["a", "c"]);
    assert_eq!(rig.store.stats().failed_commits, 1);
}

#[tokio::test]
async fn a_commit_that_took_place_unheard_appears_when_the_engine_is_back() {
    let rig = Rig::new(true).await;
    let mut watch = rig.store.watch("pods", 1).unwrap();
    rig.fail(Fault::Unheard, false);
    assert!(matches!(rig.create("a").await, Err(Error::Engine(_))));
    assert!(rig.names().is_empty());
    // The same object is there already, with the revision under which it became durable.
    assert!(matches!(rig.create("a").await, Err(Error::AlreadyExists(_))));
    assert_eq!(rig.store.get(&key("a")).unwrap().revision(), 2);
    assert_eq!(rig.create("b").await.unwrap(), 3);
    assert_eq!(watch.next(1).await.unwrap().unwrap()[0].revision(), 2);
    assert_eq!(watch.next(1).await.unwrap().unwrap()[0].revision(), 3);
}

#[tokio::test]
async fn health_comes_back_without_a_write() {
    let rig = Rig::new(true).await;
    rig.fail(Fault::Lost, false);
    rig.create("a").await.unwrap_err();
    let healthy = async {
        while rig.store.health().is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), healthy).await.unwrap();
}

#[tokio::test]
async fn an_engine_at_a_third_revision_is_not_written_to() {
    let rig = Rig::new(true).await;
    rig.fail(Fault::Lost, false);
    rig.create("a").await.unwrap_err();
    rig.faults.lock().durable = 77;
    assert!(
        matches!(rig.create("a").await, Err(Error::Engine(why)) if why.contains("77") && why.contains("restart"))
    );
}

#[tokio::test]
async fn a_lost_writer_is_a_closed_store_not_a_hang() {
    let mut rig = Rig::new(false).await;
    let mut watch = rig.store.watch("pods", 1).unwrap();
    rig.fail(Fault::Panic, false);
    let first = rig.spawn("a");
    rig.begun.recv().await.unwrap();
    let queued: Vec<_> = (0..10).map(|number| rig.spawn(&number.to_string())).collect();
    let waiting = {
        let store = rig.store.clone();
        tokio::spawn(async move { store.wait_for(9, Duration::from_secs(600)).await })
    };
    rig.gate.add_permits(1);
    assert!(matches!(first.await.unwrap(), Err(Error::Closed)));
    for queued in queued {
        assert!(matches!(queued.await.unwrap(), Err(Error::Closed)));
    }
    assert!(watch.next(1).await.is_none());
    assert!(matches!(waiting.await.unwrap(), Err(Error::Closed)));
    assert!(matches!(rig.store.health(), Err(Error::Closed)));
    assert!(matches!(rig.create("z").await, Err(Error::Closed)));
    assert!(rig.store.close().await.is_err());
}

#[tokio::test]
async fn queued_writes_share_a_commit_and_nothing_is_seen_before_it() {
    let mut rig = Rig::new(false).await;
    let first = rig.spawn("first");
    assert_eq!(rig.begun.recv().await.unwrap(), 1);
    // While the first commit runs, these queue up; the single-threaded runtime starts them in order.
    let queued: Vec<_> = ["a", "b", "a", "c"].iter().map(|name| rig.spawn(name)).collect();
    tokio::task::yield_now().await;
    assert!(rig.names().is_empty() && rig.store.revision() == 1 && !first.is_finished());
    rig.gate.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().revision(), 2);
    assert_eq!(rig.begun.recv().await.unwrap(), 3);
    assert_eq!(rig.names(), ["first"]);
    rig.gate.add_permits(1);
    let mut results = Vec::new();
    for queued in queued {
        results
            .push(queued.await.unwrap().map(|object| object.revision()).map_err(|error| error.to_string()));
    }
    let expected = [Ok(3), Ok(4), Err("/registry/pods/a already exists".to_owned()), Ok(5)];
    assert_eq!(results, expected);
    assert_eq!(rig.store.stats().largest_batch, 3);
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let mut rig = Rig::new(false).await;
    let first = rig.spawn("first");
    rig.begun.recv().await.unwrap();
    let queued: Vec<_> = ["a", "b"].iter().map(|name| rig.spawn(name)).collect();
    tokio::task::yield_now().await;
    let closing = {
        let store = rig.store.clone();
        tokio::spawn(async move { store.close().await })
    };
    tokio::task::yield_now().await;
    let late = rig.create("late").await;
    rig.gate.add_permits(9);
    closing.await.unwrap().unwrap();
    assert!(matches!(late, Err(Error::Closed)));
    first.await.unwrap().unwrap();
    for queued in queued {
        queued.await.unwrap().unwrap();
    }
    assert_eq!(rig.faults.lock().durable, 4);
}

/// Waits for something that happens without a further call.
async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
}

#[tokio::test]
async fn what_history_leaves_behind_is_removed_even_after_a_failure() {
    let rig = Rig::new(true).await;
    rig.create("a").await.unwrap();
    for number in 0..5 {
        let value = format!(r#"{{"metadata":{{}},"spec":{number}}}"#);
        rig.store.update(key("a"), value.into(), None, None).await.unwrap();
    }
    // Revisions 2 to 7; history begins with 4, which replaced 3.
    until(|| rig.faults.lock().trimmed == [2]).await;
    assert_eq!(rig.faults.lock().horizon, 3);
    rig.store.delete(key("a"), None).await.unwrap();
    rig.fail(Fault::Lost, false);
    rig.store.compact(8).await.unwrap();
    // The commit that fails is one of the writer's own; it tries again.
    until(|| rig.faults.lock().trimmed.len() == 7).await;
    let faults = rig.faults.lock();
    assert_eq!((faults.trimmed.as_slice(), faults.horizon), (&[2, 3, 4, 5, 6, 7, 8][..], 8));
    assert_eq!(rig.store.stats().failed_commits, 1);
}

#[tokio::test]
async fn what_expires_while_the_engine_fails_is_deleted_once_it_works() {
    let rig = Rig::new(true).await;
    let ttl = Some(Duration::from_millis(20));
    rig.store.create(key("a"), r#"{"metadata":{}}"#.into(), ttl).await.unwrap();
    rig.fail(Fault::Lost, true);
    until(|| rig.store.health().is_err()).await;
    assert_eq!(rig.names(), ["a"]);
    rig.fail(Fault::None, false);
    let mut watch = rig.store.watch("pods", 2).unwrap();
    let events = watch.next(9).await.unwrap().unwrap();
    assert_eq!((events[0].kind, events[0].revision()), (EventKind::Deleted, 3));
    rig.store.health().unwrap();
}
