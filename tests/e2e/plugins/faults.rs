//! What plugins do wrong costs the request, as the failure policy says, and nobody else.

use super::server_with;
use crate::support::{Server, chain_with, component, plugin, refused};
use chainplate_manifest::section;
use serde_json::json;
use std::path::Path;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, hook: &str, fault: &str) -> String {
    let annotations = json!({(format!("faulty/{hook}")): fault});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}})
        .to_string()
}

/// A server with the plugin that does wrong on demand.
fn faulty(directory: &Path, policy: &str) -> Server {
    let rest = format!(
        "  grants: {{roles: [mutating, validating, converter, authenticator, authorizer], \
         resources: [{{apiGroups: [''], resources: [configmaps], verbs: [get, create]}}]}}
  limits: {{timeoutSeconds: 1, memory: 32Mi}}
  admission:
  - {{name: mutating, failurePolicy: {policy}}}
  - {{name: validating, failurePolicy: {policy}}}"
    );
    server_with(directory, "faulty-plugin", &rest)
}

const BREAKS: [&str; 7] = ["trap", "loop", "recurse", "grow", "no-json", "no-patch", "huge"];
const MISCHANGES: [&str; 10] = [
    "no-utf8",
    "no-object",
    "unknown-operation",
    "patch-does-not-apply",
    "patch-test-fails",
    "rename",
    "move",
    "change-uid",
    "change-kind",
    "replace-all",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_refuses_the_write_and_the_next_one_passes() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path(), "Fail");
    for (at, fault) in BREAKS.iter().chain(&MISCHANGES).enumerate() {
        let answer = server.send("POST", MAPS, map(&format!("refused-{at}"), "mutating", fault)).await;
        assert_eq!(answer.code, 500, "{fault}: {}", answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("faulty-plugin/mutating"), "{fault}: {message}");
        let next = server.send("POST", MAPS, map(&format!("after-{at}"), "mutating", "change")).await;
        assert_eq!(next.code, 201, "after {fault}: {}", next.text());
        assert_eq!(server.send("GET", &format!("{MAPS}/refused-{at}"), "").await.code, 404, "{fault}");
    }
    let invalid = server.send("POST", MAPS, map("invalid", "mutating", "invalid-object")).await;
    assert_eq!(invalid.code, 422, "what a hook made is validated: {}", invalid.text());
    let changed = server.send("POST", MAPS, map("judge-that-changes", "validating", "change")).await;
    assert_eq!(changed.code, 500, "{}", changed.text());
    assert!(changed.text().contains("only mutating hooks"), "{}", changed.text());
    let around = server.send("POST", MAPS, map("around", "mutating", "ask-oneself")).await;
    assert!(around.code >= 500, "going round in circles ends: {}", around.text());
    let secrets = server.send("POST", MAPS, map("secrets", "validating", "ask-for-secrets")).await;
    assert_eq!(secrets.code, 403, "{}", secrets.text());
    assert!(server.log().contains("a panic on demand"), "the panic's own words are logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_may_be_ignored_lets_the_write_pass() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path(), "Ignore");
    for (at, fault) in ["trap", "loop", "no-json", "rename"].iter().enumerate() {
        let answer = server.send("POST", MAPS, map(&format!("passes-{at}"), "mutating", fault)).await;
        assert_eq!(answer.code, 201, "{fault}: {}", answer.text());
    }
    let denied = server.send("POST", MAPS, map("denied", "validating", "deny")).await;
    assert_eq!(denied.code, 403, "a denial is no failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_keeps_failing_is_left_alone_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path(), "Fail");
    for at in 0..10 {
        assert_eq!(server.send("POST", MAPS, map(&format!("t-{at}"), "mutating", "trap")).await.code, 500);
    }
    let resting = server.send("POST", MAPS, map("resting", "mutating", "change")).await;
    assert!(resting.code == 500 && resting.text().contains("failed repeatedly"), "{}", resting.text());
    server.wait_log("it failed repeatedly: not called for 1s");
    let deadline = std::time::Instant::now() + crate::support::SOON;
    while server.send("POST", MAPS, map("recovered", "mutating", "change")).await.code != 201 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(
        server.send("POST", MAPS, map("well", "mutating", "change")).await.code,
        201,
        "the circuit is closed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_converter_that_fails_costs_the_request() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path(), "Ignore");
    let version = |name: &str, storage: bool| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"fault": {"type": "string"}, "large": {"type": "string"}}},
            }}},
        })
    };
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "faults.faulty.example.com"},
        "spec": {
            "group": "faulty.example.com", "scope": "Namespaced",
            "names": {"plural": "faults", "singular": "fault", "kind": "Fault", "listKind": "FaultList"},
            "versions": [version("v1", false), version("v2", true)],
        },
    });
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(server.send("POST", crds, crd.to_string()).await.code, 201);
    let faults = "/apis/faulty.example.com/v1/namespaces/default/faults";
    let deadline = std::time::Instant::now() + crate::support::SOON;
    while server.send("GET", faults, "").await.code != 200 {
        assert!(std::time::Instant::now() < deadline);
    }
    let fault = |name: &str, word: &str| {
        json!({
            "apiVersion": "faulty.example.com/v1", "kind": "Fault", "metadata": {"name": name}, "spec": {"fault": word},
        })
        .to_string()
    };
    for (at, word) in [
        "trap",
        "loop",
        "recurse",
        "grow",
        "no-object",
        "rename",
        "move",
        "change-uid",
        "change-kind",
        "deny",
    ]
    .iter()
    .enumerate()
    {
        let answer = server.send("POST", faults, fault(&format!("refused-{at}"), word)).await;
        assert!((400..600).contains(&answer.code), "{word}: {} {}", answer.code, answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("failed: component \"faulty-plugin\": "), "{word}: {message}");
        assert_eq!(server.send("GET", &format!("{faults}/refused-{at}"), "").await.code, 404, "{word}");
        let next = server.send("POST", faults, fault(&format!("after-{at}"), "relabel")).await;
        assert_eq!(next.code, 201, "after {word}: {}", next.text());
    }
}

