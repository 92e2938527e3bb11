//! OpenAPI documents of what this server serves, made from the table of resources when somebody asks.

use crate::resources::{self, GROUP_VERSIONS};
use chainplate_types::openapi::{self, GroupVersion, Resource, Subresource};

/// The document of a group and version. With an empty version that of the group (`/openapi/v3/apis/<group>`, and
/// `/openapi/v3/api` for the empty group). `None` for what is not served here.
pub fn document(group: &str, version: &str) -> Option<Vec<u8>> {
    if version.is_empty() {
        return resources::is_group(group).then(|| openapi::group(group));
    }
    let rows = resources::of_group_version(group, version);
    if rows.is_empty() {
        return None;
    }
    let resources: Vec<(Resource<'_>, Vec<Subresource<'_>>)> = rows.iter().map(served).collect();
    Some(openapi::v3(&GroupVersion { group, version, resources: &resources }))
}

/// The document at a path below `/openapi/v3/`: each of [`paths`], nothing else.
pub fn at(path: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["version"] => Some(openapi::version()),
        ["apis"] => Some(openapi::groups()),
        ["api"] => document("", ""),
        ["api", version] if !version.is_empty() => document("", version),
        ["apis", group] if !group.is_empty() => document(group, ""),
        ["apis", group, version] if !group.is_empty() && !version.is_empty() => document(group, version),
        _ => None,
    }
}

/// The paths below `/openapi/v3/` that have a document here: `api/v1`, `apis/apps`, `apis/apps/v1`, `version`.
pub fn paths() -> Vec<String> {
    let mut paths: Vec<String> = ["api", "apis", "version"].map(str::to_owned).into();
    for served in GROUP_VERSIONS {
        if served.group.is_empty() {
            paths.push(format!("api/{}", served.version));
        } else {
            paths.push(format!("apis/{}", served.group));
            paths.push(format!("apis/{}/{}", served.group, served.version));
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn served(resource: &resources::Resource) -> (Resource<'static>, Vec<Subresource<'static>>) {
    let subresources = resource.subresources.iter().map(|sub| {
        let own = sub.group.is_empty() && sub.version.is_empty();
        Subresource {
            name: sub.name,
            group: if own { resource.group } else { sub.group },
            version: if own { resource.version } else { sub.version },
            kind: sub.kind_in(resource),
            verbs: sub.verbs,
        }
    });
    let told = Resource {
        name: resource.name,
        kind: resource.kind,
        namespaced: resource.namespaced,
        verbs: resource.verbs,
        returns_deleted: resource.rules.returns_deleted,
    };
    (told, subresources.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_sdk::apimachinery::Value;
    use std::{collections::BTreeSet, path::PathBuf};

    fn parsed(path: &str) -> Value {
        let document = at(path).unwrap_or_else(|| panic!("no document at {path}"));
        serde_json::from_slice(&document).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// All that `$ref` names below a value.
    fn references<'a>(value: &'a Value, out: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(target) if key == "$ref" => {
                            out.insert(target);
                        }
                        _ => references(value, out),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, out)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        for path in paths() {
            let document = parsed(&path);
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            assert!(!found.is_empty(), "{path}");
            for target in found {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{path}: {target}");
            }
        }
    }

    #[test]
    fn every_served_kind_has_a_schema() {
        for served in GROUP_VERSIONS {
            let path = if served.group.is_empty() {
                "api/v1".into()
            } else {
                format!("apis/{}/{}", served.group, served.version)
            };
            let document = parsed(&path);
            let schemas = document["components"]["schemas"].as_object().unwrap();
            let kinds: BTreeSet<(&str, &str, &str)> = schemas
                .values()
                .filter_map(|schema| schema.get("x-kubernetes-group-version-kind")?.as_array())
                .flatten()
                .map(|kind| {
                    let part = |key: &str| kind[key].as_str().unwrap();
                    (part("group"), part("version"), part("kind"))
                })
                .collect();
            for resource in resources::of_group_version(served.group, served.version) {
                assert!(
                    kinds.contains(&(resource.group, resource.version, resource.kind)),
                    "{}",
                    resource.kind
                );
                if resource.verbs.contains(&"list") {
                    let list = resource.list_kind();
                    assert!(kinds.contains(&(resource.group, resource.version, &*list)), "{list}");
                }
            }
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut seen = BTreeSet::new();
        for path in paths() {
            for (path, operations) in parsed(&path)["paths"].as_object().unwrap() {
                for (method, operation) in operations.as_object().unwrap() {
                    if method != "parameters" {
                        let id = operation["operationId"].as_str().unwrap().to_owned();
                        assert!(seen.insert(id.clone()), "{path} {method}: {id} is there twice");
                    }
                }
            }
        }
        for id in [
            "connectCoreV1GetNamespacedPodProxyWithPath",
            "createCoreV1NamespacedPodEviction",
            "deleteAppsV1CollectionNamespacedDeployment",
            "listRbacAuthorizationV1RoleForAllNamespaces",
            "patchAppsV1NamespacedDeploymentScale",
            "readCoreV1NamespacedPodLog",
            "watchCoreV1NamespacedPodList",
            "watchFlowcontrolApiserverV1FlowSchema",
        ] {
            assert!(seen.contains(id), "{id}");
        }
    }

    #[test]
    fn there_is_nothing_at_other_paths() {
        for path in ["", "apis/", "api/", "apis/nothing/v1", "apis/apps/", "apis/apps/v2", "apis/example.com"]
        {
            assert!(at(path).is_none(), "{path}");
        }
    }

    /// The recorded documents of a reference server, when they are at hand: what they say of descriptions that
    /// tell values one by one is left out of account, because the words about the values are not in our sources.
    #[test]
    fn documents_are_as_recorded() {
        let root = std::env::var_os("CHAINPLATE_CONFORMANCE").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
            PathBuf::from,
        );
        let Ok(bytes) = std::fs::read(root.join("scenarios/discovery/openapi-v3-index-and-schemas.json"))
        else {
            return;
        };
        let scenario: Value = serde_json::from_slice(&bytes).unwrap();
        for step in scenario["steps"].as_array().unwrap() {
            let path = step["path"].as_str().unwrap_or_default();
            let Some(document) =
                path.strip_prefix("/openapi/v3/").filter(|path| at(path).is_some()).map(parsed)
            else {
                continue;
            };
            for (pointer, expected) in step["expect"]["body"].as_object().unwrap() {
                let (mut found, mut expected) = (document.pointer(pointer).cloned(), Some(expected.clone()));
                found.iter_mut().chain(expected.iter_mut()).for_each(shorten);
                assert_eq!(found, expected, "{path} {pointer}");
            }
        }
    }

    fn shorten(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if key == "description" => {
                            text.truncate(text.find("Possible enum values").unwrap_or(text.len()));
                        }
                        _ => shorten(value),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(shorten),
            _ => {}
        }
    }
}
