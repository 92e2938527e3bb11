//! Objects with a time to live.

use crate::{LONG, Opener, key, on_engines, open, pods, value};
use chainplate_storage::{Event, EventKind, Store, Watch};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

on_engines![
    what_expires_is_deleted_while_nobody_writes,
    a_write_replaces_the_time_to_live,
    an_equal_write_does_not_renew,
    many_expire_while_others_write,
];

async fn next(watch: &mut Watch) -> Vec<Arc<Event>> {
    tokio::time::timeout(LONG, watch.next(10_000)).await.unwrap().unwrap().unwrap()
}

fn millis(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

async fn what_expires_is_deleted_while_nobody_writes(opener: Opener) {
    if !opener.tells_expiry() {
        return;
    }
    let store = opener.open().await;
    let begun = Instant::now();
    let made = store.create(key("a/one"), value("1"), millis(50)).await.unwrap();
    let kept = store.create(key("a/two"), value("2"), Some(Duration::MAX)).await.unwrap();
    let left = made.expires().unwrap().duration_since(SystemTime::now()).unwrap_or_default();
    assert!(left <= Duration::from_millis(50) && kept.expires().unwrap() > made.expires().unwrap());
    let mut watch = store.watch("pods", made.revision() + 1).unwrap();
    let events = next(&mut watch).await;
    assert!(begun.elapsed() > Duration::from_millis(49));
    assert_eq!((events.len(), events[0].kind, events[0].revision()), (1, EventKind::Deleted, 4));
    assert_eq!(events[0].previous.as_ref().unwrap().revision(), made.revision());
    assert_eq!(store.list(&pods()).unwrap().objects.len(), 1);
    assert!(SystemTime::now() >= made.expires().unwrap());
}

async fn a_write_replaces_the_time_to_live(opener: Opener) {
    let store = opener.open().await;
    store.create(key("a/one"), value("1"), millis(100)).await.unwrap();
    let one = store.update(key("a/one"), value("2"), None, None).await.unwrap();
    assert_eq!(one.expires(), None);
    store.create(key("a/two"), value("1"), None).await.unwrap();
    store.update(key("a/two"), value("2"), None, millis(150)).await.unwrap();
    let mut watch = store.watch("pods", store.revision()).unwrap();
    let events = next(&mut watch).await;
    assert_eq!((&*events[0].object.key().path, events.len()), ("a/two", 1));
    assert!(store.get(&key("a/one")).is_some());
}

async fn an_equal_write_does_not_renew(opener: Opener) {
    let store = opener.open().await;
    let made = store.create(key("a/one"), value("1"), millis(100)).await.unwrap();
    let hour = Some(Duration::from_secs(3600));
    let same = store.update(key("a/one"), value("1"), None, hour).await.unwrap();
    assert_eq!((same.revision(), same.expires()), (made.revision(), made.expires()));
    let mut watch = store.watch("pods", made.revision()).unwrap();
    assert_eq!(next(&mut watch).await[0].kind, EventKind::Deleted);
}

async fn many_expire_while_others_write(opener: Opener) {
    if !opener.tells_expiry() {
        return;
    }
    let store = opener.open().await;
    let mut watch = store.watch("pods", 1).unwrap();
    let writers = |store: Store| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                for number in 0..200 {
                    let ttl = if number % 2 == 0 { millis(number) } else { None };
                    store.create(key(&format!("{writer}/{number}")), value(""), ttl).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
    };
    writers(store.clone()).await;
    let (mut deleted, mut last) = (0, 1);
    while deleted < 800 {
        for event in next(&mut watch).await {
            assert_eq!(event.revision(), last + 1);
            last = event.revision();
            if event.kind == EventKind::Deleted {
                let expires = event.previous.as_ref().unwrap().expires().unwrap();
                assert!(expires <= SystemTime::now());
                deleted += 1;
            }
        }
    }
    assert_eq!(store.count("pods"), 800);
}

#[tokio::test]
async fn what_expired_while_the_store_was_closed_is_deleted_after_the_start() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    let soon = store.create(key("a/soon"), value("1"), millis(30)).await.unwrap();
    let late = store.create(key("a/late"), value("1"), Some(Duration::from_secs(3600))).await.unwrap();
    store.close().await.unwrap();
    while SystemTime::now() < soon.expires().unwrap() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let store = open(place.path()).await;
    let mut watch = store.watch("pods", late.revision()).unwrap();
    let events = next(&mut watch).await;
    assert_eq!((&*events[0].object.key().path, events[0].kind), ("a/soon", EventKind::Deleted));
    assert_eq!(store.get(&key("a/late")).unwrap().expires(), late.expires());
    store.close().await.unwrap();
}
