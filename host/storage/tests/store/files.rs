//! The data directory: restarts, locks, permissions, damage.

use crate::{contents, embedded, key, open, pods, value};
use chainplate_storage::{Error, EventKind, Key, ListRequest, Store};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

async fn refusal(directory: &Path) -> String {
    match Store::open(embedded(directory)).await {
        Err(Error::Engine(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restart_keeps_objects_the_clock_and_the_history() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    assert_eq!(store.revision(), 1);
    for (path, content) in [("a/one", "1"), ("a/two", "2"), ("three", "3")] {
        store.create(key(path), value(content), None).await.unwrap();
    }
    store.update(key("a/one"), value("1b"), None, None).await.unwrap();
    store.create(Key::new("services/specs", Some("a"), "one"), value("s"), None).await.unwrap();
    store.delete(key("a/two"), None).await.unwrap();
    let before = store.get(&key("a/one")).unwrap();
    store.close().await.unwrap();

    let store = open(place.path()).await;
    // The last write was a deletion: its revision counts.
    assert_eq!(contents(&store, &pods()), (7, vec!["a/one=1b".to_owned(), "three=3".to_owned()]));
    assert_eq!(contents(&store, &ListRequest { prefix: "services/specs", ..pods() }).1, ["a/one=s"]);
    let after = store.get(&key("a/one")).unwrap();
    assert_eq!(after.json(), before.json());
    assert_eq!((after.revision(), after.create_revision()), (5, 2));
    assert_eq!(after.stored(), before.stored());
    assert_eq!(after.after_head(), before.after_head());
    let mut watch = store.watch("pods", 4).unwrap();
    let events = watch.next(9).await.unwrap().unwrap();
    let tell = |event: &std::sync::Arc<chainplate_storage::Event>| {
        let previous = event.previous.as_ref().map(|previous| crate::spec(previous));
        (event.revision(), event.kind, previous)
    };
    let told: Vec<_> = events.iter().map(tell).collect();
    let expected = [(5, EventKind::Modified, Some("1".into())), (7, EventKind::Deleted, Some("2".into()))];
    assert_eq!(told, expected);
    assert_eq!(crate::spec(&events[1].object), "2");
    let past = ListRequest { at: Some(4), ..pods() };
    assert_eq!(contents(&store, &past).1, ["a/one=1", "a/two=2", "three=3"]);
    // Who has watched an empty collection goes on, too.
    store.watch("new", 6).unwrap();
    store.update(key("three"), value("4"), Some(4), None).await.unwrap();
    assert_eq!(watch.next(9).await.unwrap().unwrap()[0].revision(), 8);
    // Equal to what was loaded: no write.
    store.update(key("a/one"), value("1b"), None, None).await.unwrap();
    assert_eq!(store.revision(), 8);
    store.close().await.unwrap();
}

#[tokio::test]
async fn dropped_handles_lose_nothing_that_was_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    store.create(key("a/one"), value("1"), None).await.unwrap();
    drop(store);
    let options = embedded(place.path());
    // The writer gives the directory back when it has seen that nobody is left.
    let store = loop {
        match Store::open(options.clone()).await {
            Ok(store) => break store,
            Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
        }
    };
    assert!(store.get(&key("a/one")).is_some());
}

#[tokio::test]
async fn a_directory_has_one_user_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    let why = refusal(place.path()).await;
    assert!(
        why.contains("in use by another process") && why.contains(place.path().to_str().unwrap()),
        "{why}"
    );
    store.create(key("a/one"), value("1"), None).await.unwrap();
    store.close().await.unwrap();
    open(place.path()).await.close().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_can_read() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("deep").join("data");
    open(&directory).await.close().await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("store.redb")), 0o600);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "x").unwrap();
    let why = refusal(&file.join("data")).await;
    assert!(
        why.contains("data directory") && why.contains("file/data") && why.contains("check the path"),
        "{why}"
    );
}

