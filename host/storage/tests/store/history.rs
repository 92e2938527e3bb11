//! Lists of the past, compaction, bounds of history.

use crate::{Opener, contents, key, on_engines, pods, value};
use chainplate_storage::{Error, ListRequest, Options, Revision, Store};
use std::time::Duration;

on_engines![
    past_states_are_rebuilt,
    pages_of_a_past_state_ignore_later_writes,
    compaction_ends_the_past,
    history_is_bounded_by_count,
    history_is_bounded_by_size,
    history_is_bounded_by_age,
    compaction_does_not_disturb_a_watch_that_missed_nothing,
    what_a_client_knows_ages_where_nobody_writes,
];

fn at(revision: Revision) -> ListRequest<'static> {
    ListRequest { at: Some(revision), ..pods() }
}

/// 2: +b, 3: +d, 4: b=2, 5: +a, 6: -d, 7: +d (again), 8: -b
async fn some_history(store: &Store) {
    store.create(key("n/b"), value("1"), None).await.unwrap();
    store.create(key("n/d"), value("1"), None).await.unwrap();
    store.update(key("n/b"), value("2"), None, None).await.unwrap();
    store.create(key("n/a"), value("1"), None).await.unwrap();
    store.delete(key("n/d"), None).await.unwrap();
    store.create(key("n/d"), value("2"), None).await.unwrap();
    store.delete(key("n/b"), None).await.unwrap();
}

async fn past_states_are_rebuilt(opener: Opener) {
    let store = opener.open().await;
    some_history(&store).await;
    for (revision, expected) in [
        (1, &[][..]),
        (2, &["n/b=1"]),
        (3, &["n/b=1", "n/d=1"]),
        (4, &["n/b=2", "n/d=1"]),
        (5, &["n/a=1", "n/b=2", "n/d=1"]),
        (6, &["n/a=1", "n/b=2"]),
        (7, &["n/a=1", "n/b=2", "n/d=2"]),
        (8, &["n/a=1", "n/d=2"]),
    ] {
        let (told, found) = contents(&store, &at(revision));
        assert_eq!(
            (told, found.iter().map(String::as_str).collect::<Vec<_>>()),
            (revision, expected.to_vec())
        );
    }
    assert_eq!(contents(&store, &pods()).0, 8);
    let future = store.list(&at(9));
    assert!(matches!(future, Err(Error::FutureRevision { requested: 9, current: 8 })));
}

async fn pages_of_a_past_state_ignore_later_writes(opener: Opener) {
    let store = opener.open().await;
    for number in 0..10 {
        store.create(key(&format!("a/{number}")), value("old"), None).await.unwrap();
        store.create(key(&format!("b/{number}")), value("other"), None).await.unwrap();
    }
    let first = store.list(&ListRequest { namespace: Some("a"), limit: 3, ..pods() }).unwrap();
    let mut seen: Vec<_> = first.objects.iter().map(|object| object.key().path.to_string()).collect();
    let mut remaining = first.remaining;
    for number in 0..10 {
        match number % 3 {
            0 => drop(store.delete(key(&format!("a/{number}")), None).await.unwrap()),
            1 => drop(store.update(key(&format!("a/{number}")), value("new"), None, None).await.unwrap()),
            _ => drop(store.create(key(&format!("a/{number}x")), value("new"), None).await.unwrap()),
        }
        if remaining > 0 {
            let after = seen.last().cloned();
            let request = ListRequest {
                namespace: Some("a"),
                after: after.as_deref(),
                limit: 2,
                at: Some(first.revision),
                ..pods()
            };
            let page = store.list(&request).unwrap();
            assert_eq!((page.revision, page.remaining), (first.revision, remaining - page.objects.len()));
            remaining = page.remaining;
            seen.extend(page.objects.iter().map(|object| {
                assert_eq!(crate::spec(object), "old");
                object.key().path.to_string()
            }));
        }
    }
    assert_eq!(seen, (0..10).map(|number| format!("a/{number}")).collect::<Vec<_>>());
}

async fn compaction_ends_the_past(opener: Opener) {
    let store = opener.open().await;
    some_history(&store).await;
    store.compact(5).await.unwrap();
    for revision in 1..5 {
        let list = store.list(&at(revision));
        assert!(matches!(list, Err(Error::Compacted { oldest: 5, .. })));
        assert!(matches!(store.watch("pods", revision), Err(Error::Compacted { oldest: 5, .. })));
    }
    for revision in 1..8 {
        // A collection that nobody has touched has no past before it is first asked for.
        let list = store.list(&ListRequest { prefix: "nodes", at: Some(revision), ..pods() });
        assert!(matches!(list, Err(Error::Compacted { oldest: 8, .. })));
        assert!(matches!(store.watch("nodes", revision), Err(Error::Compacted { oldest: 8, .. })));
    }
    assert!(store.watch("nodes", 8).is_ok());
    assert_eq!(contents(&store, &at(5)).1, ["n/a=1", "n/b=2", "n/d=1"]);
    let events = store.watch("pods", 5).unwrap().next(10).await.unwrap().unwrap();
    assert_eq!(events.iter().map(|event| event.revision()).collect::<Vec<_>>(), [6, 7, 8]);
    assert!(matches!(store.compact(9).await, Err(Error::FutureRevision { .. })));
    // Backwards: nothing happens.
    store.compact(2).await.unwrap();
    assert_eq!(contents(&store, &at(5)).0, 5);
}

