//! Components that do wrong: the caller is told, everybody else is served.

use crate::support::{SOON, Server, chain_with, component, refused};
use std::time::Instant;

const GRANTS: &str = "  grants: {paths: [/faulty], groups: [faulty.example.com], \
    resources: [{apiGroups: [''], resources: [configmaps], verbs: [get, watch]}]}";

/// A server with the faulty component in front of core, its calls limited to one second.
fn server(directory: &std::path::Path) -> Server {
    server_that(directory, "")
}

/// The same with an error in the component's configuration.
fn server_that(directory: &std::path::Path, fail: &str) -> Server {
    let limits = "{timeoutSeconds: 1, memory: 16Mi, logLinesPerSecond: 10}";
    let rest = format!("{GRANTS}\n  configuration: {{fail: {fail:?}}}\n  limits: {limits}");
    let chain = chain_with(directory, "faulty", &component("faulty"), &rest);
    Server::start_in(&directory.join("data"), &[&chain])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_costs_one_request_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    for (path, code) in [
        ("/faulty/trap", 500),
        ("/faulty/recurse", 500),
        ("/faulty/grow", 500),
        ("/faulty/nonsense", 500),
        ("/faulty/no-json", 500),
        ("/faulty/no-utf8", 500),
        ("/faulty/loop", 504),
    ] {
        let answer = server.send("GET", path, "").await;
        assert_eq!(answer.code, code, "{path}: {}", answer.text());
        let status = answer.json();
        assert_eq!(status["kind"], "Status", "{path}");
        assert!(status["message"].as_str().unwrap().contains("faulty"), "{path}: {status}");
        let next = server.send("GET", "/faulty/ok", "").await;
        assert_eq!((next.code, next.text().as_str()), (200, "ok"), "after {path}");
    }
    let metrics = server.send("GET", "/metrics", "").await.text();
    let count = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{plugin=\"faulty\"")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    assert_eq!(count("chainplate_plugin_traps_total"), 5.0, "{metrics}");
    assert_eq!(count("chainplate_plugin_timeouts_total"), 1.0);
    assert!(server.log().contains("a panic on request"), "the panic's own words are logged");
    assert!(server.log().contains("the document of an answer is no JSON: "), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transform_that_fails_costs_one_request() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    for (word, code, said) in [
        ("trap", 500, "see the server's log"),
        ("recurse", 500, "see the server's log"),
        ("loop", 504, "did not answer within 1s"),
        ("no-json", 500, "transform \"fault\" made what is no JSON"),
        ("no-utf8", 500, "transform \"fault\" made what is no JSON"),
        ("too-few", 500, "failed"),
        ("refuse", 500, "failed"),
    ] {
        let answer = server.send("GET", &format!("/faulty/transform/{word}"), "").await;
        assert_eq!(answer.code, code, "{word}: {}", answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("component \"faulty\"") && message.contains(said), "{word}: {message}");
        let next = server.send("GET", "/faulty/transform/nothing", "").await;
        assert_eq!((next.code, &next.json()["kind"]), (200, &"Fault".into()), "after {word}");
    }
    let log = server.log();
    for line in ["a panic in a transform", "results for 1 objects: 0", "it will not transform that"] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_openapi_that_is_none_is_an_error_of_its_group_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_that(directory.path(), "openapi");
    let answer = server.send("GET", "/openapi/v3/apis/faulty.example.com/v1", "").await;
    assert_eq!(answer.code, 500, "{}", answer.text());
    assert!(
        answer.text().contains("component \\\"faulty\\\" made a document of OpenAPI"),
        "{}",
        answer.text()
    );
    assert_eq!(server.send("GET", "/openapi/v3/api/v1", "").await.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciler_that_fails_is_told_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_that(directory.path(), "reconcile");
    let maps = "/api/v1/namespaces/default/configmaps";
    let map =
        |name: &str| format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#);
    for (word, said) in [
        ("trap", "it trapped"),
        ("loop", "it did not answer within 1s"),
        ("recurse", "it trapped"),
        ("grow", "it trapped"),
        ("refuse", "it will not reconcile that"),
    ] {
        assert_eq!(server.send("POST", maps, map(word)).await.code, 201, "{word}");
        server.wait_log(&format!("reconcile failed, again later: {said}"));
        server.wait_log(&format!("object=\"default/{word}\""));
        assert_eq!(server.send("DELETE", &format!("{maps}/{word}"), "").await.code, 200, "{word}");
    }
    assert!(server.log().contains("plugin=\"faulty\" controller=\"maps\""), "{}", server.log());
    assert_eq!(server.send("POST", maps, map("well")).await.code, 201);
    server.wait_log("reconciled well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_keeps_trapping_rests_and_its_api_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_that(directory.path(), "reconcile");
    for number in 0..12 {
        let map =
            format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"trap-{number}"}}}}"#);
        let made = server.send("POST", "/api/v1/namespaces/default/configmaps", map).await;
        assert_eq!(made.code, 201, "{}", made.text());
    }
    server.wait_log("it failed repeatedly: not called for 1s plugin=\"faulty\" doing=reconcile maps");
    let answer = server.send("GET", "/faulty/ok", "").await;
    assert_eq!((answer.code, answer.text().as_str()), (200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_on_every_thread_do_not_hold_up_others() {
    let directory = tempfile::tempdir().unwrap();
    let server = std::sync::Arc::new(server(directory.path()));
    let loops: Vec<_> = (0..16)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.send("GET", "/faulty/loop", "").await.code })
        })
        .collect();
    let started = Instant::now();
    assert_eq!(server.send("GET", "/api/v1/namespaces/default", "").await.code, 200);
    assert!(started.elapsed() < SOON);
    for looped in loops {
        assert_eq!(looped.await.unwrap(), 504);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    let refused = server.send("GET", "/faulty/secrets", "").await;
    assert_eq!(refused.code, 403);
    assert!(refused.text().contains("grants.storage"), "{}", refused.text());
    assert_eq!(server.send("GET", "/not-granted", "").await.code, 404);
    assert!(server.log().contains("grants.paths"), "{}", server.log());
    // A malformed header is left out.
    let answer = server.send("GET", "/faulty/bad-header", "").await;
    assert_eq!((answer.code, answer.headers.get("a b")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_cut_and_its_loss_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(directory.path());
    assert_eq!(server.send("GET", "/faulty/flood", "").await.code, 200);
    let deadline = Instant::now() + SOON;
    while !server.log().contains("log lines over the limit were dropped; see limits.logLinesPerSecond") {
        assert_eq!(server.send("GET", "/faulty/say", "").await.code, 200);
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    let log = server.log();
    let written = log.lines().filter(|line| line.contains("flood ")).count();
    // Ten seconds' worth at once, and what was earned meanwhile.
    assert!((1..500).contains(&written), "{written} of 2000 lines");
    let longest = log.lines().map(str::len).max().unwrap_or_default();
    assert!((10_000..20_000).contains(&longest), "a line of 1 MiB has {longest} bytes");
}

#[test]
fn a_component_that_does_not_start_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let wasm = component("faulty");
    for (fail, said) in [
        ("configure", "this configuration is refused"),
        ("trap-in-configure", "trapped"),
        ("loop-in-configure", "did not answer within 1s"),
        ("prepare", "it will not be prepared"),
        ("trap-in-prepare", "trapped"),
        ("discovery", "a document of discovery that is no JSON"),
    ] {
        let rest = format!("{GRANTS}\n  configuration: {{fail: {fail}}}\n  limits: {{timeoutSeconds: 1}}");
        let text = refused(&data, &[&chain_with(directory.path(), "faulty", &wasm, &rest)]);
        assert!(text.contains("component \"faulty\"") && text.contains(said), "{fail}: {text}");
    }
    let rest = format!("{GRANTS}\n  limits: {{memory: 64Ki}}");
    let text = refused(&data, &[&chain_with(directory.path(), "faulty", &wasm, &rest)]);
    assert!(text.contains("component \"faulty\"") && text.contains("limits.memory"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_once_it_serves_keeps_the_server_from_being_ready_and_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let rest = format!("{GRANTS}\n  configuration: {{fail: trap-in-post-start}}");
    let chain = chain_with(directory.path(), "faulty", &component("faulty"), &rest);
    let server = Server::launch(&directory.path().join("data"), &[&chain]);
    server.wait_log("plugin=\"faulty\"");
    server.wait_log("post-start hook failed, again in");
    let ready = server.send("GET", "/readyz", "").await;
    assert_eq!(ready.code, 500, "{}", ready.text());
    assert!(ready.text().contains("[-]poststarthook/chain/faulty failed"), "{}", ready.text());
    assert_eq!(server.send("GET", "/faulty/ok", "").await.code, 200);
}

#[test]
fn a_file_that_is_no_component_is_refused_with_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let wasm = directory.path().join("broken.wasm");
    let other_version = {
        let bytes = std::fs::read(component("hello")).unwrap();
        let (from, to) = (b"chainplate:server/handler@0.2.0", b"chainplate:server/handler@0.9.0");
        let mut bytes = bytes;
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
            bytes[at + found..][..to.len()].copy_from_slice(to);
            at += found + to.len();
        }
        bytes
    };
    for (bytes, said) in [
        (b"#!/bin/sh".to_vec(), "not a WebAssembly component"),
        (b"\0asm\x01\0\0\0".to_vec(), "core module"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "none of the worlds"),
        (other_version, "this host has chainplate:server@0.2.0"),
    ] {
        std::fs::write(&wasm, bytes).unwrap();
        let text = refused(&data, &[&chain_with(directory.path(), "broken", &wasm, "")]);
        assert!(text.contains("component \"broken\"") && text.contains(said), "{said}: {text}");
    }
    let text =
        refused(&data, &[&chain_with(directory.path(), "gone", &directory.path().join("gone.wasm"), "")]);
    assert!(text.contains("gone.wasm"), "{text}");
}

#[test]
fn a_broken_chain_configuration_is_one_clear_message() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let file = directory.path().join("chain.yaml");
    std::fs::write(&file, "apiVersion: v1\nkind: List\ncomponents: []\n").unwrap();
    let text = refused(&data, &[&format!("--chain-config={}", file.display())]);
    assert!(text.contains("chain.yaml") && text.contains("ServerChainConfiguration"), "{text}");
    let text = refused(&data, &["--chain-config=/nowhere/chain.yaml"]);
    assert!(text.contains("/nowhere/chain.yaml"), "{text}");
}

#[test]
fn a_directory_in_use_and_a_port_taken_are_one_clear_message() {
    let server = Server::start(&[]);
    let text = refused(server.data(), &[]);
    assert!(text.contains("--data-dir") && text.contains(&server.data().display().to_string()), "{text}");
    let other = tempfile::tempdir().unwrap();
    let port = server.url().rsplit(':').next().unwrap();
    let text = refused(other.path(), &[&format!("--secure-port={port}")]);
    assert!(text.contains("--secure-port"), "{text}");
    let text =
        refused(other.path(), &["--tls-cert-file=/nowhere.crt", "--tls-private-key-file=/nowhere.key"]);
    assert!(text.contains("/nowhere"), "{text}");
}
