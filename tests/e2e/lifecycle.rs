//! The life of the process: start, signals, shutdown, crash.

use crate::support::{Server, command};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_turns_readyz_red_and_the_end_is_clean() {
    let server = Server::start(&["--shutdown-delay-duration=2s"]);
    assert_eq!(server.send("GET", "/readyz", "").await.text(), "ok");
    server.signal("TERM");
    server.wait_log("shutdown initiated");
    let readyz = server.send("GET", "/readyz", "").await;
    assert_eq!(readyz.code, 500, "{}", readyz.text());
    assert!(readyz.text().contains("[-]shutdown failed"), "{}", readyz.text());
    assert_eq!(server.send("GET", "/livez", "").await.code, 200);
    assert_eq!(
        server.send("GET", "/api/v1/namespaces/default", "").await.code,
        200,
        "served during the delay"
    );
    assert!(server.wait().success(), "{}", server.log());
}

#[test]
fn the_second_signal_ends_at_once_with_status_1() {
    let server = Server::start(&["--shutdown-delay-duration=60s"]);
    server.signal("INT");
    server.wait_log("shutdown initiated");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_end_in_order_when_the_server_goes_down() {
    let server = Server::start(&[]);
    let client = server.client().await;
    let request = http::Request::get("/api/v1/configmaps?watch=1&allowWatchBookmarks=true")
        .body(kube::client::Body::empty())
        .unwrap();
    let watch = client.send(request).await.unwrap();
    assert_eq!(watch.status(), 200);
    server.signal("TERM");
    let ended = http_body_util::BodyExt::collect(watch.into_body()).await;
    assert!(ended.is_ok(), "the stream ends, it does not break: {ended:?}");
    assert!(server.wait().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_in(directory.path(), &[]);
    let path = "/api/v1/namespaces/default/configmaps";
    let mut acknowledged = Vec::new();
    for index in 0..50 {
        let body = format!(r#"{{"metadata":{{"name":"c{index}"}},"data":{{"n":"{index}"}}}}"#);
        let answer = server.send("POST", path, body).await;
        assert_eq!(answer.code, 201, "{}", answer.text());
        let version: u64 = answer.json()["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        acknowledged.push((index, version));
    }
    server.signal("KILL");
    server.wait();
    let server = Server::start_in(directory.path(), &[]);
    for (index, version) in acknowledged {
        let there = server.send("GET", &format!("{path}/c{index}"), "").await.json();
        assert_eq!(there["data"]["n"], index.to_string());
        assert_eq!(there["metadata"]["resourceVersion"], version.to_string());
    }
    let list = server.send("GET", path, "").await.json();
    let revision: u64 = list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    assert!(revision >= acknowledged_last(&list), "the revision never goes back");
}

fn acknowledged_last(list: &serde_json::Value) -> u64 {
    let versions = list["items"].as_array().unwrap().iter();
    versions.map(|item| item["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()).max().unwrap()
}

#[test]
fn with_kube_api_versions_the_chain_starts_at_core() {
    let directory = tempfile::tempdir().unwrap();
    // The variable is the child's alone: tests run side by side.
    let mut child = command(directory.path(), &[])
        .env("KUBE_API_VERSIONS", "v1")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    while !said.contains("chainplate serves on") && Instant::now() < deadline {
        said.push_str(&lines.next().unwrap().unwrap());
        said.push('\n');
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.contains("plugin=\"core\"") && !said.contains("plugin=\"aggregator\""), "{said}");
}
