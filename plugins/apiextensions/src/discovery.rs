//! What is told about this server's own group for discovery.

use crate::definition::{GROUP, KIND, RESOURCE, VERSION};
use chainplate_sdk::{apimachinery::Value, custom::discovery::storage_version_hash};
use serde_json::json;

/// The version that upstream still keeps definitions in; clients compare the hash of it. Here they are kept in the version
/// they are served in, which has the same fields.
const STORED_VERSION: &str = "v1beta1";

/// The discovery of this server's own group.
pub(crate) fn own() -> Value {
    let kind = json!({"group": "", "version": "", "kind": KIND});
    json!({"version": VERSION, "freshness": "Current", "resources": [{
        "resource": RESOURCE,
        "singularResource": "customresourcedefinition",
        "scope": "Cluster",
        "responseKind": kind,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["crd", "crds"],
        "categories": ["api-extensions"],
        "storageVersionHash": storage_version_hash(GROUP, STORED_VERSION, KIND),
        "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]}],
    }]})
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_storage_version_is_told_as_upstream_tells_it() {
        assert_eq!(super::own()["resources"][0]["storageVersionHash"], "jfWCUB31mvA=");
    }
}
