//! Discovery documents, the aggregated ones (`apidiscovery.k8s.io/v2`) and those before them.
//!
//! The source of all is the `APIVersionDiscovery` that a server publishes for each of its groups and versions.
//! A published resource may carry `storageVersionHash`, which only the older documents tell.
//! Rules: `apiserver/pkg/endpoints/discovery`, KEP-3352.

use crate::{Map, Value};
use serde_json::json;
use std::cmp::{Ordering, Reverse};

/// The media type of the aggregated documents.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// One published group and version.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupVersion {
    /// The group, empty for core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The greater, the earlier its group stands.
    pub group_priority_minimum: i32,
    /// The greater, the earlier it stands in its group.
    pub version_priority: i32,
    /// Its `APIVersionDiscovery`.
    pub document: Value,
}

/// A group with its versions, the preferred one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The name, empty for core.
    pub name: String,
    /// Its versions, at least one.
    pub versions: Vec<GroupVersion>,
}

/// Sorts what is published into groups: by the greatest priority of their versions, then by name.
pub fn groups(published: Vec<GroupVersion>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for item in published {
        match groups.iter_mut().find(|group| group.name == item.group) {
            Some(group) => group.versions.push(item),
            None => groups.push(Group { name: item.group.clone(), versions: vec![item] }),
        }
    }
    for group in &mut groups {
        group.versions.sort_by(|a, b| {
            b.version_priority.cmp(&a.version_priority).then_with(|| compare_versions(&a.version, &b.version))
        });
    }
    groups.sort_by_cached_key(|group| {
        let priority = group.versions.iter().map(|version| version.group_priority_minimum).max();
        (Reverse(priority), group.name.clone())
    });
    groups
}

/// The order of versions that have no priority: `v2`, `v1`, `v1beta1`, `v1alpha1`, then others by name
/// (`apimachinery/pkg/version/helpers.go`).
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (rank(a), rank(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Stability (2 for GA), major, minor of `v1beta2`.
fn rank(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let major = rest[..digits].parse().ok()?;
    let rest = &rest[digits..];
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    let (stability, minor) = match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
        (Some(minor), _) => (1, minor),
        (_, Some(minor)) => (0, minor),
        _ => return None,
    };
    Some((stability, major, minor.parse().ok()?))
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// `APIGroupDiscoveryList`: every group with everything in it.
pub fn aggregated(groups: &[Group]) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> =
                group.versions.iter().map(|version| without_hashes(&version.document)).collect();
            let metadata = if group.name.is_empty() { json!({}) } else { json!({ "name": group.name }) };
            json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items })
}

fn without_hashes(document: &Value) -> Value {
    let mut document = document.clone();
    for resource in document.get_mut("resources").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(resource) = resource.as_object_mut() {
            resource.remove("storageVersionHash");
        }
    }
    document
}

/// `APIVersions`, the answer at `/api`.
pub fn api_versions(core: &Group, server_address: &str) -> Value {
    let versions: Vec<&str> = core.versions.iter().map(|version| version.version.as_str()).collect();
    json!({
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": server_address }],
    })
}

/// `APIGroupList`, the answer at `/apis`.
pub fn api_group_list(groups: &[Group]) -> Value {
    let list: Vec<Value> = groups.iter().map(|group| Value::Object(group_entry(group))).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": list })
}

/// `APIGroup`, the answer at `/apis/<group>`.
pub fn api_group(group: &Group) -> Value {
    let mut entry = group_entry(group);
    entry.insert("kind".into(), "APIGroup".into());
    entry.insert("apiVersion".into(), "v1".into());
    Value::Object(entry)
}

fn group_entry(group: &Group) -> Map {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|it| json!({ "groupVersion": group_version(&it.group, &it.version), "version": it.version }))
        .collect();
    let mut entry = Map::new();
    entry.insert("name".into(), group.name.as_str().into());
    if let Some(preferred) = versions.first() {
        entry.insert("preferredVersion".into(), preferred.clone());
    }
    entry.insert("versions".into(), versions.into());
    entry
}

