//! Where objects are kept: several servers on one etcd, Events that expire, the tools.

use crate::support::{SOON, Server, command};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

#[path = "../support/etcd.rs"]
mod etcd;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
        .to_string()
}

fn crd() -> String {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.shared.example.com"},
        "spec": {
            "group": "shared.example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
    .to_string()
}

/// Waits until `done` says so; `what` is told if it never does.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < SOON, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn two_servers() -> Option<(etcd::Server, Server, Server)> {
    let etcd = etcd::Server::start(&[])?;
    let servers = format!("--etcd-servers={}", etcd.url());
    let (one, two) = (Server::start(&[&servers]), Server::start(&[&servers]));
    Some((etcd, one, two))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_acknowledged_the_other_has_at_once() {
    let Some((_etcd, one, two)) = two_servers() else { return };
    for round in 0..30 {
        let name = format!("c{round}");
        let path = format!("{CONFIG_MAPS}/{name}");
        assert_eq!(one.send("POST", CONFIG_MAPS, config_map(&name)).await.code, 201);
        let there = two.send("GET", &path, "").await;
        assert_eq!(there.code, 200, "{}", there.text());
        let mut changed = there.json();
        changed["data"]["a"] = "c".into();
        assert_eq!(two.send("PUT", &path, changed.to_string()).await.code, 200);
        assert_eq!(one.send("PUT", &path, changed.to_string()).await.code, 409, "it was changed meanwhile");
        assert_eq!(one.send("GET", &path, "").await.json()["data"]["a"], "c");
        assert_eq!(one.send("DELETE", &path, "").await.code, 200);
        assert_eq!(two.send("GET", &path, "").await.code, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_made_through_one_server_is_served_by_the_other() {
    let Some((_etcd, one, two)) = two_servers() else { return };
    const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const GROUP: &str = "/apis/shared.example.com/v1";
    assert_eq!(one.send("POST", CRDS, crd()).await.code, 201);
    let widget = json!({"apiVersion": "shared.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
    let widgets = format!("{GROUP}/namespaces/default/widgets");
    let made = two.send("POST", &widgets, widget.to_string()).await;
    assert_eq!(made.code, 201, "{}", made.text());
    until("discovery on the other server", async || two.send("GET", GROUP, "").await.code == 200).await;
    let listed = two.kubectl(&["get", "widgets", "-o", "name"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "widget.shared.example.com/w\n", "{listed:?}");
    // And gone again, discovery as well.
    let gone = format!("{CRDS}/widgets.shared.example.com");
    assert_eq!(one.send("DELETE", &gone, "").await.code, 200);
    until("the objects are deleted", async || one.send("GET", &gone, "").await.code == 404).await;
    until("no discovery any more", async || two.send("GET", GROUP, "").await.code == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_etcd_a_server_is_not_ready_and_comes_back_by_itself() {
    let Some(mut etcd) = etcd::Server::start(&[]) else { return };
    let server = Server::start(&[&format!("--etcd-servers={}", etcd.url())]);
    assert_eq!(server.send("POST", CONFIG_MAPS, config_map("kept")).await.code, 201);
    etcd.kill();
    until("readyz fails", async || server.send("GET", "/readyz", "").await.code == 500).await;
    let refused = server.send("GET", &format!("{CONFIG_MAPS}/kept"), "").await;
    assert!(refused.code >= 500, "{refused:?}");
    assert_eq!(refused.json()["kind"], "Status");
    let cached = server.send("GET", &format!("{CONFIG_MAPS}/kept?resourceVersion=0"), "").await;
    assert_eq!(cached.code, 200, "any state will do, and one is known");
    etcd.resume();
    etcd.ready();
    until("readyz recovers", async || server.send("GET", "/readyz", "").await.code == 200).await;
    assert_eq!(server.send("GET", &format!("{CONFIG_MAPS}/kept"), "").await.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_expire() {
    let server = Server::start(&["--event-ttl=2s"]);
    const EVENTS: &str = "/api/v1/namespaces/default/events";
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}, "reason": "R", "message": "m", "type": "Normal",
    });
    assert_eq!(server.send("POST", EVENTS, event.to_string()).await.code, 201);
    assert_eq!(server.send("POST", CONFIG_MAPS, config_map("stays")).await.code, 201);
    assert_eq!(server.send("GET", &format!("{EVENTS}/e"), "").await.code, 200);
    until("the event is gone", async || server.send("GET", &format!("{EVENTS}/e"), "").await.code == 404)
        .await;
    assert_eq!(server.send("GET", &format!("{CONFIG_MAPS}/stays"), "").await.code, 200);
}

/// Runs `chainplate storage …`; what it says.
fn tool(arguments: &[&str]) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_chainplate"))
        .arg("storage")
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_running_server_is_restored_into_another_directory() {
    let server = Server::start(&[]);
    assert_eq!(server.send("POST", CONFIG_MAPS, config_map("before")).await.code, 201);
    let place = tempfile::tempdir().unwrap();
    let (file, restored) = (place.path().join("snapshot"), place.path().join("restored"));
    let (done, said) = tool(&["snapshot", "save", path(&file), "--data-dir", path(server.data())]);
    assert!(done && said.starts_with("saved "), "{said}");
    assert_eq!(server.send("POST", CONFIG_MAPS, config_map("after")).await.code, 201);
    let (done, said) = tool(&["snapshot", "save", path(&file), "--data-dir", path(server.data())]);
    assert!(!done && said.contains("is there already"), "{said}");

    let (done, said) = tool(&["snapshot", "restore", path(&file), "--data-dir", path(&restored)]);
    assert!(done && said.starts_with("restored "), "{said}");
    let (done, said) = tool(&["snapshot", "restore", path(&file), "--data-dir", path(&restored)]);
    assert!(!done && said.contains("there is a store in"), "{said}");
    let (done, said) = tool(&["check", "--data-dir", path(&restored)]);
    assert!(done && said.contains(" configmaps\n"), "{said}");
    let (done, said) = tool(&["check", "--data-dir", path(server.data())]);
    assert!(!done && said.contains("in use by another process"), "{said}");

    let copy = Server::start_in(&restored, &[]);
    assert_eq!(copy.send("GET", &format!("{CONFIG_MAPS}/before"), "").await.code, 200);
    assert_eq!(copy.send("GET", &format!("{CONFIG_MAPS}/after"), "").await.code, 404);
    drop(copy);
    let (done, said) = tool(&["compact", "--data-dir", path(&restored)]);
    assert!(done && said.contains(" bytes before, "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_for_administrators() {
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens.csv");
    std::fs::write(&tokens, "secret,somebody,1\n").unwrap();
    let server = Server::start(&[&format!("--token-auth-file={}", tokens.display())]);
    let mut config = server.config().await;
    config.auth_info =
        kube::config::AuthInfo { token: Some("secret".to_owned().into()), ..Default::default() };
    config.default_retry = false;
    let request = ::http::Request::get("/debug/storage/snapshot").body(kube::client::Body::empty()).unwrap();
    let answer = kube::Client::try_from(config).unwrap().send(request).await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_move_to_etcd_and_back() {
    let Some(etcd) = etcd::Server::start(&[]) else { return };
    let servers = format!("--etcd-servers={}", etcd.url());
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    let server = Server::start_in(&first, &[]);
    assert_eq!(server.send("POST", CONFIG_MAPS, config_map("moves")).await.code, 201);
    let uid = |answer: Value| answer["metadata"]["uid"].clone();
    let before = uid(server.send("GET", &format!("{CONFIG_MAPS}/moves"), "").await.json());
    drop(server);

    let (done, said) = tool(&["migrate", "to-etcd", "--data-dir", path(&first), &servers]);
    assert!(done && said.starts_with("moved "), "{said}");
    let (done, said) = tool(&["migrate", "to-etcd", "--data-dir", path(&first), &servers]);
    assert!(!done && said.contains("already"), "{said}");
    let server = Server::start(&[&servers]);
    assert_eq!(uid(server.send("GET", &format!("{CONFIG_MAPS}/moves"), "").await.json()), before);
    drop(server);

    let (done, said) = tool(&["migrate", "to-data-dir", "--data-dir", path(&second), &servers]);
    assert!(done && said.starts_with("moved "), "{said}");
    let server = Server::start_in(&second, &[]);
    assert_eq!(uid(server.send("GET", &format!("{CONFIG_MAPS}/moves"), "").await.json()), before);
}

#[test]
fn wrong_flags_of_etcd_are_told() {
    let place = tempfile::tempdir().unwrap();
    let output = command(place.path(), &["--etcd-servers=127.0.0.1:2379", "--etcd-certfile=/nowhere"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["--etcd-servers=127.0.0.1:2379: is no URL", "--etcd-certfile=/nowhere: cannot be read"] {
        assert!(said.contains(part), "{said}");
    }
}
