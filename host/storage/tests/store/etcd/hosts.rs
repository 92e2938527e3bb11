//! Several hosts on one etcd.

use super::{open, options, server::Server, until};
use crate::{LONG, contents, key, pods, spec, value};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use chainplate_storage::{EngineOptions, Error, EventKind, Store};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_host_was_told_all_hosts_see_after_a_refresh() {
    let Some(server) = Server::start(&[]) else { return };
    let (a, b) = (open(&[&server]).await, open(&[&server]).await);
    for number in 0..100 {
        let (writer, reader) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let key = key(&format!("n/{}", number % 7));
        let content = number.to_string();
        let before = writer.get(&key).map(|object| object.revision());
        let revision = match (number % 3, before) {
            (_, None) => writer.create(key.clone(), value(&content), None).await.unwrap().revision(),
            (2, before) => writer.delete(key.clone(), before).await.unwrap().revision(),
            (_, before) => {
                writer.update(key.clone(), value(&content), before, None).await.unwrap().revision()
            }
        };
        reader.refresh().await.unwrap();
        assert!(reader.revision() >= revision);
        match reader.get(&key) {
            Some(object) => assert_eq!((object.revision(), spec(&object)), (revision, content)),
            None => assert!(writer.get(&key).is_none()),
        }
    }
    assert_eq!(contents(&a, &pods()), contents(&b, &pods()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_on_two_hosts_one_wins_and_the_other_can_read_why() {
    let Some(server) = Server::start(&[]) else { return };
    let stores = [open(&[&server]).await, open(&[&server]).await];
    let mut revision = stores[0].create(key("n/a"), value("0"), None).await.unwrap().revision();
    stores[1].refresh().await.unwrap();
    for round in 1..50 {
        let write = |host: usize| {
            stores[host].update(key("n/a"), value(&format!("{round}-{host}")), Some(revision), None)
        };
        let results: [_; 2] = tokio::join!(write(0), write(1)).into();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let winner = results.iter().find_map(|result| result.as_ref().ok()).unwrap().revision();
        for (store, result) in stores.iter().zip(&results) {
            let seen = store.get(&key("n/a")).unwrap().revision();
            match result {
                Err(Error::Conflict { current, .. }) => assert_eq!((*current, seen), (winner, winner)),
                _ => assert_eq!(seen, winner),
            }
        }
        revision = winner;
    }
    // Without a precondition the stale cache of a host is no excuse.
    stores[0].delete(key("n/a"), None).await.unwrap();
    stores[1].create(key("n/a"), value("again"), None).await.unwrap();
    stores[0].update(key("n/a"), value("1"), None, None).await.unwrap();
    stores[1].update(key("n/a"), value("2"), None, None).await.unwrap();
    stores[0].delete(key("n/a"), None).await.unwrap();
    assert!(matches!(stores[1].delete(key("n/a"), None).await, Err(Error::NotFound(_))));
    assert!(stores[1].get(&key("n/a")).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_others_do_not_hold_up_reads() {
    let Some(server) = Server::start(&[]) else { return };
    let mut elsewhere = options(&[&server]);
    if let EngineOptions::Etcd(etcd) = &mut elsewhere.engine {
        "/other".clone_into(&mut etcd.prefix);
    }
    let (ours, theirs) = (open(&[&server]).await, Store::open(elsewhere).await.unwrap());
    let mut watch = ours.watch("pods", ours.revision()).unwrap();
    for number in 0..5 {
        let told = theirs.create(key(&format!("n/{number}")), value(""), None).await.unwrap().revision();
        let readers = (0..20).map(|_| {
            let ours = ours.clone();
            tokio::spawn(async move { ours.refresh().await.map(|()| ours.revision()) })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert!(reader.await.unwrap().unwrap() >= told);
        }
    }
    // Nothing of that is seen, neither the keys nor what proved them foreign.
    assert_eq!(ours.count("pods"), 0);
    assert_eq!(ours.collections(), [("pods".to_owned(), 0)]);
    assert!(watch.progress() >= theirs.revision());
    ours.create(key("n/a"), value(""), None).await.unwrap();
    let events = watch.next(9).await.unwrap().unwrap();
    assert_eq!((events.len(), &*events[0].object.key().path), (1, "n/a"));
    let reopened = open(&[&server]).await;
    assert_eq!(reopened.collections(), [("pods".to_owned(), 1)]);
}

/// A request to etcd's JSON gateway.
fn gateway(server: &Server, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v3/{path} HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

fn put(server: &Server, key: &str, value: &[u8]) {
    let (key, value) = (BASE64.encode(key), BASE64.encode(value));
    gateway(server, "kv/put", &format!(r#"{{"key":"{key}","value":"{value}"}}"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_others_are_left_alone() {
    let Some(server) = Server::start(&[]) else { return };
    put(&server, "/registry/pods/n/old", b"k8s\0\x01\x02");
    put(&server, "/registry/pods/n/broken", b"{");
    put(&server, "/registry/pods/n/hand", br#"{"spec":"made","metadata":{"name":"hand","namespace":"n"}}"#);
    let store = open(&[&server]).await;
    assert_eq!(store.list(&pods()).unwrap().objects.len(), 1);
    let hand = store.get(&key("n/hand")).unwrap();
    assert_eq!(
        hand.json(),
        r#"{"metadata":{"resourceVersion":"4","name":"hand","namespace":"n"},"spec":"made"}"#
    );
    // Its place is taken all the same.
    assert!(matches!(store.create(key("n/old"), value(""), None).await, Err(Error::AlreadyExists(_))));

    let mut watch = store.watch("pods", store.revision()).unwrap();
    put(&server, "/registry/pods/n/new", b"\xff\xfe");
    put(&server, "/registry/alone", b"{}");
    put(&server, "/registry/pods/n/hand", b"gone");
    let events = tokio::time::timeout(LONG, watch.next(9)).await.unwrap().unwrap().unwrap();
    assert_eq!((events.len(), events[0].kind), (1, EventKind::Deleted));
    put(&server, "/registry/pods/n/hand", br#"{"metadata":{"name":"hand","namespace":"n"},"spec":"2"}"#);
    let events = tokio::time::timeout(LONG, watch.next(9)).await.unwrap().unwrap().unwrap();
    assert_eq!((events.len(), events[0].kind), (1, EventKind::Added));
    store.health().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_stand_where_upstream_has_them() {
    let Some(server) = Server::start(&[]) else { return };
    let store = open(&[&server]).await;
    let made = store.create(key("n/a"), value("1"), None).await.unwrap();
    let key = BASE64.encode("/registry/pods/n/a");
    let answer = gateway(&server, "kv/range", &format!(r#"{{"key":"{key}"}}"#));
    // As it was written, without a resourceVersion.
    assert!(answer.contains(&BASE64.encode(value("1"))), "{answer}");
    assert!(answer.contains(&format!(r#""mod_revision":"{}""#, made.revision())), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expires_is_deleted_for_all_hosts() {
    let Some(server) = Server::start(&[]) else { return };
    let (a, b) = (open(&[&server]).await, open(&[&server]).await);
    let mut watch = b.watch("pods", b.revision()).unwrap();
    let second = Some(Duration::from_secs(1));
    for number in 0..20 {
        a.create(key(&format!("n/{number}")), value(""), second).await.unwrap();
    }
    a.create(key("n/long"), value(""), Some(Duration::MAX)).await.unwrap();
    a.create(key("n/kept"), value(""), second).await.unwrap();
    // A write replaces the time to live.
    a.update(key("n/kept"), value("1"), None, None).await.unwrap();
    let mut deleted = 0;
    while deleted < 20 {
        for event in tokio::time::timeout(LONG, watch.next(9)).await.unwrap().unwrap().unwrap() {
            deleted += usize::from(event.kind == EventKind::Deleted);
        }
    }
    assert_eq!(contents(&b, &pods()).1, ["n/kept=1", "n/long="]);
    until("both see the same", || a.count("pods") == 2).await;
    // One lease for the objects that were made together, one for the long one, perhaps one more at a turn.
    let leases = gateway(&server, "lease/leases", "{}");
    assert!(leases.matches(r#""ID""#).count() <= 3, "{leases}");
}
