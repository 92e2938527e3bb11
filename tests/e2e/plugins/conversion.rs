//! A component converts the versions of a custom resource, where upstream has a webhook.

use super::server_with;
use crate::support::SOON;
use serde_json::{Value, json};

fn definition() -> Value {
    let version = |name: &str, storage: bool, properties: Value| {
        json!({
            "name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}},
        })
    };
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "shapes.shapes.example.com"},
        "spec": {
            "group": "shapes.example.com", "scope": "Namespaced",
            "names": {"plural": "shapes", "singular": "shape", "kind": "Shape", "listKind": "ShapeList"},
            "versions": [
                version("v1", false, json!({"colour": text, "size": text})),
                version("v2", true, json!({"color": text, "width": number, "height": number})),
            ],
        },
    })
}

const V1: &str = "/apis/shapes.example.com/v1/namespaces/default/shapes";
const V2: &str = "/apis/shapes.example.com/v2/namespaces/default/shapes";

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_and_read_in_any_version() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(directory.path(), "converter", "  grants: {roles: [converter]}");
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(server.send("POST", crds, definition().to_string()).await.code, 201);
    let deadline = std::time::Instant::now() + SOON;
    while server.send("GET", V1, "").await.code != 200 {
        assert!(std::time::Instant::now() < deadline);
    }
    let old = json!({
        "apiVersion": "shapes.example.com/v1", "kind": "Shape", "metadata": {"name": "a"},
        "spec": {"colour": "red", "size": "3x4"},
    });
    let made = server.send("POST", V1, old.to_string()).await;
    assert_eq!(
        (made.code, &made.json()["spec"]),
        (201, &json!({"colour": "red", "size": "3x4"})),
        "{}",
        made.text()
    );
    let new = server.send("GET", &format!("{V2}/a"), "").await.json();
    assert_eq!(new["spec"], json!({"color": "red", "width": 3, "height": 4}));
    let patch = json!({"spec": {"size": "5x6"}}).to_string();
    let patched = server.send_as("PATCH", &format!("{V1}/a"), "application/merge-patch+json", patch).await;
    assert_eq!(patched.json()["spec"], json!({"colour": "red", "size": "5x6"}), "{}", patched.text());
    let listed = server.send("GET", V2, "").await.json();
    assert_eq!(listed["items"][0]["spec"], json!({"color": "red", "width": 5, "height": 6}));
    let listed = server.send("GET", V1, "").await.json();
    assert_eq!(listed["items"][0]["spec"], json!({"colour": "red", "size": "5x6"}));
    let unreadable = json!({
        "apiVersion": "shapes.example.com/v1", "kind": "Shape", "metadata": {"name": "b"}, "spec": {"size": "large"},
    });
    let refused = server.send("POST", V1, unreadable.to_string()).await;
    assert_eq!(refused.code, 500, "{}", refused.text());
    assert!(
        refused.text().contains("conversion of Shape.shapes.example.com to shapes.example.com/v2 failed"),
        "{}",
        refused.text()
    );
}
