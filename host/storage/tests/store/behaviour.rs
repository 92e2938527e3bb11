//! Writes, reads and lists.

use crate::{LONG, Opener, contents, key, on_engines, pods, spec, value};
use bytes::Bytes;
use chainplate_storage::{Error, FIRST_REVISION, Key, ListRequest, Options, Store};
use std::{sync::Arc, time::Duration};

on_engines![
    revisions_count_effective_writes,
    preconditions_are_checked,
    equal_updates_write_nothing,
    deletion_returns_the_last_state_with_its_own_revision,
    lists_are_ordered_ranges,
    pages_tell_what_remains,
    unknown_collections_are_empty,
    one_of_many_concurrent_writers_wins,
    bad_values_are_refused,
    keys_of_nested_prefixes_do_not_collide,
    revisions_are_waited_for,
    a_closed_store_says_so,
    figures_are_counted,
];

async fn revisions_count_effective_writes(opener: Opener) {
    let store = opener.open().await;
    assert_eq!(store.revision(), FIRST_REVISION);
    let one = store.create(key("a/one"), value("1"), None).await.unwrap();
    assert_eq!((one.revision(), one.create_revision(), store.revision()), (2, 2, 2));
    let again = store.update(key("a/one"), value("2"), Some(2), None).await.unwrap();
    assert_eq!((again.revision(), again.create_revision(), store.revision()), (3, 2, 3));
    assert_eq!(again.metadata(), br#"{"resourceVersion":"3","uid":"x"}"#);
    assert_eq!(spec(&store.get(&key("a/one")).unwrap()), "2");
    // Revisions are one clock for all collections.
    let other = store.create(Key::new("nodes", None, "n"), value(""), None).await.unwrap();
    assert_eq!(other.revision(), 4);
}

async fn preconditions_are_checked(opener: Opener) {
    let store = opener.open().await;
    let missing = store.update(key("a/one"), value("1"), None, None).await;
    assert!(matches!(missing, Err(Error::NotFound(found)) if found == key("a/one")));
    assert!(matches!(store.delete(key("a/one"), None).await, Err(Error::NotFound(_))));
    store.create(key("a/one"), value("1"), None).await.unwrap();
    assert!(matches!(store.create(key("a/one"), value("2"), None).await, Err(Error::AlreadyExists(_))));
    let conflict = store.update(key("a/one"), value("2"), Some(1), None).await;
    assert!(matches!(conflict, Err(Error::Conflict { current: 2, .. })));
    assert!(matches!(store.delete(key("a/one"), Some(3)).await, Err(Error::Conflict { current: 2, .. })));
    assert_eq!(store.revision(), 2);
    store.update(key("a/one"), value("2"), None, None).await.unwrap();
    store.delete(key("a/one"), Some(3)).await.unwrap();
    let made = store.create(key("a/one"), value("3"), None).await.unwrap();
    assert_eq!((made.revision(), made.create_revision()), (5, 5));
}

async fn equal_updates_write_nothing(opener: Opener) {
    let store = opener.open().await;
    let first = store.create(key("a/one"), value("1"), None).await.unwrap();
    let same = store.update(key("a/one"), value("1"), Some(2), None).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same) && store.revision() == 2);
    // With a stale precondition it is a conflict all the same.
    let stale = store.update(key("a/one"), value("1"), Some(1), None).await;
    assert!(matches!(stale, Err(Error::Conflict { current: 2, .. })));
}

