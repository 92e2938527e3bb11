//! The chain is replaced while it serves: nobody is refused, nothing is cut, and a chain that does not come up changes nothing.

use crate::support::{SOON, Server, chain_with, component};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ObjectMeta, PostParams, WatchEvent, WatchParams},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const GRANTS: &str = "  grants: {groups: [hello.example.com], paths: [/hello]}";

/// Writes the configuration with another word for `/hello`.
fn say(directory: &Path, word: &str) -> String {
    let rest = format!("  configuration: {{word: {word}}}\n{GRANTS}");
    chain_with(directory, "hello", &component("hello"), &rest)
}

async fn until_hello_says(server: &Server, word: &str) {
    let deadline = Instant::now() + SOON;
    loop {
        let said = server.send("GET", "/hello", "").await.text();
        if said.starts_with(word) {
            return;
        }
        assert!(Instant::now() < deadline, "{said:?} instead of {word:?}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_a_changed_file_and_the_endpoint_reload_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let chain = say(directory.path(), "One");
    let server = Server::start_in(&directory.path().join("data"), &[&chain]);
    until_hello_says(&server, "One").await;
    say(directory.path(), "Two");
    until_hello_says(&server, "Two").await;
    say(directory.path(), "Three");
    server.signal("HUP");
    until_hello_says(&server, "Three").await;
    say(directory.path(), "Four");
    let deadline = Instant::now() + SOON;
    loop {
        let answer = server.send("POST", "/debug/chain/reload", "").await;
        if answer.code == 200 {
            break;
        }
        assert_eq!(answer.code, 429, "{}", answer.text());
        assert!(Instant::now() < deadline);
    }
    until_hello_says(&server, "Four").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_does_not_come_up_leaves_the_old_one_serving() {
    let directory = tempfile::tempdir().unwrap();
    let chain = say(directory.path(), "One");
    let server = Server::start_in(&directory.path().join("data"), &[&chain]);
    until_hello_says(&server, "One").await;
    for (at, (rest, part)) in [
        ((Path::new("/nowhere.wasm").to_owned(), GRANTS), "/nowhere.wasm"),
        ((component("faulty"), "  configuration: {fail: prepare}"), "it will not be prepared"),
        ((component("faulty"), "  configuration: {fail: trap-in-configure}"), "does not start"),
        ((component("faulty"), "  configuration: {fail: trap-in-post-start}"), "post-start hook: it trapped"),
        ((component("hello"), "  configuration: {word: Two}"), "grants"),
    ]
    .into_iter()
    .enumerate()
    {
        chain_with(directory.path(), "hello", &rest.0, rest.1);
        let deadline = Instant::now() + SOON;
        let told = loop {
            let answer = server.send("POST", "/debug/chain/reload", "").await;
            if answer.code == 422 {
                break answer.text();
            }
            assert_eq!(answer.code, 429, "case {at}: {}", answer.text());
            assert!(Instant::now() < deadline);
        };
        assert!(told.contains("not reloaded") && told.contains(part), "case {at}: {told}");
        assert_eq!(server.send("GET", "/hello", "").await.text(), "One, kubernetes-admin!\n", "case {at}");
    }
    assert_eq!(server.send("GET", "/readyz", "").await.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_and_no_watch_is_cut_while_the_chain_is_reloaded() {
    let directory = tempfile::tempdir().unwrap();
    let chain = say(directory.path(), "One");
    let server = Arc::new(Server::start_in(&directory.path().join("data"), &[&chain]));
    let client = server.client().await;
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let mut watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();

    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (server, stop, sent) = (server.clone(), stop.clone(), sent.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    for path in [
                        "/hello",
                        "/api/v1/namespaces/default",
                        "/apis/hello.example.com/v1/greetings",
                        "/apis",
                    ] {
                        let answer = server.send("GET", path, "").await;
                        assert_eq!(answer.code, 200, "{path}: {}", answer.text());
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let (mut storms, mut turned_away) = (0, 0);
    while server.log().matches("chain reloaded").count() < 20 {
        // A storm: all at once, and the signal with them. One at a time gets its turn.
        server.signal("HUP");
        let storm = (0..4).map(|_| server.send("POST", "/debug/chain/reload", ""));
        for answer in futures_util::future::join_all(storm).await {
            match answer.code {
                200 => {}
                code => {
                    assert_eq!(code, 429, "{}", answer.text());
                    assert!(answer.headers.contains_key("retry-after"), "{}", answer.text());
                    turned_away += 1;
                }
            }
        }
        storms += 1;
        let metadata = ObjectMeta { name: Some(format!("made-in-{storms}")), ..Default::default() };
        maps.create(&PostParams::default(), &ConfigMap { metadata, ..Default::default() }).await.unwrap();
    }
    let last = ObjectMeta { name: Some("made-last".into()), ..Default::default() };
    maps.create(&PostParams::default(), &ConfigMap { metadata: last, ..Default::default() }).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(sent.load(Ordering::Relaxed) > 100, "{sent:?}");
    assert!(turned_away > 0, "reloads at once are one reload");
    let last = async {
        while let Some(event) = watch.next().await {
            if let WatchEvent::Added(map) = event.unwrap()
                && map.metadata.name.as_deref() == Some("made-last")
            {
                return;
            }
        }
        panic!("the watch ended");
    };
    tokio::time::timeout(SOON, last).await.expect("the watch goes on through all reloads");
}
