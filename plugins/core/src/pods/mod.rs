//! Pods: their class of service, and the subresources that are more than a part of them.

mod binding;
mod eviction;
#[cfg(test)]
mod tests;

pub(crate) use binding::{bind, bind_by_body};
pub(crate) use eviction::evict;

use crate::validation;
use chainplate_sdk::{
    apimachinery::{Map, Value, object},
    registry::Context,
};
use serde_json::json;

/// What a new pod starts with (`pkg/registry/core/pod/strategy.go`).
pub(crate) fn prepare_create(context: &Context<'_>, pod: &mut Value) {
    let class = pod.get("spec").map_or("BestEffort", validation::qos_class);
    let mut status = json!({ "phase": "Pending", "qosClass": class });
    let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array).map_or(0, Vec::len);
    if gates > 0 {
        status["conditions"] = json!([{
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": null,
            "lastTransitionTime": context.now,
        }]);
    }
    if let Some(pod) = pod.as_object_mut() {
        pod.insert("status".into(), status);
    }
}

/// What a writer of a pod may not change.
pub(crate) fn prepare_update(subresource: &str, pod: &mut Value, old: &Value) {
    match subresource {
        "status" => {
            // The class is settled at birth; a kubelet that does not tell it does not mean to take it away.
            let class = old.pointer("/status/qosClass").cloned();
            let status = pod.get_mut("status").and_then(Value::as_object_mut);
            if let (Some(status), Some(class)) = (status, class) {
                status.entry("qosClass").or_insert(class);
            }
            keep_metadata(pod, old, &["ownerReferences"]);
        }
        "ephemeralcontainers" => {
            let wanted = pod.pointer("/spec/ephemeralContainers").cloned();
            restore(pod, old);
            let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
            match wanted {
                Some(containers) => spec.insert("ephemeralContainers".into(), containers),
                None => spec.remove("ephemeralContainers"),
            };
        }
        "resize" => {
            let wanted: Vec<(&str, Vec<Value>)> = ["containers", "initContainers"]
                .map(|list| (list, containers(pod, list).to_vec()))
                .into_iter()
                .collect();
            restore(pod, old);
            for (list, wanted) in wanted {
                resize(pod, list, &wanted);
            }
        }
        _ => {}
    }
}

/// Takes over the resources of containers that are told, by name.
fn resize(pod: &mut Value, list: &str, wanted: &[Value]) {
    let ours = pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
    for container in ours.into_iter().flatten() {
        let Some(new) = wanted.iter().find(|new| new["name"] == container["name"]) else { continue };
        let Some(container) = container.as_object_mut() else { continue };
        for name in ["resources", "resizePolicy"] {
            match new.get(name) {
                Some(value) => container.insert(name.into(), value.clone()),
                None => container.remove(name),
            };
        }
    }
}

fn containers<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    pod.get("spec")
        .and_then(|spec| spec.get(list))
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Puts back everything but who manages what and the version that was read.
fn restore(pod: &mut Value, old: &Value) {
    let mut restored = old.clone();
    if let Some(metadata) = object::metadata_mut(&mut restored) {
        for name in ["managedFields", "resourceVersion"] {
            match object::metadata(pod).and_then(|metadata| metadata.get(name)) {
                Some(value) => metadata.insert(name.into(), value.clone()),
                None => metadata.remove(name),
            };
        }
    }
    *pod = restored;
}

fn keep_metadata(pod: &mut Value, old: &Value, names: &[&str]) {
    let Some(metadata) = object::metadata_mut(pod) else { return };
    for name in names {
        match object::metadata(old).and_then(|old| old.get(*name)) {
            Some(value) => metadata.insert((*name).to_owned(), value.clone()),
            None => metadata.remove(*name),
        };
    }
}

/// Sets a condition; its time changes with its status alone (`UpdatePodCondition`).
fn set_condition(status: &mut Map, kind: &str, value: &str, now: &str) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else { return };
    let new = json!({ "type": kind, "status": value, "lastProbeTime": null, "lastTransitionTime": now });
    match conditions.iter_mut().find(|condition| condition["type"] == kind) {
        Some(there) if there["status"] == value => {}
        Some(there) => *there = new,
        None => conditions.push(new),
    }
}