#[test]
fn components_that_cannot_be_used_are_named_with_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let hello = std::fs::read(component("hello")).unwrap();
    let mut broken = hello.clone();
    let name = section::NAME.as_bytes();
    broken.push(0);
    broken.push(u8::try_from(name.len() + 3).unwrap());
    broken.push(u8::try_from(name.len()).unwrap());
    broken.extend(name);
    broken.extend(b"{]");
    let older = replace(&hello, b"chainplate:server/handler@0.2.0", b"chainplate:server/handler@0.9.0");
    let stranger =
        replace(&hello, b"chainplate:server/telemetry@0.2.0", b"chainplate:server/telepathy@0.2.0");
    let large = file("large.wasm", b"\0asm\x0d\0\x01\0");
    std::fs::File::options().write(true).open(&large).unwrap().set_len(100 << 20).unwrap();
    for (path, rest, part) in [
        (file("text.wasm", b"#!/bin/sh"), "", "not a WebAssembly component"),
        (file("module.wasm", b"\0asm\x01\0\0\0"), "", "core module"),
        (file("broken.wasm", &broken), "", "plugin.yaml"),
        (file("older.wasm", &older), "", "0.9.0"),
        (file("stranger.wasm", &stranger), "", "build it with the SDK of this host"),
        (large, "", "64 MiB"),
        (component("unique-hosts"), "  grants: {roles: [validating]}", "declares no admission hooks"),
        (
            plugin(directory.path(), "unique-hosts"),
            "  grants: {roles: [validating]}\n  admission: [{name: other}]",
            "narrows the admission hook \"other\"",
        ),
        (
            component("hello"),
            "  digest: sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "the configuration says sha256:0000",
        ),
    ] {
        let chain = chain_with(directory.path(), "broken", &path, rest);
        let said = refused(&data, &[&chain]);
        assert!(said.contains("\"broken\"") && said.contains(part), "{part}: {said}");
    }
}

#[test]
fn two_plugins_that_claim_one_group_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let wasm = component("hello");
    let rest = format!(
        "  grants: {{groups: [hello.example.com]}}\n- name: second\n  source: {{path: {}}}\n  grants: {{groups: [hello.example.com]}}",
        wasm.display()
    );
    let chain = chain_with(directory.path(), "first", &wasm, &rest);
    let said = refused(&directory.path().join("data"), &[&chain]);
    assert!(
        said.contains("\"first\"") && said.contains("\"second\"") && said.contains("hello.example.com"),
        "{said}"
    );
}

/// Bytes with every occurrence replaced by as many others.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        bytes[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    bytes
}