/// A store with some objects, closed.
async fn filled(directory: &Path) {
    let store = open(directory).await;
    for number in 0..200 {
        store.create(key(&format!("a/{number}")), value(&"x".repeat(2000)), None).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("store.redb");
    for content in [&b"not a store"[..], &[0; 4096], &[0xff; 100_000]] {
        fs::write(&file, content).unwrap();
        let why = refusal(place.path()).await;
        assert!(why.contains("store.redb is damaged or not a store") && why.contains("snapshot"), "{why}");
        assert_eq!(fs::read(&file).unwrap(), content, "a refused file is left alone");
    }
}

#[tokio::test]
async fn a_cut_file_is_refused() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path()).await;
    let file = place.path().join("store.redb");
    let whole = fs::read(&file).unwrap();
    for part in 1..10 {
        fs::write(&file, &whole[..whole.len() / 10 * part]).unwrap();
        let why = refusal(place.path()).await;
        assert!(why.contains("store.redb is damaged"), "{part}: {why}");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(open(place.path()).await.count("pods"), 200);
}

#[tokio::test]
async fn overwritten_pages_are_noticed() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path()).await;
    let file = place.path().join("store.redb");
    let whole = fs::read(&file).unwrap();
    let mut refused = 0;
    for page in 0..whole.len() / 4096 {
        let mut torn = whole.clone();
        torn[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&file, &torn).unwrap();
        let options = embedded(place.path());
        match Store::open(options).await {
            // A page that is free: nothing is lost.
            Ok(store) => {
                let list = store.list(&pods()).unwrap();
                assert_eq!(list.objects.len(), 200);
                assert!(list.objects.iter().all(|object| crate::spec(object) == "x".repeat(2000)));
                store.close().await.unwrap();
            }
            Err(Error::Engine(why)) => {
                assert!(why.contains("store.redb"), "{why}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_directory_that_is_read_only_is_named() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path()).await;
    let set = |mode| fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    fs::set_permissions(place.path().join("lock"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(place.path().join("store.redb"), fs::Permissions::from_mode(0o400)).unwrap();
    // Permissions do not bind the superuser.
    if fs::OpenOptions::new().append(true).open(place.path().join("store.redb")).is_err() {
        let why = refusal(place.path()).await;
        assert!(why.contains("cannot write in") && why.contains("check the path"), "{why}");
    }
    set(0o700);
    // Nor can anyone write here.
    let why = refusal(Path::new("/proc/self/data")).await;
    assert!(why.contains("cannot make the data directory /proc/self/data"), "{why}");
}

/// Whether it is a failure, which must name the file.
fn named<T>(result: Result<T, Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::Engine(why)) if why.contains("store.redb") => true,
        Err(other) => panic!("{other}"),
    }
}

/// Every store that opens after `damage` has the 200 objects as they were; returns how many were refused.
async fn survive(whole: &[u8], rounds: usize, damage: impl Fn(&mut Vec<u8>, usize)) -> usize {
    let mut refused = 0;
    for round in 0..rounds {
        let place = tempfile::tempdir().unwrap();
        let mut damaged = whole.to_vec();
        damage(&mut damaged, round);
        fs::write(place.path().join("store.redb"), &damaged).unwrap();
        match Store::open(embedded(place.path())).await {
            Ok(store) => {
                let list = store.list(&pods()).unwrap();
                assert_eq!((list.revision, list.objects.len()), (201, 200), "round {round}");
                assert!(list.objects.iter().all(|object| crate::spec(object) == "x".repeat(2000)));
                // What is wrong with the free pages may show only now.
                refused += usize::from(named(store.close().await));
            }
            refusal => refused += usize::from(named(refusal)),
        }
    }
    refused
}

/// Some number that differs from round to round, below `bound`.
fn scattered(round: usize, bound: usize) -> usize {
    (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) as usize % bound
}

#[tokio::test]
async fn changed_bytes_and_torn_writes_are_noticed_or_harmless() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path()).await;
    let file = place.path().join("store.redb");
    let closed = fs::read(&file).unwrap();
    // As a crash leaves it.
    let store = open(place.path()).await;
    let running = fs::read(&file).unwrap();
    for (whole, name) in [(&closed, "closed"), (&running, "running")] {
        let length = whole.len();
        let flipped = survive(whole, 60, |bytes, round| {
            bytes[scattered(round, length)] ^= 1 << (round % 8);
        });
        // The first page says where everything is.
        let head = survive(whole, 80, |bytes, round| bytes[4 * round] ^= 1 << (round % 8)).await;
        let torn = survive(whole, 20, |bytes, round| {
            let at = scattered(round, length / 512) * 512;
            bytes[at..at + 512].fill(0);
        });
        println!("{name}: refused {} + {head} + {}", flipped.await, torn.await);
    }
    store.close().await.unwrap();
}
