//! An etcd that is killed, cut off, compacted or replaced.

use super::{at, open, options, server::Server, until};
use crate::{LONG, contents, key, pods, value};
use chainplate_storage::{Error, EventKind, Revision, Store};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinHandle, JoinSet},
};

/// Writers that go on whatever happens, and a watch that follows them.
struct Load {
    store: Store,
    stop: Arc<AtomicBool>,
    /// Acknowledged, and not deleted afterwards.
    acknowledged: Arc<Mutex<BTreeMap<String, Revision>>>,
    writers: JoinSet<()>,
    watcher: JoinHandle<BTreeMap<String, Revision>>,
}

impl Load {
    fn start(store: &Store) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let (store, stop, acknowledged) = (store.clone(), stop.clone(), acknowledged.clone());
            writers.spawn(async move {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let path = format!("{writer}/{number}");
                    match store.create(key(&path), value(&path), None).await {
                        Ok(object) => drop(acknowledged.lock().insert(path, object.revision())),
                        Err(Error::Engine(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        let mut watch = store.watch("pods", store.revision()).unwrap();
        let watcher = tokio::spawn(async move {
            let (mut state, mut last) = (BTreeMap::new(), 0);
            loop {
                for event in watch.next(100).await.unwrap().unwrap() {
                    assert!(event.revision() > last, "{} after {last}", event.revision());
                    last = event.revision();
                    let path = event.object.key().path.to_string();
                    if path == "end" {
                        return state;
                    }
                    assert_eq!(event.kind, EventKind::Added);
                    assert_eq!(state.insert(path, last), None);
                }
            }
        });
        Self { store: store.clone(), stop, acknowledged, writers, watcher }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Waits until `more` writes were acknowledged.
    async fn go_on(&self, more: usize) {
        let enough = self.count() + more;
        until("writes are acknowledged", || self.count() >= enough).await;
    }

    /// Checks that nothing is lost, missed or repeated.
    async fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(writer) = self.writers.join_next().await {
            writer.unwrap();
        }
        self.store.create(key("end"), value(""), None).await.unwrap();
        let seen = tokio::time::timeout(LONG, self.watcher).await.unwrap().unwrap();
        let list = self.store.list(&pods()).unwrap();
        let objects = list.objects.iter().filter(|object| &*object.key().path != "end");
        let there: BTreeMap<_, _> =
            objects.map(|object| (object.key().path.to_string(), object.revision())).collect();
        assert_eq!(seen, there);
        for (path, revision) in &*self.acknowledged.lock() {
            assert_eq!(there.get(path), Some(revision), "{path} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_is_killed_under_load_costs_no_acknowledged_write() {
    let Some(mut server) = Server::start(&[]) else { return };
    let store = open(&[&server]).await;
    store.health().unwrap();
    let load = Load::start(&store);
    for _ in 0..3 {
        load.go_on(50).await;
        server.kill();
        until("health is red", || store.health().is_err()).await;
        assert!(store.refresh().await.is_err());
        let Err(Error::Engine(why)) = store.health() else { panic!("still red") };
        assert!(why.contains("127.0.0.1"), "{why}");
        server.resume();
        until("health is green", || store.health().is_ok()).await;
        store.refresh().await.unwrap();
    }
    load.go_on(50).await;
    load.finish().await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_members_is_lost() {
    let Some(mut members) = Server::cluster(3, &[]) else { return };
    let store = open(&members.iter().collect::<Vec<_>>()).await;
    let other = open(&[&members[2], &members[1], &members[0]]).await;
    let load = Load::start(&store);
    #[expect(clippy::needless_range_loop, reason = "the number names what is written, too")]
    for lost in 0..3 {
        load.go_on(50).await;
        members[lost].kill();
        load.go_on(100).await;
        until("health is green", || store.health().is_ok()).await;
        // What both were told is the same, with two members, too.
        let made = store.create(key(&format!("other/{lost}")), value(""), None).await.unwrap();
        let refreshed = async {
            while other.refresh().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, refreshed).await.unwrap();
        assert_eq!(other.get(made.key()).unwrap().revision(), made.revision());
        members[lost].resume();
        members[lost].ready();
    }
    load.finish().await;
}

/// A way to etcd that can be cut.
struct Way {
    port: u16,
    open: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Way {
    async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicBool::new(true));
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let target = server.port();
        tokio::spawn({
            let (open, connections) = (open.clone(), connections.clone());
            async move {
                loop {
                    let (mut near, _) = listener.accept().await.unwrap();
                    if !open.load(Ordering::SeqCst) {
                        continue;
                    }
                    let connection = tokio::spawn(async move {
                        let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    });
                    connections.lock().push(connection.abort_handle());
                }
            }
        });
        Self { port, open, connections }
    }

    fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.connections.lock().drain(..).for_each(|connection| connection.abort());
    }

    fn mend(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    async fn store(&self) -> Store {
        Store::open(at(vec![format!("http://127.0.0.1:{}", self.port)])).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_goes_on_where_it_stood() {
    let Some(server) = Server::start(&[]) else { return };
    let way = Way::to(&server).await;
    let (cut, other) = (way.store().await, open(&[&server]).await);
    other.create(key("n/a"), value("1"), None).await.unwrap();
    cut.refresh().await.unwrap();
    let mut watch = cut.watch("pods", 1).unwrap();
    way.cut();
    until("health is red", || cut.health().is_err()).await;
    other.update(key("n/a"), value("2"), None, None).await.unwrap();
    other.create(key("n/b"), value("1"), None).await.unwrap();
    let late = cut.create(key("n/c"), value("1"), None).await;
    assert!(matches!(late, Err(Error::Engine(_))), "{late:?}");
    assert!(cut.refresh().await.is_err());
    way.mend();
    until("health is green", || cut.health().is_ok()).await;
    cut.refresh().await.unwrap();
    assert_eq!(contents(&cut, &pods()).1, ["n/a=2", "n/b=1"]);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let events = tokio::time::timeout(LONG, watch.next(9)).await.unwrap().unwrap().unwrap();
        seen.extend(events.iter().map(|event| (event.revision(), event.kind)));
    }
    assert_eq!(seen, [(2, EventKind::Added), (3, EventKind::Modified), (4, EventKind::Added)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_for_too_long_reads_everything_again() {
    let Some(server) = Server::start(&[]) else { return };
    let way = Way::to(&server).await;
    let (cut, other) = (way.store().await, open(&[&server]).await);
    other.create(key("n/a"), value("1"), None).await.unwrap();
    other.create(key("n/b"), value("1"), None).await.unwrap();
    cut.refresh().await.unwrap();
    let mut watch = cut.watch("pods", cut.revision()).unwrap();
    let before = cut.revision();
    way.cut();
    until("health is red", || cut.health().is_err()).await;
    other.delete(key("n/a"), None).await.unwrap();
    let last = other.create(key("n/c"), value("1"), None).await.unwrap().revision();
    other.compact(last).await.unwrap();
    assert_eq!(cut.revision(), before);
    way.mend();
    let lost = tokio::time::timeout(LONG, watch.next(9)).await.unwrap().unwrap();
    assert!(matches!(lost, Err(Error::Compacted { .. })), "{lost:?}");
    until("health is green", || cut.health().is_ok()).await;
    assert_eq!(contents(&cut, &pods()), (last, vec!["n/b=1".to_owned(), "n/c=1".to_owned()]));
    assert!(matches!(cut.watch("pods", before), Err(Error::Compacted { .. })));
    cut.create(key("n/d"), value("1"), None).await.unwrap();
    assert_eq!(cut.watch("pods", last).unwrap().next(9).await.unwrap().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_goes_back_is_not_followed() {
    let Some(mut server) = Server::start(&[]) else { return };
    let store = open(&[&server]).await;
    for number in 0..5 {
        store.create(key(&format!("n/{number}")), value(""), None).await.unwrap();
    }
    let before = store.revision();
    server.kill();
    server.forget();
    server.resume();
    let says = |what: &str| matches!(store.health(), Err(Error::Engine(why)) if why.contains(what));
    until("health tells", || says("gone back")).await;
    // Nothing makes up for it, also not more writes.
    let other = open(&[&server]).await;
    for number in 0..9 {
        other.create(key(&format!("n/{number}")), value(""), None).await.unwrap();
    }
    assert!(other.revision() > before);
    assert!(matches!(store.refresh().await, Err(Error::Engine(why)) if why.contains("restart")));
    assert!(matches!(store.create(key("n/x"), value(""), None).await, Err(Error::Engine(_))));
    assert!(store.revision() >= before && says("gone back"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_the_work_of_compaction() {
    let Some(server) = Server::start(&[]) else { return };
    let mut options = options(&[&server]);
    options.compaction_interval = Duration::from_millis(50);
    let stores = [Store::open(options.clone()).await.unwrap(), Store::open(options).await.unwrap()];
    let made = stores[0].create(key("n/a"), value("1"), None).await.unwrap().revision();
    stores[0].update(key("n/a"), value("2"), None, None).await.unwrap();
    let way = Way::to(&server).await;
    // One that stood before the compaction reads everything again: that is how it is noticed.
    let witness = way.store().await;
    let mut watch = witness.watch("pods", witness.revision()).unwrap();
    way.cut();
    until("health is red", || witness.health().is_err()).await;
    let mut lost = false;
    for _ in 0..200 {
        stores[1].update(key("n/a"), value(&uuid()), None, None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    way.mend();
    while let Ok(Some(next)) = tokio::time::timeout(LONG, watch.next(1000)).await {
        match next {
            Ok(_) => continue,
            Err(Error::Compacted { .. }) => lost = true,
            Err(error) => panic!("{error}"),
        }
        break;
    }
    assert!(lost && witness.revision() > made);
    for store in &stores {
        store.refresh().await.unwrap();
        store.health().unwrap();
    }
}

/// Something new each time.
fn uuid() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_is_not_there_is_named() {
    let refusal = |servers: &[&str]| {
        let options = at(servers.iter().map(|server| (*server).to_owned()).collect());
        async move {
            match Store::open(options).await {
                Err(Error::Engine(why)) => why,
                other => panic!("{other:?}"),
            }
        }
    };
    assert!(refusal(&[]).await.contains("set --etcd-servers"));
    for bad in ["localhost:2379", "ftp://localhost:2379", "http://:bad"] {
        let why = refusal(&[bad]).await;
        assert!(why.contains("--etcd-servers") && why.contains(bad), "{why}");
    }
    let why = refusal(&["https://localhost:2379"]).await;
    assert!(why.contains("--etcd-cafile"), "{why}");
    // Nobody listens on port 1; it is tried for a while.
    let why = refusal(&["http://127.0.0.1:1"]).await;
    assert!(why.contains("refused") && why.contains("--etcd-servers http://127.0.0.1:1"), "{why}");
}
