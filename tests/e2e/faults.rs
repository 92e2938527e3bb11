//! Components that do wrong: the caller is told, everybody else is served.

use crate::support::{SOON, Server, chain_with, component, refused};
use std::time::Instant;

const GRANTS: &str = "  grants: {paths: [/faulty]}";

/// A server with the faulty component in front of core, its calls limited to one second.
fn server(directory: &std::path::Path) -> Server {
    let rest = format!("{GRANTS}\n  limits: {{timeoutSeconds: 1, memory: 16Mi}}");
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
    assert_eq!(count("chainplate_plugin_traps_total"), 3.0, "{metrics}");
    assert_eq!(count("chainplate_plugin_timeouts_total"), 1.0);
    assert!(server.log().contains("a panic on request"), "the panic's own words are logged");
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
    // A flood of long lines is cut, a malformed header left out.
    assert_eq!(server.send("GET", "/faulty/flood", "").await.code, 200);
    assert_eq!(server.send("GET", "/faulty/bad-header", "").await.code, 200);
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
    ] {
        let rest = format!("{GRANTS}\n  configuration: {{fail: {fail}}}\n  limits: {{timeoutSeconds: 1}}");
        let text = refused(&data, &[&chain_with(directory.path(), "faulty", &wasm, &rest)]);
        assert!(text.contains("component \"faulty\"") && text.contains(said), "{fail}: {text}");
    }
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
