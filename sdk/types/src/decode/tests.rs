use super::*;
use crate::{complete, lookup};
use serde_json::json;

/// What becomes of a document, and the members of it that the type does not know.
fn decoded(shape: TypeRef, mut document: Value) -> Result<(Value, Vec<String>), String> {
    let unknown = decode(shape, &mut document)?;
    Ok((document, unknown))
}

fn deployment(spec: &Value) -> Result<Value, String> {
    let body =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec});
    decoded(lookup("apps", "v1", "Deployment").unwrap(), body).map(|(value, _)| value)
}

fn refusal(spec: &Value) -> String {
    deployment(spec).unwrap_err()
}

#[test]
fn refuses_values_of_the_wrong_type_in_gos_words() {
    let at = "into Go struct field";
    assert_eq!(
        refusal(&json!({"replicas": "3"})),
        format!("json: cannot unmarshal string {at} DeploymentSpec.spec.replicas of type int32")
    );
    assert_eq!(
        refusal(&json!({"replicas": 1.5})),
        format!("json: cannot unmarshal number 1.5 {at} DeploymentSpec.spec.replicas of type int32")
    );
    assert_eq!(
        refusal(&json!({"replicas": 2.0})),
        format!("json: cannot unmarshal number 2.0 {at} DeploymentSpec.spec.replicas of type int32")
    );
    assert_eq!(
        refusal(&json!({"replicas": 4_294_967_296_u64})),
        format!("json: cannot unmarshal number 4294967296 {at} DeploymentSpec.spec.replicas of type int32")
    );
    assert_eq!(
        refusal(&json!({"paused": "true"})),
        format!("json: cannot unmarshal string {at} DeploymentSpec.spec.paused of type bool")
    );
    assert_eq!(
        refusal(&json!({"template": {"spec": {"containers": [{"env": {"A": "b"}}]}}})),
        format!(
            "json: cannot unmarshal object {at} Container.spec.template.spec.containers.env of type []v1.EnvVar"
        )
    );
    assert_eq!(
        refusal(&json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}})),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    );
    let config_map = lookup("", "v1", "ConfigMap").unwrap();
    let text = |body: Value| decoded(config_map, body).unwrap_err();
    assert_eq!(
        text(json!({"data": {"n": 1}})),
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    );
    assert!(
        text(json!({"metadata": {"creationTimestamp": "yesterday"}}))
            .starts_with("parsing time \"yesterday\"")
    );
    let secret = lookup("", "v1", "Secret").unwrap();
    assert_eq!(
        decoded(secret, json!({"data": {"p": "not base64!"}})).unwrap_err(),
        "illegal base64 data at input byte 3"
    );
}

#[test]
fn drops_and_tells_unknown_members() {
    let config_map = lookup("", "v1", "ConfigMap").unwrap();
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "nope": 1},
        "data": {"k": "2"}, "extra": {"x": 1}, "Data": {}});
    assert_eq!(
        decoded(config_map, body).unwrap(),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "2"}}),
            vec!["Data".to_owned(), "extra".to_owned(), "metadata.nope".to_owned()]
        )
    );
    let (_, unknown) = decoded(
        lookup("apps", "v1", "Deployment").unwrap(),
        json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "val": "x"}]}]}}}}),
    )
    .unwrap();
    assert_eq!(unknown, ["spec.template.spec.containers[0].env[0].val"]);
}

#[test]
fn brings_values_to_the_form_that_go_writes() {
    let spec = json!({
        "replicas": 0, "paused": false, "minReadySeconds": 0, "revisionHistoryLimit": null,
        "selector": {"matchLabels": {}},
        "template": {"metadata": {"labels": {}, "creationTimestamp": null}, "spec": {"containers": [{
            "name": "c", "image": "", "command": [], "args": null,
            "resources": {"limits": {"cpu": 2, "memory": "1024Ki"}, "requests": {"cpu": "1000m", "memory": 1_000_000.0}},
        }]}},
    });
    assert_eq!(
        deployment(&spec).unwrap()["spec"],
        json!({
            "replicas": 0,
            "selector": {},
            "template": {"metadata": {}, "spec": {"containers": [{
                "name": "c",
                "resources": {"limits": {"cpu": "2", "memory": "1Mi"}, "requests": {"cpu": "1", "memory": "1M"}},
            }]}},
        })
    );
}

#[test]
fn completes_what_go_always_writes() {
    let shape = lookup("apps", "v1", "Deployment").unwrap();
    let mut value =
        deployment(&json!({"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}})).unwrap();
    complete(shape, &mut value);
    assert_eq!(
        value,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {
                "selector": null, "strategy": {},
                "template": {"metadata": {}, "spec": {"containers": [{"name": "c", "image": "i", "resources": {}}]}},
            },
            "status": {},
        })
    );
    assert_eq!(decoded(shape, value).unwrap().1, [""; 0]);
}

#[test]
fn takes_schemas_in_any_of_their_forms() {
    let crd = lookup("apiextensions.k8s.io", "v1", "CustomResourceDefinition").unwrap();
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
        "a": {"type": "array", "items": {"type": "string", "bad": 1}, "default": null},
        "b": {"type": "object", "additionalProperties": true, "default": {"any": [1, null]}},
    }});
    let body = json!({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
    let (value, unknown) = decoded(crd, body).unwrap();
    assert_eq!(unknown, ["spec.versions[0].schema.openAPIV3Schema.properties.a.items.bad"]);
    let properties = &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    assert_eq!(properties["b"]["default"], json!({"any": [1, null]}));
    assert_eq!(properties["a"]["items"], json!({"type": "string"}));
}

#[test]
fn an_empty_list_that_is_always_written_reads_null() {
    let role = lookup("rbac.authorization.k8s.io", "v1", "Role").unwrap();
    let (mut document, _) = decoded(role, json!({"kind": "Role", "rules": []})).unwrap();
    complete(role, &mut document);
    assert_eq!(document["rules"], Value::Null);
    assert!(document.as_object().unwrap().contains_key("rules"));
    let node = lookup("storage.k8s.io", "v1", "CSINode").unwrap();
    let (mut document, _) = decoded(node, json!({"spec": {"drivers": []}})).unwrap();
    complete(node, &mut document);
    assert!(document["spec"].as_object().unwrap().contains_key("drivers"));
    assert_eq!(document["spec"]["drivers"], Value::Null);
}
