//! Watches: everything, once, in order.

use crate::{LONG, Opener, key, on_engines, pods, spec, value};
use chainplate_storage::{Error, EventKind, Key, Options, Store, Watch};
use std::sync::Arc;

on_engines![
    events_tell_what_happened,
    batches_are_bounded,
    a_watch_from_a_list_neither_repeats_nor_misses,
    all_watches_see_the_same_order,
    a_slow_watch_is_told_that_it_lost_the_thread,
    progress_follows_the_store_but_never_passes_an_event,
    a_cancelled_wait_loses_nothing,
    waiting_events_are_delivered_before_the_end,
];

async fn next(watch: &mut Watch) -> Vec<String> {
    let events = tokio::time::timeout(LONG, watch.next(100)).await.unwrap().unwrap().unwrap();
    let tell = |event: &Arc<chainplate_storage::Event>| {
        let previous = event.previous.as_ref().map_or("-".to_owned(), |previous| spec(previous));
        let (path, spec) = (&event.object.key().path, spec(&event.object));
        format!("{} {:?} {path} {previous}>{spec}", event.revision(), event.kind)
    };
    events.iter().map(tell).collect()
}

async fn events_tell_what_happened(opener: Opener) {
    let store = opener.open().await;
    let mut live = store.watch("pods", 1).unwrap();
    store.create(key("a/one"), value("1"), None).await.unwrap();
    assert_eq!(next(&mut live).await, ["2 Added a/one ->1"]);
    store.update(key("a/one"), value("2"), None, None).await.unwrap();
    store.update(key("a/one"), value("2"), None, None).await.unwrap();
    assert_eq!(next(&mut live).await, ["3 Modified a/one 1>2"]);
    store.create(Key::new("nodes", None, "n"), value(""), None).await.unwrap();
    store.delete(key("a/one"), None).await.unwrap();
    assert_eq!(next(&mut live).await, ["5 Deleted a/one 2>2"]);
    let mut late = store.watch("pods", 2).unwrap();
    assert_eq!(next(&mut late).await, ["3 Modified a/one 1>2", "5 Deleted a/one 2>2"]);
}

async fn batches_are_bounded(opener: Opener) {
    let store = opener.open().await;
    for number in 0..5 {
        store.create(key(&number.to_string()), value(""), None).await.unwrap();
    }
    let mut watch = store.watch("pods", 1).unwrap();
    let mut sizes = Vec::new();
    for max in [2, 0, 100] {
        sizes.push(watch.next(max).await.unwrap().unwrap().len());
    }
    assert_eq!(sizes, [2, 1, 2]);
    assert_eq!(watch.progress(), 6);
}

/// Writers on some keys of two collections, until each has made `count` writes.
fn churn(store: &Store, writers: usize, count: usize) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..count {
                let key = Key::new(
                    if number % 5 == 4 { "nodes" } else { "pods" },
                    None,
                    &format!("{}", number % 7),
                );
                let content = value(&format!("{writer}-{number}"));
                // Some fail, as the writers race; that is part of the churn.
                let _ = match (writer + number) % 3 {
                    0 => store.create(key, content, None).await,
                    1 => store.update(key, content, None, None).await,
                    _ => store.delete(key, None).await,
                };
            }
        });
    }
    tasks
}