async fn deletion_returns_the_last_state_with_its_own_revision(opener: Opener) {
    let store = opener.open().await;
    store.create(key("a/one"), value("1"), None).await.unwrap();
    let gone = store.delete(key("a/one"), None).await.unwrap();
    assert_eq!((gone.revision(), gone.create_revision(), spec(&gone)), (3, 2, "1".to_owned()));
    assert_eq!(gone.metadata(), br#"{"resourceVersion":"3","uid":"x"}"#);
    assert!(store.get(&key("a/one")).is_none());
    assert_eq!(store.count("pods"), 0);
}

async fn lists_are_ordered_ranges(opener: Opener) {
    let store = opener.open().await;
    for path in ["b/x", "a/z", "a-b/x", "a/b", "a0/x", "aa/x"] {
        store.create(key(path), value(""), None).await.unwrap();
    }
    let paths = |request: ListRequest<'_>| {
        let list = store.list(&request).unwrap();
        assert_eq!(list.revision, 7);
        list.objects.iter().map(|object| object.key().path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(pods()), ["a-b/x", "a/b", "a/z", "a0/x", "aa/x", "b/x"]);
    let of = |namespace| ListRequest { namespace: Some(namespace), ..pods() };
    assert_eq!(paths(of("a")), ["a/b", "a/z"]);
    assert_eq!(paths(of("b")), ["b/x"]);
    assert!(paths(of("")).is_empty() && paths(of("c")).is_empty());
    assert_eq!(paths(ListRequest { after: Some("a/b"), ..of("a") }), ["a/z"]);
    assert_eq!(paths(ListRequest { after: Some("a-b/x"), ..of("a") }), ["a/b", "a/z"]);
    for after in ["a/z", "a0", "a0/x", "b"] {
        assert!(paths(ListRequest { after: Some(after), ..of("a") }).is_empty(), "{after}");
    }
    assert_eq!(paths(ListRequest { after: Some("a0"), ..pods() }), ["a0/x", "aa/x", "b/x"]);
    assert!(paths(ListRequest { after: Some("b/x"), ..pods() }).is_empty());
    assert_eq!(store.collections(), [("pods".to_owned(), 6)]);
}

async fn pages_tell_what_remains(opener: Opener) {
    let store = opener.open().await;
    for number in 0..10 {
        store.create(key(&format!("a/{number}")), value(""), None).await.unwrap();
        store.create(key(&format!("b/{number}")), value(""), None).await.unwrap();
    }
    let mut after = None;
    let mut sizes = Vec::new();
    loop {
        let request = ListRequest { namespace: Some("a"), after: after.as_deref(), limit: 4, ..pods() };
        let list = store.list(&request).unwrap();
        sizes.push((list.objects.len(), list.remaining));
        if list.remaining == 0 {
            break;
        }
        after = list.objects.last().map(|object| object.key().path.to_string());
    }
    assert_eq!(sizes, [(4, 6), (4, 2), (2, 0)]);
    let list = store.list(&ListRequest { limit: 1, ..pods() }).unwrap();
    assert_eq!((list.objects.len(), list.remaining), (1, 19));
}

async fn unknown_collections_are_empty(opener: Opener) {
    let store = opener.open().await;
    assert_eq!(contents(&store, &pods()), (FIRST_REVISION, vec![]));
    let future = store.list(&ListRequest { at: Some(2), ..pods() });
    assert!(matches!(future, Err(Error::FutureRevision { requested: 2, current: 1 })));
    assert_eq!(store.count("pods"), 0);
    assert_eq!(store.collections(), [("pods".to_owned(), 0)]);
}

async fn one_of_many_concurrent_writers_wins(opener: Opener) {
    let store = opener.open().await;
    let race = |operation: fn(Store, usize) -> tokio::task::JoinHandle<bool>| {
        let tasks: Vec<_> = (0..64).map(|number| operation(store.clone(), number)).collect();
        async move {
            let mut winners = 0;
            for task in tasks {
                winners += usize::from(task.await.unwrap());
            }
            winners
        }
    };
    let creates = |store: Store, number: usize| {
        tokio::spawn(
            async move { store.create(key("a/one"), value(&number.to_string()), None).await.is_ok() },
        )
    };
    assert_eq!(race(creates).await, 1);
    let updates = |store: Store, number: usize| {
        tokio::spawn(async move {
            store.update(key("a/one"), value(&format!("u{number}")), Some(2), None).await.is_ok()
        })
    };
    assert_eq!(race(updates).await, 1);
    let deletes =
        |store: Store, _| tokio::spawn(async move { store.delete(key("a/one"), None).await.is_ok() });
    assert_eq!(race(deletes).await, 1);
    assert_eq!(store.revision(), 4);
}

async fn bad_values_are_refused(opener: Opener) {
    let store = Store::open(Options { max_object_bytes: 100, ..opener.options() }).await.unwrap();
    let long = value(&"x".repeat(100));
    for (bad, why) in [
        (Bytes::from_static(b"nothing"), "not a JSON object"),
        (Bytes::from_static(b"{}"), "no metadata"),
        (long.clone(), "the limit is 100"),
    ] {
        let Err(Error::BadValue { why: found, .. }) = store.create(key("a/one"), bad, None).await else {
            unreachable!("refused");
        };
        assert!(found.contains(why), "{found}");
    }
    store.create(key("a/one"), value("1"), None).await.unwrap();
    assert!(matches!(store.update(key("a/one"), long, None, None).await, Err(Error::BadValue { .. })));
    assert!(matches!(
        store.create(Key::new("pods", None, ""), value(""), None).await,
        Err(Error::BadValue { .. })
    ));
    assert!(matches!(
        store.create(Key::new("", None, "a"), value(""), None).await,
        Err(Error::BadValue { .. })
    ));
    assert_eq!(store.revision(), 2);
}

async fn keys_of_nested_prefixes_do_not_collide(opener: Opener) {
    let store = opener.open().await;
    // Where the prefix ends is told by metadata.
    let value = |namespace: &str, name: &str| {
        let metadata = match namespace {
            "" => format!(r#"{{"name":"{name}"}}"#),
            _ => format!(r#"{{"name":"{name}","namespace":"{namespace}"}}"#),
        };
        Bytes::from(format!(r#"{{"metadata":{metadata}}}"#))
    };
    store.create(Key::new("services", Some("specs"), "a"), value("specs", "a"), None).await.unwrap();
    let same = store.create(Key::new("services/specs", None, "a"), value("", "a"), None).await;
    assert!(matches!(same, Err(Error::BadValue { .. })));
    store.create(Key::new("services/specs", Some("x"), "a"), value("x", "a"), None).await.unwrap();
    let same = store.create(Key::new("services", Some("specs/x"), "a"), value("specs/x", "a"), None).await;
    assert!(matches!(same, Err(Error::BadValue { .. })));
    assert_eq!((store.count("services"), store.count("services/specs")), (1, 1));
    // The place is free again after the deletion.
    store.delete(Key::new("services", Some("specs"), "a"), None).await.unwrap();
    store.create(Key::new("services/specs", None, "a"), value("", "a"), None).await.unwrap();
}

async fn revisions_are_waited_for(opener: Opener) {
    let store = opener.open().await;
    store.wait_for(1, Duration::ZERO).await.unwrap();
    let early = store.wait_for(2, Duration::from_millis(1)).await;
    assert!(matches!(early, Err(Error::FutureRevision { requested: 2, current: 1 })));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait_for(3, LONG).await }
    });
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.create(key("a/two"), value("1"), None).await.unwrap();
    waiting.await.unwrap().unwrap();
}

async fn a_closed_store_says_so(opener: Opener) {
    let store = opener.open().await;
    store.create(key("a/one"), value("1"), None).await.unwrap();
    let mut watch = store.watch("pods", 2).unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait_for(100, LONG).await }
    });
    let (first, second) = tokio::join!(store.close(), store.close());
    first.unwrap();
    second.unwrap();
    assert!(watch.next(1).await.is_none());
    assert!(matches!(waiting.await.unwrap(), Err(Error::Closed)));
    assert!(matches!(store.create(key("a/two"), value("1"), None).await, Err(Error::Closed)));
    assert!(matches!(store.update(key("a/one"), value("2"), None, None).await, Err(Error::Closed)));
    assert!(matches!(store.delete(key("a/one"), None).await, Err(Error::Closed)));
    assert!(matches!(store.list(&pods()), Err(Error::Closed)));
    assert!(matches!(store.watch("pods", 2), Err(Error::Closed)));
    assert!(matches!(store.compact(2).await, Err(Error::Closed)));
    assert!(matches!(store.health(), Err(Error::Closed)));
}

async fn figures_are_counted(opener: Opener) {
    let store = opener.open().await;
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.update(key("a/one"), value("1"), None, None).await.unwrap();
    store.create(key("a/one"), value("1"), None).await.unwrap_err();
    let stats = store.stats();
    assert_eq!((stats.commits, stats.writes, stats.largest_batch), (1, 1, 1));
    assert_eq!((stats.unchanged, stats.rejected, stats.failed_commits), (1, 1, 0));
    assert_eq!(stats.commit_buckets.iter().sum::<u64>(), 1);
    store.health().unwrap();
}
