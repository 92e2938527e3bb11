//! Where objects are served, as discovery tells.

use serde_json::Value;

/// The media type of aggregated discovery (`apidiscovery.k8s.io/v2`).
pub const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Where an object is served, and under what name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path of its collection.
    pub collection: String,
    /// Its name.
    pub name: String,
}

impl Place {
    /// The path of the object.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }
}

/// Finds the place of an object in the documents of `/api` and `/apis`; none if nobody serves its kind. An object without
/// a namespace, of a kind that has one, is in `default`.
///
/// # Errors
/// What the object lacks.
pub fn place(discovery: &[Value], object: &Value) -> Result<Option<Place>, String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (Some(api_version), Some(kind)) = (text("/apiVersion"), text("/kind")) else {
        return Err("an object has no apiVersion or no kind".to_owned());
    };
    let name = text("/metadata/name").ok_or_else(|| format!("a {kind} has no metadata.name"))?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let groups = discovery.iter().flat_map(|document| list(document, "items"));
    let ours = groups.filter(|it| it["metadata"]["name"].as_str().unwrap_or_default() == group);
    let versions = ours.flat_map(|it| list(&it, "versions")).filter(|it| it["version"] == version);
    let mut resources = versions.flat_map(|it| list(&it, "resources"));
    let found = resources.find(|it| it["responseKind"]["kind"] == kind && it["resource"].is_string());
    Ok(found.map(|resource| {
        let root =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let plural = resource["resource"].as_str().unwrap_or_default();
        let collection = if resource["scope"] == "Namespaced" {
            format!("{root}/namespaces/{}/{plural}", text("/metadata/namespace").unwrap_or("default"))
        } else {
            format!("{root}/{plural}")
        };
        Place { collection, name: name.to_owned() }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn discovery_tells_where_a_kind_is_served() {
        let resource = |name: &str, kind: &str, scope: &str| json!({"resource": name, "responseKind": {"kind": kind}, "scope": scope});
        let core = json!({"items": [{"versions": [{"version": "v1", "resources": [
            resource("namespaces", "Namespace", "Cluster"), resource("pods", "Pod", "Namespaced")]}]}]});
        let others = json!({"items": [{"metadata": {"name": "apps"}, "versions": [
            {"version": "v1", "resources": [resource("deployments", "Deployment", "Namespaced")]}]}]});
        let at = |object: Value| {
            place(&[core.clone(), others.clone()], &object).map(|place| place.map(|place| place.path()))
        };
        let object = |version: &str, kind: &str, metadata: Value| json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        assert_eq!(
            at(object("v1", "Namespace", json!({"name": "a"}))).unwrap().as_deref(),
            Some("/api/v1/namespaces/a")
        );
        assert_eq!(
            at(object("v1", "Pod", json!({"name": "a"}))).unwrap().as_deref(),
            Some("/api/v1/namespaces/default/pods/a")
        );
        assert_eq!(
            at(object("apps/v1", "Deployment", json!({"name": "a", "namespace": "b"}))).unwrap().as_deref(),
            Some("/apis/apps/v1/namespaces/b/deployments/a")
        );
        assert_eq!(at(object("apps/v2", "Deployment", json!({"name": "a"}))), Ok(None));
        assert!(at(object("v1", "Pod", json!({}))).unwrap_err().contains("no metadata.name"));
        assert!(at(json!({})).is_err());
    }
}
