//! `APIVersionDiscovery` of each group and version, from the table of resources.
//!
//! Facts: `apiserver/pkg/endpoints/installer.go` and `apiserver/pkg/endpoints/discovery/util.go`. That
//! `responseKind` leaves group and version empty where they are those of the document is as recorded.

use crate::resources::{self, GROUP_VERSIONS, Resource, Subresource};
use base64::{Engine, prelude::BASE64_STANDARD};
use chainplate_sdk::apimachinery::{
    Value,
    discovery::{self as documents, Group, GroupVersion},
};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

/// The member of a resource that only the older documents tell; whoever builds the aggregated document from a
/// published one leaves it out.
const STORAGE_VERSION_HASH: &str = "storageVersionHash";

/// Kinds that upstream still keeps in beta, to allow for a way back; clients compare the hash. Here they are kept in the
/// version they are served in, which has the same fields.
const HASHED_AS_BETA: [&str; 2] = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];

/// The document of a group and version (`apidiscovery.k8s.io/v2`, one item of `versions`).
pub fn document(group: &str, version: &str) -> Value {
    let resources: Vec<Value> = resources::of_group_version(group, version).iter().map(resource).collect();
    json!({ "version": version, "freshness": "Current", "resources": resources })
}

fn resource(resource: &Resource) -> Value {
    let mut item = Map::new();
    item.insert("resource".into(), resource.name.into());
    item.insert("responseKind".into(), kind("", "", resource.kind));
    item.insert("scope".into(), if resource.namespaced { "Namespaced" } else { "Cluster" }.into());
    item.insert("singularResource".into(), resource.singular().into());
    item.insert("verbs".into(), resource.verbs.into());
    for (key, list) in [("shortNames", resource.short_names), ("categories", resource.categories)] {
        if !list.is_empty() {
            item.insert(key.into(), list.into());
        }
    }
    if let Some(hash) = storage_version_hash(resource) {
        item.insert(STORAGE_VERSION_HASH.into(), hash.into());
    }
    if !resource.subresources.is_empty() {
        let subresources: Vec<Value> =
            resource.subresources.iter().map(|sub| subresource(resource, sub)).collect();
        item.insert("subresources".into(), subresources.into());
    }
    Value::Object(item)
}

fn subresource(resource: &Resource, sub: &Subresource) -> Value {
    json!({
        "subresource": sub.name,
        "responseKind": kind(sub.group, sub.version, sub.kind_in(resource)),
        "verbs": sub.verbs,
    })
}

fn kind(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "version": version, "kind": kind })
}

/// Tells clients when a resource is stored in another version than before (`discovery.StorageVersionHash`); none for
/// what is not stored.
pub fn storage_version_hash(resource: &Resource) -> Option<String> {
    resource.storage_prefix()?;
    let (group, mut version) = resource.storage_version();
    if HASHED_AS_BETA.contains(&resource.kind) {
        version = "v1beta1";
    }
    let digest = Sha256::digest(format!("{group}/{version}/{}", resource.kind));
    Some(BASE64_STANDARD.encode(&digest[..8]))
}

/// Whether a path belongs to a group that is served here.
pub fn is_ours(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("api"), _) => true,
        (Some("apis"), Some(group)) => !group.is_empty() && resources::is_group(group),
        _ => false,
    }
}

/// The document at a path in the form that was before aggregated discovery: `/api`, `/api/v1`, `/apis/<group>`,
/// `/apis/<group>/<version>`. For a chain without an aggregator in front, which knows the other groups, too.
pub fn legacy(path: &str, server_address: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["api"] => Some(documents::api_versions(&group("")?, server_address)),
        ["api", version] => resource_list("", version),
        ["apis", name] if !name.is_empty() => Some(documents::api_group(&group(name)?)),
        ["apis", name, version] => resource_list(name, version),
        _ => None,
    }
}

fn group(name: &str) -> Option<Group> {
    let ours = GROUP_VERSIONS.iter().filter(|gv| gv.group == name).map(published).collect();
    documents::groups(ours).pop()
}

fn resource_list(group: &str, version: &str) -> Option<Value> {
    let gv = GROUP_VERSIONS.iter().find(|gv| gv.group == group && gv.version == version)?;
    Some(documents::api_resource_list(&published(gv)))
}

fn published(gv: &resources::GroupVersion) -> GroupVersion {
    GroupVersion {
        group: gv.group.into(),
        version: gv.version.into(),
        group_priority_minimum: gv.group_priority_minimum,
        version_priority: gv.version_priority,
        document: document(gv.group, gv.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The recorded answers of a reference server, when they are at hand.
    fn scenarios(area: &str) -> Vec<Value> {
        let root = std::env::var_os("CHAINPLATE_CONFORMANCE").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
            PathBuf::from,
        );
        let Ok(files) = std::fs::read_dir(root.join("scenarios").join(area)) else { return Vec::new() };
        let files = files.filter_map(|file| std::fs::read(file.ok()?.path()).ok());
        files.filter_map(|bytes| serde_json::from_slice(&bytes).ok()).collect()
    }

    /// Steps that GET a document of ours and compare the whole of it: path and body.
    fn recorded(area: &str) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        for scenario in scenarios(area) {
            for step in scenario["steps"].as_array().into_iter().flatten() {
                let plain =
                    step["method"] == "GET" && step.get("compare").is_none() && step.get("headers").is_none();
                let path = step["path"].as_str().unwrap_or_default();
                if plain && is_ours(path) && step["expect"]["status"] == 200 {
                    all.push((path.to_owned(), step["expect"]["body"].clone()));
                }
            }
        }
        all
    }

    #[test]
    fn older_documents_are_as_recorded() {
        for (path, body) in recorded("types-catalogue").into_iter().chain(recorded("discovery")) {
            let mut document = legacy(&path, "").unwrap_or_else(|| panic!("nothing at {path}"));
            if path.trim_end_matches('/') == "/api" {
                document.as_object_mut().unwrap().remove("serverAddressByClientCIDRs");
            }
            assert_eq!(document, body, "{path}");
        }
    }

    #[test]
    fn aggregated_documents_are_as_recorded() {
        for scenario in scenarios("discovery") {
            for step in scenario["steps"].as_array().into_iter().flatten() {
                let Some(body) = step["expect"]["body"].get("/items/1/versions/0") else { continue };
                let mut document = document("apps", "v1");
                for resource in document["resources"].as_array_mut().unwrap() {
                    resource.as_object_mut().unwrap().remove(STORAGE_VERSION_HASH);
                }
                assert_eq!(&document, body);
            }
        }
    }

    #[test]
    fn hashes_are_those_of_the_storage_version() {
        let hash =
            |group, version, name| storage_version_hash(resources::find(group, version, name).unwrap());
        assert_eq!(hash("", "v1", "pods").as_deref(), Some("xPOwRZ+Yhw8="));
        assert_eq!(hash("events.k8s.io", "v1", "events"), hash("", "v1", "events"));
        assert_eq!(hash("autoscaling", "v1", "horizontalpodautoscalers").as_deref(), Some("qwQve8ut294="));
        assert_eq!(hash("", "v1", "bindings"), None);
    }

    #[test]
    fn only_paths_of_served_groups_are_ours() {
        assert!(is_ours("/api/v2"));
        assert!(is_ours("/apis/apps/v1beta1"));
        assert!(!is_ours("/apis"));
        assert!(!is_ours("/apis/example.com/v1"));
        assert!(!is_ours("/version"));
        assert_eq!(legacy("/apis/apps/v1beta1", ""), None);
        assert_eq!(legacy("/api/v2", ""), None);
    }
}
