//! The log of the embedded store: what it keeps over restarts, and what it forgets.

use crate::{LONG, contents, embedded, key, open, pods, value};
use chainplate_storage::{Error, Key, ListRequest, Options, Revision, Store, maintenance};
use std::{
    path::Path,
    time::{Duration, Instant},
};

async fn reopen(store: Store, options: &Options) -> Store {
    store.close().await.unwrap();
    Store::open(options.clone()).await.unwrap()
}

fn oldest(store: &Store, prefix: &str) -> Revision {
    match store.watch(prefix, 0) {
        Err(Error::Compacted { oldest, .. }) => oldest,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn compaction_survives_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let options = embedded(place.path());
    let mut store = open(place.path()).await;
    for content in ["1", "2", "3", "4"] {
        match store.get(&key("a/one")) {
            None => store.create(key("a/one"), value(content), None).await.unwrap(),
            Some(_) => store.update(key("a/one"), value(content), None, None).await.unwrap(),
        };
    }
    store.compact(3).await.unwrap();
    for _ in 0..2 {
        store = reopen(store, &options).await;
        assert_eq!((oldest(&store, "pods"), oldest(&store, "nodes")), (3, 3));
        assert_eq!(contents(&store, &ListRequest { at: Some(3), ..pods() }).1, ["a/one=2"]);
        let events = store.watch("pods", 3).unwrap().next(9).await.unwrap().unwrap();
        assert_eq!(events.iter().map(|event| event.revision()).collect::<Vec<_>>(), [4, 5]);
        // An earlier one changes nothing, and does not bring the past back with the next start.
        store.compact(2).await.unwrap();
    }
    store.close().await.unwrap();
    let report = maintenance::check(place.path()).unwrap();
    assert_eq!((report.revision, report.rows, report.dead_rows), (5, 3, 0));
}

#[tokio::test]
async fn deletions_that_were_compacted_leave_nothing_but_the_clock() {
    let place = tempfile::tempdir().unwrap();
    let options = embedded(place.path());
    let store = open(place.path()).await;
    store.create(Key::new("nodes", None, "n"), value("1"), None).await.unwrap();
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.delete(key("a/one"), None).await.unwrap();
    store.delete(Key::new("nodes", None, "n"), None).await.unwrap();
    store.compact(5).await.unwrap();
    let store = reopen(store, &options).await;
    assert_eq!((store.revision(), oldest(&store, "pods"), oldest(&store, "services")), (5, 5, 5));
    store.close().await.unwrap();
    let report = maintenance::check(place.path()).unwrap();
    assert_eq!((report.revision, report.rows, report.objects.len()), (5, 0, 0));
    let store = open(place.path()).await;
    assert_eq!(store.create(key("a/one"), value("1"), None).await.unwrap().revision(), 6);
    store.close().await.unwrap();
}

#[tokio::test]
async fn bounds_hold_over_restarts_and_the_log_is_as_short_as_the_history() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { history_events: 10, ..embedded(place.path()) };
    let mut store = Store::open(options.clone()).await.unwrap();
    store.create(key("a/still"), value("still"), None).await.unwrap();
    store.create(key("a/one"), value("0"), None).await.unwrap();
    for round in 0..3 {
        for number in 0..100 {
            let content = format!("{round}-{number}");
            store.update(key("a/one"), value(&content), None, None).await.unwrap();
            store.create(key("a/two"), value(""), None).await.unwrap();
            store.delete(key("a/two"), None).await.unwrap();
        }
        let revision = store.revision();
        assert_eq!(oldest(&store, "pods"), revision - 10);
        store = reopen(store, &options).await;
        assert_eq!((store.revision(), oldest(&store, "pods")), (revision, revision - 10));
        let past = contents(&store, &ListRequest { at: Some(revision - 9), ..pods() }).1;
        assert_eq!(past[0], format!("a/one={round}-96"));
        assert_eq!(contents(&store, &pods()).1, [format!("a/one={round}-99"), "a/still=still".to_owned()]);
    }
    store.close().await.unwrap();
    let report = maintenance::check(place.path()).unwrap();
    // Two objects, ten events, and what the oldest of these replaced.
    assert!(report.rows <= 2 + 10 + 3, "{report:?}");
    assert!(report.file_bytes < 2 << 20, "{report:?}");
}

#[tokio::test]
async fn the_log_forgets_while_nobody_writes() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    for number in 0..50 {
        store.create(key(&format!("a/{number}")), value(&"x".repeat(50_000)), None).await.unwrap();
        store.delete(key(&format!("a/{number}")), None).await.unwrap();
    }
    store.compact(store.revision()).await.unwrap();
    let before = store.stats();
    // A copy of a store in use is what a crash leaves; a copy that is torn between two pages is refused and made
    // again.
    let copy = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    loop {
        std::fs::copy(place.path().join("store.redb"), copy.path().join("store.redb")).unwrap();
        if maintenance::check(copy.path()).is_ok_and(|report| report.rows == 0) {
            break;
        }
        assert!(begun.elapsed() < LONG, "the log is not trimmed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // That is not counted as writing.
    assert_eq!(store.stats(), before);
    store.close().await.unwrap();
}

#[tokio::test]
async fn age_counts_over_restarts() {
    let place = tempfile::tempdir().unwrap();
    let age = Duration::from_millis(300);
    let options = Options { history_age: age, ..embedded(place.path()) };
    let store = open(place.path()).await;
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.update(key("a/one"), value("2"), None, None).await.unwrap();
    let written = Instant::now();
    let store = reopen(store, &options).await;
    if written.elapsed() < age {
        assert!(store.watch("pods", 2).is_ok() || written.elapsed() >= age);
    }
    store.close().await.unwrap();
    while written.elapsed() <= age + Duration::from_millis(1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let store = Store::open(options.clone()).await.unwrap();
    assert_eq!(oldest(&store, "pods"), 3);
    assert_eq!(contents(&store, &pods()).1, ["a/one=2"]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn another_format_is_refused_by_number() {
    let place = tempfile::tempdir().unwrap();
    for format in [1, 3] {
        let file = place.path().join("store.redb");
        let _ = std::fs::remove_file(&file);
        let database = redb::Database::create(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
        transaction.open_table(meta).unwrap().insert("format", format).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let why = refusal(place.path()).await;
        assert!(why.contains(&format!("has format {format}, this program has 2")), "{why}");
    }
}

async fn refusal(directory: &Path) -> String {
    Store::open(embedded(directory)).await.unwrap_err().to_string()
}
