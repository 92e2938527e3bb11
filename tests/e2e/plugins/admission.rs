//! Admission plugins as kubectl meets them.

use super::{kubectl, server_with};
use crate::support::{Server, chain_with, plugin, refused};
use serde_json::{Value, json};

const UNIQUE_HOSTS: &str = "  grants:
    roles: [validating]
    resources: [{apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [list]}]";

fn ingress(namespace: &str, name: &str, host: &str) -> String {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"host": host, "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}},
        ]}}]},
    })
    .to_string()
}

#[test]
fn a_policy_that_looks_at_other_objects_refuses_a_second_claim_of_a_host() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(directory.path(), "unique-hosts", UNIQUE_HOSTS);
    let (made, said) =
        kubectl(&server, &["create", "-f", "-"], &ingress("default", "first", "a.example.com"));
    assert!(made, "{said}");
    let (made, said) =
        kubectl(&server, &["create", "-f", "-"], &ingress("default", "second", "a.example.com"));
    assert!(!made && said.contains("denied the request") && said.contains("first"), "{said}");
    let (made, said) =
        kubectl(&server, &["create", "-f", "-"], &ingress("kube-public", "third", "a.example.com"));
    assert!(!made && !said.contains("\"first\""), "another tenant's name is not told: {said}");
    let (made, said) = kubectl(
        &server,
        &["apply", "--server-side", "-f", "-"],
        &ingress("default", "second", "b.example.com"),
    );
    assert!(made, "{said}");
    let (made, said) = kubectl(
        &server,
        &["apply", "--server-side", "-f", "-"],
        &ingress("default", "second", "a.example.com"),
    );
    assert!(!made && said.contains("denied the request"), "a patch is judged, too: {said}");
    let (made, said) = kubectl(
        &server,
        &["create", "--dry-run=server", "-f", "-"],
        &ingress("default", "dry", "a.example.com"),
    );
    assert!(!made && said.contains("denied the request"), "a dry run is judged, too: {said}");
}

#[test]
fn what_a_plugin_asks_for_and_did_not_get_is_one_message_at_start_and_403_later() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(directory.path(), "unique-hosts", "  grants: {roles: [validating]}");
    server.wait_log("it asks for what it was not granted: resources: list ingresses.networking.k8s.io");
    let (made, said) =
        kubectl(&server, &["create", "-f", "-"], &ingress("default", "first", "a.example.com"));
    assert!(!made && said.contains("grants.resources"), "fails closed: {said}");
}

#[test]
fn a_role_that_was_not_granted_keeps_the_server_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let wasm = plugin(directory.path(), "unique-hosts");
    let chain = chain_with(directory.path(), "unique-hosts", &wasm, "  grants: {}");
    let said = refused(&directory.path().join("data"), &[&chain]);
    assert!(said.contains("\"unique-hosts\"") && said.contains("roles: [validating]"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutating_plugin_fills_in_what_was_left_open() {
    let directory = tempfile::tempdir().unwrap();
    let rest = "  grants: {roles: [mutating]}
  configuration:
    rules:
    - kinds: [Pod]
      labels: {team: unknown}
      imagePullPolicy: Always
  admission:
  - name: defaults
    rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]";
    let server = server_with(directory.path(), "defaults", rest);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"own": "yes"}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    });
    let made = server.send("POST", "/api/v1/namespaces/default/pods", pod.to_string()).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["metadata"]["labels"], json!({"own": "yes", "team": "unknown"}));
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    let map = server.send("POST", "/api/v1/namespaces/default/configmaps", map.to_string()).await.json();
    assert_eq!(map["metadata"].get("labels"), None, "the operator narrowed it to pods");
}