async fn what_a_client_knows_ages_where_nobody_writes(opener: Opener) {
    let interval = Duration::from_millis(20);
    let store = Store::open(Options { compaction_interval: interval, ..opener.options() }).await.unwrap();
    some_history(&store).await;
    let mut watch = store.watch("pods", store.revision()).unwrap();
    let known = contents(&store, &pods()).0;
    let begun = std::time::Instant::now();
    while !matches!(store.list(&at(known)), Err(Error::Compacted { .. })) {
        assert!(begun.elapsed() < crate::LONG, "revision {known} is not compacted");
        tokio::time::sleep(interval).await;
    }
    assert!(matches!(store.watch("pods", known), Err(Error::Compacted { .. })));
    // Who is there has missed nothing, and the present can always be read and watched.
    let later = store.update(key("n/a"), value("later"), None, None).await.unwrap().revision();
    let events = watch.next(10).await.unwrap().unwrap();
    assert_eq!(events.iter().map(|event| event.revision()).collect::<Vec<_>>(), [later]);
    let (now, present) = contents(&store, &pods());
    assert_eq!(present, ["n/a=later", "n/d=2"]);
    assert!(now >= later && store.watch("pods", store.revision()).is_ok());
    let reached = store.revision();
    store.close().await.unwrap();
    if opener.keeps() {
        let store =
            Store::open(Options { compaction_interval: Duration::ZERO, ..opener.options() }).await.unwrap();
        assert!(store.revision() >= reached, "{} after {reached}", store.revision());
    }
}

async fn history_is_bounded_by_count(opener: Opener) {
    let store = Store::open(Options { history_events: 3, ..opener.options() }).await.unwrap();
    some_history(&store).await;
    assert!(matches!(store.list(&at(4)), Err(Error::Compacted { oldest: 5, .. })));
    assert_eq!(contents(&store, &at(5)).1, ["n/a=1", "n/b=2", "n/d=1"]);
}

async fn history_is_bounded_by_size(opener: Opener) {
    let store = Store::open(Options { history_bytes: 10_000, ..opener.options() }).await.unwrap();
    let long = |letter: &str| value(&letter.repeat(4000));
    store.create(key("n/a"), long("a"), None).await.unwrap();
    store.update(key("n/a"), long("b"), None, None).await.unwrap();
    assert_eq!(store.list(&at(2)).unwrap().objects.len(), 1);
    store.update(key("n/a"), long("c"), None, None).await.unwrap();
    assert!(matches!(store.list(&at(1)), Err(Error::Compacted { oldest: 2, .. })));
    assert_eq!(store.list(&at(2)).unwrap().objects.len(), 1);
    // One event beyond the bound: it alone is kept.
    store.update(key("n/a"), value(&"d".repeat(20_000)), None, None).await.unwrap();
    assert!(matches!(store.list(&at(3)), Err(Error::Compacted { oldest: 4, .. })));
    assert_eq!(store.watch("pods", 4).unwrap().next(9).await.unwrap().unwrap().len(), 1);
}

async fn history_is_bounded_by_age(opener: Opener) {
    let age = Duration::from_millis(1);
    let store = Store::open(Options { history_age: age, ..opener.options() }).await.unwrap();
    some_history(&store).await;
    // No write comes any more: the store itself drops what has aged.
    let mut turns = 0;
    while store.list(&at(7)).is_ok() {
        turns += 1;
        assert!(turns < 60_000, "history does not age");
        tokio::time::sleep(age).await;
    }
    assert_eq!(contents(&store, &at(8)).1, ["n/a=1", "n/d=2"]);
}

async fn compaction_does_not_disturb_a_watch_that_missed_nothing(opener: Opener) {
    let store = opener.open().await;
    let mut watch = store.watch("nodes", 1).unwrap();
    some_history(&store).await;
    store.compact(8).await.unwrap();
    assert!(store.watch("nodes", 1).is_err());
    let key = chainplate_storage::Key::new("nodes", None, "n");
    store.create(key, value("1"), None).await.unwrap();
    assert_eq!(watch.next(10).await.unwrap().unwrap()[0].revision(), 9);
}