async fn a_watch_from_a_list_neither_repeats_nor_misses(opener: Opener) {
    let store = opener.open().await;
    let mut writers = churn(&store, 8, 200);
    let mut watchers = tokio::task::JoinSet::new();
    while !writers.is_empty() {
        let list = store.list(&pods()).unwrap();
        let watch = store.watch("pods", list.revision).unwrap();
        watchers.spawn(follow(store.clone(), list, watch));
        writers.join_next().await.unwrap().unwrap();
    }
    // The mark that ends all watchers.
    store.create(key("end"), value(""), None).await.unwrap();
    while let Some(watcher) = watchers.join_next().await {
        watcher.unwrap();
    }

    /// Replays the events onto the list, checks each step, and compares the end with the store.
    async fn follow(store: Store, list: chainplate_storage::List, mut watch: Watch) {
        let mut state: std::collections::BTreeMap<_, _> =
            list.objects.into_iter().map(|object| (object.key().path.to_string(), object)).collect();
        let mut last = list.revision;
        loop {
            for event in watch.next(3).await.unwrap().unwrap() {
                assert!(event.revision() > last, "{} after {last}", event.revision());
                last = event.revision();
                let path = event.object.key().path.to_string();
                let before = match event.kind {
                    EventKind::Deleted => state.remove(&path),
                    EventKind::Added | EventKind::Modified => {
                        state.insert(path.clone(), event.object.clone())
                    }
                };
                let revision = |object: Arc<_>| chainplate_storage::Object::revision(&object);
                assert_eq!(before.map(revision), event.previous.clone().map(revision), "{path}");
                if path == "end" {
                    let list = store.list(&pods()).unwrap();
                    assert!(list.objects.iter().zip(state.values()).all(|(a, b)| Arc::ptr_eq(a, b)));
                    assert_eq!(list.objects.len(), state.len());
                    return;
                }
            }
            assert!(watch.progress() >= last);
        }
    }
}

async fn all_watches_see_the_same_order(opener: Opener) {
    let store = opener.open().await;
    let mut watchers = tokio::task::JoinSet::new();
    for max in 1..9 {
        let mut watch = store.watch("pods", 1).unwrap();
        watchers.spawn(async move {
            let mut seen = Vec::new();
            loop {
                for event in watch.next(max).await.unwrap().unwrap() {
                    seen.push(event.revision());
                    if &*event.object.key().path == "end" {
                        return seen;
                    }
                }
            }
        });
    }
    churn(&store, 16, 50).join_all().await;
    store.create(key("end"), value(""), None).await.unwrap();
    let seen = watchers.join_all().await;
    assert!(seen[0].is_sorted_by(|a, b| a < b));
    assert!(seen.iter().all(|other| *other == seen[0]));
}

async fn a_slow_watch_is_told_that_it_lost_the_thread(opener: Opener) {
    let store = Store::open(Options { history_events: 4, ..opener.options() }).await.unwrap();
    let mut slow = store.watch("pods", 1).unwrap();
    let mut other = store.watch("nodes", 1).unwrap();
    for number in 0..6 {
        store.create(key(&number.to_string()), value(""), None).await.unwrap();
    }
    let lost = slow.next(1).await.unwrap();
    assert!(matches!(lost, Err(Error::Compacted { requested: 1, oldest: 3 })), "{lost:?}");
    // A watch of another collection is not concerned.
    store.create(Key::new("nodes", None, "n"), value(""), None).await.unwrap();
    assert_eq!(next(&mut other).await, ["8 Added n ->"]);
}

async fn progress_follows_the_store_but_never_passes_an_event(opener: Opener) {
    let store = opener.open().await;
    let mut watch = store.watch("pods", 1).unwrap();
    assert_eq!(watch.progress(), 1);
    store.create(Key::new("nodes", None, "n"), value(""), None).await.unwrap();
    assert_eq!(watch.progress(), 2);
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.create(key("a/two"), value("1"), None).await.unwrap();
    store.create(Key::new("nodes", None, "m"), value(""), None).await.unwrap();
    assert!(watch.progress() < 3, "event 3 was not delivered");
    watch.next(1).await.unwrap().unwrap();
    assert_eq!(watch.progress(), 3);
    watch.next(1).await.unwrap().unwrap();
    assert_eq!(watch.progress(), 5);
}

async fn a_cancelled_wait_loses_nothing(opener: Opener) {
    let store = opener.open().await;
    let mut watch = store.watch("pods", 1).unwrap();
    tokio::select! {
        biased;
        _ = watch.next(1) => unreachable!("nothing has happened"),
        () = std::future::ready(()) => {}
    }
    store.create(key("a/one"), value("1"), None).await.unwrap();
    assert_eq!(next(&mut watch).await, ["2 Added a/one ->1"]);
}

async fn waiting_events_are_delivered_before_the_end(opener: Opener) {
    let store = opener.open().await;
    let mut watch = store.watch("pods", 1).unwrap();
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(next(&mut watch).await, ["2 Added a/one ->1"]);
    assert!(watch.next(1).await.is_none());
}
