//! What is told about a group for discovery (`customresource_discovery_controller.go`).

use super::definition::{condition_is, flag, text, versions};
use base64::Engine as _;
use chainplate_apimachinery::{Value, object};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The verbs of custom resources, in upstream's order.
const VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const VERBS_WHILE_TERMINATING: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];

/// The versions that the group serves, each once.
pub fn served_versions(crds: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for crd in crds.iter().filter(|crd| condition_is(crd, "Established", "True")) {
        for version in versions(crd).filter(|version| flag(version, "served")) {
            let name = text(version, "name");
            if !names.iter().any(|there| there == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The established definitions of the group that serve the version, with that version.
pub fn serving<'a>(crds: &'a [Value], version: &'a str) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    crds.iter().filter(|crd| condition_is(crd, "Established", "True")).filter_map(move |crd| {
        let version = versions(crd).find(|this| text(this, "name") == version && flag(this, "served"))?;
        Some((crd, version))
    })
}

/// The `APIVersionDiscovery` of one version of a group.
pub fn document(group: &str, version: &str, crds: &[Value]) -> Value {
    let resources: Vec<Value> =
        serving(crds, version).map(|(crd, serving)| resource(group, version, crd, serving)).collect();
    json!({"version": version, "freshness": "Current", "resources": resources})
}

fn resource(group: &str, version: &str, crd: &Value, serving: &Value) -> Value {
    let names = crd.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
    let kind = text(names, "kind");
    let terminating = condition_is(crd, "Terminating", "True") || object::is_deleting(crd);
    let response_kind = json!({"group": group, "version": version, "kind": kind});
    let mut resource = json!({
        "resource": text(names, "plural"),
        "singularResource": text(names, "singular"),
        "scope": text(crd.get("spec").unwrap_or(&Value::Null), "scope"),
        "responseKind": response_kind,
        "verbs": if terminating { VERBS_WHILE_TERMINATING } else { VERBS },
    });
    let mut subresources = Vec::new();
    let has =
        |name: &str| serving.pointer(&format!("/subresources/{name}")).is_some_and(|value| !value.is_null());
    let verbs = json!(["get", "patch", "update"]);
    if has("status") {
        subresources.push(json!({"subresource": "status", "responseKind": response_kind, "verbs": verbs}));
    }
    if has("scale") {
        let kind = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
        subresources.push(json!({"subresource": "scale", "responseKind": kind, "verbs": verbs}));
    }
    if let Some(map) = resource.as_object_mut() {
        for key in ["shortNames", "categories"] {
            if let Some(list) =
                names.get(key).filter(|list| list.as_array().is_some_and(|list| !list.is_empty()))
            {
                map.insert(key.into(), list.clone());
            }
        }
        if !subresources.is_empty() {
            map.insert("subresources".into(), subresources.into());
        }
        if let Some(storage) =
            versions(crd).find(|version| flag(version, "storage") && flag(version, "served"))
        {
            map.insert(
                "storageVersionHash".into(),
                storage_version_hash(group, text(storage, "name"), kind).into(),
            );
        }
    }
    resource
}

/// `storageVersionHash`: the first eight bytes of the digest of `group/version/kind`.
pub fn storage_version_hash(group: &str, version: &str, kind: &str) -> String {
    let digest = Sha256::digest(format!("{group}/{version}/{kind}"));
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn established_definitions_are_told() {
        let crd = json!({"spec": {"group": "g", "scope": "Namespaced", "versions": [
                {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}, "scale": {}}}, {"name": "v2", "served": false}]},
            "status": {"acceptedNames": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
                "conditions": [{"type": "Established", "status": "True"}]}});
        assert_eq!(served_versions(std::slice::from_ref(&crd)), ["v1"]);
        let document = document("g", "v1", std::slice::from_ref(&crd));
        let resource = &document["resources"][0];
        assert_eq!(resource["resource"], "widgets");
        assert_eq!(resource["verbs"].as_array().unwrap().len(), 8);
        assert_eq!(resource["subresources"][1]["responseKind"]["group"], "autoscaling");
        assert_eq!(resource["shortNames"], json!(["wd"]));
        assert!(serving(std::slice::from_ref(&crd), "v2").next().is_none());
    }
}
