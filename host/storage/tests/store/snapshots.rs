//! Snapshots, restoring, and the maintenance of closed stores.

use crate::{Opener, contents, embedded, key, on_engines, open, pods, value};
use chainplate_storage::{Error, Key, ListRequest, Store, maintenance, snapshot};
use std::{fs, path::Path, time::Duration};

on_engines![a_snapshot_is_the_state_at_its_revision, a_restored_store_goes_on_where_the_snapshot_was_taken];

async fn taken(store: &Store) -> Vec<u8> {
    let mut stream = Vec::new();
    store.snapshot().await.unwrap().write_to(&mut stream).unwrap();
    stream
}

async fn a_snapshot_is_the_state_at_its_revision(opener: Opener) {
    let store = opener.open().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.spawn(async move {
            for number in 0..150 {
                let prefix = ["pods", "nodes", "services/specs"][number % 3];
                let key = Key::new(prefix, Some("a"), &format!("{writer}-{}", number % 20));
                let content = value(&format!("{number}"));
                if store.update(key.clone(), content.clone(), None, None).await.is_err() {
                    store.create(key.clone(), content, None).await.unwrap();
                }
                if number % 7 == 0 {
                    store.delete(key, None).await.unwrap();
                }
            }
        });
    }
    while !writers.is_empty() {
        let snapshot = store.snapshot().await.unwrap();
        let at = Some(snapshot.revision());
        let mut stream = Vec::new();
        snapshot.write_to(&mut stream).unwrap();
        let reader = snapshot::read(stream.as_slice()).unwrap();
        assert_eq!(Some(reader.revision()), at);
        let mut found: Vec<_> = reader.map(|object| object.unwrap()).collect();
        found.sort_by(|a, b| a.key().cmp(b.key()));
        let mut expected = Vec::new();
        for prefix in ["nodes", "pods", "services/specs"] {
            expected.extend(store.list(&ListRequest { prefix, at, ..pods() }).unwrap().objects);
        }
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.key(), found.json()), (expected.key(), expected.json()));
            assert_eq!(found.create_revision(), expected.create_revision());
        }
        writers.join_next().await.unwrap().unwrap();
    }
}

async fn a_restored_store_goes_on_where_the_snapshot_was_taken(opener: Opener) {
    let store = opener.open().await;
    store.create(key("a/one"), value("1"), Some(Duration::from_secs(3600))).await.unwrap();
    store.update(key("a/one"), value("2"), None, Some(Duration::from_secs(7200))).await.unwrap();
    store.create(key("a/two"), value("2"), None).await.unwrap();
    store.create(Key::new("services/specs", Some("a"), "b"), value("s"), None).await.unwrap();
    store.delete(key("a/two"), None).await.unwrap();
    let stream = taken(&store).await;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("new").join("data");
    let restored = snapshot::restore(stream.as_slice(), &directory).unwrap();
    assert_eq!((restored.revision, restored.objects), (6, 2));
    let report = maintenance::check(&directory).unwrap();
    assert_eq!((report.revision, report.rows, report.dead_rows, report.repaired), (6, 2, 0, false));
    assert_eq!(
        report.objects.into_iter().collect::<Vec<_>>(),
        [("pods".to_owned(), 1), ("services/specs".to_owned(), 1)]
    );
    for _ in 0..2 {
        let copy = open(&directory).await;
        assert_eq!(copy.revision(), 6);
        let (old, new) = (store.get(&key("a/one")).unwrap(), copy.get(&key("a/one")).unwrap());
        assert_eq!((old.json(), old.expires()), (new.json(), new.expires()));
        assert_eq!((new.revision(), new.create_revision()), (3, 2));
        for prefix in ["pods", "services/specs", "nodes"] {
            assert!(matches!(copy.watch(prefix, 5), Err(Error::Compacted { oldest: 6, .. })), "{prefix}");
            copy.watch(prefix, 6).unwrap();
        }
        copy.close().await.unwrap();
    }
    // Never over another store.
    let again = snapshot::restore(stream.as_slice(), &directory).unwrap_err().to_string();
    assert!(again.contains("there is a store in"), "{again}");
    open(&directory).await.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_or_cut_snapshot_is_refused_and_leaves_nothing() {
    let store = Opener::memory().open().await;
    for name in ["one", "two", "three"] {
        store.create(key(name), value(name), None).await.unwrap();
    }
    let stream = taken(&store).await;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let refused = |stream: &[u8]| {
        let read = snapshot::read(stream).and_then(|reader| reader.collect::<Result<Vec<_>, _>>());
        assert!(matches!(read, Err(Error::Snapshot(_))), "{read:?}");
    };
    for cut in 0..stream.len() {
        refused(&stream[..cut]);
    }
    for index in 0..stream.len() {
        let mut changed = stream.clone();
        changed[index] ^= 1 << (index % 8);
        refused(&changed);
    }
    for bad in [&stream[..0], &stream[..30], &stream[..stream.len() - 1], &[0; 100][..]] {
        let error = snapshot::restore(bad, &directory).unwrap_err();
        assert!(matches!(error, Error::Snapshot(_)), "{error}");
        assert!(!directory.exists() || directory.read_dir().unwrap().next().is_none(), "nothing is left");
    }
    snapshot::restore(stream.as_slice(), &directory).unwrap();
    assert_eq!(contents(&open(&directory).await, &pods()).1, ["one=one", "three=three", "two=two"]);
}

#[tokio::test]
async fn a_store_whose_restoring_was_interrupted_is_not_opened_empty() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("restoring.redb"), "half").unwrap();
    let why = Store::open(embedded(place.path())).await.unwrap_err().to_string();
    assert!(why.contains("not restored to its end") && why.contains("empty the directory"), "{why}");
}

#[tokio::test]
async fn compacting_makes_the_file_small_and_changes_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path()).await;
    for number in 0..200 {
        store.create(key(&format!("a/{number}")), value(&"x".repeat(20_000)), None).await.unwrap();
    }
    for number in 0..190 {
        store.delete(key(&format!("a/{number}")), None).await.unwrap();
    }
    store.compact(store.revision() - 1).await.unwrap();
    let in_use = maintenance::check(place.path()).unwrap_err().to_string();
    assert!(in_use.contains("in use by another process"), "{in_use}");
    let before = contents(&store, &pods());
    store.close().await.unwrap();
    let done = maintenance::compact(place.path()).unwrap();
    assert!(done.before > 4_000_000 && done.after < 1_000_000, "{done:?}");
    let store = open(place.path()).await;
    assert_eq!(contents(&store, &pods()), before);
    assert_eq!(store.watch("pods", before.0 - 1).unwrap().next(9).await.unwrap().unwrap().len(), 1);
    store.close().await.unwrap();
}

#[test]
fn nothing_is_made_where_no_store_is() {
    let place = tempfile::tempdir().unwrap();
    for error in [
        maintenance::check(place.path()).unwrap_err(),
        maintenance::compact(Path::new("/nowhere")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("there is no store in"), "{error}");
    }
    assert!(place.path().read_dir().unwrap().next().is_none());
}
