//! Defaults of Pods and of the templates of Pods.

use crate::{members_mut, rules::Rule};
use chainplate_sdk::apimachinery::{Map, Value};
use serde_json::json;

/// The spec of the Pod that an object is or makes.
pub(crate) fn spec_mut<'a>(group: &str, kind: &str, object: &'a mut Value) -> Option<&'a mut Map> {
    let pointer = match (group, kind) {
        ("", "Pod") => "/spec",
        ("", "ReplicationController")
        | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job") => "/spec/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    object.pointer_mut(pointer)?.as_object_mut()
}

/// Gives a Pod's spec what it leaves open.
pub(crate) fn fill(spec: &mut Map, rule: &Rule) {
    let windows = spec.get("os").is_some_and(|os| os["name"] == "windows");
    if !windows {
        members(spec, "securityContext", &rule.pod_security_context);
    }
    tolerations(spec, &rule.tolerations);
    let whole = spec.get("resources").and_then(Value::as_object).is_some_and(|it| !it.is_empty());
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            if let Some(policy) = &rule.image_pull_policy {
                pull_policy(container, policy);
            }
            if !windows {
                members(container, "securityContext", &rule.container_security_context);
            }
            if !whole {
                requests(container, rule);
            }
        }
    }
}

/// Adds the members that are not there.
fn members(object: &mut Map, member: &str, defaults: &Map) {
    if defaults.is_empty() {
        return;
    }
    if let Some(there) = members_mut(object, member) {
        for (key, value) in defaults {
            there.entry(key).or_insert_with(|| value.clone());
        }
    }
}

fn tolerations(spec: &mut Map, defaults: &[Value]) {
    if defaults.is_empty() {
        return;
    }
    let there = spec.entry("tolerations").or_insert(Value::Null);
    if there.is_null() {
        *there = json!([]);
    }
    let Some(there) = there.as_array_mut() else { return };
    for toleration in defaults {
        let same = |it: &Value| it["key"] == toleration["key"] && it["effect"] == toleration["effect"];
        if !there.iter().any(same) {
            there.push(toleration.clone());
        }
    }
}

/// The server has filled in its own default before (`core/v1.SetDefaults_Container`): that counts as left open.
fn pull_policy(container: &mut Map, policy: &str) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let servers = if is_latest(image) { "Always" } else { "IfNotPresent" };
    let open = match container.get("imagePullPolicy") {
        None => true,
        Some(there) => there.is_null() || there == "" || there == servers,
    };
    if open {
        container.insert("imagePullPolicy".into(), policy.into());
    }
}

/// Whether an image has the tag `latest`, or neither tag nor digest.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    // A colon before the last slash is that of a registry's port.
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn requests(container: &mut Map, rule: &Rule) {
    if rule.requests.is_empty() {
        return;
    }
    let Some(resources) = members_mut(container, "resources") else { return };
    let limits: Vec<String> =
        resources.get("limits").and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect();
    let there = resources.get("requests").and_then(Value::as_object).is_some_and(|it| !it.is_empty());
    // A limit without a request is a request (`SetDefaults_Pod`).
    let wanted = rule.requests.iter().filter(|(resource, _)| !limits.contains(resource));
    if !there && let Some(requests) = members_mut(resources, "requests") {
        requests.extend(wanted.map(|(resource, quantity)| (resource.clone(), quantity.clone().into())));
    }
}