fn map(name: &str, annotations: Value) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "annotations": annotations}})
        .to_string()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn faulty(directory: &std::path::Path, more: &str) -> Server {
    let rest = format!(
        "  grants: {{roles: [mutating, validating, converter, authenticator, authorizer], \
         resources: [{{apiGroups: [''], resources: [configmaps], verbs: [get, create]}}]}}
  limits: {{timeoutSeconds: 1, memory: 64Mi}}
{more}"
    );
    server_with(directory, "faulty-plugin", &rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_see_what_a_webhook_sees_and_may_be_narrowed_by_selectors() {
    let directory = tempfile::tempdir().unwrap();
    let narrowed = "  admission:
  - name: validating
    objectSelector: {matchLabels: {judged: 'yes'}}
  - name: mutating
    namespaceSelector: {matchLabels: {changed: 'yes'}}";
    let server = faulty(directory.path(), narrowed);
    // Not selected: neither hook is asked.
    let free = server
        .send("POST", MAPS, map("free", json!({"faulty/validating": "deny", "faulty/mutating": "deny"})))
        .await;
    assert_eq!(free.code, 201, "{}", free.text());
    let labelled = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "judged", "labels": {"judged": "yes"}, "annotations": {"faulty/validating": "deny"}},
    });
    let denied = server.send("POST", MAPS, labelled.to_string()).await;
    assert_eq!(denied.code, 403, "{}", denied.text());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "changed", "labels": {"changed": "yes"}}});
    assert_eq!(server.send("POST", "/api/v1/namespaces", namespace.to_string()).await.code, 201);
    let changed = server
        .send("POST", "/api/v1/namespaces/changed/configmaps", map("a", json!({"faulty/mutating": "change"})))
        .await;
    assert_eq!(changed.code, 201, "{}", changed.text());
    assert_eq!(changed.json()["metadata"]["annotations"]["faulty/changed"], "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_evictions_and_connections_are_judged() {
    let directory = tempfile::tempdir().unwrap();
    // It denies whatever it is asked about.
    let narrowed = "  configuration: {fault: deny}
  admission:
  - {name: mutating, disabled: true}
  - name: validating
    rules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [bindings, pods/binding, pods/eviction]}
    - {apiGroups: [''], apiVersions: [v1], operations: [CONNECT], resources: [pods/exec, services/proxy]}";
    let server = faulty(directory.path(), narrowed);
    let pods = "/api/v1/namespaces/default/pods";
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    assert_eq!(
        server.send("POST", pods, pod.to_string()).await.code,
        201,
        "pods themselves are not its concern"
    );
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"},
    });
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}});
    for (path, body) in [
        (format!("{pods}/a/binding"), binding.to_string()),
        ("/api/v1/namespaces/default/bindings".to_owned(), binding.to_string()),
        (format!("{pods}/a/eviction"), eviction.to_string()),
        (format!("{pods}/a/exec?command=sh"), String::new()),
        ("/api/v1/namespaces/default/services/s/proxy/".to_owned(), String::new()),
    ] {
        let denied = server.send("POST", &path, body).await;
        assert_eq!(denied.code, 403, "{path}: {}", denied.text());
        assert!(
            denied.text().contains("admission plugin \\\"faulty-plugin/validating\\\" denied"),
            "{}",
            denied.text()
        );
    }
    assert_eq!(server.send("GET", &format!("{pods}/a"), "").await.json()["spec"].get("nodeName"), None);
    let attached = server.send("POST", &format!("{pods}/a/attach"), "").await;
    assert_eq!(attached.code, 400, "what no policy is about is answered as before: {}", attached.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_object_is_not_stored_and_a_deletion_may_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = faulty(directory.path(), "");
    let denied = server.send("POST", MAPS, map("a", json!({"faulty/validating": "deny"}))).await;
    assert_eq!(denied.code, 403);
    assert_eq!(
        denied.json()["message"].as_str().unwrap().split(": ").next(),
        Some("admission plugin \"faulty-plugin/validating\" denied the request")
    );
    assert_eq!(server.send("GET", &format!("{MAPS}/a"), "").await.code, 404);
    assert_eq!(server.send("POST", MAPS, map("kept", json!({}))).await.code, 201);
    let annotate = json!({"metadata": {"annotations": {"faulty/validating": "deny"}}}).to_string();
    let patched = server
        .send_as("PATCH", &format!("{MAPS}/kept"), "application/merge-patch+json", annotate.clone())
        .await;
    assert_eq!(patched.code, 403, "the new object asks for the refusal");
    let warned = server.send("POST", MAPS, map("warned", json!({"faulty/validating": "warn"}))).await;
    assert_eq!(warned.code, 201, "{}", warned.text());
    assert!(warned.headers.get("x-forged").is_none());
}