/// `APIResourceList`, the answer at `/apis/<group>/<version>`.
pub fn api_resource_list(version: &GroupVersion) -> Value {
    let mut list = Vec::new();
    let resources = version.document.get("resources").and_then(Value::as_array);
    for resource in resources.into_iter().flatten() {
        let text = |key: &str| resource.get(key).and_then(Value::as_str).unwrap_or_default();
        let namespaced = text("scope") == "Namespaced";
        let name = text("resource");
        let mut entry = Map::new();
        entry.insert("name".into(), name.into());
        entry.insert("singularName".into(), text("singularResource").into());
        entry.insert("namespaced".into(), namespaced.into());
        insert_kind(&mut entry, resource, version);
        for key in ["verbs", "shortNames", "categories", "storageVersionHash"] {
            if let Some(value) = resource.get(key) {
                entry.insert(key.into(), value.clone());
            }
        }
        list.push(Value::Object(entry));
        for sub in resource.get("subresources").and_then(Value::as_array).into_iter().flatten() {
            let subresource = sub.get("subresource").and_then(Value::as_str).unwrap_or_default();
            let mut entry = Map::new();
            entry.insert("name".into(), format!("{name}/{subresource}").into());
            entry.insert("singularName".into(), "".into());
            entry.insert("namespaced".into(), namespaced.into());
            insert_kind(&mut entry, sub, version);
            entry.insert("verbs".into(), sub.get("verbs").cloned().unwrap_or_else(|| json!([])));
            list.push(Value::Object(entry));
        }
    }
    let mut document = json!({
        "kind": "APIResourceList",
        "groupVersion": group_version(&version.group, &version.version),
        "resources": list,
    });
    // As upstream writes it: only in the named groups has the list a version of its own.
    if let Some(map) = document.as_object_mut().filter(|_| !version.group.is_empty()) {
        map.insert("apiVersion".into(), "v1".into());
    }
    document
}

/// The kind, with group and version where they are not those of the list.
fn insert_kind(entry: &mut Map, of: &Value, list: &GroupVersion) {
    let text = |key: &str| {
        of.get("responseKind").and_then(|kind| kind.get(key)).and_then(Value::as_str).unwrap_or_default()
    };
    entry.insert("kind".into(), text("kind").into());
    let own = text("group") == list.group && text("version") == list.version;
    for key in ["group", "version"] {
        if !own && !text(key).is_empty() {
            entry.insert(key.into(), text(key).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(group: &str, version: &str, priorities: (i32, i32)) -> GroupVersion {
        let document = json!({
            "version": version, "freshness": "Current",
            "resources": [{
                "resource": "things", "singularResource": "thing", "scope": "Namespaced", "verbs": ["get"],
                "responseKind": { "group": "", "version": "", "kind": "Thing" }, "storageVersionHash": "x",
                "subresources": [{
                    "subresource": "scale", "verbs": ["get"],
                    "responseKind": { "group": "autoscaling", "version": "v1", "kind": "Scale" },
                }],
            }],
        });
        GroupVersion {
            group: group.into(),
            version: version.into(),
            group_priority_minimum: priorities.0,
            version_priority: priorities.1,
            document,
        }
    }

    #[test]
    fn groups_stand_by_priority_then_name_and_versions_by_priority_then_stability() {
        let sorted = groups(vec![
            published("b.example.com", "v1beta1", (1000, 100)),
            published("b.example.com", "v1", (1000, 100)),
            published("apps", "v1", (17_800, 15)),
            published("a.example.com", "v1", (1000, 100)),
        ]);
        let names: Vec<&str> = sorted.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["apps", "a.example.com", "b.example.com"]);
        assert_eq!(api_group(&sorted[2])["preferredVersion"]["version"], "v1");
    }

    #[test]
    fn versions_without_priority_are_ordered_by_stability_and_number() {
        let mut versions = ["foo", "v1alpha1", "v10", "v1beta2", "v2", "v1beta1", "bar"];
        versions.sort_by(|a, b| compare_versions(a, b));
        assert_eq!(versions, ["v10", "v2", "v1beta2", "v1beta1", "v1alpha1", "bar", "foo"]);
    }

    #[test]
    fn only_the_older_documents_tell_the_storage_version_hash() {
        let item = published("apps", "v1", (1, 1));
        let list = api_resource_list(&item);
        assert_eq!(list["resources"][0]["storageVersionHash"], "x");
        assert_eq!(list["resources"][1]["group"], "autoscaling");
        assert_eq!(list["resources"][1]["name"], "things/scale");
        assert_eq!(list["apiVersion"], "v1");
        assert_eq!(api_resource_list(&published("", "v1", (1, 1))).get("apiVersion"), None);
        let all = aggregated(&groups(vec![item]));
        assert_eq!(all["items"][0]["versions"][0]["resources"][0].get("storageVersionHash"), None);
    }
}
